//! The real command `flux` under kills: its users must not notice that modules die.

use std::fs;
use std::process::{Command, ExitStatus};
use std::sync::atomic::Ordering;

use anyhow::{Context, Result};
use proto::kvs::{Lookup, PRIMARY};

use super::Fire;
use super::task::Task;

/// Seconds after which a command counts as hanging, and the exit code of `timeout` then.
const HANGS_AFTER: &str = "60";
const HANGS: i32 = 124;

/// The key that counts up.
pub const COUNTER: &str = "crash.counter";

/// Result of a command.
struct Done {
    code: i32,
    out: String,
    err: String,
}

/// Runs `flux submit`, `flux run` and `flux job` in turn until it is stopped.
pub fn command(fire: &Fire, first: u64) -> Result<()> {
    let mut turn = first;
    while !fire.ledger.is_stopped() {
        turn += 1;
        match turn % 2 {
            0 => run(fire, first)?,
            _ => submit(fire, first, turn)?,
        }
    }
    Ok(())
}

/// `flux run`: the command prints the output of the job and ends as it does.
fn run(fire: &Fire, who: u64) -> Result<()> {
    let task = fire.ledger.begin();
    let done = flux(fire, who, "run", &job_args(fire, task))?;
    fire.ledger.count("flux run");
    match done.looks_lost() && fire.ledger.is_broker_killed() {
        // Only the mark tells what became of it.
        true => fire.ledger.failed("flux run", &done.err),
        false => compare(fire, task, &done, "flux run"),
    }
    Ok(())
}

/// `flux submit`, and then something that waits for the job.
fn submit(fire: &Fire, who: u64, turn: u64) -> Result<()> {
    let task = fire.ledger.begin();
    let done = flux(fire, who, "submit", &job_args(fire, task))?;
    fire.ledger.count("flux submit");
    let (0, Ok(id)) = (done.code, done.out.trim().parse()) else {
        fire.ledger.refused(task);
        fire.ledger.failed("flux submit", &done.text());
        return Ok(());
    };
    fire.ledger.acknowledged(task, id);
    let id = done.out.trim();
    let (what, expect) = match turn % 8 {
        1 | 3 => {
            let done = flux(fire, who, "job", &["attach".to_owned(), id.to_owned()])?;
            fire.ledger.count("flux job attach");
            compare(fire, task, &done, "flux job attach");
            return Ok(());
        }
        5 => ("status", task.code()),
        _ => ("wait-event", 0),
    };
    let mut args = vec![what.to_owned(), id.to_owned()];
    if what == "wait-event" {
        args.push("clean".to_owned());
    }
    let done = flux(fire, who, "job", &args)?;
    fire.ledger.count("flux job status and wait-event");
    if done.code != expect {
        fire.ledger
            .failed("flux job", &format!("{what} {id}: {}", done.text()));
    }
    Ok(())
}

/// Counts a key up with `flux kvs put`; the value is there at once.
pub fn count_up(fire: &Fire) -> Result<()> {
    let mut handle = fire.site.open()?;
    while !fire.ledger.is_stopped() {
        let n = fire.counter.fetch_add(1, Ordering::Relaxed) + 1;
        let arg = format!("{COUNTER}={n}");
        let done = flux(fire, u64::MAX, "kvs", &["put".to_owned(), arg])?;
        fire.ledger.count("flux kvs put");
        if done.code != 0 {
            fire.ledger.failed("flux kvs put", &done.text());
            continue;
        }
        match handle.rpc(&Lookup::new(PRIMARY, COUNTER, 0)) {
            Err(refusal) => fire.ledger.failed("kvs.lookup", &refusal.to_string()),
            Ok(found) => {
                let bytes = found.bytes().unwrap_or_default();
                if *bytes != *n.to_string().as_bytes() {
                    let complaint = format!("{n} was put, and {bytes:?} is there");
                    fire.ledger.wrong("keys lost", complaint);
                }
            }
        }
    }
    Ok(())
}

fn job_args(fire: &Fire, task: Task) -> Vec<String> {
    let name = vec![format!("--job-name={}", task.name())];
    [name, fire.script.command(task)].concat()
}

/// Compares the output of a command with that of the task.
fn compare(fire: &Fire, task: Task, done: &Done, what: &'static str) {
    let expect = (task.code(), task.stdout());
    // The command adds words of its own to what a job complains of.
    let is_right =
        done.code == expect.0 && done.out == expect.1 && done.err.starts_with(&task.stderr());
    if !is_right {
        let lens = (done.out.len(), expect.1.len());
        let n = task.0;
        fire.ledger
            .failed(what, &format!("job {n}: {lens:?} bytes: {}", done.text()));
    }
}

/// Runs `flux`. Output goes through files, which nobody has to read meanwhile.
fn flux(fire: &Fire, who: u64, command: &str, args: &[String]) -> Result<Done> {
    let path = |stream: &str| fire.folder.join(format!("{stream}.{who}"));
    let flux = fire.site.flux(&[command]);
    let status: ExitStatus = Command::new("timeout")
        .args(["-k", "5", HANGS_AFTER])
        .arg(flux.get_program())
        .args(flux.get_args())
        .args(args)
        .env("FLUX_URI", fire.site.uri())
        .env("LC_ALL", "C.UTF-8")
        .stdin(std::process::Stdio::null())
        .stdout(fs::File::create(path("out"))?)
        .stderr(fs::File::create(path("err"))?)
        .status()
        .context("timeout")?;
    let read = |stream| -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(path(stream))?).into_owned())
    };
    let done = Done {
        code: status.code().unwrap_or(-1),
        out: read("out")?,
        err: read("err")?,
    };
    if done.code == HANGS {
        fire.ledger
            .wrong("commands that hang", format!("flux {command}: {args:?}"));
    }
    Ok(done)
}

impl Done {
    fn looks_lost(&self) -> bool {
        self.code == 1
    }

    fn text(&self) -> String {
        let err: String = self.err.chars().take(300).collect();
        format!("exit {}: {err}", self.code)
    }
}
