//! The tasks while they run: their output, their exit, and the consequences (protocol/13
//! section 12).

use std::time::Duration;

use bytes::Bytes;
use node::{ChildId, Cx, StdioFd};
use proto::data::Fsd;
use proto::data::job::{WaitStatus, signal_description};
use serde_json::Value;

use crate::JobShell;
use crate::job::Job;
use crate::lines::{Buffering, Lines};
use crate::log::Level;
use crate::messages::{ShellMessage, TaskExit};
use crate::options::Options;
use crate::signals::SIGKILL;
use crate::state::{Move, State};

/// One task.
#[derive(Debug)]
pub struct Task {
    /// Rank in the job.
    pub rank: u32,
    /// It, until it has ended and closed its streams.
    pub child: Option<ChildId>,
    /// Process id, once it is known.
    pub pid: i32,
    /// Exit status.
    pub status: Option<WaitStatus>,
    /// The terminal that it runs on, and whether its output is kept.
    pub terminal: Option<Capture>,
    /// Data held back of its streams; `None` when they are closed.
    stdout: Option<Lines>,
    stderr: Option<Lines>,
}

/// Destination of a task's terminal output, besides its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capture {
    /// The stream is standard output.
    Kept,
    /// Nothing.
    Dropped,
}

/// First exit in a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstExit {
    /// A task of the shell of this rank.
    Task(u32, TaskExit),
    /// The shell of this rank, without a word.
    Shell(u32),
}

impl FirstExit {
    fn has_failed(self) -> bool {
        match self {
            FirstExit::Task(_, exit) => exit.status != 0,
            FirstExit::Shell(_) => true,
        }
    }
}

impl Task {
    /// A task that is being started.
    pub fn new(rank: u32, child: ChildId, options: &Options) -> Task {
        let lines = |stream: &crate::options::Stream| {
            // Labels go before lines, so there must be lines.
            let labelled = stream.label && stream.path.is_some();
            Lines::new(match labelled {
                true => Buffering::Line,
                false => stream.buffering,
            })
        };
        let terminal = options.pty.as_ref().filter(|pty| pty.has(rank));
        let terminal = terminal.map(|pty| match pty.capture {
            true => Capture::Kept,
            false => Capture::Dropped,
        });
        Task {
            rank,
            child: Some(child),
            pid: 0,
            status: None,
            terminal,
            stdout: Some(match terminal {
                Some(Capture::Dropped) => Lines::new(Buffering::None),
                _ => lines(&options.stdout),
            }),
            // A terminal shows both.
            stderr: terminal.is_none().then(|| lines(&options.stderr)),
        }
    }

    /// The same of an element, of whose streams these are read here.
    pub fn of_element(
        index: u32,
        child: ChildId,
        options: &Options,
        [out, err]: [bool; 2],
    ) -> Task {
        let task = Task::new(index, child, options);
        Task {
            stdout: task.stdout.filter(|_| out),
            stderr: task.stderr.filter(|_| err),
            ..task
        }
    }

    /// The place of one that is yet to come.
    pub fn none() -> Task {
        Task {
            rank: 0,
            child: None,
            pid: 0,
            status: None,
            terminal: None,
            stdout: None,
            stderr: None,
        }
    }

    /// True if it can be signalled.
    pub fn is_alive(&self) -> bool {
        self.child.is_some()
    }

    /// The task could not be started; returns the child that does not exist.
    pub fn never_ran(&mut self) -> Option<ChildId> {
        (self.stdout, self.stderr) = (None, None);
        self.child.take()
    }

    fn lines(&mut self, stream: StdioFd) -> &mut Option<Lines> {
        match stream {
            StdioFd::Stderr => &mut self.stderr,
            StdioFd::Stdin | StdioFd::Stdout => &mut self.stdout,
        }
    }

    /// True if it has exited and closed its streams.
    pub fn is_over(&self) -> bool {
        self.status.is_some() && self.stdout.is_none() && self.stderr.is_none()
    }
}

impl JobShell {
    /// A task wrote something, or closed a stream.
    pub(crate) fn task_wrote(
        &mut self,
        cx: &mut Cx<Self>,
        index: usize,
        stream: StdioFd,
        data: Bytes,
        eof: bool,
    ) {
        let Some(lines) = self.tasks[index].lines(stream) else {
            return;
        };
        let mut ready = lines.push(data);
        if eof {
            let rest = lines.rest();
            if ready.is_empty() {
                ready = rest;
            } else if !rest.is_empty() {
                ready = [&ready[..], &rest[..]].concat().into();
            }
            *self.tasks[index].lines(stream) = None;
        }
        let terminal = self.tasks[index].terminal;
        if terminal == Some(Capture::Dropped) {
            ready = Bytes::new();
        }
        // The ends of the streams of all elements are told at once, when all have ended.
        let is_array = self.array.is_some();
        self.pass_on(cx, index, stream, &ready, eof && !is_array);
        if eof && terminal.is_some() {
            self.pass_on(cx, index, StdioFd::Stderr, &Bytes::new(), true);
        }
        self.regulate(cx);
        match is_array {
            true => self.element_over(cx, index),
            false => self.task_over(cx, index),
        }
    }

    /// A task ended. Its output may still follow.
    pub(crate) fn task_exited(&mut self, cx: &mut Cx<Self>, index: usize, status: i32) {
        let status = WaitStatus(status);
        self.tasks[index].status = Some(status);
        self.close_input(cx, index);
        let code = u8::try_from(status.shell_code()).unwrap_or(1);
        self.count_code(code);
        let task = &self.tasks[index];
        let exit = TaskExit {
            localid: u32::try_from(index).unwrap_or(u32::MAX),
            rank: task.rank,
            pid: task.pid,
            status: status.0,
        };
        let message = format!("task {} complete status={code}", task.rank);
        if status.signal() == Some(SIGKILL) {
            self.look_for_kills(cx);
        }
        self.log(cx, Level::Debug, None, &message);
        self.send_exit(cx, index);
        let first = FirstExit::Task(self.place.rank, exit);
        if self.place.is_leader() {
            self.job_exit(cx, first);
        } else if self.first_exit.is_none() {
            self.first_exit = Some(first);
            self.send_to_leader(cx, &ShellMessage::Exit(exit));
        }
        self.task_over(cx, index);
    }

    /// A task that has ended and whose streams are closed is done with.
    fn task_over(&mut self, cx: &mut Cx<Self>, index: usize) {
        if !self.tasks[index].is_over() {
            return;
        }
        if let Some(child) = self.tasks[index].child.take() {
            self.children.remove(&child);
        }
        self.end_if_idle(cx);
    }

    /// Handles the exit of a task of the job, or the loss of a shell with all of its tasks.
    /// Only the first of these has consequences (protocol/23 section 12).
    pub(crate) fn job_exit(&mut self, cx: &mut Cx<Self>, exit: FirstExit) {
        let is_first = self.first_exit.is_none();
        if is_first {
            self.first_exit = Some(exit);
            if self.is_started {
                self.log_exit(cx);
            }
            if self.starting.is_none() {
                self.arm_exit_timer(cx);
            }
        }
        let is_lost = matches!(exit, FirstExit::Shell(_));
        if is_lost || (is_first && exit.has_failed()) {
            self.end_on_error(cx, exit);
        }
    }

    /// Writes down how the first task ended, behind the start of all.
    pub(crate) fn log_exit(&mut self, cx: &Cx<Self>) {
        let tells = self.job.as_ref().is_none_or(|job| job.options.tells_exit);
        if let Some(FirstExit::Task(_, exit)) = self.first_exit
            && tells
            && !std::mem::replace(&mut self.is_exit_logged, true)
        {
            let (now, context) = (cx.now().wall, exit.context());
            self.store.event(now, "shell.task-exit", &context);
        }
    }

    /// Gives the other tasks their time since the first one ended. It begins when all were
    /// started: one that was not cannot end.
    pub(crate) fn arm_exit_timer(&mut self, cx: &mut Cx<Self>) {
        let timeout = self.job.as_ref().and_then(|job| job.options.exit_timeout);
        let (Some(timeout), Some(exit)) = (timeout, self.first_exit) else {
            return;
        };
        let has_more = self.job.as_ref().is_some_and(|job| job.ntasks > 1);
        if self.place.is_leader() && has_more && self.exit_timer.is_none() {
            let expired = move |core: &mut JobShell, cx: &mut Cx<JobShell>| {
                core.exit_timed_out(cx, exit, timeout);
            };
            self.exit_timer = Some(cx.timer(timeout, expired));
        }
    }

    fn exit_timed_out(&mut self, cx: &mut Cx<Self>, exit: FirstExit, timeout: Duration) {
        self.exit_timer = None;
        let timeout = Fsd::from_secs(timeout.as_secs_f64()).unwrap_or_default();
        let (who, how) = self.describe(exit);
        let note = format!("{who} exited{how} and exit-timeout={timeout} has expired");
        self.end_job(cx, &note, None);
    }

    /// Ends the job because of a task's result.
    fn end_job(&mut self, cx: &mut Cx<Self>, note: &str, wait_status: Option<i32>) {
        if !self.raised {
            self.log(cx, Level::Fatal, Some("task-exit"), note);
            self.raise(cx, note, wait_status);
        }
    }

    /// With `-o exit-on-error`, the first task that ends also ends the others if it has failed.
    fn end_on_error(&mut self, cx: &mut Cx<Self>, exit: FirstExit) {
        if !self
            .job
            .as_ref()
            .is_some_and(|job| job.options.exit_on_error)
        {
            return;
        }
        let (who, how) = self.describe(exit);
        let note = format!("{who} failed{how} and exit-on-error is set");
        let status = match exit {
            FirstExit::Task(_, exit) => Some(exit.status),
            FirstExit::Shell(_) => {
                self.count_code(1);
                None
            }
        };
        self.end_job(cx, &note, status);
    }

    /// Task and exit, as in messages.
    fn describe(&self, exit: FirstExit) -> (String, String) {
        let Some(job) = &self.job else {
            return (String::new(), String::new());
        };
        let command = job.command.first().map_or("", String::as_str);
        let command = command.rsplit('/').next().unwrap_or(command);
        match exit {
            FirstExit::Task(shell, exit) => {
                let (rank, host) = (exit.rank, job.host_of(shell));
                let how = describe_exit(exit.status());
                (
                    format!("{command}: task rank {rank} on host {host}"),
                    format!(" ({how})"),
                )
            }
            FirstExit::Shell(shell) => {
                let host = job.host_of(shell);
                let who = format!("{command}: shell rank {shell} on host {host}");
                (who, String::new())
            }
        }
    }

    /// Nothing runs here any more.
    pub(crate) fn ended(&mut self, cx: &mut Cx<Self>) {
        if self.orphaned {
            return self.go(cx);
        }
        if self.close_meter(cx) {
            return;
        }
        let is_leader = self.place.is_leader();
        if is_leader && !self.others.are_complete() {
            if self.state() != State::Hearing && self.step(Move::Idle) {
                self.finish(cx);
                // Clients that wait do so for tasks here.
                self.release_input(cx);
            }
            return;
        }
        let was_hearing = self.state() == State::Hearing;
        if self.state() != State::Draining && self.step(Move::Ended) {
            if is_leader {
                self.announce_topic(cx, "shell.tasks-complete", &Value::Null);
            }
            if !was_hearing {
                self.finish(cx);
            }
            self.release_input(cx);
            self.sum_up(cx);
        }
        self.leave_if_drained(cx);
    }

    /// The last task here has ended.
    fn finish(&mut self, cx: &mut Cx<Self>) {
        if !self.tasks.is_empty() {
            self.announce_topic(cx, "shell.finish", &Value::Null);
        }
        self.end_helpers(cx);
        self.end_coprocesses(cx);
    }

    /// The other shells have ended their tasks.
    pub(crate) fn others_done(&mut self, cx: &mut Cx<Self>) {
        if self.state() == State::Hearing {
            self.ended(cx);
        }
    }

    /// Logs the final messages.
    fn sum_up(&mut self, cx: &mut Cx<Self>) {
        let is_leader = self.place.is_leader();
        if is_leader {
            self.sum_up_array(cx);
            self.sum_up_output(cx);
            self.debug(cx, "tasks-complete", "all shells report tasks complete");
        }
        self.send_end(cx);
        let message = format!("exit {}", self.code);
        self.log(cx, Level::Debug, None, &message);
        for timer in [self.exit_timer.take(), self.warning.take()]
            .into_iter()
            .flatten()
        {
            cx.cancel_timer(timer);
        }
        if !is_leader {
            return self.send_to_leader(cx, &ShellMessage::Complete);
        }
        self.log_exit(cx);
        if let Some(job) = self.job.clone() {
            // A job that never got to its tasks has a log too.
            let n_writers = self.n_writers(&job);
            self.store.output_header(cx.now().wall, n_writers);
        }
    }
}

impl JobShell {
    /// Number of writers of each stream: tasks, or elements.
    pub(crate) fn n_writers(&self, job: &Job) -> u64 {
        let array = self.array.as_ref();
        array.map_or(job.ntasks, |array| array.indices().count())
    }
}

/// Exit of a task, as in messages.
fn describe_exit(status: WaitStatus) -> String {
    match (status.exit_code(), status.signal()) {
        (Some(code), _) => format!("Exit {code}"),
        (None, Some(signal)) => signal_description(signal).into_owned(),
        (None, None) => "stopped".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_tell_codes_and_signals() {
        assert_eq!(describe_exit(WaitStatus(256)), "Exit 1");
        assert_eq!(describe_exit(WaitStatus(9)), "Killed");
        assert_eq!(describe_exit(WaitStatus(0)), "Exit 0");
    }
}
