//! The links of a broker to other brokers: one to its parent, one for all its children
//! (protocol/20 section 3).
//!
//! A child is known by the identity under which it sends and the key that it has proved to
//! hold; both stay together as long as it is known. Messages arrive once and in order, also
//! when a connection between hosts breaks and comes back ([`Session`]). A broker whose
//! connection stays broken is lost. Must never know the meaning of a message.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use bytes::Bytes;
use node::PeerId;
use wire::Message;

use crate::limits::{OVERLAY_GRACE_MS, OVERLAY_PEERS_MAX};
use crate::link::{Context, Curve, DealerLink, LinkLimits, NotSent, RouterLink, Sender, Tcp};
use crate::near::{self, Near};
use crate::session::{Arrived, Session, is_first, reset};
use crate::watch::{News, Watch};
use crate::zap::Zap;

/// The ends of all links.
pub struct Overlay {
    // In the order in which they are dropped: the context waits for its sockets.
    parent: Option<Parent>,
    /// Logs events of connections of children, if that is wanted.
    children_watch: Option<Watch>,
    children: Option<RouterLink>,
    zap: Option<Zap>,
    /// Threads of ZeroMQ, where a link goes to another host.
    context: Option<Context>,
    io_threads: i32,
    /// Links to brokers of this host, until the loop takes them.
    near: Option<Near>,
    curve: Curve,
    tcp: Tcp,
    limits: LinkLimits,
    is_verbose: bool,
    known: BTreeMap<Bytes, PeerId>,
    peers: BTreeMap<PeerId, Child>,
    /// Children with more to send than the link has taken.
    unsent: BTreeSet<PeerId>,
    /// Brokers whose connection is broken, and until when it may be.
    broken: BTreeMap<PeerId, Duration>,
}

struct Parent {
    watch: Watch,
    link: DealerLink,
    session: Session,
    is_here: bool,
    is_up: bool,
}

struct Child {
    identity: Bytes,
    sender: Sender,
    session: Session,
}

/// Something that came over a link.
pub(crate) enum Received {
    /// From a broker that is known.
    Message(PeerId, Message),
    /// The first words of a child: it is to be numbered with [`Overlay::add`] before more
    /// is received.
    New(Stranger),
    /// The other end does not know us any more.
    Lost(PeerId),
}

/// A child that has no number yet.
pub(crate) struct Stranger {
    /// Under which it sends.
    pub identity: Bytes,
    /// Further facts about it.
    pub sender: Sender,
    frame: Bytes,
}

impl Overlay {
    /// No links yet. `curve` is our identity. A child has at most `receive` messages in
    /// our queue, or as many as `limits.rs` says if 0.
    pub fn new(curve: Curve, tcp: Tcp, io_threads: i32, receive: u32) -> Overlay {
        let mut limits = LinkLimits::default();
        if receive > 0 {
            limits.receive_messages = receive;
        }
        Overlay {
            parent: None,
            children_watch: None,
            children: None,
            zap: None,
            context: None,
            io_threads,
            near: Some(Near::new(&curve.public)),
            curve,
            tcp,
            limits,
            is_verbose: false,
            known: BTreeMap::new(),
            peers: BTreeMap::new(),
            unsent: BTreeSet::new(),
            broken: BTreeMap::new(),
        }
    }

    /// The links to brokers of this host, and whether there are others.
    pub(crate) fn take_near(&mut self) -> (Option<Near>, bool) {
        (self.near.take(), self.context.is_some())
    }

    /// Logs events of the connections of links that are opened from now on.
    pub fn log_connections(&mut self) {
        self.is_verbose = true;
        self.near.as_mut().map(Near::log_connections);
    }

    /// ZeroMQ, started when a link first needs it.
    fn context(&mut self) -> io::Result<&Context> {
        let context = match self.context.take() {
            Some(context) => context,
            None => Context::with_io_threads(self.io_threads)?,
        };
        Ok(self.context.insert(context))
    }

    /// Listens for children on `endpoints`, such as `tcp://10.0.0.1:*`; gives them with
    /// their ports.
    ///
    /// # Errors
    /// An endpoint cannot be listened on; its text is in front.
    pub fn listen(&mut self, endpoints: &[String]) -> io::Result<Vec<String>> {
        let named = |endpoint: &str, error: io::Error| {
            io::Error::new(error.kind(), format!("{endpoint}: {error}"))
        };
        let mut bound = Vec::with_capacity(endpoints.len());
        for endpoint in endpoints {
            let result = match (near::path_of(endpoint), &mut self.near) {
                (Some(path), Some(near)) => near.listen(path).map(|()| endpoint.clone()),
                _ => self.children_link()?.listen(endpoint),
            };
            bound.push(result.map_err(|error| named(endpoint, error))?);
        }
        Ok(bound)
    }

    /// The end for children on other hosts.
    fn children_link(&mut self) -> io::Result<&RouterLink> {
        let router = match self.children.take() {
            Some(router) => router,
            None => self.open_children_link()?,
        };
        Ok(self.children.insert(router))
    }

    fn open_children_link(&mut self) -> io::Result<RouterLink> {
        let (curve, tcp, limits) = (self.curve.clone(), self.tcp, self.limits);
        let is_verbose = self.is_verbose;
        let context = self.context()?;
        let zap = Zap::open(context)?;
        let router = RouterLink::encrypted(context, &curve, tcp, limits)?;
        if is_verbose {
            let watch = router.watch(context)?;
            self.children_watch = Some(watch);
        }
        self.zap = Some(zap);
        Ok(router)
    }

    /// Lets in children that hold this key, in Z85.
    pub fn allow(&mut self, key: &str) {
        if let Some(zap) = &mut self.zap {
            zap.allow(key);
        }
        if let Some(near) = &mut self.near {
            near.allow(key);
        }
    }

    /// Reaches the parent, which holds `key`, as `identity`. The connection comes about in
    /// the background, and comes back by itself.
    ///
    /// # Errors
    /// The endpoint or the key is none.
    pub fn reach_parent(&mut self, endpoint: &str, key: &str, identity: &str) -> io::Result<()> {
        if let (Some(path), Some(near)) = (near::path_of(endpoint), &mut self.near) {
            near.reach_parent(path, key, identity);
            return Ok(());
        }
        let (curve, tcp, limits) = (self.curve.clone(), self.tcp, self.limits);
        let is_verbose = self.is_verbose;
        let context = self.context()?;
        let link = DealerLink::connect_encrypted(
            context,
            endpoint,
            identity.as_bytes(),
            (&curve, key),
            tcp,
            limits,
        )?;
        self.parent = Some(Parent {
            watch: link.watch(context, is_verbose)?,
            link,
            session: Session::default(),
            is_here: endpoint.starts_with("ipc://"),
            is_up: false,
        });
        Ok(())
    }

    /// Descriptors that wake up a waiting loop: see "When to wait" in `link.rs`.
    pub(crate) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        let parent = self.parent.iter();
        let parent = parent.flat_map(|parent| [parent.link.fd(), parent.watch.fd()]);
        let children = self.children.as_ref().map(RouterLink::fd);
        let watch = self.children_watch.as_ref().map(Watch::fd);
        let zap = self.zap.as_ref().map(Zap::fd);
        parent.chain(children).chain(watch).chain(zap).collect()
    }

    /// True if there is something to do. The last thing to ask before waiting.
    pub(crate) fn is_busy(&self) -> bool {
        let parent = self.parent.as_ref().is_some_and(|parent| {
            let ready = parent.link.ready();
            let waits = parent.session.next_frame().is_some();
            parent.watch.has_news()
                | ready.is_ok_and(|ready| ready.readable || waits && ready.writable)
        });
        // A router is writable when any child is: who waits is tried again with every turn.
        let children = self.children.as_ref();
        let children = children.is_some_and(|link| link.ready().is_ok_and(|ready| ready.readable));
        let watch = self.children_watch.as_ref().is_some_and(Watch::has_news);
        parent | children | watch | self.zap.as_ref().is_some_and(Zap::is_asked)
    }

    /// Time at which the next broken connection means that a broker is lost.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.broken.values().min().copied()
    }

    /// Answers those who knock, handles the ends of connections, and sends on waiting
    /// messages. Gives those who are lost.
    pub(crate) fn serve(&mut self, now: Duration) -> Vec<PeerId> {
        if let Some(zap) = &mut self.zap {
            zap.serve(now);
        }
        if let Some(watch) = &self.children_watch {
            // It logs them, and that is all: a child is known by what it says.
            watch.take();
        }
        let mut lost = Vec::new();
        lost.extend(self.hear_of_parent(now));
        let waiting: Vec<PeerId> = self.unsent.iter().copied().collect();
        lost.extend(waiting.into_iter().filter(|peer| !self.flush(*peer, now)));
        let over = self.broken.iter().filter(|(_, until)| **until <= now);
        lost.extend(over.map(|(peer, _)| *peer));
        lost
    }

    fn hear_of_parent(&mut self, now: Duration) -> Option<PeerId> {
        let parent = self.parent.as_mut()?;
        for news in parent.watch.take() {
            match news {
                News::Up => {
                    self.broken.remove(&PeerId::PARENT);
                    if parent.is_up {
                        parent.session.reconnected();
                    }
                    parent.is_up = true;
                }
                News::Down if !parent.is_up => {}
                News::Down if parent.is_here => return Some(PeerId::PARENT),
                News::Down => {
                    let until = now + Duration::from_millis(OVERLAY_GRACE_MS);
                    self.broken.entry(PeerId::PARENT).or_insert(until);
                }
            }
        }
        (!self.flush(PeerId::PARENT, now)).then_some(PeerId::PARENT)
    }

    /// The next input, or `None` for now.
    pub(crate) fn recv(&mut self) -> Option<Received> {
        self.recv_from_parent()
            .or_else(|| self.recv_from_children())
    }

    fn recv_from_parent(&mut self) -> Option<Received> {
        let parent = self.parent.as_mut()?;
        loop {
            let frame = match parent.link.recv() {
                Ok(frame) => frame?,
                Err(error) => {
                    tracing::error!("from the parent broker: {error}");
                    return None;
                }
            };
            if let Some(heard) = receive(PeerId::PARENT, &mut parent.session, &frame) {
                return Some(heard);
            }
        }
    }

    fn recv_from_children(&mut self) -> Option<Received> {
        let link = self.children.as_ref()?;
        loop {
            let (identity, frame, sender) = match link.recv_with_sender() {
                Ok(received) => received?,
                Err(error) => {
                    tracing::error!("from a child broker: {error}");
                    return None;
                }
            };
            let known = self.known.get(&identity).copied();
            let Some((peer, child)) =
                known.and_then(|peer| Some((peer, self.peers.get_mut(&peer)?)))
            else {
                if is_first(&frame) && self.known.len() < OVERLAY_PEERS_MAX {
                    return Some(Received::New(Stranger {
                        identity,
                        sender,
                        frame,
                    }));
                }
                // It takes us for a lost broker, or for one that we have given up.
                if let Err(error) = link.send_copy(&identity, &reset()) {
                    tracing::debug!("cannot tell a child broker that it is unknown: {error:?}");
                }
                continue;
            };
            if child.sender.key != sender.key {
                tracing::error!("overlay auth: a child sends under the identity of another");
                continue;
            }
            self.broken.remove(&peer);
            let heard = receive(peer, &mut child.session, &frame);
            if child.session.next_frame().is_some() {
                self.unsent.insert(peer);
            }
            if heard.is_some() {
                return heard;
            }
        }
    }

    /// Numbers a child. Gives its first words.
    pub(crate) fn add(&mut self, peer: PeerId, stranger: Stranger) -> Option<Received> {
        let mut session = Session::default();
        let heard = receive(peer, &mut session, &stranger.frame);
        self.known.insert(stranger.identity.clone(), peer);
        let child = Child {
            identity: stranger.identity,
            sender: stranger.sender,
            session,
        };
        self.peers.insert(peer, child);
        heard
    }

    /// Forgets a child, or closes the link to the parent.
    pub(crate) fn remove(&mut self, peer: PeerId) {
        self.unsent.remove(&peer);
        self.broken.remove(&peer);
        if let Some(child) = self.peers.remove(&peer) {
            self.known.remove(&child.identity);
        } else if peer == PeerId::PARENT
            && let Some(parent) = self.parent.take()
        {
            parent.link.abandon();
        }
    }

    /// True if this number is that of a broker.
    pub(crate) fn has(&self, peer: PeerId) -> bool {
        self.peers.contains_key(&peer) || peer == PeerId::PARENT && self.parent.is_some()
    }

    /// Sends a message, or keeps it until the other end takes it. Returns true if the
    /// other end may still be there.
    pub(crate) fn send(&mut self, peer: PeerId, message: &Message, now: Duration) -> bool {
        let Some(session) = self.session(peer) else {
            return false;
        };
        if !session.push(wire::encode(message)) {
            let bytes = session.kept_bytes();
            tracing::error!("disconnecting a broker that has not read {bytes} bytes");
            return false;
        }
        self.flush(peer, now)
    }

    fn session(&mut self, peer: PeerId) -> Option<&mut Session> {
        match &mut self.parent {
            Some(parent) if peer == PeerId::PARENT => Some(&mut parent.session),
            _ => self.peers.get_mut(&peer).map(|child| &mut child.session),
        }
    }

    /// Sends on the messages that wait for one. Returns true if it may still be there.
    fn flush(&mut self, peer: PeerId, now: Duration) -> bool {
        let result = match (&mut self.parent, &self.children) {
            (Some(parent), _) if peer == PeerId::PARENT => {
                let link = &parent.link;
                flush(&mut parent.session, |frame| link.send_copy(frame))
            }
            (_, Some(link)) => match self.peers.get_mut(&peer) {
                Some(child) => {
                    let identity = &child.identity;
                    flush(&mut child.session, |frame| link.send_copy(identity, frame))
                }
                None => return false,
            },
            _ => return false,
        };
        self.unsent.remove(&peer);
        match result {
            Ok(()) => true,
            Err(NotSent::Full) => {
                self.unsent.insert(peer);
                true
            }
            Err(NotSent::Unreachable) => self.may_come_back(peer, now),
            Err(NotSent::Other(error)) => {
                tracing::error!("to a broker: {error}");
                false
            }
        }
    }

    fn may_come_back(&mut self, peer: PeerId, now: Duration) -> bool {
        let child = self.peers.get(&peer);
        if child.is_none_or(|child| child.sender.is_here) {
            return false;
        }
        let until = now + Duration::from_millis(OVERLAY_GRACE_MS);
        self.broken.entry(peer).or_insert(until);
        true
    }

    /// Lets everything that was sent reach the parent, within a bound.
    pub(crate) fn finish(mut self, now: Duration) {
        self.flush(PeerId::PARENT, now);
        if let Some(parent) = self.parent.take()
            && parent.is_up
            && !parent.link.finish()
        {
            tracing::debug!("the parent broker has not received the last messages");
        }
    }
}

/// Meaning of a frame for the node.
fn receive(peer: PeerId, session: &mut Session, frame: &Bytes) -> Option<Received> {
    match session.take(frame) {
        Ok(Arrived::Message(bytes)) => match wire::decode(bytes) {
            Ok(message) => Some(Received::Message(peer, message)),
            Err(error) => {
                tracing::error!("from a broker: {error}");
                None
            }
        },
        Ok(Arrived::Nothing) => None,
        Ok(Arrived::Reset) => Some(Received::Lost(peer)),
        Err(error) => {
            tracing::error!("from a broker: {error}");
            None
        }
    }
}

fn flush(
    session: &mut Session,
    send: impl Fn(&[u8]) -> Result<(), NotSent>,
) -> Result<(), NotSent> {
    while let Some(frame) = session.next_frame() {
        send(&frame)?;
        session.was_sent();
    }
    Ok(())
}

#[cfg(test)]
#[path = "overlay_tests.rs"]
mod tests;
