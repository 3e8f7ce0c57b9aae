//! `job-list.list-id`: one job, now or when it is where it is wanted.

use node::{Cx, Peer, Reply};
use proto::data::job::States;
use proto::data::shape::mismatch;
use proto::job_list::{ListError, ListId};
use serde_json::Value;

use super::list::{attr_names, missing};
use super::{has_room, when_initialized};
use crate::JobList;
use crate::waits::Wait;

pub fn list_id(
    core: &mut JobList,
    cx: &mut Cx<JobList>,
    from: &Peer,
    request: ListId,
    reply: Reply<ListId>,
) {
    if !has_room(core) {
        return reply.send(cx, Err(ListError::TooManyWaits));
    }
    let peer = from.clone();
    when_initialized(core, cx, move |core, cx| match check(request) {
        Ok((id, attrs, states)) => {
            let wait = Wait {
                peer,
                attrs,
                states,
                reply,
            };
            core.answer_or_wait(cx, id, wait);
        }
        Err(error) => reply.send(cx, Err(error)),
    });
}

/// Job, names of attributes, and bits of states.
fn check(request: ListId) -> Result<(u64, Vec<Value>, u32), ListError> {
    let id = request.id.as_ref().ok_or_else(|| missing("id"))?;
    let id = id
        .as_u64()
        .ok_or_else(|| ListError::Payload(mismatch("integer", id)))?;
    let attrs = attr_names(request.attrs)?;
    let states = match request.state {
        None => 0,
        Some(value) => {
            let bits = value.as_u64().and_then(|bits| u32::try_from(bits).ok());
            let states = bits.and_then(States::from_bits);
            let invalid = || ListError::Payload("invalid state specified".to_owned());
            states.ok_or_else(invalid)?.bits()
        }
    };
    Ok((id, attrs, states))
}
