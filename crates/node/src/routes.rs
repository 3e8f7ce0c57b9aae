//! A service's table of contents: which function answers which topic. The verb of a row
//! fixes when it answers; who may call, or publish, comes from the declaration.

use std::collections::BTreeMap;

use proto::{Answer, Coded, Errno, Event, Method, Payload, Refusal, Role};
use wire::{Flags, Message};

use crate::{Cx, Host, Peer, Reply, Stream, builtin};

type RequestFn<C> = Box<dyn Fn(&mut C, &mut Cx<C>, Message)>;
type EventFn<C> = Box<dyn Fn(&mut C, &mut Cx<C>, &Message)>;
/// Receives an event and the part of its topic for the word in capitals.
type Listener<C, E> = fn(&mut C, &mut Cx<C>, &str, E);

pub(crate) struct Route<C: Host> {
    pub topic: &'static str,
    pub role: Role,
    pub run: RequestFn<C>,
}

pub(crate) struct EventRoute<C: Host> {
    /// As declared, with a word in capitals maybe.
    pub topic: &'static str,
    /// Role required to publish it, besides the owner.
    pub role: Role,
    /// True if the harness subscribes to it.
    is_fixed: bool,
    pub run: EventFn<C>,
}

/// The routes of a component.
pub struct Routes<C: Host> {
    requests: BTreeMap<&'static str, Route<C>>,
    /// Topics of which topic has a word in capitals, which stands for a number.
    numbered: Vec<&'static str>,
    events: Vec<EventRoute<C>>,
    /// A whole service within ours, by our name: `OURS.THEIRS.METHOD`.
    within: Option<(&'static str, Box<Routes<C>>)>,
}

impl<C: Host> Default for Routes<C> {
    fn default() -> Self {
        Routes {
            requests: BTreeMap::new(),
            numbered: Vec::new(),
            events: Vec::new(),
            within: None,
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
        debug_assert!(!M::ANSWER.may_wait(), "{}", M::TOPIC);
        self.add(M::TOPIC, M::ROLE, move |core, cx, message| {
            let peer = Peer::of(&message, C::HOPS_SINCE_STAMP);
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
        self.later_within(|_, _| Ok(()), run)
    }

    /// The same, for a method whose requests may be too long to be decoded: `fits` is asked
    /// first, about the length of the payload.
    pub fn later_within<M: Method>(
        self,
        fits: fn(&C, usize) -> Result<(), M::Error>,
        run: fn(&mut C, &mut Cx<C>, &Peer, M, Reply<M>),
    ) -> Self {
        debug_assert!(M::ANSWER == Answer::Later, "{}", M::TOPIC);
        self.add(M::TOPIC, M::ROLE, move |core, cx, message| {
            let length = message.payload().map_or(0, |payload| payload.len());
            if let Err(error) = fits(core, length) {
                return cx.respond(message, Err(error.refusal()));
            }
            let Some((request, peer)) = accept::<C, M>(cx, &message) else {
                return;
            };
            let id = cx.open(message, peer.clone());
            let reply = Reply::new(id, cx.closing.clone());
            run(core, cx, &peer, request, reply);
        })
    }

    /// A method that answers many times, or once or many times as its caller wants
    /// ([`Answer::Either`]).
    pub fn stream<M: Method>(self, run: fn(&mut C, &mut Cx<C>, &Peer, M, Stream<M>)) -> Self {
        self.add_stream::<M>(move |core, cx, peer, _, request, stream| {
            run(core, cx, peer, request, stream);
        })
    }

    /// The same for a method whose topic ends with a word in capitals, which stands for a number:
    /// `run` is given that as it stands in the topic.
    pub fn stream_of<M: Method>(
        mut self,
        run: fn(&mut C, &mut Cx<C>, &Peer, &str, M, Stream<M>),
    ) -> Self {
        self.numbered.push(M::TOPIC);
        self.add_stream::<M>(run)
    }

    fn add_stream<M: Method>(
        self,
        run: impl Fn(&mut C, &mut Cx<C>, &Peer, &str, M, Stream<M>) + 'static,
    ) -> Self {
        debug_assert!(
            matches!(M::ANSWER, Answer::Stream | Answer::Either),
            "{}",
            M::TOPIC
        );
        let routes = match M::CANCEL {
            Some(topic) => self.add(topic, Role::ALL, builtin::cancel),
            None => self,
        };
        routes.add(M::TOPIC, M::ROLE, move |core, cx, message| {
            let streaming = message.has(Flags::STREAMING);
            if M::ANSWER == Answer::Stream && !streaming {
                return cx.respond(message, Err(M::needs_streaming()));
            }
            let Some((request, peer)) = accept::<C, M>(cx, &message) else {
                return;
            };
            let name = message.topic().rsplit('.').next().unwrap_or_default();
            let name = name.to_owned();
            let id = cx.open(message, peer.clone());
            let stream = Stream::new(id, cx.closing.clone(), streaming);
            run(core, cx, &peer, &name, request, stream);
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

    /// Serves another service's methods within that of `name`: those that are declared as
    /// `THEIRS.METHOD` are called `NAME.THEIRS.METHOD`.
    pub fn with_service(mut self, name: &'static str, service: Routes<C>) -> Self {
        self.within = Some((name, Box::new(service)));
        self
    }

    /// An event; the harness subscribes to it.
    pub fn event<E: Event>(self, run: fn(&mut C, &mut Cx<C>, E)) -> Self {
        self.listen::<E>(true, move |core, cx, _, event| run(core, cx, event))
    }

    /// Events whose topic has a name in it, known only at run time: the component
    /// subscribes to those that it wants.
    pub fn heard<E: Event>(self, run: Listener<C, E>) -> Self {
        self.listen::<E>(false, run)
    }

    fn listen<E: Event>(
        mut self,
        is_fixed: bool,
        run: impl Fn(&mut C, &mut Cx<C>, &str, E) + 'static,
    ) -> Self {
        let run: EventFn<C> = Box::new(move |core, cx, message| {
            let name = proto::name_in(E::TOPIC, message.topic()).unwrap_or_default();
            match E::decode(message.payload()) {
                Ok(event) => run(core, cx, name, event),
                Err(bad) => tracing::error!("event {}: {bad}", message.topic()),
            }
        });
        self.events.push(EventRoute {
            topic: E::TOPIC,
            role: E::ROLE,
            is_fixed,
            run,
        });
        self
    }

    /// Topics of all requests, for the test that every declared method has a route.
    pub fn topics(&self) -> impl Iterator<Item = &'static str> {
        self.requests.keys().copied()
    }

    /// Role required for each topic, besides the owner, for the test that compares them
    /// with the declarations.
    pub fn roles(&self) -> impl Iterator<Item = (&'static str, Role)> {
        self.requests
            .iter()
            .map(|(topic, route)| (*topic, route.role))
    }

    /// Topics of the events that are acted on, for the same test.
    pub fn event_topics(&self) -> impl Iterator<Item = &'static str> {
        self.events.iter().map(|route| route.topic)
    }

    /// Topics to subscribe to.
    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = &'static str> {
        let fixed = self.events.iter().filter(|route| route.is_fixed);
        fixed.map(|route| route.topic)
    }

    pub(crate) fn request(&self, topic: &str) -> Option<&Route<C>> {
        let found = self.requests.get(topic);
        found.or_else(|| self.numbered(topic)).or_else(|| {
            let (name, service) = self.within.as_ref()?;
            service.request(topic.strip_prefix(name)?.strip_prefix('.')?)
        })
    }

    fn numbered(&self, topic: &str) -> Option<&Route<C>> {
        let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
        let is_meant = |declared: &&&str| proto::name_in(declared, topic).is_some_and(is_number);
        let declared = self.numbered.iter().find(is_meant)?;
        self.requests.get(declared)
    }

    pub(crate) fn events<'a>(&'a self, topic: &'a str) -> impl Iterator<Item = &'a EventRoute<C>> {
        let is_meant = |route: &&EventRoute<C>| proto::name_in(route.topic, topic).is_some();
        self.events.iter().filter(is_meant)
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
                topic,
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
        Ok(request) => return Some((request, Peer::of(message, C::HOPS_SINCE_STAMP))),
        Err(bad) => M::bad_payload(&bad),
    };
    cx.respond(message.clone(), Err(refusal));
    None
}

/// True if the sender of an event may publish it. A forged one is noted.
pub(crate) fn may_publish(event: &Message, role: Role) -> bool {
    let may = event.rolemask.meets(Role::OWNER | role);
    if !may {
        let (topic, userid) = (event.topic(), event.userid);
        tracing::warn!("event {topic} by user {userid} is ignored");
    }
    may
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
