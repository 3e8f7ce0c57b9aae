//! The event log of resources (RFC 44): the past in memory, its followers, and the events
//! that still have to be stored.

use std::collections::VecDeque;

use node::{Cx, Stream, StreamId};
use proto::data::{Entry, Rset};
use proto::resource::{Journal as JournalMethod, JournalReply};

use crate::core::Resource;
use crate::limits::{JOURNAL_BATCH_EVENTS, JOURNAL_EVENTS_MAX};

/// The log and its readers.
#[derive(Debug)]
pub struct Journal {
    /// Events that are kept; a few more are until the oldest go at once.
    max: usize,
    past: VecDeque<Entry>,
    readers: Vec<Stream<JournalMethod>>,
}

impl Default for Journal {
    fn default() -> Journal {
        Journal {
            max: JOURNAL_EVENTS_MAX,
            past: VecDeque::new(),
            readers: Vec::new(),
        }
    }
}

impl Journal {
    /// Keeps N events from now on.
    pub fn set_max(&mut self, max: usize) {
        self.max = max.max(1);
        self.forget_oldest();
    }

    /// Begins with the events stored by an earlier process.
    pub fn recall(&mut self, entries: Vec<Entry>) {
        self.past.extend(entries);
        self.forget_oldest();
    }

    /// Logs one event and sends it to the readers. `r` goes with the one that defines the
    /// resources.
    pub fn post(&mut self, cx: &mut Cx<Resource>, entry: Entry, r: Option<&Rset>) {
        let reply = JournalReply {
            events: vec![entry],
            r: r.cloned(),
        };
        for reader in &mut self.readers {
            reader.send(cx, &reply);
        }
        self.past.extend(reply.events);
        self.forget_oldest();
    }

    /// A new reader gets the past, a mark, and all later events. R goes with the last
    /// event that defines it.
    pub fn follow(
        &mut self,
        cx: &mut Cx<Resource>,
        mut reader: Stream<JournalMethod>,
        r: Option<&Rset>,
    ) {
        let defines = |entry: &Entry| entry.name() == "resource-define";
        let last_define = self.past.iter().rposition(defines);
        let mut at = 0;
        while at < self.past.len() {
            let end = self.past.len().min(at + JOURNAL_BATCH_EVENTS);
            let has_define = last_define.is_some_and(|define| (at..end).contains(&define));
            let reply = JournalReply {
                events: self.past.range(at..end).cloned().collect(),
                r: r.filter(|_| has_define).cloned(),
            };
            reader.send(cx, &reply);
            at = end;
        }
        let mark = JournalReply {
            events: Vec::new(),
            r: None,
        };
        reader.send(cx, &mark);
        self.readers.push(reader);
    }

    /// Forgets a reader that has left.
    pub fn closed(&mut self, stream: StreamId) {
        if let Some(at) = self.readers.iter().position(|r| r.id() == stream) {
            self.readers.swap_remove(at).forget();
        }
    }

    /// Puts a mark in place of the oldest events when there are a hundredth more than are
    /// kept, so that it is not done for each event.
    fn forget_oldest(&mut self) {
        if self.past.len() <= self.max + self.max / 100 {
            return;
        }
        let over = self.past.len() - (self.max - 1);
        let last = self.past.drain(..over).next_back();
        let mark = last.and_then(|last| Entry::new(last.timestamp(), "truncate").ok());
        if let Some(mark) = mark {
            self.past.push_front(mark);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(n: u32) -> Vec<Entry> {
        let entry = |n| Entry::new(f64::from(n), "drain").unwrap();
        (1..=n).map(entry).collect()
    }

    fn check(journal: &Journal, expect: &str) {
        let shown = |entry: &Entry| format!("{}{}", &entry.name()[..1], entry.timestamp());
        let shown: Vec<String> = journal.past.iter().map(shown).collect();
        assert_eq!(shown.join(" "), expect);
    }

    #[test]
    fn a_mark_stands_for_what_was_forgotten() {
        let mut journal = Journal::default();
        journal.set_max(3);
        journal.recall(entries(3));
        check(&journal, "d1 d2 d3");
        journal.recall(entries(2));
        check(&journal, "t3 d1 d2");
        journal.set_max(0);
        check(&journal, "t2");
    }

    #[test]
    fn events_are_forgotten_many_at_a_time() {
        let mut journal = Journal::default();
        journal.set_max(1_000);
        journal.recall(entries(1_010));
        assert_eq!(journal.past.len(), 1_010);
        journal.recall(entries(1));
        assert_eq!(journal.past.len(), 1_000);
    }
}
