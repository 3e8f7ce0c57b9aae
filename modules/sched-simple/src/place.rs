//! Where a job goes: worst-fit over ranks, lowest cores first, whole nodes when it asks
//! for them; and whether it could ever go anywhere (protocol/13 section 2). Pure.

use std::collections::BTreeMap;

use proto::data::{IdSet, Rset};
use proto::feasibility::CheckError;

use crate::pool::{Pool, PoolNode, Shapes};
use crate::request::Request;

/// What was taken, by rank.
type Taken = BTreeMap<u32, (IdSet, IdSet)>;

/// Takes resources for a job, on `ranks` only if given. `None`, with nothing taken, when
/// they are not free now.
pub fn place(pool: &mut Pool, request: &Request, ranks: Option<&IdSet>) -> Option<Rset> {
    let taken = match (request.nnodes, request.exclusive) {
        (0, false) => place_slots(pool, request, ranks)?,
        (0, true) => place_slots_on_whole_nodes(pool, request, ranks)?,
        _ => place_nodes(pool, request, ranks)?,
    };
    let mut set = pool.rset(taken);
    set.set_nslots(Some(request.nslots));
    Some(set)
}

fn may_use(rank: u32, ranks: Option<&IdSet>) -> bool {
    ranks.is_none_or(|ranks| ranks.contains(rank))
}

/// Slots wherever they fit: each goes to the node with the most free cores.
fn place_slots(pool: &mut Pool, request: &Request, ranks: Option<&IdSet>) -> Option<Taken> {
    if !has_slots(pool, request, ranks) {
        return None;
    }
    let mut taken = Taken::new();
    let mut left = request.nslots;
    while left > 0 {
        // As many slots at once as the first node takes before another is ahead of it.
        let mut fitting = pool
            .by_free()
            .filter(|(rank, ..)| may_use(*rank, ranks))
            .filter(|(_, _, node)| slots_on(request, node) > 0);
        let (rank, n_free, node) = fitting.next()?;
        let next_free = fitting.next().map_or(0, |(_, n_free, _)| n_free);
        let ahead = (n_free - next_free) / request.slot_cores.max(1);
        let n = ahead.max(1).min(slots_on(request, node)).min(left);
        drop(fitting);
        let (cores, gpus) = (n * request.slot_cores, n * request.slot_gpus);
        let (cores, gpus) = pool.take_lowest(rank, cores, gpus);
        let entry = taken.entry(rank).or_default();
        entry.0.add(&cores);
        entry.1.add(&gpus);
        left -= n;
    }
    Some(taken)
}

/// Whether N slots are free; stops counting when there are enough.
fn has_slots(pool: &Pool, request: &Request, ranks: Option<&IdSet>) -> bool {
    if pool.n_free_cores() < request.nslots.saturating_mul(request.slot_cores) {
        return false;
    }
    let mut n_slots = 0_u64;
    for (rank, _, node) in pool.by_free() {
        if may_use(rank, ranks) {
            n_slots = n_slots.saturating_add(slots_on(request, node));
        }
        if n_slots >= request.nslots {
            return true;
        }
    }
    false
}

fn slots_on(request: &Request, node: &PoolNode) -> u64 {
    request.slots_in(node.free_cores.count(), node.free_gpus.count())
}

/// Whole nodes until all slots are on one.
fn place_slots_on_whole_nodes(
    pool: &mut Pool,
    request: &Request,
    ranks: Option<&IdSet>,
) -> Option<Taken> {
    let mut chosen = Vec::new();
    let mut n_slots = 0;
    let whole = pool
        .by_free()
        .filter(|(rank, _, node)| may_use(*rank, ranks) && node.is_whole());
    for (rank, _, node) in whole {
        if n_slots >= request.nslots {
            break;
        }
        if slots_on(request, node) > 0 {
            n_slots += slots_on(request, node);
            chosen.push(rank);
        }
    }
    (n_slots >= request.nslots).then(|| take_whole(pool, &chosen))
}

/// Nodes, each with its share of the slots.
fn place_nodes(pool: &mut Pool, request: &Request, ranks: Option<&IdSet>) -> Option<Taken> {
    let (cores, gpus) = request.per_node();
    let fits = |node: &PoolNode| {
        let is_free = !request.exclusive || node.is_whole();
        is_free && node.free_gpus.count() >= gpus
    };
    let wanted = usize::try_from(request.nnodes).ok()?;
    let chosen: Vec<u32> = pool
        .by_free()
        .take_while(|(_, n_free, _)| *n_free >= cores)
        .filter(|(rank, _, node)| may_use(*rank, ranks) && fits(node))
        .map(|(rank, ..)| rank)
        .take(wanted)
        .collect();
    if chosen.len() < wanted {
        return None;
    }
    if request.exclusive {
        return Some(take_whole(pool, &chosen));
    }
    let take = |rank| (rank, pool.take_lowest(rank, cores, gpus));
    Some(chosen.into_iter().map(take).collect())
}

fn take_whole(pool: &mut Pool, ranks: &[u32]) -> Taken {
    let take = |rank: &u32| (*rank, pool.take_lowest(*rank, u64::MAX, u64::MAX));
    ranks.iter().map(take).collect()
}

/// Whether a job could run if everything were free and up.
pub fn check(pool: &Pool, request: &Request, ranks: Option<&IdSet>) -> Result<(), CheckError> {
    let shapes = pool.shapes(ranks);
    let text = match request.nnodes {
        0 => lacks_slots(request, &shapes),
        _ => lacks_nodes(request, &shapes),
    };
    text.map_or(Ok(()), |text| Err(CheckError::Unsatisfiable(text)))
}

fn lacks_nodes(request: &Request, shapes: &Shapes) -> Option<String> {
    let (cores, gpus) = request.per_node();
    let eligible = shapes
        .iter()
        .filter(|((has_cores, has_gpus), _)| *has_cores >= cores && *has_gpus >= gpus);
    let eligible: u64 = eligible.map(|(_, n)| n).sum();
    let need = request.nnodes;
    if eligible >= need {
        return None;
    }
    Some(match (request.exclusive, gpus) {
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
    let (need, cores, gpus) = (request.nslots, request.slot_cores, request.slot_gpus);
    let by_cores = sum(&|cores, _| cores / request.slot_cores.max(1));
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
