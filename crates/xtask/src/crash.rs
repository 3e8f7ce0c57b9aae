//! `cargo xtask crash`: kills processes of an instance at random moments under load, and
//! looks from outside whether everything acknowledged is still there.
//!
//! It knows nothing of the code under test but what clients are promised. Read on in
//! `crash/kvs.rs` (keys and versions) and `crash/jobs.rs` (jobs, commands and streams).

mod jobs;
mod kvs;
mod tally;

use std::path::PathBuf;

use anyhow::Result;
use tally::Tally;

/// Kill processes under load and look for what was acknowledged
#[derive(clap::Args)]
pub struct CrashArgs {
    /// What is under load
    #[arg(long, value_enum, default_value_t = Part::All)]
    part: Part,
    /// How many times to kill, in each part
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    kills: u64,
    /// How many clients write at once
    #[arg(long, value_name = "N", default_value_t = 4)]
    writers: usize,
    /// How many clients of each kind submit jobs at once
    #[arg(long, value_name = "N", default_value_t = 3)]
    submitters: usize,
    /// The most that broker and modules may take together under jobs, in MiB
    #[arg(long, value_name = "N", default_value_t = 256)]
    memory: u64,
    /// Where the random numbers begin
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Work in this new folder and leave it there: state directory, log, marks of the jobs
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Take the programs from here instead of building them
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
}

/// What is under load while processes are killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Keys, versions and watches
    Kvs,
    /// Jobs, commands and streams
    Jobs,
    /// Everything, one after the other
    All,
}

/// Kills as often as asked; true when everything was as promised.
pub fn crash(args: &CrashArgs) -> Result<bool> {
    let programs = match &args.programs {
        Some(folder) => folder.clone(),
        None => crate::bench::build("release")?,
    };
    let mut tally = Tally::default();
    if args.part != Part::Jobs {
        kvs::crash(args, &programs, &mut tally)?;
    }
    if args.part != Part::Kvs {
        jobs::crash(args, &programs, &mut tally)?;
    }
    tally.print();
    Ok(tally.is_clean())
}
