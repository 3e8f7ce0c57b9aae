//! `cargo xtask crash`: kills processes of an instance at random moments under load, and
//! looks from outside whether everything acknowledged is still there.
//!
//! A round is one life of a broker: writers commit, a reader walks whole versions and a
//! log is watched while the kvs, kvs-watch and content modules are killed a few times,
//! then the broker or everything. The next round begins on the same state directory and
//! looks at what was acknowledged in the one before; the end looks at all of it. Read on
//! in `crash/load.rs` (who is at work) and `crash/verify.rs`.

mod load;
mod verify;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use client::{Handle, Options};
use indicatif::ProgressBar;
use rustix::process::{Pid, Signal, kill_process};

use crate::proc::{children_of, is_alive, program_of};
use load::{Seen, Told};

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
    /// Take the programs from here instead of building them
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
}

/// Kills in one life of a broker, the last one its own.
const KILLS_PER_ROUND: u64 = 10;
/// Longest pause before a kill, in milliseconds.
const PAUSE_MS: u64 = 120;
/// How long a broker may take to be there, or its modules to be gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which modules are killed together.
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

/// Kills as often as asked; true when nothing was lost.
pub fn crash(args: &CrashArgs) -> Result<bool> {
    let programs = match &args.programs {
        Some(folder) => folder.clone(),
        None => crate::bench::build("release")?,
    };
    let folder = tempfile::tempdir()?;
    let site = Site::new(&programs, folder.path())?;
    let mut rng = Rng(args.seed);
    let mut told: Vec<Told> = (0..args.writers).map(|_| Told::default()).collect();
    let mut seen = Seen::default();
    let bar = ProgressBar::new(args.kills);
    let (mut kills, mut wrong) = (0, Vec::new());
    while kills < args.kills {
        let before: Vec<usize> = told.iter().map(|told| told.acknowledged.len()).collect();
        let count = KILLS_PER_ROUND.min(args.kills - kills);
        let broker = site.start()?;
        site.round(broker, count, &mut rng, &mut told, &mut seen)?;
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
    wrong.iter().for_each(|what| eprintln!("{what}"));
    let acknowledged: usize = told.iter().map(|told| told.acknowledged.len()).sum();
    let refused: u64 = told.iter().map(|told| told.refused).sum();
    println!(
        "{kills} kills, {acknowledged} commits acknowledged, {refused} refused, {} versions \
         walked, {} watches, {} wrong",
        seen.walks,
        seen.watches,
        wrong.len()
    );
    Ok(wrong.is_empty())
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

    /// Everyone works and processes are killed, `count` times, the broker last.
    fn round(
        &self,
        mut broker: Child,
        count: u64,
        rng: &mut Rng,
        told: &mut [Told],
        seen: &mut Seen,
    ) -> Result<()> {
        let stop = &AtomicBool::new(false);
        let id = broker.id();
        let mut watched = Seen::default();
        std::mem::swap(&mut watched.log, &mut seen.log);
        std::thread::scope(|scope| -> Result<()> {
            for (writer, told) in told.iter_mut().enumerate() {
                scope.spawn(move || load::write(self, writer, told, stop));
            }
            let (read, watched) = (&mut *seen, &mut watched);
            scope.spawn(move || load::read(self, read, stop));
            scope.spawn(move || load::watch(self, verify::WATCHED, watched, stop));
            for _ in 1..count {
                rng.pause();
                let victims = VICTIMS[rng.below(VICTIMS.len() as u64) as usize];
                let children = children_of(id)?.into_iter();
                children
                    .filter(|child| victims.contains(&program_of(*child).as_str()))
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
        })?;
        seen.log = watched.log;
        seen.watches += watched.watches;
        seen.wrong.append(&mut watched.wrong);
        Ok(())
    }
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
