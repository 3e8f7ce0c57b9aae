//! Events on their way (protocol/11 section 5): into the job's log, to the journal, into
//! the job, into the KVS; then the job's next step. The only place where jobs change.

use std::borrow::Cow;

use node::{Call, Cx};
use proto::data::JobId;
use proto::data::job::State;
use proto::job_manager::JobEvent;

use crate::JobManager;
use crate::alloc::exception;
use crate::job::Packed;
use crate::joblog::Record;
use crate::limits::NOTE_BYTES_MAX;
use crate::policy::{Rank, Step};
use crate::state::{Action, due};

impl JobManager {
    /// Posts an event now, without its further effects: these are done by
    /// [`JobManager::run`]. Returns true if the job accepted it.
    pub(crate) fn post(&mut self, cx: &mut Cx<Self>, id: JobId, event: &JobEvent) -> bool {
        self.post_at(id, event, event.is_stored(), cx.now().wall, cx)
    }

    /// Posts an event that only listeners receive.
    pub(crate) fn post_volatile(&mut self, cx: &mut Cx<Self>, id: JobId, event: &JobEvent) -> bool {
        self.post_at(id, event, false, cx.now().wall, cx)
    }

    pub(crate) fn post_at(
        &mut self,
        id: JobId,
        event: &JobEvent,
        is_stored: bool,
        timestamp: f64,
        cx: &mut Cx<Self>,
    ) -> bool {
        let event = &*with_short_note(event);
        self.step_out_of_line(cx, id, event);
        let entry = match event.entry(self.stamps.next(timestamp)) {
            Ok(entry) => entry,
            Err(error) => {
                tracing::error!("job={id} {}: {error}", event.name());
                return false;
            }
        };
        let line = entry.encode();
        let Some(job) = self.jobs.active_mut(id) else {
            return false;
        };
        if is_stored && !job.has_room_for(event) {
            tracing::debug!("job={id}: its log has no room for {}", event.name());
            return false;
        }
        let from = job.life.state;
        let kept = if is_stored { line.as_str() } else { "" };
        if let Err(refused) = job.apply(event, &entry, kept) {
            tracing::error!("job={id}: {refused}");
            return false;
        }
        let to = job.life.state;
        if matches!(event, JobEvent::JobspecUpdate(_)) {
            job.queue = self.queues.intern(job.queue_name().as_deref());
        }
        if is_stored && !job.is_admitting() {
            match event {
                JobEvent::Finish(_) => self.batch.append_later(id, &line),
                _ => self.batch.append(id, &line),
            }
            if matches!(
                event,
                JobEvent::Alloc { .. } | JobEvent::PrologFinish { .. }
            ) {
                job.hold = self.batch.number();
            }
            job.noted = self.batch.number();
        }
        self.journal.notify(cx, job, event.name(), &line, is_stored);
        if is_stored {
            self.journal.note(job, &entry, &line, self.batch.number());
        }
        if from != to {
            self.jobs.moved(from, to);
            tracing::trace!("job={id} {}: {from}->{to}", event.name());
        }
        match event {
            JobEvent::ResourceUpdate { expiration } => self.send_expiration(cx, id, *expiration),
            JobEvent::Priority(priority) => self.send_priority(cx, id, *priority),
            _ => {}
        }
        let step = Step { event, from, to };
        if self.policies.receive_step(&step) {
            self.ask_policies(cx, |policies, view| {
                if let Some(job) = view.jobs.active(id) {
                    policies.event(view, job, &step);
                }
            });
        }
        self.jobs.line_up(id);
        self.acting.push_back(id);
        true
    }

    /// Posts an event and carries out its further effects.
    pub(crate) fn emit(&mut self, cx: &mut Cx<Self>, id: JobId, event: &JobEvent) -> bool {
        let taken = self.post(cx, id, event);
        self.run(cx);
        taken
    }

    /// Takes the next step of every job with a change.
    pub(crate) fn run(&mut self, cx: &mut Cx<Self>) {
        self.apply_wants(cx);
        while let Some(id) = self.acting.pop_front() {
            while let Some(action) = self.due(id) {
                self.act(cx, id, action);
                self.apply_wants(cx);
            }
        }
    }

    fn due(&self, id: JobId) -> Option<Action> {
        let job = self.jobs.active(id)?;
        if job.hold > self.batch.stored() {
            return None;
        }
        let action = due(&job.life, job.alloc, job.exec, self.exec.is_there());
        action.filter(|action| !(job.is_unranked && *action == Action::Rank))
    }

    fn act(&mut self, cx: &mut Cx<Self>, id: JobId, action: Action) {
        match action {
            Action::Post(event) => {
                let taken = self.post(cx, id, &event);
                assert!(taken, "what is due fits the state");
            }
            Action::Rank => self.rank(cx, id),
            Action::Enqueue => self.enqueue(cx, id),
            Action::Dequeue => self.dequeue(cx, id),
            Action::Start => self.start_job(cx, id),
            Action::Free => self.free(cx, id),
            Action::Retire => self.retire(cx, id),
        }
    }

    /// Gives a job its priority, if there is one.
    fn rank(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let had = self.jobs.active(id).and_then(|job| job.life.priority);
        let priority = match self.rank_of(cx, id) {
            Rank::Is(priority) => Some(priority),
            Rank::Pass => had,
            Rank::Unavailable => None,
        };
        if let Some(priority) = priority {
            self.post(cx, id, &JobEvent::Priority(priority));
        } else if let Some(job) = self.jobs.active_mut(id) {
            job.is_unranked = true;
        }
    }

    /// Current answer about a job's priority.
    pub(crate) fn rank_of(&mut self, cx: &Cx<Self>, id: JobId) -> Rank {
        let job = self.jobs.active(id);
        if let Some(priority) = job.and_then(|job| job.life.urgency.forced_priority()) {
            return Rank::Is(priority);
        }
        self.ask_policies(cx, |policies, view| match view.jobs.active(id) {
            Some(job) => policies.priority(view, job),
            None => Rank::Unavailable,
        })
    }

    fn retire(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(job) = self.jobs.active(id) else {
            return;
        };
        debug_assert_eq!(job.life.state, State::Inactive);
        let packed = Packed::of(job, job.since, self.journal.count());
        packed.listed(id, &mut self.folder);
        self.exec.forget(id);
        let ended = self.waits.ended(job);
        self.batch.record(Record::Retired(packed.row(id)));
        match ended {
            Some((number, reply, waited)) => self.answer_stored(number, reply, &waited),
            None => self.keep_unwaited(id),
        }
        self.send_gone(cx, id);
        self.jobs.retire(id, packed);
    }

    /// Notifies policies that a job is about to leave the active ones.
    pub(crate) fn send_gone(&mut self, cx: &Cx<Self>, id: JobId) {
        self.ask_policies(cx, |policies, view| {
            if let Some(job) = view.jobs.active(id) {
                policies.gone(view, job);
            }
        });
    }

    /// Notifies the execution service of a new end of a job's time.
    fn send_expiration(&mut self, cx: &mut Cx<Self>, id: JobId, expiration: f64) {
        if let Some(service) = self.exec.service() {
            let request = proto::job_exec::Expiration { id, expiration };
            let call = Call::new(&request).topic(&format!("{service}.expiration"));
            cx.call_with(call, move |core: &mut JobManager, cx, result| {
                if let Err(refusal) = result {
                    tracing::warn!("job={id} expiration: {refusal}");
                    let note = EXPIRATION_NOT_TOLD.to_owned();
                    if let Some(event) = exception(cx, "exec", 1, note) {
                        core.emit(cx, id, &event);
                    }
                }
            });
        }
    }
}

/// Event text of a job whose shells may end at another time than in its log.
const EXPIRATION_NOT_TOLD: &str = "failed to send expiration update to exec system: \
    job termination may not coincide with expiration";

/// The event, an exception with as much of its note as a log takes: its writer may be
/// a job, and the exception must not be lost for that.
fn with_short_note(event: &JobEvent) -> Cow<'_, JobEvent> {
    match event {
        JobEvent::Exception(exception) if exception.note.len() > NOTE_BYTES_MAX => {
            let mut exception = exception.clone();
            let mut ends = (0..=NOTE_BYTES_MAX).rev();
            let end = ends.find(|end| exception.note.is_char_boundary(*end));
            exception.note.truncate(end.unwrap_or(0));
            Cow::Owned(JobEvent::Exception(exception))
        }
        event => Cow::Borrowed(event),
    }
}

#[cfg(test)]
mod tests {
    use proto::data::job::{Exception, ExceptionType, Severity};

    use super::*;

    #[test]
    fn the_note_of_an_exception_is_cut() {
        let check = |note: String, expect: usize| {
            let event = JobEvent::Exception(Exception {
                kind: ExceptionType::new("cancel").unwrap(),
                severity: Severity::FATAL,
                note: note.clone(),
                userid: None,
                wait_status: None,
            });
            let JobEvent::Exception(cut) = with_short_note(&event).into_owned() else {
                panic!("it stays an exception");
            };
            assert_eq!(cut.note, note[..expect]);
        };
        check("short".to_owned(), 5);
        check("x".repeat(NOTE_BYTES_MAX), NOTE_BYTES_MAX);
        check("x".repeat(NOTE_BYTES_MAX + 1), NOTE_BYTES_MAX);
        check(
            format!("x{}", "ü".repeat(NOTE_BYTES_MAX / 2)),
            NOTE_BYTES_MAX - 1,
        );
    }
}
