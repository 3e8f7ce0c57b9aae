//! A component that nobody loads: a program on the host, connected to the local
//! socket as any client is. The job shell is one.

use std::collections::VecDeque;
use std::time::Duration;

use proto::common::Welcome;

use crate::actor::Actor;
use crate::contract::{Input, Node, Now, Output};
use crate::module::Module;

/// A program as a node: started when its link is up, ended by its own word.
pub struct ProgramNode<M: Module> {
    args: Vec<String>,
    actor: Option<Actor<M>>,
    outbox: VecDeque<Output>,
    ended: bool,
}

impl<M: Module> ProgramNode<M> {
    /// A program with these command-line arguments.
    pub fn new(args: Vec<String>) -> ProgramNode<M> {
        ProgramNode {
            args,
            actor: None,
            outbox: VecDeque::new(),
            ended: false,
        }
    }

    fn start(&mut self, now: Now) {
        let args = Some(std::mem::take(&mut self.args));
        let welcome = Welcome {
            args,
            name: M::NAME.to_owned(),
            ..Welcome::default()
        };
        match Actor::new(now, welcome, M::routes(), M::start) {
            Ok(mut actor) => {
                actor.subscribe_to_routes();
                self.actor = Some(actor);
            }
            Err(error) => {
                tracing::error!("{}: {error}", M::NAME);
                self.ended = true;
                self.outbox.push_back(Output::Exit { code: 1 });
            }
        }
    }
}

impl<M: Module> Node for ProgramNode<M> {
    fn handle(&mut self, now: Now, input: Input) {
        match (&mut self.actor, input) {
            _ if self.ended => return,
            (None, Input::PeerUp { .. }) => self.start(now),
            (None, _) => {}
            (Some(actor), input @ Input::PeerDown { .. }) => {
                actor.begin(now, &input);
                actor.core.broker_lost(&mut actor.cx);
            }
            (Some(actor), Input::PeerUp { .. }) => actor.begin_again(now),
            (Some(actor), input) => actor.handle(now, input),
        }
        if let Some(actor) = &mut self.actor
            && let Some(result) = &actor.cx.exit
            && !self.ended
        {
            let failed = result
                .as_ref()
                .err()
                .map(|error| tracing::error!("{error}"));
            let code = actor.cx.exit_code.unwrap_or(i32::from(failed.is_some()));
            self.ended = true;
            self.outbox.push_back(Output::Exit { code });
        }
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
        self.actor.as_ref().and_then(Actor::deadline)
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
