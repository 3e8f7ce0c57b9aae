//! The desk of a program: its unanswered requests, each with its question. Every request
//! is answered once; a stream ends once.

use std::collections::BTreeMap;

use proto::Method;
use wire::{Errno, Flags, Message};

use super::ledger::Ledger;
use crate::store::{ask, outcome_of};

/// Error text of the broker when it has waited for a module too long.
const GIVEN_UP: &str = "the module did not come back in time";

/// Requests under way.
#[derive(Debug)]
pub(super) struct Desk<W> {
    tag: u32,
    waits: BTreeMap<u32, W>,
    pub answered: u64,
    pub failed: u64,
}

/// A response to one of our requests.
#[derive(Debug)]
pub(super) struct Answer<W> {
    /// Of which request.
    pub tag: u32,
    /// Purpose of the request.
    pub want: W,
    pub result: Result<(), Errno>,
}

impl<W: Clone> Desk<W> {
    /// A desk with nothing on it.
    pub fn new() -> Desk<W> {
        Desk {
            tag: 0,
            waits: BTreeMap::new(),
            answered: 0,
            failed: 0,
        }
    }

    /// A request.
    pub fn ask(&mut self, want: W, request: &impl Method) -> Message {
        self.send(want, request, 0)
    }

    /// A request that is answered many times.
    pub fn follow(&mut self, want: W, request: &impl Method) -> Message {
        self.send(want, request, Flags::STREAMING)
    }

    fn send(&mut self, want: W, request: &impl Method, flags: u8) -> Message {
        self.tag += 1;
        self.waits.insert(self.tag, want);
        ask(self.tag, request, flags)
    }

    /// The tag of the newest request.
    pub fn last_tag(&self) -> u32 {
        self.tag
    }

    /// Receives a response.
    pub fn take(&mut self, response: &Message) -> Answer<W> {
        let (tag, result) = outcome_of(response).expect("a response");
        let want = self.waits.get(&tag).cloned();
        let want = want.unwrap_or_else(|| panic!("a second answer, or to nothing: {response:?}"));
        if response.ends_rpc() {
            self.waits.remove(&tag);
            self.answered += 1;
            self.failed += u64::from(result.is_err());
        }
        Answer { tag, want, result }
    }

    /// Drops all requests of a lost link: nothing will be answered.
    pub fn clear(&mut self) {
        self.waits.clear();
    }

    /// True if everything is answered.
    pub fn is_clear(&self) -> bool {
        self.waits.is_empty()
    }

    /// Number of requests under way.
    pub fn len(&self) -> usize {
        self.waits.len()
    }
}

/// True if the fate of a request is unknown: the broker has waited for a module too long,
/// or a broker on its way was lost.
pub(super) fn is_given_up(ledger: &Ledger, response: &Message) -> bool {
    // One that ends without its parent takes its modules down, one after the other.
    let is_lost = matches!(
        outcome_of(response),
        Some((_, Err(Errno::EHOSTUNREACH | Errno::ENOSYS)))
    );
    response.error_text() == Some(GIVEN_UP)
        || is_lost && (!ledger.lost.is_empty() || ledger.n_reloads > 0)
}
