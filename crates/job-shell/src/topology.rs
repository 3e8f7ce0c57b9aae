//! Which CPUs belong to which core: logical cores are counted over those CPUs that we may
//! use, in the order of their lowest CPU, as hwloc does.
#![allow(
    clippy::disallowed_types,
    reason = "called by the worker, which reads the host's topology"
)]

use proto::data::IdSet;

/// Where Linux tells.
const SYSFS: &str = "/sys/devices/system/cpu";

/// CPUs that are looked at: as many as a CPU set of the kernel holds.
const CPUS_MAX: u32 = 1024;

/// The CPUs of each of these cores, in order; empty if they are all there is, or not all
/// known, so that there is nothing to bind to.
pub fn cpus_of_cores(cores: &IdSet) -> Vec<IdSet> {
    let allowed = allowed_cpus();
    if cores.is_empty() || cores.count() >= allowed.count() {
        return Vec::new();
    }
    let siblings = |cpu: u32| {
        let text = std::fs::read_to_string(format!("{SYSFS}/cpu{cpu}/topology/core_cpus_list"));
        text.ok()?.trim().parse().ok()
    };
    pick(&all_cores(&allowed, siblings), cores, &allowed)
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

/// The wanted ones among all cores.
fn pick(all: &[IdSet], wanted: &IdSet, allowed: &IdSet) -> Vec<IdSet> {
    let picked: Option<Vec<IdSet>> = wanted
        .iter()
        .map(|core| all.get(core as usize).cloned())
        .collect();
    let picked = picked.unwrap_or_default();
    let mut union = IdSet::new();
    for core in &picked {
        union.add(core);
    }
    match allowed.is_subset(&union) {
        true => Vec::new(),
        false => picked,
    }
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
        let picked = pick(
            &all_cores(&allowed, siblings),
            &cores.parse().unwrap(),
            &allowed,
        );
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
    fn there_is_no_binding_to_everything_or_to_the_unknown() {
        check("0-7", "0-3", "");
        check("0-7", "2,9", "");
    }
}
