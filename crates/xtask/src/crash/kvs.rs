//! The key-value store under kills. A round is one life of a broker: writers commit, a
//! reader walks whole versions and a log is watched while the kvs, kvs-watch and content
//! modules are killed a few times, then the broker or everything. The next round begins
//! on the same state directory and looks at the data acknowledged in the one before; the
//! end looks at all of it. Read on in `load.rs` (who is at work) and `verify.rs`.

mod load;
mod verify;

use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use indicatif::ProgressBar;
use rustix::process::Signal;

use super::{CrashArgs, Tally};
use crate::proc::{children_of, kill, program_of};
use crate::site::{Folder, Rng, Site, wait_for_end};
use load::{Seen, Told};

/// Kills in one life of a broker, the last one its own.
const KILLS_PER_ROUND: u64 = 10;
/// Longest pause before a kill, in milliseconds.
const PAUSE_MS: u64 = 120;

/// Modules that are killed together.
const VICTIMS: &[&[&str]] = &[
    &["flux-module-kvs"],
    &["flux-module-content"],
    &["flux-module-kvs-watch"],
    &["flux-module-kvs", "flux-module-content"],
    &[
        "flux-module-kvs",
        "flux-module-content",
        "flux-module-kvs-watch",
    ],
];

/// Kills N times, and adds up the results.
pub fn crash(args: &CrashArgs, programs: &Path, tally: &mut Tally) -> Result<()> {
    let folder = Folder::new(args.keep.as_deref(), "kvs")?;
    let site = Site::new(programs, folder.path(), "kvs")?;
    let mut rng = Rng::new(args.seed);
    let mut told: Vec<Told> = (0..args.writers).map(|_| Told::default()).collect();
    let mut seen = Seen::default();
    let bar = ProgressBar::new(args.kills);
    let (mut kills, mut wrong) = (0, Vec::new());
    while kills < args.kills {
        let before: Vec<usize> = told.iter().map(|told| told.acknowledged.len()).collect();
        let count = KILLS_PER_ROUND.min(args.kills - kills);
        let broker = site.start()?;
        round(&site, broker, count, &mut rng, &mut told, &mut seen)?;
        kills += count;
        bar.inc(count);
        let broker = site.start()?;
        wrong.extend(verify::wrong(&site, &told, &seen, &before)?);
        site.end(broker)?;
    }
    let broker = site.start()?;
    wrong.extend(verify::wrong(&site, &told, &seen, &vec![0; told.len()])?);
    site.end(broker)?;
    bar.finish_and_clear();
    wrong.append(&mut seen.wrong);
    let acknowledged = told.iter().map(|told| told.acknowledged.len() as u64);
    let ended = told.iter().map(|told| told.ended);
    tally.figure("kvs", "kills", kills);
    tally.figure("kvs", "commits acknowledged", acknowledged.sum());
    tally.figure("kvs", "commits that ended with the broker", ended.sum());
    tally.figure("kvs", "versions walked", seen.walks);
    tally.figure("kvs", "watches", seen.watches);
    tally.wrong("kvs", "lost, changed or told wrongly", wrong);
    let failed = told.into_iter().flat_map(|told| told.failed).collect();
    tally.wrong("kvs", "failed while modules were killed", failed);
    Ok(())
}

/// Everyone works and processes are killed, `count` times, the broker last.
fn round(
    site: &Site,
    mut broker: Child,
    count: u64,
    rng: &mut Rng,
    told: &mut [Told],
    seen: &mut Seen,
) -> Result<()> {
    let (is_killed, stop) = (&AtomicBool::new(false), &AtomicBool::new(false));
    let id = broker.id();
    let mut watched = Seen::default();
    std::mem::swap(&mut watched.log, &mut seen.log);
    std::thread::scope(|scope| -> Result<()> {
        for (writer, told) in told.iter_mut().enumerate() {
            scope.spawn(move || load::write(site, writer, told, is_killed, stop));
        }
        let (read, watched) = (&mut *seen, &mut watched);
        scope.spawn(move || load::read(site, read, stop));
        scope.spawn(move || load::watch(site, verify::WATCHED, watched, stop));
        for _ in 1..count {
            rng.pause(PAUSE_MS);
            let victims = rng.choose(VICTIMS);
            let children = children_of(id)?.into_iter();
            children
                .filter(|child| victims.contains(&program_of(*child).as_str()))
                .for_each(|child| kill(child, Signal::KILL));
        }
        rng.pause(PAUSE_MS);
        let children = children_of(id)?;
        is_killed.store(true, Ordering::Relaxed);
        kill(id, Signal::KILL);
        if rng.below(2) == 0 {
            children.iter().for_each(|child| kill(*child, Signal::KILL));
        }
        stop.store(true, Ordering::Relaxed);
        broker.wait()?;
        wait_for_end(&children)
    })?;
    seen.log = watched.log;
    seen.watches += watched.watches;
    seen.wrong.append(&mut watched.wrong);
    Ok(())
}
