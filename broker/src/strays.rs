//! Responses that answer nothing: dropped and counted, with a line in the log for the
//! first, and now and then for those that follow.

use std::time::Duration;

use node::{Cx, PeerId};
use wire::Message;

use crate::core::{Broker, seconds};
use crate::limits::STRAY_LINES_S;

/// Longest part of a stray's topic that is logged, in characters.
const TOPIC_CHARS_MAX: usize = 64;

/// How many there were.
#[derive(Debug, Default)]
pub(crate) struct Strays {
    pub n: u64,
    /// Those since the last line.
    unlogged: u64,
    /// When the next line may follow.
    quiet_until: Duration,
}

impl Strays {
    /// Counts one. When a line is due, gives how many went without one before.
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
    /// Drops a response that has come from `peer` and answers nothing.
    pub(crate) fn drop_stray(&mut self, cx: &mut Cx<Broker>, peer: PeerId, response: &Message) {
        // A program behind another that has left is not missed by its provider at once.
        if !response.hops_below().is_empty() {
            self.strays.n += 1;
            return;
        }
        let Some(unlogged) = self.strays.count(cx.now().mono) else {
            return;
        };
        let topic: String = response.topic().chars().take(TOPIC_CHARS_MAX).collect();
        let sender = self.name_of(peer);
        tracing::warn!(
            "{sender} answered {topic:?}, which it was not asked: dropped ({unlogged} others before)"
        );
    }

    /// The module or client behind a link, for the log.
    fn name_of(&self, peer: PeerId) -> String {
        let module = self.module_peers.get(&peer);
        if let Some(module) = module.and_then(|id| self.modules.get(id)) {
            return format!("module {}", module.name);
        }
        match self.clients.get(&peer) {
            Some(client) => format!("client pid={} uid={}", client.pid, client.userid),
            None => "a client".to_owned(),
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
