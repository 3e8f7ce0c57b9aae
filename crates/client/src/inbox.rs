//! What has arrived and has not been taken yet: in order, and by call.

use std::collections::{BTreeMap, VecDeque};

use proto::{Errno, Refusal};
use rustc_hash::FxHashMap;
use wire::Message;

use crate::call::CallId;
use crate::handle::Arrival;
use crate::limits::{INBOX_BYTES_MAX, MESSAGE_OVERHEAD_BYTES};

/// Messages in the order in which they came; the answers of one call and the events can
/// also be taken before what came earlier.
#[derive(Default)]
pub(crate) struct Inbox {
    arrivals: BTreeMap<u64, Arrival>,
    /// Positions in `arrivals` of the answers of each call.
    answers: FxHashMap<CallId, VecDeque<u64>>,
    /// Positions of the events, and of the requests to our own services.
    events: VecDeque<u64>,
    requests: VecDeque<u64>,
    last: u64,
    bytes: usize,
    events_lost: u64,
}

impl Inbox {
    /// Takes in the answer of a call. One success too many for the memory that we give
    /// it is refused: false, and the call is to end with ENOBUFS.
    pub(crate) fn put_answer(&mut self, id: CallId, answer: Result<Message, Refusal>) -> bool {
        if answer.is_ok() && self.bytes >= INBOX_BYTES_MAX {
            return false;
        }
        let at = self.put(Arrival::Answer(id, answer));
        self.answers.entry(id).or_default().push_back(at);
        true
    }

    /// Takes in an event, or counts it as lost.
    pub(crate) fn put_event(&mut self, event: Message) {
        if self.bytes >= INBOX_BYTES_MAX {
            self.events_lost += 1;
            return;
        }
        let at = self.put(Arrival::Event(event));
        self.events.push_back(at);
    }

    /// Takes in a request to a service of ours, or gives it back to be refused.
    pub(crate) fn put_request(&mut self, request: Message) -> Option<Message> {
        if self.bytes >= INBOX_BYTES_MAX {
            return Some(request);
        }
        let at = self.put(Arrival::Request(request));
        self.requests.push_back(at);
        None
    }

    /// What came first.
    pub(crate) fn take_first(&mut self) -> Option<Result<Arrival, Refusal>> {
        if let Some(lost) = self.take_loss() {
            return Some(Err(lost));
        }
        let (_, arrival) = self.arrivals.pop_first()?;
        match &arrival {
            Arrival::Answer(id, _) => self.forget_position(*id),
            Arrival::Event(_) => drop(self.events.pop_front()),
            Arrival::Request(_) => drop(self.requests.pop_front()),
            Arrival::Ready(_) | Arrival::Deadline => {}
        }
        self.bytes -= weight(&arrival);
        Some(Ok(arrival))
    }

    /// The first answer of one call.
    pub(crate) fn take_answer(&mut self, id: CallId) -> Option<Result<Message, Refusal>> {
        let at = *self.answers.get(&id)?.front()?;
        self.forget_position(id);
        match self.take_at(at) {
            Some(Arrival::Answer(_, answer)) => Some(answer),
            _ => None,
        }
    }

    /// The first event.
    pub(crate) fn take_event(&mut self) -> Option<Result<Message, Refusal>> {
        if let Some(lost) = self.take_loss() {
            return Some(Err(lost));
        }
        let at = self.events.pop_front()?;
        match self.take_at(at) {
            Some(Arrival::Event(event)) => Some(Ok(event)),
            _ => None,
        }
    }

    /// The first request to a service of ours.
    pub(crate) fn take_request(&mut self) -> Option<Message> {
        let at = self.requests.pop_front()?;
        match self.take_at(at) {
            Some(Arrival::Request(request)) => Some(request),
            _ => None,
        }
    }

    /// Drops the answers of a call.
    pub(crate) fn forget(&mut self, id: CallId) {
        for at in self.answers.remove(&id).unwrap_or_default() {
            self.take_at(at);
        }
    }

    fn put(&mut self, arrival: Arrival) -> u64 {
        self.last += 1;
        self.bytes += weight(&arrival);
        self.arrivals.insert(self.last, arrival);
        self.last
    }

    fn take_at(&mut self, at: u64) -> Option<Arrival> {
        let arrival = self.arrivals.remove(&at)?;
        self.bytes -= weight(&arrival);
        Some(arrival)
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
        let text = format!("{lost} events were lost: they came faster than they were read");
        (lost > 0).then(|| Refusal::new(Errno::ENOBUFS, text))
    }
}

fn weight(arrival: &Arrival) -> usize {
    let payload = match arrival {
        Arrival::Answer(_, Ok(message)) | Arrival::Event(message) | Arrival::Request(message) => {
            message.payload().map_or(0, |payload| payload.len())
        }
        Arrival::Answer(_, Err(_)) | Arrival::Ready(_) | Arrival::Deadline => 0,
    };
    payload + MESSAGE_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &str) -> Message {
        Message::event(topic)
    }

    fn taken(arrival: Option<Result<Arrival, Refusal>>) -> String {
        match arrival {
            Some(Ok(Arrival::Answer(id, Ok(message)))) => format!("{id:?} {}", message.topic()),
            Some(Ok(Arrival::Event(event))) => format!("event {}", event.topic()),
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
        assert_eq!(inbox.take_answer(two).unwrap().unwrap().topic(), "b");
        assert_eq!(inbox.take_answer(two), None);
        assert_eq!(taken(inbox.take_first()), "event e");
        assert_eq!(taken(inbox.take_first()), "CallId(1) a");
        assert_eq!(taken(inbox.take_first()), "CallId(1) c");
        assert_eq!(taken(inbox.take_first()), "nothing");
        assert_eq!((inbox.bytes, inbox.answers.len()), (0, 0));
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
            "1 events were lost: they came faster than they were read"
        );
        assert_eq!(inbox.take_event().unwrap().unwrap().topic(), "f");
    }
}
