//! job-exec: runs jobs for the job manager (RFC 32, protocol/13 sections 5 to 7).
//!
//! It owns a job from its start request to its final release: the guest namespace, the
//! guest log `exec.eventlog`, the job shell, the end of its time. It must never wait
//! between steps of a job that may go on without, and never end a job twice.
//!
//! It runs on every rank. The one of rank 0 is the *head*, which has the jobs; each of them is
//! a *hand*, which has the shell of its own rank (`hand/`), and those above others pass on
//! what goes up and down the tree of brokers.
//!
//! Read on in `core.rs` (what it knows), `state.rs` (how a job moves), `begin.rs`,
//! `gather.rs`, `ending.rs` and `end.rs` (its life in order), `recovery.rs` (jobs from
//! before us), `process.rs` (whether their shells still run), `store.rs` (what is written to
//! the KVS), `hand/` (shells) and `handlers/` (the methods).

mod begin;
mod config;
mod core;
mod end;
mod ending;
mod gather;
mod hand;
mod handlers;
mod job;
mod ladder;
pub mod limits;
mod mail;
mod mock;
mod outcomes;
mod process;
mod recovery;
mod signals;
mod state;
mod store;
mod strays;

use node::{ChildEvent, ChildId, Cx, Host, Module, Peer, Routes, StreamId};
use proto::attr::names;
use proto::job_exec::{
    CriticalRanks, Expiration, JobException, Join, Override, Ready, Report, ShellBarrier,
    ShellExit, ShellHear, ShellHello, ShellTell, Start, StatsGet,
};
use proto::job_manager::{ExecHello, Online};
use proto::overlay::Topology;
use proto::{Event, Method, Object, Refusal, Role};

use config::Config;
pub use core::{JobExec, Surroundings};
pub use process::{Process, Processes, Seen, ThisHost};

impl Host for JobExec {
    const NAME: &'static str = "job-exec";
    type Worker = Surroundings;

    fn settled(&mut self, cx: &mut Cx<Self>) {
        self.send_off(cx);
        self.look_for_shells(cx);
        self.report(cx);
        self.send_orders(cx);
    }

    fn closed(&mut self, cx: &mut Cx<Self>, stream: StreamId) {
        self.link_lost(cx, stream);
        self.orders_lost(cx, stream);
    }

    fn disconnected(&mut self, cx: &mut Cx<Self>, gone: &Peer) {
        // A job manager that was restarted does not know us yet.
        if gone.sender.is_some() && gone.sender == self.manager {
            self.manager = None;
            self.say_hello(cx);
        }
    }

    fn child(&mut self, cx: &mut Cx<Self>, child: ChildId, event: ChildEvent) {
        self.child_event(cx, child, event);
    }

    fn configure(&mut self, cx: &mut Cx<Self>, conf: &Object) -> Result<(), Refusal> {
        let args = cx.welcome().args.clone().unwrap_or_default();
        self.config = Config::new(&args, conf)?;
        Ok(())
    }

    fn stop(&mut self, cx: &mut Cx<Self>) {
        self.stop_when_stored(cx);
    }

    fn check_invariants(&self) {
        self.check();
    }
}

impl Module for JobExec {
    fn routes() -> Routes<Self> {
        Routes::new()
            .raw(Start::TOPIC, Role::OWNER, handlers::start)
            .later::<CriticalRanks>(handlers::critical_ranks)
            .later::<Expiration>(handlers::expiration)
            .later::<Override>(handlers::override_)
            .on::<StatsGet>(handlers::stats_get)
            .stream::<ShellHello>(handlers::shell_hello)
            .later::<ShellExit>(handlers::shell_exit)
            .later::<ShellBarrier>(handlers::shell_barrier)
            .later::<ShellTell>(handlers::shell_tell)
            .later::<ShellHear>(handlers::shell_hear)
            .stream::<Join>(handlers::join)
            .later::<Report>(handlers::report)
            // Of interest to the head alone.
            .heard::<JobException>(|core, cx, _, event| core.exception(cx, &event))
            // One that was restarted before it gave us a job does not know us.
            .heard::<Online>(|core, cx, _, _| core.say_hello(cx))
            // Of interest to the others.
            .heard::<Ready>(|core, cx, _, _| core.head_is_ready(cx))
    }

    fn start(cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        let welcome = cx.welcome();
        let args = welcome.args.clone().unwrap_or_default();
        let core = JobExec {
            config: Config::new(&args, &welcome.conf)?,
            ..JobExec::default()
        };
        let is_alone = cx.attr(&names::SIZE).is_none_or(|size| size == "1");
        if !is_alone {
            cx.hold_requests();
        }
        cx.work(
            |around: &mut Surroundings| around.job_shell.clone(),
            move |core: &mut JobExec, cx, job_shell| {
                core.job_shell = job_shell;
                match is_alone {
                    true => core.begin_as_head(cx),
                    false => core.look_below(cx),
                }
            },
        );
        Ok(core)
    }
}

impl JobExec {
    /// Asks which brokers are below: what has to do with them waits for that.
    fn look_below(&mut self, cx: &mut Cx<Self>) {
        let rank = cx.rank();
        cx.call(&Topology { rank }, move |core: &mut JobExec, cx, result| {
            match result {
                Ok(tree) => core.hand.tree = Some(tree),
                Err(error) => return cx.started(Err(error)),
            }
            if rank == 0 {
                core.has_started = true;
                cx.started(Ok(()));
                core.begin_as_head(cx);
                cx.publish(&Ready);
            } else {
                cx.subscribe(Ready::TOPIC);
                core.look_up(cx);
            }
        });
    }

    fn begin_as_head(&mut self, cx: &mut Cx<Self>) {
        cx.subscribe(JobException::TOPIC);
        cx.subscribe(Online::TOPIC);
        self.look_around(cx);
    }

    /// Announces us to the job manager, until it answers. Not before we know what there was
    /// before us: then that follows by itself.
    fn say_hello(&mut self, cx: &mut Cx<Self>) {
        if self.last_before.is_none() {
            return;
        }
        let service = cx.name().to_owned();
        let hello = ExecHello { service };
        cx.call(&hello, |core: &mut JobExec, cx, result| match result {
            Ok(_) => core.await_leftovers(cx),
            Err(error) => {
                tracing::debug!("job-manager.exec-hello: {error}");
                cx.timer(core::RETRY, JobExec::say_hello);
            }
        });
    }
}
