//! `cargo xtask damage`: flips bits, cuts files and zeroes pages of a state directory, and
//! checks from outside whether any acknowledged state is lost without a report.
//!
//! A real instance fills a state directory and is ended or killed; the data it has
//! acknowledged is kept in a ledger. Each trial damages one file of a copy, starts an
//! instance on it and compares its answers with the ledger. Read on in `damage/ledger.rs`
//! (the acknowledged data) and `damage/harm.rs` (the damage to files).

mod harm;
mod ledger;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use comfy_table::{Table, presets};
use indicatif::ProgressBar;
use rustix::process::Signal;

use crate::proc::{children_of, kill};
use crate::site::{Folder, Rng, Site, wait_for_end};
use harm::{Harm, Kind};
use ledger::{Ledger, Verdict};

/// Damage files of a state directory and look for acknowledged data
#[derive(clap::Args)]
pub struct DamageArgs {
    /// Trials with one flipped bit
    #[arg(long, value_name = "N", default_value_t = 400)]
    flips: u64,
    /// Trials with a file that is cut short
    #[arg(long, value_name = "N", default_value_t = 100)]
    cuts: u64,
    /// Trials with a page of zeros
    #[arg(long, value_name = "N", default_value_t = 100)]
    zeros: u64,
    /// End the instance like this first
    #[arg(long, value_enum, default_value_t = After::Both)]
    after: After,
    /// The store: content-sqlite or content-files
    #[arg(long, value_name = "NAME", default_value = "content-sqlite")]
    store: String,
    /// Seed the random numbers
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Work in this new folder and leave it there
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Take the programs from here instead of building them
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
}

impl DamageArgs {
    /// Options of the tests: seconds, not minutes.
    pub fn short(programs: &Path) -> DamageArgs {
        DamageArgs {
            flips: 12,
            cuts: 4,
            zeros: 4,
            after: After::Both,
            store: "content-sqlite".to_owned(),
            seed: 1,
            keep: None,
            programs: Some(programs.to_path_buf()),
        }
    }
}

/// End of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum After {
    /// All of its processes were killed
    Kill,
    /// In order
    End,
    /// One after the other
    Both,
}

/// Verdicts by file and kind of damage.
type Tally = BTreeMap<(String, Kind), BTreeMap<Verdict, u64>>;

/// Does all trials; true when nothing was silently wrong.
pub fn damage(args: &DamageArgs) -> Result<bool> {
    let programs = match &args.programs {
        Some(folder) => folder.clone(),
        None => crate::bench::build("release")?,
    };
    let folder = Folder::new(args.keep.as_deref(), "damage")?;
    let mut tally = Tally::new();
    let mut rng = Rng::new(args.seed);
    let ways = [(After::Kill, "kill"), (After::End, "end")];
    for (after, name) in ways {
        if args.after == after || args.after == After::Both {
            let folder = folder.path().join(name);
            std::fs::create_dir_all(&folder)?;
            trials(args, &programs, &folder, after, &mut rng, &mut tally)?;
        }
    }
    print(&tally);
    let silent = tally.values().filter_map(|row| row.get(&Verdict::Silent));
    Ok(silent.sum::<u64>() == 0)
}

fn trials(
    args: &DamageArgs,
    programs: &Path,
    folder: &Path,
    after: After,
    rng: &mut Rng,
    tally: &mut Tally,
) -> Result<()> {
    let site = Site::new(programs, folder, "full")?;
    let site = site.with(format!("-Scontent.backing-module={}", args.store));
    let ledger = prepare(&site, after)?;
    let whole = folder.join("whole");
    copy(site.statedir(), &whole)?;
    let verdict = ledger.judge(&site, &folder.join("log"))?;
    ensure!(verdict == Verdict::Right, "without any damage: {verdict:?}");
    let counts = [
        (Kind::Flip, args.flips),
        (Kind::Cut, args.cuts),
        (Kind::Zeros, args.zeros),
    ];
    let kinds = counts
        .iter()
        .flat_map(|(kind, n)| (0..*n).map(|_| *kind))
        .collect::<Vec<_>>();
    let bar = ProgressBar::new(kinds.len() as u64);
    for kind in kinds {
        std::fs::remove_dir_all(site.statedir())?;
        copy(&whole, site.statedir())?;
        let harm = Harm::draw(site.statedir(), kind, rng)?;
        harm.inflict(site.statedir())?;
        std::fs::remove_file(folder.join("log")).ok();
        let verdict = ledger.judge(&site, &folder.join("log"))?;
        if verdict == Verdict::Silent {
            bar.suspend(|| eprintln!("after {after:?}: {harm}: silently wrong"));
        }
        let row = tally.entry((harm.file(), kind)).or_default();
        *row.entry(verdict).or_default() += 1;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// An instance does its work and ends.
fn prepare(site: &Site, after: After) -> Result<Ledger> {
    let mut broker = site.start()?;
    let ledger = Ledger::fill(site)?;
    if after == After::End {
        site.end(broker)?;
        return Ok(ledger);
    }
    let children = children_of(broker.id())?;
    kill(broker.id(), Signal::KILL);
    children.iter().for_each(|child| kill(*child, Signal::KILL));
    broker.wait()?;
    wait_for_end(&children)?;
    Ok(ledger)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

fn print(tally: &Tally) {
    let verdicts = [
        Verdict::Right,
        Verdict::Told,
        Verdict::Refused,
        Verdict::Silent,
    ];
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header([
        "file",
        "damage",
        "right",
        "told by name",
        "start refused",
        "silently wrong",
    ]);
    for ((file, kind), row) in tally {
        let cells = verdicts.map(|verdict| row.get(&verdict).copied().unwrap_or(0).to_string());
        table.add_row([vec![file.clone(), kind.to_string()], cells.into()].concat());
    }
    println!("{table}");
}
