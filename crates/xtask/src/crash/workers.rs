//! Workers of a site's own (`doc/howto/write-a-worker.md`): many take tasks from the server of
//! the example while it is killed, and with it the servers that it needs, and the broker. Each
//! task must be done, each result counted once, and no worker may come to an end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use client::{Call, Options, Refusal, Worker};
use indicatif::ProgressBar;
use proto::Errno;
use proto::worker::{Add, List, Listed};
use serde_json::Value;

use super::faults::{kill_broker, kill_modules, wait_until};
use super::{CrashArgs, Tally};
use crate::proc::{children_of, kill, program_of};
use crate::site::{Folder, Rng, Site};

/// Longest pause before a kill, in milliseconds.
const PAUSE_MS: u64 = 100;
/// One of N kills is the broker's, and one of N that of other modules.
const BROKER_EVERY: u64 = 50;
const OTHERS_EVERY: u64 = 5;
/// Tasks a kill: as many as keep the workers busy.
const TASKS_PER_KILL: u64 = 20;
/// Under which the server is loaded, and its program.
const SERVER: &str = "rigs";
const PROGRAM: &str = "rig_server";

/// State shared by workers and the thread that kills.
#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    /// Workers that have come to an end, and why.
    ends: Mutex<Vec<String>>,
    /// Completions that were acknowledged, by task.
    done: Mutex<BTreeMap<String, u64>>,
    n_refused: AtomicU64,
}

/// Kills N times, and adds up the results.
pub fn crash(args: &CrashArgs, programs: &Path, tally: &mut Tally) -> Result<()> {
    let folder = Folder::new(args.keep.as_deref(), "workers")?;
    let site = Site::new(programs, folder.path(), "full")?;
    let server = std::path::absolute(programs.join("examples").join(PROGRAM))?;
    let shared = Arc::new(Shared::default());
    let n_tasks = args.kills * TASKS_PER_KILL;
    let mut broker = start(&site, &server)?;
    add(&site, n_tasks)?;
    let workers: Vec<_> = (0..args.running)
        .map(|n| {
            let (shared, uri) = (shared.clone(), site.uri());
            std::thread::spawn(move || {
                if let Err(refusal) = work(&shared, uri, n) {
                    let ends = shared.ends.lock();
                    let mut ends = ends.unwrap_or_else(PoisonError::into_inner);
                    ends.push(format!("worker {n}: {refusal}"));
                }
            })
        })
        .collect();
    let lives = kill_all(args, &site, &server, &mut broker)?;
    let listed = wait_for_all(&site)?;
    shared.is_over.store(true, Ordering::SeqCst);
    // One more for each that waits.
    let tasks = (0..2 * args.running).map(|n| (format!("end-{n}"), "0".to_owned()));
    let tasks = tasks.collect();
    site.open()?
        .call(Call::new(&Add { tasks }).topic("rigs.add"))?;
    for worker in workers {
        worker.join().map_err(|_| anyhow!("a worker panicked"))?;
    }
    look(&shared, &listed, n_tasks, tally);
    site.end(broker)?;
    tally.figure("workers", "kills", args.kills);
    tally.figure("workers", "lives of brokers", lives);
    tally.figure("workers", "workers", args.running);
    tally.figure("workers", "tasks", n_tasks);
    let refused = shared.n_refused.load(Ordering::SeqCst);
    tally.figure("workers", "completions refused after a lease", refused);
    Ok(())
}

fn start(site: &Site, server: &PathBuf) -> Result<Child> {
    let broker = site.start()?;
    let name = format!("--name={SERVER}");
    let mut load = site.flux(&["module", "load", &name]);
    let done = load.arg(server).output().context("flux module load")?;
    ensure!(done.status.success(), "flux module load: {done:?}");
    Ok(broker)
}

fn add(site: &Site, count: u64) -> Result<()> {
    let mut handle = site.open()?;
    let names: Vec<u64> = (0..count).collect();
    for names in names.chunks(1000) {
        let tasks = names.iter().map(|n| (format!("task-{n}"), n.to_string()));
        let tasks = tasks.collect();
        handle.call(Call::new(&Add { tasks }).topic("rigs.add"))?;
    }
    Ok(())
}

/// One worker, to its end.
fn work(shared: &Shared, uri: String, n: u64) -> Result<(), Refusal> {
    let options = Options {
        default_uri: Some(uri),
        ..Options::default()
    };
    let worker = Worker::open(SERVER, &format!("worker-{n}"), &options);
    let mut worker = worker.map_err(|error| Refusal::new(Errno::EIO, error.to_string()))?;
    while !shared.is_over.load(Ordering::SeqCst) {
        let task = worker.take()?;
        let number: u64 = task.text.parse().unwrap_or(0);
        match worker.complete(&task, Value::from(2 * number)) {
            Ok(()) => {
                let done = shared.done.lock();
                let mut done = done.unwrap_or_else(PoisonError::into_inner);
                *done.entry(task.name).or_default() += 1;
            }
            Err(error) if error.errno == Errno::EEXIST => {
                shared.n_refused.fetch_add(1, Ordering::SeqCst);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Returns the number of brokers.
fn kill_all(args: &CrashArgs, site: &Site, server: &PathBuf, broker: &mut Child) -> Result<u64> {
    let mut rng = Rng::new(args.seed);
    let bar = ProgressBar::new(args.kills);
    let mut lives = 1;
    for n in 1..=args.kills {
        rng.pause(PAUSE_MS);
        if n % BROKER_EVERY == 0 {
            kill_broker(broker, &mut rng)?;
            *broker = start(site, server)?;
            lives += 1;
        } else if n % OTHERS_EVERY == 0 {
            kill_modules(broker.id(), &mut rng)?;
        } else {
            let modules = children_of(broker.id())?.into_iter();
            let server = modules.filter(|child| program_of(*child) == PROGRAM);
            server.for_each(|child| kill(child, rustix::process::Signal::KILL));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(lives)
}

fn wait_for_all(site: &Site) -> Result<Listed> {
    let mut handle = site.open()?;
    let mut listed = None;
    wait_until("tasks end", || {
        // A list is long.
        std::thread::sleep(Duration::from_millis(500));
        let now = handle.call(Call::new(&List).topic("rigs.list"))?;
        let is_done = now.waiting + now.leased == 0;
        listed = Some(now);
        Ok(is_done)
    })?;
    listed.context("no list")
}

fn look(shared: &Shared, listed: &Listed, count: u64, tally: &mut Tally) {
    let done = shared.done.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut lost, mut wrong, mut doubles) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..count {
        let name = format!("task-{n}");
        match listed.done.get(&name) {
            None => lost.push(name.clone()),
            Some(result) if *result != 2 * n => wrong.push(format!("{name}: {result}")),
            Some(_) => {}
        }
        match done.get(&name) {
            // Its worker was told nothing, and the next one that it was done.
            None | Some(1) => {}
            Some(times) => doubles.push(format!("{name}: {times} times")),
        }
    }
    let ends = shared.ends.lock().unwrap_or_else(PoisonError::into_inner);
    tally.wrong("workers", "workers that have ended", ends.clone());
    tally.wrong("workers", "tasks lost", lost);
    tally.wrong("workers", "results that are wrong", wrong);
    tally.wrong("workers", "results counted twice", doubles);
}
