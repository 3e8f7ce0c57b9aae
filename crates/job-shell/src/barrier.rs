//! Barriers among the shells of a job: before their tasks begin, when all have begun, and for each
//! barrier of the tasks themselves, with the keys that these have put since the last one
//! (protocol/21 section 10). job-exec gathers and releases; a job of one shell has none.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use node::{Call, Cx};
use proto::job_exec::{BarrierOpen, ShellBarrier};
use proto::{Errno, Method as _, Payload, Refusal};

use crate::JobShell;
use crate::core::RETRY_FIRST;
use crate::greet::may_pass;
use crate::log::Level;

/// Event that the shells wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// All are ready to start tasks.
    Init,
    /// All have started theirs.
    Start,
    /// All tasks of all shells are in a barrier.
    Exchange,
}

/// Keys and values.
pub type Keys = BTreeMap<String, String>;

/// Barriers passed and to come.
#[derive(Debug, Default)]
pub struct Barriers {
    /// Number of the next one.
    seq: u32,
    /// Clients that wait for the one under way.
    waiting: VecDeque<(Gate, Keys)>,
    is_in: bool,
}

impl JobShell {
    /// Comes to a barrier, or is past it if there are no other shells.
    pub(crate) fn enter(&mut self, cx: &mut Cx<Self>, gate: Gate, keys: Keys) {
        if self.place.size < 2 {
            return self.pass(cx, gate, Keys::new());
        }
        self.barriers.waiting.push_back((gate, keys));
        self.next_barrier(cx);
    }

    fn next_barrier(&mut self, cx: &mut Cx<Self>) {
        if self.barriers.is_in {
            return;
        }
        let Some((gate, keys)) = self.barriers.waiting.pop_front() else {
            return;
        };
        self.barriers.is_in = true;
        let barrier = ShellBarrier {
            id: self.launch.id,
            rank: self.place.rank,
            lease: Some(self.launch.lease.clone()),
            seq: Some(self.barriers.seq),
            data: keys,
        };
        self.barriers.seq += 1;
        self.send_barrier(cx, gate, barrier.encode());
    }

    fn send_barrier(&mut self, cx: &mut Cx<Self>, gate: Gate, payload: Bytes) {
        let call = Call::<ShellBarrier>::with_payload(payload.clone());
        cx.call_with(call, move |core: &mut JobShell, cx, result| match result {
            Ok(BarrierOpen { data }) => {
                core.backoff = RETRY_FIRST;
                core.barriers.is_in = false;
                core.pass(cx, gate, data);
                core.next_barrier(cx);
            }
            Err(error) if may_pass(&error) => {
                let wait = core.next_backoff(ShellBarrier::TOPIC, &error);
                cx.timer(wait, move |core: &mut JobShell, cx| {
                    core.send_barrier(cx, gate, payload);
                });
            }
            Err(error) => {
                core.barriers.is_in = false;
                core.blocked(cx, gate, &error);
                core.next_barrier(cx);
            }
        });
    }

    /// All have come.
    fn pass(&mut self, cx: &mut Cx<Self>, gate: Gate, keys: Keys) {
        match gate {
            Gate::Init => self.launch(cx),
            Gate::Start => self.all_started(cx),
            Gate::Exchange => self.exchanged(cx, Some(keys)),
        }
    }

    /// Not all will come. The shell that does not come sends the reason.
    fn blocked(&mut self, cx: &mut Cx<Self>, gate: Gate, error: &Refusal) {
        tracing::debug!("job={} {gate:?}: {error}", self.launch.id);
        if gate == Gate::Exchange {
            return self.exchanged(cx, None);
        }
        if !matches!(error.errno, Errno::EIO | Errno::ECANCELED) {
            let message = format!("shell_barrier: {error}");
            self.log(cx, Level::Error, None, &message);
        }
        if gate == Gate::Init {
            self.count_code(1);
            self.end_if_idle(cx);
        }
    }
}
