//! Rows of the options of the job shell.

use super::ShellOption;
use crate::data::shape::Shape::{
    Any, Bool, Duration, Int, Mapping, Number, Path, Presence, Size, Switch, Text,
};
use crate::data::shape::Support::Used;

/// Declares the rows, each as a constant, and the list of them all.
macro_rules! shell_options {
    ($($(#[doc = $line:literal])+
       $id:ident = $name:literal, $shape:expr, $default:literal, $support:expr, $source:literal;)+) => {
        $($(#[doc = $line])+
        pub const $id: ShellOption = ShellOption {
            name: $name,
            shape: $shape,
            default: $default,
            summary: concat!($($line),+),
            source: $source,
            support: $support,
        };)+

        /// Every row.
        pub const ALL: &[ShellOption] = &[$($id),+];
    };
}

shell_options! {
    /// Log of the shell: 1 adds lines at DEBUG, 2 also those at TRACE.
    VERBOSE = "verbose", Int, "0", Used, "protocol/23 section 2";
    /// Lua file that replaces the system's.
    INITRC = "initrc", Path, "", Used, "protocol/23 section 6";
    /// Lua file that is read after the system's.
    USERRC = "userrc", Path, "", Used, "protocol/23 section 6";
    /// Keep tasks in the shell's process group.
    NOSETPGRP = "nosetpgrp", Int, "0", Used, "protocol/23 section 2";
    /// Stop tasks at exec, for a debugger.
    STOP_TASKS_IN_EXEC = "stop-tasks-in-exec", Switch, "false", Used, "protocol/23 section 14";
    /// Write this to `oom_score_adj` of each task.
    OOM_ADJUST = "oom.adjust", Int, "", Used, "protocol/23 section 2";
    /// Soft resource limits by name, -1 for none.
    RLIMIT = "rlimit", Mapping, "", Used, "protocol/23 section 2";
    /// Time that other tasks may run after the first has exited; `none` for no limit.
    EXIT_TIMEOUT = "exit-timeout", Duration, "30s", Used, "protocol/23 section 12";
    /// End the job when its first task to exit has failed.
    EXIT_ON_ERROR = "exit-on-error", Presence, "", Used, "protocol/23 section 12";
    /// Send a signal before the time limit: 0 for none, a signal number, or a mapping of the two
    /// below.
    SIGNAL = "signal", Any, "", Used, "protocol/23 section 12";
    /// Number of the signal.
    SIGNAL_SIGNUM = "signal.signum", Int, "10", Used, "protocol/23 section 12";
    /// Time before the end of the time limit.
    SIGNAL_TIMELEFT = "signal.timeleft", Duration, "60s", Used, "protocol/23 section 12";
    /// Bind tasks to cores: `[verbose,][dry-run,]on|off|per-task|map:LIST`.
    CPU_AFFINITY = "cpu-affinity", Text, "on", Used, "protocol/23 section 9";
    /// Assign GPUs to tasks: `on`, `off`, `per-task` or `map:LIST`.
    GPU_AFFINITY = "gpu-affinity", Text, "on", Used, "protocol/23 section 9";
    /// Run tasks on terminals: a mapping of the three below, or anything else for all tasks.
    PTY = "pty", Any, "", Used, "protocol/23 section 8";
    /// Ranks of these tasks, an idset or `all`.
    PTY_RANKS = "pty.ranks", Any, "all (0 if interactive)", Used, "protocol/23 section 8";
    /// 1 to copy the terminal's output to standard output.
    PTY_CAPTURE = "pty.capture", Int, "1 (0 if interactive)", Used, "protocol/23 section 8";
    /// Let task 0 wait for a client, such as `flux job attach`.
    PTY_INTERACTIVE = "pty.interactive", Int, "0", Used, "protocol/23 section 8";
    /// Output files: `truncate` or `append`.
    OUTPUT_MODE = "output.mode", Text, "truncate", Used, "protocol/23 section 11";
    /// Bytes of each stream that go to the KVS, at most 1G.
    OUTPUT_LIMIT = "output.limit", Size, "1G (10M for guests)", Used, "protocol/23 section 11";
    /// Seconds for which output is gathered before it is stored.
    OUTPUT_BATCH_TIMEOUT = "output.batch-timeout", Number, "0", Used, "protocol/23 section 11";
    /// Credit at which a shell asks the leader for more; unused in a job of one shell.
    OUTPUT_CLIENT_LWM = "output.client.lwm", Int, "100", Used, "protocol/23 section 7";
    /// Credit of a shell for output that it sends to the leader; unused in a job of one
    /// shell.
    OUTPUT_CLIENT_HWM = "output.client.hwm", Int, "1000", Used, "protocol/23 section 7";
    /// `kvs` to ignore the path.
    OUTPUT_STDOUT_TYPE = "output.stdout.type", Text, "", Used, "protocol/23 section 11";
    /// File for standard output, a template; default: the KVS.
    OUTPUT_STDOUT_PATH = "output.stdout.path", Text, "", Used, "protocol/23 section 11";
    /// Label each line in the file with the task's rank.
    OUTPUT_STDOUT_LABEL = "output.stdout.label", Bool, "false", Used, "protocol/23 section 11";
    /// Buffering of standard output: `line` or `none`.
    OUTPUT_STDOUT_BUFFER = "output.stdout.buffer.type", Text, "line", Used, "protocol/23 section 11";
    /// As for standard output, whose value is the default.
    OUTPUT_STDERR_TYPE = "output.stderr.type", Text, "", Used, "protocol/23 section 11";
    /// As for standard output, whose value is the default.
    OUTPUT_STDERR_PATH = "output.stderr.path", Text, "", Used, "protocol/23 section 11";
    /// As for standard output, whose value is the default.
    OUTPUT_STDERR_LABEL = "output.stderr.label", Bool, "", Used, "protocol/23 section 11";
    /// Buffering of standard error: `line` or `none`.
    OUTPUT_STDERR_BUFFER = "output.stderr.buffer.type", Text, "none", Used, "protocol/23 section 11";
    /// Bytes of standard input that the job may receive, at most 32M.
    INPUT_LIMIT = "input.limit", Size, "", Used, "protocol/23 section 11";
    /// Seconds for which input is gathered before it is logged.
    INPUT_BATCH_TIMEOUT = "input.batch-timeout", Number, "0", Used, "protocol/23 section 11";
    /// `service` for input sent by clients, or `file`.
    INPUT_STDIN_TYPE = "input.stdin.type", Text, "service", Used, "protocol/23 section 11";
    /// File from which tasks read standard input.
    INPUT_STDIN_PATH = "input.stdin.path", Text, "", Used, "protocol/23 section 11";
    /// Distribution of tasks over nodes: `block`, `cyclic`, `manual` or `hostfile`.
    TASKMAP_SCHEME = "taskmap.scheme", Text, "block", Used, "protocol/23 section 10";
    /// Argument of the scheme.
    TASKMAP_VALUE = "taskmap.value", Text, "", Used, "protocol/23 section 10";
    /// Comma-separated PMI servers; only `simple`, `pmi1` and `pmi2` start one.
    PMI = "pmi", Text, "simple", Used, "protocol/23 section 2";
    /// Exchange of PMI keys: `exchange`.
    PMI_SIMPLE_KVS = "pmi-simple.kvs", Text, "exchange", Used, "protocol/23 section 16";
    /// Children of each shell in the exchange of keys.
    PMI_SIMPLE_EXCHANGE_K = "pmi-simple.exchange.k", Int, "2", Used, "protocol/23 section 16";
    /// Do not publish the process mapping to tasks.
    PMI_SIMPLE_NOMAP = "pmi-simple.nomap", Int, "0", Used, "protocol/23 section 16";
    /// Personality of an MPI, `NAME[@VERSION]`. An unknown name has no effect; `none` disables that
    /// of Open MPI.
    MPI = "mpi", Text, "", Used, "protocol/23 section 18";
    /// Copy files from the KVS into the job's temporary directory.
    STAGE_IN = "stage-in", Any, "", Used, "protocol/23 section 13";
    /// Write the topology to a file for tasks.
    HWLOC_XMLFILE = "hwloc.xmlfile", Int, "0", Used, "protocol/23 section 13";
    /// Restrict that topology to the job's cores.
    HWLOC_RESTRICT = "hwloc.restrict", Int, "0", Used, "protocol/23 section 13";
    /// Log the memory and time used by the job.
    SYSMON = "sysmon", Any, "", Used, "protocol/23 section 13";
    /// Run coprocesses beside the tasks.
    COPROCESS = "coprocess", Any, "", Used, "protocol/23 section 13";
    /// Time that coprocesses have to exit after a SIGTERM.
    COPROCESS_KILL_TIMEOUT = "coprocess-kill-timeout", Duration, "10s", Used, "protocol/23 section 13";
    /// Time that processes started through the shell have to exit after a SIGTERM.
    REXEC_SHUTDOWN_TIMEOUT = "rexec-shutdown-timeout", Duration, "60s", Used, "protocol/23 section 13";
    /// Start processes through the shell only if the request is signed.
    REXEC_SIGN_REQUIRED = "rexec.sign-required", Int, "0", Used, "protocol/23 section 2";
    /// Count tasks by resource instead of by slot: `node` or `core`.
    PER_RESOURCE_TYPE = "per-resource.type", Text, "", Used, "protocol/23 section 2";
    /// Tasks on each resource.
    PER_RESOURCE_COUNT = "per-resource.count", Int, "1", Used, "protocol/23 section 2";
    /// Run the command once for each of these indices: a set such as `1-10,15`.
    ARRAY_INDICES = "array.indices", Any, "", Used, "arrays";
    /// Maximum number of elements of the array that run at once; without it, one on each
    /// slot.
    ARRAY_LIMIT = "array.limit", Int, "", Used, "arrays";
    /// Number of retries of a failed element, at most 254.
    ARRAY_RETRY = "array.retry", Int, "0", Used, "arrays";
    /// Time limit of one try of an element.
    ARRAY_TIMEOUT = "array.timeout", Duration, "", Used, "arrays";
    /// Job whose successful elements are not run.
    ARRAY_RESUME = "array.resume", Text, "", Used, "arrays";
    /// Set variables of tasks to the values of templates.
    ENV_EXPAND = "env-expand", Mapping, "", Used, "protocol/23 section 15";
}
