//! A tree of brokers under faults: eight brokers that find each other by the table
//! [bootstrap], as `kary:2`. Followers and routers are killed, paused and cut off at random
//! moments; one that has ended is started again. On every rank programs ping, publish, listen,
//! commit and submit.
//!
//! Promises checked from outside: a client on a branch that nobody has touched sees no error,
//! no request hangs, no event is lost on the way, no commit and no job that was acknowledged is
//! lost or doubled, a job that fails names the node that it has lost, the two ends of a link
//! agree but for moments, and all are one tree again when nothing is broken any more.
//!
//! Read on in `hosts.rs` (the brokers), `branches.rs` (which ranks are touched, and when),
//! `ping.rs`, `events.rs`, `commits.rs` and `jobs.rs` (who is at work), `ends.rs` (the reports of
//! brokers about each other).

mod branches;
mod commits;
mod complaints;
mod ends;
mod events;
mod fates;
mod hosts;
mod jobs;
mod ping;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use indicatif::ProgressBar;
use proto::overlay::{DisconnectSubtree, Health, Status};
use rustix::process::Signal;

use super::{CrashArgs, Tally};
use crate::proc::kill;
use crate::site::{Folder, Rng};
use branches::Branches;
use commits::Commits;
use ends::Ends;
use events::Events;
use hosts::Hosts;
use jobs::Jobs;
use ping::Pings;

/// Brokers.
pub const SIZE: u32 = 8;
/// Longest pause between faults, in milliseconds.
const PAUSE_MS: u64 = 400;
/// Longest that a broker is paused, in milliseconds: a few keepalives.
const STOP_MS: u64 = 3_000;
/// A fault in N comes only when all is well again.
const REST_EVERY: u64 = 3;
/// All have to be one tree again within this.
const PATIENCE: Duration = Duration::from_secs(60);

/// The parent of a rank.
pub fn parent(rank: u32) -> Option<u32> {
    Some(rank.checked_sub(1)? / 2)
}

/// State shared by all workers.
pub struct Fire<'a> {
    hosts: &'a Hosts,
    branches: Branches,
    pings: Pings,
    events: Events,
    ends: Ends,
    commits: Commits,
    jobs: Jobs,
    /// Nothing is broken any more, and nothing new is begun.
    is_resting: AtomicBool,
    is_over: AtomicBool,
}

impl Fire<'_> {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn is_resting(&self) -> bool {
        self.is_resting.load(Ordering::Relaxed) || self.is_over()
    }
}

/// Breaks things N times, and adds up the results.
pub fn crash(args: &CrashArgs, programs: &Path, tally: &mut Tally) -> Result<()> {
    let folder = Folder::new(args.keep.as_deref(), "tree")?;
    let hosts = Hosts::new(programs, folder.path())?;
    let fire = Fire {
        hosts: &hosts,
        branches: Branches::default(),
        pings: Pings::default(),
        events: Events::default(),
        ends: Ends::default(),
        commits: Commits::default(),
        jobs: Jobs::default(),
        is_resting: AtomicBool::new(false),
        is_over: AtomicBool::new(false),
    };
    // Until all have come, nobody can count on anything.
    fire.branches.touch(0);
    hosts.start_all()?;
    let faults = std::thread::scope(|scope| {
        for rank in 0..SIZE {
            let fire = &fire;
            scope.spawn(move || fire.hosts.keep(rank));
        }
        let result = wait_until_full(&fire).and_then(|()| work(&fire, args, scope));
        // Everybody comes to an end, also after an error.
        fire.is_over.store(true, Ordering::Relaxed);
        hosts.end_all();
        result
    })?;
    for (what, n) in faults {
        tally.figure("tree", what, n);
    }
    tally.figure("tree", "brokers started", hosts.n_started());
    fire.pings.add_up(tally);
    fire.events.add_up(tally);
    fire.ends.add_up(tally);
    fire.commits.add_up(tally);
    fire.jobs.add_up(tally);
    tally.wrong(
        "tree",
        "brokers that ended otherwise than they should",
        hosts.complaints(),
    );
    Ok(())
}

/// Everybody works, things break, and all is well in the end.
fn work<'scope>(
    fire: &'scope Fire<'_>,
    args: &'scope CrashArgs,
    scope: &'scope std::thread::Scope<'scope, '_>,
) -> Result<Vec<(&'static str, u64)>> {
    let mut writers = Vec::new();
    for rank in 0..SIZE {
        scope.spawn(move || ping::ping(fire, rank, args.seed));
        scope.spawn(move || events::publish(fire, rank));
        scope.spawn(move || events::listen(fire, rank));
        writers.push(scope.spawn(move || commits::commit(fire, rank)));
        writers.push(scope.spawn(move || jobs::submit(fire, rank)));
    }
    scope.spawn(move || ends::watch(fire));
    let mut rng = Rng::new(args.seed);
    let bar = ProgressBar::new(args.count);
    let names = ["kills", "pauses", "cuts"];
    let mut counts = [0; 3];
    let mut pauses = Pauses::default();
    for n in 0..args.count {
        // Half of the faults hit routers.
        let rank = match rng.below(2) {
            0 => 1 + rng.below(3),
            _ => 1 + rng.below(u64::from(SIZE) - 1),
        };
        let fault = rng.below(3) as usize;
        let fault_came = match fault {
            0 => kill_one(fire, rank as u32),
            1 => pauses.begin(fire, rank as u32, &mut rng),
            _ => cut(fire, rank as u32),
        };
        counts[fault] += u64::from(fault_came);
        bar.set_position(n + 1);
        match rng.below(REST_EVERY) {
            0 => {
                pauses.end(fire, true);
                wait_until_full(fire)?;
            }
            _ => rng.pause(PAUSE_MS),
        }
        pauses.end(fire, false);
    }
    bar.finish_and_clear();
    pauses.end(fire, true);
    wait_until_full(fire)?;
    // The last messages are received everywhere.
    events::rest(fire);
    fire.is_resting.store(true, Ordering::Relaxed);
    for writer in writers {
        ensure!(writer.join().is_ok(), "a program has panicked");
    }
    let mut handle = fire.hosts.open(0).context("rank 0 is not there")?;
    commits::verify(fire, &mut handle);
    jobs::verify(fire, &mut handle)?;
    Ok(names.into_iter().zip(counts).collect())
}

fn kill_one(fire: &Fire, rank: u32) -> bool {
    fire.branches.touch(rank);
    fire.hosts.signal(rank, Signal::KILL)
}

/// Brokers that are paused, and until when.
#[derive(Default)]
struct Pauses(Vec<(u32, u32, Instant)>);

impl Pauses {
    /// Pauses the broker of a rank, unless it is.
    fn begin(&mut self, fire: &Fire, rank: u32, rng: &mut Rng) -> bool {
        let Some(pid) = fire.hosts.pid(rank) else {
            return false;
        };
        if fire.branches.is_paused(&[rank]) {
            return false;
        }
        let time = Duration::from_millis(rng.below(STOP_MS));
        fire.branches.pause(rank);
        kill(pid, Signal::STOP);
        self.0.push((rank, pid, Instant::now() + time));
        true
    }

    /// Resumes the pauses whose time has come, or all.
    fn end(&mut self, fire: &Fire, all: bool) {
        let now = Instant::now();
        self.0.retain(|(rank, pid, until)| {
            let goes_on = all || *until <= now;
            if goes_on {
                kill(*pid, Signal::CONT);
                fire.branches.resume(*rank);
            }
            !goes_on
        });
    }
}

/// Parent cuts a rank off.
fn cut(fire: &Fire, rank: u32) -> bool {
    // One that is paused would not answer before it goes on.
    let above = parent(rank).filter(|parent| !fire.branches.is_paused(&[*parent]));
    let Some(mut handle) = above.and_then(|parent| fire.hosts.open(parent)) else {
        return false;
    };
    fire.branches.touch(rank);
    handle.rpc(&DisconnectSubtree { rank }).is_ok()
}

/// Waits until all ranks are one tree.
fn wait_until_full(fire: &Fire) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        fire.branches.look(fire.hosts);
        let health = fire
            .hosts
            .open(0)
            .and_then(|mut handle| handle.rpc(&Health).ok());
        if health.is_some_and(|health| health.status == Status::Full) && fire.branches.is_whole() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    bail!("not one tree again: {}", fire.branches.describe(fire.hosts))
}
