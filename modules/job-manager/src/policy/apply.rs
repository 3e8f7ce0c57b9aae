//! Carrying out the wants of policies: in the order of the wants, each effect complete before the
//! next.

use std::time::Duration;

use bytes::Bytes;
use node::Cx;
use proto::attr::names;
use proto::data::JobId;
use proto::data::job::State;
use proto::job_manager::JobEvent;
use wire::Message;

use super::wants::Want;
use super::{Policies, Rank, View};
use crate::JobManager;
use crate::alloc::exception;
use crate::bulk::Owner;

impl JobManager {
    /// Asks `ask` of the policies.
    pub(crate) fn ask_policies<T>(
        &mut self,
        cx: &Cx<Self>,
        ask: impl FnOnce(&mut Policies, &View<'_>) -> T,
    ) -> T {
        let view = View {
            jobs: &self.jobs,
            queues: &self.queues,
            conf: &cx.welcome().conf,
            now: cx.now(),
            owner: self.owner,
            expiration: self.expiration,
            hosts: cx.attr(&names::HOSTLIST),
            is_ending: self.broker_ends,
        };
        ask(&mut self.policies, &view)
    }

    /// Carries out the wants of policies, and the wants that result from that.
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
                core.ask_policies(cx, |policies, view| policies.woken(view, by));
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
            Want::Verdict(ticket, refused) => self.receive_verdict(cx, ticket, by, refused),
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
            core.ask_policies(cx, |policies, view| {
                policies.answered(view, by, token, answer);
            });
        });
        self.policies.note_ask(by, token, call);
    }

    fn wake_policy(&mut self, cx: &mut Cx<Self>, by: u64, at: f64) {
        let timer = cx.timer(
            time_until(at, cx.now().wall),
            move |core: &mut JobManager, cx| {
                core.ask_policies(cx, |policies, view| policies.woken(view, by));
            },
        );
        if let Some(earlier) = self.policies.set_timer(by, timer) {
            cx.cancel_timer(earlier);
        }
    }
}

/// Time to sleep until `at`. A timer goes by another clock, and may be a trifle early: the
/// rest is slept for a moment, not for no time at all, again and again.
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
        check(1_197.915, 1_197.914_999_999_999_8, MOMENT);
        check(f64::MAX, 10.0, FAR);
        check(f64::NAN, 10.0, Duration::ZERO);
    }
}
