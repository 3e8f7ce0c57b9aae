//! Asking job-list for jobs.

use bytes::Bytes;
use client::{Call, Handle, Pending};
use proto::data::JobId;
use proto::data::job::State;
use proto::job_list::{List, ListId};
use proto::{Errno, Method as _, Payload as _, Refusal};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::limits::{LISTED_CHUNK_JOBS, REQUESTS_IN_FLIGHT_MAX};
use command::error::CliError;

/// Query of job-list.
pub struct Listing {
    /// Names of the attributes wanted.
    pub attrs: Value,
    /// Constraint on the jobs.
    pub constraint: Value,
    /// Inactive ones only if they ended after this.
    pub since: Option<f64>,
    /// At most N; 0 for all.
    pub count: u64,
}

/// Jobs in the form of job-list.
pub struct Listed<J> {
    /// The jobs.
    pub jobs: Vec<J>,
    /// There are more than were asked for.
    pub is_cut: bool,
}

/// Some jobs; only the attributes that were asked for are read.
#[derive(Deserialize)]
struct Chunk<J> {
    jobs: Vec<J>,
}

#[derive(Deserialize)]
struct One<J> {
    job: J,
}

impl Listing {
    /// The jobs that are meant.
    pub fn ask<J: DeserializeOwned>(&self, handle: &mut Handle) -> Result<Listed<J>, CliError> {
        let max = match self.count {
            0 => 0,
            // One more tells whether there are more.
            count => count.saturating_add(1),
        };
        let request = List {
            max_entries: Some(json!(max)),
            attrs: Some(self.attrs.clone()),
            since: self.since.map(Value::from),
            constraint: Some(self.constraint.clone()),
            chunk: Some(LISTED_CHUNK_JOBS),
            ..List::default()
        };
        let call = Call::raw(List::TOPIC).payload(request.encode());
        let (mut jobs, mut repeats) = (Vec::new(), 0);
        let mut stream = handle.stream(call.repeating());
        while let Some(message) = stream.next() {
            let chunk: Chunk<J> = read(message?.payload())?;
            if stream.repeats() != repeats {
                // The list has begun again.
                repeats = stream.repeats();
                jobs.clear();
            }
            jobs.extend(chunk.jobs);
        }
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        let is_cut = count > 0 && jobs.len() > count;
        if is_cut {
            jobs.truncate(count);
        }
        Ok(Listed { jobs, is_cut })
    }

    /// Asks for each job by its id, many at a time. `None` for those that are not known.
    pub fn ask_ids<J: DeserializeOwned>(
        &self,
        handle: &mut Handle,
        ids: &[JobId],
    ) -> Result<Vec<Option<J>>, CliError> {
        ask_each(handle, ids, &self.attrs, None)
    }
}

/// Returns when each of the jobs is inactive or purged.
pub fn wait_inactive(handle: &mut Handle, ids: &[JobId]) -> Result<(), CliError> {
    #[derive(Deserialize)]
    struct Any {}
    ask_each::<Any>(handle, ids, &json!([]), Some(State::Inactive))?;
    Ok(())
}

fn ask_each<J: DeserializeOwned>(
    handle: &mut Handle,
    ids: &[JobId],
    attrs: &Value,
    state: Option<State>,
) -> Result<Vec<Option<J>>, CliError> {
    let mut jobs = Vec::with_capacity(ids.len());
    for ids in ids.chunks(REQUESTS_IN_FLIGHT_MAX) {
        let ask = |id: &JobId| -> Pending<_> {
            let request = ListId {
                id: Some(json!(id.get())),
                attrs: Some(attrs.clone()),
                state: state.map(|state| json!(state.bit())),
            };
            handle.start(Call::raw(ListId::TOPIC).payload(request.encode()))
        };
        for pending in ids.iter().map(ask).collect::<Vec<_>>() {
            jobs.push(match handle.wait(pending) {
                Ok(message) => Some(read::<One<J>>(message.payload())?.job),
                Err(refusal) if refusal.errno == Errno::ENOENT => None,
                Err(refusal) => return Err(refusal.into()),
            });
        }
    }
    Ok(jobs)
}

/// Decodes a response of job-list.
pub fn read<'a, T: Deserialize<'a>>(payload: Option<&'a Bytes>) -> Result<T, CliError> {
    proto::payload::decode_json(payload).map_err(|bad| {
        let text = format!("job-list: malformed response: {bad}");
        Refusal::new(Errno::EPROTO, text).into()
    })
}
