//! What policies want to be done, and doing it: in the order in which it was wanted, each
//! effect complete before the next.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use node::Cx;
use proto::RawJson;
use proto::attr::names;
use proto::data::job::State;
use proto::data::{IdSet, JobId};
use proto::job_manager::JobEvent;
use serde_json::{Map, Value};
use wire::Message;

use super::{Look, Policies, Rank};
use crate::JobManager;
use crate::alloc::exception;
use crate::bulk::Owner;

/// Does what no other want says.
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
        /// Its type.
        kind: &'static str,
        /// 0 ends the job.
        severity: i64,
        /// Why.
        note: String,
    },
    /// Merge notes into those of the job and tell listeners.
    Annotate(JobId, Map<String, Value>),
    /// Give the job these resources, as R, without a scheduler.
    Bypass(JobId, RawJson),
    /// Ask for the job's priority again.
    Rank(JobId),
    /// Ask for the priority of all pending jobs again.
    RankAll,
    /// Wake the policy at this time, in seconds since the epoch; in place of any earlier wish.
    Wake(f64),
    /// Wake the policy once what was said so far is stored.
    WakeWhenStored,
    /// Ask a service; the answer comes under the policy's own number.
    Ask {
        /// The whole topic.
        topic: String,
        /// What to ask, encoded.
        payload: Bytes,
        /// Its number for it.
        token: u64,
    },
    /// Hear no more of what was asked under this number.
    ForgetAsk(u64),
    /// Answer the question of this number: the jobs that are refused, and why.
    Verdict(u64, Vec<(JobId, String)>),
    /// Run a command on some ranks once what was said so far is stored; its lines and ends come
    /// under the policy's own number.
    Run {
        /// Its number for it.
        token: u64,
        /// The command and its arguments.
        command: Vec<String>,
        /// Variables on top of the brokers' own.
        env: BTreeMap<String, String>,
        /// The ranks.
        ranks: IdSet,
    },
    /// Send a signal to what runs under this number.
    SignalRun(u64, i32),
    /// Kill what runs under this number, and tell nothing more of it.
    ForgetRun(u64),
    /// Do this.
    Act(Act),
}

/// What was wanted and is not done yet, and by whom.
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

    /// Wants to hear no more of what it asked.
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

    /// Wants what it runs to get a signal.
    pub fn signal_run(&mut self, token: u64, signum: i32) {
        self.push(Want::SignalRun(token, signum));
    }

    /// Wants to hear no more of what it runs.
    pub fn forget_run(&mut self, token: u64) {
        self.push(Want::ForgetRun(token));
    }

    /// Wants to be woken.
    pub fn wake(&mut self, at: f64) {
        self.push(Want::Wake(at));
    }

    /// Wants to be woken once what was said so far is stored.
    pub fn wake_when_stored(&mut self) {
        self.push(Want::WakeWhenStored);
    }

    /// The next one to be done.
    pub(super) fn next(&mut self) -> Option<(u64, Want)> {
        self.queue.pop_front()
    }
}

impl JobManager {
    /// Asks `ask` of the policies.
    pub(crate) fn ask_policies<T>(
        &mut self,
        cx: &Cx<Self>,
        ask: impl FnOnce(&mut Policies, &Look<'_>) -> T,
    ) -> T {
        let look = Look {
            jobs: &self.jobs,
            queues: &self.queues,
            conf: &cx.welcome().conf,
            now: cx.now(),
            owner: self.owner,
            expiration: self.expiration,
            hosts: cx.attr(&names::HOSTLIST),
            is_ending: self.broker_ends,
        };
        ask(&mut self.policies, &look)
    }

    /// Does what policies want, and what they want because of that.
    pub(crate) fn apply_wants(&mut self, cx: &mut Cx<Self>) {
        while let Some((by, want)) = self.policies.next_want() {
            self.apply_want(cx, by, want);
        }
    }

    fn apply_want(&mut self, cx: &mut Cx<Self>, by: u64, want: Want) {
        match want {
            Want::Post(id, event) => {
                self.post(cx, id, &event);
            }
            Want::AddDependency(id, description) => {
                let job = self.jobs.active(id);
                if job.is_some_and(|job| !job.ever_waited_for(&description)) {
                    self.post(cx, id, &JobEvent::DependencyAdd(description));
                }
            }
            Want::RemoveDependency(id, description) => {
                let job = self.jobs.active(id);
                if job.is_some_and(|job| job.waits_for(&description)) {
                    self.post(cx, id, &JobEvent::DependencyRemove(description));
                }
            }
            Want::Raise {
                id,
                kind,
                severity,
                note,
            } => {
                if let Some(event) = exception(cx, kind, severity, note) {
                    self.post(cx, id, &event);
                }
            }
            Want::Annotate(id, notes) => self.annotate(cx, id, &notes),
            Want::Bypass(id, r) => self.bypass(cx, id, r),
            Want::Rank(id) => self.rank_again(cx, id),
            Want::RankAll => {
                let pending: Vec<JobId> = self.jobs.all_active().map(|job| job.id).collect();
                for id in pending {
                    self.rank_again(cx, id);
                }
            }
            Want::Wake(at) => self.wake_policy(cx, by, at),
            Want::WakeWhenStored => self.batch.then(move |core, cx| {
                core.ask_policies(cx, |policies, look| policies.woken(look, by));
            }),
            Want::Ask {
                topic,
                payload,
                token,
            } => self.ask_service(cx, by, &topic, payload, token),
            Want::ForgetAsk(token) => {
                if let Some(call) = self.policies.take_ask(by, token) {
                    cx.forget_call(call);
                }
            }
            Want::Verdict(ticket, refused) => self.take_verdict(cx, ticket, by, refused),
            Want::Run {
                token,
                command,
                env,
                ranks,
            } => {
                let owner = Owner::Policy { by, token };
                self.run_when_stored(owner, &command, env, ranks);
            }
            Want::SignalRun(token, signum) => {
                self.signal_run(cx, Owner::Policy { by, token }, None, signum);
            }
            Want::ForgetRun(token) => self.forget_run(cx, Owner::Policy { by, token }),
            Want::Act(act) => act(self, cx),
        }
    }

    fn rank_again(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(job) = self.jobs.active_mut(id) else {
            return;
        };
        match job.life.state {
            State::Priority => {
                job.is_unranked = false;
                self.acting.push_back(id);
            }
            State::Sched => {
                let had = job.life.priority;
                match self.rank_of(cx, id) {
                    Rank::Is(priority) if had != Some(priority) => {
                        self.post(cx, id, &JobEvent::Priority(priority));
                    }
                    // It keeps the one it has.
                    Rank::Pass => tracing::error!("{id}: BUG: plugin didn't return priority"),
                    Rank::Is(_) | Rank::Unavailable => {}
                }
            }
            _ => {}
        }
    }

    /// Asks a service, which is waited for while it restarts; no such service is an error at once.
    fn ask_service(&mut self, cx: &mut Cx<Self>, by: u64, topic: &str, payload: Bytes, token: u64) {
        let mut message = Message::request(topic, 0);
        message.set_payload(payload);
        let call = cx.call_raw(message, move |core: &mut JobManager, cx, answer| {
            core.policies.take_ask(by, token);
            let answer = answer.map(|message| message.payload().cloned());
            core.ask_policies(cx, |policies, look| {
                policies.answered(look, by, token, answer);
            });
        });
        self.policies.note_ask(by, token, call);
    }

    fn wake_policy(&mut self, cx: &mut Cx<Self>, by: u64, at: f64) {
        let timer = cx.timer(
            time_until(at, cx.now().wall),
            move |core: &mut JobManager, cx| {
                core.ask_policies(cx, |policies, look| policies.woken(look, by));
            },
        );
        if let Some(earlier) = self.policies.set_timer(by, timer) {
            cx.cancel_timer(earlier);
        }
    }
}

/// How long to sleep until `at`. A timer goes by another clock, and may be a trifle early: what
/// is left then is slept for a moment, not for no time at all, again and again.
fn time_until(at: f64, wall: f64) -> Duration {
    let left = Duration::try_from_secs_f64((at - wall).max(0.0)).unwrap_or(FAR);
    if at > wall { left.max(MOMENT) } else { left }
}

const MOMENT: Duration = Duration::from_millis(1);

/// As far as a timer needs to reach.
const FAR: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_not_woken_again_before_its_time_has_come() {
        let check = |at: f64, wall: f64, expect: Duration| {
            assert_eq!(time_until(at, wall), expect, "{wall} to {at}");
        };
        check(10.5, 10.0, Duration::from_millis(500));
        check(10.0, 10.0, Duration::ZERO);
        check(9.0, 10.0, Duration::ZERO);
        check(1197.915, 1197.914_999_999_999_8, MOMENT);
        check(f64::MAX, 10.0, FAR);
        check(f64::NAN, 10.0, Duration::ZERO);
    }
}
