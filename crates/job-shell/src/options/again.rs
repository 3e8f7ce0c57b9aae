//! Options of a job with scripts: read once to find those, and again after these have run.

use proto::data::shell_option::{self as option, ShellOption};
use serde_json::{Map, Value};

use super::{Affinity, Failure, Options};

/// Options that are read before scripts, and not again.
const FIXED: [ShellOption; 2] = [option::VERBOSE, option::NOSETPGRP];
/// Options by which scripts are found, and those.
const EARLY: [ShellOption; 5] = [
    option::VERBOSE,
    option::NOSETPGRP,
    option::INITRC,
    option::USERRC,
    option::MPI,
];
/// Options of parts of the shell that scripts can replace.
const OF_PLUGINS: [(&str, &[&str]); 9] = [
    ("coprocess", &["coprocess", "coprocess-kill-timeout"]),
    ("task-exit", &["exit-timeout", "exit-on-error"]),
    ("pmi-simple", &["pmi-simple"]),
    ("cpu-affinity", &["cpu-affinity"]),
    ("gpu-affinity", &["gpu-affinity"]),
    ("rlimit", &["rlimit"]),
    ("signal", &["signal"]),
    ("oom", &["oom"]),
    ("env-expand", &["env-expand"]),
];
impl Options {
    /// Reads the options before scripts may change them. A wrong value of one that scripts cannot
    /// change ends the job; others are reported when no script has changed them.
    pub fn read_first(
        options: &Map<String, Value>,
        verbose: Option<&Value>,
    ) -> Result<(Options, Option<Failure>), Failure> {
        let nothing = |_: &str| false;
        match Options::read_but(options, verbose, &nothing) {
            Ok(options) => Ok((options, None)),
            Err(failure) => {
                let mut early = options.clone();
                early.retain(|name, _| EARLY.iter().any(|row| row.name == name));
                let early = Options::read_but(&early, verbose, &nothing)?;
                Ok((early, Some(failure)))
            }
        }
    }

    /// Reads them again, as scripts have left them, which know some that we do not, and have taken
    /// the place of some parts of the shell.
    pub fn read_again(
        &self,
        mut options: Map<String, Value>,
        is_known: &dyn Fn(&str) -> bool,
        is_replaced: &dyn Fn(&str) -> bool,
    ) -> Result<Options, Failure> {
        let replaced = OF_PLUGINS.iter().filter(|(name, _)| is_replaced(name));
        for row in replaced.flat_map(|(_, rows)| rows.iter()) {
            options.shift_remove(*row);
        }
        for row in FIXED {
            options.shift_remove(row.name);
        }
        let mut read = Options::read_but(&options, None, is_known)?;
        (read.verbose, read.nosetpgrp) = (self.verbose, self.nosetpgrp);
        if is_replaced("task-exit") {
            (read.exit_timeout, read.tells_exit) = (None, false);
        }
        if is_replaced("pmi-simple") {
            read.pmi = false;
        }
        if is_replaced("cpu-affinity") {
            read.affinity.mode = Affinity::Off;
        }
        if is_replaced("gpu-affinity") {
            read.gpu_affinity = Affinity::Off;
        }
        Ok(read)
    }
}
