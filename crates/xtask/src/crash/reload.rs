//! Clients with everyday requests while modules are reloaded and killed in turn and at random:
//! no call may fail, and the delay that this adds is printed.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use client::{Handle, Refusal};
use indicatif::ProgressBar;
use proto::kvs::{Commit, Lookup, PRIMARY};

use super::faults::{RELOADED, kill_modules, reload};
use super::{CrashArgs, Tally};
use crate::site::{Folder, Rng, Site};

/// Between two calls of one client, in milliseconds, at most.
const THINK_MS: u64 = 400;
/// Longest pause before a reload, in milliseconds.
const PAUSE_MS: u64 = 300;
/// Time for which clients ask before modules are reloaded, to compare with.
const CALM: Duration = Duration::from_secs(5);
/// One of N faults is a kill.
const KILL_EVERY: u64 = 4;

/// Observations of clients.
#[derive(Default)]
struct Seen {
    /// Duration of each call, in microseconds.
    times: Vec<u64>,
    failed: Vec<String>,
}

/// Reloads N times, and adds up the observations of clients.
pub fn crash(args: &CrashArgs, programs: &Path, tally: &mut Tally) -> Result<()> {
    let folder = Folder::new(args.keep.as_deref(), "reload")?;
    let site = Site::new(programs, folder.path(), "full")?;
    let broker = site.start()?;
    let (is_calm, is_over) = (AtomicBool::new(true), AtomicBool::new(false));
    let (calm, under_fire) = (Mutex::<Seen>::default(), Mutex::<Seen>::default());
    let result = std::thread::scope(|scope| {
        for n in 0..args.running {
            let mut handle = site.open()?;
            let (is_calm, is_over, seen) = (&is_calm, &is_over, [&calm, &under_fire]);
            scope.spawn(move || {
                let mut rng = Rng::new(args.seed + n);
                let mut turn = n;
                while !is_over.load(Ordering::SeqCst) {
                    turn += 1;
                    rng.pause(THINK_MS);
                    let begin = Instant::now();
                    let answer = ask(&mut handle, n, turn);
                    let time = begin.elapsed().as_micros() as u64;
                    let seen = seen[usize::from(!is_calm.load(Ordering::SeqCst))].lock();
                    let mut seen = seen.unwrap_or_else(PoisonError::into_inner);
                    seen.times.push(time);
                    seen.failed
                        .extend(answer.err().map(|error| error.to_string()));
                }
            });
        }
        std::thread::sleep(CALM);
        is_calm.store(false, Ordering::SeqCst);
        let done = disturb(args, &site, broker.id());
        is_over.store(true, Ordering::SeqCst);
        done
    });
    is_over.store(true, Ordering::SeqCst);
    result?;
    site.end(broker)?;
    tally.figure("reload", "reloads and kills", args.kills);
    tally.figure("reload", "clients", args.running);
    for (what, seen) in [("calm", calm), ("under reloads", under_fire)] {
        let mut seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        seen.times.sort_unstable();
        let of = |percent: usize| seen.times.get(seen.times.len() * percent / 100);
        let ms = |time: Option<&u64>| time.map_or(0, |time| time / 1000);
        tally.figure("reload", &format!("calls, {what}"), seen.times.len() as u64);
        tally.figure("reload", &format!("ms at p50, {what}"), ms(of(50)));
        tally.figure("reload", &format!("ms at p99, {what}"), ms(of(99)));
        tally.figure(
            "reload",
            &format!("ms at most, {what}"),
            ms(seen.times.last()),
        );
        tally.wrong("reload", &format!("calls that failed, {what}"), seen.failed);
    }
    Ok(())
}

/// Request of one client in its turn.
fn ask(handle: &mut Handle, n: u64, turn: u64) -> Result<(), Refusal> {
    let key = format!("reload.{n}");
    match turn % 6 {
        0 => {
            let commit = Commit::new(PRIMARY).put(key, turn.to_string());
            handle
                .rpc(&commit.once(&format!("reload-{n}"), turn))
                .map(drop)
        }
        1 => match handle.rpc(&Lookup::new(PRIMARY, &key, 0)) {
            Err(error) if error.errno == proto::Errno::ENOENT => Ok(()),
            found => found.map(drop),
        },
        2 => handle.rpc(&proto::job_manager::GetInfo).map(drop),
        3 => handle.rpc(&proto::resource::Status).map(drop),
        _ => {
            let name = RELOADED[(turn / 6) as usize % RELOADED.len()];
            let ping = client::Call::new(&proto::common::Ping::default());
            handle.call(ping.topic(&format!("{name}.ping"))).map(drop)
        }
    }
}

fn disturb(args: &CrashArgs, site: &Site, broker: u32) -> Result<()> {
    let mut rng = Rng::new(args.seed);
    let bar = ProgressBar::new(args.kills);
    for n in 0..args.kills {
        rng.pause(PAUSE_MS);
        match n % KILL_EVERY {
            0 => kill_modules(broker, &mut rng)?,
            // Each in turn, and at random.
            1 => reload(site, RELOADED[(n / KILL_EVERY) as usize % RELOADED.len()])?,
            _ => reload(site, rng.choose::<&str>(&RELOADED))?,
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}
