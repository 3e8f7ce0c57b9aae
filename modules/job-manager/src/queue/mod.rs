//! The queues (RFC 33, protocol/11 section 11, protocol/25 section 2): the anonymous one, or
//! those that the configuration names. Their state, set by the owner, survives a change of
//! the configuration, and a restart, in `checkpoint.job-manager`.
//!
//! Jobs know their queue by number. A number stays with its name, also when the queue is no
//! longer configured: its jobs wait for it to come back. Read on in `state.rs` (one queue).

mod state;

use std::collections::BTreeMap;
use std::rc::Rc;

use proto::config::{self, keys};
use proto::job_manager::{CheckpointQueue, QueueError, QueueState};
use proto::{Object, Refusal};

pub use state::Queue;

/// A queue by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct QueueId(u32);

impl QueueId {
    /// Queue of jobs that name none.
    pub const ANONYMOUS: QueueId = QueueId(0);

    /// The Nth.
    pub fn at(n: usize) -> QueueId {
        QueueId(u32::try_from(n).unwrap_or(u32::MAX))
    }

    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One name that a job or the configuration has used.
#[derive(Debug)]
struct Known {
    /// Empty for the anonymous queue.
    name: Rc<str>,
    /// Absent while it is not configured.
    queue: Option<Queue>,
}

/// The queues.
#[derive(Debug)]
pub struct Queues {
    /// By number; the anonymous one first.
    known: Vec<Known>,
    by_name: BTreeMap<Rc<str>, QueueId>,
    conf: config::Queues,
}

impl Default for Queues {
    fn default() -> Self {
        let anonymous = Known {
            name: "".into(),
            queue: Some(Queue::new(true)),
        };
        Queues {
            known: vec![anonymous],
            by_name: BTreeMap::new(),
            conf: config::Queues::default(),
        }
    }
}

impl Queues {
    /// Takes over the configuration. Queues that stay keep their state, new ones are stopped,
    /// and the anonymous one is there when there are no others. True if a queue was removed:
    /// its saved state must not be found by a later one of its name.
    pub fn configure(&mut self, conf: config::Queues) -> bool {
        let mut has_gone = false;
        for name in conf.named.keys() {
            self.intern(Some(name));
        }
        for known in &mut self.known {
            let is_anonymous = known.name.is_empty();
            let is_there = match is_anonymous {
                true => conf.named.is_empty(),
                false => conf.get(&known.name).is_some(),
            };
            has_gone |= known.queue.is_some() && !is_there;
            let queue = known.queue.take().filter(|_| is_there);
            known.queue = queue.or_else(|| is_there.then(|| Queue::new(is_anonymous)));
        }
        self.conf = conf;
        has_gone
    }

    /// Configuration of them and of the whole instance.
    pub fn conf(&self) -> &config::Queues {
        &self.conf
    }

    /// The number of a name, a new one if it was never used.
    pub fn intern(&mut self, name: Option<&str>) -> QueueId {
        let Some(name) = name else {
            return QueueId::ANONYMOUS;
        };
        if let Some(id) = self.by_name.get(name) {
            return *id;
        }
        let id = QueueId::at(self.known.len());
        let name: Rc<str> = name.into();
        self.by_name.insert(name.clone(), id);
        self.known.push(Known { name, queue: None });
        id
    }

    /// True if there are others than the anonymous one.
    pub fn is_named(&self) -> bool {
        self.get(QueueId::ANONYMOUS).is_none()
    }

    /// The queues that are configured, by number.
    pub fn all(&self) -> impl Iterator<Item = QueueId> + '_ {
        let all = self.known.iter().enumerate();
        let there = all.filter(|(_, known)| known.queue.is_some());
        there.map(|(n, _)| QueueId::at(n))
    }

    /// The name of a queue, `None` for the anonymous one.
    pub fn name(&self, id: QueueId) -> Option<&str> {
        let name = self.known.get(id.index()).map(|known| &*known.name);
        name.filter(|name| !name.is_empty())
    }

    /// A queue that is configured.
    pub fn get(&self, id: QueueId) -> Option<&Queue> {
        self.known.get(id.index())?.queue.as_ref()
    }

    fn get_mut(&mut self, id: QueueId) -> Option<&mut Queue> {
        self.known.get_mut(id.index())?.queue.as_mut()
    }

    /// The queue that `name` stands for.
    pub fn find(&self, name: Option<&str>) -> Result<QueueId, QueueError> {
        let Some(name) = name else {
            return match self.is_named() {
                true => Err(QueueError::NameRequired),
                false => Ok(QueueId::ANONYMOUS),
            };
        };
        let there = self.by_name.get(name).copied();
        there
            .filter(|id| self.get(*id).is_some())
            .ok_or_else(|| QueueError::Invalid(name.to_owned()))
    }

    /// The queues that a command without a name is for, or with one.
    pub fn meant(&self, name: Option<&str>, all: bool) -> Result<Vec<QueueId>, QueueError> {
        match name {
            Some(name) => Ok(vec![self.find(Some(name))?]),
            None if self.is_named() && !all => Err(QueueError::UseAll),
            None => Ok(self.all().collect()),
        }
    }

    /// Checks that a queue accepts jobs, with the reason if not.
    pub fn admits(&self, id: QueueId) -> Result<(), String> {
        match (self.get(id), self.name(id)) {
            (Some(Queue { enable: true, .. }), _) => Ok(()),
            (queue, name) => {
                let reason = queue.and_then(|queue| queue.disable_reason.as_deref());
                let to = name.map(|name| format!(" to {name}")).unwrap_or_default();
                let reason = reason.unwrap_or_default();
                Err(format!("job submission{to} is disabled: {reason}"))
            }
        }
    }

    /// Lets a queue take jobs, or not.
    pub fn set_enable(&mut self, id: QueueId, enable: bool, reason: Option<String>) {
        if let Some(queue) = self.get_mut(id) {
            queue.set_enable(enable, reason);
        }
    }

    /// Lets a queue run jobs, or not.
    pub fn set_start(&mut self, id: QueueId, start: bool, reason: Option<String>, is_kept: bool) {
        if let Some(queue) = self.get_mut(id) {
            queue.set_start(start, reason, is_kept);
        }
    }

    /// The queue that a queue is a part of.
    pub fn parent(&self, id: QueueId) -> Option<QueueId> {
        let queue = self.conf.get(self.name(id)?)?;
        self.by_name.get(queue.parent.as_deref()?).copied()
    }

    /// Properties that the nodes of a queue have.
    pub fn requires(&self, id: QueueId) -> &[String] {
        self.name(id).map_or(&[], |name| self.conf.requires(name))
    }

    /// True if a queue starts jobs: it is started, and its parent is.
    pub fn runs(&self, id: QueueId) -> bool {
        let is_started = |id: QueueId| self.get(id).is_some_and(|queue| queue.start);
        is_started(id) && self.parent(id).is_none_or(is_started)
    }

    /// The state of a queue as clients see it.
    pub fn state(&self, id: QueueId, scheduler_is_there: bool) -> Option<QueueState> {
        let queue = self.get(id)?;
        let parent = self.parent(id).and_then(|parent| self.name(parent));
        let (blocked, stop_reason) = match (queue.start, scheduler_is_there, parent) {
            (false, ..) => (None, queue.stop_reason.clone()),
            (true, false, _) => (Some("scheduler"), Some("Scheduler is offline".to_owned())),
            (true, true, Some(parent)) if !self.runs(id) => {
                let reason = format!("parent queue '{parent}' is stopped");
                (Some("parent"), Some(reason))
            }
            (true, true, _) => (None, None),
        };
        Some(QueueState {
            enable: queue.enable,
            start: queue.start && blocked.is_none(),
            disable_reason: queue.disable_reason.clone(),
            stop_reason,
            parent: parent.map(str::to_owned),
            blocked: blocked.map(str::to_owned),
        })
    }

    /// State for the checkpoint.
    pub fn checkpoint(&self) -> Vec<CheckpointQueue> {
        let all = self.known.iter().enumerate();
        let there = all.filter_map(|(n, known)| {
            let name = (n > 0).then_some(&*known.name);
            Some(known.queue.as_ref()?.checkpoint(name))
        });
        there.collect()
    }

    /// Restores the state in a checkpoint of queues that are configured.
    pub fn restore(&mut self, entries: &[CheckpointQueue], stops_on_restart: bool) -> bool {
        let mut has_gone = false;
        for entry in entries {
            let id = self.find(entry.name.as_deref()).ok();
            match id.and_then(|id| self.get_mut(id)) {
                Some(queue) => *queue = Queue::of(entry, stops_on_restart),
                None => has_gone = true,
            }
        }
        has_gone
    }
}

/// True if a restart stops the queues.
pub fn stops_on_restart(conf: &Object) -> Result<bool, Refusal> {
    let stops = keys::JOB_MANAGER_STOP_QUEUES_ON_RESTART.read(conf)?;
    Ok(stops.unwrap_or(false))
}

#[cfg(test)]
mod tests;
