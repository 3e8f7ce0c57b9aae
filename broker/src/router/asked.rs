//! Subscriptions that are on their way up: who is the first on a broker to want a topic is
//! answered when the parent has confirmed it, and the parent confirms when its own parent
//! has. All others are answered at once.

use std::collections::{BTreeMap, VecDeque};

use wire::Message;

use crate::limits::SUBSCRIBING_MAX;

/// Requests to the parent, by number, with their requesters.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Of the last request.
    last: u32,
    /// Requests without an answer, by topic, and all of them.
    topics: BTreeMap<String, u32>,
    open: BTreeMap<u32, String>,
    /// Answers that wait until this request is answered, oldest first.
    answers: VecDeque<(u32, Message)>,
}

/// Handling of a response.
#[derive(Debug)]
pub(super) enum Kept {
    /// The answer is waited for.
    Waits,
    /// There is nothing to wait for.
    Known(Message),
    /// Too many wait.
    Full(Message),
}

impl Asked {
    /// The number for a request for `topic`.
    pub(super) fn ask(&mut self, topic: &str) -> u32 {
        self.last = self.last.checked_add(1).unwrap_or(1);
        if let Some(before) = self.topics.insert(topic.to_owned(), self.last) {
            self.open.remove(&before);
        }
        self.open.insert(self.last, topic.to_owned());
        self.last
    }

    /// The request for `topic`, if it is not answered.
    pub(super) fn number_of(&self, topic: &str) -> Option<u32> {
        self.topics.get(topic).copied()
    }

    /// A request is answered.
    pub(super) fn is_heard(&mut self, number: u32) {
        if let Some(topic) = self.open.remove(&number) {
            self.topics.remove(&topic);
        }
    }

    /// No request will be answered any more.
    pub(super) fn all_heard(&mut self) {
        self.open.clear();
        self.topics.clear();
    }

    /// Keeps an answer until request `number` is answered.
    pub(super) fn keep(&mut self, number: u32, answer: Message) -> Kept {
        if !self.open.contains_key(&number) {
            return Kept::Known(answer);
        }
        if self.answers.len() >= SUBSCRIBING_MAX {
            return Kept::Full(answer);
        }
        self.answers.push_back((number, answer));
        Kept::Waits
    }

    /// Answers that need not wait any longer.
    pub(super) fn take_due(&mut self) -> Vec<Message> {
        let mut due = Vec::new();
        for (number, answer) in std::mem::take(&mut self.answers) {
            match self.open.contains_key(&number) {
                true => self.answers.push_back((number, answer)),
                false => due.push(answer),
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_wait_have_a_bound() {
        let mut asked = Asked::default();
        let number = asked.ask("t.");
        let answer = || Message::event("answer");
        for _ in 0..SUBSCRIBING_MAX {
            assert!(matches!(asked.keep(number, answer()), Kept::Waits));
        }
        assert!(matches!(asked.keep(number, answer()), Kept::Full(_)));
        asked.is_heard(number);
        assert_eq!(asked.take_due().len(), SUBSCRIBING_MAX);
        assert!(matches!(asked.keep(number, answer()), Kept::Known(_)));
    }

    #[test]
    fn a_topic_that_is_asked_for_again_has_its_last_number() {
        let mut asked = Asked::default();
        let first = asked.ask("t.");
        let second = asked.ask("t.");
        assert_eq!(asked.number_of("t."), Some(second));
        assert!(matches!(
            asked.keep(first, Message::event("a")),
            Kept::Known(_)
        ));
        asked.is_heard(first);
        assert_eq!(asked.number_of("t."), Some(second));
        asked.is_heard(second);
        assert_eq!(asked.number_of("t."), None);
    }
}
