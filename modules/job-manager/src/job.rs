//! One job: its state from the log ([`Life`]), the log itself, its jobspec and R, and its
//! pending requests to others. An inactive job is packed into the one record that the
//! journal sends of it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt::Write as _;
use std::rc::Rc;

use bytes::Bytes;
use job_fold::{Folder, row_of};
use proto::data::job::State;
use proto::data::{Entry, JobId, Stamps, dotted};
use proto::job_manager::JobEvent;
use proto::{RawJson, job_policy};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::joblog::{Blob, Row};
use crate::limits::JOB_LOG_BYTES_MAX;
use crate::policy::after::Outcome;
use crate::queue::QueueId;
use crate::row;
use crate::state::{AllocAsk, ExecAsk, Life, Refused};
use crate::texts::Texts;

/// [`Job::hold`] of a job that is not accepted: nothing of it is stored.
pub const ADMITTING: u64 = u64::MAX;

/// An active job.
#[derive(Debug)]
pub struct Job {
    /// Id.
    pub id: JobId,
    /// State from its log.
    pub life: Life,
    /// Log, and its jobspec without the environment and with all updates applied.
    pub texts: Texts,
    /// Without `scheduling` and with all updates applied, once it has resources.
    pub r: Option<Rc<RawJson>>,
    /// Notes of the scheduler and of users, if there are any.
    pub annotations: Option<Box<Map<String, Value>>>,
    /// The queue that it is in.
    pub queue: QueueId,
    /// Request to the scheduler.
    pub alloc: AllocAsk,
    /// Request to the execution service.
    pub exec: ExecAsk,
    /// The commit that must be stored before the job takes a step that others see.
    pub hold: u64,
    /// The commit that stores the newest of its events.
    pub noted: u64,
    /// When we came to know of it, in the journal's count.
    pub since: u64,
    /// The number of its last stored event in the journal.
    pub last: f64,
    /// No policy has a priority for it now.
    pub is_unranked: bool,
    /// The job is among those whose texts are packed next.
    pub is_lined_up: bool,
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
            last: life.t_submit,
            life,
            texts: Texts::new(log, jobspec),
            r,
            annotations: None,
            queue: QueueId::ANONYMOUS,
            alloc: AllocAsk::None,
            exec: ExecAsk::Never,
            hold: 0,
            noted: 0,
            since: 0,
            is_unranked: false,
            is_lined_up: false,
        }
    }

    /// As policies are asked about it that answer later, with this jobspec.
    pub fn asked_about(&self, jobspec: RawJson) -> job_policy::Job {
        job_policy::Job {
            id: self.id,
            userid: self.life.userid,
            urgency: self.life.urgency.get().into(),
            t_submit: self.life.t_submit,
            jobspec,
        }
    }

    /// Log, each line with its newline.
    pub fn log(&self) -> Cow<'_, str> {
        self.texts.log()
    }

    /// Jobspec, without the environment and with all updates applied.
    pub fn jobspec(&self) -> Rc<RawJson> {
        self.texts.jobspec()
    }

    /// True if it is pending, as it may be for long, and many may be at a time.
    pub fn is_pending(&self) -> bool {
        matches!(
            self.life.state,
            State::Depend | State::Priority | State::Sched
        )
    }

    /// True if it is not accepted yet.
    pub fn is_admitting(&self) -> bool {
        self.hold == ADMITTING
    }

    /// True if it waits for this.
    pub fn waits_for(&self, description: &str) -> bool {
        let dependencies = &self.life.dependencies;
        dependencies.iter().any(|known| known == description)
    }

    /// True if it waits for this, or did once: nothing is waited for twice.
    pub fn ever_waited_for(&self, description: &str) -> bool {
        let is_that = |line: &str| {
            let entry = Entry::decode(line).ok()?;
            match JobEvent::of(&entry).ok()? {
                JobEvent::DependencyAdd(known) => Some(known == description),
                _ => None,
            }
        };
        let log = if self.life.ever_waited {
            self.log()
        } else {
            Cow::default()
        };
        let mut added = log.lines().filter(|it| it.contains("dependency-add"));
        added.any(|line| is_that(line) == Some(true))
    }

    /// Folds an event in, its line into the log; none if it is not stored. A refusal changes nothing.
    pub fn apply(&mut self, event: &JobEvent, entry: &Entry, line: &str) -> Result<(), Refused> {
        let was_new = self.life.state == State::New;
        self.life.apply(event, entry.timestamp())?;
        if !line.is_empty() {
            // When it was submitted is told by another clock.
            let before = if was_new { 0.0 } else { self.last };
            self.last = before.max(entry.timestamp());
        }
        if event.is_stored() {
            self.texts.push_line(line);
        }
        match event {
            JobEvent::Memo(memo) => {
                let memo = Map::from_iter([("user".to_owned(), Value::Object(memo.clone()))]);
                let mut all = self.notes().unwrap_or_default();
                dotted::merge(&mut all, &memo);
                self.set_notes(all);
            }
            JobEvent::Annotations(all) => self.set_notes(all.clone().unwrap_or_default()),
            JobEvent::Alloc {
                annotations: Some(all),
                ..
            } => self.set_notes(all.clone()),
            JobEvent::Urgency { .. } => self.is_unranked = false,
            JobEvent::JobspecUpdate(update) => {
                self.is_unranked = false;
                self.update_jobspec(update);
            }
            JobEvent::ResourceUpdate { expiration } => self.update_expiration(*expiration),
            _ => {}
        }
        Ok(())
    }

    /// True if the log still accepts an event: a full one accepts only events that the job
    /// cannot do without.
    pub fn has_room_for(&self, event: &JobEvent) -> bool {
        let can_do_without = match event {
            JobEvent::Memo(_) | JobEvent::Urgency { .. } | JobEvent::JobspecUpdate(_) => true,
            JobEvent::Exception(exception) => {
                !exception.severity.is_fatal() || self.life.state == State::Cleanup
            }
            _ => false,
        };
        if !can_do_without {
            return true;
        }
        let entry = event.entry(1.0);
        let bytes = entry.map_or(0, |entry| entry.encode().len());
        self.texts.log_bytes() + bytes <= JOB_LOG_BYTES_MAX
    }

    fn update_jobspec(&mut self, update: &Map<String, Value>) {
        let Ok(mut jobspec) = self.jobspec().parse::<Map<String, Value>>() else {
            return;
        };
        for (path, value) in update {
            if let Err(error) = dotted::set(&mut jobspec, path, value.clone()) {
                tracing::error!("job={} jobspec-update {path}: {error}", self.id);
            }
        }
        if let Ok(jobspec) = RawJson::of(&jobspec) {
            self.texts.set_jobspec(jobspec);
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

    /// The name of its queue, from its jobspec.
    pub fn queue_name(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Jobspec<'a> {
            #[serde(borrow)]
            attributes: Option<Attributes<'a>>,
        }
        #[derive(Deserialize)]
        struct Attributes<'a> {
            #[serde(borrow)]
            system: Option<System<'a>>,
        }
        #[derive(Deserialize)]
        struct System<'a> {
            #[serde(borrow)]
            queue: Option<Cow<'a, str>>,
        }
        let text = self.jobspec();
        let jobspec: Jobspec<'_> = serde_json::from_str(text.as_str()).ok()?;
        let queue = jobspec.attributes?.system?.queue?;
        Some(queue.into_owned())
    }

    /// When its last event was, in seconds since the epoch.
    pub fn last_timestamp(&self) -> f64 {
        let mut stamps = Stamps::default();
        stamps.note_lines(&self.log());
        stamps.last()
    }

    /// All notes, `None` when there are none.
    pub fn notes(&self) -> Option<Map<String, Value>> {
        self.annotations.as_deref().cloned()
    }

    fn set_notes(&mut self, all: Map<String, Value>) {
        self.annotations = (!all.is_empty()).then(|| Box::new(all));
    }

    /// The job as one record of the journal, with only the lines that `keep` lets through.
    pub fn record(&self, keep: impl Fn(&str) -> bool) -> Bytes {
        let (log, jobspec) = (self.log(), self.jobspec());
        let record = Record {
            log: &log,
            jobspec: Some(jobspec.as_str()),
            r: self.r.as_ref().map(|r| r.as_str()),
        };
        record.encode(self.id, keep)
    }
}

/// The parts of a journal record.
struct Record<'a> {
    log: &'a str,
    jobspec: Option<&'a str>,
    r: Option<&'a str>,
}

impl Record<'_> {
    fn encode(&self, id: JobId, keep: impl Fn(&str) -> bool) -> Bytes {
        let parts = [Some(self.log), self.jobspec, self.r];
        let bytes: usize = parts.iter().flatten().map(|part| part.len()).sum();
        let mut text = String::with_capacity(bytes + 60);
        // Writing to a String cannot fail.
        let _ = write!(text, r#"{{"id":{},"events":["#, id.0 as i64);
        let mut is_first = true;
        for line in self.log.lines().filter(|line| keep(line)) {
            if !std::mem::take(&mut is_first) {
                text.push(',');
            }
            text.push_str(line);
        }
        text.push(']');
        if let Some(jobspec) = self.jobspec {
            text.push_str(r#","jobspec":"#);
            text.push_str(jobspec);
        }
        if let Some(r) = self.r {
            text.push_str(r#","R":"#);
            text.push_str(r);
        }
        text.push_str("}\0");
        text.into()
    }
}

/// A live record: one event, with the data that belongs to it.
pub fn live_record(id: JobId, line: &str, jobspec: Option<&RawJson>, r: Option<&RawJson>) -> Bytes {
    let record = Record {
        log: line,
        jobspec: jobspec.map(RawJson::as_str),
        r: r.map(RawJson::as_str),
    };
    record.encode(id, |_| true)
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

/// An inactive job: the whole of it as the journal sends it, packed.
#[derive(Debug, Clone)]
pub struct Packed {
    packed: Bytes,
    /// Bytes of the record.
    bytes: u32,
    /// Outcome; none if only its log records it.
    outcome: Option<Outcome>,
    /// User id of its submitter.
    pub userid: u32,
    /// When it became inactive, in seconds since the epoch.
    pub t_clean: f64,
    /// When we came to know of the job, in the journal's count.
    pub since: u64,
    /// When we came to know that it is inactive, in the journal's count.
    pub ended: u64,
    /// Job-list row: made when it ends, or on request after a restart.
    listed: OnceCell<Box<[u8]>>,
}

/// Contents of a journal record.
#[derive(Debug, Deserialize)]
pub struct Parts {
    /// Every event.
    pub events: Vec<RawJson>,
    /// Without the environment.
    pub jobspec: Option<RawJson>,
    /// Resources, if it had any.
    #[serde(rename = "R")]
    pub r: Option<RawJson>,
}

impl Packed {
    /// Packs a job.
    pub fn of(job: &Job, since: u64, ended: u64) -> Packed {
        let record = job.record(|_| true);
        Packed {
            packed: row::pack(&record),
            bytes: u32::try_from(record.len()).unwrap_or(u32::MAX),
            outcome: Some(Outcome::of_job(job)),
            userid: job.life.userid,
            t_clean: job.life.t_clean,
            since,
            ended,
            listed: OnceCell::new(),
        }
    }

    /// The job of a row of the job log.
    pub fn of_row(row: Row) -> Packed {
        Packed {
            packed: row.packed.0,
            bytes: row.bytes,
            outcome: row.outcome.map(Outcome::of_bits),
            userid: row.userid,
            t_clean: row.t_clean,
            since: 0,
            ended: 0,
            listed: match row.listed {
                Some(listed) if is_current(&listed.0) => OnceCell::from(Box::from(&listed.0[..])),
                _ => OnceCell::new(),
            },
        }
    }

    /// A job whose row cannot be read.
    pub fn lost(userid: u32, t_clean: f64) -> Packed {
        Packed {
            packed: Bytes::new(),
            bytes: 0,
            outcome: None,
            userid,
            t_clean,
            since: 0,
            ended: 0,
            listed: OnceCell::new(),
        }
    }

    /// The same as a row of the job log, sharing its bytes.
    pub fn row(&self, id: JobId) -> Row {
        Row {
            id: id.0,
            userid: self.userid,
            t_clean: self.t_clean,
            bytes: self.bytes,
            packed: Blob(self.packed.clone()),
            outcome: self.outcome.map(Outcome::bits),
            listed: self.listed.get().map(|row| Blob(row.clone().into())),
        }
    }

    /// Bytes of its packed record.
    pub fn row_bytes(&self) -> usize {
        self.packed.len()
    }

    /// Outcome; none if its log cannot be read.
    pub fn outcome(&self, id: JobId) -> Option<Outcome> {
        self.outcome.or_else(|| Outcome::of_packed(self, id))
    }

    /// True if the job-list row is made.
    pub fn is_listed(&self) -> bool {
        self.listed.get().is_some()
    }

    /// Job-list row; `None` for one whose history is damaged.
    pub fn listed(&self, id: JobId, folder: &mut Folder) -> Option<&[u8]> {
        if let Some(row) = self.listed.get() {
            return Some(row);
        }
        let row = row_of(folder, &self.record(id))?;
        Some(self.listed.get_or_init(|| row.into()))
    }

    /// As the journal sends it.
    pub fn record(&self, id: JobId) -> Bytes {
        row::unpack(&self.packed, self.bytes).unwrap_or_else(|| {
            tracing::error!("job={id} cannot be unpacked");
            live_record(id, "", None, None)
        })
    }

    /// The same with only the lines that `keep` lets through.
    pub fn filtered(&self, id: JobId, keep: impl Fn(&str) -> bool) -> Bytes {
        let Some(parts) = self.parts(id) else {
            return live_record(id, "", None, None);
        };
        let mut log = String::new();
        for event in &parts.events {
            log.push_str(event.as_str());
            log.push('\n');
        }
        let record = Record {
            log: &log,
            jobspec: parts.jobspec.as_ref().map(RawJson::as_str),
            r: parts.r.as_ref().map(RawJson::as_str),
        };
        record.encode(id, keep)
    }

    /// The parts of the record, if it can be read.
    pub fn parts(&self, id: JobId) -> Option<Parts> {
        if self.packed.is_empty() {
            return None;
        }
        let record = self.record(id);
        serde_json::from_slice(record.strip_suffix(b"\0")?).ok()
    }
}

/// True if this version made the job-list row.
fn is_current(listed: &[u8]) -> bool {
    proto::data::job::Row::decode(listed).is_some()
}

#[cfg(test)]
mod tests;
