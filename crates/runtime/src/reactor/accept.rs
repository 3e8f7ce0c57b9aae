//! Admission of links: clients and modules at their doors.

use node::{Input, PeerId, PeerKind};
use wire::Socket;

use super::{Reactor, token};
use crate::conn::Conn;
use crate::doors::Door;
use crate::greetings::group_of;
use crate::users::Groups;

impl Reactor<'_> {
    pub(super) fn accept_clients(&mut self) {
        let now = self.clock.now().mono;
        while let Some(doors) = &mut self.doors
            && let Some(stream) = doors.next(Door::Clients, now, &self.poller)
        {
            let Ok(cred) = rustix::net::sockopt::socket_peercred(&stream) else {
                continue;
            };
            let (uid, pid) = (cred.uid.as_raw(), cred.pid.as_raw_nonzero().get());
            if let Err(full) = self.peers.seats.take(uid, pid) {
                let why = format!("uid={uid} pid={pid}: {full}");
                doors.turn_away(stream, &why, now);
                continue;
            }
            self.last_peer += 1;
            let peer = PeerId(self.last_peer);
            let directory = (&self.poller, token::make(token::DIRECTORY, 0));
            let groups = self.directory.ask(uid, peer, now, directory);
            if groups == Groups::Busy {
                doors.turn_away(stream, &"too many users are being looked up", now);
                self.peers.seats.leave(uid, pid);
                continue;
            }
            match Conn::local(stream, self.peers.budget.of(uid)) {
                Ok(mut conn) => {
                    conn.pid = Some(pid);
                    self.peers.insert(peer, conn);
                }
                Err(_) => self.peers.seats.leave(uid, pid),
            }
            if let Groups::Known(gids) = groups {
                self.introduce(peer, gids);
            }
        }
    }

    /// Reports clients to the node whose groups have been looked up.
    pub(super) fn introduce_known(&mut self) {
        for (peer, gids) in self.directory.take(self.clock.now().mono) {
            self.introduce(peer, gids);
        }
    }

    fn introduce(&mut self, peer: PeerId, gids: Vec<u32>) {
        if let Some(conn) = self.peers.get_mut(peer)
            && let Some(pid) = conn.pid
        {
            let uid = conn.charge().account().uid();
            let kind = PeerKind::Client { uid, gids, pid };
            self.hand_in(Input::PeerUp { peer, kind });
        }
    }

    /// Modules are reported when they have sent their identity.
    pub(super) fn accept_modules(&mut self) {
        let now = self.clock.now().mono;
        while let Some(doors) = &mut self.doors
            && let Some(stream) = doors.next(Door::Modules, now, &self.poller)
        {
            let Some(group) = group_of(&stream) else {
                tracing::error!("refused a process that is not a module of this broker");
                continue;
            };
            let own = self.peers.budget.own();
            let Ok(conn) = Conn::zmtp(stream, own, Socket::Router, b"") else {
                continue;
            };
            self.last_peer += 1;
            let peer = PeerId(self.last_peer);
            self.peers.insert(peer, conn);
            self.peers.watch(peer, &self.poller);
            if let Some(oldest) = self.greetings.add(peer, group, now) {
                self.drop_conn(oldest);
            }
        }
    }

    /// Closes connections to the modules' socket whose time to greet is up.
    pub(super) fn close_silent(&mut self) {
        while let Some(peer) = self.greetings.expired(self.clock.now().mono) {
            tracing::warn!("closed a silent connection to the modules' socket");
            self.drop_conn(peer);
        }
    }
}
