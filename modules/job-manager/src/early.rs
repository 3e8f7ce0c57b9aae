//! Early messages, sent before the KVS has stored the events: that a job has resources, so that
//! its shells can be started, and that a job that ended soon has freed them, so that the next
//! job can have them. Both are first written into a file beside the content store, a line each;
//! the commit follows with the next changes. A job manager after us reads the file and finds
//! jobs where we left them.
//!
//! A line is needed until its event is stored. Where no file can be kept, and where every
//! commit is to outlast a loss of power, others are notified when the commit is stored.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use ahead::{Lines, Log};
use node::Cx;
use proto::RawJson;
use proto::config::keys;
use proto::data::JobId;
use proto::data::job::State;
use proto::job_exec::GuestLines;
use proto::{Object, Refusal, sched};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::JobManager;
use crate::limits::{EARLY_LINES_BYTES_MAX, EARLY_R_BYTES_MAX};
use crate::state::ExecAsk;

/// The file's name, in the state directory or the run directory.
pub const EARLY_FILE: &str = "job-manager.early";

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    id: JobId,
    /// The version of the primary namespace that it comes after. A store that has not got so
    /// far is another one.
    after: i64,
    /// The job has these resources.
    #[serde(rename = "R", default, skip_serializing_if = "Option::is_none")]
    r: Option<RawJson>,
    /// The notes that it has with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annotations: Option<Map<String, Value>>,
    /// The job has ended, and the scheduler may have its resources back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    over: Option<Over>,
}

/// Data of a job that ended soon.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Over {
    /// Wait status.
    status: i32,
    /// Lines for its guest logs.
    lines: GuestLines,
}

/// Continuation after a line is written.
enum Then {
    /// The job takes its next step once this commit is stored; without the line, once that of
    /// its resources is.
    Start { earlier: u64 },
    /// Sent to the scheduler with this number of hellos.
    Tell { free: sched::Free, hellos: u64 },
}

/// A line on its way into the file.
struct Pending {
    id: JobId,
    /// With its newline.
    text: String,
    /// The commit that makes it needless.
    number: u64,
    then: Then,
}

/// The file, and the lines on their way into it.
#[derive(Default)]
pub struct Early {
    /// There is a file.
    is_open: bool,
    /// Commits are to outlast a loss of power.
    outlasts_power: bool,
    lines: Lines<JobId>,
    /// The commits that make them needless.
    numbers: BTreeMap<JobId, u64>,
    pending: Vec<Pending>,
    /// The job that is coming to its end in this turn.
    ending: Option<(JobId, Over)>,
    /// Lines left by an earlier job manager.
    left: Vec<Line>,
    /// The version of the primary namespace.
    version: i64,
}

impl Early {
    /// True if others can be notified early.
    fn is_kept(&self) -> bool {
        self.is_open && !self.outlasts_power
    }

    /// Takes the settings in.
    pub fn configure(&mut self, conf: &Object) -> Result<(), Refusal> {
        let durability: Option<String> = keys::KVS_DURABILITY.read(conf)?;
        self.outlasts_power = durability.as_deref() == Some("power");
        Ok(())
    }

    /// Reads the contents of the file.
    pub fn found(&mut self, found: io::Result<Vec<u8>>) {
        match found {
            Ok(text) => {
                self.is_open = true;
                let whole = String::from_utf8_lossy(&text);
                // Only the last line can have been cut off, and nobody was told of it.
                let lines = whole.lines().filter_map(|line| {
                    let read: Line = serde_json::from_str(line).ok()?;
                    Some((read, format!("{line}\n")))
                });
                let (left, texts): (Vec<Line>, Vec<String>) = lines.unzip();
                let ids = left.iter().map(|line| line.id);
                self.lines.found(&text, ids.zip(texts));
                self.left = left;
            }
            Err(error) => {
                tracing::debug!("{EARLY_FILE}: {error}: jobs start when their R is stored");
            }
        }
    }

    /// The primary namespace has this version.
    pub fn at_version(&mut self, version: i64) {
        self.version = version;
    }

    /// True if a job's R is written, so that its commit may wait for others.
    pub fn takes(&self, r: &RawJson) -> bool {
        self.is_kept() && r.as_str().len() <= EARLY_R_BYTES_MAX
    }

    /// A commit is stored, and with it its events of a job.
    pub fn stored(&mut self, id: JobId, stored: u64) {
        if self
            .numbers
            .get(&id)
            .is_some_and(|number| *number <= stored)
        {
            self.numbers.remove(&id);
            self.lines.forget(&id);
        }
    }

    /// Forgets the lines that have nothing new.
    fn forget_others(&mut self) {
        let numbers = &self.numbers;
        self.lines.keep(|id| numbers.contains_key(id));
    }

    fn note(&mut self, id: JobId, line: &str, number: u64, stored: u64) {
        self.lines.note(id, line);
        self.numbers.insert(id, number);
        self.stored(id, stored);
    }

    /// A line and the step to take once it is written, by the commit `number` at the
    /// latest.
    fn say(&mut self, line: &Line, number: u64, then: Then) -> serde_json::Result<()> {
        let text = serde_json::to_string(line)? + "\n";
        let id = line.id;
        self.pending.push(Pending {
            id,
            text,
            number,
            then,
        });
        Ok(())
    }
}

impl JobManager {
    /// A job has got resources; `earlier` is the commit of its earlier events.
    pub(crate) fn start_early(&mut self, id: JobId, earlier: u64, r: &Rc<RawJson>) {
        let line = Line {
            id,
            after: self.early.version,
            r: Some(RawJson::clone(r)),
            annotations: self.jobs.active(id).and_then(|job| job.notes()),
            over: None,
        };
        let said = self
            .early
            .say(&line, self.batch.number(), Then::Start { earlier });
        if let Err(error) = said {
            tracing::error!("job={id} starts when its R is stored: {error}");
            self.batch.hurry();
        }
    }

    /// Handles a job that ended soon with this status.
    pub(crate) fn ends_early(&mut self, id: JobId, status: i32, lines: &GuestLines) {
        if self.early.is_kept() && lines.bytes() <= EARLY_LINES_BYTES_MAX {
            let lines = lines.clone();
            self.early.ending = Some((id, Over { status, lines }));
        }
    }

    /// Sends the scheduler the resources that a job has given back, as soon as that cannot
    /// be forgotten.
    pub(crate) fn give_back(&mut self, free: sched::Free) {
        let ending = self.early.ending.take();
        let Some((_, over)) = ending.filter(|(id, _)| *id == free.id) else {
            return self.free_when_stored(free);
        };
        let line = Line {
            id: free.id,
            after: self.early.version,
            r: None,
            annotations: None,
            over: Some(over),
        };
        let (hellos, again) = (self.alloc.hellos(), free.clone());
        let said = self
            .early
            .say(&line, self.batch.number(), Then::Tell { free, hellos });
        if said.is_err() {
            self.free_when_stored(again);
        }
    }

    /// Writes the gathered lines, in one piece.
    pub(crate) fn write_early(&mut self, cx: &mut Cx<Self>) {
        self.early.ending = None;
        if self.early.pending.is_empty() {
            return;
        }
        let pending = std::mem::take(&mut self.early.pending);
        let text: String = pending.iter().map(|one| one.text.as_str()).collect();
        cx.quick_work(
            move |log: &mut Box<dyn Log>| log.append(&text),
            move |core: &mut JobManager, cx, written| core.written(cx, pending, written),
        );
        if let Some(text) = self.early.lines.rewrite() {
            replace(cx, text);
        }
    }

    fn written(&mut self, cx: &mut Cx<Self>, pending: Vec<Pending>, written: io::Result<()>) {
        if let Err(error) = &written {
            tracing::warn!("{EARLY_FILE}: {error}: messages wait for the KVS");
            self.batch.hurry();
        }
        for one in pending {
            if written.is_ok() {
                let stored = self.batch.stored();
                self.early.note(one.id, &one.text, one.number, stored);
            }
            match one.then {
                Then::Start { earlier } if written.is_ok() => {
                    self.let_start(one.id, one.number, earlier);
                }
                // It starts when the commit is stored.
                Then::Start { .. } => {}
                Then::Tell { free, hellos } if written.is_ok() => {
                    self.send_free(cx, &free, hellos);
                }
                Then::Tell { free, .. } => self.free_when_stored(free),
            }
        }
        self.run(cx);
    }

    /// A job need not wait for the commit of its resources any more, unless something else has
    /// to come first by now.
    fn let_start(&mut self, id: JobId, number: u64, earlier: u64) {
        if let Some(job) = self.jobs.active_mut(id)
            && job.hold == number
            && job.life.perilogs == 0
        {
            job.hold = earlier;
            self.acting.push_back(id);
        }
    }

    /// Jobs are read as they are stored: brings them to where a job manager before us left them.
    pub(crate) fn find_early(&mut self, cx: &mut Cx<Self>) {
        let left = std::mem::take(&mut self.early.left);
        if left.is_empty() {
            return;
        }
        for line in left {
            let id = line.id;
            let Some(job) = self.jobs.active_mut(id) else {
                continue;
            };
            if line.after > self.early.version {
                tracing::warn!("{EARLY_FILE}: job={id}: of another store, ignored");
                continue;
            }
            if let Some(r) = line.r
                && job.life.state == State::Sched
                && job.r.is_none()
            {
                tracing::debug!("job={id} had resources already");
                self.has_got(cx, id, r, line.annotations);
                // The file has it: the job need not wait for the commit.
                self.let_start(id, self.batch.number(), 0);
                self.early.numbers.insert(id, self.batch.number());
            }
            if let Some(Over { status, lines }) = line.over
                && let Some(job) = self.jobs.active_mut(id)
            {
                tracing::debug!("job={id} had ended already");
                job.exec = ExecAsk::Lost;
                self.over(cx, id, status, lines);
                self.run(cx);
                self.early.numbers.insert(id, self.batch.number());
            }
        }
        self.early.forget_others();
        // The job of another line may come again, and what the line says is not true of it then.
        let text = self.early.lines.needed();
        replace(cx, text);
    }
}

fn replace(cx: &mut Cx<JobManager>, text: String) {
    cx.quick_work(
        move |log: &mut Box<dyn Log>| log.replace(&text),
        |core: &mut JobManager, _, replaced| {
            if let Err(error) = replaced {
                tracing::warn!("{EARLY_FILE}: {error}: messages wait for the KVS");
                core.early.is_open = false;
            }
        },
    );
}
