//! Starts with a long history: a job log that nobody has lived, of as many inactive jobs as
//! a row says, put into a state directory.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::bench::floor;
use crate::bench::row::{Measure, Row};
use crate::bench::subject::{Subject, output_of};

/// To the prompt.
pub const START_100K: Row = Row {
    name: "restart-100k",
    what: "from the command to the prompt on a statedir with 100,000 inactive jobs",
    unit: "ms",
    measure: Measure::Outside(|subject| measure(subject, 100_000, PROMPT)),
    floor: None,
};

/// To the whole list.
pub const LIST_100K: Row = Row {
    name: "restart-list-100k",
    what: "from the command to the end of flux jobs -nac0, 100,000 inactive jobs",
    unit: "ms",
    measure: Measure::Outside(|subject| measure(subject, 100_000, LIST)),
    floor: None,
};

/// The same of very many.
pub const LIST_1M: Row = Row {
    name: "restart-list-1m",
    what: "from the command to the end of flux jobs -nac0, 1,000,000 inactive jobs",
    unit: "ms",
    measure: Measure::Outside(|subject| measure(subject, 1_000_000, LIST)),
    floor: None,
};

/// Cost of the job manager's start.
pub const CPU_1M: Row = Row {
    name: "start-cpu-1m",
    what: "CPU time of a start of job-manager with 1,000,000 inactive jobs",
    unit: "ms",
    measure: Measure::Outside(|subject| measure(subject, 1_000_000, CPU)),
    floor: None,
};

/// Both services that know the history.
pub const RELOAD_100K: Row = Row {
    name: "reload-100k",
    what: "flux module reload of job-manager, and the list, 100,000 inactive jobs",
    unit: "ms",
    measure: Measure::Outside(|subject| measure(subject, 100_000, RELOAD)),
    floor: None,
};

/// Memory of an inactive job in all processes.
pub const MEMORY: Row = Row {
    name: "memory-history",
    what: "memory for each inactive job after a restart, all processes, from 10,000 to 100,000",
    unit: "KiB",
    measure: Measure::Outside(|subject| {
        let few = measure(subject, 10_000, ALL_MEMORY)?;
        let many = measure(subject, 100_000, ALL_MEMORY)?;
        Ok((many - few) / 90_000.0)
    }),
    floor: None,
};

/// Shell commands that print a figure in the instance; `$BEGIN` is when it was started, in
/// nanoseconds since the epoch.
type Script = &'static str;

const PROMPT: Script = "echo figure $(( ($(date +%s%N) - BEGIN) / 1000000 ))";

const LIST: Script = r#""$FLUX" jobs -nac0 >/dev/null
echo figure $(( ($(date +%s%N) - BEGIN) / 1000000 ))"#;

const RELOAD: Script = r#""$FLUX" jobs -nac0 >/dev/null
BEGIN=$(date +%s%N)
"$FLUX" module reload job-manager
"$FLUX" jobs -nac0 >/dev/null
echo figure $(( ($(date +%s%N) - BEGIN) / 1000000 ))"#;

const CPU: Script = r#""$FLUX" module remove job-list
"$FLUX" module reload -f job-manager
"$FLUX" jobtap list >/dev/null
broker=$("$FLUX" getattr broker.pid)
pid=$(pgrep -n -P "$broker" -f flux-module-job-manager)
echo figure $(( ($(cut -d' ' -f14,15 /proc/$pid/stat | tr ' ' '+')) * 1000 / $(getconf CLK_TCK) ))"#;

/// In KiB, a shared page counted once.
const ALL_MEMORY: Script = r#""$FLUX" jobs -nac0 >/dev/null
broker=$("$FLUX" getattr broker.pid)
all=0
for pid in $broker $(pgrep -P "$broker" -f flux-module)
do
    all=$((all + $(sed -n 's/^Pss: *\([0-9]*\) kB/\1/p' /proc/$pid/smaps_rollup)))
done
echo figure $all"#;

/// Starts an instance on a made history, and takes the figure of the script in it.
fn measure(subject: &Subject, jobs: u32, script: Script) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let state = made_state(subject, jobs, &folder)?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let script = format!("set -e\nBEGIN={}\n{script}", now.as_nanos());
    run(subject, &state, &folder, &script)
        .and_then(|printed| {
            let figure = printed.lines().find_map(|it| it.strip_prefix("figure "));
            figure.context("no figure")?.parse().context("the figure")
        })
        .with_context(|| format!("{jobs} jobs"))
}

/// A state directory whose job log has this many jobs.
fn made_state(subject: &Subject, jobs: u32, folder: &TempDir) -> Result<String> {
    let (log, state) = (folder.path().join("log"), folder.path().join("state"));
    std::fs::create_dir(&log)?;
    std::fs::create_dir(&state)?;
    let limit = "[job-list]\nmax_comparisons = 0\n";
    std::fs::write(folder.path().join("bench.toml"), limit)?;
    let maker = floor::example("sim", "made_log")?;
    output_of(Command::new(maker).arg(jobs.to_string()).arg(&log))?;
    let state = state.display().to_string();
    let put = format!(
        "cd {}\n\"$FLUX\" kvs unlink -Rf job-log\n\
         for key in *; do \"$FLUX\" kvs put --raw $key=- <$key; done",
        log.display()
    );
    run(subject, &state, folder, &put)?;
    Ok(state)
}

fn run(subject: &Subject, state: &str, folder: &TempDir, script: &str) -> Result<String> {
    let config = conf_in(folder.path());
    let state = format!("-Sstatedir={state}");
    output_of(&mut subject.command(&["start", &state, &config, "/bin/sh", "-c", script]))
}

fn conf_in(folder: &Path) -> String {
    format!("--config-path={}", folder.join("bench.toml").display())
}
