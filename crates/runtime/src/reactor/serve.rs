//! The loop's part in connections: reading from one, and the steps when it ends.

use node::{Input, PeerId};

use super::near::{Greeted, greeted};
use super::{Reactor, Uplink};
use crate::conn::{ReadEnd, Received, Turn};
use crate::limits::LAST_READS_MAX;
use crate::poller::Ready;

impl Reactor<'_> {
    pub(super) fn serve_conn(&mut self, peer: PeerId, ready: Ready) -> ReadEnd {
        let mut turn = Turn::default();
        loop {
            let end = match ready.readable {
                true => self.read_some(peer, &mut turn),
                false => ReadEnd::Drained,
            };
            let end = self.after_read(peer, ready, end);
            if end != ReadEnd::Paused {
                return end;
            }
        }
    }

    fn read_some(&mut self, peer: PeerId, turn: &mut Turn) -> ReadEnd {
        let now = self.clock.now();
        let Some(conn) = self.peers.get_mut(peer) else {
            return ReadEnd::Gone;
        };
        let (mut may_speak, mut due) = (true, Vec::new());
        let mut since = now.mono;
        let end = conn.read(&mut self.scratch, turn, |heard| {
            let input = match heard {
                _ if !may_speak => return,
                Received::Message(message) => Input::Message {
                    from: peer,
                    message,
                },
                // The broker is a peer from the beginning.
                Received::Ready(_) if peer == PeerId::BROKER => return,
                Received::Ready(identity) => {
                    let doors = (&mut self.greetings, &mut self.near);
                    match greeted(doors, peer, &identity, now.mono) {
                        Greeted::New(kind) => Input::PeerUp { peer, kind },
                        Greeted::Known(unsent) => return due = unsent,
                        Greeted::No => return may_speak = false,
                    }
                }
            };
            self.node.handle(now, input);
            let until = self.clock.mono();
            let time = until.saturating_sub(since);
            self.node.took(self.stopwatch.held(until, time));
            since = until;
        });
        for message in due {
            self.send_to(peer, message, None);
        }
        match may_speak {
            true => end,
            false => ReadEnd::Gone,
        }
    }

    fn after_read(&mut self, peer: PeerId, ready: Ready, end: ReadEnd) -> ReadEnd {
        let Some(conn) = self.peers.get_mut(peer) else {
            return ReadEnd::Gone;
        };
        let cause = conn.pid.is_some().then_some(peer);
        if ready.writable || !conn.is_flushed() {
            self.peers.touch(peer);
        }
        // Now, and not at the end of the turn: it is known who asked.
        self.do_outputs_of(cause);
        if end == ReadEnd::Gone {
            let was_known = self.near_broke(peer);
            self.drop_conn(peer);
            if was_known {
                self.hand_in(Input::PeerDown { peer });
            }
        } else {
            let evicted = self.peers.enforce(peer, &self.poller);
            self.send_down(evicted);
        }
        end
    }

    /// Receives the last messages of modules before one of them is reported as ended: its
    /// exit may be seen before its last messages.
    pub(super) fn receive_module_exits(&mut self) {
        let ready = Ready {
            token: 0,
            readable: true,
            writable: false,
        };
        for peer in self.peers.modules() {
            for _ in 0..LAST_READS_MAX {
                if self.serve_conn(peer, ready) != ReadEnd::More {
                    break;
                }
            }
        }
    }

    pub(super) fn drop_conn(&mut self, peer: PeerId) {
        self.peers.remove(peer, &self.poller);
        self.greetings.take(peer);
        if peer == PeerId::BROKER {
            self.uplink = Uplink::None;
        }
    }

    pub(super) fn send_down(&mut self, evicted: Vec<PeerId>) {
        for peer in evicted {
            self.hand_in(Input::PeerDown { peer });
        }
    }
}
