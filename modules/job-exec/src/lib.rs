//! job-exec: runs jobs for the job manager (RFC 32, protocol/13 sections 5 to 7).
//!
//! It owns a job from its start request to its final release: the guest namespace, the
//! guest log `exec.eventlog`, the job shell, the end of its time. It must never wait
//! between steps of a job that may go on without, and never end a job twice.
//!
//! It runs on every rank. The one of rank 0 is the *head*, which has the jobs; each of them is
//! a *hand*, which has the shell of its own rank (`hand/`), and those above others pass on
//! messages up and down the tree of brokers.
//!
//! Read on in `core.rs` (its state), `state.rs` (how a job moves), `begin.rs`, `gather.rs`,
//! `ending.rs` and `end.rs` (its life in order), `begun.rs` (which jobs have begun), `recovery.rs`
//! (jobs from before us), `process.rs` (whether their shells still run), `store.rs` (what is
//! written to the KVS), `hand/` (shells) and `handlers/` (the methods).

mod begin;
mod begun;
mod config;
mod core;
mod end;
mod ending;
mod escalation;
mod gather;
mod hand;
mod handlers;
mod job;
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

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use node::{ChildEvent, ChildId, Cx, Host, Module, Peer, Routes, StreamId};
use proto::attr::names;
use proto::job_exec::{
    CriticalRanks, Expiration, JobException, Join, Kept, MakeNamespace, Override, Ready, Report,
    ShellBarrier, ShellExit, ShellHear, ShellHello, ShellTell, Start, StatsGet,
};
use proto::job_manager::{ExecHello, Online};
use proto::overlay::Topology;
use proto::{Event, Method, Object, Refusal, Role};

pub use begun::BEGUN_FILE;
use config::Config;
pub use core::{JobExec, Surroundings};
use limits::LEFTOVER_WAIT_S;
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
            self.send_hello(cx);
        }
    }

    fn child(&mut self, cx: &mut Cx<Self>, child: ChildId, event: ChildEvent) {
        self.child_event(cx, child, event);
    }

    fn configure(&mut self, cx: &mut Cx<Self>, conf: &Object) -> Result<(), Refusal> {
        let args = cx.welcome().args.clone().unwrap_or_default();
        let is_read = self.begun.is_kept || self.config.outlasts_power;
        self.config = Config::new(&args, conf)?;
        self.begun.is_kept = is_read && !self.config.outlasts_power;
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
            .on::<Kept>(handlers::kept)
            .later::<MakeNamespace>(handlers::make_namespace)
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
            .heard::<Online>(|core, cx, _, _| core.send_hello(cx))
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
        // Where the content store is, or has to be as long as the brokers.
        let folder = cx.attr(&names::STATEDIR).or(cx.attr(&names::RUNDIR));
        let folder = PathBuf::from(folder.unwrap_or_default());
        let is_head = cx.rank() == 0;
        cx.quick_work(
            move |around: &mut Surroundings| {
                let begun = is_head.then(|| around.begun.open(&folder));
                (around.job_shell.clone(), begun)
            },
            move |core: &mut JobExec, cx, (job_shell, begun)| {
                core.job_shell = job_shell;
                core.read_begun(begun);
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
    /// Receives the jobs that have begun before us.
    fn read_begun(&mut self, begun: Option<io::Result<Vec<u8>>>) {
        match begun {
            Some(Ok(text)) => {
                self.begun.read(&text);
                self.begun.is_kept = !self.config.outlasts_power;
            }
            Some(Err(error)) => {
                tracing::error!("{BEGUN_FILE}: {error}: jobs wait for their logs in the KVS");
            }
            None => {}
        }
    }

    /// A job manager that received our hello has asked for all jobs that it knows to run by
    /// then.
    fn await_handed(&mut self, cx: &mut Cx<Self>) {
        if self.jobs.values().any(|job| job.log.handed.is_some()) {
            let wait = Duration::from_secs(LEFTOVER_WAIT_S);
            cx.timer(wait, JobExec::settle_handed);
        }
    }

    /// Asks for the brokers below: work that concerns them waits for the answer.
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

    /// Announces us to the job manager, until it answers. Not before the jobs from before
    /// our start are known: then it follows by itself.
    fn send_hello(&mut self, cx: &mut Cx<Self>) {
        if self.last_before.is_none() {
            return;
        }
        let service = cx.name().to_owned();
        let hello = ExecHello { service };
        cx.call(&hello, |core: &mut JobExec, cx, result| match result {
            Ok(_) => {
                core.await_leftovers(cx);
                core.await_handed(cx);
            }
            Err(error) => {
                tracing::debug!("job-manager.exec-hello: {error}");
                cx.timer(core::RETRY, JobExec::send_hello);
            }
        });
    }
}
