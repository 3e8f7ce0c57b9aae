//! job-manager: owns each job's life from submit to inactive (protocol/11 sections 3 to 14).
//!
//! It is the only writer of `job.*.eventlog`. It never waits: a job that lacks an answer
//! is held as data, and of every job only its next step is ever asked for.
//!
//! Read on in `core.rs` (its state), `state.rs` (how a job moves), `post.rs` (the effects of an
//! event), `batch.rs` and `pace.rs` (how events become durable, and when), `early.rs` (news that
//! others receive before that), `alloc/` and `exec.rs` (the scheduler and the execution
//! service), `housekeeping/` (what runs on nodes before they are free), `bulk/` (commands on
//! many ranks), `journal/` (who listens), `replay/` (the start), `policy/` (what a site may have
//! its own way) and `handlers/` (one file for a group of methods).

#![forbid(unsafe_code)]

mod alloc;
mod batch;
mod bulk;
mod cleaning;
mod core;
mod early;
mod exec;
mod expiration;
mod handlers;
mod housekeeping;
mod job;
mod joblog;
mod jobs;
mod journal;
pub mod limits;
mod pace;
pub mod policy;
mod post;
mod purge;
mod queue;
mod replay;
mod row;
mod rows;
mod state;
mod texts;
mod waits;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use node::{Cx, Host, Module, Peer, Routes, StreamId};
use proto::attr::names;
use proto::config::Queues;
use proto::heartbeat::Pulse;
use proto::job_manager::{
    AllocQuery, Drain, EventsJournal, EventsJournalTaken, ExecHello, GetAttr, GetInfo, HistoryGet,
    HousekeepingKill, Idle, Jobtap, JobtapQuery, Kill, KillAll, List, Memo, PostEvent, Purge,
    PurgeId, QueueEnable, QueueList, QueueStart, QueueStatus, Raise, RaiseAll, Reprioritize,
    ResourceStatus, SchedHello, SchedReady, SetBatchTimeout, SetUrgency, StatsGet, Submit, Update,
    UpdateFactors, Wait,
};
use proto::{Method, Object, Refusal};
use wire::Message;

pub use core::JobManager;
pub use early::EARLY_FILE;
pub use joblog::made_log;
use policy::Policies;

impl Host for JobManager {
    const NAME: &'static str = "job-manager";
    /// The file of events that are ahead of the KVS.
    type Worker = Box<dyn ahead::Log>;
    /// Jobs that are read at the start are let go, or not, by the configuration of that
    /// time.
    const CONFIGURED_EARLY: bool = true;

    fn settled(&mut self, cx: &mut Cx<Self>) {
        handlers::look_at_held(self, cx);
        self.run(cx);
        self.end_turn(cx);
        self.pump(cx);
        self.look_at_waits();
        self.look_at_housekeeping(cx);
        self.clean_log(cx);
        self.put_rows_away();
        self.write_early(cx);
        self.flush(cx);
        self.send_kept(cx);
        self.serve_consumers(cx);
        self.look_at_end(cx);
    }

    fn untagged(&mut self, cx: &mut Cx<Self>, response: &Message) {
        if response.topic() == proto::sched::Alloc::TOPIC {
            self.alloc_answered(cx, response);
        } else if self.exec.is_start(response.topic()) {
            self.exec_answered(cx, response);
        } else {
            tracing::debug!("nobody waits for an answer to {}", response.topic());
        }
    }

    fn closed(&mut self, _cx: &mut Cx<Self>, stream: StreamId) {
        self.journal.closed(stream);
        self.waits.closed(stream);
        self.updates.closed(stream);
    }

    fn disconnected(&mut self, cx: &mut Cx<Self>, gone: &Peer) {
        self.scheduler_gone(cx, gone);
        self.exec_gone(cx, gone);
    }

    fn configure(&mut self, cx: &mut Cx<Self>, conf: &Object) -> Result<(), Refusal> {
        let purge_limits = purge::Limits::new(conf)?;
        let housekeeping = housekeeping::Housekeeping::read(conf)?;
        let queues = Queues::parse(conf)?;
        let row_bytes = rows::most_bytes(conf)?;
        self.early.configure(conf)?;
        self.configure_policies(conf)?;
        self.keep_rows(row_bytes);
        self.purge_limits = purge_limits;
        if self.queues.configure(queues) && self.replay.is_none() {
            self.checkpoint();
        }
        self.take_stopped_back(cx);
        self.housekeeping.configure(housekeeping);
        self.ask_policies(cx, Policies::configured);
        self.run(cx);
        Ok(())
    }

    fn stop(&mut self, cx: &mut Cx<Self>) {
        self.begin_end(cx);
    }

    fn clear_stats(&mut self) {
        self.journal.clear_stats();
    }

    fn check_invariants(&self) {
        self.check();
    }
}

impl Module for JobManager {
    fn routes() -> Routes<Self> {
        Routes::new()
            .later::<Submit>(handlers::submit)
            .on::<List>(handlers::list)
            .on::<GetInfo>(handlers::getinfo)
            .later::<GetAttr>(handlers::getattr)
            .later::<Raise>(handlers::raise)
            .later::<RaiseAll>(handlers::raiseall)
            .on::<Kill>(handlers::kill)
            .on::<KillAll>(handlers::killall)
            .later::<SetUrgency>(handlers::urgency)
            .later::<Memo>(handlers::memo)
            .later::<Update>(handlers::update)
            .later::<PostEvent>(handlers::post_event)
            .later::<Wait>(|core, cx, peer, request, reply| {
                if let Some(reply) = core.unless_done(cx, peer, reply) {
                    core.wait(cx, peer, request.id, reply);
                }
            })
            .later::<Drain>(|core, _, _, _, reply| core.waits.drain(reply))
            .later::<Idle>(|core, _, _, _, reply| core.waits.idle(reply))
            .on::<QueueList>(handlers::queue_list)
            .on::<QueueStatus>(handlers::queue_status)
            .later::<QueueEnable>(handlers::queue_enable)
            .later::<QueueStart>(handlers::queue_start)
            .on::<AllocQuery>(handlers::alloc_query)
            .on::<ResourceStatus>(handlers::resource_status)
            .stream::<SchedHello>(handlers::sched_hello)
            .on::<SchedReady>(handlers::sched_ready)
            .on::<ExecHello>(handlers::exec_hello)
            .stream::<EventsJournal>(|core, cx, peer, request, stream| {
                core.listen(cx, peer, request, stream);
            })
            .on::<EventsJournalTaken>(|core, _, peer, request| {
                core.journal_taken(peer, &request);
                Ok(proto::Empty)
            })
            .later::<Purge>(handlers::purge)
            .later::<PurgeId>(handlers::purge_id)
            .on::<HousekeepingKill>(handlers::housekeeping_kill)
            .on::<Jobtap>(handlers::jobtap)
            .on::<JobtapQuery>(handlers::jobtap_query)
            .on::<Reprioritize>(handlers::reprioritize)
            .on::<UpdateFactors>(handlers::update_factors)
            .on::<HistoryGet>(handlers::history_get)
            .on::<SetBatchTimeout>(|_, _, _, _| Ok(proto::Empty))
            .on::<StatsGet>(handlers::stats_get)
            .event::<Pulse>(|core, cx, _| core.purge_by_limits(cx))
    }

    fn start(cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        let args = cx.welcome().args.clone().unwrap_or_default();
        if let Some(unknown) = args.first() {
            let text = format!("{unknown}: unknown option");
            return Err(Refusal::new(proto::Errno::EINVAL, text));
        }
        let conf = &cx.welcome().conf;
        let mut core = JobManager {
            owner: cx.owner(),
            purge_limits: purge::Limits::new(conf)?,
            stops_queues_on_restart: queue::stops_on_restart(conf)?,
            // Until it has read what is stored, it must write nothing in its place.
            replay: Some(Box::default()),
            ..JobManager::default()
        };
        core.keep_rows(rows::most_bytes(conf)?);
        core.early.configure(conf)?;
        core.policies.load_configured(conf)?;
        core.configure_policies(conf)?;
        core.queues.configure(Queues::parse(conf)?);
        core.housekeeping
            .configure(housekeeping::Housekeeping::read(conf)?);
        JobManager::follow_broker(cx);
        cx.hold_requests();
        // Where the content store is, or has to be as long as the broker.
        let folder = cx.attr(&names::STATEDIR).or(cx.attr(&names::RUNDIR));
        let folder = PathBuf::from(folder.unwrap_or_default());
        cx.quick_work(
            move |log: &mut Box<dyn ahead::Log>| log.open(&folder),
            |core: &mut JobManager, cx, found| {
                core.early.found(found);
                replay::begin(cx);
            },
        );
        Ok(core)
    }
}
