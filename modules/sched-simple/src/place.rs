//! Where a job goes: the emptiest nodes first, lowest cores first, whole nodes when it asks
//! for them; and whether it could ever go anywhere (protocol/13 section 2, protocol/25
//! section 12). Pure.

use std::collections::BTreeMap;

use proto::data::{IdSet, Rset};
use proto::feasibility::CheckError;

use crate::pool::Pool;
use crate::request::Request;
use crate::view::{Shapes, View};

/// What was taken, by rank.
type Taken = BTreeMap<u32, (IdSet, IdSet)>;

/// Takes resources for a job. `None`, with nothing taken, when they are not free now.
pub fn place(pool: &mut Pool, request: &Request) -> Option<Rset> {
    pool.make_view(request.constraint.as_ref());
    let view = pool.view(request.constraint.as_ref())?;
    // Most of the jobs that have to wait are told so here.
    if view.n_free_cores() < request.nslots.saturating_mul(request.slot_cores) {
        return None;
    }
    let chosen = match request.nnodes {
        0 => choose_slots(pool, view, request)?,
        _ => choose_nodes(view, request)?,
    };
    let take = |(rank, cores, gpus)| (rank, pool.take_lowest(rank, cores, gpus));
    let taken: Taken = chosen.into_iter().map(take).collect();
    let mut set = pool.rset(taken);
    set.set_nslots(Some(request.nslots));
    Some(set)
}

/// Nodes, and how many cores and GPUs to take of each.
type Chosen = Vec<(u32, u64, u64)>;

/// Slots wherever they fit, node by node; on whole nodes if the job wants such.
fn choose_slots(pool: &Pool, view: &View, request: &Request) -> Option<Chosen> {
    let mut chosen = Chosen::new();
    let mut left = request.nslots;
    for (rank, n_free) in view.candidates(request.slot_gpus, request.exclusive) {
        if left == 0 || n_free < request.slot_cores {
            break;
        }
        let (cores, gpus) = pool.node(rank)?.free();
        let n = request.slots_in(cores, gpus).min(left);
        left -= n;
        chosen.push(match request.exclusive {
            true => (rank, cores, gpus),
            false => (rank, n * request.slot_cores, n * request.slot_gpus),
        });
    }
    (left == 0).then_some(chosen)
}

/// Nodes, each with its share of the slots.
fn choose_nodes(view: &View, request: &Request) -> Option<Chosen> {
    let (cores, gpus) = request.per_node();
    let wanted = usize::try_from(request.nnodes).ok()?;
    let (take_cores, take_gpus) = match request.exclusive {
        true => (u64::MAX, u64::MAX),
        false => (cores, gpus),
    };
    let chosen: Chosen = view
        .candidates(gpus, request.exclusive)
        .take_while(|(_, n_free)| *n_free >= cores)
        .take(wanted)
        .map(|(rank, _)| (rank, take_cores, take_gpus))
        .collect();
    (chosen.len() == wanted).then_some(chosen)
}

/// Whether a job could run if everything were free and up.
pub fn check(pool: &mut Pool, request: &Request) -> Result<(), CheckError> {
    pool.make_view(request.constraint.as_ref());
    let view = pool.view(request.constraint.as_ref());
    let text = view
        .map(View::shapes)
        .and_then(|shapes| match request.nnodes {
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
