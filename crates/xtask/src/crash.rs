//! `cargo xtask crash`: kills processes of an instance at random moments under load, and
//! looks from outside whether everything acknowledged is still there.
//!
//! It knows nothing of the code under test but what clients are promised. Read on in
//! `crash/kvs.rs` (keys and versions), `crash/jobs.rs` (jobs, commands and streams),
//! `crash/readers.rs` (who follows the journal) and `crash/tree.rs` (many brokers).

mod jobs;
mod kvs;
mod readers;
mod tally;
mod tree;

use std::path::{Path, PathBuf};

use anyhow::Result;
pub use tally::Tally;

/// Kill processes under load and look for what was acknowledged
#[derive(clap::Args)]
pub struct CrashArgs {
    /// What is under load
    #[arg(long, value_enum, default_value_t = Part::All)]
    part: Part,
    /// How many times to kill, in each part
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    kills: u64,
    /// Kill, pause and cut off brokers of a tree instead
    #[arg(long, conflicts_with_all = ["part", "kills"])]
    tree: bool,
    /// How many faults in the tree
    #[arg(long, value_name = "N", default_value_t = 1_000, requires = "tree")]
    count: u64,
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

impl CrashArgs {
    /// A few faults in a tree, for a few seconds.
    pub fn short(programs: &Path) -> CrashArgs {
        CrashArgs {
            part: Part::All,
            kills: 0,
            tree: true,
            count: 12,
            writers: 1,
            submitters: 1,
            memory: 256,
            seed: 1,
            keep: None,
            programs: Some(programs.to_owned()),
        }
    }
}

/// What is under load while processes are killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Keys, versions and watches
    Kvs,
    /// Jobs, commands and streams
    Jobs,
    /// Programs that follow the journal: they are killed themselves
    Readers,
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
    if args.tree {
        tree::crash(args, &programs, &mut tally)?;
        tally.print();
        return Ok(tally.is_clean());
    }
    let is_asked = |part: Part| args.part == part || args.part == Part::All;
    if is_asked(Part::Kvs) {
        kvs::crash(args, &programs, &mut tally)?;
    }
    if is_asked(Part::Jobs) {
        jobs::crash(args, &programs, &mut tally)?;
    }
    if is_asked(Part::Readers) {
        readers::crash(args, &programs, &mut tally)?;
    }
    tally.print();
    Ok(tally.is_clean())
}
