//! Facts from `/proc` about the processes of an instance.

use std::fs;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// The processes that `parent` has started and not yet waited for.
pub fn children_of(parent: u32) -> Result<Vec<u32>> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let text = fs::read_to_string(&path).context(path)?;
    Ok(text.split_ascii_whitespace().flat_map(str::parse).collect())
}

/// The processes below `parent`, and below those, and so on.
pub fn descendants_of(parent: u32) -> Vec<u32> {
    // One that ends meanwhile has no children.
    let mut found = children_of(parent).unwrap_or_default();
    let mut at = 0;
    while let Some(child) = found.get(at) {
        found.extend(children_of(*child).unwrap_or_default());
        at += 1;
    }
    found
}

/// The program of a process, without its directory; empty when it has exited.
pub fn program_of(pid: u32) -> String {
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let program = line.split('\0').next().unwrap_or_default();
    program.rsplit('/').next().unwrap_or_default().to_owned()
}

/// True if a process runs: zombies do not.
pub fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.trim_start().chars().next());
    state.is_some_and(|state| state != 'Z')
}

/// `Pss` of a process in KiB: pages that it shares with n others count as an n-th.
pub fn proportional_kib(pid: u32) -> Result<u64> {
    kib_of(pid, "Pss:")
}

/// `Rss` of a process in KiB: every page that it has in memory.
pub fn resident_kib(pid: u32) -> Result<u64> {
    kib_of(pid, "Rss:")
}

fn kib_of(pid: u32, name: &str) -> Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).context(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse().ok())
        .with_context(|| format!("smaps_rollup without {name}"))
}

/// Clock ticks in a second, as `/proc` counts them on every machine.
pub const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time of a process, in clock ticks.
pub fn cpu_ticks(pid: u32) -> Result<u64> {
    ticks(&pid.to_string(), 14)
}

/// Processor time of all processes that have ended and were waited for, by us or by one of
/// them, in clock ticks.
pub fn ticks_of_the_ended() -> Result<u64> {
    ticks("self", 16)
}

/// The sum of two fields of a process's `stat`, this one, counted from one, and the next.
fn ticks(pid: &str, field: usize) -> Result<u64> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).context(path)?;
    // Behind the name, which may have blanks, comes the third field.
    let rest = text.rsplit(')').next().unwrap_or_default();
    let fields = rest.split_ascii_whitespace().skip(field - 3).take(2);
    let ticks = fields.map(|field| field.parse::<u64>().unwrap_or_default());
    Ok(ticks.sum())
}

/// Sends a signal. One that has gone meanwhile is as good as killed.
pub fn kill(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}
