//! `lookup` and `update-lookup`. The log is always read too: it decides who may ask and
//! whether there is such a job at all, and has the changes. All keys are looked up at
//! once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use node::{Cx, Peer, Reply};
use proto::data::JobId;
use proto::job_info::{
    CURRENT, JSON_DECODE, JobInfoError, Lookup, LookupReply, UpdateLookup, Updated as Payload,
};
use proto::{Coded as _, Refusal};
use serde_json::{Map, Value};

use crate::JobInfo;
use crate::core;
use crate::limits::LOOKUP_KEYS_MAX;
use crate::log::Updated;
use crate::update::parse_object;

/// Value of each key, or the error of reading it.
type Found = BTreeMap<String, Result<Option<String>, Refusal>>;

pub fn lookup(
    core: &mut JobInfo,
    cx: &mut Cx<JobInfo>,
    from: &Peer,
    request: Lookup,
    reply: Reply<Lookup>,
) {
    if request.flags & !(JSON_DECODE | CURRENT) != 0 {
        return reply.send(cx, Err(JobInfoError::LookupFlag));
    }
    if request.keys.len() > LOOKUP_KEYS_MAX {
        return reply.send(cx, Err(JobInfoError::BadValue("keys".to_owned())));
    }
    core.n_lookups += 1;
    let (peer, Lookup { id, keys, flags }) = (from.clone(), request);
    gather(cx, id, keys.clone(), move |core, cx, found| {
        core.n_lookups -= 1;
        let values = log_of(cx, &found, &peer).and_then(|log| {
            let value = |key: &String| Ok((key.clone(), value(key, flags, &found, &log)?));
            keys.iter()
                .map(value)
                .collect::<Result<Map<_, _>, Refusal>>()
        });
        reply.send_refusal(cx, values.map(|values| LookupReply { id, values }));
    });
}

pub fn update_lookup(
    core: &mut JobInfo,
    cx: &mut Cx<JobInfo>,
    from: &Peer,
    request: UpdateLookup,
    reply: Reply<UpdateLookup>,
) {
    if Updated::of(&request.key).is_none() {
        return reply.send(cx, Err(JobInfoError::UpdateKey));
    }
    if request.flags != 0 {
        return reply.send(cx, Err(JobInfoError::LookupFlag));
    }
    core.n_update_lookups += 1;
    let (peer, key) = (from.clone(), request.key);
    gather(cx, request.id, vec![key.clone()], move |core, cx, found| {
        core.n_update_lookups -= 1;
        let object = log_of(cx, &found, &peer)
            .and_then(|log| value(&key, JSON_DECODE | CURRENT, &found, &log));
        let payload = object.map(|object| Payload(Map::from_iter([(key, object)])));
        reply.send_refusal(cx, payload);
    });
}

/// Looks up the log and these keys, all at once.
fn gather(
    cx: &mut Cx<JobInfo>,
    id: JobId,
    mut keys: Vec<String>,
    then: impl FnOnce(&mut JobInfo, &mut Cx<JobInfo>, Found) + 'static,
) {
    keys.push("eventlog".to_owned());
    keys.sort();
    keys.dedup();
    let gathered = Rc::new(RefCell::new((Found::new(), Some(then))));
    for key in keys {
        let gathered = Rc::clone(&gathered);
        core::lookup(cx, id, &key.clone(), move |core, cx, value| {
            if let Ok((found, _)) = gathered.try_borrow_mut().as_deref_mut() {
                found.insert(key, value);
            }
            // The last answer has the only handle left.
            if let Some(gathered) = Rc::into_inner(gathered)
                && let (found, Some(then)) = gathered.into_inner()
            {
                then(core, cx, found);
            }
        });
    }
}

/// The log of a job that is there and that `peer` may read. Comes first: errors of other
/// keys are not shown to a user who may not read them.
fn log_of(cx: &Cx<JobInfo>, found: &Found, peer: &Peer) -> Result<String, Refusal> {
    let log = text_of(found, "eventlog")?;
    let log = log.ok_or_else(|| JobInfoError::InvalidId.refusal())?;
    core::admit(cx, &log, peer)?;
    Ok(log)
}

fn text_of(found: &Found, key: &str) -> Result<Option<String>, Refusal> {
    found.get(key).cloned().unwrap_or(Ok(None))
}

fn value(key: &str, flags: u32, found: &Found, log: &str) -> Result<Value, Refusal> {
    let text = text_of(found, key)?;
    let Some(updated) = Updated::of(key).filter(|_| flags != 0) else {
        let missing = || JobInfoError::KeyNotFound(key.to_owned()).refusal();
        return text.map(Value::String).ok_or_else(missing);
    };
    let mut object = parse_object(key, text)?;
    if flags & CURRENT != 0 {
        updated.apply_all(&mut object, log);
    }
    let object = Value::Object(object);
    Ok(match flags & JSON_DECODE {
        0 => Value::String(object.to_string()),
        _ => object,
    })
}
