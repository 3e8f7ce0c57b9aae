//! Shell options: `attributes.system.shell.options` of a jobspec, read and checked once, by the
//! rows of `proto::data::shell_option`. Pure.
//!
//! Rows are read in `reader.rs`, with the messages about invalid values; options with rules of
//! their own are in `streams.rs`, `affinity.rs`, `pty.rs`, `coprocess.rs` and `site.rs`, and
//! options changed by scripts in `again.rs`.

mod affinity;
mod again;
mod coprocess;
mod pty;
mod reader;
mod site;
mod streams;

use std::time::Duration;

use proto::data::Fsd;
use proto::data::array::ArraySpec;
use proto::data::shape::mismatch;
use proto::data::shell_option::{self as option, ShellOption};
use proto::data::taskmap::{Scheme, SchemeError};
use serde_json::{Map, Value};

use crate::log::Level;
use reader::Mistyped;

pub use affinity::{Affinity, CpuAffinity, cpuset as bitmap_cpus};
pub use coprocess::Coprocess;
pub use pty::Pty;
pub use reader::{Failure, Problem, Reader, Remark};
pub use site::{HWLOC, Hwloc, StageIn, Sysmon, hwloc_failed};
pub use streams::Stream;

/// Shell options of the submitter.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Verbosity of the shell, 0 to 2.
    pub verbose: i64,
    /// Destination of standard output.
    pub stdout: Stream,
    /// Destination of standard error.
    pub stderr: Stream,
    /// Bytes of each stream that go to the KVS, and how the job said it, if it did.
    pub output_limit: Option<(u64, String)>,
    /// Time for which output is gathered before it is stored.
    pub output_gather: Duration,
    /// Bytes of standard input that the job may be sent, and how it said that, if it did.
    pub input_limit: Option<(u64, String)>,
    /// Time for which input is gathered before it is logged.
    pub input_gather: Duration,
    /// File to read standard input from.
    pub stdin_file: Option<String>,
    /// Time that other tasks may run after the first has exited; `None` for no limit.
    pub exit_timeout: Option<Duration>,
    /// End the job when its first task to exit has failed.
    pub exit_on_error: bool,
    /// Log how its first task to exit has ended.
    pub tells_exit: bool,
    /// The script that the job wants in place of the system's.
    pub initrc: Option<String>,
    /// True if a script of the user follows the system's.
    pub has_userrc: bool,
    /// The MPI that the job names, without a version.
    pub mpi: Option<String>,
    /// Signal to send before the time is up, and how long before.
    pub signal: Option<(i32, Duration)>,
    /// Binding of tasks to cores.
    pub affinity: CpuAffinity,
    /// Assignment of GPUs to tasks.
    pub gpu_affinity: Affinity,
    /// Tasks by resource in place of slots: the resource, and the number of tasks on
    /// each.
    pub per_resource: Option<(PerResource, u64)>,
    /// Distribution of tasks over nodes.
    pub taskmap: Scheme,
    /// True if PMI is served.
    pub pmi: bool,
    /// Leave out the process mapping.
    pub pmi_nomap: bool,
    /// Number of shells with which one exchanges keys, if the job sets it.
    pub pmi_fanout: Option<i64>,
    /// True if tasks are prepared for Open MPI.
    pub openmpi: bool,
    /// Resource limits: name without `RLIMIT_` in lower case, soft limit, -1 for none.
    pub rlimits: Vec<(String, i64)>,
    /// Number for `oom_score_adj` of tasks.
    pub oom_adjust: Option<i64>,
    /// Time that processes run for clients have to exit after a SIGTERM.
    pub rexec_shutdown: Duration,
    /// Helpers beside the tasks.
    pub coprocesses: Vec<Coprocess>,
    /// Time that they have to exit after a SIGTERM.
    pub coprocess_kill: Duration,
    /// Only signed requests are served for clients that want processes.
    pub rexec_signed: bool,
    /// Archives whose files are written before tasks start.
    pub stage_in: Option<StageIn>,
    /// The topology as a file for tasks.
    pub hwloc: Hwloc,
    /// Report of memory and time.
    pub sysmon: Option<Sysmon>,
    /// Variables of tasks and the templates of their values.
    pub env_templates: Vec<(String, String)>,
    /// Tasks that run on terminals.
    pub pty: Option<Pty>,
    /// Leave tasks in the shell's process group.
    pub nosetpgrp: bool,
    /// Stop tasks as they become their program.
    pub stop_tasks: bool,
    /// The array that the job is, if it is one.
    pub array: Option<ArraySpec>,
    /// Messages about values that are not used as given.
    pub remarks: Vec<Remark>,
}

/// Resource by which tasks are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PerResource {
    /// Nodes of the job.
    Node,
    /// Cores.
    Core,
}

/// Signal that is sent before the time is up when the job only asks for one.
const SIGUSR1: i64 = 10;
/// Default time before the end, in seconds.
const SIGNAL_TIME_LEFT_S: f64 = 60.0;
/// Default time that other tasks may run after the first has exited.
const EXIT_TIMEOUT: Duration = Duration::from_secs(30);
/// Default time that processes run for clients have to exit after a SIGTERM.
const REXEC_SHUTDOWN: Duration = Duration::from_secs(60);
/// PMI servers that are ours.
const PMI_SERVERS: [&str; 3] = ["simple", "pmi1", "pmi2"];

impl Options {
    /// Reads the options of a job without scripts. `verbose` is the attribute `shell.verbose`, which
    /// an option overrides.
    #[cfg(test)]
    pub fn read(options: &Map<String, Value>, verbose: Option<&Value>) -> Result<Options, Failure> {
        Options::read_but(options, verbose, &|_| false)
    }

    /// Reads the options, of which scripts know some that we do not.
    fn read_but(
        options: &Map<String, Value>,
        verbose: Option<&Value>,
        is_known: &dyn Fn(&str) -> bool,
    ) -> Result<Options, Failure> {
        let mut reader = Reader::new(options);
        let options = Options::read_rows(&mut reader, verbose);
        if !reader.has_failed() {
            report_unknown(&mut reader, is_known);
        }
        let remarks = reader.finish()?;
        Ok(Options { remarks, ..options })
    }

    /// Reads every row, so that all that is wrong is said at once.
    fn read_rows(reader: &mut Reader, attribute: Option<&Value>) -> Options {
        let verbose = verbose(reader, attribute);
        let nosetpgrp = number(reader, option::NOSETPGRP) != 0;
        refuse_unsupported(reader);
        let per_resource = per_resource_or_fail(reader);
        let taskmap = taskmap(reader);
        let (pmi, pmi_nomap, pmi_fanout) = reader.plugin("pmi-simple", "pmi-simple", pmi);
        let input = reader.plugin("input.service", "input.service", streams::input);
        let output = reader.plugin("output", "output.kvs", streams::output);
        let affinity = reader.plugin("cpu-affinity", "cpu-affinity", affinity::cpu);
        let gpu_affinity = reader.plugin("gpu-affinity", "gpu-affinity", affinity::gpu);
        let exit_timeout = reader.plugin("task-exit", "task-exit", exit_timeout);
        let rlimits = reader.plugin("rlimit", "rlimit", rlimits);
        let signal = reader.plugin("signal", "signal", signal);
        let oom_adjust = reader.plugin("oom", "oom", oom);
        let rexec_shutdown = reader.plugin("rexec", "rexec", rexec_shutdown);
        let helpers = reader.plugin("coprocess", "coprocess", coprocess::read);
        let rexec_signed = reader.plugin("rexec", "rexec", rexec_signed);
        let stage_in = reader.plugin("stage-in", "stage-in", site::stage_in);
        let hwloc = site::hwloc(reader);
        let sysmon = reader.plugin("sysmon", "sysmon", site::sysmon);
        let env_templates = reader.plugin("env-expand", "env-expand", env_templates);
        let pty = reader.plugin("pty", "pty", pty::pty);
        let array = array(reader);
        let stop_tasks = reader.is_on(option::STOP_TASKS_IN_EXEC);
        let mpi = mpi(reader);
        let [initrc, userrc] = [option::INITRC, option::USERRC].map(|row| path(reader, row));
        Options {
            verbose,
            stdout: output.stdout,
            stderr: output.stderr,
            output_limit: output.limit,
            output_gather: output.gather,
            input_limit: input.limit,
            input_gather: input.gather,
            // Elements read nothing unless a file is named.
            stdin_file: input
                .file
                .or(array.as_ref().map(|_| "/dev/null".to_owned())),
            exit_timeout,
            // To be there is to be on, with any value.
            exit_on_error: reader.value(option::EXIT_ON_ERROR).is_some(),
            tells_exit: true,
            initrc,
            has_userrc: userrc.is_some(),
            signal,
            affinity,
            gpu_affinity,
            per_resource,
            taskmap,
            pmi,
            pmi_nomap,
            pmi_fanout,
            openmpi: mpi.as_deref() != Some("none"),
            mpi,
            rlimits,
            oom_adjust,
            rexec_shutdown,
            coprocesses: helpers.0,
            coprocess_kill: helpers.1,
            rexec_signed,
            stage_in,
            hwloc,
            sysmon,
            env_templates,
            pty,
            nosetpgrp,
            stop_tasks,
            array,
            remarks: Vec::new(),
        }
    }
}

/// The name of an MPI without its version. Values that are refused are refused by now; one that is
/// not known is none of our MPIs.
fn mpi(reader: &mut Reader) -> Option<String> {
    let mpi = reader.value(option::MPI)?.as_str()?;
    Some(mpi.split('@').next().unwrap_or_default().to_owned())
}

/// True if requests for processes have to be signed.
fn rexec_signed(reader: &mut Reader) -> Result<bool, Problem> {
    Ok(reader.int(option::REXEC_SIGN_REQUIRED)?.unwrap_or(0) != 0)
}

/// The array that the job is. Submission has refused invalid values.
fn array(reader: &mut Reader) -> Option<ArraySpec> {
    let rows = [
        option::ARRAY_INDICES,
        option::ARRAY_LIMIT,
        option::ARRAY_RETRY,
        option::ARRAY_TIMEOUT,
        option::ARRAY_RESUME,
    ];
    for row in rows {
        reader.value(row);
    }
    ArraySpec::read(reader.options()).unwrap_or_else(|error| {
        reader.fail(error.to_string());
        None
    })
}

fn verbose(reader: &mut Reader, attribute: Option<&Value>) -> i64 {
    let given = match reader.value(option::VERBOSE) {
        Some(_) => number(reader, option::VERBOSE),
        None => attribute.and_then(Value::as_i64).unwrap_or(0),
    };
    if given > 2 {
        reader.remark(Level::Warn, None, "Ignoring shell verbosity > 2");
    }
    given.clamp(0, 2)
}

/// An option that the shell reads before it can log anything else.
fn number(reader: &mut Reader, row: ShellOption) -> i64 {
    reader.int(row).ok().map_or_else(
        || {
            let name = row.name;
            reader.fail(format!("failed to parse attributes.system.shell.{name}"));
            0
        },
        |given| given.unwrap_or(0),
    )
}

/// A file of the shell itself.
fn path(reader: &mut Reader, row: ShellOption) -> Option<String> {
    match reader.text(row) {
        Ok(path) => path.map(str::to_owned),
        Err(Mistyped(_)) => {
            reader.fail(format!(
                "failed to parse attributes.system.shell.{}",
                row.name
            ));
            None
        }
    }
}

/// Options that this version does not have end the job, as far as submission let them through.
fn refuse_unsupported(reader: &mut Reader) {
    if let Err(unsupported) = option::check_supported(reader.options()) {
        reader.fail(unsupported.to_string());
    }
}

/// Unknown options are reported.
fn report_unknown(reader: &mut Reader, is_known: &dyn Fn(&str) -> bool) {
    let unknown = option::unknown(reader.options()).into_iter();
    let top = |name: &str| name.split('.').next().is_some_and(is_known);
    for unknown in unknown.filter(|unknown| !top(&unknown.name)) {
        let hint = unknown
            .nearest
            .map(|near| format!(": did you mean {near}?"));
        let hint = hint.unwrap_or_default();
        let text = format!("option {} is unknown and was not used{hint}", unknown.name);
        reader.remark(Level::Warn, None, text);
    }
}

fn per_resource_or_fail(reader: &mut Reader) -> Option<(PerResource, u64)> {
    per_resource(reader).unwrap_or_else(|why| {
        reader.fail(format!("failed to initialize shell info: {why}"));
        None
    })
}

fn per_resource(reader: &mut Reader) -> Result<Option<(PerResource, u64)>, String> {
    let malformed =
        |why: String| format!("error parsing jobspec: invalid per-resource section: {why}");
    let kind = reader.text(option::PER_RESOURCE_TYPE);
    let count = reader.int(option::PER_RESOURCE_COUNT);
    if reader
        .section("per-resource")
        .map_err(|Mistyped(why)| malformed(why))?
        .is_none()
    {
        return Ok(None);
    }
    let wrong = |row: ShellOption| malformed(format!("{} must be {}", row.name, row.shape.noun()));
    let count = count.map_err(|_| wrong(option::PER_RESOURCE_COUNT))?;
    let count = u64::try_from(count.unwrap_or(1))
        .ok()
        .filter(|count| *count > 0);
    let count = count.ok_or("error parsing jobspec: per-resource.count must be > 0")?;
    let kind = kind.map_err(|_| wrong(option::PER_RESOURCE_TYPE))?;
    match kind.ok_or_else(|| malformed("Object item not found: type".to_owned()))? {
        "node" => Ok(Some((PerResource::Node, count))),
        "core" => Ok(Some((PerResource::Core, count))),
        other => Err(format!(
            "error distributing {count} tasks per-{other} over R"
        )),
    }
}

fn taskmap(reader: &mut Reader) -> Scheme {
    let scheme = reader.text(option::TASKMAP_SCHEME);
    let value = reader.text(option::TASKMAP_VALUE);
    let section = reader.section("taskmap");
    let (scheme, value) = match (section, scheme, value) {
        (Ok(None), ..) => return Scheme::Block,
        (Ok(Some(_)), Ok(Some(scheme)), Ok(value)) => (scheme, value.unwrap_or_default()),
        _ => {
            reader.remark(Level::Error, None, "failed to parse taskmap shell option");
            reader.fail("shell_taskmap");
            return Scheme::Block;
        }
    };
    Scheme::read(scheme, value).unwrap_or_else(|error| {
        reader.give_up(Failure::of_taskmap(&error));
        Scheme::Block
    })
}

impl Failure {
    /// Error for tasks that cannot be distributed as the job wants (protocol/23 section 10).
    pub fn of_taskmap(error: &SchemeError) -> Failure {
        let text = error.to_string();
        let line = |component, text: String| Remark {
            level: Level::Error,
            component,
            text,
        };
        let of_plugin = |name: &'static str, mut remarks: Vec<Remark>| {
            let failed = format!("{name} failed");
            remarks.push(line(None, format!("plugin '{name}': {failed}")));
            remarks.push(line(None, failed));
            Failure {
                remarks,
                component: None,
                fatal: format!("shell_taskmap: {text}"),
            }
        };
        match error {
            SchemeError::Nodes(..) | SchemeError::Tasks(..) | SchemeError::MapUnknown => Failure {
                remarks: vec![line(None, text.clone())],
                component: None,
                fatal: format!("failed to set new shell taskmap: {text}"),
            },
            SchemeError::Hostfile(..) => {
                let name = "taskmap.hostfile";
                let more = "failed to get hostlists from file and R".to_owned();
                let said = vec![line(Some(name), text.clone()), line(Some(name), more)];
                of_plugin(name, said)
            }
            other => match other.component() {
                Some(name) => of_plugin(name, vec![line(Some(name), text.clone())]),
                None => Failure {
                    remarks: Vec::new(),
                    component: None,
                    fatal: text,
                },
            },
        }
    }
}

/// True if PMI is served, true if the process mapping is left out, and the fanout.
fn pmi(reader: &mut Reader) -> Result<(bool, bool, Option<i64>), Problem> {
    let servers = reader.text(option::PMI);
    let servers = servers.map_err(|_| "pmi shell option must be a string".to_owned())?;
    let is_ours = |servers: &str| servers.split(',').any(|name| PMI_SERVERS.contains(&name));
    let other = reader.strict("pmi-simple", &["kvs", "exchange", "nomap"])?;
    if let Some(other) = other {
        return Err(format!("option error: {other}").into());
    }
    let kvs = reader.text(option::PMI_SIMPLE_KVS)?;
    if let Some(other) = kvs.filter(|kvs| *kvs != "exchange") {
        return Err(format!("Unknown kvs implementation {other}").into());
    }
    let fanout = reader.int(option::PMI_SIMPLE_EXCHANGE_K)?;
    let nomap = reader.bool(option::PMI_SIMPLE_NOMAP).unwrap_or(false);
    Ok((servers.is_none_or(is_ours), nomap, fanout))
}

fn fsd(value: &Value) -> Option<Duration> {
    let fsd: Fsd = serde_json::from_value(value.clone()).ok()?;
    // Longer than the clock can count is for ever.
    Some(Duration::try_from_secs_f64(fsd.secs()).unwrap_or(Duration::MAX))
}

fn exit_timeout(reader: &mut Reader) -> Result<Option<Duration>, Problem> {
    match reader.value(option::EXIT_TIMEOUT) {
        None => Ok(Some(EXIT_TIMEOUT)),
        Some(Value::String(none)) if none.eq_ignore_ascii_case("none") => Ok(None),
        Some(value) => {
            let text = "exit-timeout is not a valid Flux Standard Duration";
            let timeout = fsd(value).ok_or(text)?;
            Ok(Some(timeout).filter(|timeout| *timeout < Duration::MAX))
        }
    }
}

/// Time that processes run for clients may outlive the tasks.
fn rexec_shutdown(reader: &mut Reader) -> Result<Duration, Problem> {
    match reader.value(option::REXEC_SHUTDOWN_TIMEOUT) {
        None => Ok(REXEC_SHUTDOWN),
        Some(value) => {
            let text = "failed to parse rexec-shutdown-timeout: Invalid argument";
            Ok(value.as_str().and_then(|_| fsd(value)).ok_or(text)?)
        }
    }
}

fn signal(reader: &mut Reader) -> Result<Option<(i32, Duration)>, Problem> {
    let value = reader.value(option::SIGNAL);
    let signum = reader.value(option::SIGNAL_SIGNUM);
    let timeleft = reader.value(option::SIGNAL_TIMELEFT);
    let default = Duration::from_secs_f64(SIGNAL_TIME_LEFT_S);
    let (signum, left) = match value {
        None => return Ok(None),
        Some(Value::Object(_)) => {
            let left = timeleft.map_or(Some(default), fsd);
            (signum.map_or(Some(SIGUSR1), Value::as_i64), left)
        }
        Some(value) => match value.as_i64() {
            Some(0) => return Ok(None),
            // Only that there be one, as an option without a value.
            Some(1) => (Some(SIGUSR1), Some(default)),
            Some(signum) => (Some(signum), Some(default)),
            None => {
                let why = mismatch("object", value);
                return Err(format!("error in shell `signal' option: {why}").into());
            }
        },
    };
    let given = |value: Option<&Value>| {
        value.map_or_else(String::new, |value| match value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        })
    };
    let valid = signum
        .and_then(|n| i32::try_from(n).ok())
        .filter(|n| (1..=64).contains(n));
    let invalid = || format!("signal.signum={} is invalid", given(signum_of(value)));
    let signum = valid.ok_or_else(invalid)?;
    let left = left.filter(|left| *left < Duration::MAX);
    let left = left.ok_or_else(|| format!("signal.timeleft={} is invalid", given(timeleft)))?;
    Ok(Some((signum, left)))
}

/// Where the signal's number stands: in a mapping, or by itself.
fn signum_of(value: Option<&Value>) -> Option<&Value> {
    match value {
        Some(Value::Object(signal)) => signal.get("signum"),
        value => value,
    }
}

fn oom(reader: &mut Reader) -> Result<Option<i64>, Problem> {
    if let Some(other) = reader.strict("oom", &["adjust"])? {
        let text = format!("shell_getopt: unpack error: {other}");
        reader.remark(Level::Error, None, text);
        return Err(Problem::Text(other));
    }
    Ok(reader.int(option::OOM_ADJUST)?)
}

/// Resource limits that there are.
const RLIMITS: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "ofile",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

fn rlimits(reader: &mut Reader) -> Result<Vec<(String, i64)>, Problem> {
    let table = reader.mapping(option::RLIMIT)?;
    let read = table.into_iter().flatten().map(|(name, limit)| {
        let known = name.to_lowercase();
        match limit.as_i64() {
            Some(number) if number >= -1 && RLIMITS.contains(&known.as_str()) => {
                Ok((known, number))
            }
            _ => Err(format!("invalid shell option rlimit.{name}={limit}").into()),
        }
    });
    read.collect()
}

fn env_templates(reader: &mut Reader) -> Result<Vec<(String, String)>, Problem> {
    let table = reader.mapping(option::ENV_EXPAND)?;
    let read = table.into_iter().flatten().map(|(name, template)| {
        let invalid = || format!("invalid value for env var {name}");
        let template = template.as_str().ok_or_else(invalid)?;
        Ok((name.clone(), template.to_owned()))
    });
    read.collect()
}

#[cfg(test)]
mod tests;
