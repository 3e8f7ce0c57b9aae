//! The tools that look for unforeseen failures, each in a short form that counts as one test:
//! `attack`, `damage`, and parts of `crash`. The long forms are commands of their own; the rest
//! of `crash` has its short form in `t/`.

use std::path::Path;

use anyhow::Result;

use super::tally::Tally;
use crate::attack::{AttackArgs, attack};
use crate::crash::{CrashArgs, crash};
use crate::damage::{DamageArgs, damage};

/// Runs each tool against the programs in `programs`.
pub fn run(programs: &Path) -> Tally {
    let mut tally = counted("attack", attack(&AttackArgs::short(programs)));
    tally += counted("damage", damage(&DamageArgs::short(programs)));
    for (name, args) in CrashArgs::shorts(programs) {
        tally += counted(name, crash(&args));
    }
    tally
}

fn counted(name: &str, outcome: Result<bool>) -> Tally {
    let mut tally = Tally::default();
    match outcome {
        Ok(true) => tally.passed = 1,
        Ok(false) => tally.failed = 1,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            tally.failed = 1;
        }
    }
    tally
}
