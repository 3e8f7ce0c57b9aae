//! An inactive job as a row, and back.

use proto::data::job::{Asked, Given, Raised, Row, State};

use crate::fold::Folder;
use crate::job::{Extra, Job, Times};
use crate::parts::Parts;
use crate::record::{Record, RecordId};

/// The row of an inactive job, from its whole record; `None` when the record does not say
/// that it is inactive.
pub fn row_of(folder: &mut Folder, record: &[u8]) -> Option<Vec<u8>> {
    let record = Record::decode(record).ok()?;
    let RecordId::Job(id) = record.id else {
        return None;
    };
    let mut job = Job::new(id);
    folder.apply_record(&mut job, &record);
    encode(&job)
}

fn encode(job: &Job) -> Option<Vec<u8>> {
    let dependencies = job.dependencies().map(json_of);
    let nothing;
    let asked = match &job.asked {
        Some(asked) => asked,
        None => {
            nothing = Asked::default().encode();
            &nothing[..]
        }
    };
    let row = Row {
        id: job.id,
        userid: job.userid,
        urgency: job.urgency,
        priority: job.priority,
        states_mask: job.states_mask,
        result: job.result?,
        waitstatus: job.waitstatus,
        times: job.times.all(),
        expiration: job.expiration,
        asked,
        given: job.given.as_deref(),
        raised: job.raised.as_deref(),
        annotations: job.annotations(),
        dependencies: dependencies.as_deref(),
    };
    Some(row.encode())
}

fn json_of(texts: &[Box<str>]) -> String {
    // Texts always have a JSON form.
    serde_json::to_string(texts).unwrap_or_else(|_| "[]".to_owned())
}

/// The job of a row; `None` for other data.
pub fn job_of(parts: &mut Parts, row: &[u8]) -> Option<Job> {
    let row = Row::decode(row)?;
    // Once looked at, a part is read wherever it is listed.
    Asked::decode(row.asked)?;
    let given = match row.given {
        Some(given) => Given::decode(given).map(|_| Some(given))?,
        None => None,
    };
    let raised = match row.raised {
        Some(raised) => Raised::decode(raised).map(|_| Some(raised))?,
        None => None,
    };
    let dependencies = match row.dependencies {
        Some(texts) => Some(serde_json::from_str(texts).ok()?),
        None => None,
    };
    let extra = Extra {
        annotations: row.annotations.map(Into::into),
        dependencies,
        jobspec: None,
    };
    Some(Job {
        id: row.id,
        userid: row.userid,
        priority: row.priority,
        times: Times::of(row.times),
        expiration: row.expiration,
        asked: Some(parts.get(row.asked)),
        given: given.map(|part| parts.get(part)),
        raised: raised.map(|part| parts.get(part)),
        extra: (!extra.is_empty()).then(|| Box::new(extra)),
        waitstatus: row.waitstatus,
        urgency: row.urgency,
        state: State::Inactive,
        states_mask: row.states_mask,
        result: Some(row.result),
    })
}
