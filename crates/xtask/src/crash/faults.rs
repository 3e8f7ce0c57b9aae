//! Faults in the processes of an instance: killed and reloaded.

use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::process::Signal;

use crate::proc::{children_of, kill, program_of};
use crate::site::{Rng, Site, wait_for_end};

/// Time limit for an expected state.
const PATIENCE: Duration = Duration::from_secs(120);

/// Modules that are reloaded.
pub(super) const RELOADED: [&str; 10] = [
    "content",
    "job-exec",
    "job-info",
    "job-ingest",
    "job-list",
    "job-manager",
    "kvs",
    "kvs-watch",
    "resource",
    "sched-simple",
];

/// Waits until something is so, for as long as [`PATIENCE`].
pub(super) fn wait_until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while !is_so()? {
        ensure!(Instant::now() < end, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Reloads a module.
pub(super) fn reload(site: &Site, name: &str) -> Result<()> {
    let done = site.flux(&["module", "reload", name]).output()?;
    ensure!(done.status.success(), "flux module reload {name}: {done:?}");
    Ok(())
}

/// Kills the broker, and maybe its modules with it.
pub(super) fn kill_broker(broker: &mut Child, rng: &mut Rng) -> Result<()> {
    let modules = children_of(broker.id())?;
    kill(broker.id(), Signal::KILL);
    if rng.below(2) == 0 {
        modules.iter().for_each(|child| kill(*child, Signal::KILL));
    }
    broker.wait()?;
    wait_for_end(&modules)
}

/// Kills modules alone, in pairs and all together. Job shells are left alone.
pub(super) fn kill_modules(broker: u32, rng: &mut Rng) -> Result<()> {
    let mut modules = children_of(broker)?;
    modules.retain(|child| program_of(*child).starts_with("flux-module-"));
    let n = match rng.below(10) {
        0 => modules.len(),
        1..=3 => 2,
        _ => 1,
    };
    for _ in 0..n.min(modules.len()) {
        let victim = rng.below(modules.len() as u64) as usize;
        kill(modules.swap_remove(victim), Signal::KILL);
    }
    Ok(())
}
