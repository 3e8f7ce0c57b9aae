//! `cargo xtask check`: what must hold before a commit, in the order in which a
//! mistake is cheapest to find. All steps run, so one round shows everything.

use std::time::Instant;

use anyhow::Result;

use crate::book;
use crate::run::{cargo, has_nextest, run};

/// Check format, lints, the site of doc/, tests, tidiness and generated docs
#[derive(clap::Args)]
pub struct CheckArgs {
    /// Stop at the first step that fails
    #[arg(long)]
    fail_fast: bool,
}

type Step = (&'static str, fn() -> Result<bool>);

/// Tidiness and generated pages have no step: tests hold them.
const STEPS: [Step; 4] = [
    ("format", format),
    ("clippy", clippy),
    ("site", book::check),
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
