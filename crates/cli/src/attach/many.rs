//! Several jobs at once: `flux submit --watch` and `--wait`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use client::{Arrival, CallId, Handle};
use proto::data::JobId;

use super::follower::{Follower, Show};
use crate::error::CliError;
use crate::flux::Flux;
use crate::limits::FOLLOWED_JOBS_MAX;

/// Follows jobs until each has come to its event, and gives back the largest exit code.
pub fn follow_all(
    flux: &mut Flux,
    handle: &mut Handle,
    jobs: Vec<(JobId, Show)>,
) -> Result<u8, CliError> {
    let mut waiting: VecDeque<(JobId, Show)> = jobs.into();
    let mut followed: BTreeMap<JobId, Follower> = BTreeMap::new();
    let mut by_call: BTreeMap<CallId, JobId> = BTreeMap::new();
    let mut worst = 0;
    loop {
        while followed.len() < FOLLOWED_JOBS_MAX
            && let Some((id, show)) = waiting.pop_front()
        {
            let follower = Follower::start(handle, id, show);
            by_call.extend(follower.calls().map(|call| (call, id)));
            followed.insert(id, follower);
        }
        if followed.is_empty() {
            return Ok(worst);
        }
        let Some((call, answer)) = next_answer(flux, handle)? else {
            continue;
        };
        let Some(id) = by_call.get(&call).copied() else {
            continue;
        };
        let Some(follower) = followed.get_mut(&id) else {
            continue;
        };
        if answer.is_err() {
            by_call.remove(&call);
        }
        if let Err(error) = follower.take(flux, handle, call, answer) {
            flux.complain(&error.about(id))?;
            worst = worst.max(1);
        }
        by_call.extend(follower.calls().map(|call| (call, id)));
        if follower.is_done() {
            follower.print_end(flux)?;
            worst = worst.max(follower.code());
            for call in follower.calls() {
                by_call.remove(&call);
            }
            follower.stop(handle);
            followed.remove(&id);
        }
    }
}

/// An answer, and what it answers.
type Answered = (CallId, Result<wire::Message, client::Refusal>);

/// The next answer, after what was printed has gone out if there is none yet.
fn next_answer(flux: &mut Flux, handle: &mut Handle) -> Result<Option<Answered>, CliError> {
    let mut arrival = handle.next(&[], Some(Instant::now()))?;
    if let Arrival::Deadline = arrival {
        flux.out.flush()?;
        arrival = handle.next(&[], None)?;
    }
    Ok(match arrival {
        Arrival::Answer(call, answer) => Some((call, answer)),
        _ => None,
    })
}
