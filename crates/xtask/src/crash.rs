//! `cargo xtask crash`: kills processes of an instance at random moments under load, and
//! looks from outside whether everything acknowledged is still there.
//!
//! It knows nothing of the code under test but the promises to clients. Read on in `crash/kvs.rs`
//! (keys and versions), `crash/jobs.rs` (jobs, commands and streams), `crash/readers.rs` (who
//! follows the journal), `crash/outlive.rs` (jobs that run all the while), `crash/workers.rs`
//! (workers of a site), `crash/reload.rs` (clients while modules are reloaded) and `crash/tree.rs`
//! (many brokers); `crash/faults.rs` has what is done to processes.

mod faults;
mod jobs;
mod kvs;
mod outlive;
mod readers;
mod reload;
mod tally;
mod tree;
mod workers;

use std::path::{Path, PathBuf};

use anyhow::Result;
pub use tally::Tally;

/// Kill processes under load and look for acknowledged data
#[derive(clap::Args)]
pub struct CrashArgs {
    /// Put this part under load
    #[arg(long, value_enum, default_value_t = Part::All)]
    part: Part,
    /// Kill N times in each part
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    kills: u64,
    /// Kill, pause and cut off brokers of a tree instead
    #[arg(long, conflicts_with_all = ["part", "kills"])]
    tree: bool,
    /// Cause N faults in the tree
    #[arg(long, value_name = "N", default_value_t = 1_000, requires = "tree")]
    count: u64,
    /// Write with N clients at once
    #[arg(long, value_name = "N", default_value_t = 4)]
    writers: usize,
    /// Submit with N clients of each kind at once
    #[arg(long, value_name = "N", default_value_t = 3)]
    submitters: usize,
    /// Keep N jobs running, or workers of a site, or clients
    #[arg(long, value_name = "N", default_value_t = 100)]
    running: u64,
    /// The most that broker and modules may take together under jobs, in MiB
    #[arg(long, value_name = "N", default_value_t = 256)]
    memory: u64,
    /// Seed the random numbers
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
    /// Short forms, of a few seconds each, by the command that they are the short form of.
    pub fn shorts(programs: &Path) -> [(&'static str, CrashArgs); 4] {
        let of = |part, kills, running| CrashArgs {
            part,
            kills,
            running,
            tree: false,
            ..CrashArgs::short(programs)
        };
        [
            ("crash --tree", CrashArgs::short(programs)),
            ("crash --part=outlive", of(Part::Outlive, 36, 10)),
            ("crash --part=workers", of(Part::Workers, 40, 10)),
            ("crash --part=reload", of(Part::Reload, 12, 20)),
        ]
    }

    /// A few faults in a tree, for a few seconds.
    fn short(programs: &Path) -> CrashArgs {
        CrashArgs {
            part: Part::All,
            kills: 0,
            tree: true,
            count: 12,
            writers: 1,
            submitters: 1,
            running: 1,
            memory: 256,
            seed: 1,
            keep: None,
            programs: Some(programs.to_owned()),
        }
    }
}

/// Part under load while processes are killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Keys, versions and watches
    Kvs,
    /// Jobs, commands and streams
    Jobs,
    /// Programs that follow the journal: they are killed themselves
    Readers,
    /// Jobs that run while servers are killed and reloaded
    Outlive,
    /// Workers of a site's own, whose server is killed
    Workers,
    /// Clients who ask while modules are reloaded
    Reload,
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
    if is_asked(Part::Outlive) {
        outlive::crash(args, &programs, &mut tally)?;
    }
    if is_asked(Part::Reload) {
        reload::crash(args, &programs, &mut tally)?;
    }
    if is_asked(Part::Workers) {
        workers::crash(args, &programs, &mut tally)?;
    }
    tally.print();
    Ok(tally.is_clean())
}
