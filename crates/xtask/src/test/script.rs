//! Runs one script of `t/` to its end, or to the end of its time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

use super::marked;
use super::tally::Tally;
use super::tap::Tap;

/// Time that a script may take to end once it was stopped.
const GRACE: Duration = Duration::from_secs(10);

/// Environment common to all scripts of a run.
pub struct Surroundings {
    /// The command under test.
    pub flux: PathBuf,
    /// The tested program is another implementation: only common behaviour is tested.
    pub peer: bool,
    /// Directory of trash directories and outputs.
    pub results: PathBuf,
    /// File for the findings of `flux lint` in the instances that scripts run in.
    pub lint: Option<PathBuf>,
    /// Options for every script.
    pub args: Vec<String>,
    /// Time limit of a script.
    pub timeout: Duration,
}

/// Result of a script.
pub struct Report {
    /// File name.
    pub name: String,
    /// Tests by outcome; a script-wide problem is one more failure.
    pub tally: Tally,
    /// Errors; empty when it passed.
    pub problems: Vec<String>,
    /// Reason for which it was skipped as a whole.
    pub skip_all: Option<String>,
    /// Run time.
    pub took: Duration,
    /// All it printed.
    pub output: String,
}

/// Runs the script and judges its output.
pub fn run(script: &Path, surroundings: &Surroundings) -> Result<Report> {
    let name = super::name_of(script);
    let output_path = surroundings.results.join(format!("{name}.out"));
    let start = Instant::now();
    let mut child = start_script(script, &output_path, surroundings)?;
    let status = wait(&mut child, surroundings.timeout)?;
    let timed_out = status.is_none();
    let status = match status {
        Some(status) => status,
        None => give_up(&mut child, &name)?,
    };
    let took = start.elapsed();

    let output = fs::read(&output_path).with_context(|| output_path.display().to_string())?;
    let output = String::from_utf8_lossy(&output).into_owned();
    let tap = Tap::parse(&output);
    let mut problems = tap.problems(status.code());
    if timed_out {
        problems.insert(
            0,
            format!("ran out of time ({} s)", surroundings.timeout.as_secs()),
        );
    }
    let mut tally = tap.tally;
    if problems.is_empty() {
        // Best effort: a left-over file is overwritten by the next run.
        let _ = fs::remove_file(&output_path);
    } else if tally.failed == 0 {
        tally.failed = 1;
    }
    let skip_all = tap.skip_all;
    if skip_all.is_some() && tally == Tally::default() {
        tally.skipped = 1;
    }
    Ok(Report {
        name,
        tally,
        problems,
        skip_all,
        took,
        output,
    })
}

/// Output goes to a file and not through a pipe: a process that the script leaves
/// behind would hold a pipe open, and the run with it.
fn start_script(script: &Path, output: &Path, surroundings: &Surroundings) -> Result<Child> {
    let file = File::create(output).with_context(|| output.display().to_string())?;
    // Below nohup a script would not see the signals that it sends.
    let mut command = Command::new("env");
    command
        .args(["--default-signal", "/bin/sh"])
        .arg(script)
        .args(&surroundings.args)
        .env("FLUX_TEST_FLUX", &surroundings.flux)
        .env("TEST_RESULTS_DIR", &surroundings.results)
        .envs(std::env::current_exe().map(|xtask| ("FLUX_TEST_XTASK", xtask)))
        .stdin(Stdio::null())
        .stderr(file.try_clone()?)
        .stdout(file);
    // An instance around us is none of the scripts' business.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let foreign = text.starts_with("FLUX_") && !text.starts_with("FLUX_TEST_");
        if foreign || text.starts_with("TEST_UNDER_FLUX") || text.starts_with("PMI_") {
            command.env_remove(&name);
        }
    }
    if let Some(folder) = &surroundings.lint {
        command.env("FLUX_TEST_LINT", folder);
    }
    if surroundings.peer {
        command.env("FLUX_TEST_PEER", "yes");
    }
    command
        .spawn()
        .with_context(|| format!("cannot start {}", script.display()))
}

/// Waits at most `limit`; `None` when the child still runs.
fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let pid = Pid::from_child(child);
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).context("pidfd_open")?;
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).context("the time limit is out of range")?;
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(child.wait()?)),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("poll"),
        }
    }
}

/// Ends the script and all that it started: first politely, so that the output shows how
/// far it was.
fn give_up(child: &mut Child, name: &str) -> Result<ExitStatus> {
    let mark = format!("{}.{}", name.trim_end_matches(".t"), child.id());
    marked::signal(&mark, Signal::TERM);
    if let Some(status) = wait(child, GRACE)? {
        marked::signal(&mark, Signal::KILL);
        return Ok(status);
    }
    marked::signal(&mark, Signal::KILL);
    child.kill()?;
    Ok(child.wait()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(body: &str, timeout: Duration) -> Report {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let script = folder.path().join("t9999-sample.t");
        let harness = crate::workspace::root().join("t");
        let text = format!(
            "TEST_HARNESS_DIR={}\n. \"$TEST_HARNESS_DIR/sharness.sh\"\n{body}\ntest_done\n",
            harness.display()
        );
        fs::write(&script, text).expect("a file in it");
        let surroundings = Surroundings {
            flux: "/nonexistent/flux".into(),
            peer: false,
            lint: None,
            results: folder.path().to_path_buf(),
            args: vec!["--verbose".to_owned()],
            timeout,
        };
        run(&script, &surroundings).expect("the script starts")
    }

    #[test]
    fn a_script_passes() {
        let report = report("test_expect_success 'true' true", Duration::from_secs(60));
        assert_eq!(report.problems, Vec::<String>::new());
        assert_eq!(report.tally.to_string(), "1 passed, 0 failed, 0 skipped");
    }

    #[test]
    fn a_script_that_hangs_is_ended_with_all_that_it_started() {
        let hang = "test_expect_success 'hangs' 'setsid tail -f /dev/null'";
        let report = report(hang, Duration::from_millis(200));
        assert_eq!(report.problems[0], "ran out of time (0 s)");
        assert_eq!(report.tally.failed, 1);
    }

    #[test]
    fn a_skipped_script_counts_as_one_skip() {
        let report = report("skip_all='no luck'", Duration::from_secs(60));
        assert_eq!(report.tally.to_string(), "0 passed, 0 failed, 1 skipped");
        assert_eq!(report.skip_all.as_deref(), Some("no luck"));
    }
}
