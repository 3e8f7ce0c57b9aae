//! Cores and GPUs of this machine, by the files of Linux.

use std::fs;
use std::path::Path;

use proto::data::IdSet;
use proto::data::cpus::{Cpu, cores};
use proto::data::rset::Node;

/// Processors that are looked at.
const CPUS_MAX: u32 = 65_536;

/// Resources of this host that this process may use; `None` if unknown.
pub fn node(host: &str) -> Option<Node> {
    let allowed = allowed_cpus()?;
    let cpus: Vec<Cpu> = read_idset(Path::new("/sys/devices/system/cpu/online"))
        .unwrap_or_else(|| allowed.clone())
        .iter()
        .take_while(|id| *id < CPUS_MAX)
        .map(cpu)
        .collect();
    let mut node = Node::with_cores(host, cores(&cpus, Some(&allowed)));
    node.gpus = IdSet::first_n(n_gpus());
    (!node.cores.is_empty()).then_some(node)
}

/// A processor. Without its files it is a core of its own, in the first package.
fn cpu(id: u32) -> Cpu {
    let folder = format!("/sys/devices/system/cpu/cpu{id}/topology");
    let folder = Path::new(&folder);
    let package = fs::read_to_string(folder.join("physical_package_id"));
    let package = package.ok().and_then(|text| text.trim().parse().ok());
    Cpu {
        id,
        siblings: read_idset(&folder.join("core_cpus_list")).unwrap_or_else(|| IdSet::from(id)),
        package: package.unwrap_or(0),
    }
}

fn allowed_cpus() -> Option<IdSet> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    line.trim().parse().ok()
}

fn read_idset(path: &Path) -> Option<IdSet> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// NVIDIA devices by their nodes in /dev.
fn n_gpus() -> u32 {
    let entries = fs::read_dir("/dev").into_iter().flatten().flatten();
    let devices = entries.filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let number = name.strip_prefix("nvidia").unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    u32::try_from(devices.count()).unwrap_or(0)
}
