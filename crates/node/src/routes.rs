//! A service's table of contents: which function answers which topic. The verb of
//! a row says when it answers; who may call comes from the method's declaration.

use std::collections::BTreeMap;

use proto::common::Cancel;
use proto::{Answer, Coded, Errno, Event, Method, Payload, Refusal, Role};
use wire::{Flags, Message};

use crate::{Cx, Host, Peer, Reply, Stream};

type RequestFn<C> = Box<dyn Fn(&mut C, &mut Cx<C>, Message)>;
type EventFn<C> = Box<dyn Fn(&mut C, &mut Cx<C>, &Message)>;

pub(crate) struct Route<C: Host> {
    pub role: Role,
    pub run: RequestFn<C>,
}

/// The routes of a component.
pub struct Routes<C: Host> {
    requests: BTreeMap<&'static str, Route<C>>,
    events: Vec<(&'static str, EventFn<C>)>,
    /// Topics among them that are not subscribed to by the harness.
    heard: Vec<&'static str>,
}

impl<C: Host> Default for Routes<C> {
    fn default() -> Self {
        Routes {
            requests: BTreeMap::new(),
            events: Vec::new(),
            heard: Vec::new(),
        }
    }
}

/// Answers a request at once.
type Handler<C, M> =
    fn(&mut C, &mut Cx<C>, &Peer, M) -> Result<<M as Method>::Response, <M as Method>::Error>;

impl<C: Host> Routes<C> {
    /// No routes.
    pub fn new() -> Routes<C> {
        Routes::default()
    }

    /// A method that answers at once.
    pub fn on<M: Method>(self, run: Handler<C, M>) -> Self {
        self.add(M::TOPIC, M::ROLE, move |core, cx, message| {
            let peer = Peer::of(&message);
            let result = M::decode(message.payload()).map_err(|bad| M::bad_payload(&bad));
            let result = result.and_then(|request| {
                let result = run(core, cx, &peer, request);
                result.map(|r| r.encode()).map_err(|error| error.refusal())
            });
            cx.respond(message, result);
        })
    }

    /// A method that answers when it can, with the token it is given.
    pub fn later<M: Method>(self, run: fn(&mut C, &mut Cx<C>, &Peer, M, Reply<M>)) -> Self {
        self.add(M::TOPIC, M::ROLE, move |core, cx, message| {
            let Some((request, peer)) = accept::<C, M>(cx, &message) else {
                return;
            };
            let id = cx.open(message, peer.clone(), false);
            let reply = Reply::new(id, cx.closing.clone());
            run(core, cx, &peer, request, reply);
        })
    }

    /// A method that answers many times, or once or many times as its caller wants
    /// ([`Answer::Either`]).
    pub fn stream<M: Method>(self, run: fn(&mut C, &mut Cx<C>, &Peer, M, Stream<M>)) -> Self {
        debug_assert!(
            matches!(M::ANSWER, Answer::Stream | Answer::Either),
            "{}",
            M::TOPIC
        );
        self.add(M::TOPIC, M::ROLE, move |core, cx, message| {
            let streaming = message.has(Flags::STREAMING);
            if M::ANSWER == Answer::Stream && !streaming {
                return cx.respond(message, Err(M::needs_streaming()));
            }
            let Some((request, peer)) = accept::<C, M>(cx, &message) else {
                return;
            };
            let id = cx.open(message, peer.clone(), streaming);
            let stream = Stream::new(id, cx.closing.clone(), streaming);
            run(core, cx, &peer, request, stream);
        })
    }

    /// A method that gets the message itself, for protocols that answer in other ways.
    pub fn raw(
        self,
        topic: &'static str,
        role: Role,
        run: fn(&mut C, &mut Cx<C>, Message),
    ) -> Self {
        self.add(topic, role, run)
    }

    /// The method by which a client ends one of its streams (RFC 6). The stream gets
    /// ENODATA and [`Host::closed`] is told.
    pub fn cancel(self, topic: &'static str) -> Self {
        self.add(topic, Role::ALL, |core, cx, message| {
            let peer = Peer::of(&message);
            if let Ok(cancel) = Cancel::decode(message.payload())
                && let Some(id) = cx.cancel_stream(&peer, cancel.matchtag)
            {
                core.closed(cx, id);
            }
        })
    }

    /// An event; the harness subscribes to it.
    pub fn event<E: Event>(mut self, run: fn(&mut C, &mut Cx<C>, E)) -> Self {
        self.events.push((
            E::TOPIC,
            Box::new(
                move |core, cx, message| match E::decode(message.payload()) {
                    Ok(event) => run(core, cx, event),
                    Err(bad) => tracing::error!("event {}: {bad}", message.topic()),
                },
            ),
        ));
        self
    }

    /// All events whose topic begins with `topic`; the harness subscribes to them.
    pub fn events(mut self, topic: &'static str, run: fn(&mut C, &mut Cx<C>, &Message)) -> Self {
        self.events.push((topic, Box::new(run)));
        self
    }

    /// Events whose topic begins with `topic` and that the component subscribes to by
    /// itself: what follows the beginning is known only at run time.
    pub fn heard(mut self, topic: &'static str, run: fn(&mut C, &mut Cx<C>, &Message)) -> Self {
        self.heard.push(topic);
        self.events(topic, run)
    }

    /// Topics of all requests, for the test that every declared method has a route.
    pub fn topics(&self) -> impl Iterator<Item = &'static str> {
        self.requests.keys().copied()
    }

    /// Topics to subscribe to.
    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = &'static str> {
        let topics = self.events.iter().map(|(topic, _)| *topic);
        topics.filter(|topic| !self.heard.contains(topic))
    }

    pub(crate) fn request(&self, topic: &str) -> Option<&Route<C>> {
        self.requests.get(topic)
    }

    pub(crate) fn event_fns<'a>(&'a self, topic: &'a str) -> impl Iterator<Item = &'a EventFn<C>> {
        self.events
            .iter()
            .filter(move |(t, _)| topic.starts_with(t))
            .map(|(_, run)| run)
    }

    fn add(
        mut self,
        topic: &'static str,
        role: Role,
        run: impl Fn(&mut C, &mut Cx<C>, Message) + 'static,
    ) -> Self {
        let before = self.requests.insert(
            topic,
            Route {
                role,
                run: Box::new(run),
            },
        );
        assert!(before.is_none(), "{topic} has two routes");
        self
    }
}

/// Decodes a request that is to be answered later, or answers it now.
fn accept<C: Host, M: Method>(cx: &mut Cx<C>, message: &Message) -> Option<(M, Peer)> {
    let refusal = match M::decode(message.payload()) {
        Ok(_) if !cx.has_room_to_open() => Refusal::bare(Errno::EBUSY),
        Ok(request) => return Some((request, Peer::of(message))),
        Err(bad) => M::bad_payload(&bad),
    };
    cx.respond(message.clone(), Err(refusal));
    None
}

/// The refusal of a sender whose role is not enough (protocol/01 section 3).
pub(crate) fn not_allowed(role: Role) -> Refusal {
    if role.0 & !Role::OWNER.0 == 0 {
        Refusal::new(Errno::EPERM, "Request requires owner credentials")
    } else {
        Refusal::new(
            Errno::EPERM,
            "Request rejected due to insufficient privilege",
        )
    }
}
