//! From processors to cores, numbered as hwloc numbers them: by package, then by the
//! lowest processor of the core. Pure.

use std::collections::BTreeMap;

use super::idset::IdSet;

/// One hardware thread.
#[derive(Debug, Clone)]
pub struct Cpu {
    /// Number to the kernel.
    pub id: u32,
    /// The numbers of all threads of its core, its own included.
    pub siblings: IdSet,
    /// The package that it is in.
    pub package: u32,
}

/// The processors by place: first processor of the package, then of the core, then their own
/// number.
pub fn by_place(cpus: &[Cpu]) -> Vec<&Cpu> {
    let mut first_of_package: BTreeMap<u32, u32> = BTreeMap::new();
    for cpu in cpus {
        let first = first_of_package.entry(cpu.package).or_insert(cpu.id);
        *first = cpu.id.min(*first);
    }
    let mut by_place: Vec<&Cpu> = cpus.iter().collect();
    by_place.sort_by_key(|cpu| {
        let package = first_of_package.get(&cpu.package).copied();
        (package, cpu.siblings.first().unwrap_or(cpu.id), cpu.id)
    });
    by_place
}

/// Logical ids of the cores with a processor in `allowed`, or of all cores.
pub fn cores(cpus: &[Cpu], allowed: Option<&IdSet>) -> IdSet {
    let mut cores: Vec<(u32, u32, bool)> = Vec::new();
    for cpu in by_place(cpus) {
        let core = cpu.siblings.first().unwrap_or(cpu.id);
        let is_usable = allowed.is_none_or(|allowed| allowed.contains(cpu.id));
        match cores.last_mut() {
            Some(last) if (last.0, last.1) == (cpu.package, core) => last.2 |= is_usable,
            _ => cores.push((cpu.package, core, is_usable)),
        }
    }
    let usable = cores
        .iter()
        .zip(0_u32..)
        .filter(|((.., usable), _)| *usable);
    usable.map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cpus`: for each processor in order, the lowest one of its core and its package.
    fn check(cpus: &[(u32, u32)], allowed: Option<&str>, expect: &str) {
        let list: Vec<Cpu> = cpus
            .iter()
            .zip(0..)
            .map(|((core, package), id)| Cpu {
                id,
                siblings: (0..cpus.len() as u32)
                    .filter(|other| cpus[*other as usize].0 == *core)
                    .collect(),
                package: *package,
            })
            .collect();
        let allowed: Option<IdSet> = allowed.map(|text| text.parse().unwrap());
        assert_eq!(cores(&list, allowed.as_ref()).to_string(), expect);
    }

    #[test]
    fn a_processor_without_siblings_is_a_core() {
        check(&[(0, 0), (1, 0), (2, 0)], None, "0-2");
        check(&[(0, 0), (1, 0), (2, 0)], Some("1"), "1");
    }

    #[test]
    fn one_allowed_thread_gives_its_core() {
        let two_cores = [(0, 0), (1, 0), (0, 0), (1, 0)];
        check(&two_cores, None, "0-1");
        check(&two_cores, Some("3"), "1");
        check(&two_cores, Some("0,2"), "0");
    }

    #[test]
    fn cores_of_interleaved_packages_are_numbered_package_by_package() {
        let interleaved = [(0, 0), (1, 1), (2, 0), (3, 1)];
        check(&interleaved, None, "0-3");
        check(&interleaved, Some("1"), "2");
        check(&interleaved, Some("2"), "1");
    }
}
