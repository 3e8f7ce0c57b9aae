//! Jobs, commands and streams under kills. A round is one life of a broker: jobs are
//! submitted by calls and by the command `flux`, waited for and followed in every way,
//! while modules are killed alone, in pairs and all together, and at the end the broker,
//! or everything. In some rounds all come to rest before: then nothing may be missing.
//!
//! The next round goes on with the same state directory. Read on in `task.rs` (the tasks
//! of jobs), `ledger.rs` (the answers that everyone received), `submit.rs`, `commands.rs`
//! and `follow.rs` (clients at work), and `verify.rs` (the expected results).

mod commands;
mod follow;
mod ledger;
mod memory;
mod submit;
mod task;
mod verify;

use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use proto::job_manager::Drain;
use proto::kvs::{Commit, PRIMARY};
use rustix::process::Signal;

use super::faults::kill_modules;
use super::{CrashArgs, Tally};
use crate::proc::{children_of, descendants_of, kill};
use crate::site::{Folder, Rng, Site, wait_for_end};
use ledger::{Ledger, Phase};
use memory::Memory;
use task::Script;

/// Kills in one life of a broker, the last one its own.
const KILLS_PER_ROUND: u64 = 12;
/// Longest pause before a kill, in milliseconds.
const PAUSE_MS: u64 = 200;
/// In one of N rounds all jobs come to their end before the broker is killed.
const QUIET_EVERY: u64 = 3;
/// Time that followers have to receive the last message.
const REST: Duration = Duration::from_secs(20);
/// Cores of the instance, on any machine.
pub(super) const CORES: u64 = 16;

/// State shared by all workers.
pub struct Fire<'a> {
    site: &'a Site,
    folder: PathBuf,
    script: Script,
    ledger: Ledger,
    memory: Memory,
    /// Last value of the counter in the key-value store.
    counter: AtomicU64,
}

/// Kills N times, and adds up the results.
pub fn crash(args: &CrashArgs, programs: &Path, tally: &mut Tally) -> Result<()> {
    let folder = Folder::new(args.keep.as_deref(), "jobs")?;
    let site = Site::new(programs, folder.path(), "full")?.with(config(folder.path(), CORES)?);
    let fire = Fire {
        site: &site,
        folder: folder.path().to_owned(),
        script: Script::new(folder.path())?,
        ledger: Ledger::default(),
        memory: Memory::default(),
        counter: AtomicU64::new(0),
    };
    let mut rng = Rng::new(args.seed);
    let bar = ProgressBar::new(args.kills);
    let (mut kills, mut rounds) = (0, 0);
    while kills < args.kills {
        let count = KILLS_PER_ROUND.min(args.kills - kills);
        let broker = site.start()?;
        fire.ledger.enter(Phase::Work);
        verify::settle(&fire)?;
        rounds += 1;
        let is_quiet = rounds % QUIET_EVERY == 0;
        round(&fire, broker, count, args.submitters, is_quiet, &mut rng)?;
        kills += count;
        bar.inc(count);
    }
    let broker = site.start()?;
    fire.ledger.enter(Phase::Work);
    verify::wait_for_all(&fire)?;
    verify::settle(&fire)?;
    verify::look_at_all(&fire)?;
    site.end(broker)?;
    bar.finish_and_clear();
    tally.figure("jobs", "kills", kills);
    tally.figure("jobs", "lives of brokers", rounds + 1);
    fire.add_up(args.memory, tally);
    Ok(())
}

impl Fire<'_> {
    fn add_up(&self, budget: u64, tally: &mut Tally) {
        let (counts, wrong) = self.ledger.sums();
        tally.figure("jobs", "submissions", self.ledger.n_begun());
        for (what, n) in counts {
            tally.figure("jobs", what, n);
        }
        for (what, complaints) in wrong {
            tally.wrong("jobs", what, complaints);
        }
        let most = self.memory.most_mib();
        tally.figure("jobs", "MiB of broker and modules at most", most);
        let over = format!("{most} MiB, and {budget} are allowed");
        let over = (most > budget).then_some(over);
        tally.wrong("jobs", "memory over its budget", over.into_iter().collect());
    }
}

/// The option for an instance of some cores, whose configuration is put in `folder`.
pub(super) fn config(folder: &Path, cores: u64) -> Result<String> {
    let path = folder.join("crash.toml");
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    let text = format!(
        "[resource]\nnoverify = true\nnorestrict = true\n\
         [[resource.config]]\nhosts = \"{}\"\ncores = \"0-{}\"\n",
        host.trim(),
        cores - 1
    );
    std::fs::write(&path, text)?;
    Ok(format!("--config-path={}", path.display()))
}

/// Everyone works and processes are killed, `count` times, the broker last.
fn round(
    fire: &Fire,
    mut broker: Child,
    count: u64,
    submitters: usize,
    is_quiet: bool,
    rng: &mut Rng,
) -> Result<()> {
    let followers = &AtomicUsize::new(0);
    std::thread::scope(|scope| -> Result<()> {
        let mut workers = Vec::new();
        for n in 0..submitters as u64 {
            workers.push(scope.spawn(move || {
                submit::submit(fire, n);
                Ok(())
            }));
            workers.push(scope.spawn(move || commands::command(fire, n)));
        }
        workers.push(scope.spawn(|| commands::count_up(fire)));
        let all: [fn(&Fire); 6] = [
            follow::journal,
            follow::logs,
            follow::key,
            follow::stats,
            follow::events,
            follow::dmesg,
        ];
        for one in all {
            followers.fetch_add(1, Ordering::SeqCst);
            scope.spawn(move || {
                one(fire);
                followers.fetch_sub(1, Ordering::SeqCst);
            });
        }
        let id = broker.id();
        scope.spawn(|| follow::write_log(fire));
        scope.spawn(move || fire.memory.watch(&fire.ledger, id));
        let killed = kill_now_and_then(id, count, rng);
        let rested = match (&killed, is_quiet) {
            (Ok(()), true) => {
                fire.ledger.enter(Phase::Stop);
                let ends = workers.into_iter().map(|worker| worker.join());
                let ends: Vec<_> = ends.collect();
                rest(fire, followers)
                    .and_then(|()| ends.into_iter().try_for_each(|end| end.unwrap_or(Ok(()))))
            }
            _ => Ok(()),
        };
        // Even if something went wrong, the broker goes, or nobody would come to an end.
        let end = kill_broker(fire, &mut broker, rng);
        killed.and(rested).and(end)
    })
}

/// Kills modules, N times less one.
fn kill_now_and_then(broker: u32, count: u64, rng: &mut Rng) -> Result<()> {
    for _ in 1..count {
        rng.pause(PAUSE_MS);
        kill_modules(broker, rng)?;
    }
    rng.pause(PAUSE_MS);
    Ok(())
}

/// Waits until all jobs have ended, and all followers were told so.
fn rest(fire: &Fire, followers: &AtomicUsize) -> Result<()> {
    let mut handle = fire.site.open()?;
    handle.rpc(&Drain).context("job-manager.drain")?;
    verify::look_at_resources(fire, &mut handle)?;
    fire.ledger.enter(Phase::Quiet);
    // One more of everything, which followers do not take in any more.
    submit::submit_last(fire, &mut handle);
    let n = fire.counter.fetch_add(1, Ordering::Relaxed) + 1;
    let last = Commit::new(PRIMARY).put(commands::COUNTER.to_owned(), n.to_string());
    handle.rpc(&last).context("kvs.commit")?;
    let end = Instant::now() + REST;
    while followers.load(Ordering::SeqCst) > 0 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
    let n = followers.load(Ordering::SeqCst);
    if n > 0 {
        let complaint = format!("{n} followers were not told of the last thing");
        fire.ledger.wrong("streams that fell silent", complaint);
    }
    Ok(())
}

/// Kills the broker, and maybe everything below it.
fn kill_broker(fire: &Fire, broker: &mut Child, rng: &mut Rng) -> Result<()> {
    let modules = children_of(broker.id())?;
    let everything = descendants_of(broker.id());
    fire.ledger.enter(Phase::Killed);
    kill(broker.id(), Signal::KILL);
    if rng.below(2) == 0 {
        everything
            .iter()
            .for_each(|child| kill(*child, Signal::KILL));
    }
    broker.wait()?;
    wait_for_end(&modules)
}
