//! The life of a module: welcome, start, run, finalize, exit (protocol/03 section 4.2).
//!
//! [`Host`] has the events of any component; [`Module`] adds its construction;
//! [`ModuleNode`] plays the module's half of the handshake with the broker.

use std::collections::VecDeque;
use std::time::Duration;

use proto::common::{RusageReply, Welcome};
use proto::module::{ModuleStatus, Status};
use proto::{Errno, Method as _, Object, Payload, Refusal};
use wire::{Kind, Message};

use crate::Cx;
use crate::actor::Actor;
use crate::contract::{ChildEvent, ChildId, Input, Node, Now, Output, PeerId};
use crate::limits::FINALIZE_WAIT_S;
use crate::peer::Peer;
use crate::reply::StreamId;
use crate::routes::Routes;

/// Events of any component besides requests, events and answers. All of them may
/// be ignored.
pub trait Host: Sized + 'static {
    /// The service name it has unless it is loaded under another.
    const NAME: &'static str;

    /// State of its worker thread; `()` without one.
    type Worker: Send + 'static;

    /// Hops that a request has taken since its sender's broker stamped it: one, from
    /// the broker to us. The broker itself is where it is stamped.
    const HOPS_SINCE_STAMP: usize = 1;

    /// A new configuration is taken in before the component has started, too. Otherwise it waits
    /// until then, as other requests do, and the old configuration is used meanwhile.
    const CONFIGURED_EARLY: bool = false;

    /// Everything that had arrived was handled: send off batches now.
    fn settled(&mut self, _cx: &mut Cx<Self>) {}

    /// A request that is not answered, or a stream that has not ended, was taken back, or
    /// its client left. Its token is to be forgotten, unless the answer comes anyway.
    fn closed(&mut self, _cx: &mut Cx<Self>, _stream: StreamId) {}

    /// A response without a matchtag: the answer to a request that was sent as a message
    /// of its own, in a protocol that distinguishes answers by their payload.
    fn untagged(&mut self, _cx: &mut Cx<Self>, _response: &Message) {}

    /// Handles the disconnect of a client, or of another component, that had sent
    /// requests here.
    fn disconnected(&mut self, _cx: &mut Cx<Self>, _gone: &Peer) {}

    /// Handles an event subscribed to by [`Cx::subscribe`]. Role checks are up to the
    /// component; events that have a route go there as well.
    fn event(&mut self, _cx: &mut Cx<Self>, _event: &Message) {}

    /// Something happened to a child process.
    fn child(&mut self, _cx: &mut Cx<Self>, _child: ChildId, _event: ChildEvent) {}

    /// A signal arrived.
    fn signal(&mut self, _cx: &mut Cx<Self>, _signum: i32) {}

    /// A new configuration, whole. A refusal keeps the old one.
    fn configure(&mut self, _cx: &mut Cx<Self>, _conf: &Object) -> Result<(), Refusal> {
        Ok(())
    }

    /// Asked to stop. Finish everything that must be finished, then [`Cx::exit`].
    fn stop(&mut self, cx: &mut Cx<Self>) {
        cx.exit(Ok(()));
    }

    /// Sets counters of its own to zero.
    fn clear_stats(&mut self) {}

    /// Handles the loss of the broker. A module ends; a program may tidy up first.
    fn broker_lost(&mut self, cx: &mut Cx<Self>) {
        cx.exit(Err(Refusal::bare(Errno::ECONNRESET)));
    }

    /// A program has a broker again, by [`crate::Cx::reconnect`]. Events with a route are
    /// subscribed again; all else that the broker knew of us must be sent again by the
    /// component. Requests to the previous broker have been answered EHOSTUNREACH.
    fn broker_found(&mut self, _cx: &mut Cx<Self>) {}

    /// Walks the cross-references and panics on one that is broken.
    fn check_invariants(&self) {}
}

/// A component that the broker loads.
pub trait Module: Host {
    /// Routes.
    fn routes() -> Routes<Self>;

    /// Services to register besides the name.
    fn services() -> &'static [&'static str] {
        &[]
    }

    /// Makes the module. It is RUNNING when this returns, unless [`Cx::hold_start`] was
    /// called. Arguments are in [`Cx::welcome`]; an unknown one is refused with EINVAL
    /// `X: unknown option`.
    fn start(cx: &mut Cx<Self>) -> Result<Self, Refusal>;
}

/// Phase of a module's life cycle. [`next_phase`] has all moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Connected, waiting for the welcome.
    Connecting,
    /// Made, not RUNNING yet.
    Starting,
    /// Answering.
    Running,
    /// No new requests; waiting for the broker's word.
    Finalizing,
    /// Done.
    Exited,
}

/// Event that changes the phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// The welcome came and the core was made.
    Made,
    /// The start is complete.
    Started,
    /// The core wants to end, or was asked to.
    Ended,
    /// The broker has stopped sending requests.
    Drained,
    /// The broker is lost.
    Cut,
}

/// All moves of a module's life; `None` where one does not fit.
pub fn next_phase(phase: Phase, step: Move) -> Option<Phase> {
    use Phase::{Connecting, Exited, Finalizing, Running, Starting};
    match (phase, step) {
        (Connecting, Move::Made) => Some(Starting),
        (Starting, Move::Started) => Some(Running),
        (Starting | Running, Move::Ended) => Some(Finalizing),
        (Connecting, Move::Ended) => Some(Exited),
        (Finalizing, Move::Drained) => Some(Exited),
        (_, Move::Cut) => Some(Exited),
        _ => None,
    }
}

/// Matchtag of the one request that the harness itself waits for; calls of the core
/// count up from 1 and never reach it.
const FINALIZE_TAG: u32 = u32::MAX;

/// Asks a module to stop as its `shutdown` method does.
const SIGTERM: i32 = 15;

/// A module as a node.
pub struct ModuleNode<M: Module> {
    phase: Phase,
    actor: Option<Actor<M>>,
    /// Said before there is an actor, and after it.
    outbox: VecDeque<Output>,
    now: Now,
    /// Time to stop waiting for the broker's answer.
    finalize_by: Option<Duration>,
    /// True if the broker disconnected without notice.
    cut: bool,
    rusage: RusageFn,
}

/// getrusage(2) for `self`, `children` or `thread`, given by the program that runs the node.
pub type RusageFn = fn(&str) -> RusageReply;

impl<M: Module> Default for ModuleNode<M> {
    fn default() -> Self {
        ModuleNode {
            phase: Phase::Connecting,
            actor: None,
            outbox: VecDeque::new(),
            now: Now::default(),
            finalize_by: None,
            cut: false,
            rusage: |_| RusageReply::default(),
        }
    }
}

impl<M: Module> ModuleNode<M> {
    /// A module that can report its resource use.
    pub fn with_rusage(rusage: RusageFn) -> ModuleNode<M> {
        ModuleNode {
            rusage,
            ..ModuleNode::default()
        }
    }

    /// The core, for tests and checkers.
    pub fn core(&self) -> Option<&M> {
        self.actor.as_ref().map(|actor| &actor.core)
    }

    /// True if the broker disconnected without notice.
    pub fn lost_its_broker(&self) -> bool {
        self.cut
    }

    fn step(&mut self, step: Move) -> bool {
        let Some(next) = next_phase(self.phase, step) else {
            return false;
        };
        tracing::trace!("{}: {step:?}: {:?}->{next:?}", M::NAME, self.phase);
        self.phase = next;
        true
    }

    /// The first message is the welcome, with any topic.
    fn welcome(&mut self, message: &Message) {
        let made = Welcome::decode(message.payload())
            .map_err(|bad| Refusal::new(Errno::EPROTO, format!("welcome: {bad}")))
            .and_then(|welcome| Actor::new(self.now, welcome, M::routes(), M::start));
        match made {
            Ok(mut actor) => {
                actor.cx.rusage = self.rusage;
                for service in M::services() {
                    let add = proto::service::Add {
                        service: (*service).to_owned(),
                    };
                    actor.cx.call(&add, |_, cx, result| {
                        if let Err(error) = result {
                            cx.exit(Err(error));
                        }
                    });
                }
                let clear = format!("{}.stats-clear", actor.cx.name());
                actor.cx.subscribe(&clear);
                actor.subscribe_to_routes();
                self.actor = Some(actor);
                self.step(Move::Made);
            }
            Err(error) => {
                // The broker logs it.
                self.step(Move::Ended);
                self.send_status(ModuleStatus::Exited, Some(Err(&error)), 0);
                self.outbox.push_back(Output::Exit { code: 1 });
            }
        }
    }

    fn send_status(
        &mut self,
        status: ModuleStatus,
        end: Option<Result<(), &Refusal>>,
        matchtag: u32,
    ) {
        let errno = |end: Result<(), &Refusal>| end.map_or_else(|error| error.errno.0, |()| 0);
        let text = |end: Result<(), &Refusal>| end.err()?.text.as_deref().map(str::to_owned);
        let status_is = Status {
            status: status as i64,
            errnum: end.map(|end| i64::from(errno(end))),
            errstr: end.and_then(text),
        };
        let mut message = status_is.to_message(matchtag);
        message.set_flag(wire::Flags::NORESPONSE, status != ModuleStatus::Finalizing);
        match &mut self.actor {
            Some(actor) => actor.cx.send(message),
            None => self.outbox.push_back(Output::Send {
                to: PeerId::BROKER,
                message,
            }),
        }
    }

    /// After every input: has the start ended, or the life?
    fn look_at_life(&mut self) {
        let Some(actor) = &self.actor else { return };
        let (ending, held) = (actor.cx.exit.is_some(), actor.cx.start_held);
        if ending && self.step(Move::Ended) {
            return self.finalize();
        }
        if self.phase == Phase::Starting && !held {
            self.step(Move::Started);
            self.send_status(ModuleStatus::Running, None, 0);
        }
    }

    fn finalize(&mut self) {
        self.send_status(ModuleStatus::Finalizing, None, FINALIZE_TAG);
        self.finalize_by = Some(self.now.mono + Duration::from_secs(FINALIZE_WAIT_S));
    }

    /// New requests are refused; answers to the core's own requests go through.
    fn handle_while_finalizing(&mut self, message: Message) {
        if message.matchtag() == FINALIZE_TAG && matches!(message.kind, Kind::Response { .. }) {
            return self.leave();
        }
        if let (Kind::Request { .. }, Some(actor)) = (message.kind, &mut self.actor)
            && actor.cx.asked_to_stop
        {
            actor.cx.respond(message, Err(Refusal::bare(Errno::ENOSYS)));
        }
    }

    fn leave(&mut self) {
        if !self.step(Move::Drained) {
            return;
        }
        let mut result = Ok(());
        if let Some(actor) = &mut self.actor {
            // Requests open at an unrequested end are for the broker to decide: the
            // successor may answer.
            if actor.cx.asked_to_stop {
                actor.cx.refuse_all_open(&Refusal::bare(Errno::ENOSYS));
            }
            result = actor.cx.exit.clone().unwrap_or(Ok(()));
        }
        // The broker logs it.
        let end = result.as_ref().copied();
        self.send_status(ModuleStatus::Exited, Some(end), 0);
        self.outbox.push_back(Output::Exit {
            code: i32::from(result.is_err()),
        });
    }
}

impl<M: Module> Node for ModuleNode<M> {
    fn handle(&mut self, now: Now, input: Input) {
        self.now = now;
        match (self.phase, input) {
            (Phase::Connecting, Input::PeerUp { .. }) => {
                // A ROUTER knows its peers only once they have spoken.
                let hello = Kind::Control {
                    control: proto::module::HELLO,
                    status: 0,
                };
                let message = Message::new(hello);
                self.outbox.push_back(Output::Send {
                    to: PeerId::BROKER,
                    message,
                });
            }
            (Phase::Connecting, Input::Message { message, .. }) => self.welcome(&message),
            (Phase::Exited, _) => return,
            (Phase::Connecting, Input::Signal(SIGTERM)) => {
                self.step(Move::Cut);
                self.outbox.push_back(Output::Exit { code: 1 });
                return;
            }
            (_, Input::Signal(SIGTERM)) => {
                if let Some(actor) = &mut self.actor {
                    actor.cx.asked_to_stop = true;
                    actor.core.stop(&mut actor.cx);
                }
            }
            (_, Input::PeerDown { .. }) => {
                self.step(Move::Cut);
                self.cut = true;
                self.outbox.push_back(Output::Exit { code: 1 });
                return;
            }
            (Phase::Finalizing, Input::Message { message, .. }) => {
                return self.handle_while_finalizing(message);
            }
            (_, input) => {
                if let Some(actor) = &mut self.actor {
                    actor.handle(now, input);
                }
            }
        }
        if self.finalize_by.is_some_and(|by| by <= now.mono) {
            self.leave();
        }
        self.look_at_life();
    }

    fn took(&mut self, time: Duration) {
        if let Some(actor) = &mut self.actor {
            actor.took(time);
        }
    }

    fn poll(&mut self) -> Option<Output> {
        let from_actor = self.actor.as_mut().and_then(Actor::poll);
        from_actor.or_else(|| self.outbox.pop_front())
    }

    fn deadline(&self) -> Option<Duration> {
        let timer = self.actor.as_ref().and_then(Actor::deadline);
        [timer, self.finalize_by].into_iter().flatten().min()
    }

    fn n_tokens(&self) -> usize {
        self.actor.as_ref().map_or(0, |actor| actor.cx.n_tokens())
    }

    fn check_invariants(&self) {
        if let Some(actor) = &self.actor {
            actor.core.check_invariants();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Move, Phase, next_phase};

    #[test]
    fn a_module_lives_through_its_phases_in_order() {
        let life = [Move::Made, Move::Started, Move::Ended, Move::Drained];
        let phases = [
            Phase::Starting,
            Phase::Running,
            Phase::Finalizing,
            Phase::Exited,
        ];
        let mut phase = Phase::Connecting;
        for (step, want) in life.into_iter().zip(phases) {
            phase = next_phase(phase, step).expect("a legal step");
            assert_eq!(phase, want);
        }
    }

    #[test]
    fn a_module_that_ends_twice_is_refused() {
        assert_eq!(next_phase(Phase::Finalizing, Move::Ended), None);
        assert_eq!(next_phase(Phase::Exited, Move::Drained), None);
    }
}
