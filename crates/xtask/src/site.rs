//! A place where instances live, one after the other, on the same state directory: for
//! commands that kill them, damage their files or attack them from outside.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use client::{Handle, Options};
use rustix::process::Signal;

use crate::proc::{is_alive, kill};

/// Time that a broker has to come online, or its processes to exit.
const PATIENCE: Duration = Duration::from_secs(20);

/// Place of the instances.
pub struct Site {
    flux: PathBuf,
    personality: &'static str,
    options: Vec<String>,
    statedir: PathBuf,
    socket: PathBuf,
    log: PathBuf,
}

impl Site {
    /// In `folder`, with the programs that are in `programs`; `personality` is the
    /// broker's attribute: minimal, kvs, job or full.
    pub fn new(programs: &Path, folder: &Path, personality: &'static str) -> Result<Site> {
        let statedir = folder.join("state");
        std::fs::create_dir(&statedir)?;
        Ok(Site {
            flux: std::path::absolute(programs.join("flux"))?,
            personality,
            options: Vec::new(),
            statedir,
            socket: folder.join("s"),
            log: folder.join("log"),
        })
    }

    /// With one more option for the broker.
    pub fn with(mut self, option: String) -> Site {
        self.options.push(option);
        self
    }

    /// State directory of the instances.
    pub fn statedir(&self) -> &Path {
        &self.statedir
    }

    /// URI of the broker.
    pub fn uri(&self) -> String {
        format!("local://{}", self.socket.display())
    }

    /// A handle of the instance that runs now.
    pub fn open(&self) -> Result<Handle> {
        let handle = Handle::open(Some(&self.uri()), &Options::default());
        handle.with_context(|| self.uri())
    }

    /// `flux ARGS...`, connected to the instance that runs now.
    pub fn flux(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.flux);
        command
            .args(args)
            .env("FLUX_URI", self.uri())
            .stdin(Stdio::null());
        command
    }

    /// The command that starts a broker, whose output goes to the file `log`.
    pub fn broker(&self) -> Result<Command> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let mut broker = Command::new(&self.flux);
        broker
            .args(["broker", "-Sbroker.rc2_none", "-Slog-stderr-level=6"])
            .arg(format!("-Sferroflux.personality={}", self.personality))
            .arg(format!("-Slocal-uri={}", self.uri()))
            .arg(format!("-Sstatedir={}", self.statedir.display()))
            .args(&self.options)
            .env_remove("FLUX_URI")
            .stdin(Stdio::null())
            .stderr(log?);
        Ok(broker)
    }

    /// A broker that is ready.
    pub fn start(&self) -> Result<Child> {
        let mut broker = self.broker()?.spawn().context("cannot start the broker")?;
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(status) = broker.try_wait()? {
                bail!("the broker did not start: {status}");
            }
            if let Ok(mut handle) = self.open() {
                if let Err(refusal) = handle.rpc(&proto::state_machine::Wait) {
                    // It ends by itself, and the next one must not be taken for it.
                    broker.wait()?;
                    bail!("the broker did not start: {refusal}");
                }
                return Ok(broker);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("the broker did not start in time")
    }

    /// Ends a broker in order.
    pub fn end(&self, mut broker: Child) -> Result<()> {
        kill(broker.id(), Signal::TERM);
        let status = broker.wait()?;
        ensure!(status.success(), "the broker ended with {status}");
        Ok(())
    }
}

/// Waits until the modules of a broker that was killed have exited.
pub fn wait_for_end(modules: &[u32]) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while modules.iter().any(|module| is_alive(*module)) {
        ensure!(Instant::now() < end, "modules outlived their broker");
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// A folder for a site: the one that was asked for, which stays, or one that goes.
pub enum Folder {
    /// The folder stays.
    Kept(PathBuf),
    /// The folder is removed.
    Temporary(tempfile::TempDir),
}

impl Folder {
    /// `keep/name`, if anything is to be kept.
    pub fn new(keep: Option<&Path>, name: &str) -> Result<Folder> {
        let Some(keep) = keep else {
            return Ok(Folder::Temporary(tempfile::tempdir()?));
        };
        let folder = std::path::absolute(keep.join(name))?;
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(Folder::Kept(folder))
    }

    /// Path of the directory.
    pub fn path(&self) -> &Path {
        match self {
            Folder::Kept(path) => path,
            Folder::Temporary(folder) => folder.path(),
        }
    }
}

/// Random numbers, the same ones for the same seed.
pub struct Rng(fastrand::Rng);

impl Rng {
    /// A source that follows from `seed`.
    pub fn new(seed: u64) -> Rng {
        Rng(fastrand::Rng::with_seed(seed))
    }

    /// A number from 0 to `n` - 1.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0.u64(..n)
    }

    /// One of `all`.
    pub fn choose<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }

    /// Does nothing for a while, at most `longest` milliseconds.
    pub fn pause(&mut self, longest: u64) {
        std::thread::sleep(Duration::from_millis(self.below(longest)));
    }
}
