//! Messages that have arrived and have not been taken yet: in order, and by call.

use std::collections::{BTreeMap, VecDeque};

use proto::{Errno, Refusal};
use rustc_hash::FxHashMap;
use wire::Message;

use crate::call::CallId;
use crate::handle::Arrival;
use crate::limits::{INBOX_BYTES_MAX, MESSAGE_OVERHEAD_BYTES};

/// One thing in the inbox.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all are the large variant"
)]
pub(crate) enum Item {
    /// A message for the program.
    Arrival(Arrival),
    /// From here on a stream's answers begin again.
    Again(CallId),
}

/// Messages in the order in which they came; the answers of one call and the events can
/// also be taken before earlier messages.
#[derive(Default)]
pub(crate) struct Inbox {
    items: BTreeMap<u64, Item>,
    /// Positions in `items` of the messages of each call.
    answers: FxHashMap<CallId, VecDeque<u64>>,
    /// Positions of the events, and of the requests to our own services.
    events: VecDeque<u64>,
    requests: VecDeque<u64>,
    last: u64,
    bytes: usize,
    events_lost: u64,
}

impl Inbox {
    /// Stores the answer of a call. One success too many for the memory that we give it
    /// is refused: false, and the call is to end with ENOBUFS.
    pub(crate) fn put_answer(&mut self, id: CallId, answer: Result<Message, Refusal>) -> bool {
        if answer.is_ok() && self.bytes >= INBOX_BYTES_MAX {
            return false;
        }
        let at = self.put(Item::Arrival(Arrival::Answer(id, answer)));
        self.answers.entry(id).or_default().push_back(at);
        true
    }

    /// Notes that a stream's answers begin again.
    pub(crate) fn put_again(&mut self, id: CallId) {
        let at = self.put(Item::Again(id));
        self.answers.entry(id).or_default().push_back(at);
    }

    /// Stores an event, or counts it as lost.
    pub(crate) fn put_event(&mut self, event: Message) {
        if self.bytes >= INBOX_BYTES_MAX {
            self.events_lost += 1;
            return;
        }
        let at = self.put(Item::Arrival(Arrival::Event(event)));
        self.events.push_back(at);
    }

    /// Stores a request to a service of ours, or returns it to be refused.
    pub(crate) fn put_request(&mut self, request: Message) -> Option<Message> {
        if self.bytes >= INBOX_BYTES_MAX {
            return Some(request);
        }
        let at = self.put(Item::Arrival(Arrival::Request(request)));
        self.requests.push_back(at);
        None
    }

    /// True if there is nothing to take.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.events_lost == 0
    }

    /// Takes the oldest message.
    pub(crate) fn take_first(&mut self) -> Option<Result<Item, Refusal>> {
        if let Some(lost) = self.take_loss() {
            return Some(Err(lost));
        }
        let (_, item) = self.items.pop_first()?;
        match &item {
            Item::Arrival(Arrival::Answer(id, _)) | Item::Again(id) => self.forget_position(*id),
            Item::Arrival(Arrival::Event(_)) => drop(self.events.pop_front()),
            Item::Arrival(Arrival::Request(_)) => drop(self.requests.pop_front()),
            Item::Arrival(Arrival::Ready(_) | Arrival::Deadline) => {}
        }
        self.bytes -= weight(&item);
        Some(Ok(item))
    }

    /// True if there is a message for one call.
    pub(crate) fn has_answer(&self, id: CallId) -> bool {
        self.answers.contains_key(&id)
    }

    /// Takes the oldest message for one call.
    pub(crate) fn take_answer(&mut self, id: CallId) -> Option<Item> {
        let at = *self.answers.get(&id)?.front()?;
        self.forget_position(id);
        self.take_at(at)
    }

    /// The first event.
    pub(crate) fn take_event(&mut self) -> Option<Result<Message, Refusal>> {
        if let Some(lost) = self.take_loss() {
            return Some(Err(lost));
        }
        let at = self.events.pop_front()?;
        match self.take_at(at) {
            Some(Item::Arrival(Arrival::Event(event))) => Some(Ok(event)),
            _ => None,
        }
    }

    /// The first request to a service of ours.
    pub(crate) fn take_request(&mut self) -> Option<Message> {
        let at = self.requests.pop_front()?;
        match self.take_at(at) {
            Some(Item::Arrival(Arrival::Request(request))) => Some(request),
            _ => None,
        }
    }

    /// Drops the answers of a call.
    pub(crate) fn forget(&mut self, id: CallId) {
        for at in self.answers.remove(&id).unwrap_or_default() {
            self.take_at(at);
        }
    }

    fn put(&mut self, item: Item) -> u64 {
        self.last += 1;
        self.bytes += weight(&item);
        self.items.insert(self.last, item);
        self.last
    }

    fn take_at(&mut self, at: u64) -> Option<Item> {
        let item = self.items.remove(&at)?;
        self.bytes -= weight(&item);
        Some(item)
    }

    fn forget_position(&mut self, id: CallId) {
        if let Some(positions) = self.answers.get_mut(&id) {
            positions.pop_front();
            if positions.is_empty() {
                self.answers.remove(&id);
            }
        }
    }

    fn take_loss(&mut self) -> Option<Refusal> {
        let lost = std::mem::take(&mut self.events_lost);
        let text = format!("{lost} events were lost: they arrived faster than they were read");
        (lost > 0).then(|| Refusal::new(Errno::ENOBUFS, text))
    }
}

fn weight(item: &Item) -> usize {
    let message = match item {
        Item::Arrival(Arrival::Answer(_, Ok(message))) => Some(message),
        Item::Arrival(Arrival::Event(message) | Arrival::Request(message)) => Some(message),
        _ => None,
    };
    let payload = message
        .and_then(Message::payload)
        .map_or(0, |payload| payload.len());
    payload + MESSAGE_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &str) -> Message {
        Message::event(topic)
    }

    fn taken(item: Option<Result<Item, Refusal>>) -> String {
        match item {
            Some(Ok(Item::Arrival(Arrival::Answer(id, Ok(message))))) => {
                format!("{id:?} {}", message.topic())
            }
            Some(Ok(Item::Arrival(Arrival::Event(event)))) => format!("event {}", event.topic()),
            Some(Ok(other)) => format!("{other:?}"),
            Some(Err(refusal)) => refusal.to_string(),
            None => "nothing".to_owned(),
        }
    }

    #[test]
    fn answers_can_be_taken_before_what_came_earlier() {
        let (one, two) = (CallId(1), CallId(2));
        let mut inbox = Inbox::default();
        inbox.put_event(message("e"));
        inbox.put_answer(one, Ok(message("a")));
        inbox.put_answer(two, Ok(message("b")));
        inbox.put_answer(one, Ok(message("c")));
        assert_eq!(taken(inbox.take_answer(two).map(Ok)), "CallId(2) b");
        assert_eq!(taken(inbox.take_answer(two).map(Ok)), "nothing");
        assert_eq!(taken(inbox.take_first()), "event e");
        assert_eq!(taken(inbox.take_first()), "CallId(1) a");
        assert_eq!(taken(inbox.take_first()), "CallId(1) c");
        assert_eq!(taken(inbox.take_first()), "nothing");
        assert_eq!((inbox.bytes, inbox.answers.len()), (0, 0));
    }

    #[test]
    fn a_new_beginning_has_its_place_among_the_answers() {
        let mut inbox = Inbox::default();
        inbox.put_answer(CallId(1), Ok(message("a")));
        inbox.put_again(CallId(1));
        inbox.put_answer(CallId(1), Ok(message("a")));
        assert_eq!(taken(inbox.take_first()), "CallId(1) a");
        assert_eq!(
            taken(inbox.take_answer(CallId(1)).map(Ok)),
            "Again(CallId(1))"
        );
        assert_eq!(taken(inbox.take_first()), "CallId(1) a");
    }

    #[test]
    fn a_forgotten_call_leaves_nothing_behind() {
        let mut inbox = Inbox::default();
        inbox.put_answer(CallId(1), Ok(message("a")));
        inbox.forget(CallId(1));
        assert_eq!(taken(inbox.take_first()), "nothing");
        assert_eq!(inbox.bytes, 0);
    }

    #[test]
    fn a_full_inbox_refuses_answers_and_counts_events() {
        let mut inbox = Inbox::default();
        let mut big = message("big");
        big.set_payload(vec![0; INBOX_BYTES_MAX].into());
        assert!(inbox.put_answer(CallId(1), Ok(big)));
        assert!(!inbox.put_answer(CallId(1), Ok(message("a"))));
        assert!(inbox.put_answer(CallId(1), Err(Refusal::END)));
        assert!(inbox.put_request(message("r")).is_some());
        inbox.put_event(message("e"));
        assert!(inbox.take_answer(CallId(1)).is_some());
        inbox.put_event(message("f"));
        assert_eq!(
            taken(inbox.take_first()),
            "1 events were lost: they arrived faster than they were read"
        );
        assert_eq!(inbox.take_event().unwrap().unwrap().topic(), "f");
    }
}
