//! Messages to all clients, kept outside of the instance.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use proto::data::JobId;

use super::task::Task;

/// The book that all clients write in.
#[derive(Default)]
pub struct Ledger {
    next: AtomicU64,
    phase: AtomicU8,
    book: Mutex<Book>,
}

/// Phases in the life of a broker, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Modules are killed under everyone.
    Work,
    /// Nobody submits anything new.
    Stop,
    /// All jobs have ended: followers end with the next message.
    Quiet,
    /// The broker is killed, or about to be: requests may fail now.
    Killed,
}

#[derive(Default)]
struct Book {
    jobs: BTreeMap<u64, Entry>,
    told: BTreeMap<JobId, Told>,
    counts: BTreeMap<&'static str, u64>,
    wrong: BTreeMap<&'static str, Vec<String>>,
    /// Times at which brokers were killed.
    kills: Vec<f64>,
}

/// One submission.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// The job that was acknowledged.
    pub id: Option<JobId>,
    /// True if the submitter was answered that there is no job.
    pub is_refused: bool,
    /// True if the job has ended and was found correct.
    pub is_settled: bool,
}

/// Messages of streams about one job.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The names of events in the journal, each time that it was followed.
    pub journal: Vec<Followed>,
    /// Logs, each time that one was followed.
    pub logs: Vec<Followed>,
}

/// One completed follow.
#[derive(Debug, Clone)]
pub struct Followed {
    /// Path of the log.
    pub path: &'static str,
    /// Text received.
    pub text: String,
    /// True if everything was to be received: the stream was not broken off.
    pub is_whole: bool,
}

impl Ledger {
    /// A submission begins.
    pub fn begin(&self) -> Task {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        self.book().jobs.insert(n, Entry::default());
        Task(n)
    }

    /// Number of submissions.
    pub fn n_begun(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// A submitter received a job id.
    pub fn acknowledged(&self, task: Task, id: JobId) {
        self.edit(task, |entry| entry.id = Some(id));
    }

    /// A submitter received an error.
    pub fn refused(&self, task: Task) {
        self.edit(task, |entry| entry.is_refused = true);
    }

    /// Records a job that has ended and was found correct.
    pub fn settled(&self, task: Task) {
        self.edit(task, |entry| entry.is_settled = true);
    }

    fn edit(&self, task: Task, edit: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.book().jobs.get_mut(&task.0) {
            edit(entry);
        }
    }

    /// All submissions by number.
    pub fn entries(&self) -> BTreeMap<u64, Entry> {
        self.book().jobs.clone()
    }

    /// The job acknowledged last.
    pub fn newest(&self) -> Option<JobId> {
        let book = self.book();
        book.jobs.values().rev().find_map(|entry| entry.id)
    }

    /// Messages of streams about a job.
    pub fn told(&self, id: JobId) -> Told {
        self.book().told.get(&id).cloned().unwrap_or_default()
    }

    /// Notes the events of a job in a stream.
    pub fn note(&self, id: JobId, note: impl FnOnce(&mut Told)) {
        note(self.book().told.entry(id).or_default());
    }

    /// Counts something.
    pub fn count(&self, what: &'static str) {
        *self.book().counts.entry(what).or_default() += 1;
    }

    /// Complains.
    pub fn wrong(&self, what: &'static str, complaint: String) {
        let complaint = format!("at {:.3}: {complaint}", now());
        self.book().wrong.entry(what).or_default().push(complaint);
    }

    /// Counts a call that failed: something is wrong unless the broker was killed.
    pub fn failed(&self, what: &'static str, why: &str) {
        match self.is_broker_killed() {
            true => self.count("calls failed with the broker"),
            false => self.wrong(
                "calls failed while modules were killed",
                format!("{what}: {why}"),
            ),
        }
    }

    /// Everything counted, and all complaints.
    pub fn sums(
        &self,
    ) -> (
        BTreeMap<&'static str, u64>,
        BTreeMap<&'static str, Vec<String>>,
    ) {
        let book = self.book();
        (book.counts.clone(), book.wrong.clone())
    }

    /// Goes on to another phase.
    pub fn enter(&self, phase: Phase) {
        if phase == Phase::Killed {
            self.book().kills.push(now());
        }
        self.phase.store(phase as u8, Ordering::SeqCst);
    }

    /// True if this phase has begun.
    pub fn is_in(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::SeqCst) >= phase as u8
    }

    /// True if all jobs have ended and the broker is online.
    pub fn is_quiet(&self) -> bool {
        self.phase.load(Ordering::SeqCst) == Phase::Quiet as u8
    }

    /// True if the broker was killed.
    pub fn is_broker_killed(&self) -> bool {
        self.is_in(Phase::Killed)
    }

    /// True if nothing new is to be begun.
    pub fn is_stopped(&self) -> bool {
        self.is_in(Phase::Stop)
    }

    /// True if a broker was killed between these times.
    pub fn was_broker_killed(&self, from: f64, to: f64) -> bool {
        let book = self.book();
        book.kills.iter().any(|at| from <= *at && *at <= to)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // A thread that panicked has not left an entry half written.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds since the epoch.
pub fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}
