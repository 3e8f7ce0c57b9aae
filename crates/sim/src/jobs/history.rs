//! Meaning of a job's log, written down a second time, independently of the code under
//! test. Panics at a log that no job can have (RFC 21).

use proto::data::{Entry, Rset};
use serde_json::{Value, json};

/// Where a job is, by the number that travels.
const NEW: u32 = 1;
const DEPEND: u32 = 2;
const PRIORITY: u32 = 4;
const SCHED: u32 = 8;
const RUN: u32 = 16;
const CLEANUP: u32 = 32;
pub(super) const INACTIVE: u32 = 64;

/// A job according to its log.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct History {
    /// State.
    pub state: u32,
    pub urgency: i64,
    pub t_submit: f64,
    pub t_depend: Option<f64>,
    pub t_run: Option<f64>,
    pub t_cleanup: Option<f64>,
    pub t_inactive: Option<f64>,
    /// With which it finished.
    pub status: Option<i64>,
    /// Type and severity of the exception that counts.
    pub exception: Option<(String, i64)>,
    /// Types of all exceptions that end it.
    pub fatal: Vec<String>,
    /// Notes of all exceptions that end it.
    pub notes: Vec<String>,
    /// The job has resources.
    pub is_holding: bool,
    n_allocs: u32,
    n_starts: u32,
    n_releases: u32,
    n_frees: u32,
    last: f64,
}

impl History {
    /// State after these events.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Entry>) -> History {
        let mut history = History::default();
        for event in events {
            history.add(event);
        }
        history
    }

    /// One more event.
    pub fn add(&mut self, event: &Entry) {
        let at = event.timestamp();
        let name = event.name();
        assert!(at >= self.last, "{name} at {at} after {}", self.last);
        assert_ne!(self.state, INACTIVE, "{name} after the end");
        self.last = at;
        let from = self.state;
        let fits = |states: u32| assert!(from & states != 0, "{name} in state {from}: {self:?}");
        match name {
            "submit" => {
                assert_eq!(from, 0, "submitted twice");
                self.state = NEW;
                self.t_submit = at;
                self.urgency = event.get_i64("urgency").expect("an urgency");
            }
            "validate" => {
                fits(NEW);
                self.state = DEPEND;
                self.t_depend = Some(at);
            }
            // It was refused; it may be submitted once more, by who was not told.
            "invalidate" if from == NEW => *self = History::default(),
            "depend" => {
                fits(DEPEND);
                self.state = PRIORITY;
            }
            "priority" => {
                fits(PRIORITY | SCHED);
                self.state = SCHED;
            }
            "urgency" => {
                fits(NEW | DEPEND | PRIORITY | SCHED);
                self.urgency = event.get_i64("urgency").expect("an urgency");
                self.back_to_priority();
            }
            "flux-restart" => self.back_to_priority(),
            "alloc" => {
                fits(SCHED);
                self.state = RUN;
                self.t_run = Some(at);
                self.is_holding = true;
                self.n_allocs += 1;
            }
            "start" => {
                fits(RUN | CLEANUP);
                self.n_starts += 1;
                assert_eq!((self.n_allocs, self.n_starts), (1, 1), "started");
            }
            "finish" => {
                fits(RUN | CLEANUP);
                assert_eq!(self.n_starts, 1, "finished without a start");
                assert_eq!(self.status, None, "finished twice");
                self.status = event.get_i64("status");
                self.enter_cleanup(at);
            }
            "release" => {
                fits(RUN | CLEANUP);
                self.n_releases += 1;
            }
            "free" => {
                fits(CLEANUP);
                self.free();
            }
            "clean" => {
                fits(CLEANUP);
                assert!(!self.is_holding, "clean with resources");
                self.state = INACTIVE;
                self.t_inactive = Some(at);
            }
            "exception" => self.exception(event, at),
            _ => {}
        }
    }

    fn free(&mut self) {
        self.n_frees += 1;
        assert_eq!((self.n_allocs, self.n_frees), (1, 1), "freed");
        // One that was never asked to start has nothing to release.
        let is_released = self.n_starts == 0 || self.n_releases > 0;
        assert!(is_released, "freed before the release");
        self.is_holding = false;
    }

    fn back_to_priority(&mut self) {
        if self.state == SCHED {
            self.state = PRIORITY;
        }
    }

    fn enter_cleanup(&mut self, at: f64) {
        if self.state != CLEANUP {
            self.state = CLEANUP;
            self.t_cleanup = Some(at);
        }
    }

    fn exception(&mut self, event: &Entry, at: f64) {
        let kind = event.get_str("type").expect("a type").to_owned();
        let severity = event.get_i64("severity").expect("a severity");
        if severity == 0 {
            self.notes
                .push(event.get_str("note").unwrap_or_default().to_owned());
            self.fatal.push(kind.clone());
            self.enter_cleanup(at);
        }
        // The first of the worst counts.
        if self
            .exception
            .as_ref()
            .is_none_or(|(_, before)| severity < *before)
        {
            self.exception = Some((kind, severity));
        }
    }

    /// Row that a list must show for the job.
    pub fn row(&self) -> Vec<(&'static str, Value)> {
        let mut row = vec![
            ("state", json!(self.state)),
            ("urgency", json!(self.urgency)),
            ("t_submit", json!(self.t_submit)),
        ];
        for (name, at) in [
            ("t_depend", self.t_depend),
            ("t_run", self.t_run),
            ("t_cleanup", self.t_cleanup),
            ("t_inactive", self.t_inactive),
        ] {
            row.extend(at.map(|at| (name, json!(at))));
        }
        row.extend(self.status.map(|status| ("waitstatus", json!(status))));
        if let Some((kind, severity)) = &self.exception
            && self.state == INACTIVE
        {
            row.push(("exception_type", json!(kind)));
            row.push(("exception_severity", json!(severity)));
        }
        if self.state == INACTIVE {
            row.push(("exception_occurred", json!(self.exception.is_some())));
            row.push(("result", json!(self.result())));
            row.push(("success", json!(self.result() == 1)));
        }
        row
    }

    /// Completed, failed, canceled or timeout, by the number that travels.
    pub fn result(&self) -> u32 {
        match self.fatal.first().map(String::as_str) {
            None if self.status == Some(0) => 1,
            Some("cancel") => 4,
            Some("timeout") => 8,
            _ => 2,
        }
    }
}

/// The cores that an R has, by rank and number.
pub(super) fn cores_of(r: &str) -> Vec<(u32, u32)> {
    let r = Rset::decode(r).expect("an R");
    let cores = r.nodes().flat_map(|(rank, node)| {
        let cores: Vec<u32> = node.cores.iter().collect();
        cores.into_iter().map(move |core| (rank, core))
    });
    cores.collect()
}
