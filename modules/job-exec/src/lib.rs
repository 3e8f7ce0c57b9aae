//! job-exec: runs jobs for the job manager (RFC 32, protocol/13 sections 5 to 7).
//!
//! It owns a job from its start request to its final release: the guest namespace, the
//! guest log `exec.eventlog`, the job shell, the end of its time. It must never wait
//! between steps of a job that may go on without, and never end a job twice.
//!
//! Read on in `core.rs` (what it knows), `state.rs` (how a job moves), `begin.rs`,
//! `shells.rs`, `ending.rs` and `end.rs` (its life in order), `recovery.rs` (jobs from
//! before us), `process.rs` (whether their shells still run), `store.rs` (what is written to the KVS) and `handlers/` (the methods).

mod begin;
mod config;
mod core;
mod end;
mod ending;
mod handlers;
mod job;
mod ladder;
pub mod limits;
mod mail;
mod mock;
mod outcomes;
mod process;
mod recovery;
mod shells;
mod signals;
mod state;
mod store;

use node::{ChildEvent, ChildId, Cx, Host, Module, Peer, Routes, StreamId};
use proto::job_exec::{
    CriticalRanks, Expiration, JobException, Override, ShellBarrier, ShellExit, ShellHear,
    ShellHello, ShellTell, Start, StatsGet,
};
use proto::job_manager::{ExecHello, Online};
use proto::{Method, Object, Refusal, Role};

use config::Config;
pub use core::{JobExec, Surroundings};
pub use process::{Process, Processes, Seen, ThisHost};

impl Host for JobExec {
    const NAME: &'static str = "job-exec";
    type Worker = Surroundings;

    fn settled(&mut self, cx: &mut Cx<Self>) {
        self.send_off(cx);
        self.look_for_shells(cx);
    }

    fn closed(&mut self, cx: &mut Cx<Self>, stream: StreamId) {
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
            .on::<CriticalRanks>(handlers::critical_ranks)
            .on::<Expiration>(handlers::expiration)
            .on::<Override>(handlers::override_)
            .on::<StatsGet>(handlers::stats_get)
            .stream::<ShellHello>(handlers::shell_hello)
            .later::<ShellExit>(handlers::shell_exit)
            .later::<ShellBarrier>(handlers::shell_barrier)
            .later::<ShellTell>(handlers::shell_tell)
            .later::<ShellHear>(handlers::shell_hear)
            .event::<JobException>(|core, cx, event| core.exception(cx, &event))
            // One that was restarted before it gave us a job does not know us.
            .event::<Online>(|core, cx, _| core.say_hello(cx))
    }

    fn start(cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        let welcome = cx.welcome();
        let args = welcome.args.clone().unwrap_or_default();
        let core = JobExec {
            config: Config::new(&args, &welcome.conf)?,
            ..JobExec::default()
        };
        cx.work(
            |around: &mut Surroundings| around.job_shell.clone(),
            |core: &mut JobExec, cx, job_shell| {
                core.job_shell = job_shell;
                core.look_around(cx);
            },
        );
        Ok(core)
    }
}

impl JobExec {
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
