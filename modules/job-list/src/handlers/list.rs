//! `job-list.list`: which jobs is decided at once; they are written slice by slice, so
//! that a long list does not keep others waiting, nor lie in memory as a whole.

use bytes::Bytes;
use node::{Cx, Peer, Stream};
use proto::data::shape::{mismatch, not_found};
use proto::job_list::{List, ListError};
use proto::{Coded as _, Refusal};
use serde_json::{Value, json};

use super::{has_room, when_initialized};
use crate::JobList;
use crate::attrs::Attrs;
use crate::job::{self, Job};
use crate::limits::{CHUNK_JOBS_MAX, LIST_SLICE_JOBS};
use crate::query::{self, Query, TooMany, Walk};

/// A request, checked.
struct Wanted {
    max_entries: usize,
    attrs: Vec<Value>,
    since: f64,
    query: Query,
    chunk: usize,
}

pub fn list(
    core: &mut JobList,
    cx: &mut Cx<JobList>,
    from: &Peer,
    request: List,
    stream: Stream<List>,
) {
    if !has_room(core) {
        return stream.end(cx, Err(ListError::TooManyWaits.refusal()));
    }
    let from = from.clone();
    when_initialized(core, cx, move |core, cx| match check(core, request) {
        Ok(wanted) => answer(core, cx, &from, &wanted, stream),
        Err(error) => stream.end(cx, Err(error.refusal())),
    });
}

fn answer(
    core: &JobList,
    cx: &mut Cx<JobList>,
    from: &Peer,
    wanted: &Wanted,
    mut stream: Stream<List>,
) {
    let only_of = cx.is_private_to(from).then_some(from);
    let (ids, result) = select(core, only_of, wanted);
    // Names are only checked when there is something to show.
    let attrs = match ids.is_empty() {
        true => Ok(None),
        false => Attrs::new(&wanted.attrs).map(Some),
    };
    let attrs = match attrs {
        Ok(attrs) => attrs,
        Err(error) => return stream.end(cx, Err(error.refusal())),
    };
    if !stream.is_streaming() {
        return match result {
            Ok(()) => {
                let jobs = ids.iter().filter_map(|id| core.table.get(*id));
                let payload = payload(jobs, attrs.as_ref(), false);
                stream.send_bytes(cx, payload);
            }
            Err(refusal) => stream.end(cx, Err(refusal)),
        };
    }
    let Some(attrs) = attrs else {
        return stream.end(cx, result);
    };
    let listing = Listing {
        ids,
        at: 0,
        attrs,
        chunk: wanted.chunk,
        result,
        stream,
    };
    listing.go_on(core, cx);
}

/// The jobs that match, in order, up to the number wanted or to the end of the budget.
/// Those that are not shown do not count for that: it would tell of them.
fn select(
    core: &JobList,
    only_of: Option<&Peer>,
    wanted: &Wanted,
) -> (Vec<u64>, Result<(), Refusal>) {
    let mut walk = Walk::new(core.settings.comparisons);
    let mut ids = Vec::new();
    let lists = query::lists(&wanted.query);
    for list in [job::List::Pending, job::List::Running, job::List::Inactive] {
        if lists & query::list_bit(list) == 0 {
            continue;
        }
        for job in core.table.list(list) {
            if ids.len() >= wanted.max_entries {
                return (ids, Ok(()));
            }
            if list == job::List::Inactive && job.times.inactive <= wanted.since {
                break;
            }
            if only_of.is_some_and(|peer| !peer.may_act_for(job.userid)) {
                continue;
            }
            match walk.matches(&wanted.query, job) {
                Ok(true) => ids.push(job.id),
                Ok(false) => {}
                Err(TooMany) => return (ids, Err(ListError::TooManyComparisons.refusal())),
            }
        }
    }
    (ids, Ok(()))
}

/// A stream that is being written.
struct Listing {
    ids: Vec<u64>,
    at: usize,
    attrs: Attrs,
    chunk: usize,
    result: Result<(), Refusal>,
    stream: Stream<List>,
}

impl Listing {
    /// Writes a slice, and the next one when others have had their turn. Jobs that went
    /// in between are left out.
    fn go_on(mut self, core: &JobList, cx: &mut Cx<JobList>) {
        let end = self
            .ids
            .len()
            .min(self.at + LIST_SLICE_JOBS.max(self.chunk));
        while self.at < end {
            let next = end.min(self.at + self.chunk);
            let ids = &self.ids[self.at..next];
            let jobs = ids.iter().filter_map(|id| core.table.get(*id));
            let payload = payload(jobs, Some(&self.attrs), self.at == 0);
            self.stream.send_bytes(cx, payload);
            self.at = next;
        }
        if self.at >= self.ids.len() {
            return self.stream.end(cx, self.result);
        }
        let next = std::time::Duration::ZERO;
        // The jobs may be read again meanwhile: then the rest waits for all of them.
        cx.timer(next, move |core: &mut JobList, cx| {
            when_initialized(core, cx, move |core, cx| self.go_on(core, cx));
        });
    }
}

/// `{"jobs":[...]}`, with the version in the first response of a stream.
fn payload<'a>(
    jobs: impl Iterator<Item = &'a Job>,
    attrs: Option<&Attrs>,
    with_version: bool,
) -> Bytes {
    let mut out = b"{\"jobs\":[".to_vec();
    for (n, job) in jobs.enumerate() {
        if n > 0 {
            out.push(b',');
        }
        if let Some(attrs) = attrs {
            attrs.write(job, &mut out);
        }
    }
    out.push(b']');
    if with_version {
        out.extend_from_slice(b",\"version\":1");
    }
    out.extend_from_slice(b"}\0");
    out.into()
}

fn check(core: &JobList, request: List) -> Result<Wanted, ListError> {
    let bad = |text: &str| ListError::Payload(text.to_owned());
    let max_entries = integer(request.max_entries.as_ref(), "max_entries")?;
    if max_entries < 0 {
        return Err(bad("max_entries < 0 not allowed"));
    }
    let attrs = attr_names(request.attrs.clone())?;
    let since = match &request.since {
        None => 0.0,
        Some(value) => value
            .as_f64()
            .ok_or_else(|| bad(&mismatch("real", value)))?,
    };
    if since < 0.0 {
        return Err(bad("since < 0.0 not allowed"));
    }
    let constraint = constraint(&request);
    let query = query::parse(&constraint, &core.settings.instance);
    let chunk = request.chunk.unwrap_or(1).clamp(1, CHUNK_JOBS_MAX);
    Ok(Wanted {
        max_entries: match max_entries {
            0 => usize::MAX,
            n => usize::try_from(n).unwrap_or(usize::MAX),
        },
        attrs,
        since,
        query: query.map_err(ListError::Constraint)?,
        chunk: chunk as usize,
    })
}

/// The constraint, or what the older form of a request means by its keys.
fn constraint(request: &List) -> Value {
    if let Some(constraint) = &request.constraint {
        return constraint.clone();
    }
    let (Some(userid), Some(states), Some(results)) =
        (&request.userid, &request.states, &request.results)
    else {
        return Value::Null;
    };
    let mut all = vec![json!({ "userid": [userid] })];
    // 0 stood for any.
    if states.as_i64() != Some(0) {
        all.push(json!({ "states": [states] }));
    }
    if results.as_i64() != Some(0) {
        let over = json!({ "results": [results] });
        let not_over = json!({ "not": [{ "states": [64] }] });
        all.push(json!({ "or": [not_over, over] }));
    }
    for (key, value) in [("name", &request.name), ("queue", &request.queue)] {
        if let Some(value) = value {
            all.push(json!({ key: [value] }));
        }
    }
    json!({ "and": all })
}

/// The names in `attrs`.
pub fn attr_names(attrs: Option<Value>) -> Result<Vec<Value>, ListError> {
    match attrs {
        None => Err(missing("attrs")),
        Some(Value::Array(names)) => Ok(names),
        Some(_) => Err(ListError::Payload("attrs must be an array".to_owned())),
    }
}

/// A required integer.
pub fn integer(value: Option<&Value>, key: &str) -> Result<i64, ListError> {
    let value = value.ok_or_else(|| missing(key))?;
    value
        .as_i64()
        .ok_or_else(|| ListError::Payload(mismatch("integer", value)))
}

/// The refusal of a request without `key`.
pub fn missing(key: &str) -> ListError {
    ListError::Payload(not_found(key))
}
