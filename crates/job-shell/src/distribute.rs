//! Default number of tasks on each node of a job, and the resources that a node keeps for them
//! (protocol/13 section 8, protocol/23 section 5). Pure.

use proto::data::jobspec::Counts;
use proto::data::{IdSet, Jobspec, Rset};
use serde_json::Value;

use crate::job::JobError;
use crate::limits::TASKS_MAX;
use crate::options::PerResource;

/// Quantity to distribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    /// This many tasks in all, one a slot.
    Total(u64),
    /// This many in each slot.
    PerSlot(u64),
    /// This many on each node.
    PerNode(u64),
    /// This many for each core.
    PerCore(u64),
}

/// The number of tasks on each node of `rset`, in the order of its ranks.
pub fn tasks_of_nodes(
    spec: &Jobspec,
    rset: &Rset,
    per_resource: Option<(PerResource, u64)>,
) -> Result<Vec<u32>, JobError> {
    let cores = rset.nodes().map(|(_, node)| node.cores.count());
    let cores: Vec<u64> = cores.collect();
    let tasks: Vec<u64> = match read_count(spec, per_resource)? {
        Count::PerNode(count) => vec![count; cores.len()],
        Count::PerCore(count) => cores.iter().map(|n| n.saturating_mul(count)).collect(),
        Count::Total(total) => {
            let most = TASKS_MAX.saturating_mul(cores.len() as u64);
            if total > most {
                return Err(JobError::TooMany(total));
            }
            let size = spec.counts().map_or(1, |counts| counts.slot_size);
            deal(total, size, &cores)
        }
        Count::PerSlot(count) => {
            let counts = spec.counts()?;
            let most = TASKS_MAX.saturating_mul(cores.len() as u64);
            let ntasks = counts.nslots.saturating_mul(count);
            if ntasks > most {
                return Err(JobError::TooMany(ntasks));
            }
            let slots = deal(counts.nslots, counts.slot_size, &cores);
            slots.iter().map(|n| n.saturating_mul(count)).collect()
        }
    };
    let small = |n: u64| u32::try_from(n).ok().filter(|_| n <= TASKS_MAX);
    let checked = tasks
        .into_iter()
        .map(|n| small(n).ok_or(JobError::TooMany(n)));
    checked.collect()
}

/// Reads the task count: as in the jobspec, or N for each allocated resource.
fn read_count(spec: &Jobspec, per_resource: Option<(PerResource, u64)>) -> Result<Count, JobError> {
    let count = spec
        .get("tasks")
        .and_then(|tasks| tasks.get(0)?.get("count"));
    if count.is_some_and(|count| !count.is_object()) {
        let text = "task count must be a mapping";
        return Err(JobError::Attribute(text.to_owned()));
    }
    let number = |key: &str| match count.and_then(|count| count.get(key)) {
        None => Ok(None),
        Some(value) => match value.as_u64() {
            Some(number) if number > 0 => Ok(Some(number)),
            _ => Err(JobError::Attribute(
                "task count must be an int > 0".to_owned(),
            )),
        },
    };
    let (total, per_slot) = (number("total")?, number("per_slot")?);
    Ok(match (total, per_resource) {
        (Some(total), _) => Count::Total(total),
        (None, Some((PerResource::Node, count))) => Count::PerNode(count),
        (None, Some((PerResource::Core, count))) => Count::PerCore(count),
        (None, None) => Count::PerSlot(per_slot.unwrap_or(1)),
    })
}

/// Deals out slots of `size` cores one at a time, round and round over the nodes that have cores
/// left for one. More slots than there are cores for go round and round over all.
fn deal(slots: u64, size: u64, cores: &[u64]) -> Vec<u64> {
    let mut room: Vec<u64> = cores.iter().map(|cores| cores / size.max(1)).collect();
    let mut dealt = vec![0; cores.len()];
    let mut left = slots;
    while left > 0 && room.iter().any(|room| *room > 0) {
        for (dealt, room) in dealt.iter_mut().zip(&mut room) {
            if left > 0 && *room > 0 {
                (*dealt, *room, left) = (*dealt + 1, *room - 1, left - 1);
            }
        }
    }
    let nodes = cores.len().max(1) as u64;
    for (place, dealt) in (0..nodes).zip(&mut dealt) {
        *dealt += left / nodes + u64::from(place < left % nodes);
    }
    dealt
}

/// Resources that one node keeps when the job has more slots than tasks: a slot without a
/// task is given up. `None` if all are used, or the job is one for which that is not done.
pub fn kept(spec: &Jobspec, has_per_resource: bool, tasks: (u64, u32)) -> Option<(u64, u64)> {
    let counts: Counts = spec.counts().ok()?;
    let (ntasks, here) = (tasks.0, u64::from(tasks.1));
    let is_exempt = counts.exclusive || has_per_resource || counts.nnodes < 2;
    let has_more = counts.nslots > ntasks && here > 0;
    let per_slot = spec.get("tasks")?.get(0)?.get("count")?.get("per_slot");
    if is_exempt || !has_more || per_slot.is_some_and(Value::is_number) {
        return None;
    }
    Some((here * counts.slot_size, here * counts.slot_gpus))
}

/// The first `n` ids of a set.
pub fn first(ids: &IdSet, n: u64) -> IdSet {
    ids.iter()
        .take(usize::try_from(n).unwrap_or(usize::MAX))
        .collect()
}

#[cfg(test)]
mod tests {
    use proto::data::rset::Node;
    use serde_json::json;

    use super::*;

    #[test]
    fn slots_go_round_the_nodes_that_have_room() {
        let check = |slots, size, cores: &[u64], expect: &[u64]| {
            assert_eq!(deal(slots, size, cores), expect, "{slots}x{size} {cores:?}");
        };
        check(4, 1, &[1, 1, 1, 1], &[1, 1, 1, 1]);
        check(6, 1, &[4, 4, 4, 4], &[2, 2, 1, 1]);
        check(5, 1, &[4, 1], &[4, 1]);
        check(5, 1, &[1, 4], &[1, 4]);
        check(3, 2, &[4, 2], &[2, 1]);
        check(2, 1, &[8, 8], &[1, 1]);
        check(5, 1, &[1, 1], &[3, 2]);
        check(3, 1, &[0, 0], &[2, 1]);
        check(0, 1, &[4], &[0]);
        check(7, 0, &[4], &[7]);
        check(1, 1, &[], &[]);
    }

    fn spec(nodes: u64, slots: u64, cores: u64, count: Value, exclusive: bool) -> Jobspec {
        let slot = json!({"type": "slot", "count": slots, "label": "task",
            "with": [{"type": "core", "count": cores}, {"type": "gpu", "count": 1}]});
        let node = json!({"type": "node", "count": nodes, "exclusive": exclusive, "with": [slot]});
        let jobspec = json!({"version": 1, "resources": [node],
            "tasks": [{"command": ["x"], "slot": "task", "count": count}],
            "attributes": {"system": {"duration": 0}}});
        Jobspec::from_object(jobspec.as_object().unwrap().clone())
    }

    fn rset(cores: &[&str]) -> Rset {
        let mut rset = Rset::new();
        for (rank, cores) in (0..).zip(cores) {
            let node = Node::with_cores("h", cores.parse().unwrap());
            rset.add_rank(rank, node).unwrap();
        }
        rset
    }

    #[test]
    fn every_way_to_count_is_shared_out() {
        let check = |count: Value, per: Option<(PerResource, u64)>, expect: &str| {
            let spec = spec(2, 2, 1, count, false);
            let tasks = tasks_of_nodes(&spec, &rset(&["0-3", "0-1"]), per);
            let shown = tasks.map_or_else(|e| e.to_string(), |tasks| format!("{tasks:?}"));
            assert_eq!(shown, expect);
        };
        check(json!({"per_slot": 1}), None, "[2, 2]");
        check(json!({"per_slot": 3}), None, "[6, 6]");
        check(json!({"total": 3}), None, "[2, 1]");
        check(json!({"total": 6}), None, "[4, 2]");
        check(
            json!({"per_slot": 1}),
            Some((PerResource::Node, 5)),
            "[5, 5]",
        );
        check(
            json!({"per_slot": 1}),
            Some((PerResource::Core, 2)),
            "[8, 4]",
        );
        check(
            json!({"per_slot": 1}),
            Some((PerResource::Node, TASKS_MAX + 1)),
            "too many tasks for one shell: 65537",
        );
        check(
            json!({"total": 1_u64 << 50}),
            None,
            "too many tasks for one shell: 1125899906842624",
        );
    }

    #[test]
    fn a_slot_without_a_task_is_given_up() {
        let check = |spec: &Jobspec, per: bool, expect: Option<(u64, u64)>| {
            assert_eq!(kept(spec, per, (3, 1)), expect);
        };
        let total = || json!({"total": 3});
        check(&spec(2, 2, 1, total(), false), false, Some((1, 1)));
        check(&spec(2, 2, 4, total(), false), false, Some((4, 1)));
        check(&spec(2, 2, 1, total(), false), true, None);
        check(&spec(2, 2, 1, total(), true), false, None);
        check(&spec(1, 4, 1, total(), false), false, None);
        check(&spec(3, 1, 1, total(), false), false, None);
        check(&spec(2, 2, 1, json!({"per_slot": 1}), false), false, None);
    }
}
