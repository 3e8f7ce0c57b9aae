//! Resources of this host. The one file of the module that reads the world; it runs on
//! the worker thread, and tests put a fake in its place.

use std::fs;
use std::path::Path;

use client::{Handle, Options};
use proto::data::{IdSet, JobId, Rset};
use proto::job_info::{CURRENT, JSON_DECODE, Lookup};

use crate::limits::CPUS_MAX;
use crate::xml::{Memory, xml};
use proto::data::cpus::{Cpu, cores};

/// Resources found on one host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Logical core ids.
    pub cores: IdSet,
    /// Logical GPU ids.
    pub gpus: IdSet,
    /// The machine in the XML of hwloc, if it can be described.
    pub topology: Option<String>,
}

/// Source of the facts.
pub trait Machine: Send {
    /// Looks for cores and GPUs; with `restrict` only those that this process may use.
    fn discover(&mut self, restrict: bool) -> Result<Found, String>;

    /// Reads a file whole, or returns the error.
    fn read(&mut self, path: &str) -> Result<String, String>;

    /// R of the job that this instance is, as the instance at `uri` has it, with its
    /// updates.
    fn r_of_job(&mut self, uri: &str, id: JobId) -> Result<Rset, String>;
}

/// The machine that we run on.
#[derive(Debug, Default)]
pub struct ThisMachine;

impl Machine for ThisMachine {
    fn discover(&mut self, restrict: bool) -> Result<Found, String> {
        let usable = std::thread::available_parallelism().map_or(1, usize::from) as u64;
        let allowed = allowed_cpus();
        let cpus = cpus();
        let mut cores = match &cpus {
            Some(cpus) if restrict => cores(cpus, allowed.as_ref()),
            Some(cpus) => cores(cpus, None),
            // Without /sys there is nothing but the number.
            None => IdSet::first_n(u32::try_from(usable).unwrap_or(CPUS_MAX)),
        };
        let is_under_quota = allowed.is_some_and(|allowed| usable < allowed.count());
        if restrict && is_under_quota {
            cores = cores.lowest(usable);
        }
        if cores.is_empty() {
            return Err("no usable core found".to_owned());
        }
        Ok(Found {
            cores,
            gpus: IdSet::first_n(n_gpus()),
            topology: cpus.map(|cpus| xml(&host_name(), &cpus, &memory(&cpus))),
        })
    }

    fn read(&mut self, path: &str) -> Result<String, String> {
        fs::read_to_string(path).map_err(|error| {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            format!("{path}:-1 unable to open {path}: {text}")
        })
    }

    fn r_of_job(&mut self, uri: &str, id: JobId) -> Result<Rset, String> {
        let mut parent =
            Handle::open(Some(uri), &Options::default()).map_err(|error| error.to_string())?;
        let request = Lookup {
            id,
            keys: vec!["R".to_owned()],
            flags: JSON_DECODE | CURRENT,
        };
        let mut found = parent.rpc(&request).map_err(|error| error.to_string())?;
        let r = found.values.remove("R").unwrap_or_default();
        serde_json::from_value(r).map_err(|error| error.to_string())
    }
}

/// Processors that the affinity of this process and its cpuset allow.
fn allowed_cpus() -> Option<IdSet> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    line.trim().parse().ok()
}

/// All processors that are online, and which share a core.
fn cpus() -> Option<Vec<Cpu>> {
    let root = Path::new("/sys/devices/system/cpu");
    let online: IdSet = read_idset(&root.join("online"))?;
    let mut cpus = Vec::new();
    for id in online.iter().take_while(|id| *id < CPUS_MAX) {
        let folder = root.join(format!("cpu{id}/topology"));
        let siblings = read_idset(&folder.join("core_cpus_list"))
            .or_else(|| read_idset(&folder.join("thread_siblings_list")))?;
        let package = fs::read_to_string(folder.join("physical_package_id"));
        let package = package.ok().and_then(|text| text.trim().parse().ok());
        cpus.push(Cpu {
            id,
            siblings,
            package: package.unwrap_or(0),
        });
    }
    Some(cpus)
}

/// The NUMA nodes; without /sys/devices/system/node one that has all.
fn memory(cpus: &[Cpu]) -> Vec<Memory> {
    let root = Path::new("/sys/devices/system/node");
    let online = read_idset(&root.join("has_memory")).unwrap_or_default();
    let mut nodes = Vec::new();
    for id in online.iter().take_while(|id| *id < CPUS_MAX) {
        let folder = root.join(format!("node{id}"));
        nodes.push(Memory {
            id,
            cpus: read_idset(&folder.join("cpulist")).unwrap_or_default(),
            bytes: memory_bytes(&folder.join("meminfo")),
        });
    }
    if nodes.is_empty() {
        nodes.push(Memory {
            id: 0,
            cpus: cpus.iter().map(|cpu| cpu.id).collect(),
            bytes: memory_bytes(Path::new("/proc/meminfo")),
        });
    }
    nodes
}

/// `MemTotal` of a file of the kernel, which counts in KiB.
fn memory_bytes(path: &Path) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.contains("MemTotal:"));
    let kib = line.and_then(|line| line.split_whitespace().rev().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}

fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname");
    name.unwrap_or_default().trim().to_owned()
}

fn read_idset(path: &Path) -> Option<IdSet> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// NVIDIA devices by their nodes in /dev, else by the driver's list.
fn n_gpus() -> u32 {
    let is_device = |name: &str| {
        let number = name.strip_prefix("nvidia").unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    match count_names("/dev", is_device) {
        0 => count_names("/proc/driver/nvidia/gpus", |_| true),
        n => n,
    }
}

fn count_names(folder: &str, is_wanted: impl Fn(&str) -> bool) -> u32 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let wanted = entries
        .flatten()
        .filter(|entry| is_wanted(&entry.file_name().to_string_lossy()))
        .count();
    u32::try_from(wanted).unwrap_or(CPUS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_core() {
        let found = ThisMachine.discover(true).unwrap();
        let all = ThisMachine.discover(false).unwrap();
        assert!(!found.cores.is_empty());
        assert!(found.cores.is_subset(&all.cores));
    }

    #[test]
    fn a_file_that_is_not_there_is_named_with_the_reason() {
        let text = ThisMachine.read("/nonexistent/R").unwrap_err();
        assert_eq!(
            text,
            "/nonexistent/R:-1 unable to open /nonexistent/R: No such file or directory"
        );
    }
}
