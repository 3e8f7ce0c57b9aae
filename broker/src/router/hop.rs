//! Origins and destinations of messages, as seen from one broker, and the handling of
//! undeliverable ones.

use std::time::Duration;

use node::PeerId;
use proto::Outcome;
use proto::orphans::Cause;
use wire::{Errno, Message};

/// A module as long as it is loaded, through all its restarts. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleId(pub u64);

/// One end of a message's way through a broker. In the order in which an event that
/// rank 0 publishes reaches them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hop {
    /// The broker itself: its own services.
    Here,
    /// A module.
    Module(ModuleId),
    /// A program on the local socket.
    Client(PeerId),
    /// The broker above.
    Parent,
    /// The broker of this rank, directly below.
    Child(u32),
}

impl Hop {
    /// True if the hop is another broker.
    pub fn is_broker(self) -> bool {
        matches!(self, Hop::Parent | Hop::Child(_))
    }
}

/// Actions of the router, to be carried out in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Out {
    /// The message, which has come by `from`, goes to `to` as it is.
    Send {
        /// Hop it came from; [`Hop::Here`] also for messages of the router itself.
        from: Hop,
        /// Hop it goes to.
        to: Hop,
        /// The message.
        message: Message,
    },
    /// A module is asked. When it can take the request, that goes on by [`super::Router::give`].
    Ask {
        /// The module.
        module: ModuleId,
        /// As it came, without the broker's own hop.
        request: Message,
    },
    /// A message that its sender had no reason to send is dropped: a response without a
    /// request, or an event that is not its to sequence.
    Stray(Orphaned),
    /// A message that finds nobody is dropped. The requester that waits for a response
    /// has it.
    Orphan(Orphaned),
    /// A control message has come over the link to another broker.
    Control {
        /// The link where the message came from.
        from: Hop,
        /// The message.
        message: Message,
    },
}

/// A message that goes nowhere.
#[derive(Debug, PartialEq, Eq)]
pub struct Orphaned {
    /// Cause.
    pub cause: Cause,
    /// By which way it has come.
    pub from: Hop,
    /// The message.
    pub message: Message,
    /// Time since its way back was closed, or since it expired.
    pub late: Option<Duration>,
    /// Further details.
    pub note: Option<String>,
}

/// Reason for which a request goes no further, and the answer to its sender.
#[derive(Debug, Clone, Copy)]
pub struct Stop<'a> {
    /// For the record; `None` for one that has to come again later.
    pub cause: Option<Cause>,
    /// Outcome of the request.
    pub outcome: Outcome,
    /// The number of the answer.
    pub errno: Errno,
    /// Text.
    pub text: Option<&'a str>,
}

impl Stop<'_> {
    /// For want of room.
    pub fn full(text: &str) -> Stop<'_> {
        Stop {
            cause: Some(Cause::Dropped),
            outcome: Outcome::Dropped(0),
            errno: Errno::ENOBUFS,
            text: Some(text),
        }
    }

    /// Nobody is there, and nobody has had it.
    pub fn unreachable(cause: Cause, text: Option<&str>) -> Stop<'_> {
        Stop {
            cause: Some(cause),
            outcome: Outcome::PeerGone,
            errno: Errno::EHOSTUNREACH,
            text,
        }
    }

    /// The hop that had it is lost.
    pub fn lost(cause: Cause, text: Option<&str>, may_repeat: bool) -> Stop<'_> {
        let outcome = match may_repeat {
            true => Outcome::PeerGone,
            false => Outcome::Unknown,
        };
        Stop {
            outcome,
            ..Stop::unreachable(cause, text)
        }
    }

    /// The request has expired.
    pub fn expired() -> Stop<'static> {
        Stop {
            cause: Some(Cause::Expired),
            outcome: Outcome::Expired,
            errno: Errno::ETIMEDOUT,
            text: None,
        }
    }

    /// There is no such service.
    pub fn no_service(text: Option<&str>) -> Stop<'_> {
        Stop {
            cause: Some(Cause::ServerDown),
            outcome: Outcome::NoService,
            errno: Errno::ENOSYS,
            text,
        }
    }
}
