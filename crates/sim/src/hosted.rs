//! A node without its process: its worker runs on the spot, and the result waits in
//! line with everything else that happens to it.

use std::collections::VecDeque;
use std::time::Duration;

use node::{Input, Node, Now, Output};

/// Any node, with any worker.
pub trait AnyNode {
    /// See [`Node::handle`].
    fn handle(&mut self, now: Now, input: Input);
    /// Next output, with work taken care of.
    fn poll(&mut self) -> Option<Output>;
    /// A result of its worker that waits to be handed in.
    fn take_result(&mut self) -> Option<Input>;
    /// See [`Node::deadline`].
    fn deadline(&self) -> Option<Duration>;
    /// See [`Node::n_tokens`].
    fn n_tokens(&self) -> usize;
    /// See [`Node::check_invariants`].
    fn check_invariants(&self);
}

/// A node and the state of its worker.
pub struct Hosted<N: Node> {
    node: N,
    worker: N::Worker,
    results: VecDeque<Input>,
}

impl<N: Node> Hosted<N> {
    /// A node at work.
    pub fn new(node: N, worker: N::Worker) -> Hosted<N> {
        Hosted {
            node,
            worker,
            results: VecDeque::new(),
        }
    }

    /// The node itself.
    pub fn node(&self) -> &N {
        &self.node
    }
}

impl<N: Node> AnyNode for Hosted<N> {
    fn handle(&mut self, now: Now, input: Input) {
        self.node.handle(now, input);
    }

    fn poll(&mut self) -> Option<Output> {
        loop {
            return Some(match self.node.poll()? {
                Output::Work { work, job, .. } => {
                    let result = job(&mut self.worker);
                    self.results.push_back(Input::Work { work, result });
                    continue;
                }
                Output::Send { to, message } => Output::Send { to, message },
                Output::Accept { peer } => Output::Accept { peer },
                Output::Reject { peer, errno } => Output::Reject { peer, errno },
                Output::Close { peer } => Output::Close { peer },
                Output::Spawn { child, spawn } => Output::Spawn { child, spawn },
                Output::Kill {
                    child,
                    signum,
                    group,
                } => Output::Kill {
                    child,
                    signum,
                    group,
                },
                Output::Exit { code } => Output::Exit { code },
                // No simulated child has streams, and nobody reads standard error.
                Output::GiveBackMemory
                | Output::ChildInput { .. }
                | Output::ChildChannel { .. }
                | Output::ChildFlow { .. }
                | Output::ChildSize { .. }
                | Output::Uplink { .. }
                | Output::Log { .. } => continue,
            });
        }
    }

    fn take_result(&mut self) -> Option<Input> {
        self.results.pop_front()
    }

    fn deadline(&self) -> Option<Duration> {
        self.node.deadline()
    }

    fn n_tokens(&self) -> usize {
        self.node.n_tokens()
    }

    fn check_invariants(&self) {
        self.node.check_invariants();
    }
}
