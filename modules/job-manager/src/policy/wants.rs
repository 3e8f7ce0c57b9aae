//! Requests of policies, as data.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use node::Cx;
use proto::RawJson;
use proto::data::{IdSet, JobId};
use proto::job_manager::JobEvent;
use serde_json::{Map, Value};

use crate::JobManager;

/// An effect that no other want has.
pub type Act = Box<dyn FnOnce(&mut JobManager, &mut Cx<JobManager>)>;

/// One effect.
pub enum Want {
    /// Post an event.
    Post(JobId, JobEvent),
    /// Add a dependency, unless the job ever had it.
    AddDependency(JobId, String),
    /// Take one away.
    RemoveDependency(JobId, String),
    /// Raise an exception in the owner's name.
    Raise {
        /// On which job.
        id: JobId,
        /// Type.
        kind: &'static str,
        /// 0 ends the job.
        severity: i64,
        /// Note.
        note: String,
    },
    /// Merge notes into those of the job and notify listeners.
    Annotate(JobId, Map<String, Value>),
    /// Give the job these resources, as R, without a scheduler.
    Bypass(JobId, RawJson),
    /// Ask for the job's priority again.
    Rank(JobId),
    /// Ask for the priority of all pending jobs again.
    RankAll,
    /// Wake the policy at this time, in seconds since the epoch; in place of any earlier wish.
    Wake(f64),
    /// Wake the policy once its changes so far are stored.
    WakeWhenStored,
    /// Ask a service; the answer comes under the policy's own number.
    Ask {
        /// The whole topic.
        topic: String,
        /// Encoded request.
        payload: Bytes,
        /// Number for it.
        token: u64,
    },
    /// Drop the answers to the request under this number.
    ForgetAsk(u64),
    /// Answer the question of this number: the jobs that are refused, and why.
    Verdict(u64, Vec<(JobId, String)>),
    /// Run a command on some ranks once the changes so far are stored; its lines and ends come
    /// under the policy's own number.
    Run {
        /// Number for it.
        token: u64,
        /// The command and its arguments.
        command: Vec<String>,
        /// Variables on top of the brokers' own.
        env: BTreeMap<String, String>,
        /// The ranks.
        ranks: IdSet,
    },
    /// Send a signal to the processes under this number.
    SignalRun(u64, i32),
    /// Kill the processes under this number, and send no more news of them.
    ForgetRun(u64),
    /// Do this.
    Act(Act),
}

/// Requests that are not carried out yet, with their policies.
#[derive(Default)]
pub struct Wants {
    /// The policy that is being asked, by its number.
    pub(super) by: u64,
    queue: VecDeque<(u64, Want)>,
}

impl Wants {
    /// Wants something.
    pub fn push(&mut self, want: Want) {
        self.queue.push_back((self.by, want));
    }

    /// Wants an event posted.
    pub fn post(&mut self, id: JobId, event: JobEvent) {
        self.push(Want::Post(id, event));
    }

    /// Wants a job to wait for this.
    pub fn add_dependency(&mut self, id: JobId, description: &str) {
        self.push(Want::AddDependency(id, description.to_owned()));
    }

    /// Wants a job to wait for this no more.
    pub fn remove_dependency(&mut self, id: JobId, description: &str) {
        self.push(Want::RemoveDependency(id, description.to_owned()));
    }

    /// Wants an exception raised.
    pub fn raise(&mut self, id: JobId, kind: &'static str, severity: i64, note: String) {
        let want = Want::Raise {
            id,
            kind,
            severity,
            note,
        };
        self.push(want);
    }

    /// Wants to ask a service.
    pub fn ask(&mut self, topic: &str, payload: Bytes, token: u64) {
        let topic = topic.to_owned();
        self.push(Want::Ask {
            topic,
            payload,
            token,
        });
    }

    /// Wants no more answers to its request.
    pub fn forget_ask(&mut self, token: u64) {
        self.push(Want::ForgetAsk(token));
    }

    /// Wants a question answered.
    pub fn verdict(&mut self, ticket: u64, refused: Vec<(JobId, String)>) {
        self.push(Want::Verdict(ticket, refused));
    }

    /// Wants a command to run.
    pub fn run(
        &mut self,
        token: u64,
        command: Vec<String>,
        env: BTreeMap<String, String>,
        ranks: IdSet,
    ) {
        self.push(Want::Run {
            token,
            command,
            env,
            ranks,
        });
    }

    /// Wants a signal sent to its processes.
    pub fn signal_run(&mut self, token: u64, signum: i32) {
        self.push(Want::SignalRun(token, signum));
    }

    /// Wants no more news of its processes.
    pub fn forget_run(&mut self, token: u64) {
        self.push(Want::ForgetRun(token));
    }

    /// Wants to be woken.
    pub fn wake(&mut self, at: f64) {
        self.push(Want::Wake(at));
    }

    /// Wants to be woken once its changes so far are stored.
    pub fn wake_when_stored(&mut self) {
        self.push(Want::WakeWhenStored);
    }

    /// The next one to be done.
    pub(super) fn next(&mut self) -> Option<(u64, Want)> {
        self.queue.pop_front()
    }
}
