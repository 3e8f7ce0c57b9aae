//! The one loop: waits, hands inputs to the node, carries out the node's outputs.
//!
//! One turn receives everything that has arrived (up to each link's share), hands in
//! [`Input::Settled`], and sends the outputs. Nothing in here knows the meaning of a
//! message.

use std::any::Any;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use nix::unistd::Uid;
use node::{ChildEvent, ChildId, Input, Node, Now, Output, PeerId, PeerKind};
use wire::{Message, Socket};

use crate::budget::Budget;
use crate::children::{ChildFd, Children};
use crate::clock::Clock;
use crate::conn::Conn;
use crate::descriptors::Descriptors;
use crate::doors::Doors;
use crate::greetings::Greetings;
use crate::limits::{CLIENTS_MAX, FLUSH_WAIT_S};
use crate::near::Near;
use crate::overlay::Overlay;
use crate::peers::Peers;
use crate::poller::{Poller, Ready};
use crate::seats::Seats;
use crate::signals::Signals;
use crate::sinks::Sinks;
use crate::stopwatch::Stopwatch;
use crate::users::Directory;
use crate::worker::Worker;

mod accept;
mod near;
mod serve;
mod tree;

/// Meaning of a token of the poller: a kind in the high byte, a number below.
mod token {
    pub const SIGNALS: u64 = 1;
    /// Door of modules.
    pub const MODULES: u64 = 2;
    /// Door of clients.
    pub const CLIENTS: u64 = 3;
    pub const LIFELINE: u64 = 4;
    pub const WORKER: u64 = 5;
    pub const CONN: u64 = 6;
    pub const CHILD: u64 = 7;
    /// Look-ups of users are done.
    pub const DIRECTORY: u64 = 8;
    /// Links to other brokers.
    pub const OVERLAY: u64 = 9;
    /// Door of brokers of this host.
    pub const NEAR: u64 = 10;
    /// A process of which children are forked.
    pub const ZYGOTE: u64 = 11;

    pub const fn make(kind: u64, number: u64) -> u64 {
        kind << 56 | number
    }
    pub const fn split(token: u64) -> (u64, u64) {
        (token >> 56, token & ((1 << 56) - 1))
    }
}

/// The token of the socket for brokers of this host.
pub(crate) const NEAR_TOKEN: u64 = token::make(token::NEAR, 0);

/// The token of a connection.
pub fn conn_token(peer: PeerId) -> u64 {
    token::make(token::CONN, peer.0)
}

fn child_token(child: ChildId, fd: ChildFd) -> u64 {
    token::make(token::CHILD, child.0 << ChildFd::BITS | fd.number())
}

fn child_of_token(number: u64) -> (ChildId, ChildFd) {
    let fd = ChildFd::from_number(number & ((1 << ChildFd::BITS) - 1));
    (ChildId(number >> ChildFd::BITS), fd)
}

/// The way to the broker, for those who have one.
enum Uplink {
    None,
    /// A connection among the others, as [`PeerId::BROKER`].
    Stream,
    /// We are the broker: messages from us to it stay within the process.
    Loop,
}

/// A node with its sockets, children and clock.
///
/// It knows the node as a `dyn`, so that the loop is compiled once, and not into each program.
pub struct Reactor<'n> {
    node: &'n mut dyn Node,
    poller: Poller,
    clock: Clock,
    stopwatch: Stopwatch,
    uplink: Uplink,
    doors: Option<Doors>,
    directory: Directory,
    peers: Peers,
    overlay: Option<Overlay>,
    near: Option<Near>,
    greetings: Greetings,
    children: Children,
    worker: Worker,
    signals: Option<Signals>,
    sinks: Sinks,
    last_peer: u64,
    scratch: Vec<u8>,
    exit: Option<i32>,
}

impl<'n> Reactor<'n> {
    /// A loop around `node`, with nothing to listen to yet.
    pub fn new(node: &'n mut dyn Node) -> io::Result<Reactor<'n>> {
        let us = Uid::effective().as_raw();
        Ok(Reactor {
            node,
            poller: Poller::new()?,
            clock: Clock::default(),
            stopwatch: Stopwatch::default(),
            uplink: Uplink::None,
            doors: None,
            directory: Directory::default(),
            // Only a broker has clients that are strangers to each other.
            peers: Peers::new(Budget::new(usize::MAX, us), Seats::new(CLIENTS_MAX, us)),
            overlay: None,
            near: None,
            greetings: Greetings::default(),
            children: Children::default(),
            worker: Worker::None,
            signals: None,
            sinks: Sinks::default(),
            last_peer: PeerId::PARENT.0,
            scratch: Vec::new(),
            exit: None,
        })
    }

    /// Takes signals as input.
    pub fn with_signals(mut self, signals: Signals) -> io::Result<Self> {
        self.poller.add(&signals, token::make(token::SIGNALS, 0))?;
        self.signals = Some(signals);
        Ok(self)
    }

    /// Reaches the broker as a module under `identity`.
    pub fn as_module(self, stream: UnixStream, identity: &str) -> io::Result<Self> {
        let own = self.peers.budget.own();
        let conn = Conn::zmtp(stream, own, Socket::Dealer, identity.as_bytes())?;
        Ok(self.with_uplink(conn))
    }

    /// Reaches the broker as a client of its local socket.
    pub fn as_client(self, stream: UnixStream) -> io::Result<Self> {
        let conn = Conn::local(stream, self.peers.budget.own())?;
        Ok(self.with_uplink(conn))
    }

    fn with_uplink(mut self, conn: Conn) -> Self {
        self.peers.insert(PeerId::BROKER, conn);
        self.peers.watch(PeerId::BROKER, &self.poller);
        self.uplink = Uplink::Stream;
        self
    }

    /// Lets bytes that clients send and do not read take `bytes` of memory, of which
    /// programs of `owner` may have the part that others leave. Must be said before there
    /// are connections.
    pub fn with_memory(mut self, bytes: usize, owner: u32) -> Self {
        self.peers.budget = Budget::new(bytes, owner);
        self
    }

    /// Gives clients of an instance of `owner` their part of the descriptors, and children
    /// the limit that we were started with.
    pub fn with_descriptors(mut self, descriptors: Descriptors, owner: u32) -> Self {
        self.peers.seats = Seats::new(descriptors.for_clients(), owner);
        self.children.descriptors = descriptors.original;
        self
    }

    /// Is the broker: serves modules and clients.
    pub fn as_broker(mut self, modules: UnixListener, clients: UnixListener) -> io::Result<Self> {
        let clients = (clients, token::make(token::CLIENTS, 0));
        let modules = (modules, token::make(token::MODULES, 0));
        self.doors = Some(Doors::open(clients, Some(modules), &self.poller)?);
        self.uplink = Uplink::Loop;
        Ok(self)
    }

    /// Serves programs at a socket of its own, as a broker does, and is none.
    pub fn as_server(mut self, clients: UnixListener) -> io::Result<Self> {
        let clients = (clients, token::make(token::CLIENTS, 0));
        self.doors = Some(Doors::open(clients, None, &self.poller)?);
        Ok(self)
    }

    /// Watches standard input, which ends when the process that started us ends.
    pub fn with_lifeline(self) -> io::Result<Self> {
        self.poller
            .add(rustix::stdio::stdin(), token::make(token::LIFELINE, 0))?;
        Ok(self)
    }

    /// Makes the state of the worker thread, when there is work for it.
    pub fn with_worker<W: Any + Send>(mut self, make: impl FnOnce() -> W + Send + 'static) -> Self {
        self.worker = Worker::Unmade(Box::new(|| Box::new(make())));
        self
    }

    /// Runs until the node exits; returns its code.
    pub fn run(&mut self) -> io::Result<i32> {
        if !matches!(self.uplink, Uplink::None) {
            self.hand_in(Input::PeerUp {
                peer: PeerId::BROKER,
                kind: PeerKind::Broker,
            });
        }
        self.announce_parent();
        loop {
            self.settle()?;
            if let Some(code) = self.exit {
                self.flush_before_exit()?;
                return Ok(code);
            }
            let timeout = match self.overlay.as_ref().is_some_and(Overlay::is_busy) {
                true => Some(Duration::ZERO),
                false => self.timeout(),
            };
            let ready = self.poller.wait(timeout)?;
            self.stopwatch.begin_turn(self.clock.mono());
            for ready in ready {
                self.handle_ready(ready)?;
            }
            self.serve_overlay();
            self.serve_near();
            if let Some(doors) = &mut self.doors {
                doors.reopen(self.clock.now().mono, &self.poller)?;
            }
            if self
                .node
                .deadline()
                .is_some_and(|at| at <= self.clock.now().mono)
            {
                self.hand_in(Input::Deadline);
            }
            self.close_silent();
        }
    }

    /// Ends a turn: batches go off, then everything that was said.
    fn settle(&mut self) -> io::Result<()> {
        self.do_outputs();
        self.hand_in(Input::Settled);
        self.do_outputs();
        for message in crate::logging::take() {
            self.send_up(message);
        }
        self.do_outputs();
        loop {
            let caught_up = self.peers.flush(&self.poller);
            if caught_up.is_empty() {
                return Ok(());
            }
            for peer in caught_up {
                self.hand_in(Input::PeerFlow {
                    peer,
                    is_behind: false,
                });
            }
            self.do_outputs();
        }
    }

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn hand_in(&mut self, input: Input) {
        let now = self.now();
        self.hand_in_since(now.mono, now, input);
    }

    /// The same for the input that has held the loop `since` then.
    fn hand_in_since(&mut self, since: Duration, now: Now, input: Input) {
        self.node.handle(now, input);
        let until = self.clock.mono();
        let time = until.saturating_sub(since);
        self.node.took(self.stopwatch.held(until, time));
    }

    fn timeout(&self) -> Option<Duration> {
        let doors = self.doors.as_ref().and_then(Doors::deadline);
        let links = self.overlay.as_ref().and_then(Overlay::deadline);
        let due = [
            self.node.deadline(),
            doors,
            self.greetings.deadline(),
            links,
            self.near.as_ref().and_then(Near::deadline),
        ];
        let at = due.into_iter().flatten().min()?;
        Some(at.saturating_sub(self.clock.now().mono))
    }

    fn handle_ready(&mut self, ready: Ready) -> io::Result<()> {
        let (kind, number) = token::split(ready.token);
        match kind {
            token::SIGNALS => {
                while let Some(signum) = self.signals.as_mut().and_then(Signals::take) {
                    match signum == Signals::CHILD {
                        true => self.look_for_stops(),
                        false => self.hand_in(Input::Signal(signum)),
                    }
                }
            }
            token::CLIENTS => self.accept_clients(),
            token::MODULES => self.accept_modules(),
            token::NEAR => self.accept_children(),
            token::LIFELINE => self.check_lifeline(),
            token::WORKER => {
                for (work, result) in self.worker.take() {
                    self.hand_in(Input::Work { work, result });
                }
            }
            token::CONN => drop(self.serve_conn(PeerId(number), ready)),
            token::CHILD => self.serve_child(number, ready),
            token::DIRECTORY => self.introduce_known(),
            token::ZYGOTE => {
                for (child, event) in self.children.receive(number, &self.poller, child_token) {
                    self.hand_in(Input::Child { child, event });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn check_lifeline(&mut self) {
        let mut byte = [0; 64];
        if !matches!(rustix::io::read(rustix::stdio::stdin(), &mut byte), Ok(1..)) {
            self.poller.remove(rustix::stdio::stdin());
            self.hand_in(Input::PeerDown {
                peer: PeerId::BROKER,
            });
        }
    }

    fn serve_child(&mut self, number: u64, ready: Ready) {
        let (child, which) = child_of_token(number);
        let event = match which {
            ChildFd::Exit => {
                self.receive_module_exits();
                for event in self.children.reap(child, &self.poller, child_token) {
                    self.hand_in(Input::Child { child, event });
                }
                return;
            }
            ChildFd::Stdin => {
                // It is watched for writing alone: what can be read is that it is closed.
                self.children
                    .write_input(child, ready.readable, &self.poller, child_token)
            }
            ChildFd::Channel(at) if ready.writable && !ready.readable => {
                self.children.flush_channel(child, at, &self.poller)
            }
            ChildFd::Stdout | ChildFd::Stderr | ChildFd::Channel(_) => {
                self.children.read(child, which, &self.poller)
            }
        };
        if let Some(event) = event {
            self.hand_in(Input::Child { child, event });
        }
    }

    /// Something happened to a child; ends are reported by its pidfd.
    fn look_for_stops(&mut self) {
        for child in self.children.stopped() {
            let event = ChildEvent::Stopped;
            self.hand_in(Input::Child { child, event });
        }
    }

    fn do_outputs(&mut self) {
        self.do_outputs_of(None);
    }

    /// Carries out the node's outputs, which may be caused by the client `cause`.
    fn do_outputs_of(&mut self, cause: Option<PeerId>) {
        while let Some(output) = self.node.poll() {
            self.do_output(output, cause);
        }
    }

    fn do_output(&mut self, output: Output, cause: Option<PeerId>) {
        match output {
            Output::Send {
                to: PeerId::BROKER,
                message,
            } => self.send_up(message),
            Output::Send { to, message } => self.send_to(to, message, cause),
            Output::Accept { peer } => self.let_in(peer),
            Output::Reject { peer, errno } => {
                if let Some(mut conn) = self.peers.remove(peer, &self.poller) {
                    conn.queue_bytes(&[u8::try_from(errno.0).unwrap_or(1)]);
                    conn.flush();
                }
            }
            Output::Close { peer } if self.is_broker(peer) => self.forget_broker(peer),
            Output::Close { peer } => {
                self.abandon(peer);
                self.close(peer);
            }
            Output::Spawn { child, spawn } => {
                let zygote = |number| token::make(token::ZYGOTE, number);
                let event =
                    self.children
                        .spawn_or_ask(child, &spawn, &self.poller, child_token, zygote);
                if let Some(event) = event {
                    self.hand_in(Input::Child { child, event });
                }
            }
            Output::ChildInput { child, data, eof } => {
                let taken = self
                    .children
                    .input(child, &data, eof, &self.poller, child_token);
                if let Some(event) = taken {
                    self.hand_in(Input::Child { child, event });
                }
            }
            Output::Kill {
                child,
                signum,
                group,
            } => self.children.kill(child, signum, group),
            Output::Work {
                work,
                job,
                is_quick,
            } => self.give_work(work, job, is_quick),
            Output::Uplink { stream } => self.take_uplink(stream),
            Output::Log { to, line } => self.sinks.write(&to, &line),
            Output::GiveBackMemory => crate::memory::give_back(),
            Output::Exit { code } => self.exit = Some(code),
            Output::ChildChannel {
                child,
                name,
                data,
                eof,
            } => {
                let taken = self
                    .children
                    .channel(child, &name, &data, eof, &self.poller);
                if let Some(event) = taken {
                    self.hand_in(Input::Child { child, event });
                }
            }
            Output::ChildSize { child, size } => self.children.resize(child, size),
            Output::ChildFlow { child, paused } => {
                self.children.flow(child, paused, &self.poller, child_token);
            }
        }
    }

    /// A program has found a broker again.
    fn take_uplink(&mut self, stream: OwnedFd) {
        if !matches!(self.uplink, Uplink::None) {
            return;
        }
        let peer = PeerId::BROKER;
        let input = match Conn::local(UnixStream::from(stream), self.peers.budget.own()) {
            Ok(conn) => {
                self.peers.insert(peer, conn);
                self.peers.watch(peer, &self.poller);
                self.uplink = Uplink::Stream;
                let kind = PeerKind::Broker;
                Input::PeerUp { peer, kind }
            }
            Err(error) => {
                tracing::error!("the broker cannot be reached: {error}");
                Input::PeerDown { peer }
            }
        };
        self.hand_in(input);
    }

    fn send_up(&mut self, message: Message) {
        match &self.uplink {
            Uplink::None => {}
            Uplink::Stream => self.send_to(PeerId::BROKER, message, None),
            Uplink::Loop => self.hand_in(Input::Message {
                from: PeerId::BROKER,
                message,
            }),
        }
    }

    fn send_to(&mut self, to: PeerId, message: Message, cause: Option<PeerId>) {
        if self.is_broker(to) {
            return self.send_to_broker(to, &message);
        }
        let message = match to {
            PeerId::PARENT => self.keep_for_parent(message),
            _ => Some(message),
        };
        let Some(message) = message else {
            return;
        };
        let sent = self.peers.send(to, &message, cause, &self.poller);
        if sent.fell_behind {
            self.hand_in(Input::PeerFlow {
                peer: to,
                is_behind: true,
            });
        }
        self.send_down(sent.evicted);
    }

    fn let_in(&mut self, peer: PeerId) {
        if let Some(conn) = self.peers.get_mut(peer) {
            conn.queue_bytes(&[0]);
            self.peers.watch(peer, &self.poller);
        }
    }

    fn close(&mut self, peer: PeerId) {
        if let Some(conn) = self.peers.get_mut(peer) {
            conn.closing = true;
            self.peers.touch(peer);
        }
    }

    fn give_work(&mut self, work: node::WorkId, job: node::Work, is_quick: bool) {
        if is_quick && let Some(worker) = self.worker.here() {
            let since = self.clock.mono();
            let result = job(worker);
            let now = self.clock.now();
            return self.hand_in_since(since, now, Input::Work { work, result });
        }
        if let Some(fd) = self.worker.start()
            && let Err(error) = self.poller.add(fd, token::make(token::WORKER, 0))
        {
            tracing::error!("cannot watch the worker: {error}");
        }
        self.worker.give(work, job);
    }

    /// The last messages of an exiting process go out, within a bound.
    fn flush_before_exit(&mut self) -> io::Result<()> {
        let give_up = self.clock.now().mono + Duration::from_secs(FLUSH_WAIT_S);
        while !self.peers.flush_all(&self.poller) && self.clock.now().mono < give_up {
            self.poller.wait(Some(Duration::from_millis(10)))?;
        }
        if let Some(overlay) = self.overlay.take() {
            overlay.finish(self.clock.now().mono);
        }
        Ok(())
    }
}
