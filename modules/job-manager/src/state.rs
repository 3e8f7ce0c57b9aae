//! Life cycle of a job (RFC 21, protocol/10 section 5): [`next`] in `proto` has every move,
//! [`Life::apply`] gives the meaning of an event, [`due`] the next action of a job. All pure:
//! a restart is "replay the log, then ask what is due".

use proto::data::IdSet;
use proto::data::job::{Next, Priority, State, SubmitFlags, Urgency, WaitStatus, next};
use proto::job_manager::JobEvent;

/// An event that did not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The state does not take it.
    #[error("{event} event is not possible in state {state}")]
    State {
        /// Name of the event.
        event: String,
        /// State of the job.
        state: State,
    },
    /// The job does not wait for this.
    #[error("no dependency '{0}'")]
    NoDependency(String),
    /// The job waits for this already.
    #[error("dependency '{0}' exists")]
    DependencyExists(String),
    /// Something ended that did not begin.
    #[error("{0} event without a start")]
    NotBegun(&'static str),
}

/// End of a job: the first of its `finish` and its fatal exception.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// The shells ended.
    Finish(WaitStatus),
    /// The job was ended by an exception.
    Exception {
        /// Type.
        kind: Box<str>,
        /// Note.
        note: Box<str>,
    },
}

/// State of a job according to its log.
#[derive(Debug, Clone, PartialEq)]
pub struct Life {
    /// State.
    pub state: State,
    /// User id of its submitter.
    pub userid: u32,
    /// Urgency set by its user.
    pub urgency: Urgency,
    /// Priority in the queue, once there is one.
    pub priority: Option<Priority>,
    /// When it was submitted, in seconds since the epoch.
    pub t_submit: f64,
    /// As submitted, and `debug` from later.
    pub flags: SubmitFlags,
    /// The job brings its resources along: none is to be asked for.
    pub brings_resources: bool,
    /// Guests may not update it any more.
    pub immutable: bool,
    /// Outstanding dependencies.
    pub dependencies: Vec<String>,
    /// The job has or had dependencies.
    pub ever_waited: bool,
    /// Has resources: from `alloc` to `free`.
    pub has_resources: bool,
    /// The resources did not come from the scheduler.
    pub bypasses: bool,
    /// Ranks that the execution service gave back before the others.
    pub released: IdSet,
    /// The shells ran.
    pub started: bool,
    /// The shells ended.
    pub finished: bool,
    /// The execution service is done with it.
    pub exec_done: bool,
    /// Prologs and epilogs that run.
    pub perilogs: u32,
    /// End of the job.
    pub end: Option<End>,
    /// When it became inactive, in seconds since the epoch.
    pub t_clean: f64,
}

impl Life {
    /// The life that a `submit` event at `timestamp` begins; `None` for another event.
    pub fn begin(event: &JobEvent, timestamp: f64) -> Option<Life> {
        let JobEvent::Submit {
            userid,
            urgency,
            flags,
            version,
        } = event
        else {
            return None;
        };
        Some(Life {
            // Logs without a version have no `validate`.
            state: if version.is_some() {
                State::New
            } else {
                State::Depend
            },
            userid: *userid,
            urgency: *urgency,
            priority: None,
            t_submit: timestamp,
            flags: *flags,
            brings_resources: false,
            immutable: false,
            dependencies: Vec::new(),
            ever_waited: false,
            has_resources: false,
            bypasses: false,
            released: IdSet::new(),
            started: false,
            finished: false,
            exec_done: false,
            perilogs: 0,
            end: None,
            t_clean: 0.0,
        })
    }

    /// Folds one event in. A refusal changes nothing.
    pub fn apply(&mut self, event: &JobEvent, timestamp: f64) -> Result<(), Refused> {
        let is_fatal = matches!(event, JobEvent::Exception(it) if it.severity.is_fatal());
        let next = match next(self.state, event.name(), is_fatal) {
            Next::Refuse => {
                let event = event.name().to_owned();
                return Err(Refused::State {
                    event,
                    state: self.state,
                });
            }
            Next::Stay => self.state,
            Next::To(state) => state,
        };
        self.fold(event, timestamp)?;
        self.state = next;
        Ok(())
    }

    fn fold(&mut self, event: &JobEvent, timestamp: f64) -> Result<(), Refused> {
        use JobEvent as E;
        match event {
            E::Urgency { urgency, .. } => self.urgency = *urgency,
            E::Priority(priority) => self.priority = Some(*priority),
            E::DependencyAdd(what) if self.dependencies.contains(what) => {
                return Err(Refused::DependencyExists(what.clone()));
            }
            E::DependencyAdd(what) => {
                // Most jobs that wait do so for one thing, and for a long time.
                self.dependencies.reserve_exact(1);
                self.dependencies.push(what.clone());
                self.ever_waited = true;
            }
            E::DependencyRemove(what) => {
                let known = self.dependencies.iter().position(|known| known == what);
                let at = known.ok_or_else(|| Refused::NoDependency(what.clone()))?;
                self.dependencies.remove(at);
            }
            E::SetFlags(flags) => self.set_flags(flags),
            E::Alloc { bypass, .. } => {
                self.has_resources = true;
                self.bypasses = *bypass;
            }
            E::Start => self.started = true,
            E::Finish(status) => {
                self.finished = true;
                self.end.get_or_insert(End::Finish(*status));
            }
            E::Release { is_final: true, .. } => self.exec_done = true,
            E::Release { ranks, .. } => {
                if let Ok(ranks) = ranks.parse::<IdSet>() {
                    self.released.add(&ranks);
                }
            }
            E::Free => self.has_resources = false,
            E::PrologStart(_) | E::EpilogStart(_) => self.perilogs += 1,
            E::PrologFinish { .. } => self.end_perilog("prolog-finish")?,
            E::EpilogFinish { .. } => self.end_perilog("epilog-finish")?,
            E::Exception(exception) if exception.severity.is_fatal() => {
                // The scheduler could not take its resources over: they are not its own.
                if exception.kind.as_str() == "scheduler-restart" {
                    self.has_resources = false;
                }
                self.end.get_or_insert_with(|| End::Exception {
                    kind: exception.kind.as_str().into(),
                    note: exception.note.as_str().into(),
                });
            }
            E::Clean => self.t_clean = timestamp,
            _ => {}
        }
        Ok(())
    }

    fn set_flags(&mut self, flags: &[String]) {
        for flag in flags {
            match flag.as_str() {
                "debug" => self.flags = self.flags | SubmitFlags::DEBUG,
                "alloc-bypass" => self.brings_resources = true,
                "immutable" => self.immutable = true,
                _ => {}
            }
        }
    }

    fn end_perilog(&mut self, event: &'static str) -> Result<(), Refused> {
        self.perilogs = self
            .perilogs
            .checked_sub(1)
            .ok_or(Refused::NotBegun(event))?;
        Ok(())
    }

    /// True if it has resources of the scheduler's.
    pub fn has_scheduled(&self) -> bool {
        self.has_resources && !self.bypasses
    }

    /// True if it posts `debug.*` events.
    pub fn is_debug(&self) -> bool {
        self.flags.contains(SubmitFlags::DEBUG)
    }
}

/// State of a job's request to the scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllocAsk {
    /// There is none.
    None,
    /// In our queue.
    Queued,
    /// With the scheduler.
    Sent,
    /// With the scheduler, and it was asked to give it back.
    Canceling,
}

/// State of a job's request to the execution service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecAsk {
    /// The request was never made.
    Never,
    /// The service has it.
    Sent,
    /// The service had it, or may have had it, and was lost. Its shells may be alive.
    Lost,
}

/// Next action of a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Say that this happened.
    Post(JobEvent),
    /// Find out its priority.
    Rank,
    /// Get in the queue for resources.
    Enqueue,
    /// Get out of the queue, or ask the scheduler to forget it.
    Dequeue,
    /// Ask the execution service to run it, or to find it again.
    Start,
    /// Give the resources back.
    Free,
    /// Nothing more, ever.
    Retire,
}

/// The next thing that a job needs now, if anything. Asking twice is safe.
pub fn due(life: &Life, alloc: AllocAsk, exec: ExecAsk, exec_is_there: bool) -> Option<Action> {
    match life.state {
        State::New => None,
        State::Depend => life
            .dependencies
            .is_empty()
            .then_some(Action::Post(JobEvent::Depend)),
        State::Priority => match alloc {
            AllocAsk::Queued | AllocAsk::Sent => Some(Action::Dequeue),
            _ => Some(Action::Rank),
        },
        State::Sched => {
            let is_held = life.priority.unwrap_or_default() == Priority::MIN;
            (!is_held && alloc == AllocAsk::None).then_some(Action::Enqueue)
        }
        State::Run => {
            let may_start = life.perilogs == 0 && !life.exec_done && exec != ExecAsk::Sent;
            (may_start && exec_is_there).then_some(Action::Start)
        }
        State::Cleanup => cleanup(life, alloc, exec, exec_is_there),
        State::Inactive => Some(Action::Retire),
    }
}

fn cleanup(life: &Life, alloc: AllocAsk, exec: ExecAsk, exec_is_there: bool) -> Option<Action> {
    if matches!(alloc, AllocAsk::Queued | AllocAsk::Sent) {
        return Some(Action::Dequeue);
    }
    if life.has_resources {
        return match exec {
            _ if life.perilogs > 0 => None,
            _ if life.exec_done => Some(Action::Free),
            ExecAsk::Never => Some(Action::Free),
            // Shells that may be alive must be found before others get their cores.
            ExecAsk::Lost => exec_is_there.then_some(Action::Start),
            ExecAsk::Sent => None,
        };
    }
    let exec_is_busy = exec == ExecAsk::Sent && !life.exec_done;
    (life.perilogs == 0 && !exec_is_busy).then_some(Action::Post(JobEvent::Clean))
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
