//! State of the shell, and operations on it shared by several files.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use initrc::Engine;
use node::{ChildId, Cx, TimerId};
use proto::data::JobId;
use proto::job_exec::{LostShells, ShellJob};
use proto::job_manager::Raise;
use proto::{Errno, Method as _, Refusal};
use serde_json::{Map, Value};

use crate::array::Array;
use crate::barrier::Barriers;
use crate::coprocess::Coprocesses;
use crate::input::Input;
use crate::job::{Job, Place};
use crate::launch::Starting;
use crate::limits::{RETRY_FIRST_MS, RETRY_LAST_MS};
use crate::log::Level;
use crate::lost::Search;
use crate::mustache::JobTags;
use crate::output::Output;
use crate::placement::Placement;
use crate::receive::Others;
use crate::rexec::Helpers;
use crate::send::Outbox;
use crate::signals::SIGKILL;
use crate::staging::Staging;
use crate::state::{Move, State, next};
use crate::store::Store;
use crate::tasks::{FirstExit, Task};
use crate::usage::Meter;
use crate::worker::Prepared;
use pmi::Server;
use terminus::Sessions;

/// Arguments and environment of the process.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    /// The job to run.
    pub id: JobId,
    /// The number that job-exec started us under.
    pub lease: String,
    /// Our process id.
    pub pid: i32,
    /// True if the locale can show `ƒ`.
    pub utf8: bool,
    /// Parent of temporary directories if not beside the broker's socket.
    pub tmpdir: String,
    /// File with the URI of the broker that comes in its place; empty where none can.
    pub uri_file: String,
    /// Path of `libpmi.so`; empty where it is not installed.
    pub pmi_library: String,
}

/// The shell of one job.
pub struct JobShell {
    /// Arguments and environment.
    pub(crate) launch: Launch,
    state: State,
    /// Place among the job's shells.
    pub(crate) place: Place,
    /// The job as job-exec sends it, until the environment is known too.
    pub(crate) told: Option<ShellJob>,
    /// The environment as the submitter signed it, or why it is none.
    pub(crate) environment: Option<Result<Map<String, Value>, String>>,
    /// The job, once it is known.
    pub(crate) job: Option<Rc<Job>>,
    /// Preparations of the worker.
    pub(crate) prepared: Option<Prepared>,
    /// Files that are being written before tasks start.
    pub(crate) staging: Option<Staging>,
    /// The file with the topology, if tasks get one.
    pub(crate) topology_file: Option<String>,
    /// Usage of the job.
    pub(crate) meter: Meter,
    /// Where the tasks run, once that is known.
    pub(crate) placement: Placement,
    /// The tasks, by local id.
    pub(crate) tasks: Vec<Task>,
    /// The elements that the job has in place of tasks, if it is an array.
    pub(crate) array: Option<Array>,
    /// Tasks that are yet to be started.
    pub(crate) starting: Option<Starting>,
    /// Local ids of tasks by child.
    pub(crate) children: BTreeMap<ChildId, usize>,
    /// Lines waiting to be stored.
    pub(crate) store: Store,
    /// Messages still to be sent to the leading shell.
    pub(crate) outbox: Outbox,
    /// The other shells, if we lead them.
    pub(crate) others: Others,
    /// Shells that were lost before they were known: at most each of them once.
    pub(crate) early_lost: Vec<LostShells>,
    /// Barriers among all shells.
    pub(crate) barriers: Barriers,
    /// Destinations of output.
    pub(crate) output: Output,
    /// Destinations of input.
    pub(crate) input: Input,
    /// Processes that are run for clients.
    pub(crate) helpers: Helpers,
    /// Sessions on terminals, once we know whose.
    pub(crate) terminals: Option<Sessions>,
    /// The environment that all tasks share, and such processes have if they ask for none.
    pub(crate) task_env: BTreeMap<String, String>,
    /// The PMI server, if one is wanted.
    pub(crate) pmi: Option<Server>,
    /// When the job's time ends, in seconds since the epoch; 0 for never.
    pub(crate) expiration: f64,
    /// The timer for the signal before that.
    pub(crate) warning: Option<TimerId>,
    /// Signals that came before all tasks were started, each once.
    pub(crate) early_signals: Vec<i32>,
    /// Our exit code: the largest of the tasks', until it is settled.
    pub(crate) code: u8,
    /// True if the result is final: a failure was found for which the other tasks are
    /// killed, and their ends are not the cause.
    pub(crate) is_settled: bool,
    /// First exit in the job, as the leading shell knows it; a following shell knows of its
    /// own tasks.
    pub(crate) first_exit: Option<FirstExit>,
    /// True if it is in the log.
    pub(crate) is_exit_logged: bool,
    /// True if all tasks of all shells were started.
    pub(crate) is_started: bool,
    /// The timer that runs since the first task ended.
    pub(crate) exit_timer: Option<TimerId>,
    /// True if the job manager knows that the job is to end: from us, or from its own
    /// message.
    pub(crate) raised: bool,
    /// Greetings so far: only the stream of the last one counts.
    pub(crate) greetings: u64,
    /// The next wait before job-exec is asked again.
    pub(crate) backoff: Duration,
    /// Pieces of work given to the worker that have not come back.
    pub(crate) n_writes: usize,
    /// True if tasks are paused.
    pub(crate) paused: bool,
    /// Nobody wants our tasks any more.
    pub(crate) orphaned: bool,
    /// The search for another broker, while there is none.
    pub(crate) search: Option<Search>,
    /// Time that we may be without one.
    pub(crate) lease: Option<Duration>,
    /// Helpers beside the tasks.
    pub(crate) coprocesses: Coprocesses,
    /// Template tags of the job, once known.
    pub(crate) job_tags: Option<JobTags>,
    /// The scripts of the job, once they were run, if it has any.
    pub(crate) scripts: Option<Engine>,
    /// Further template tags, set by scripts.
    pub(crate) own_tags: BTreeMap<String, String>,
    /// True if a handler receives our log messages.
    pub(crate) is_logging: bool,
    /// Verbosity, if set by a script.
    pub(crate) verbose: Option<i64>,
    /// True if handlers wait for all tasks to be forked.
    pub(crate) waits_for_forks: bool,
}

/// The wait before job-exec is asked for the second time.
pub(crate) const RETRY_FIRST: Duration = Duration::from_millis(RETRY_FIRST_MS);

impl JobShell {
    /// A shell that knows nothing yet.
    pub(crate) fn new(launch: Launch) -> JobShell {
        JobShell {
            launch,
            state: State::Greeting,
            place: Place::default(),
            told: None,
            environment: None,
            job: None,
            prepared: None,
            staging: None,
            topology_file: None,
            meter: Meter::default(),
            placement: Placement::default(),
            tasks: Vec::new(),
            array: None,
            starting: None,
            children: BTreeMap::new(),
            store: Store::default(),
            outbox: Outbox::default(),
            others: Others::default(),
            early_lost: Vec::new(),
            barriers: Barriers::default(),
            output: Output::default(),
            input: Input::default(),
            helpers: Helpers::default(),
            terminals: None,
            task_env: BTreeMap::new(),
            pmi: None,
            expiration: 0.0,
            warning: None,
            early_signals: Vec::new(),
            code: 0,
            is_settled: false,
            first_exit: None,
            is_exit_logged: false,
            is_started: false,
            exit_timer: None,
            raised: false,
            greetings: 0,
            backoff: RETRY_FIRST,
            n_writes: 0,
            paused: false,
            orphaned: false,
            search: None,
            lease: None,
            coprocesses: Coprocesses::default(),
            job_tags: None,
            scripts: None,
            own_tags: BTreeMap::new(),
            is_logging: false,
            verbose: None,
            waits_for_forks: false,
        }
    }

    /// State of the shell.
    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Moves on; a move that does not fit is logged and refused.
    pub(crate) fn step(&mut self, step: Move) -> bool {
        let Some(to) = next(self.state, step) else {
            tracing::debug!(
                "job={} {step:?}: refused in {:?}",
                self.launch.id,
                self.state
            );
            return false;
        };
        tracing::trace!("job={} {step:?}: {:?}->{to:?}", self.launch.id, self.state);
        self.state = to;
        true
    }

    /// The job cannot go on: logs the reason, and ends with this exit code.
    pub(crate) fn fatal(&mut self, cx: &mut Cx<Self>, code: u8, message: &str) {
        self.fatal_to(cx, code, None, message);
    }

    /// The same, as a part of the shell logs it.
    pub(crate) fn fatal_to(
        &mut self,
        cx: &mut Cx<Self>,
        code: u8,
        component: Option<&str>,
        message: &str,
    ) {
        self.fatal_at(cx, code, component, message, None);
    }

    /// The same, as a line of a script logs it.
    pub(crate) fn fatal_at(
        &mut self,
        cx: &mut Cx<Self>,
        code: u8,
        component: Option<&str>,
        message: &str,
        at: Option<(String, i64)>,
    ) {
        self.log_at(cx, Level::Fatal, component, message, at);
        self.count_code(code);
        self.raise(cx, message, None);
        self.starting = None;
        self.stop_array();
        self.kill_tasks(cx, SIGKILL);
        self.end_if_idle(cx);
    }

    /// True if nothing runs and nothing will.
    pub(crate) fn is_idle(&self) -> bool {
        let is_over = self.children.is_empty() && self.starting.is_none();
        is_over && !self.is_array_open() && !self.meter.is_closing()
    }

    /// Goes on when nothing runs any more.
    pub(crate) fn end_if_idle(&mut self, cx: &mut Cx<Self>) {
        if self.is_idle() {
            self.ended(cx);
        }
    }

    /// An exit code that may become ours.
    pub(crate) fn count_code(&mut self, code: u8) {
        if !self.is_settled {
            self.code = self.code.max(code);
        }
    }

    /// Asks the job manager to end the job, once. After a failure, our exit code is that of
    /// the failure.
    pub(crate) fn raise(&mut self, cx: &mut Cx<Self>, note: &str, wait_status: Option<i32>) {
        if std::mem::replace(&mut self.raised, true) {
            return;
        }
        self.is_settled = self.code != 0;
        let raise = Raise {
            id: self.launch.id,
            severity: 0,
            kind: "exec".to_owned(),
            note: Some(note.to_owned()),
            wait_status,
        };
        self.send_raise(cx, raise);
    }

    fn send_raise(&mut self, cx: &mut Cx<Self>, raise: Raise) {
        cx.call(
            &raise.clone(),
            move |core: &mut JobShell, cx, result| match result {
                Err(error) if error.errno == Errno::EHOSTUNREACH => {
                    let wait = core.next_backoff(Raise::TOPIC, &error);
                    cx.timer(wait, move |core: &mut JobShell, cx| {
                        core.send_raise(cx, raise);
                    });
                }
                Err(error) => tracing::error!("job-manager.raise: {error}"),
                Ok(_) => {}
            },
        );
    }

    /// Time to wait before job-exec is asked again. Only the first failure of a row is
    /// reported.
    pub(crate) fn next_backoff(&mut self, what: &str, error: &Refusal) -> Duration {
        let wait = self.backoff;
        if wait == RETRY_FIRST {
            tracing::debug!("job={} {what}: {error}", self.launch.id);
        }
        self.backoff = (wait * 2).min(Duration::from_millis(RETRY_LAST_MS));
        wait
    }

    /// Sends a signal to every task that lives.
    pub(crate) fn kill_tasks(&mut self, cx: &mut Cx<Self>, signum: i32) {
        self.kill_tasks_from(cx, 0, signum);
    }

    /// The same, for tasks from this local id on.
    pub(crate) fn kill_tasks_from(&mut self, cx: &mut Cx<Self>, first: usize, signum: i32) {
        let group = self.job.as_ref().is_none_or(|job| !job.options.nosetpgrp);
        let tasks = self.tasks.iter().skip(first);
        for task in tasks.filter(|task| task.is_alive()) {
            if let Some(child) = task.child {
                cx.kill_child(child, signum, group);
                if let Some(terminals) = &mut self.terminals {
                    terminals.signalled(cx, child, signum);
                }
            }
        }
    }

    /// Walks the cross-references.
    pub(crate) fn check(&self) {
        for (child, index) in &self.children {
            assert_eq!(
                self.tasks[*index].child,
                Some(*child),
                "a child is no task's"
            );
        }
        self.check_array();
        if self.state == State::Running {
            assert!(!self.is_idle(), "nothing runs");
        }
    }
}
