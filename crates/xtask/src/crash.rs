//! `cargo xtask crash`: kills processes of an instance at random moments under load, and
//! looks from outside whether every acknowledged commit is still there.
//!
//! A round is one life of a broker: writers commit, the kvs and content modules are killed
//! under them a few times, then the broker or everything. The next round begins on the
//! same state directory and looks up what was acknowledged in the one before; the end
//! looks up all of it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use client::{Handle, Options};
use indicatif::ProgressBar;
use proto::kvs::{Commit, Found, Lookup, PRIMARY};
use rustix::process::{Pid, Signal, kill_process};

use crate::proc::{children_of, is_alive, name_of};

/// Kill processes under load and look for what was acknowledged
#[derive(clap::Args)]
pub struct CrashArgs {
    /// How many times to kill
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    kills: u64,
    /// How many clients write at once
    #[arg(long, value_name = "N", default_value_t = 4)]
    writers: usize,
    /// Where the random numbers begin
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Kills in one life of a broker, the last one its own.
const KILLS_PER_ROUND: u64 = 10;
/// Longest pause before a kill, in milliseconds.
const PAUSE_MS: u64 = 120;
/// How long a broker may take to be there, or its modules to be gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a writer was told.
#[derive(Default)]
struct Told {
    /// Numbers of the commits that were acknowledged.
    acknowledged: Vec<u64>,
    refused: u64,
}

/// Kills as often as asked; true when nothing was lost.
pub fn crash(args: &CrashArgs) -> Result<bool> {
    let programs = crate::bench::build()?;
    let folder = tempfile::tempdir()?;
    let site = Site::new(&programs, folder.path())?;
    let mut rng = Rng(args.seed);
    let mut told: Vec<Told> = (0..args.writers).map(|_| Told::default()).collect();
    let bar = ProgressBar::new(args.kills);
    let (mut kills, mut lost) = (0, 0);
    while kills < args.kills {
        let before: Vec<usize> = told.iter().map(|told| told.acknowledged.len()).collect();
        let count = KILLS_PER_ROUND.min(args.kills - kills);
        let broker = site.start()?;
        site.round(broker, count, &mut rng, &mut told)?;
        kills += count;
        bar.inc(count);
        let broker = site.start()?;
        lost += site.lost(&told, &before)?;
        site.end(broker)?;
    }
    let broker = site.start()?;
    lost += site.lost(&told, &vec![0; told.len()])?;
    site.end(broker)?;
    bar.finish_and_clear();
    let acknowledged: usize = told.iter().map(|told| told.acknowledged.len()).sum();
    let refused: u64 = told.iter().map(|told| told.refused).sum();
    println!("{kills} kills, {acknowledged} commits acknowledged, {refused} refused, {lost} lost");
    Ok(lost == 0)
}

/// Where the instances live, one after the other.
struct Site {
    flux: PathBuf,
    statedir: PathBuf,
    socket: PathBuf,
}

impl Site {
    fn new(programs: &Path, folder: &Path) -> Result<Site> {
        let statedir = folder.join("state");
        std::fs::create_dir(&statedir)?;
        Ok(Site {
            flux: programs.join("flux"),
            statedir,
            socket: folder.join("s"),
        })
    }

    fn uri(&self) -> String {
        format!("local://{}", self.socket.display())
    }

    fn open(&self) -> Result<Handle> {
        let handle = Handle::open(Some(&self.uri()), &Options::default());
        handle.with_context(|| self.uri())
    }

    /// A broker that is ready.
    fn start(&self) -> Result<Child> {
        let mut broker = Command::new(&self.flux)
            .args(["broker", "-Sbroker.rc2_none", "-Sferroflux.personality=kvs"])
            .arg(format!("-Slocal-uri={}", self.uri()))
            .arg(format!("-Sstatedir={}", self.statedir.display()))
            .env_remove("FLUX_URI")
            // What it says of killed modules is no news.
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the broker")?;
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(status) = broker.try_wait()? {
                bail!("the broker did not start: {status}");
            }
            if let Ok(mut handle) = self.open() {
                handle.rpc(&proto::state_machine::Wait)?;
                return Ok(broker);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("the broker did not start in time")
    }

    /// Ends a broker in order.
    fn end(&self, mut broker: Child) -> Result<()> {
        kill(broker.id(), Signal::TERM);
        let status = broker.wait()?;
        ensure!(status.success(), "the broker ended with {status}");
        Ok(())
    }

    /// Writers write and processes are killed, `count` times, the broker last.
    fn round(&self, mut broker: Child, count: u64, rng: &mut Rng, told: &mut [Told]) -> Result<()> {
        let stop = AtomicBool::new(false);
        let id = broker.id();
        std::thread::scope(|scope| -> Result<()> {
            for (writer, told) in told.iter_mut().enumerate() {
                let stop = &stop;
                scope.spawn(move || self.write(writer, told, stop));
            }
            for _ in 1..count {
                rng.pause();
                let victims: &[&str] = match rng.below(3) {
                    0 => &["flux-module-kvs"],
                    1 => &["flux-module-con"],
                    _ => &["flux-module-kvs", "flux-module-con"],
                };
                let children = children_of(id)?.into_iter();
                children
                    .filter(|child| victims.contains(&name_of(*child).as_str()))
                    .for_each(|child| kill(child, Signal::KILL));
            }
            rng.pause();
            let children = children_of(id)?;
            kill(id, Signal::KILL);
            if rng.below(2) == 0 {
                children.iter().for_each(|child| kill(*child, Signal::KILL));
            }
            stop.store(true, Ordering::Relaxed);
            broker.wait()?;
            let end = Instant::now() + PATIENCE;
            while children.iter().any(|child| is_alive(*child)) {
                ensure!(Instant::now() < end, "modules outlived their broker");
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok(())
        })
    }

    /// Commits one key after the other, and notes what is acknowledged.
    fn write(&self, writer: usize, told: &mut Told, stop: &AtomicBool) {
        let Ok(mut handle) = self.open() else {
            return;
        };
        let mut n = told.acknowledged.last().map_or(0, |last| last + 1);
        while !stop.load(Ordering::Relaxed) {
            let commit = Commit::new(PRIMARY).put(key_of(writer, n), n.to_string());
            match handle.rpc(&commit) {
                Ok(_) => told.acknowledged.push(n),
                Err(_) => told.refused += 1,
            }
            n += 1;
        }
    }

    /// How many acknowledged commits from `first` on are not there.
    fn lost(&self, told: &[Told], first: &[usize]) -> Result<u64> {
        let mut handle = self.open()?;
        let mut lost = 0;
        for (writer, (told, first)) in told.iter().zip(first).enumerate() {
            for n in &told.acknowledged[*first..] {
                let key = key_of(writer, *n);
                let found = handle.rpc(&Lookup::new(PRIMARY, &key, 0));
                let value = found.ok().and_then(Found::bytes);
                if value.as_deref() != Some(n.to_string().as_bytes()) {
                    eprintln!("lost: {key}");
                    lost += 1;
                }
            }
        }
        Ok(lost)
    }
}

fn key_of(writer: usize, n: u64) -> String {
    format!("crash.w{writer}.d{}.k{n}", n / 256)
}

fn kill(pid: u32, signal: Signal) {
    // One that has gone meanwhile is as good as killed.
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % n
    }

    fn pause(&mut self) {
        std::thread::sleep(Duration::from_millis(self.below(PAUSE_MS)));
    }
}
