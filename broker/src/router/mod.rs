//! Where messages go: a pure table of who is where, for a broker of any rank (RFC 3,
//! protocol/01 section 4, protocol/20 section 5).
//!
//! Input is a message with the hop by which it came, output is a list of actions, in order
//! ([`Router::poll`]). The router knows no clock but is given the time, knows no payload,
//! and never waits: messages that have to wait for a module wait with the supervisor.
//!
//! A broker treats its children like its modules: it puts their identity on the requests
//! that they send, its own on those that it gives them, and takes both off again. So a
//! request that crosses ranks gains one hop a broker, and the answer loses it there.
//!
//! Hops are in `hop.rs`, then `requests.rs` and `responses.rs`, `events.rs` and `asked.rs`
//! (subscriptions on their way up), `links.rs` (arrival and departure), `services.rs` (names),
//! `pending.rs` (open requests) and `paths.rs` (closed ones).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use node::PeerId;
use proto::data::Topology;
use rustc_hash::FxHashMap;
use wire::topic::method_of;
use wire::{Identity, Kind, Message, Role, USERID_UNKNOWN};

mod asked;
mod events;
mod hop;
mod links;
mod paths;
mod pending;
mod requests;
mod responses;
mod services;
mod subscriptions;

pub use hop::{Hop, ModuleId, Orphaned, Out, Stop};
pub use links::Viewer;
pub(crate) use pending::Call;
pub use pending::Past;
use pending::{Pending, Requester};

use asked::Asked;
use links::Link;
use subscriptions::Subscriptions;

/// Place of a broker in the tree.
#[derive(Debug)]
pub struct Place {
    /// Rank.
    pub rank: u32,
    /// The tree.
    pub topology: Topology,
    /// Name on route stacks.
    pub identity: Identity,
    /// User id of the instance owner.
    pub owner: u32,
}

/// The table.
#[derive(Debug)]
pub struct Router {
    place: Place,
    /// True if guests must not see services of other users.
    is_private: bool,
    /// Providers of services.
    services: BTreeMap<String, Hop>,
    /// Hops by identity.
    parties: FxHashMap<Identity, Hop>,
    links: BTreeMap<Hop, Link>,
    by_peer: FxHashMap<PeerId, Hop>,
    /// Event subscriptions of this broker and those below: rank 0 alone needs no such
    /// sum.
    wanted: Subscriptions,
    /// Subscriptions that the parent has not confirmed.
    asked: Asked,
    pending: Pending,
    /// Methods whose requests modules know by a number.
    recognised: BTreeSet<&'static str>,
    /// Methods that may be repeated to a restarted module: doing them twice is harmless, or
    /// the module recognises completed requests.
    repeatable: BTreeSet<&'static str>,
    /// Methods that answer also who wants no answer.
    answers_unasked: BTreeSet<&'static str>,
    /// Of the last event: given here on rank 0, else seen.
    sequence: u32,
    /// Requests that were dropped for want of room.
    n_dropped: u64,
    /// Since the start of the broker.
    now: Duration,
    out: VecDeque<Out>,
}

impl Router {
    /// A router with these services of its own. Numbers of requests follow `first_number`.
    pub fn new(place: Place, own: &[&str], first_number: u64) -> Router {
        let own = own.iter().map(|name| ((*name).to_owned(), Hop::Here));
        let services = proto::services();
        let methods = services.iter().flat_map(|service| service.methods);
        let recognised = methods.clone().filter(|m| m.recognised);
        let repeatable = methods.clone().filter(|m| m.idempotent || m.recognised);
        let answers_unasked = methods.filter(|m| m.answers_unasked);
        Router {
            place,
            is_private: false,
            services: own.collect(),
            parties: FxHashMap::default(),
            links: BTreeMap::new(),
            by_peer: FxHashMap::default(),
            wanted: Subscriptions::default(),
            asked: Asked::default(),
            pending: Pending::numbered_from(first_number),
            recognised: recognised.map(|m| m.topic).collect(),
            repeatable: repeatable.map(|m| m.topic).collect(),
            answers_unasked: answers_unasked.map(|m| m.topic).collect(),
            sequence: 0,
            n_dropped: 0,
            now: Duration::ZERO,
            out: VecDeque::new(),
        }
    }

    /// The next thing to do, until `None`. To be asked after every call that changes
    /// something.
    pub fn poll(&mut self) -> Option<Out> {
        self.out.pop_front()
    }

    /// The time goes on.
    pub fn set_now(&mut self, now: Duration) {
        self.now = now;
        self.pending.set_now(now);
    }

    /// Current time.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// True if a request has expired.
    pub fn is_expired(&self, request: &Message) -> bool {
        request.deadline_ms != 0 && Duration::from_millis(request.deadline_ms) <= self.now
    }

    /// True if a restarted module may be sent again a request of its predecessor.
    pub fn may_repeat(&self, topic: &str) -> bool {
        // The methods that every module has are declared under a name of no module's.
        let common = || format!("NAME.{}", method_of(topic));
        self.repeatable.contains(topic) || self.repeatable.contains(common().as_str())
    }

    /// Time at which the first open request expires.
    pub fn next_expiry(&self) -> Option<Duration> {
        self.pending.next_expiry()
    }

    /// Answers open requests that have expired.
    pub fn expire(&mut self) {
        while let Some(request) = self.pending.take_expired(self.now) {
            self.refuse(request, Stop::expired());
        }
    }

    /// Receives a message that has come by `from`.
    pub fn receive(&mut self, from: Hop, mut message: Message) {
        if self.stamp(from, &mut message) {
            self.route(from, message);
        }
    }

    /// Stamps a message with its sender, as far as this broker knows, and its deadline by
    /// our clock. `false` for one that cannot have come this way.
    #[must_use]
    pub fn stamp(&self, from: Hop, message: &mut Message) -> bool {
        if message.deadline_ms != 0 {
            let now = self.now.as_millis() as u64;
            message.deadline_ms = message.deadline_ms.saturating_add(now);
        }
        match from {
            Hop::Here | Hop::Module(_) => self.stamp_as_owner(message),
            Hop::Client(_) => {}
            // Local is only who sits on this rank.
            Hop::Parent | Hop::Child(_) => message.rolemask.0 &= !Role::LOCAL.0,
        }
        if from == Hop::Here || !matches!(message.kind, Kind::Request { .. }) {
            return true;
        }
        let Some(link) = self.links.get(&from) else {
            return false;
        };
        if from == Hop::Parent {
            return message.last_route() == Some(&link.identity);
        }
        message.push_route(link.identity.clone());
        true
    }

    /// Messages of the broker and its modules are sent as the owner unless they name
    /// another user.
    pub(crate) fn stamp_as_owner(&self, message: &mut Message) {
        if message.userid == USERID_UNKNOWN && message.rolemask == Role::NONE {
            message.userid = self.place.owner;
            message.rolemask = Role::OWNER | Role::LOCAL;
        }
    }

    /// Sends a stamped message on its way.
    pub fn route(&mut self, from: Hop, message: Message) {
        match message.kind {
            Kind::Request { .. } => self.route_request(from, message),
            Kind::Response { .. } => self.route_response(from, message),
            Kind::Event { .. } => self.route_event(from, message),
            Kind::Control { .. } if from.is_broker() => {
                self.out.push_back(Out::Control { from, message });
            }
            Kind::Control { .. } => {}
        }
    }

    /// Sets whether guests must not see services of other users.
    pub fn set_private(&mut self, is_private: bool) {
        self.is_private = is_private;
    }

    /// The rank of this broker.
    pub fn rank(&self) -> u32 {
        self.place.rank
    }

    /// The tree in which this broker stands.
    pub fn topology(&self) -> &Topology {
        &self.place.topology
    }

    /// This broker's name on route stacks.
    pub fn identity(&self) -> &Identity {
        &self.place.identity
    }

    /// Number of requests that wait for an answer from a module, a program or another
    /// broker.
    pub fn n_pending(&self) -> usize {
        self.pending.n()
    }

    /// Number of requests that wait for an answer from one of them.
    pub fn n_given(&self, hop: Hop) -> usize {
        self.pending.n_given(hop)
    }

    fn send(&mut self, from: Hop, to: Hop, message: Message) {
        self.out.push_back(Out::Send { from, to, message });
    }

    /// Requester, by the hop that was stamped when the message came in: hops below it
    /// were put there by the sender and prove nothing. `None` for one who has left.
    fn requester(&self, message: &Message) -> Option<Requester> {
        let link = match message.last_route() {
            None => Hop::Here,
            Some(identity) => *self.parties.get(identity)?,
        };
        let guest = match link {
            Hop::Client(_) => self.links.get(&link).and_then(Link::guest),
            Hop::Parent | Hop::Child(_) if !message.rolemask.meets(Role::OWNER) => {
                Some(message.userid)
            }
            _ => None,
        };
        Some(Requester { link, guest })
    }

    /// Panics where two tables contradict each other.
    pub fn check(&self) {
        self.pending.check();
        for (name, hop) in &self.services {
            assert!(
                *hop == Hop::Here || self.links.contains_key(hop),
                "{name}: {hop:?}"
            );
        }
        for (identity, hop) in &self.parties {
            assert!(self.links.contains_key(hop), "{identity:?}");
        }
        for (peer, hop) in &self.by_peer {
            let link = self.links.get(hop).expect("a peer has a link");
            assert_eq!(link.peer, Some(*peer));
        }
        assert!(self.out.is_empty(), "nobody asked what is to be done");
    }
}

#[cfg(test)]
mod tests;
