//! The one loop: waits, hands what happened to the node, does what the node says.
//!
//! One turn takes in everything that has arrived (up to each link's share), says
//! [`Input::Settled`], and sends off what came of it. Nothing in here knows what a
//! message means.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use node::{ChildId, Input, Node, Now, Output, PeerId, PeerKind};
use wire::Message;

use crate::bus::{Arrival, BrokerBus, ModuleBus};
use crate::children::{ChildFd, Children};
use crate::clock::Clock;
use crate::conn::{Conn, ReadEnd};
use crate::limits::{CLIENTS_MAX, FLUSH_WAIT_S};
use crate::poller::{Poller, Ready};
use crate::signals::Signals;
use crate::worker::WorkerThread;

/// What a token of the poller stands for: a kind in the high byte, a number below.
mod token {
    pub const SIGNALS: u64 = 1;
    pub const BUS: u64 = 2;
    pub const LISTENER: u64 = 3;
    pub const LIFELINE: u64 = 4;
    pub const WORKER: u64 = 5;
    pub const CONN: u64 = 6;
    pub const CHILD: u64 = 7;

    pub const fn make(kind: u64, number: u64) -> u64 {
        kind << 56 | number
    }
    pub const fn split(token: u64) -> (u64, u64) {
        (token >> 56, token & ((1 << 56) - 1))
    }
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
    Bus(BrokerBus),
    Stream(Conn),
    /// We are the broker: what we say to it, it says to itself.
    Loop,
}

/// A node with its sockets, children and clock.
pub struct Reactor<N: Node> {
    node: N,
    poller: Poller,
    clock: Clock,
    uplink: Uplink,
    modules: Option<ModuleBus>,
    listener: Option<UnixListener>,
    conns: BTreeMap<PeerId, Conn>,
    children: Children,
    worker: Option<WorkerThread<N::Worker>>,
    make_worker: Option<Box<dyn FnOnce() -> N::Worker + Send>>,
    signals: Option<Signals>,
    last_peer: u64,
    scratch: Vec<u8>,
    dirty: Vec<PeerId>,
    exit: Option<i32>,
    /// Whether the broker is gone.
    cut: bool,
}

impl<N: Node> Reactor<N> {
    /// A loop around `node`, with nothing to listen to yet.
    pub fn new(node: N) -> io::Result<Reactor<N>> {
        Ok(Reactor {
            node,
            poller: Poller::new()?,
            clock: Clock::default(),
            uplink: Uplink::None,
            modules: None,
            listener: None,
            conns: BTreeMap::new(),
            children: Children::default(),
            worker: None,
            make_worker: None,
            signals: None,
            last_peer: 0,
            scratch: Vec::new(),
            dirty: Vec::new(),
            exit: None,
            cut: false,
        })
    }

    /// Takes signals as input.
    pub fn with_signals(mut self, signals: Signals) -> io::Result<Self> {
        self.poller.add(&signals, token::make(token::SIGNALS, 0))?;
        self.signals = Some(signals);
        Ok(self)
    }

    /// Reaches the broker over ZeroMQ.
    pub fn with_bus(mut self, bus: BrokerBus) -> io::Result<Self> {
        self.poller.add(bus.fd(), token::make(token::BUS, 0))?;
        self.uplink = Uplink::Bus(bus);
        Ok(self)
    }

    /// Reaches the broker as a client of its local socket.
    pub fn with_stream(mut self, stream: UnixStream) -> io::Result<Self> {
        let conn = Conn::new(stream)?;
        self.poller
            .add(&conn, token::make(token::CONN, PeerId::BROKER.0))?;
        self.uplink = Uplink::Stream(conn);
        Ok(self)
    }

    /// Is the broker: serves modules and clients.
    pub fn as_broker(mut self, modules: ModuleBus, listener: UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        self.poller.add(modules.fd(), token::make(token::BUS, 0))?;
        self.poller
            .add(&listener, token::make(token::LISTENER, 0))?;
        self.modules = Some(modules);
        self.listener = Some(listener);
        self.uplink = Uplink::Loop;
        Ok(self)
    }

    /// Watches standard input, which ends when the process that started us ends.
    pub fn with_lifeline(self) -> io::Result<Self> {
        self.poller
            .add(rustix::stdio::stdin(), token::make(token::LIFELINE, 0))?;
        Ok(self)
    }

    /// Makes what the worker thread owns, when there is work for it.
    pub fn with_worker(mut self, make: impl FnOnce() -> N::Worker + Send + 'static) -> Self {
        self.make_worker = Some(Box::new(make));
        self
    }

    /// The node, to look at after a run.
    pub fn node(&self) -> &N {
        &self.node
    }

    /// Runs until the node says exit; gives its code.
    pub fn run(&mut self) -> io::Result<i32> {
        if !matches!(self.uplink, Uplink::None) {
            self.hand_in(Input::PeerUp {
                peer: PeerId::BROKER,
                kind: PeerKind::Broker,
            });
        }
        loop {
            self.settle()?;
            if let Some(code) = self.exit {
                self.flush_before_exit()?;
                return Ok(code);
            }
            let news = self.bus_has_news()?;
            let timeout = if news {
                Some(Duration::ZERO)
            } else {
                self.timeout()
            };
            let ready = self.poller.wait(timeout)?;
            for ready in ready {
                self.take_in(ready)?;
            }
            self.receive_from_bus()?;
            if self
                .node
                .deadline()
                .is_some_and(|at| at <= self.clock.now().mono)
            {
                self.hand_in(Input::Deadline);
            }
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
        self.flush();
        Ok(())
    }

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn hand_in(&mut self, input: Input) {
        let now = self.now();
        self.node.handle(now, input);
    }

    fn timeout(&self) -> Option<Duration> {
        let at = self.node.deadline()?;
        Some(at.saturating_sub(self.clock.now().mono))
    }

    fn bus_has_news(&self) -> io::Result<bool> {
        let up = match &self.uplink {
            Uplink::Bus(bus) => bus.has_news()?,
            _ => false,
        };
        Ok(up
            || self
                .modules
                .as_ref()
                .is_some_and(|modules| modules.has_news().unwrap_or(true)))
    }

    fn receive_from_bus(&mut self) -> io::Result<()> {
        let now = self.clock.now();
        if let Uplink::Bus(bus) = &mut self.uplink {
            bus.flush();
            bus.receive(|message| {
                self.node.handle(
                    now,
                    Input::Message {
                        from: PeerId::BROKER,
                        message,
                    },
                );
            })?;
        }
        if let Some(modules) = &mut self.modules {
            modules.flush();
            let last_peer = &mut self.last_peer;
            let node = &mut self.node;
            modules.receive(
                || {
                    *last_peer += 1;
                    PeerId(*last_peer)
                },
                |arrival| {
                    let input = match arrival {
                        Arrival::Up(peer, identity) => {
                            let identity = String::from_utf8_lossy(&identity).into_owned();
                            Input::PeerUp {
                                peer,
                                kind: PeerKind::Module { identity },
                            }
                        }
                        Arrival::Message(from, message) => Input::Message { from, message },
                    };
                    node.handle(now, input);
                },
            )?;
        }
        Ok(())
    }

    fn take_in(&mut self, ready: Ready) -> io::Result<()> {
        let (kind, number) = token::split(ready.token);
        match kind {
            token::SIGNALS => {
                while let Some(signum) = self.signals.as_mut().and_then(Signals::take) {
                    self.hand_in(Input::Signal(signum));
                }
            }
            token::LISTENER => self.accept(),
            token::LIFELINE => self.check_lifeline(),
            token::WORKER => {
                let results = self.worker.as_ref().map_or(Vec::new(), WorkerThread::take);
                for (work, result) in results {
                    self.hand_in(Input::Work { work, result });
                }
            }
            token::CONN => self.serve_conn(PeerId(number), ready),
            token::CHILD => self.serve_child(number, ready),
            // The bus is looked at every turn.
            _ => {}
        }
        Ok(())
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else {
            return;
        };
        while let Ok((stream, _)) = listener.accept() {
            if self.conns.len() >= CLIENTS_MAX {
                tracing::error!("too many clients: one was turned away");
                continue;
            }
            let Ok(cred) = rustix::net::sockopt::socket_peercred(&stream) else {
                continue;
            };
            let Ok(conn) = Conn::new(stream) else {
                continue;
            };
            self.last_peer += 1;
            let peer = PeerId(self.last_peer);
            self.conns.insert(peer, conn);
            let (uid, pid) = (cred.uid.as_raw(), cred.pid.as_raw_nonzero().get());
            let gids = crate::users::groups_of(uid);
            let kind = PeerKind::Client { uid, gids, pid };
            let now = self.clock.now();
            self.node.handle(now, Input::PeerUp { peer, kind });
        }
    }

    fn serve_conn(&mut self, peer: PeerId, ready: Ready) {
        let now = self.clock.now();
        let conn = match &mut self.uplink {
            Uplink::Stream(conn) if peer == PeerId::BROKER => Some(conn),
            _ => self.conns.get_mut(&peer),
        };
        let Some(conn) = conn else { return };
        let mut end = ReadEnd::Drained;
        if ready.readable {
            end = conn.read(&mut self.scratch, |message| {
                self.node.handle(
                    now,
                    Input::Message {
                        from: peer,
                        message,
                    },
                );
            });
        }
        if ready.writable {
            self.dirty.push(peer);
        }
        if end == ReadEnd::Gone {
            self.drop_conn(peer);
            self.hand_in(Input::PeerDown { peer });
        }
    }

    fn drop_conn(&mut self, peer: PeerId) {
        if peer == PeerId::BROKER {
            self.uplink = Uplink::None;
        } else if let Some(conn) = self.conns.remove(&peer) {
            self.poller.remove(&conn);
        }
    }

    fn check_lifeline(&mut self) {
        let mut byte = [0; 64];
        if !matches!(rustix::io::read(rustix::stdio::stdin(), &mut byte), Ok(1..)) {
            self.poller.remove(rustix::stdio::stdin());
            self.cut = true;
            self.hand_in(Input::PeerDown {
                peer: PeerId::BROKER,
            });
        }
    }

    fn serve_child(&mut self, number: u64, ready: Ready) {
        let (child, which) = child_of_token(number);
        let event = match which {
            ChildFd::Exit => self.children.reap(child, &self.poller),
            ChildFd::Stdin => {
                self.children.write_input(child, &self.poller, child_token);
                None
            }
            ChildFd::Channel(at) if ready.writable && !ready.readable => {
                self.children.flush_channel(child, at, &self.poller);
                None
            }
            ChildFd::Stdout | ChildFd::Stderr | ChildFd::Channel(_) => {
                self.children.read(child, which, &self.poller)
            }
        };
        if let Some(event) = event {
            self.hand_in(Input::Child { child, event });
        }
    }

    fn do_outputs(&mut self) {
        while let Some(output) = self.node.poll() {
            self.do_output(output);
        }
    }

    fn do_output(&mut self, output: Output<N::Worker>) {
        match output {
            Output::Send {
                to: PeerId::BROKER,
                message,
            } => self.send_up(message),
            Output::Send { to, message } => self.send_to(to, &message),
            Output::Accept { peer } => self.let_in(peer),
            Output::Reject { peer, errno } => {
                if let Some(mut conn) = self.conns.remove(&peer) {
                    conn.queue_byte(u8::try_from(errno.0).unwrap_or(1));
                    conn.flush();
                }
            }
            Output::Close { peer } => self.close(peer),
            Output::Spawn { child, spawn } => {
                let event = self
                    .children
                    .spawn(child, &spawn, &self.poller, child_token);
                self.hand_in(Input::Child { child, event });
            }
            Output::ChildInput { child, data, eof } => {
                self.children
                    .input(child, &data, eof, &self.poller, child_token);
            }
            Output::Kill {
                child,
                signum,
                group,
            } => self.children.kill(child, signum, group),
            Output::Work { work, job } => self.give_work(work, job),
            // A terminal that is gone is no reason to stop.
            Output::Stderr { line } => drop(writeln!(io::stderr(), "{line}")),
            Output::Exit { code } => self.exit = Some(code),
            Output::ChildChannel {
                child,
                name,
                data,
                eof,
            } => {
                self.children
                    .channel(child, &name, &data, eof, &self.poller);
            }
            Output::ChildFlow { child, paused } => {
                self.children.flow(child, paused, &self.poller, child_token);
            }
        }
    }

    fn send_up(&mut self, message: Message) {
        match &mut self.uplink {
            Uplink::None => {}
            Uplink::Bus(bus) => {
                bus.send(wire::encode(&message));
            }
            Uplink::Stream(conn) => {
                conn.queue(&message);
                self.dirty.push(PeerId::BROKER);
            }
            Uplink::Loop => self.hand_in(Input::Message {
                from: PeerId::BROKER,
                message,
            }),
        }
    }

    fn send_to(&mut self, to: PeerId, message: &Message) {
        let fits = match (self.conns.get_mut(&to), &mut self.modules) {
            (Some(conn), _) => {
                self.dirty.push(to);
                conn.queue(message)
            }
            (None, Some(modules)) => modules.send(to, wire::encode(message)),
            (None, None) => true,
        };
        if !fits {
            tracing::error!("a peer does not read: its link was closed");
            self.drop_conn(to);
            self.hand_in(Input::PeerDown { peer: to });
        }
    }

    fn let_in(&mut self, peer: PeerId) {
        let Some(conn) = self.conns.get_mut(&peer) else {
            return;
        };
        conn.queue_byte(0);
        self.dirty.push(peer);
        if let Err(error) = self.poller.add(&*conn, token::make(token::CONN, peer.0)) {
            tracing::error!("cannot watch a client: {error}");
            self.conns.remove(&peer);
        }
    }

    fn close(&mut self, peer: PeerId) {
        if let Some(conn) = self.conns.get_mut(&peer) {
            conn.closing = true;
            self.dirty.push(peer);
        } else if let Some(modules) = &mut self.modules {
            modules.forget(peer);
        }
    }

    fn give_work(&mut self, work: node::WorkId, job: node::Work<N::Worker>) {
        if let Some(make) = self.make_worker.take() {
            match WorkerThread::start(make) {
                Ok(worker) => {
                    if let Err(error) = self.poller.add(worker.fd(), token::make(token::WORKER, 0))
                    {
                        tracing::error!("cannot watch the worker: {error}");
                    }
                    self.worker = Some(worker);
                }
                Err(error) => tracing::error!("cannot start the worker thread: {error}"),
            }
        }
        if let Some(worker) = &self.worker {
            worker.give(work, job);
        }
    }

    /// Writes what is queued on streams, and watches those that are not done.
    fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for peer in dirty.drain(..) {
            let conn = match &mut self.uplink {
                Uplink::Stream(conn) if peer == PeerId::BROKER => Some(conn),
                _ => self.conns.get_mut(&peer),
            };
            let Some(conn) = conn else { continue };
            conn.flush();
            if conn.closing && conn.is_flushed() {
                self.drop_conn(peer);
                continue;
            }
            let wants_write = !conn.is_flushed();
            if conn.wants_write != wants_write {
                conn.wants_write = wants_write;
                let token = token::make(token::CONN, peer.0);
                let _ = self.poller.set(&*conn, token, true, wants_write);
            }
        }
        // The emptied list keeps its room for the next turn.
        self.dirty = dirty;
    }

    /// The last messages of an exiting process go out, within a bound.
    fn flush_before_exit(&mut self) -> io::Result<()> {
        let give_up = self.clock.now().mono + Duration::from_secs(FLUSH_WAIT_S);
        loop {
            let streams = self.conns.iter().filter(|(_, conn)| !conn.is_flushed());
            self.dirty = streams.map(|(peer, _)| *peer).collect();
            self.dirty.push(PeerId::BROKER);
            self.flush();
            if let Uplink::Bus(bus) = &mut self.uplink {
                bus.flush();
            }
            let up = match &self.uplink {
                Uplink::Bus(bus) => bus.is_flushed(),
                Uplink::Stream(conn) => conn.is_flushed(),
                _ => true,
            };
            let out = up && self.conns.values().all(Conn::is_flushed);
            if out || self.clock.now().mono >= give_up {
                break;
            }
            self.poller.wait(Some(Duration::from_millis(10)))?;
        }
        // A broker that is gone would not answer, so it is not waited for.
        let uplink = std::mem::replace(&mut self.uplink, Uplink::None);
        if let Uplink::Bus(bus) = uplink
            && !self.cut
            && !bus.finish()
        {
            tracing::warn!("the broker did not take our last messages");
        }
        Ok(())
    }
}
