//! Where a job goes: the emptiest nodes first, lowest cores first, whole nodes when it asks
//! for them; and whether it could ever go anywhere (protocol/13 section 2, protocol/25
//! section 12). Pure.

use std::collections::BTreeMap;

use proto::data::{IdSet, Rset};
use proto::feasibility::CheckError;

use crate::pool::Pool;
use crate::request::Request;
use crate::view::{Shapes, View};

/// Resources taken, by rank.
type Taken = BTreeMap<u32, (IdSet, IdSet)>;

/// Nodes for a job, with the number of cores and GPUs to take of each, and its slots.
#[derive(Debug, PartialEq, Eq)]
struct Choice {
    nodes: Vec<(u32, u64, u64)>,
    nslots: u64,
}

/// Takes resources for a job. `None`, with nothing taken, when they are not free now.
pub fn place(pool: &mut Pool, request: &Request) -> Option<Rset> {
    let choice = choose(pool, request)?;
    let take = |(rank, cores, gpus)| (rank, pool.take_lowest(rank, cores, gpus));
    let taken: Taken = choice.nodes.into_iter().map(take).collect();
    let mut set = pool.rset(taken);
    set.set_nslots(Some(choice.nslots));
    Some(set)
}

/// True if a job's resources are free now.
pub fn fits(pool: &mut Pool, request: &Request) -> bool {
    choose(pool, request).is_some()
}

fn choose(pool: &mut Pool, request: &Request) -> Option<Choice> {
    pool.make_view(request.constraint.as_ref());
    let pool = &*pool;
    let view = pool.view(request.constraint.as_ref())?;
    // Most of the jobs that have to wait are told so here.
    if view.n_free_cores() < request.cores_min() {
        return None;
    }
    match request.shape.nnodes.min {
        0 => choose_slots(pool, view, request),
        _ => choose_nodes(pool, view, request),
    }
}

/// Slots wherever they fit, node by node.
fn choose_slots(pool: &Pool, view: &View, request: &Request) -> Option<Choice> {
    let shape = &request.shape;
    let mut nodes = Vec::new();
    let mut left = shape.nslots.max;
    for (rank, n_free) in view.candidates(shape.slot_gpus, false) {
        if left == 0 || n_free < shape.slot_cores {
            break;
        }
        let (cores, gpus) = pool.node(rank)?.free();
        let n = request.slots_in(cores, gpus).min(left);
        left -= n;
        nodes.push((rank, n * shape.slot_cores, n * shape.slot_gpus));
    }
    let nslots = shape.nslots.max - left;
    (nslots >= shape.nslots.min).then_some(Choice { nodes, nslots })
}

/// Nodes, each with the same number of slots: as many nodes as fit, then as many slots as each
/// of them can have.
fn choose_nodes(pool: &Pool, view: &View, request: &Request) -> Option<Choice> {
    let shape = &request.shape;
    let (cores_min, gpus_min) = request.per_node();
    let wanted = usize::try_from(shape.nnodes.max).unwrap_or(usize::MAX);
    let chosen: Vec<u32> = view
        .candidates(gpus_min, shape.exclusive)
        .take_while(|(_, n_free)| *n_free >= cores_min)
        .take(wanted)
        .map(|(rank, _)| rank)
        .collect();
    if (chosen.len() as u64) < shape.nnodes.min {
        return None;
    }
    let mut slots = shape.nslots.min;
    if shape.nslots.max > slots {
        let nodes = chosen.iter().filter_map(|rank| pool.node(*rank));
        let room = nodes.map(|node| request.slots_in(node.free().0, node.free().1));
        slots = room.min().unwrap_or(slots).min(shape.nslots.max);
    }
    let (cores, gpus) = match shape.exclusive {
        true => (u64::MAX, u64::MAX),
        false => (slots * shape.slot_cores, slots * shape.slot_gpus),
    };
    let nslots = slots.saturating_mul(chosen.len() as u64);
    let nodes = chosen.into_iter().map(|rank| (rank, cores, gpus));
    Some(Choice {
        nodes: nodes.collect(),
        nslots,
    })
}

/// Checks that a job could run if everything were free and up.
pub fn check(pool: &mut Pool, request: &Request) -> Result<(), CheckError> {
    pool.make_view(request.constraint.as_ref());
    let view = pool.view(request.constraint.as_ref());
    let text = view
        .map(View::shapes)
        .and_then(|shapes| match request.shape.nnodes.min {
            0 => lacks_slots(request, shapes),
            _ => lacks_nodes(request, shapes),
        });
    text.map_or(Ok(()), |text| Err(CheckError::Unsatisfiable(text)))
}

fn lacks_nodes(request: &Request, shapes: &Shapes) -> Option<String> {
    let (cores, gpus) = request.per_node();
    let eligible = shapes
        .iter()
        .filter(|((has_cores, has_gpus), _)| *has_cores >= cores && *has_gpus >= gpus);
    let eligible: u64 = eligible.map(|(_, n)| n).sum();
    let need = request.shape.nnodes.min;
    if eligible >= need {
        return None;
    }
    Some(match (request.shape.exclusive, gpus) {
        (true, _) => format!("need {need} exclusive node(s), only {eligible} eligible"),
        (false, 0) => {
            format!("need {need} node(s) with {cores} cores each, only {eligible} eligible")
        }
        (false, _) => format!(
            "need {need} node(s) with {cores} cores and {gpus} GPUs each, only {eligible} eligible"
        ),
    })
}

fn lacks_slots(request: &Request, shapes: &Shapes) -> Option<String> {
    let sum = |of: &dyn Fn(u64, u64) -> u64| -> u64 {
        let each = shapes
            .iter()
            .map(|((cores, gpus), n)| of(*cores, *gpus).saturating_mul(*n));
        each.fold(0, u64::saturating_add)
    };
    let shape = &request.shape;
    let (need, cores, gpus) = (shape.nslots.min, shape.slot_cores, shape.slot_gpus);
    let by_cores = sum(&|has, _| has / cores.max(1));
    if by_cores < need {
        let total = sum(&|cores, _| cores);
        return Some(format!(
            "need {need} slot(s) of {cores} core(s), only {by_cores} such slot(s) available \
             (total cores: {total})"
        ));
    }
    let available = sum(&|cores, gpus| request.slots_in(cores, gpus));
    if available < need {
        let total = sum(&|_, gpus| gpus);
        return Some(format!(
            "need {need} slot(s) with {gpus} GPU(s) each, only {available} available \
             (total GPUs: {total})"
        ));
    }
    None
}

#[cfg(test)]
mod tests;
