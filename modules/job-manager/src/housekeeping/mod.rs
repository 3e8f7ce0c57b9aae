//! Housekeeping: a command on the nodes of a job that has ended, before the scheduler has them
//! again (protocol/25 section 9). It is no part of a job's life: `free` and `clean` come at
//! once, and only `sched.free` waits.
//!
//! Nothing of it is kept: when the job manager starts again, the nodes of jobs that have ended
//! are free. Commands there were killed with their client.

mod config;
mod session;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use node::{Cx, Stream};
use proto::data::job::JobStep;
use proto::data::{IdSet, JobId, Rset};
use proto::job_manager::{HousekeepingStats, SchedHello, SchedHelloJob};
use proto::{Object, Refusal};

use crate::JobManager;
use crate::bulk::{self, Outcome, Owner};
use crate::job::Job;

pub use self::config::Config;
use self::session::{Session, Step};

const SIGTERM: i32 = 15;

/// Housekeeping after jobs.
#[derive(Default)]
pub struct Housekeeping {
    config: Option<Config>,
    sessions: BTreeMap<JobId, Session>,
    /// Jobs with a change in this turn.
    touched: BTreeSet<JobId>,
}

impl Housekeeping {
    /// Reads a new configuration; running commands go on as they began.
    pub fn read(conf: &Object) -> Result<Option<Config>, Refusal> {
        Config::new(conf)
    }

    /// Goes by a new configuration.
    pub fn configure(&mut self, config: Option<Config>) {
        self.config = config;
    }

    /// True if some nodes of a job are not free yet.
    pub fn has(&self, id: JobId) -> bool {
        self.sessions.contains_key(&id)
    }

    /// Resources still held for jobs that have ended.
    pub fn allocated(&self) -> impl Iterator<Item = Rset> {
        let sessions = self.sessions.values();
        sessions.map(|session| session.part(session.held()))
    }

    /// As statistics show it.
    pub fn stats(&self) -> HousekeepingStats {
        let running = self.sessions.iter();
        HousekeepingStats {
            running: running
                .map(|(id, session)| (id.to_string(), session.stats()))
                .collect(),
            config: self.config.as_ref().map(Config::settings),
        }
    }

    /// The command has written a line.
    pub fn wrote(&self, id: JobId, rank: u32, stream: bulk::Stream, line: &str) {
        if let Some(session) = self.sessions.get(&id) {
            session.log(rank, stream, line);
        }
    }

    /// The command is done on a rank.
    pub fn ended(&mut self, id: JobId, rank: u32, outcome: &Outcome) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.ended(rank, outcome);
            self.touched.insert(id);
        }
    }
}

impl JobManager {
    /// Runs the command on some nodes of a job, which is done with them, and with its last if
    /// `is_last`. Without R, or without a command, logs that.
    pub(crate) fn keep_house(
        &mut self,
        cx: &mut Cx<Self>,
        id: JobId,
        ranks: Option<&IdSet>,
    ) -> bool {
        let (Some(config), Some(job)) = (&self.housekeeping.config, self.jobs.active(id)) else {
            return false;
        };
        // Resources that a job brought along are not the scheduler's to give to others.
        let r = job.r.as_ref().filter(|_| !job.life.bypasses);
        let Some(r) = r.and_then(|r| Rset::decode(r.as_str()).ok()) else {
            return false;
        };
        let userid = job.life.userid;
        let (is_last, ranks) = match ranks {
            Some(ranks) => (false, ranks.intersection(&r.ranks())),
            None => (true, r.ranks().difference(&job.life.released)),
        };
        let env = environment(id, userid, &ranks);
        let command = config.command.clone();
        let session = self.housekeeping.sessions.entry(id).or_insert_with(|| {
            let hello = hello(job, None);
            Session::new(hello, r, cx.now().wall, config.release)
        });
        session.add(&ranks, is_last);
        tracing::debug!("housekeeping: {id} started");
        cx.step(id, JobStep::HousekeepingBegun);
        self.housekeeping.touched.insert(id);
        self.run_on(cx, Owner::Housekeeping(id), &command, env, ranks);
        true
    }

    /// The ranks that a job which goes on has given back.
    pub(crate) fn given_back(&self, job: &Job) -> IdSet {
        match self.housekeeping.sessions.get(&job.id) {
            Some(session) => job.life.released.difference(session.held()),
            None => job.life.released.clone(),
        }
    }

    /// Gives back the resources that became free in the turn.
    pub(crate) fn look_at_housekeeping(&mut self, cx: &mut Cx<Self>) {
        for id in std::mem::take(&mut self.housekeeping.touched) {
            let Some(session) = self.housekeeping.sessions.get_mut(&id) else {
                continue;
            };
            if let Some(failures) = session.take_failures() {
                tracing::error!("housekeeping: {failures}");
            }
            let mut parts = Vec::new();
            while let Some(step) = session.due() {
                match step {
                    Step::Wait(seconds) => wait(cx, id, seconds),
                    Step::Free { ranks, is_final } => parts.push((session.part(&ranks), is_final)),
                }
            }
            if session.is_over() {
                tracing::debug!("housekeeping: {id} complete");
                self.housekeeping.sessions.remove(&id);
            }
            for (part, is_final) in parts {
                cx.step(id, JobStep::HousekeepingDone);
                self.free_part(id, &part, is_final);
            }
        }
    }

    /// Sends a scheduler the nodes that are not free yet. One that cannot know that a job
    /// has given back some of its nodes gets the others at once.
    pub(crate) fn hello_of_housekeeping(
        &mut self,
        cx: &mut Cx<Self>,
        partial_ok: bool,
        stream: &mut Stream<SchedHello>,
    ) {
        let mut split = Vec::new();
        for (id, session) in &self.housekeeping.sessions {
            if !partial_ok && session.is_split() {
                split.push(*id);
            } else if self
                .jobs
                .active(*id)
                .is_none_or(|job| !job.life.has_resources)
            {
                stream.send(cx, &session.hello());
            }
        }
        for id in split {
            let session = self.housekeeping.sessions.remove(&id);
            let Some(session) = session else { continue };
            let place = session.place(session.pending());
            tracing::error!(
                "housekeeping: {place} from {id} will be terminated because scheduler does not \
                support restart with partially released resources"
            );
            self.signal_run(cx, Owner::Housekeeping(id), None, SIGTERM);
        }
    }

    /// Sends a signal to the housekeeping processes, of one job or of all, on these ranks
    /// or on all.
    pub(crate) fn signal_housekeeping(
        &mut self,
        cx: &mut Cx<Self>,
        id: Option<JobId>,
        ranks: Option<&IdSet>,
        signum: i32,
    ) {
        let ids = self.housekeeping.sessions.keys().copied();
        let ids: Vec<JobId> = ids.filter(|one| id.is_none_or(|id| id == *one)).collect();
        for id in ids {
            self.signal_run(cx, Owner::Housekeeping(id), ranks, signum);
        }
    }
}

/// Description of a job for a scheduler's hello.
pub(crate) fn hello(job: &Job, free: Option<String>) -> SchedHelloJob {
    SchedHelloJob {
        id: job.id,
        priority: job.life.priority.unwrap_or_default(),
        userid: job.life.userid,
        t_submit: job.life.t_submit,
        free,
    }
}

fn environment(id: JobId, userid: u32, ranks: &IdSet) -> BTreeMap<String, String> {
    let env = [
        ("FLUX_JOB_ID", id.0.to_string()),
        ("FLUX_JOB_USERID", userid.to_string()),
        ("FLUX_JOB_RANKS", ranks.to_string()),
    ];
    env.map(|(name, value)| (name.to_owned(), value)).into()
}

fn wait(cx: &mut Cx<JobManager>, id: JobId, seconds: f64) {
    // A time beyond any clock has no limit.
    let Ok(after) = Duration::try_from_secs_f64(seconds) else {
        return;
    };
    cx.timer(after, move |core, _| {
        if let Some(session) = core.housekeeping.sessions.get_mut(&id) {
            session.time_is_up();
            core.housekeeping.touched.insert(id);
        }
    });
}
