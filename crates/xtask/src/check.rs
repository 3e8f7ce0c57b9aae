//! `cargo xtask check`: the checks that must hold before a commit, in the order in which
//! a mistake is cheapest to find. All steps run, so one round shows everything.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Result;

use crate::book;
use crate::run::{cargo, has_nextest, run};
use crate::tools::CARGO_DENY;
use crate::workspace;

/// Check format, lints, crates of others, the site of doc/, tests, tidiness and generated docs
#[derive(clap::Args)]
pub struct CheckArgs {
    /// Stop at the first step that fails
    #[arg(long)]
    fail_fast: bool,
}

type Step = (&'static str, fn() -> Result<bool>);

/// Tidiness and generated pages have no step: tests hold them.
const STEPS: [Step; 5] = [
    ("format", format),
    ("clippy", clippy),
    ("site", book::check),
    ("deny", deny),
    ("tests", tests),
];

/// Runs every step; true when all of them passed.
pub fn check(args: &CheckArgs) -> Result<bool> {
    let mut results = Vec::new();
    for (name, step) in STEPS {
        let start = Instant::now();
        let passed = step()?;
        results.push((name, passed, start.elapsed()));
        if !passed && args.fail_fast {
            break;
        }
    }
    eprintln!();
    for (name, passed, took) in &results {
        let word = if *passed { "passed" } else { "FAILED" };
        eprintln!("{name:<8} {word}  {:.1}s", took.as_secs_f64());
    }
    Ok(results.iter().all(|(_, passed, _)| *passed))
}

fn format() -> Result<bool> {
    run(&mut cargo(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<bool> {
    run(&mut cargo([
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]))
}

/// Licences, versions and sources of the crates of others, by `deny.toml`. Without a network the
/// rest is still checked.
fn deny() -> Result<bool> {
    let program = match CARGO_DENY.program() {
        Ok(program) => program,
        Err(error) => {
            eprintln!("deny: not checked: {error:#}");
            return Ok(true);
        }
    };
    let deny = |network: &str, checks: &[&str]| {
        let mut deny = Command::new(&program);
        deny.current_dir(workspace::root());
        deny.args(["--all-features", network, "check", "--hide-inclusion-graph"]);
        deny.args(checks);
        deny
    };
    let is_allowed = run(&mut deny("--locked", &["licenses", "bans", "sources"]))?;
    // Fetching is a step of its own: that it fails says nothing of the crates.
    let mut fetch = Command::new(&program);
    fetch.current_dir(workspace::root()).args(["fetch", "db"]);
    fetch.stdout(Stdio::null()).stderr(Stdio::null());
    if !run(&mut fetch)? {
        eprintln!("deny: advisories not checked: their database cannot be fetched from GitHub");
        return Ok(is_allowed);
    }
    Ok(run(&mut deny("--frozen", &["advisories"]))? && is_allowed)
}

fn tests() -> Result<bool> {
    if has_nextest() {
        run(&mut cargo([
            "nextest",
            "run",
            "--workspace",
            "--no-fail-fast",
        ]))
    } else {
        run(&mut cargo([
            "test",
            "--workspace",
            "--no-fail-fast",
            "--quiet",
        ]))
    }
}
