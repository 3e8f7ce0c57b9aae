//! A process's ZeroMQ side: the broker's router with a backlog for each module, or a
//! module's one link to its broker.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::BorrowedFd;

use bytes::Bytes;
use node::PeerId;
use wire::Message;

use crate::limits::{BACKLOG_BYTES_MAX, MESSAGES_PER_TURN};
use crate::link::{Context, DealerLink, LinkLimits, RecvError, RouterLink, SendError};

/// What came in.
pub enum Arrival {
    /// A peer's first message came; it follows.
    Up(PeerId, Bytes),
    /// A message.
    Message(PeerId, Message),
}

/// Messages that the link had no room for.
#[derive(Default)]
struct Backlog {
    waiting: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Backlog {
    /// Sends what goes, oldest first.
    fn flush(&mut self, mut send: impl FnMut(Vec<u8>) -> Result<(), SendError>) {
        while let Some(message) = self.waiting.pop_front() {
            let len = message.len();
            match send(message) {
                Ok(()) => self.bytes -= len,
                Err(SendError::Full(message)) => {
                    self.waiting.push_front(message);
                    return;
                }
                Err(error) => {
                    tracing::debug!("message to a module dropped: {error}");
                    self.bytes -= len;
                }
            }
        }
    }

    fn push(&mut self, message: Vec<u8>) -> bool {
        self.bytes += message.len();
        self.waiting.push_back(message);
        self.bytes <= BACKLOG_BYTES_MAX
    }
}

/// The broker's end.
pub struct ModuleBus {
    link: RouterLink,
    peers: BTreeMap<Bytes, PeerId>,
    identities: BTreeMap<PeerId, (Bytes, Backlog)>,
}

impl ModuleBus {
    /// Listens at `endpoint`.
    pub fn bind(context: &Context, endpoint: &str) -> io::Result<ModuleBus> {
        let link = RouterLink::bind(context, endpoint, LinkLimits::default())?;
        Ok(ModuleBus {
            link,
            peers: BTreeMap::new(),
            identities: BTreeMap::new(),
        })
    }

    /// Wakes up a waiting loop.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.link.fd()
    }

    /// Whether something can be received or a backlog can be sent now. Must be asked
    /// before waiting (see `link.rs`).
    pub fn has_news(&self) -> io::Result<bool> {
        Ok(self.link.ready()?.readable)
    }

    /// Sends, or keeps for later. `false` when the peer must be given up.
    pub fn send(&mut self, to: PeerId, message: Vec<u8>) -> bool {
        let Some((identity, backlog)) = self.identities.get_mut(&to) else {
            return true;
        };
        let room = backlog.push(message);
        let (link, identity) = (&self.link, &*identity);
        backlog.flush(|message| link.send(identity, message));
        room
    }

    /// Tries the backlogs again.
    pub fn flush(&mut self) {
        for (identity, backlog) in self.identities.values_mut() {
            backlog.flush(|message| self.link.send(identity, message));
        }
    }

    /// Whether nothing waits.
    pub fn is_flushed(&self) -> bool {
        self.identities
            .values()
            .all(|(_, backlog)| backlog.waiting.is_empty())
    }

    /// Takes in one turn's share. `new_peer` numbers peers that speak first.
    pub fn receive(
        &mut self,
        mut new_peer: impl FnMut() -> PeerId,
        mut each: impl FnMut(Arrival),
    ) -> io::Result<()> {
        for _ in 0..MESSAGES_PER_TURN {
            let (identity, bytes) = match self.link.recv() {
                Ok(Some(received)) => received,
                Ok(None) => return Ok(()),
                Err(error @ RecvError::Malformed { .. }) => {
                    tracing::error!("from a module: {error}");
                    continue;
                }
                Err(RecvError::Other(error)) => return Err(error),
            };
            let Ok(message) = wire::decode(bytes) else {
                tracing::error!("a module sent what is no message");
                continue;
            };
            let peer = *self.peers.entry(identity.clone()).or_insert_with(|| {
                let peer = new_peer();
                self.identities
                    .insert(peer, (identity.clone(), Backlog::default()));
                each(Arrival::Up(peer, identity.clone()));
                peer
            });
            each(Arrival::Message(peer, message));
        }
        Ok(())
    }

    /// Forgets a peer; what still waits for it is dropped.
    pub fn forget(&mut self, peer: PeerId) {
        if let Some((identity, _)) = self.identities.remove(&peer) {
            self.peers.remove(&identity);
        }
    }

    /// Whether this peer is one of ours.
    pub fn knows(&self, peer: PeerId) -> bool {
        self.identities.contains_key(&peer)
    }
}

/// A module's end.
pub struct BrokerBus {
    link: DealerLink,
    backlog: Backlog,
}

impl BrokerBus {
    /// Connects to the broker at `endpoint` as `identity`.
    pub fn connect(context: &Context, endpoint: &str, identity: &str) -> io::Result<BrokerBus> {
        let link = DealerLink::connect(
            context,
            endpoint,
            identity.as_bytes(),
            LinkLimits::default(),
        )?;
        Ok(BrokerBus {
            link,
            backlog: Backlog::default(),
        })
    }

    /// Wakes up a waiting loop.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.link.fd()
    }

    /// Whether something can be received now. Must be asked before waiting.
    pub fn has_news(&self) -> io::Result<bool> {
        let ready = self.link.ready()?;
        Ok(ready.readable || (ready.writable && !self.backlog.waiting.is_empty()))
    }

    /// Sends, or keeps for later. `false` when the broker must be given up.
    pub fn send(&mut self, message: Vec<u8>) -> bool {
        let room = self.backlog.push(message);
        self.flush();
        room
    }

    /// Tries the backlog again.
    pub fn flush(&mut self) {
        let link = &self.link;
        self.backlog.flush(|message| link.send(message));
    }

    /// Whether nothing waits.
    pub fn is_flushed(&self) -> bool {
        self.backlog.waiting.is_empty()
    }

    /// Ends the link and waits, within the linger time, until the broker has it all.
    pub fn finish(self) -> bool {
        self.link.finish()
    }

    /// Takes in one turn's share.
    pub fn receive(&mut self, mut each: impl FnMut(Message)) -> io::Result<()> {
        for _ in 0..MESSAGES_PER_TURN {
            match self.link.recv() {
                Ok(Some(bytes)) => match wire::decode(bytes) {
                    Ok(message) => each(message),
                    Err(error) => tracing::error!("the broker sent what is no message: {error}"),
                },
                Ok(None) => return Ok(()),
                Err(error @ RecvError::Malformed { .. }) => {
                    tracing::error!("from the broker: {error}");
                }
                Err(RecvError::Other(error)) => return Err(error),
            }
        }
        Ok(())
    }
}
