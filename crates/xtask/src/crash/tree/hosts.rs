//! The brokers: each is started on a host of its own, as far as it knows, and again when
//! it has ended.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use client::{Handle, Options};
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt;

use super::SIZE;
use crate::proc::kill;

/// Until an ended broker is started again.
const RESTART: Duration = Duration::from_millis(100);
/// With which a broker ends that has lost its parent, and with which those below it do.
const LOST_PARENT: [i32; 2] = [1, 0];

/// All hosts.
pub struct Hosts {
    flux: PathBuf,
    folder: PathBuf,
    sites: Vec<Mutex<Site>>,
    is_ending: AtomicBool,
    n_started: AtomicU64,
    complaints: Mutex<Vec<String>>,
}

#[derive(Default)]
struct Site {
    broker: Option<Child>,
}

impl Hosts {
    /// Hosts in `folder`, on which nothing runs yet.
    pub fn new(programs: &Path, folder: &Path) -> Result<Hosts> {
        let hosts = Hosts {
            flux: std::path::absolute(programs.join("flux"))?,
            folder: folder.to_owned(),
            sites: (0..SIZE).map(|_| Mutex::default()).collect(),
            is_ending: AtomicBool::new(false),
            n_started: AtomicU64::new(0),
            complaints: Mutex::default(),
        };
        std::fs::create_dir(hosts.marks())?;
        let conf = folder.join("conf");
        std::fs::create_dir(&conf)?;
        let cert = folder.join("cert");
        let made = Command::new(&hosts.flux)
            .arg("keygen")
            .arg(&cert)
            .status()?;
        ensure!(made.success(), "flux keygen: {made}");
        let (last, folder) = (SIZE - 1, folder.display());
        let text = format!(
            "[bootstrap]\ncurve_cert = \"{folder}/cert\"\n\
             default_bind = \"ipc://{folder}/%h\"\ndefault_connect = \"ipc://{folder}/%h\"\n\
             hosts = [{{ host = \"fake[0-{last}]\" }}]\n\
             [resource]\nnoverify = true\nnorestrict = true\n\
             [[resource.config]]\nhosts = \"fake[0-{last}]\"\ncores = \"0-3\"\n"
        );
        std::fs::write(conf.join("crash.toml"), text)?;
        Ok(hosts)
    }

    fn site(&self, rank: u32) -> MutexGuard<'_, Site> {
        let site = &self.sites[rank as usize];
        site.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// URI of the broker of a rank.
    pub fn uri(&self, rank: u32) -> String {
        format!("local://{}/s{rank}", self.folder.display())
    }

    /// Directory in which tasks of jobs leave marks of their work.
    pub fn marks(&self) -> PathBuf {
        self.folder.join("marks")
    }

    /// A connection to the broker that runs on a rank now, if one does.
    pub fn open(&self, rank: u32) -> Option<Handle> {
        // One that is paused takes connections and does not answer.
        self.pid(rank)?;
        Handle::open(Some(&self.uri(rank)), &Options::default()).ok()
    }

    /// The process of the broker of a rank.
    pub fn pid(&self, rank: u32) -> Option<u32> {
        self.site(rank).broker.as_ref().map(Child::id)
    }

    /// Sends a signal to the broker of a rank, if there is one.
    pub fn signal(&self, rank: u32, signal: Signal) -> bool {
        let site = self.site(rank);
        let broker = site.broker.as_ref();
        broker.map(|broker| kill(broker.id(), signal)).is_some()
    }

    /// Starts all brokers.
    pub fn start_all(&self) -> Result<()> {
        (0..SIZE).try_for_each(|rank| self.start(rank))
    }

    fn start(&self, rank: u32) -> Result<()> {
        let log = self.folder.join(format!("log{rank}"));
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = Command::new(&self.flux);
        command
            .args(["broker", "-Sbroker.rc2_none", "-Slog-stderr-level=6"])
            .args([
                "-Stbon.topo=kary:2",
                "-Stbon.torpid_min=1s",
                "-Stbon.torpid_max=5s",
            ])
            .arg(format!("-Shostname=fake{rank}"))
            .arg(format!("-Slocal-uri={}", self.uri(rank)))
            .arg(format!("--config-path={}/conf", self.folder.display()))
            .env_remove("FLUX_URI")
            .stdin(Stdio::null())
            .stderr(log);
        let broker = command.spawn().context("cannot start a broker")?;
        self.n_started.fetch_add(1, Ordering::Relaxed);
        self.site(rank).broker = Some(broker);
        Ok(())
    }

    /// Starts the broker of a rank again whenever it has ended, until all are to end.
    pub fn keep(&self, rank: u32) {
        loop {
            let ended = {
                let mut site = self.site(rank);
                let ended = site
                    .broker
                    .as_mut()
                    .and_then(|broker| broker.try_wait().ok()?);
                if ended.is_some() {
                    site.broker = None;
                }
                ended
            };
            match ended {
                None => std::thread::sleep(Duration::from_millis(5)),
                Some(status) => {
                    self.note_end(rank, status);
                    if self.is_ending.load(Ordering::SeqCst) {
                        return;
                    }
                    std::thread::sleep(RESTART);
                    if let Err(error) = self.start(rank) {
                        self.complain(format!("rank {rank}: {error:#}"));
                        return;
                    }
                }
            }
        }
    }

    /// A broker is killed, or has lost its parent, or all are to end.
    fn note_end(&self, rank: u32, status: ExitStatus) {
        let is_killed = status.signal() == Some(Signal::KILL.as_raw());
        let code = status.code();
        let is_lost = rank != 0 && code.is_some_and(|code| LOST_PARENT.contains(&code));
        let is_ending = self.is_ending.load(Ordering::SeqCst);
        if !(is_killed && !is_ending || is_lost || is_ending && status.success()) {
            self.complain(format!("rank {rank} ended with {status}"));
        }
    }

    fn complain(&self, complaint: String) {
        let complaints = self.complaints.lock();
        complaints
            .unwrap_or_else(PoisonError::into_inner)
            .push(complaint);
    }

    /// Ends all, in order: rank 0 is stopped. Those who would not are killed, later.
    pub fn end_all(&self) {
        self.is_ending.store(true, Ordering::SeqCst);
        self.signal(0, Signal::TERM);
        for _ in 0..2_000 {
            if (0..SIZE).all(|rank| self.pid(rank).is_none()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.complain("not all have ended in time".to_owned());
        for rank in 0..SIZE {
            self.signal(rank, Signal::KILL);
        }
    }

    /// Number of brokers started.
    pub fn n_started(&self) -> u64 {
        self.n_started.load(Ordering::Relaxed)
    }

    /// Errors found.
    pub fn complaints(&self) -> Vec<String> {
        let complaints = self.complaints.lock();
        complaints.unwrap_or_else(PoisonError::into_inner).clone()
    }
}
