//! content-backing.gc-info, mark and sweep: the requests of a collector
//! (doc/garbage-collection.md).
//!
//! Each request is done in small steps, each in a transaction with the other tasks that
//! have come by then, so that commits never wait for a whole request.

use node::{Cx, Peer, Reply};
use proto::content_backing::{
    GcInfo, GcState, MARK_HASHES_MAX, Mark, MarkError, Marked, SWEEP_DELETES_MAX, SWEEP_WINDOW_MAX,
    Sweep, SweepError, Swept,
};
use proto::data::BlobRef;

use crate::Content;
use crate::limits::{MARK_STEP_BLOBS, SWEEP_STEP_DELETES, SWEEP_STEP_ROWS};
use crate::task::{Outcome, Task};

pub fn gc_info(
    core: &mut Content,
    _: &mut Cx<Content>,
    _: &Peer,
    request: GcInfo,
    reply: Reply<GcInfo>,
) {
    core.enqueue(Task::GcInfo, move |core, cx, result| {
        match result.and_then(Outcome::gc) {
            Ok(state) if request.get_count == Some(true) => {
                count_step(core, request.epoch, 0, state, reply);
            }
            result => reply.send_refusal(cx, result),
        }
    });
}

/// Counts the blobs in some of the rows after `cursor`, then the others.
fn count_step(
    core: &mut Content,
    epoch: i64,
    cursor: i64,
    mut state: GcState,
    reply: Reply<GcInfo>,
) {
    let end = cursor.saturating_add(SWEEP_STEP_ROWS);
    let end = end.min(state.high_water);
    let step = Task::Count {
        epoch,
        after: cursor,
        end,
    };
    core.enqueue(step, move |core, cx, result| {
        match result.and_then(Outcome::number) {
            Ok(count) => {
                state.candidates = Some(state.candidates.unwrap_or(0) + count);
                match end < state.high_water {
                    true => count_step(core, epoch, end, state, reply),
                    false => reply.send(cx, Ok(state)),
                }
            }
            Err(refusal) => reply.send_refusal(cx, Err(refusal)),
        }
    });
}

pub fn mark(core: &mut Content, cx: &mut Cx<Content>, _: &Peer, request: Mark, reply: Reply<Mark>) {
    let Mark { epoch, hashes } = request;
    if hashes.len() > MARK_HASHES_MAX {
        return reply.send(cx, Err(MarkError::TooMany(hashes.len())));
    }
    let names: Result<Vec<BlobRef>, _> = hashes.iter().map(|hash| hash.parse()).collect();
    match names {
        Ok(names) => mark_step(core, epoch, names, 0, reply),
        Err(_) => reply.send(cx, Err(MarkError::NoBlobref)),
    }
}

/// Marks the last of the names, then the others.
fn mark_step(
    core: &mut Content,
    epoch: i64,
    mut names: Vec<BlobRef>,
    before: i64,
    reply: Reply<Mark>,
) {
    let step = names.split_off(names.len().saturating_sub(MARK_STEP_BLOBS));
    core.enqueue(
        Task::Mark(epoch, step),
        move |core, cx, result| match result.and_then(Outcome::number) {
            Ok(marked) if names.is_empty() => {
                let marked = before + marked;
                reply.send(cx, Ok(Marked { marked }));
            }
            Ok(marked) => mark_step(core, epoch, names, before + marked, reply),
            Err(refusal) => reply.send_refusal(cx, Err(refusal)),
        },
    );
}

pub fn sweep(
    core: &mut Content,
    cx: &mut Cx<Content>,
    _: &Peer,
    request: Sweep,
    reply: Reply<Sweep>,
) {
    let in_range = request.cursor >= 0
        && request.high_water >= 0
        && request.delete_cap > 0
        && request.window > 0;
    if !in_range {
        return reply.send(cx, Err(SweepError::OutOfRange));
    }
    let window = request.window.min(SWEEP_WINDOW_MAX);
    let rest = Sweep {
        delete_cap: request.delete_cap.min(SWEEP_DELETES_MAX),
        window,
        high_water: request
            .high_water
            .min(request.cursor.saturating_add(window)),
        ..request
    };
    sweep_step(core, rest, 0, reply);
}

/// Does the first part of a sweep that ends at the `high_water` of `rest`.
fn sweep_step(core: &mut Content, rest: Sweep, before: i64, reply: Reply<Sweep>) {
    let step = Sweep {
        delete_cap: rest.delete_cap.min(SWEEP_STEP_DELETES),
        window: SWEEP_STEP_ROWS,
        ..rest
    };
    core.enqueue(Task::Sweep(step), move |core, cx, result| {
        let Swept { deleted, cursor } = match result.and_then(Outcome::swept) {
            Ok(swept) => swept,
            Err(refusal) => return reply.send_refusal(cx, Err(refusal)),
        };
        let (before, left) = (before + deleted, rest.delete_cap - deleted);
        if left > 0 && cursor < rest.high_water {
            let rest = Sweep {
                cursor,
                delete_cap: left,
                ..rest
            };
            return sweep_step(core, rest, before, reply);
        }
        if before > 0 {
            core.shrink();
        }
        let deleted = before;
        reply.send(cx, Ok(Swept { deleted, cursor }));
    });
}

impl Content {
    /// Gives free space back to the file system, step by step.
    fn shrink(&mut self) {
        if !std::mem::replace(&mut self.shrinking, true) {
            self.shrink_step();
        }
    }

    fn shrink_step(&mut self) {
        self.enqueue(Task::Shrink, |core, _, result| {
            match result == Ok(Outcome::Shrunk(true)) && !core.stopping {
                true => core.shrink_step(),
                false => core.shrinking = false,
            }
        });
    }
}
