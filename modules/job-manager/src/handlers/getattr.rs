//! job-manager.getattr: the jobspec, R and event log of a job.

use node::{Cx, Peer, Reply};
use proto::RawJson;
use proto::job_manager::{Attrs, GetAttr, GetAttrError};
use serde_json::{Map, Value};

use crate::JobManager;
use crate::batch::Deferred;
use crate::job::Parts;
use crate::jobs::Slot;
use crate::limits::ROW_REQUESTS_MAX;

pub(crate) fn getattr(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    request: GetAttr,
    reply: Reply<GetAttr>,
) {
    let slot = core.known_to(cx, peer, request.id);
    if let Some(slot) = slot
        && peer.may_act_for(slot.userid())
        && core.jobs.here(request.id, slot).is_none()
    {
        if core.rows.n_waiting() >= ROW_REQUESTS_MAX {
            return reply.send(cx, Err(GetAttrError::Busy));
        }
        let (id, peer) = (request.id, peer.clone());
        let again: Deferred = Box::new(move |core: &mut JobManager, cx: &mut Cx<JobManager>| {
            getattr(core, cx, &peer, request, reply);
        });
        return core.want_row(cx, id, Some(again));
    }
    let attrs = attrs_of(core, cx, peer, &request);
    reply.send(cx, attrs);
}

fn attrs_of(
    core: &JobManager,
    cx: &Cx<JobManager>,
    peer: &Peer,
    request: &GetAttr,
) -> Result<Attrs, GetAttrError> {
    let slot = core.known_to(cx, peer, request.id);
    let slot = slot.ok_or(GetAttrError::UnknownJob)?;
    if !peer.may_act_for(slot.userid()) {
        return Err(GetAttrError::NotYours);
    }
    let slot = core.jobs.here(request.id, slot).unwrap_or(slot);
    let mut attrs = Map::new();
    let parts = match slot {
        Slot::Active(job) => Parts {
            events: job
                .log()
                .lines()
                .filter_map(|line| RawJson::new(line).ok())
                .collect(),
            jobspec: Some(RawJson::clone(&job.jobspec())),
            r: job.r.as_deref().cloned(),
        },
        Slot::Inactive(packed) => packed
            .parts(request.id)
            .ok_or(GetAttrError::Null("eventlog"))?,
        Slot::Away(_) => return Err(GetAttrError::Null("eventlog")),
    };
    for name in &request.attrs {
        let name = name.as_str().ok_or(GetAttrError::NonString)?;
        if attrs.contains_key(name) {
            continue;
        }
        attrs.insert(name.to_owned(), attr(&parts, name)?);
    }
    Ok(Attrs(attrs))
}

fn attr(parts: &Parts, name: &str) -> Result<Value, GetAttrError> {
    let parsed = |text: &Option<RawJson>, name: &'static str| {
        let value = text.as_ref().and_then(|text| text.parse().ok());
        value.ok_or(GetAttrError::Null(name))
    };
    match name {
        "jobspec" => parsed(&parts.jobspec, "jobspec"),
        "R" => parsed(&parts.r, "R"),
        "eventlog" => {
            let events = parts.events.iter().filter_map(|event| event.parse().ok());
            Ok(Value::Array(events.collect()))
        }
        _ => Err(GetAttrError::UnknownAttr(name.to_owned())),
    }
}
