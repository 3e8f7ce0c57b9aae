//! State that scripts change, and counters while they run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};

use crate::limits::LINES_MAX;
use crate::{Disk, Effect, Facts, LogLine, Task};

/// Parts of a shell that scripts know by a name of a plug-in.
pub const BUILT_IN_PLUGINS: &[&str] = &[
    "tmpdir",
    "files",
    "stage-in",
    "evlog",
    "pmi-simple",
    "input.service",
    "input.file",
    "input.kvs",
    "output",
    "kill",
    "signals",
    "cpu-affinity",
    "gpu-affinity",
    "mpir",
    "ptrace",
    "pty",
    "batch",
    "task-exit",
    "exception",
    "tasks-complete",
    "rlimit",
    "taskmap.cyclic",
    "taskmap.hostfile",
    "signal",
    "oom",
    "hwloc",
    "rexec",
    "env-expand",
    "sysmon",
    "coprocess",
];

/// Plug-ins that a shell can do without: a plug-in of the same name takes their place.
pub const REPLACEABLE: &[&str] = &[
    "pmi-simple",
    "cpu-affinity",
    "gpu-affinity",
    "task-exit",
    "rlimit",
    "taskmap.cyclic",
    "taskmap.hostfile",
    "signal",
    "oom",
    "env-expand",
    "coprocess",
];

/// All that is shared with the functions that Lua calls.
pub struct State {
    /// Facts that scripts can read.
    pub facts: Facts,
    /// The job's options.
    pub options: Map<String, Value>,
    /// Options that scripts have read or set.
    pub asked: BTreeSet<String>,
    /// The job's environment.
    pub env: BTreeMap<String, String>,
    /// Verbosity of the shell.
    pub verbose: i64,
    /// Search path of plug-ins.
    pub searchpath: String,
    /// The folder of the script that began.
    pub folder: String,
    /// The folders in which its files are looked for.
    pub rcpath: Vec<String>,
    /// Reader of files.
    pub disk: Box<dyn Disk>,
    /// Effects not reported yet.
    pub effects: Vec<Effect>,
    /// Lines for which there was no room.
    pub n_dropped: usize,
    /// The task that a handler is called for.
    pub task: Option<Task>,
    /// The plug-in whose handler runs.
    pub current: String,
    /// Topic globs of handlers.
    pub globs: BTreeSet<String>,
    /// Parts of the shell that a plug-in has replaced.
    pub replaced: BTreeSet<String>,
    /// Message of `shell.die`.
    pub death: Option<LogLine>,
    /// Instructions that are left.
    pub left: u64,
    /// Limit that was exceeded, in words.
    pub overrun: Option<String>,
}

/// State that is shared.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<State>>);

impl Shared {
    /// Shares it.
    pub fn new(state: State) -> Shared {
        Shared(Arc::new(Mutex::new(state)))
    }

    /// It, for a moment: nothing that runs Lua may hold it.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Something is to be said.
    pub fn log(&mut self, said: LogLine) {
        match self.effects.len() < LINES_MAX {
            true => self.effects.push(Effect::Say(said)),
            false => self.n_dropped += 1,
        }
    }

    /// Effects of scripts since the last call.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        let mut effects = std::mem::take(&mut self.effects);
        let n = std::mem::take(&mut self.n_dropped);
        if n > 0 {
            let text = format!("{n} further lines of scripts are not shown");
            effects.push(Effect::Say(LogLine::plain(4, text)));
        }
        effects
    }

    /// A variable of the job, or of the task for which a handler runs.
    pub fn variables(&mut self, of_task: bool) -> Option<&mut BTreeMap<String, String>> {
        match (of_task, &mut self.task) {
            (false, _) => Some(&mut self.env),
            (true, Some(task)) => Some(&mut task.env),
            (true, None) => None,
        }
    }
}
