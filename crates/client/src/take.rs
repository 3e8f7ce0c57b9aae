//! One turn at a time: for programs with a loop of their own, and for bindings that look for
//! signals in between. Nothing here blocks but [`Handle::turn`], and that once.

use std::time::Instant;

use proto::Refusal;
use wire::Message;

use crate::call::CallId;
use crate::handle::{Arrival, Handle};

impl Handle {
    /// Waits once and receives messages: until something is to be read, `deadline` passes
    /// or a signal interrupts. Give a deadline that has passed to wait for nothing.
    ///
    /// # Errors
    /// The connection is lost. Calls that waited have their errors as answers.
    pub fn turn(&mut self, deadline: Option<Instant>) -> Result<(), Refusal> {
        self.pump(&[], deadline).map(drop)
    }

    /// True if responses to this call may still come.
    pub fn is_waiting(&self, id: CallId) -> bool {
        self.waiting.contains_key(&id)
    }

    /// True if bytes wait for room in the socket; ask for it to be writable then.
    pub fn wants_to_write(&self) -> bool {
        self.link.backlog() > 0
    }

    /// True if anything has arrived and not been taken.
    pub fn has_arrivals(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// The first answer of a call that has arrived.
    pub fn take_answer(&mut self, id: CallId) -> Option<Result<Message, Refusal>> {
        while let Some(item) = self.inbox.take_answer(id) {
            if let Some(Arrival::Answer(_, answer)) = self.see(item) {
                return Some(answer);
            }
        }
        None
    }

    /// Takes the first arrival of all calls, events and requests. An error is the loss of
    /// events.
    pub fn take_first(&mut self) -> Option<Result<Arrival, Refusal>> {
        loop {
            match self.inbox.take_first()? {
                Err(lost) => return Some(Err(lost)),
                Ok(item) => {
                    if let Some(arrival) = self.see(item) {
                        return Some(Ok(arrival));
                    }
                }
            }
        }
    }

    /// The first event that has arrived. An error is the loss of events.
    pub fn take_event(&mut self) -> Option<Result<Message, Refusal>> {
        self.inbox.take_event()
    }

    /// The first request to a service of ours that has arrived.
    pub fn take_request(&mut self) -> Option<Message> {
        self.inbox.take_request()
    }

    /// Sends a message as it is, but for our credential: an event, a request that is not
    /// waited for here, an answer.
    pub fn send_message(&mut self, mut message: Message) {
        self.stamp(&mut message);
        self.send(&message);
    }
}
