//! One job from its keys: its log is folded, and must fit.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use proto::data::eventlog::split_log;
use proto::data::{Entry, JobId};
use proto::job_manager::JobEvent;
use proto::{RawJson, Refusal};

use crate::alloc::without_scheduling;
use crate::job::Job;
use crate::policy::outstanding;
use crate::state::{ExecAsk, Life};

/// The keys of a job that are read.
pub const KEYS: [&str; 3] = ["eventlog", "jobspec", "R"];

/// The keys of a job that were read so far.
#[derive(Default)]
pub struct Fetched {
    /// Values found.
    pub values: BTreeMap<&'static str, Bytes>,
    /// Number of missing keys.
    pub missing: usize,
    /// Error of a key that could not be read.
    pub broken: Option<Refusal>,
}

impl Fetched {
    /// True if there is nothing more to wait for.
    pub fn is_complete(&self) -> bool {
        self.values.len() + self.missing == KEYS.len() || self.broken.is_some()
    }

    /// The job, `None` if it was submitted and not taken: its submitter received no id.
    pub fn job(&self, id: JobId) -> Option<Result<Job, String>> {
        match (&self.broken, self.values.get("eventlog")) {
            (Some(error), _) => Some(Err(error.to_string())),
            (None, None) => None,
            (None, Some(log)) => Some(read_job(id, log, &self.values)),
        }
    }
}

/// Makes a job from its keys in the KVS, or returns the error.
fn read_job(id: JobId, log: &Bytes, values: &BTreeMap<&str, Bytes>) -> Result<Job, String> {
    let text = |name: &str| -> Option<RawJson> {
        let text = std::str::from_utf8(values.get(name)?).ok()?;
        RawJson::new(text).ok()
    };
    let jobspec = text("jobspec").ok_or("jobspec is missing or malformed")?;
    let r = text("R").map(|r| without_scheduling(&Rc::new(r)));
    let mut lines = split_log(log).map_err(|error| error.to_string())?;
    let (entry, event) = read_line(lines.next().ok_or("eventlog is empty")?)?;
    let life = Life::begin(&event, entry.timestamp()).ok_or("eventlog begins without submit")?;
    let first = entry.encode();
    let mut job = Job::new(id, life, first, Rc::new(jobspec), None);
    for line in lines {
        let (entry, event) = read_line(line)?;
        if let JobEvent::Alloc { bypass, .. } = &event {
            job.r = r.clone();
            if job.r.is_none() && !bypass {
                return Err("R is missing or malformed".to_owned());
            }
        }
        job.apply(&event, &entry, line)
            .map_err(|refused| refused.to_string())?;
    }
    let waits_for_prolog = outstanding(&job).iter().any(|(is_prolog, _)| *is_prolog);
    if job.life.has_resources && !job.life.exec_done && !waits_for_prolog {
        // It may have been sent to run, and its shells may be alive.
        job.exec = ExecAsk::Lost;
    }
    Ok(job)
}

fn read_line(line: &str) -> Result<(Entry, JobEvent), String> {
    let entry = Entry::decode(line).map_err(|error| error.to_string())?;
    let event = JobEvent::of(&entry).map_err(|error| error.to_string())?;
    Ok((entry, event))
}
