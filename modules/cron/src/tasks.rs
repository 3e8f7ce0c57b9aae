//! Tasks of due entries: a process on its rank, run and watched through the subprocess
//! server of that broker. Its output and its exit are logged.

use std::time::Duration;

use node::{Call, Cx, Delivery, TimerId};
use proto::cron::Task;
use proto::data::job::{WaitStatus, signal_description};
use proto::data::lines::{Lines, Stream};
use proto::rexec::{Command, Exec, Kill, ProcessReply, flags};
use proto::{Errno, Refusal};

use crate::Cron;
use crate::entry::Entry;
use crate::limits::{KILL_WAIT_S, TASK_LINES_MAX};

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

const DEFERRED: &str = "Deferred";
const RUNNING: &str = "Running";
const EXITED: &str = "Exited";
const FAILED: &str = "Failed";
const TIMEOUT: &str = "Timeout";
const NOT_RUN: &str = "Rexec Failure";

/// The task of an entry.
#[derive(Debug)]
pub struct Running {
    /// Data for clients.
    pub data: Task,
    lines: Lines,
    n_lines: u64,
    /// A signal that came before it had a process.
    signal: Option<i32>,
    has_timed_out: bool,
    status: Option<WaitStatus>,
    timers: Vec<TimerId>,
}

impl Running {
    /// One that became due, and waits.
    pub fn new(rank: u32, now: f64) -> Running {
        Running {
            data: Task {
                rank,
                pid: 0,
                status: 0,
                state: DEFERRED.to_owned(),
                code: None,
                create_time: now,
                start_time: None,
                running_time: None,
                end_time: None,
            },
            lines: Lines::default(),
            n_lines: 0,
            signal: None,
            has_timed_out: false,
            status: None,
            timers: Vec::new(),
        }
    }

    /// True if it was not started yet.
    pub fn waits(&self) -> bool {
        self.data.start_time.is_none()
    }
}

impl Cron {
    /// Sends the task of an entry off.
    pub(crate) fn run_task(&mut self, cx: &mut Cx<Self>, id: u64) {
        let now = cx.now().wall;
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let Some(task) = &mut entry.task else { return };
        task.data.start_time = Some(now);
        task.data.state = RUNNING.to_owned();
        entry.stats.lastrun = now;
        let sh = ["sh", "-c", entry.command.as_str()];
        let request = Exec {
            cmd: Command {
                cwd: entry.cwd.clone(),
                cmdline: sh.map(str::to_owned).into(),
                env: entry.environ.clone(),
                ..Command::default()
            },
            flags: flags::STDOUT | flags::STDERR,
            local_flags: None,
            output_credit: None,
            env_add: std::collections::BTreeMap::new(),
        };
        let call = Call::new(&request).to(entry.rank).delivery(Delivery::Now);
        cx.stream_with(call, move |core: &mut Cron, cx, told| {
            core.told(cx, id, told)
        });
    }

    fn told(&mut self, cx: &mut Cx<Self>, id: u64, told: Result<ProcessReply, Refusal>) {
        let now = cx.now().wall;
        let Some(entry) = self.entry_mut(id) else {
            return;
        };
        let Some(task) = &mut entry.task else { return };
        match told {
            Ok(ProcessReply::Started { pid }) => {
                task.data.pid = pid;
                task.data.running_time = Some(now);
                if let Some(timeout) = entry.timeout {
                    let timeout = Duration::try_from_secs_f64(timeout).unwrap_or(Duration::MAX);
                    let timer = cx.timer(timeout, move |core: &mut Cron, cx| {
                        core.task_timed_out(cx, id);
                    });
                    task.timers.push(timer);
                }
                if task.signal.take().is_some() {
                    self.end_task(cx, id);
                }
            }
            Ok(ProcessReply::Output { io, .. }) => {
                let bytes = io.bytes().unwrap_or_default();
                let lines = task.lines.push(&io.stream, &bytes);
                entry.log(lines);
            }
            Ok(ProcessReply::Finished { status }) => {
                task.data.status = status;
                task.status = Some(WaitStatus(status));
            }
            Ok(_) => {}
            Err(end) => self.task_ended(cx, id, &end),
        }
    }

    fn task_timed_out(&mut self, cx: &mut Cx<Self>, id: u64) {
        if let Some(task) = self.entry_mut(id).and_then(|entry| entry.task.as_mut()) {
            task.has_timed_out = true;
            self.end_task(cx, id);
        }
    }

    /// Ends the task of an entry: it is asked to, and has to after a while.
    pub(crate) fn end_task(&mut self, cx: &mut Cx<Self>, id: u64) {
        let Some(task) = self.entry_mut(id).and_then(|entry| entry.task.as_mut()) else {
            return;
        };
        let (rank, pid) = (task.data.rank, task.data.pid);
        if pid == 0 {
            task.signal = Some(SIGTERM);
            return;
        }
        send_signal(cx, rank, pid, SIGTERM);
        let wait = Duration::from_secs(KILL_WAIT_S);
        let timer = cx.timer(wait, move |_: &mut Cron, cx| {
            send_signal(cx, rank, pid, SIGKILL);
        });
        task.timers.push(timer);
    }

    fn task_ended(&mut self, cx: &mut Cx<Self>, id: u64, end: &Refusal) {
        let now = cx.now().wall;
        let Some(entry) = self.entry_mut(id) else {
            return;
        };
        let rest = entry.task.as_mut().map(|task| task.lines.rest());
        entry.log(rest.unwrap_or_default());
        let Some(mut task) = entry.task.take() else {
            return;
        };
        for timer in task.timers.drain(..) {
            cx.cancel_timer(timer);
        }
        let (state, failure) = task.outcome(end);
        task.data.state = state.to_owned();
        task.data.code = task.status.map(WaitStatus::shell_code);
        task.data.end_time = Some(now);
        entry.past.push_front(task.data);
        entry.past.truncate(entry.past_max);
        match failure {
            None => entry.stats.success += 1,
            Some(failure) => {
                tracing::error!("cron-{id}: \"{}\": {state}: {failure}", entry.command);
                self.count_failure(cx, id);
            }
        }
        self.leaving.remove(&id);
    }
}

impl Running {
    /// The state in which it has ended, and the error if there is one.
    fn outcome(&self, end: &Refusal) -> (&'static str, Option<String>) {
        let words = |status: WaitStatus| match (status.signal(), status.exit_code()) {
            (Some(signal), _) => signal_description(signal).into_owned(),
            (None, code) => format!("Exit {}", code.unwrap_or(1)),
        };
        match self.status {
            None => (NOT_RUN, Some(end.to_string())),
            Some(status) if self.has_timed_out => (TIMEOUT, Some(words(status))),
            Some(status) if status.is_success() => (EXITED, None),
            Some(status) => (FAILED, Some(words(status))),
        }
    }
}

impl Entry {
    /// Logs the output of its task.
    fn log(&mut self, lines: Vec<(Stream, String)>) {
        let (id, name, command) = (self.id, &self.name, &self.command);
        let Some(task) = &mut self.task else { return };
        let rank = task.data.rank;
        for (stream, line) in lines {
            task.n_lines += 1;
            if task.n_lines > TASK_LINES_MAX {
                if task.n_lines == TASK_LINES_MAX + 1 {
                    tracing::error!("cron-{id}[{name}]: more than {TASK_LINES_MAX} lines");
                }
                continue;
            }
            match stream {
                Stream::Stdout => {
                    tracing::info!(
                        "cron-{id}[{name}]: rank={rank}: command=\"{command}\": \"{line}\""
                    );
                }
                Stream::Stderr => {
                    tracing::error!(
                        "cron-{id}[{name}]: rank={rank}: command=\"{command}\": \"{line}\""
                    );
                }
            }
        }
    }
}

fn send_signal(cx: &mut Cx<Cron>, rank: u32, pid: i32, signum: i32) {
    let kill = Kill {
        pid: i64::from(pid),
        signum,
        label: None,
    };
    let call = Call::new(&kill).to(rank).delivery(Delivery::Now);
    cx.call_with(call, move |_, _, result| match result {
        // It has ended meanwhile.
        Err(refusal) if refusal.errno != Errno::ESRCH => {
            tracing::error!("rexec.kill: rank {rank}, pid {pid}: {refusal}");
        }
        _ => {}
    });
}
