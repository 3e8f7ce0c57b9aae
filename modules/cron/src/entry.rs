//! One entry: its command, its times, and its history.

use std::collections::{BTreeMap, VecDeque};

use node::TimerId;
use proto::cron::{Create, CreateError, Stats, Task};

use crate::limits::{ENTRY_BYTES_MAX, HISTORY_TASKS_MAX};
use crate::rule::Rule;
use crate::tasks::Running;

/// One entry.
#[derive(Debug)]
pub struct Entry {
    pub id: u64,
    pub rank: u32,
    pub name: String,
    pub command: String,
    /// Runs after which it stops; 0 for no limit.
    pub repeat: u64,
    /// Failures after which it stops; 0 for no limit.
    pub stop_on_failure: u64,
    /// Seconds that a run may take.
    pub timeout: Option<f64>,
    pub environ: BTreeMap<String, String>,
    pub cwd: Option<String>,
    pub rule: Rule,
    pub stopped: bool,
    pub stats: Stats,
    /// The next time that it is looked at.
    pub timer: Option<TimerId>,
    /// When it runs next, in seconds since the epoch; 0 if that is not known.
    pub next_wakeup: f64,
    /// The task that there is.
    pub task: Option<Running>,
    /// Tasks of the past, the last one first.
    pub past: VecDeque<Task>,
    /// Number of them that are kept.
    pub past_max: usize,
}

impl Entry {
    /// One from a request. Errors in it are logged, too.
    pub fn new(request: Create) -> Result<Entry, CreateError> {
        let missing = |what: &str| {
            tracing::error!("cron.create: Failed to get name/command/args: no {what}");
            CreateError::Missing
        };
        let kind = request.kind.ok_or_else(|| missing("type"))?;
        let name = request.name.ok_or_else(|| missing("name"))?;
        let command = request.command.ok_or_else(|| missing("command"))?;
        let args = request.args.ok_or_else(|| missing("args"))?;
        let rule = Rule::new(&kind, &args.0)?;
        let environ = request.environ.iter();
        let n_bytes = environ.fold(
            name.len()
                + command.len()
                + rule.n_bytes()
                + request.cwd.as_ref().map_or(0, String::len),
            |sum, (name, value)| sum + name.len() + value.len(),
        );
        if n_bytes > ENTRY_BYTES_MAX {
            return Err(CreateError::TooLong);
        }
        let past_max = request.task_history_count.unwrap_or(1);
        let past_max = usize::try_from(past_max)
            .ok()
            .filter(|_| past_max <= HISTORY_TASKS_MAX)
            .ok_or(CreateError::HistoryTooLong(HISTORY_TASKS_MAX))?;
        let timeout = request.timeout.filter(|timeout| *timeout >= 0.0);
        if timeout.is_some_and(|t| std::time::Duration::try_from_secs_f64(t).is_err()) {
            return Err(CreateError::BadTimeout);
        }
        Ok(Entry {
            id: 0,
            rank: request.rank.unwrap_or(0),
            name,
            command,
            repeat: request.repeat.unwrap_or(0),
            stop_on_failure: request.stop_on_failure.unwrap_or(0),
            timeout,
            environ: request.environ,
            cwd: request.cwd,
            rule,
            stopped: false,
            stats: Stats::default(),
            timer: None,
            next_wakeup: 0.0,
            task: None,
            past: VecDeque::new(),
            past_max,
        })
    }

    /// True if it has a task that was started.
    pub fn runs(&self) -> bool {
        self.task.as_ref().is_some_and(|task| !task.waits())
    }

    /// True if it has a task that waits for an event.
    pub fn waits(&self) -> bool {
        self.task.as_ref().is_some_and(Running::waits)
    }

    /// Data for clients.
    pub fn data(&self) -> proto::cron::Entry {
        let current = self.task.iter().map(|task| task.data.clone());
        proto::cron::Entry {
            id: self.id,
            rank: self.rank,
            name: self.name.clone(),
            command: self.command.clone(),
            repeat: self.repeat,
            stopped: self.stopped,
            kind: self.rule.kind().to_owned(),
            timeout: self.timeout,
            stats: self.stats,
            typedata: self.rule.data(self.next_wakeup),
            tasks: current.chain(self.past.iter().cloned()).collect(),
        }
    }
}
