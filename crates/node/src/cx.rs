//! Actions of a handler: publish, set timers, start children, hand out work, exit. Calls
//! are in `calls.rs`, answers in `reply.rs`.
//!
//! Everything lands in one outbox and leaves in the order in which it was said.

use std::any::Any;
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use proto::attr::{Attr, names};
use proto::common::{HiddenError, MessageCounts, MessageStats, Welcome};
use proto::config::{Key, keys};
use proto::data::JobId;
use proto::data::job::JobStep;
use proto::{Event, Refusal};
use wire::{Flags, Identity, Kind, Message, topic};

use crate::Host;
use crate::calls::Calls;
use crate::contract::{ChildId, Now, Output, PeerId, Spawn, StdioFd, WinSize, WorkId, WorkResult};
use crate::limits::OPEN_REQUESTS_MAX;
use crate::peer::Peer;
use crate::reply::{Closed, Sent, StreamId};
use crate::spent::Spent;
use crate::steps::Steps;
use crate::timers::{TimerId, Timers};

type TimerFn<C> = Box<dyn FnOnce(&mut C, &mut Cx<C>)>;
type DoneFn<C> = Box<dyn FnOnce(&mut C, &mut Cx<C>, WorkResult)>;

/// A request that was not answered yet.
struct Open {
    request: Message,
    peer: Peer,
}

/// The effects of a component `C`, and the state that the harness keeps for it.
pub struct Cx<C: Host> {
    now: Now,
    pub(crate) welcome: Welcome,
    pub(crate) outbox: VecDeque<Output>,
    pub(crate) calls: Calls<C>,
    timers: Timers<TimerFn<C>>,
    work: BTreeMap<WorkId, DoneFn<C>>,
    open: BTreeMap<StreamId, Open>,
    open_by_sender: BTreeMap<(Identity, u32, StreamId), ()>,
    pub(crate) closing: Rc<Cell<bool>>,
    pub(crate) exit: Option<Result<(), Refusal>>,
    /// True if an end was requested.
    pub(crate) asked_to_stop: bool,
    pub(crate) start_held: bool,
    /// True if requests wait for the end of the start, and those requests.
    pub(crate) requests_held: bool,
    pub(crate) early: VecDeque<Message>,
    pub(crate) stats: MessageStats,
    pub(crate) spent: Spent,
    pub(crate) steps: Steps,
    pub(crate) debug_bits: i64,
    pub(crate) exit_code: Option<i32>,
    pub(crate) rusage: crate::module::RusageFn,
    numbered: u64,
}

impl<C: Host> Cx<C> {
    pub(crate) fn new(welcome: Welcome) -> Cx<C> {
        Cx {
            now: Now::default(),
            welcome,
            outbox: VecDeque::new(),
            calls: Calls::default(),
            timers: Timers::default(),
            work: BTreeMap::new(),
            open: BTreeMap::new(),
            open_by_sender: BTreeMap::new(),
            closing: Rc::default(),
            exit: None,
            asked_to_stop: false,
            start_held: false,
            requests_held: false,
            early: VecDeque::new(),
            stats: MessageStats::default(),
            spent: Spent::default(),
            steps: Steps::default(),
            debug_bits: 0,
            exit_code: None,
            rusage: |_| proto::common::RusageReply::default(),
            numbered: 0,
        }
    }

    /// The time of the input being handled.
    pub fn now(&self) -> Now {
        self.now
    }

    pub(crate) fn set_now(&mut self, now: Now) {
        self.now = now;
        self.steps.begin(now);
    }

    /// Notes a step of a job's way, for who asks how long it took (`NAME.job-trace`). Costs next
    /// to nothing.
    pub fn step(&mut self, job: JobId, step: JobStep) {
        self.steps.note(job, step);
    }

    /// The name we are loaded under.
    pub fn name(&self) -> &str {
        &self.welcome.name
    }

    /// Answers under another service name from now on. For programs, which learn their
    /// name only after the start; the name is registered separately.
    pub fn set_name(&mut self, name: &str) {
        name.clone_into(&mut self.welcome.name);
    }

    /// Our identity on route stacks.
    pub fn uuid(&self) -> &str {
        &self.welcome.uuid
    }

    /// Data from the broker at the start: arguments, attributes, configuration.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// An attribute that cannot change any more, or whose changes are reported to us.
    pub fn attr(&self, attr: &Attr) -> Option<&str> {
        self.welcome.attrs.get(attr.name).map(String::as_str)
    }

    /// Our broker's rank.
    pub fn rank(&self) -> u32 {
        self.attr(&names::RANK)
            .and_then(|rank| rank.parse().ok())
            .unwrap_or(0)
    }

    /// User id of the instance owner.
    pub fn owner(&self) -> u32 {
        self.attr(&names::SECURITY_OWNER)
            .and_then(|uid| uid.parse().ok())
            .unwrap_or(u32::MAX)
    }

    /// A value of the configuration.
    pub fn conf(&self, key: &Key) -> Option<&serde_json::Value> {
        key.value(&self.welcome.conf)
    }

    /// True if the instance hides other users' data from `peer`: in private mode, from
    /// everyone but the owner.
    pub fn is_private_to(&self, peer: &Peer) -> bool {
        let is_set = self.conf(&keys::ACCESS_PRIVATE_MODE);
        is_set.and_then(|value| value.as_bool()) == Some(true) && !peer.is_owner()
    }

    /// True if `peer` must not learn that a job of `userid` exists. It is answered as if
    /// there were none.
    pub fn hides(&self, peer: &Peer, userid: u32) -> bool {
        self.is_private_to(peer) && !peer.may_act_for(userid)
    }

    /// Refuses requests that count the jobs of all users.
    pub fn check_may_count(&self, peer: &Peer) -> Result<(), HiddenError> {
        match self.is_private_to(peer) {
            true => Err(HiddenError::Private),
            false => Ok(()),
        }
    }

    /// The debug bits that `flux module debug` sets.
    pub fn debug_bits(&self) -> i64 {
        self.debug_bits
    }

    /// Takes a debug bit that works once.
    pub fn take_debug_bit(&mut self, bit: i64) -> bool {
        let set = self.debug_bits & bit != 0;
        self.debug_bits &= !bit;
        set
    }

    /// Sends a message to our broker.
    pub fn send(&mut self, message: Message) {
        count(&mut self.stats.tx, &message);
        self.outbox.push_back(Output::Send {
            to: PeerId::BROKER,
            message,
        });
    }

    /// Does anything at all. For components that own links, which modules do not.
    pub fn output(&mut self, output: Output) {
        self.outbox.push_back(output);
    }

    /// Replaces a lost broker connection by a new one that was admitted: see
    /// [`Host::broker_found`].
    pub fn reconnect(&mut self, stream: OwnedFd) {
        self.outbox.push_back(Output::Uplink { stream });
    }

    /// Publishes an event to all who may see it.
    pub fn publish<E: Event>(&mut self, event: &E) {
        self.publish_for("", event);
    }

    /// Publishes an event whose topic has `name` in it.
    pub fn publish_for<E: Event>(&mut self, name: &str, event: &E) {
        let mut message = Message::event(&E::topic_for(name));
        message.set_payload(event.encode());
        message.set_flag(Flags::PRIVATE, E::PRIVATE);
        self.send(message);
    }

    /// Asks for events whose topic begins with `topic`. Everything sequenced after
    /// this is delivered. Topics with a route are subscribed by the harness.
    pub fn subscribe(&mut self, topic: &str) {
        let request = proto::event::Subscribe {
            topic: topic.to_owned(),
        };
        let named = topic.to_owned();
        self.call(&request, move |_, _, result| {
            if let Err(error) = result {
                tracing::error!("event.subscribe {named}: {error}");
            }
        });
    }

    /// Takes back one [`Cx::subscribe`].
    pub fn unsubscribe(&mut self, topic: &str) {
        let request = proto::event::Unsubscribe {
            topic: topic.to_owned(),
        };
        self.call(&request, |_, _, _| {});
    }

    /// Runs `run` once, `after` from now.
    pub fn timer(
        &mut self,
        after: Duration,
        run: impl FnOnce(&mut C, &mut Cx<C>) + 'static,
    ) -> TimerId {
        self.timers
            .add(self.now.mono.saturating_add(after), Box::new(run))
    }

    /// Forgets a timer; one that has run is no error.
    pub fn cancel_timer(&mut self, timer: TimerId) {
        self.timers.cancel(timer);
    }

    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.timers.next_due()
    }

    pub(crate) fn pop_due(&mut self) -> Option<TimerFn<C>> {
        self.timers.pop_due(self.now.mono)
    }

    /// Starts a child process; its events come to [`Host::child`].
    pub fn spawn(&mut self, spawn: Spawn) -> ChildId {
        let child = ChildId(self.number());
        self.outbox.push_back(Output::Spawn {
            child,
            spawn: Box::new(spawn),
        });
        child
    }

    /// Writes to a child's standard input, and closes it after that if `eof`.
    pub fn child_input(&mut self, child: ChildId, data: Bytes, eof: bool) {
        self.outbox
            .push_back(Output::ChildInput { child, data, eof });
    }

    /// Writes to a socket pair that a child was given, and closes it after that if `eof`.
    pub fn child_channel(&mut self, child: ChildId, name: &str, data: Bytes, eof: bool) {
        let name = name.to_owned();
        self.outbox.push_back(Output::ChildChannel {
            child,
            name,
            data,
            eof,
        });
    }

    /// Stops reading the output of a child, or resumes.
    pub fn pause_child(&mut self, child: ChildId, paused: bool) {
        self.outbox.push_back(Output::ChildFlow { child, paused });
    }

    /// Gives a child's terminal another size.
    pub fn resize_child(&mut self, child: ChildId, size: WinSize) {
        self.outbox.push_back(Output::ChildSize { child, size });
    }

    /// Signals a child, or the whole process group that it leads.
    pub fn kill_child(&mut self, child: ChildId, signum: i32, group: bool) {
        self.outbox.push_back(Output::Kill {
            child,
            signum,
            group,
        });
    }

    /// Gives `job` to the worker thread, which does jobs in order, and continues in
    /// `done` with the result.
    pub fn work<T: Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut C::Worker) -> T + Send + 'static,
        done: impl FnOnce(&mut C, &mut Cx<C>, T) + 'static,
    ) {
        self.give_work(job, done, false);
    }

    /// The same for work that takes less time than starting a thread. It is done on the spot
    /// while there has been no other work.
    pub fn quick_work<T: Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut C::Worker) -> T + Send + 'static,
        done: impl FnOnce(&mut C, &mut Cx<C>, T) + 'static,
    ) {
        self.give_work(job, done, true);
    }

    fn give_work<T: Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut C::Worker) -> T + Send + 'static,
        done: impl FnOnce(&mut C, &mut Cx<C>, T) + 'static,
        is_quick: bool,
    ) {
        let work = WorkId(self.number());
        let job = Box::new(move |worker: &mut (dyn Any + Send)| -> WorkResult {
            Box::new(worker.downcast_mut().map(job))
        });
        let done: DoneFn<C> = Box::new(move |core, cx, result| {
            match result.downcast().map(|result: Box<Option<T>>| *result) {
                Ok(Some(result)) => done(core, cx, result),
                _ => tracing::error!("a worker or its result has another type than its job"),
            }
        });
        self.work.insert(work, done);
        self.outbox.push_back(Output::Work {
            work,
            job,
            is_quick,
        });
    }

    pub(crate) fn take_work(&mut self, work: WorkId) -> Option<DoneFn<C>> {
        self.work.remove(&work)
    }

    /// A module whose start takes several steps declares that here, in
    /// [`crate::Module::start`], and calls [`Cx::started`] when it is done.
    pub fn hold_start(&mut self) {
        self.start_held = true;
    }

    /// The same for a module that cannot answer before: requests wait as well.
    pub fn hold_requests(&mut self) {
        self.start_held = true;
        self.requests_held = true;
    }

    /// The module counts as running, but requests still wait for [`Cx::started`]: it
    /// needs data from another rank, whose start must not wait for ours.
    pub fn run_on_hold(&mut self) {
        self.start_held = false;
    }

    /// Ends the hold of [`Cx::hold_start`]. An error ends the module.
    pub fn started(&mut self, result: Result<(), Refusal>) {
        self.start_held = false;
        self.requests_held = false;
        if let Err(error) = result {
            self.exit(Err(error));
        }
    }

    /// Gives memory that is no longer in use back to the system: allocators keep it otherwise.
    pub fn give_back_memory(&mut self) {
        self.output(Output::GiveBackMemory);
    }

    /// Ends the component. Requests still open are answered ENOSYS.
    pub fn exit(&mut self, result: Result<(), Refusal>) {
        self.exit.get_or_insert(result);
    }

    /// True if [`Cx::exit`] was called.
    pub fn is_ending(&self) -> bool {
        self.exit.is_some()
    }

    /// Ends a program with an exit code of its own.
    pub fn exit_with(&mut self, code: i32) {
        self.exit_code.get_or_insert(code);
        self.exit.get_or_insert(Ok(()));
    }

    /// Gives the runtime the means to report our resource use.
    pub fn set_rusage(&mut self, rusage: crate::module::RusageFn) {
        self.rusage = rusage;
    }

    /// Sender of a request: see [`Message::sender`].
    pub fn sender_of(&self, request: &Message) -> Option<Identity> {
        Peer::of(request, C::HOPS_SINCE_STAMP).sender
    }

    /// Answers a request at once.
    pub(crate) fn respond(&mut self, request: Message, result: Result<Bytes, Refusal>) {
        if !request.wants_response() {
            return;
        }
        let response = match result {
            Ok(payload) => {
                let payload = self.spent.add_to(self.name(), request.topic(), payload);
                request.into_response(0, payload)
            }
            Err(refusal) => {
                let text = refusal.text.as_deref().map_or(Bytes::new(), nul_terminated);
                request.into_response(refusal.errno.0.max(1), text)
            }
        };
        self.send(response);
    }

    /// Keeps a request to be answered later.
    pub(crate) fn open(&mut self, request: Message, peer: Peer) -> StreamId {
        let id = StreamId(self.number());
        if let Some(sender) = &peer.sender {
            self.open_by_sender
                .insert((sender.clone(), peer.matchtag, id), ());
        }
        self.open.insert(id, Open { request, peer });
        id
    }

    pub(crate) fn has_room_to_open(&self) -> bool {
        self.n_tokens() < OPEN_REQUESTS_MAX
    }

    /// Number of rights to answer, also to cancelled requests: each of them means that
    /// state is kept for it.
    pub fn n_tokens(&self) -> usize {
        Rc::strong_count(&self.closing) - 1
    }

    /// Answers an open request, for the last time if `last`.
    pub(crate) fn answer(
        &mut self,
        id: StreamId,
        result: Result<Bytes, Refusal>,
        last: bool,
    ) -> Sent {
        let request = match last {
            true => self.take_open(id).map(|open| open.request),
            false => self.open.get(&id).map(|open| open.request.clone()),
        };
        let Some(request) = request else {
            return Sent::No(Closed::TakenBack);
        };
        self.respond(request, result);
        Sent::Yes
    }

    fn take_open(&mut self, id: StreamId) -> Option<Open> {
        let open = self.open.remove(&id)?;
        if let Some(sender) = &open.peer.sender {
            self.open_by_sender
                .remove(&(sender.clone(), open.peer.matchtag, id));
        }
        Some(open)
    }

    /// Requests of a client that left, taken out of the table.
    pub(crate) fn requests_of(&mut self, gone: &Peer) -> Vec<StreamId> {
        let Some(sender) = gone.sender.clone() else {
            return Vec::new();
        };
        let ids: Vec<StreamId> = self.ids_of(&sender, 0..=u32::MAX);
        ids.into_iter()
            .filter(|id| self.take_back(*id, gone).is_some())
            .collect()
    }

    /// The request that `canceller` made of `service` with `matchtag`, ended with ENODATA.
    pub(crate) fn cancel(
        &mut self,
        canceller: &Peer,
        service: &str,
        matchtag: u32,
    ) -> Option<StreamId> {
        let sender = canceller.sender.clone()?;
        for id in self.ids_of(&sender, matchtag..=matchtag) {
            let is_its = |open: &Open| topic::service_of(open.request.topic()) == service;
            if self.open.get(&id).is_some_and(is_its)
                && let Some(open) = self.take_back(id, canceller)
            {
                self.respond(open.request, Err(Refusal::END));
                return Some(id);
            }
        }
        None
    }

    fn ids_of(&self, sender: &Identity, tags: std::ops::RangeInclusive<u32>) -> Vec<StreamId> {
        let from = (sender.clone(), *tags.start(), StreamId(0));
        let to = (sender.clone(), *tags.end(), StreamId(u64::MAX));
        self.open_by_sender
            .range(from..=to)
            .map(|((_, _, id), ())| *id)
            .collect()
    }

    fn take_back(&mut self, id: StreamId, by: &Peer) -> Option<Open> {
        let open = self.open.get(&id)?;
        open.peer.is_covered_by(by).then(|| self.take_open(id))?
    }

    /// Answers everything that is still open with `refusal`: we are going down.
    pub(crate) fn refuse_all_open(&mut self, refusal: &Refusal) {
        self.closing.set(true);
        while let Some((id, _)) = self.open.first_key_value() {
            let id = *id;
            self.answer(id, Err(refusal.clone()), true);
        }
    }

    /// Takes all requests out of the table: nobody waits for an answer any more.
    pub(crate) fn forget_all_open(&mut self) -> Vec<StreamId> {
        self.open_by_sender.clear();
        self.early.clear();
        std::mem::take(&mut self.open).into_keys().collect()
    }

    fn number(&mut self) -> u64 {
        self.numbered += 1;
        self.numbered
    }

    /// The message counters, for `stats-get` answers that show them.
    pub fn message_stats(&self) -> MessageStats {
        self.stats
    }
}

/// Stream of a child, by its name in payloads.
impl StdioFd {
    /// `stdin`, `stdout` or `stderr`.
    pub fn as_str(self) -> &'static str {
        match self {
            StdioFd::Stdin => "stdin",
            StdioFd::Stdout => "stdout",
            StdioFd::Stderr => "stderr",
        }
    }
}

/// Text as an error response carries it.
pub(crate) fn nul_terminated(text: &str) -> Bytes {
    let mut bytes = Vec::with_capacity(text.len() + 1);
    bytes.extend(text.bytes().filter(|byte| *byte != 0));
    bytes.push(0);
    bytes.into()
}

pub(crate) fn count(counts: &mut MessageCounts, message: &Message) {
    match message.kind {
        Kind::Request { .. } => counts.request += 1,
        Kind::Response { .. } => counts.response += 1,
        Kind::Event { .. } => counts.event += 1,
        Kind::Control { .. } => counts.control += 1,
    }
}
