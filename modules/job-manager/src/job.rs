//! One job: what its log says ([`Life`]), the log itself, its jobspec and R, and where its
//! requests to others are. An inactive job is packed into the one record that the journal
//! sends of it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::rc::Rc;

use bytes::Bytes;
use proto::RawJson;
use proto::data::{Entry, JobId, dotted};
use proto::job_manager::JobEvent;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::state::{AllocAsk, ExecAsk, Life, Refused};

/// An active job.
#[derive(Debug)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What its log says.
    pub life: Life,
    /// Its log, each line with its newline.
    pub log: String,
    /// Without the environment and with all updates applied.
    pub jobspec: Rc<RawJson>,
    /// Without `scheduling` and with all updates applied, once it has resources.
    pub r: Option<Rc<RawJson>>,
    /// Notes of the scheduler and of users.
    pub annotations: Map<String, Value>,
    /// Its request to the scheduler.
    pub alloc: AllocAsk,
    /// Its request to the execution service.
    pub exec: ExecAsk,
    /// The commit that must be stored before the job takes a step that others see.
    pub hold: u64,
    /// When we came to know of it, in the journal's count.
    pub since: u64,
}

impl Job {
    /// A job without requests to others.
    pub fn new(
        id: JobId,
        life: Life,
        log: String,
        jobspec: Rc<RawJson>,
        r: Option<Rc<RawJson>>,
    ) -> Job {
        Job {
            id,
            life,
            log,
            jobspec,
            r,
            annotations: Map::new(),
            alloc: AllocAsk::None,
            exec: ExecAsk::Never,
            hold: 0,
            since: 0,
        }
    }

    /// Folds an event in, its line into the log. A refusal changes nothing.
    pub fn apply(&mut self, event: &JobEvent, entry: &Entry, line: &str) -> Result<(), Refused> {
        self.life.apply(event, entry.timestamp())?;
        if event.is_stored() {
            self.log.push_str(line);
        }
        match event {
            JobEvent::Memo(memo) => {
                let memo = Map::from_iter([("user".to_owned(), Value::Object(memo.clone()))]);
                dotted::merge(&mut self.annotations, &memo);
            }
            JobEvent::Annotations(all) => self.annotations = all.clone().unwrap_or_default(),
            JobEvent::Alloc {
                annotations: Some(all),
                ..
            } => self.annotations = all.clone(),
            JobEvent::JobspecUpdate(update) => self.update_jobspec(update),
            JobEvent::ResourceUpdate { expiration } => self.update_expiration(*expiration),
            _ => {}
        }
        Ok(())
    }

    fn update_jobspec(&mut self, update: &Map<String, Value>) {
        let Ok(mut jobspec) = self.jobspec.parse::<Map<String, Value>>() else {
            return;
        };
        for (path, value) in update {
            if let Err(error) = dotted::set(&mut jobspec, path, value.clone()) {
                tracing::error!("job={} jobspec-update {path}: {error}", self.id);
            }
        }
        if let Ok(jobspec) = RawJson::of(&jobspec) {
            self.jobspec = Rc::new(jobspec);
        }
    }

    fn update_expiration(&mut self, expiration: f64) {
        let parsed = self
            .r
            .as_ref()
            .and_then(|r| r.parse::<Map<String, Value>>().ok());
        let Some(mut r) = parsed else { return };
        let set = dotted::set(&mut r, "execution.expiration", expiration.into());
        if let (Ok(()), Ok(r)) = (set, RawJson::of(&r)) {
            self.r = Some(Rc::new(r));
        }
    }

    /// All notes, `None` when there are none.
    pub fn notes(&self) -> Option<Map<String, Value>> {
        (!self.annotations.is_empty()).then(|| self.annotations.clone())
    }

    /// The job as one record of the journal, with only the lines that `keep` lets through.
    pub fn record(&self, keep: impl Fn(&str) -> bool) -> Bytes {
        let record = Record {
            log: &self.log,
            jobspec: Some(self.jobspec.as_str()),
            r: self.r.as_ref().map(|r| r.as_str()),
        };
        record.encode(self.id, keep).0
    }
}

/// The parts of a journal record.
struct Record<'a> {
    log: &'a str,
    jobspec: Option<&'a str>,
    r: Option<&'a str>,
}

/// Where the parts of an encoded record are.
#[derive(Debug, Clone, Copy)]
struct Offsets {
    /// The `[` of the events.
    events: u32,
    /// Behind their `]`.
    events_end: u32,
    /// Behind the jobspec.
    jobspec_end: u32,
}

const JOBSPEC: &str = r#","jobspec":"#;
const R: &str = r#","R":"#;
const END: &str = "}\0";

impl Record<'_> {
    fn encode(&self, id: JobId, keep: impl Fn(&str) -> bool) -> (Bytes, Offsets) {
        let parts = [Some(self.log), self.jobspec, self.r];
        let bytes: usize = parts.iter().flatten().map(|part| part.len()).sum();
        let mut text = String::with_capacity(bytes + 60);
        // Writing to a String cannot fail.
        let _ = write!(text, r#"{{"id":{},"events":"#, id.0 as i64);
        let events = text.len() as u32;
        text.push('[');
        let mut is_first = true;
        for line in self.log.lines().filter(|line| keep(line)) {
            if !std::mem::take(&mut is_first) {
                text.push(',');
            }
            text.push_str(line);
        }
        text.push(']');
        let events_end = text.len() as u32;
        if let Some(jobspec) = self.jobspec {
            text.push_str(JOBSPEC);
            text.push_str(jobspec);
        }
        let jobspec_end = text.len() as u32;
        if let Some(r) = self.r {
            text.push_str(R);
            text.push_str(r);
        }
        text.push_str(END);
        text.shrink_to_fit();
        (
            text.into(),
            Offsets {
                events,
                events_end,
                jobspec_end,
            },
        )
    }
}

/// A live record: one event, with what belongs to it.
pub fn live_record(id: JobId, line: &str, jobspec: Option<&RawJson>, r: Option<&RawJson>) -> Bytes {
    let record = Record {
        log: line,
        jobspec: jobspec.map(RawJson::as_str),
        r: r.map(RawJson::as_str),
    };
    record.encode(id, |_| true).0
}

/// The name in one line of a log.
pub fn name_of(line: &str) -> Cow<'_, str> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
    }
    serde_json::from_str(line).map_or(Cow::Borrowed(""), |named: Named<'_>| named.name)
}

/// An inactive job.
#[derive(Debug)]
pub struct Packed {
    /// The whole job as the journal sends it: log, jobspec, R.
    record: Bytes,
    offsets: Offsets,
    /// User id of its submitter.
    pub userid: u32,
    /// When it became inactive, in seconds since the epoch.
    pub t_clean: f64,
    /// When we came to know of the job, in the journal's count.
    pub since: u64,
    /// When we came to know that it is inactive, in the journal's count.
    pub ended: u64,
}

impl Packed {
    /// Packs a job.
    pub fn of(job: &Job, since: u64, ended: u64) -> Packed {
        let record = Record {
            log: &job.log,
            jobspec: Some(job.jobspec.as_str()),
            r: job.r.as_ref().map(|r| r.as_str()),
        };
        let (record, offsets) = record.encode(job.id, |_| true);
        Packed {
            record,
            offsets,
            userid: job.life.userid,
            t_clean: job.life.t_clean,
            since,
            ended,
        }
    }

    /// As the journal sends it, shared.
    pub fn record(&self) -> Bytes {
        self.record.clone()
    }

    /// The same with only the lines that `keep` lets through.
    pub fn filtered(&self, id: JobId, keep: impl Fn(&str) -> bool) -> Bytes {
        let events: Vec<&RawValue> = serde_json::from_str(self.events()).unwrap_or_default();
        let mut log = String::with_capacity(self.record.len());
        for event in events {
            log.push_str(event.get());
            log.push('\n');
        }
        let record = Record {
            log: &log,
            jobspec: Some(self.jobspec()),
            r: self.r(),
        };
        record.encode(id, keep).0
    }

    /// Its events as a JSON array.
    pub fn events(&self) -> &str {
        self.text(
            self.offsets.events as usize,
            self.offsets.events_end as usize,
        )
    }

    /// Its jobspec.
    pub fn jobspec(&self) -> &str {
        let start = self.offsets.events_end as usize + JOBSPEC.len();
        self.text(start, self.offsets.jobspec_end as usize)
    }

    /// Its resources, if it had any.
    pub fn r(&self) -> Option<&str> {
        let start = self.offsets.jobspec_end as usize;
        let end = self.record.len() - END.len();
        (start < end).then(|| self.text(start + R.len(), end))
    }

    fn text(&self, start: usize, end: usize) -> &str {
        // Made from texts in `encode`, and cut where one ends and the next begins.
        std::str::from_utf8(&self.record[start..end]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proto::Payload;
    use proto::data::job::{SubmitFlags, Urgency};
    use proto::job_manager::JournalRecord;
    use serde_json::json;

    use super::*;

    const SUBMIT: &str = r#"{"timestamp":1.0,"name":"submit","context":{"x":"},{\"name\":"}}"#;
    const VALIDATE: &str = r#"{"timestamp":2.0,"name":"validate"}"#;

    fn job(r: Option<&str>) -> Job {
        let submit = JobEvent::Submit {
            userid: 100,
            urgency: Urgency::DEFAULT,
            flags: SubmitFlags::NONE,
            version: Some(1),
        };
        let jobspec = r#"{"attributes":{"system":{"duration":1}},"version":1}"#;
        Job::new(
            JobId(7),
            Life::begin(&submit, 1.0).unwrap(),
            format!("{SUBMIT}\n{VALIDATE}\n"),
            Rc::new(RawJson::new(jobspec).unwrap()),
            r.map(|r| Rc::new(RawJson::new(r).unwrap())),
        )
    }

    fn update(job: &mut Job, event: JobEvent) {
        let entry = event.entry(3.0).unwrap();
        job.life.state = proto::data::job::State::Run;
        job.apply(&event, &entry, &entry.encode()).unwrap();
    }

    #[test]
    fn a_packed_job_is_the_record_that_the_journal_sends() {
        for r in [None, Some(r#"{"version":1}"#)] {
            let job = job(r);
            let packed = Packed::of(&job, 0, 1);
            assert_eq!(packed.record(), job.record(|_| true));
            let record = JournalRecord::decode(Some(&packed.record())).unwrap();
            assert_eq!((record.id, record.events.len()), (JobId(7), 2));
            assert_eq!(packed.events(), format!("[{SUBMIT},{VALIDATE}]"));
            assert_eq!(packed.jobspec(), job.jobspec.as_str());
            assert_eq!(packed.r(), r);
        }
    }

    #[test]
    fn a_filter_works_on_whole_events() {
        let job = job(None);
        let keep = |line: &str| name_of(line) == "validate";
        let filtered = Packed::of(&job, 0, 1).filtered(JobId(7), keep);
        assert_eq!(filtered, job.record(keep));
        let record = JournalRecord::decode(Some(&filtered)).unwrap();
        assert_eq!(record.events[0].name(), "validate");
        assert_eq!(record.events.len(), 1);
    }

    #[test]
    fn updates_change_jobspec_and_r() {
        let mut job = job(Some(r#"{"execution":{"expiration":0.0}}"#));
        let path = "attributes.system.duration".to_owned();
        update(
            &mut job,
            JobEvent::JobspecUpdate(Map::from_iter([(path, json!(60))])),
        );
        update(&mut job, JobEvent::ResourceUpdate { expiration: 5.0 });
        let jobspec = r#"{"attributes":{"system":{"duration":60}},"version":1}"#;
        assert_eq!(job.jobspec.as_str(), jobspec);
        assert_eq!(
            job.r.unwrap().as_str(),
            r#"{"execution":{"expiration":5.0}}"#
        );
    }

    #[test]
    fn notes_merge_and_go_away() {
        let mut job = job(None);
        let memo = |value: Value| JobEvent::Memo(value.as_object().unwrap().clone());
        update(&mut job, memo(json!({"a": 1, "b": 2})));
        update(&mut job, memo(json!({"a": null})));
        assert_eq!(Value::from(job.notes().unwrap()), json!({"user": {"b": 2}}));
        update(&mut job, memo(json!({"b": null})));
        assert_eq!(job.notes(), None);
        assert_eq!(job.log.lines().count(), 5);
    }
}
