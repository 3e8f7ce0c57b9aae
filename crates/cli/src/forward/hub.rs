//! All clients and the broker, in one poll(2).

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixListener;

use client::Link;
use proto::Errno;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno as Os;
use wire::{Kind, Message};

use super::fresh_name;
use super::peer::{Peer, write};
use super::table::{Id, Sent, Table, To, Who};
use crate::limits::{FORWARDED_BACKLOG_BYTES_MAX, FORWARDED_CLIENTS_MAX};

/// Reason for the end of forwarding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The connection to the broker is lost.
    Broker(Errno),
    /// One of the caller's own descriptors is ready.
    Watched,
    /// The one client has left.
    Client,
}

/// The connections.
pub struct Hub {
    broker: Link,
    listener: Option<UnixListener>,
    clients: BTreeMap<Id, Peer>,
    table: Table,
    last_id: Id,
}

impl Hub {
    /// Between a broker and those who connect to `listener`.
    pub fn listening(broker: Link, listener: UnixListener) -> std::io::Result<Hub> {
        listener.set_nonblocking(true)?;
        Ok(Hub::new(broker, Some(listener)))
    }

    /// Between a broker and one client.
    pub fn of_one(broker: Link, peer: Peer, who: Who) -> Hub {
        let mut hub = Hub::new(broker, None);
        hub.admit(peer, who);
        hub
    }

    fn new(broker: Link, listener: Option<UnixListener>) -> Hub {
        Hub {
            broker,
            listener,
            clients: BTreeMap::new(),
            table: Table::default(),
            last_id: 0,
        }
    }

    /// Passes messages on until something ends that, or one of `watch` is ready.
    pub fn run(&mut self, watch: BorrowedFd<'_>) -> Ended {
        loop {
            if let Some(ended) = self.turn(Some(watch)) {
                return ended;
            }
        }
    }

    /// Forwards messages until the one client has disconnected or the broker is lost.
    pub fn run_one(&mut self) -> Ended {
        loop {
            if let Some(ended) = self.turn(None) {
                return ended;
            }
            if self.clients.is_empty() {
                // Its open requests are cancelled, as far as that is possible.
                let _ = self.broker.flush();
                return Ended::Client;
            }
        }
    }

    /// Answers requests that the lost broker will not answer.
    pub fn broker_lost(&mut self) {
        let sent = self.table.broker_lost();
        // Nothing goes to the broker.
        let _ = self.send(sent);
    }

    /// Continues with another broker, which is sent the clients' subscriptions and services.
    /// An error is the loss of that one.
    pub fn go_on_with(&mut self, broker: Link) -> Result<(), Errno> {
        self.broker = broker;
        let sent = self.table.renewal();
        self.send(sent)
    }

    fn turn(&mut self, watch: Option<BorrowedFd<'_>>) -> Option<Ended> {
        let ready = self.poll(watch);
        if ready.watch {
            return Some(Ended::Watched);
        }
        if let Err(errno) = self.turn_broker(ready.broker) {
            return Some(Ended::Broker(errno));
        }
        for (id, reads) in ready.clients {
            if let Err(errno) = self.turn_client(id, reads) {
                return Some(Ended::Broker(errno));
            }
        }
        if ready.listener {
            self.accept();
        }
        None
    }

    fn turn_broker(&mut self, ready: PollFlags) -> Result<(), Errno> {
        if ready.contains(PollFlags::OUT) {
            self.broker.flush()?;
        }
        if ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            let mut messages = Vec::new();
            let read = self.broker.read(|message| messages.push(message));
            for message in messages {
                let sent = self.table.receive_from_broker(message);
                self.send(sent)?;
            }
            read?;
        }
        Ok(())
    }

    fn turn_client(&mut self, id: Id, reads: Option<bool>) -> Result<(), Errno> {
        let Some(peer) = self.clients.get_mut(&id) else {
            return Ok(());
        };
        peer.flush();
        let read = match reads {
            None => return Ok(()),
            Some(true) => peer.read(),
            Some(false) => Err(Errno::EPIPE),
        };
        match read {
            Ok(messages) => {
                for message in messages {
                    let sent = self.table.receive_from_client(id, message);
                    self.send(sent)?;
                }
                Ok(())
            }
            Err(_) => self.leave(id),
        }
    }

    fn leave(&mut self, id: Id) -> Result<(), Errno> {
        self.clients.remove(&id);
        let sent = self.table.disconnect(id);
        self.send(sent)
    }

    fn send(&mut self, sent: Sent) -> Result<(), Errno> {
        for (to, message) in sent {
            match to {
                To::Broker => self.broker.send(&message)?,
                To::Client(id) => {
                    let Some(peer) = self.clients.get_mut(&id) else {
                        continue;
                    };
                    peer.send(&message);
                    // A client that does not read is disconnected.
                    if peer.backlog() > FORWARDED_BACKLOG_BYTES_MAX {
                        self.leave(id)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else {
            return;
        };
        let Ok((socket, _)) = listener.accept() else {
            return;
        };
        let own = rustix::process::getuid();
        let peer = rustix::net::sockopt::socket_peercred(&socket);
        let verdict = match peer {
            Ok(peer) if peer.uid == own && self.clients.len() < FORWARDED_CLIENTS_MAX => 0,
            Ok(peer) if peer.uid == own => Os::MFILE.raw_os_error(),
            _ => Os::PERM.raw_os_error(),
        };
        let verdict = u8::try_from(verdict).unwrap_or(1);
        let greeted = write(&socket, &[verdict]);
        let (Ok(1), 0, Ok(name)) = (greeted, verdict, fresh_name()) else {
            return;
        };
        let userid = own.as_raw();
        let Ok(output) = socket.try_clone() else {
            return;
        };
        if let Ok(peer) = Peer::new(socket.into(), output.into()) {
            self.admit(peer, Who { name, userid });
        }
    }

    fn admit(&mut self, peer: Peer, who: Who) {
        self.last_id += 1;
        self.table.connect(self.last_id, who);
        self.clients.insert(self.last_id, peer);
    }

    fn poll(&self, watch: Option<BorrowedFd<'_>>) -> Ready {
        let wants = |backlog| match backlog {
            0 => PollFlags::empty(),
            _ => PollFlags::OUT,
        };
        // Clients wait while the broker has much left to read.
        let is_jammed = self.broker.backlog() > FORWARDED_BACKLOG_BYTES_MAX / 2;
        let reads = if is_jammed {
            PollFlags::empty()
        } else {
            PollFlags::IN
        };
        let mut fds = Vec::with_capacity(3 + 2 * self.clients.len());
        let broker = PollFlags::IN | wants(self.broker.backlog());
        fds.push(PollFd::new(&self.broker, broker));
        for peer in self.clients.values() {
            fds.push(PollFd::from_borrowed_fd(peer.input(), reads));
            fds.push(PollFd::from_borrowed_fd(
                peer.output(),
                wants(peer.backlog()),
            ));
        }
        if let Some(listener) = &self.listener {
            fds.push(PollFd::new(listener, PollFlags::IN));
        }
        if let Some(watch) = watch {
            fds.push(PollFd::from_borrowed_fd(watch, PollFlags::IN));
        }
        if poll(&mut fds, None).is_err() {
            // An interruption looks like nothing being ready.
            return Ready {
                broker: PollFlags::empty(),
                clients: Vec::new(),
                listener: false,
                watch: false,
            };
        }
        let mut flags = fds.iter().map(PollFd::revents);
        let mut next = || flags.next().unwrap_or(PollFlags::empty());
        let broker = next();
        let mut clients = Vec::new();
        for id in self.clients.keys() {
            let (input, output) = (next(), next());
            let broken = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
            if !input.is_empty() || output.intersects(broken) {
                // One that has hung up is read even when the broker is jammed.
                clients.push((*id, Some(!input.is_empty())));
            } else if output.contains(PollFlags::OUT) {
                clients.push((*id, None));
            }
        }
        Ready {
            broker,
            clients,
            listener: self.listener.is_some() && !next().is_empty(),
            watch: watch.is_some() && !next().is_empty(),
        }
    }
}

/// Result of poll(2).
struct Ready {
    broker: PollFlags,
    /// Clients with messages to read or room for more; for those that can be read or are
    /// broken, whether they can be read.
    clients: Vec<(Id, Option<bool>)>,
    listener: bool,
    watch: bool,
}

/// Asks the broker something on a connection that nobody uses yet.
pub fn ask(broker: &mut Link, request: &Message) -> Result<Message, Errno> {
    broker.send(request)?;
    let mut answer = None;
    while answer.is_none() {
        let wants = match broker.backlog() {
            0 => PollFlags::IN,
            _ => PollFlags::IN | PollFlags::OUT,
        };
        let mut fds = [PollFd::new(&*broker, wants)];
        let forever: Option<&Timespec> = None;
        match poll(&mut fds, forever) {
            Ok(_) | Err(Os::INTR) => {}
            Err(_) => return Err(Errno::EIO),
        }
        broker.flush()?;
        broker.read(|message| {
            let is_response = matches!(message.kind, Kind::Response { .. });
            if is_response && message.matchtag() == request.matchtag() {
                answer.get_or_insert(message);
            }
        })?;
    }
    answer.ok_or(Errno::EPROTO)
}
