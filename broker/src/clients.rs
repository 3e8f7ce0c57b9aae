//! The programs on the local socket: their users, their message counts, and the services
//! to notify when they disconnect. Their messages are handled in `programs.rs`.

use std::collections::BTreeMap;

use node::{Peer, PeerId};
use proto::connector_local::Connected;
use wire::{Identity, Message, Role, USERID_UNKNOWN};

use crate::disconnect_notices::DisconnectNotices;

/// One connected program.
#[derive(Debug)]
struct Client {
    identity: Identity,
    userid: u32,
    rolemask: Role,
    pid: i32,
    notices: DisconnectNotices,
    /// Messages taken from it.
    received: u64,
    /// Messages handed to it.
    delivered: u64,
    /// Events that it might not publish.
    refused_events: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    connected: BTreeMap<PeerId, Client>,
    n_attempts: u64,
}

/// A new connection.
#[derive(Debug, Clone)]
pub(crate) struct Newcomer {
    pub identity: Identity,
    pub userid: u32,
    pub rolemask: Role,
    pub pid: i32,
}

impl Clients {
    /// Somebody wants to connect.
    pub fn knock(&mut self) {
        self.n_attempts += 1;
    }

    /// Number of attempts to connect.
    pub fn n_attempts(&self) -> u64 {
        self.n_attempts
    }

    /// A program is connected.
    pub fn add(&mut self, peer: PeerId, newcomer: Newcomer) {
        let client = Client {
            identity: newcomer.identity,
            userid: newcomer.userid,
            rolemask: newcomer.rolemask,
            pid: newcomer.pid,
            notices: DisconnectNotices::default(),
            received: 0,
            delivered: 0,
            refused_events: 0,
        };
        self.connected.insert(peer, client);
    }

    /// A message has come: counts it, and stamps it with who has sent it. The owner may
    /// speak for others. `false` if there is no such program.
    #[must_use]
    pub fn stamp(&mut self, peer: PeerId, message: &mut Message) -> bool {
        let Some(client) = self.connected.get_mut(&peer) else {
            return false;
        };
        client.received += 1;
        let is_owner = client.rolemask.meets(Role::OWNER);
        if !is_owner || message.userid == USERID_UNKNOWN {
            message.userid = client.userid;
        }
        if !is_owner || message.rolemask == Role::NONE {
            message.rolemask = client.rolemask;
        }
        true
    }

    /// Notes the service to notify when the program disconnects. `false` when there is no
    /// room.
    #[must_use]
    pub fn note_service(&mut self, peer: PeerId, request: &Message) -> bool {
        let client = self.connected.get_mut(&peer);
        client.is_some_and(|client| client.notices.note(request))
    }

    /// The messages that report its end; each is sent once.
    pub fn take_notices(&mut self, peer: PeerId) -> Vec<Message> {
        let client = self.connected.get_mut(&peer);
        let notices = client.map(|client| std::mem::take(&mut client.notices));
        notices.map_or(Vec::new(), |notices| notices.into_messages().collect())
    }

    /// An event of the program was refused. Of those the first is worth a line: who goes
    /// on must not fill the log.
    pub fn refuse_event(&mut self, peer: PeerId) -> bool {
        let client = self.connected.get_mut(&peer);
        client.is_some_and(|client| {
            client.refused_events += 1;
            client.refused_events == 1
        })
    }

    /// A message has gone to the program.
    pub fn delivered(&mut self, peer: PeerId) {
        if let Some(client) = self.connected.get_mut(&peer) {
            client.delivered += 1;
        }
    }

    /// Removes a program that has disconnected. `false` if there is no such program.
    pub fn remove(&mut self, peer: PeerId) -> bool {
        self.connected.remove(&peer).is_some()
    }

    /// True if the program is connected.
    pub fn has(&self, peer: PeerId) -> bool {
        self.connected.contains_key(&peer)
    }

    /// User, when that is not the owner.
    pub fn guest(&self, peer: PeerId) -> Option<u32> {
        self.connected.get(&peer).and_then(Client::guest)
    }

    /// Description for the log.
    pub fn name(&self, peer: PeerId) -> Option<String> {
        let client = self.connected.get(&peer)?;
        Some(format!("client pid={} uid={}", client.pid, client.userid))
    }

    /// By which name its messages go, and its process.
    pub fn identity_and_pid(&self, peer: PeerId) -> Option<(&str, i32)> {
        let client = self.connected.get(&peer)?;
        Some((client.identity.as_str(), client.pid))
    }

    /// By which name its messages go.
    #[cfg(test)]
    pub fn identity(&self, peer: PeerId) -> &Identity {
        &self.connected[&peer].identity
    }

    /// The programs that `viewer` may know of. A guest is shown its own connections only:
    /// the owner's are none of its business.
    pub fn shown_to(&self, viewer: &Peer) -> Vec<Connected> {
        let clients = self.connected.values();
        let shown = clients
            .filter(|client| viewer.is_owner() || client.guest() == Some(viewer.userid))
            .map(|client| Connected {
                uuid: client.identity.as_str().to_owned(),
                userid: client.userid,
                pid: client.pid,
                txcount: client.received,
                rxcount: client.delivered,
                rxbacklog: 0,
            });
        shown.collect()
    }
}

impl Client {
    fn guest(&self) -> Option<u32> {
        (!self.rolemask.meets(Role::OWNER)).then_some(self.userid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: PeerId = PeerId(7);
    const GUEST: PeerId = PeerId(8);

    fn clients() -> Clients {
        let mut clients = Clients::default();
        for (peer, name, userid, rolemask) in [
            (OWNER, "own", 100, Role::OWNER | Role::LOCAL),
            (GUEST, "guest", 5, Role::USER | Role::LOCAL),
        ] {
            let identity = Identity::new(name).expect("a short name");
            let newcomer = Newcomer {
                identity,
                userid,
                rolemask,
                pid: 1,
            };
            clients.add(peer, newcomer);
        }
        clients
    }

    fn message(userid: u32, rolemask: Role) -> Message {
        let mut message = Message::request("a.b", 1);
        (message.userid, message.rolemask) = (userid, rolemask);
        message
    }

    #[test]
    fn the_owner_speaks_for_others_and_a_guest_for_itself() {
        let unknown = (USERID_UNKNOWN, Role::NONE);
        for (peer, said, want) in [
            (OWNER, unknown, (100, Role::OWNER | Role::LOCAL)),
            (OWNER, (5, Role::USER), (5, Role::USER)),
            (GUEST, unknown, (5, Role::USER | Role::LOCAL)),
            (GUEST, (100, Role::OWNER), (5, Role::USER | Role::LOCAL)),
        ] {
            let mut message = message(said.0, said.1);
            assert!(clients().stamp(peer, &mut message));
            assert_eq!(
                (message.userid, message.rolemask),
                want,
                "{peer:?} {said:?}"
            );
        }
        let mut message = message(5, Role::USER);
        assert!(!clients().stamp(PeerId(9), &mut message));
    }

    #[test]
    fn a_guest_is_shown_what_is_its_own_with_its_counts() {
        let mut clients = clients();
        assert!(clients.stamp(GUEST, &mut message(0, Role::NONE)));
        clients.delivered(GUEST);
        clients.delivered(GUEST);
        for (userid, rolemask, want) in [
            (100, Role::OWNER, &["own", "guest"][..]),
            (5, Role::USER, &["guest"]),
            (6, Role::USER, &[]),
        ] {
            let viewer = Peer {
                userid,
                rolemask,
                sender: None,
                matchtag: 1,
                number: None,
            };
            let shown = clients.shown_to(&viewer);
            let names: Vec<&str> = shown.iter().map(|client| client.uuid.as_str()).collect();
            assert_eq!(names, want);
            if let Some(guest) = shown.last() {
                assert_eq!((guest.txcount, guest.rxcount), (1, 2));
            }
        }
        assert_eq!(
            (clients.guest(OWNER), clients.guest(GUEST)),
            (None, Some(5))
        );
    }

    #[test]
    fn who_was_asked_hears_of_the_end_once() {
        let mut clients = clients();
        for topic in ["kvs.get", "kvs.put", "exec.run"] {
            assert!(clients.note_service(GUEST, &Message::request(topic, 1)));
        }
        let mut told: Vec<String> = clients
            .take_notices(GUEST)
            .iter()
            .map(|m| m.topic().to_owned())
            .collect();
        told.sort();
        assert_eq!(told, ["exec.disconnect", "kvs.disconnect"]);
        assert!(clients.take_notices(GUEST).is_empty());
        assert!(clients.remove(GUEST) && !clients.remove(GUEST));
        assert!(!clients.note_service(GUEST, &Message::request("a.b", 1)));
    }

    #[test]
    fn the_first_refused_event_of_each_is_worth_a_line() {
        let mut clients = clients();
        let lines = [GUEST, GUEST, OWNER, GUEST].map(|peer| clients.refuse_event(peer));
        assert_eq!(lines, [true, false, true, false]);
    }
}
