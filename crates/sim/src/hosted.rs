//! A node without its process: its worker runs on the spot, and the result waits in
//! line with everything else that happens to it.

use std::any::Any;
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
    worker: Box<dyn Any + Send>,
    results: VecDeque<Input>,
}

impl<N: Node> Hosted<N> {
    /// A node at work.
    pub fn new(node: N, worker: impl Any + Send) -> Hosted<N> {
        Hosted {
            node,
            worker: Box::new(worker),
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
            match self.node.poll()? {
                Output::Work { work, job, .. } => {
                    let result = job(self.worker.as_mut());
                    self.results.push_back(Input::Work { work, result });
                }
                // No simulated child has streams, and nobody reads standard error.
                Output::GiveBackMemory
                | Output::ChildInput { .. }
                | Output::ChildChannel { .. }
                | Output::ChildFlow { .. }
                | Output::ChildSize { .. }
                | Output::Uplink { .. }
                | Output::Log { .. } => {}
                output => return Some(output),
            }
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
