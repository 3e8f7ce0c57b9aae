//! CPUs of each core: logical cores are numbered over the CPUs that we may use, in the
//! order of their lowest CPU, as in hwloc.
#![allow(
    clippy::disallowed_types,
    reason = "called by the worker, which reads the host's topology"
)]

use proto::data::IdSet;

/// Directory in which Linux describes CPUs.
const SYSFS: &str = "/sys/devices/system/cpu";

/// CPUs that are looked at: as many as a CPU set of the kernel holds.
const CPUS_MAX: u32 = 1024;

/// The CPUs of a job.
#[derive(Debug, Clone, Default)]
pub struct Cores {
    /// CPUs of each of its cores, in order; empty if one of them is not known.
    pub cpus: Vec<IdSet>,
    /// CPUs that we may use.
    pub allowed: IdSet,
}

/// The CPUs of each of these cores.
pub fn cpus_of_cores(cores: &IdSet) -> Cores {
    let allowed = allowed_cpus();
    let siblings = |cpu: u32| {
        let text = std::fs::read_to_string(format!("{SYSFS}/cpu{cpu}/topology/core_cpus_list"));
        text.ok()?.trim().parse().ok()
    };
    let cpus = pick(&all_cores(&allowed, siblings), cores);
    Cores { cpus, allowed }
}

/// The CPUs of every core, in the order of the cores' lowest CPU.
fn all_cores(allowed: &IdSet, siblings: impl Fn(u32) -> Option<IdSet>) -> Vec<IdSet> {
    let mut seen = IdSet::new();
    let mut cores = Vec::new();
    for cpu in allowed.iter() {
        if !seen.contains(cpu) {
            let core = siblings(cpu).unwrap_or_else(|| IdSet::from(cpu));
            let core = core.intersection(allowed);
            seen.add(&core);
            cores.push(core);
        }
    }
    cores
}

/// The wanted ones among all cores; none if one is not there.
fn pick(all: &[IdSet], wanted: &IdSet) -> Vec<IdSet> {
    let picked: Option<Vec<IdSet>> = wanted
        .iter()
        .map(|core| all.get(core as usize).cloned())
        .collect();
    picked.unwrap_or_default()
}

fn allowed_cpus() -> IdSet {
    let Ok(set) = rustix::thread::sched_getaffinity(None) else {
        return IdSet::new();
    };
    (0..CPUS_MAX)
        .filter(|cpu| set.is_set(*cpu as usize))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host where CPU n and n+4 are one core; prints the CPUs of these cores.
    fn check(allowed: &str, cores: &str, expect: &str) {
        let allowed: IdSet = allowed.parse().unwrap();
        let siblings = |cpu: u32| Some([cpu % 4, cpu % 4 + 4].into_iter().collect());
        let picked = pick(&all_cores(&allowed, siblings), &cores.parse().unwrap());
        let shown: Vec<String> = picked.iter().map(IdSet::to_string).collect();
        assert_eq!(shown.join(" "), expect);
    }

    #[test]
    fn a_core_has_all_its_threads() {
        check("0-7", "0-1", "0,4 1,5");
        check("0-7", "3", "3,7");
    }

    #[test]
    fn cores_are_counted_over_what_we_may_use() {
        check("2-3,6-7", "0", "2,6");
        check("1-3", "0,2", "1 3");
    }

    #[test]
    fn a_core_that_is_not_there_leaves_none() {
        check("0-7", "0-3", "0,4 1,5 2,6 3,7");
        check("0-7", "2,9", "");
    }
}
