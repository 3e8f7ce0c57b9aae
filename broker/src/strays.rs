//! Responses that answer nothing, and the like: dropped and counted, with a line in the log for the
//! first, and now and then for those that follow.

use std::time::Duration;

use node::Cx;
use wire::{Kind, Message};

use crate::core::{Broker, seconds};
use crate::limits::STRAY_LINES_S;
use crate::router::Hop;

/// Longest part of a stray's topic that is logged, in characters.
const TOPIC_CHARS_MAX: usize = 64;

/// Number of stray messages.
#[derive(Debug, Default)]
pub(crate) struct Strays {
    n: u64,
    /// Strays since the last line.
    unlogged: u64,
    /// Earliest time of the next log line.
    quiet_until: Duration,
}

impl Strays {
    /// Number of stray messages.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Counts one that need not be logged.
    fn count_only(&mut self) {
        self.n += 1;
    }

    /// Counts one. When a line is due, returns the number of those that went without one
    /// before.
    fn count(&mut self, now: Duration) -> Option<u64> {
        self.n += 1;
        if now < self.quiet_until {
            self.unlogged += 1;
            return None;
        }
        self.quiet_until = now + seconds(STRAY_LINES_S);
        Some(std::mem::take(&mut self.unlogged))
    }
}

impl Broker {
    /// Drops a message that `from` had no reason to send.
    pub(crate) fn drop_stray(&mut self, cx: &mut Cx<Broker>, from: Hop, message: &Message) {
        // A program behind another that has left is not missed by its provider at once.
        if !message.hops_below().is_empty() {
            self.strays.count_only();
            return;
        }
        let Some(unlogged) = self.strays.count(cx.now().mono) else {
            return;
        };
        let topic: String = message.topic().chars().take(TOPIC_CHARS_MAX).collect();
        let sender = self.name_of(from);
        let what = match message.kind {
            Kind::Event { .. } => "published",
            _ => "answered",
        };
        tracing::warn!(
            "{sender} {what} {topic:?} to a request that it was not given: dropped ({unlogged} \
                others before)"
        );
    }

    /// Name of the peer at the other end of a link, for the log.
    pub(crate) fn name_of(&self, hop: Hop) -> String {
        match hop {
            Hop::Here => "the broker".to_owned(),
            Hop::Module(id) => match self.modules.name(id) {
                Some(name) => format!("module {name}"),
                None => "a module".to_owned(),
            },
            Hop::Client(peer) => match self.clients.name(peer) {
                Some(name) => name,
                None => "a client".to_owned(),
            },
            Hop::Parent => "the parent".to_owned(),
            Hop::Child(rank) => format!("rank {rank}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_strays_is_counted_and_logged_now_and_then() {
        let mut strays = Strays::default();
        let at = |s| Duration::from_secs(s);
        assert_eq!(strays.count(at(1)), Some(0));
        assert_eq!((strays.count(at(1)), strays.count(at(2))), (None, None));
        assert_eq!(strays.count(at(1 + STRAY_LINES_S)), Some(2));
        assert_eq!(strays.n, 4);
    }
}
