//! Where tasks run: the map of the job's tasks over its nodes, and the CPUs and GPUs of each task
//! here (protocol/23 sections 9 and 10). Pure.

use proto::data::taskmap::{Scheme, SchemeError};
use proto::data::{IdSet, TaskMap};

use crate::job::{Job, JobError};
use crate::limits::TASKS_MAX;
use crate::log::Level;
use crate::options::{Affinity, Failure, Remark};
use crate::topology::Cores;
use crate::worker::Prepared;

/// Placement of the tasks of a job.
#[derive(Debug, Default)]
pub struct Placement {
    /// Map of tasks to nodes.
    pub taskmap: TaskMap,
    /// Ranks of the tasks here, by local id.
    pub ranks: Vec<u32>,
    /// CPUs by local task, over and over; `None` leaves tasks where they are.
    cpus: Option<Vec<String>>,
    /// GPUs that tasks see, over and over; `None` leaves their variables alone.
    gpus: Option<Vec<String>>,
}

/// The part of the shell that binds tasks.
const CPU_AFFINITY: &str = "cpu-affinity";

impl Placement {
    /// The placement, and the messages about it.
    pub fn new(job: &Job, prepared: &Prepared) -> Result<(Placement, Vec<Remark>), Failure> {
        let taskmap = taskmap(job, prepared);
        let taskmap = taskmap.map_err(|error| Failure::of_taskmap(&error))?;
        let ranks: Vec<u32> = taskmap.tasks_on(job.place.rank).iter().collect();
        if ranks.len() as u64 > TASKS_MAX {
            return Err(Failure {
                remarks: Vec::new(),
                component: None,
                fatal: JobError::TooMany(ranks.len() as u64).to_string(),
            });
        }
        let mut remarks = Vec::new();
        let cpus = cpus(job, &ranks, &prepared.cores, &mut remarks)?;
        let gpus: Vec<u32> = job.node().gpus.iter().collect();
        let gpus = visible_gpus(&job.options.gpu_affinity, &gpus, ranks.len());
        let placement = Placement {
            taskmap,
            ranks,
            cpus,
            gpus,
        };
        Ok((placement, remarks))
    }

    /// The local id of a task; `None` for one of another node.
    pub fn local_id(&self, rank: u32) -> Option<usize> {
        self.ranks.binary_search(&rank).ok()
    }

    /// The ranks of the tasks here.
    pub fn task_ids(&self) -> IdSet {
        self.ranks.iter().copied().collect()
    }

    /// The CPUs that a local task is bound to.
    pub fn cpus_of(&self, index: usize) -> Option<String> {
        over_and_over(&self.cpus, index)
    }

    /// The GPUs that it is to see.
    pub fn gpus_of(&self, index: usize) -> Option<String> {
        over_and_over(&self.gpus, index)
    }
}

fn over_and_over(sets: &Option<Vec<String>>, index: usize) -> Option<String> {
    let sets = sets.as_ref().filter(|sets| !sets.is_empty())?;
    sets.get(index % sets.len()).cloned()
}

fn taskmap(job: &Job, prepared: &Prepared) -> Result<TaskMap, SchemeError> {
    let counts: Vec<u32> = job.nodes.iter().map(|node| node.ntasks).collect();
    let hosts: Vec<&str> = job.nodes.iter().map(|node| node.host.as_str()).collect();
    let scheme = &job.options.taskmap;
    let file = match (scheme, &prepared.hostfile) {
        (Scheme::Hostfile(path), Err(why)) => {
            return Err(SchemeError::Hostfile(path.clone(), why.clone()));
        }
        (_, file) => file.as_deref().unwrap_or_default(),
    };
    scheme.map(&counts, &hosts, file)
}

/// The sets that tasks are bound to, if they are.
fn cpus(
    job: &Job,
    ranks: &[u32],
    cores: &Cores,
    remarks: &mut Vec<Remark>,
) -> Result<Option<Vec<String>>, Failure> {
    let affinity = &job.options.affinity;
    let own = &job.node().cores;
    let mut say = |level, text| {
        remarks.push(Remark {
            level,
            component: Some(CPU_AFFINITY),
            text,
        });
    };
    if affinity.mode == Affinity::Off || own.is_empty() {
        return Ok(None);
    }
    if cores.cpus.is_empty() {
        let text = format!("unable to get cpuset for cores {own}. Disabling affinity");
        say(Level::Warn, text);
        return Ok(None);
    }
    let all = union(&cores.cpus);
    let sets = match &affinity.mode {
        Affinity::Map(map) => map.clone(),
        Affinity::PerTask => share_cores(&cores.cpus, ranks.len()),
        Affinity::On | Affinity::Off => vec![all.clone()],
    };
    if let Some(set) = sets.iter().find(|set| !set.intersects(&cores.allowed)) {
        let text = format!("cpuset {set} contains no cores or is invalid");
        return Err(Failure::of_plugin(CPU_AFFINITY, CPU_AFFINITY, text.into()));
    }
    let sets: Vec<String> = sets.iter().map(IdSet::to_string).collect();
    if affinity.verbose || affinity.dry_run {
        say(Level::Notice, format!("cpus: {all}"));
        let each = ranks.iter().zip(sets.iter().cycle());
        for (rank, set) in each.filter(|_| affinity.mode.is_per_task()) {
            say(Level::Notice, format!("task {rank}: cpus: {set}"));
        }
    }
    let is_everything = !affinity.mode.is_per_task() && cores.allowed.is_subset(&all);
    Ok((!affinity.dry_run && !is_everything).then_some(sets))
}

fn union(sets: &[IdSet]) -> IdSet {
    sets.iter().fold(IdSet::new(), |sum, set| sum.union(set))
}

/// The share of each of `n` tasks, in order: a core gets as many tasks as its part of the CPUs
/// is, and one that gets none goes to the task before.
fn share_cores(cores: &[IdSet], n: usize) -> Vec<IdSet> {
    let total: u64 = cores.iter().map(IdSet::count).sum();
    let mut shares: Vec<IdSet> = Vec::with_capacity(n);
    let mut before = 0;
    for core in cores {
        before += core.count();
        let placed = (before * n as u64).div_ceil(total.max(1)) as usize;
        if placed == shares.len()
            && let Some(last) = shares.last_mut()
        {
            last.add(core);
        }
        shares.resize(placed, core.clone());
    }
    shares
}

/// The GPUs that each of `n` tasks sees, over and over; `-1` hides all of them.
fn visible_gpus(affinity: &Affinity, all: &[u32], n: usize) -> Option<Vec<String>> {
    let list = |ids: &[u32]| {
        let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
        ids.join(",")
    };
    Some(match affinity {
        Affinity::Off => return None,
        Affinity::Map(sets) => {
            let ids = sets.iter().map(|set| set.iter().collect::<Vec<u32>>());
            ids.map(|ids| list(&ids)).collect()
        }
        Affinity::On | Affinity::PerTask if all.is_empty() => vec!["-1".to_owned()],
        Affinity::On => vec![list(all)],
        Affinity::PerTask => {
            let share = all.len() / n.max(1);
            let nth = |task: usize| all.get(task * share..(task + 1) * share);
            (0..n)
                .map(|task| list(nth(task).unwrap_or_default()))
                .collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_cores(cores: &[&str], n: usize, expect: &str) {
        let cores: Vec<IdSet> = cores.iter().map(|core| core.parse().unwrap()).collect();
        let shares = share_cores(&cores, n);
        let shown: Vec<String> = shares.iter().map(IdSet::to_string).collect();
        assert_eq!(shown.join(" "), expect, "{n} on {cores:?}");
    }

    #[test]
    fn cores_are_shared_in_order_and_nobody_goes_without() {
        let two = ["0", "1"];
        check_cores(&two, 1, "0-1");
        check_cores(&two, 2, "0 1");
        check_cores(&two, 3, "0 0 1");
        check_cores(&two, 5, "0 0 0 1 1");
        let four = ["0", "1", "2", "3"];
        check_cores(&four, 2, "0-1 2-3");
        check_cores(&four, 3, "0 1 2-3");
    }

    #[test]
    fn a_core_with_more_threads_gets_more_tasks() {
        check_cores(&["0-2", "3"], 4, "0-2 0-2 0-2 3");
        check_cores(&["0,4", "1,5"], 2, "0,4 1,5");
    }

    fn check_gpus(affinity: &Affinity, all: &[u32], n: usize, expect: Option<&[&str]>) {
        let found = visible_gpus(affinity, all, n);
        let found: Option<Vec<&str>> = found
            .as_ref()
            .map(|f| f.iter().map(String::as_str).collect());
        assert_eq!(found.as_deref(), expect, "{affinity:?} {all:?} {n}");
    }

    #[test]
    fn gpus_are_shown_to_all_or_shared() {
        let four = [0, 1, 2, 3];
        check_gpus(&Affinity::Off, &four, 2, None);
        check_gpus(&Affinity::On, &four, 2, Some(&["0,1,2,3"]));
        check_gpus(&Affinity::On, &[], 2, Some(&["-1"]));
        check_gpus(&Affinity::PerTask, &[], 2, Some(&["-1"]));
        check_gpus(&Affinity::PerTask, &four, 2, Some(&["0,1", "2,3"]));
        check_gpus(&Affinity::PerTask, &four, 3, Some(&["0", "1", "2"]));
        check_gpus(&Affinity::PerTask, &[5], 2, Some(&["", ""]));
        let map = Affinity::Map(vec!["7".parse().unwrap(), "4-6".parse().unwrap()]);
        check_gpus(&map, &four, 2, Some(&["7", "4,5,6"]));
    }
}
