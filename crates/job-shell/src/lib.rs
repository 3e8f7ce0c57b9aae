//! The job shell: runs the tasks of one job on one rank (protocol/13 sections 8 to 15).
//!
//! A job has one on each of its ranks. The first of them leads: it alone writes the job's logs and
//! the files that all tasks share, and decides the end of the job; the others report to it.
//!
//! It is a program that connects to the broker as any client does. It is started by
//! job-exec and outlives it: until job-exec has acknowledged the outcome, the shell asks
//! again. It outlives the broker too, where another one can come in its place (`lost.rs`).
//!
//! The states are in `state.rs`; `greet.rs`, `prepare.rs`, `launch.rs`, `tasks.rs` and `leave.rs`
//! are its life in order; `store.rs`, `output.rs` and `log.rs` handle output and messages,
//! `barrier.rs`, `send.rs` and `receive.rs` the shells of one job among themselves, `array/`
//! elements in place of tasks, `follow.rs` input received by another shell, `rexec.rs` processes
//! for clients, `pty.rs` tasks on terminals, `scripts.rs` and `task_topics.rs` Lua files of sites
//! and users, and `coprocess.rs` helpers beside the tasks. Pure helpers: `job.rs`, `distribute.rs`,
//! `options/`, `placement.rs`, `environment.rs`, `mustache.rs`, `lines.rs`, `feed.rs`,
//! `messages.rs`. Tasks are served PMI by the crate `pmi`. Files are touched in `worker.rs`,
//! `unpack.rs`, `cgroup.rs`, `disk.rs` and `attributes.rs` alone. Before tasks start come
//! `staging.rs` and `hwloc.rs`; `usage.rs` reports their usage.

mod array;
mod attributes;
mod barrier;
mod cgroup;
mod clients;
mod coprocess;
mod core;
mod disk;
mod distribute;
mod environment;
mod feed;
mod follow;
mod greet;
mod hwloc;
mod input;
mod job;
mod launch;
mod leave;
pub mod limits;
mod lines;
mod log;
mod lost;
mod messages;
mod mustache;
mod options;
mod output;
mod placement;
mod prepare;
mod pty;
mod receive;
mod rexec;
mod scripts;
mod send;
mod signals;
mod staging;
mod state;
mod store;
mod task_topics;
mod tasks;
mod topology;
mod turns;
mod unpack;
mod usage;
mod worker;

use node::{ChildEvent, ChildId, Cx, Host, Module, Routes, StreamId};
use proto::data::JobId;
use proto::heartbeat::Pulse;
use proto::job_manager::ShellKill;
use proto::job_shell::{
    ArrayCancel, ArrayEnded, ArrayNext, ArrayRetry, ArrayState, CoprocessWrite, Exception,
    Proctable, Stdin,
};
use proto::{Errno, Refusal};

pub use core::{JobShell, Launch};
pub use environment::is_utf8;
pub use worker::Files;

use state::State;

impl Host for JobShell {
    const NAME: &'static str = "shell";
    type Worker = Files;

    fn settled(&mut self, cx: &mut Cx<Self>) {
        self.send_words(cx);
        // Lines left at the end go with the report, and only with it.
        let is_leaving = matches!(self.state(), State::Draining | State::Leaving | State::Gone);
        if !is_leaving {
            self.send_off(cx);
        }
    }

    fn closed(&mut self, cx: &mut Cx<Self>, request: StreamId) {
        self.forget_wait(request);
        self.forget_asking(request);
        self.forget_helper(cx, request);
        if let Some(terminals) = &mut self.terminals {
            terminals.closed(cx, request);
        }
    }

    fn child(&mut self, cx: &mut Cx<Self>, child: ChildId, event: ChildEvent) {
        if terminus::child(self, cx, child, &event) {
            return;
        }
        let event = self.helper_event(cx, child, event);
        let event = event.and_then(|event| self.coprocess_event(cx, child, event));
        if let Some(event) = event {
            self.child_event(cx, child, event);
        }
    }

    fn signal(&mut self, cx: &mut Cx<Self>, signum: i32) {
        self.signalled(cx, signum);
    }

    fn broker_lost(&mut self, cx: &mut Cx<Self>) {
        self.lose_broker(cx);
    }

    fn broker_found(&mut self, cx: &mut Cx<Self>) {
        self.find_broker(cx);
    }

    fn check_invariants(&self) {
        self.check();
    }
}

impl Module for JobShell {
    fn routes() -> Routes<Self> {
        Routes::new()
            .later::<Stdin>(Self::take_input)
            .later::<Exception>(Self::exception)
            .later::<Proctable>(Self::proctable)
            .on::<CoprocessWrite>(Self::take_coprocess)
            .later::<ArrayNext>(Self::array_next)
            .on::<ArrayEnded>(Self::array_ended)
            .on::<ArrayCancel>(Self::array_cancel)
            .on::<ArrayRetry>(Self::array_retry)
            .on::<ArrayState>(Self::array_state)
            .heard::<ShellKill>(Self::kill_event)
            .heard::<Pulse>(|core, cx, _, _| core.pulse(cx))
            .with_service(Self::NAME, terminus::routes(rexec::routes()))
    }

    fn start(cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        let args = cx.welcome().args.clone().unwrap_or_default();
        let mut shell = JobShell::new(Launch::read(&args)?);
        shell.introduce(cx);
        Ok(shell)
    }
}

impl Launch {
    /// Reads `ID [lease=X] [pid=N] [utf8=0|1] [tmpdir=DIR] [urifile=PATH] [libpmi=PATH]`.
    fn read(args: &[String]) -> Result<Launch, Refusal> {
        let usage = || Refusal::new(Errno::EINVAL, "Usage: flux-shell JOBID");
        let (id, rest) = args.split_first().ok_or_else(usage)?;
        let id: u64 = id.parse().map_err(|_| usage())?;
        let mut launch = Launch {
            id: JobId(id),
            ..Launch::default()
        };
        for word in rest {
            match word.split_once('=') {
                Some(("lease", lease)) => lease.clone_into(&mut launch.lease),
                Some(("pid", pid)) => launch.pid = pid.parse().map_err(|_| usage())?,
                Some(("utf8", utf8)) => launch.utf8 = utf8 == "1",
                Some(("tmpdir", tmpdir)) => tmpdir.clone_into(&mut launch.tmpdir),
                Some(("urifile", path)) => path.clone_into(&mut launch.uri_file),
                Some(("libpmi", path)) => path.clone_into(&mut launch.pmi_library),
                _ => return Err(usage()),
            }
        }
        Ok(launch)
    }
}
