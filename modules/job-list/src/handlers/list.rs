//! `job-list.list`: jobs are looked for and written slice by slice, so that a long list does not
//! keep others waiting, nor lie in memory as a whole.

use bytes::Bytes;
use job_fold::Job;
use node::{Cx, Peer, Stream};
use proto::data::shape::{mismatch, not_found};
use proto::job_list::{List, ListError};
use proto::{Coded as _, Refusal};
use serde_json::{Value, json};

use super::{has_room, when_initialized};
use crate::JobList;
use crate::attrs::Attrs;
use crate::limits::{CHUNK_JOBS_MAX, LIST_SLICE_JOBS, NEXT_TURN, PAGE_BYTES_USUAL};
use crate::query;
use crate::scan::{Cursor, Scan, Turn, Wanted};

/// A request, checked.
struct Checked {
    wanted: Wanted,
    attrs: Vec<Value>,
    chunk: usize,
    after: Option<Cursor>,
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
    when_initialized(core, cx, move |core, cx| {
        let only_of = cx.is_private_to(&from).then_some(from);
        match check(core, request, only_of) {
            Ok(checked) => Listing::new(core, checked, stream).go_on(core, cx),
            Err(error) => stream.end(cx, Err(error.refusal())),
        }
    });
}

/// A list that is being written.
struct Listing {
    scan: Scan,
    /// Names are only checked when there is something to show.
    attrs: Result<Attrs, ListError>,
    chunk: usize,
    is_paged: bool,
    page: Page,
    stream: Stream<List>,
}

impl Listing {
    fn new(core: &JobList, checked: Checked, stream: Stream<List>) -> Listing {
        Listing {
            scan: Scan::new(checked.wanted, core.settings.comparisons, checked.after),
            attrs: Attrs::new(&checked.attrs),
            chunk: match stream.is_streaming() {
                true => checked.chunk,
                false => usize::MAX,
            },
            is_paged: checked.after.is_some(),
            page: Page::new(stream.is_streaming()),
            stream,
        }
    }

    /// Writes a slice, and the next one when others have had their turn. Jobs that went
    /// in between are left out.
    fn go_on(mut self, core: &JobList, cx: &mut Cx<JobList>) {
        let room = match self.stream.is_streaming() {
            true => LIST_SLICE_JOBS.max(self.chunk),
            false => LIST_SLICE_JOBS,
        };
        let (attrs, chunk) = (&self.attrs, self.chunk);
        let (page, stream) = (&mut self.page, &mut self.stream);
        let mut emit = |job: &Job| {
            let attrs = attrs.as_ref().map_err(ListError::clone)?;
            if page.jobs >= chunk {
                stream.send_bytes(cx, page.take(""));
            }
            page.push(job, attrs);
            Ok(())
        };
        let (cursor, result) = match self.scan.slice(&core.table, room, &mut emit) {
            Ok(Turn::More) => return self.later(cx),
            Ok(Turn::Done) => (None, Ok(())),
            Ok(Turn::Full(cursor)) => (Some(cursor).filter(|_| self.is_paged), Ok(())),
            Err(error) => (None, Err(error.refusal())),
        };
        self.end(cx, cursor, result);
    }

    fn later(mut self, cx: &mut Cx<JobList>) {
        // Written rows are sent, except those of a single answer.
        if self.page.jobs > 0 && self.stream.is_streaming() {
            self.stream.send_bytes(cx, self.page.take(""));
        }
        // The jobs may be read again meanwhile: then the rest waits for all of them.
        cx.timer(NEXT_TURN, move |core: &mut JobList, cx| {
            when_initialized(core, cx, move |core, cx| self.go_on(core, cx));
        });
    }

    fn end(mut self, cx: &mut Cx<JobList>, cursor: Option<Cursor>, result: Result<(), Refusal>) {
        let cursor = cursor.map(|cursor| format!(",\"cursor\":\"{}\"", cursor.encode()));
        let tail = cursor.unwrap_or_default();
        let is_one = !self.stream.is_streaming() && result.is_ok();
        if self.page.jobs > 0 && self.stream.is_streaming() || is_one {
            self.stream.send_bytes(cx, self.page.take(&tail));
        }
        self.stream.end(cx, result);
    }
}

/// Jobs of one response.
pub struct Page {
    out: Vec<u8>,
    /// Number of jobs.
    pub jobs: usize,
    with_version: bool,
}

impl Page {
    /// The first one, which has the version in a stream.
    pub fn new(with_version: bool) -> Page {
        Page {
            out: Vec::new(),
            jobs: 0,
            with_version,
        }
    }

    /// Adds a job.
    pub fn push(&mut self, job: &Job, attrs: &Attrs) {
        if self.jobs == 0 {
            self.out.reserve(PAGE_BYTES_USUAL);
        }
        self.out.extend_from_slice(match self.jobs {
            0 => b"{\"jobs\":[",
            _ => b",",
        });
        attrs.write(job, &mut self.out);
        self.jobs += 1;
    }

    /// `{"jobs":[...]}`, with more keys after them; then it is empty.
    pub fn take(&mut self, tail: &str) -> Bytes {
        let mut out = std::mem::take(&mut self.out);
        if std::mem::take(&mut self.jobs) == 0 {
            out.extend_from_slice(b"{\"jobs\":[");
        }
        out.push(b']');
        if std::mem::take(&mut self.with_version) {
            out.extend_from_slice(b",\"version\":1");
        }
        out.extend_from_slice(tail.as_bytes());
        out.extend_from_slice(b"}\0");
        out.into()
    }
}

fn check(core: &JobList, mut request: List, only_of: Option<Peer>) -> Result<Checked, ListError> {
    let bad = |text: &str| ListError::Payload(text.to_owned());
    let max_entries = integer(request.max_entries.as_ref(), "max_entries")?;
    if max_entries < 0 {
        return Err(bad("max_entries < 0 not allowed"));
    }
    let attrs = attr_names(request.attrs.take())?;
    let since = match &request.since {
        None => 0.0,
        Some(value) => value
            .as_f64()
            .ok_or_else(|| bad(&mismatch("real", value)))?,
    };
    if since < 0.0 {
        return Err(bad("since < 0.0 not allowed"));
    }
    let after = match &request.after {
        None => None,
        Some(text) => Some(Cursor::decode(text).ok_or_else(|| bad("after is not a cursor"))?),
    };
    let constraint = constraint(&mut request);
    let query = query::parse(&constraint, &core.settings.instance);
    let wanted = Wanted {
        max_entries: match max_entries {
            0 => usize::MAX,
            n => usize::try_from(n).unwrap_or(usize::MAX),
        },
        since,
        query: query.map_err(ListError::Constraint)?,
        only_of,
    };
    let chunk = request.chunk.unwrap_or(1).clamp(1, CHUNK_JOBS_MAX);
    Ok(Checked {
        wanted,
        attrs,
        chunk: chunk as usize,
        after,
    })
}

/// The constraint, or the meaning of the keys of the older form of a request.
fn constraint(request: &mut List) -> Value {
    if let Some(constraint) = request.constraint.take() {
        return constraint;
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
