//! The anonymous queue (protocol/11 section 11): whether it takes jobs and whether it runs
//! them. What its owner said survives a restart in `checkpoint.job-manager`.

use proto::job_manager::{Checkpoint, CheckpointQueue, QueueError, QueueState};

/// The anonymous queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// It takes jobs.
    pub enable: bool,
    /// It runs them.
    pub start: bool,
    /// Why it takes none.
    pub disable_reason: Option<String>,
    /// Why it runs none.
    pub stop_reason: Option<String>,
    /// What the checkpoint says of running, when the owner wanted another state to be
    /// forgotten.
    kept_start: Option<(bool, Option<String>)>,
}

impl Default for Queue {
    fn default() -> Self {
        Queue {
            enable: true,
            start: true,
            disable_reason: None,
            stop_reason: None,
            kept_start: None,
        }
    }
}

impl Queue {
    /// Whether a request that names `name` is for this queue.
    pub fn is_meant(name: Option<&str>) -> Result<(), QueueError> {
        match name {
            Some(name) => Err(QueueError::Invalid(name.to_owned())),
            None => Ok(()),
        }
    }

    /// Takes jobs, or not.
    pub fn set_enable(&mut self, enable: bool, reason: Option<String>) {
        self.enable = enable;
        self.disable_reason = reason.filter(|_| !enable);
    }

    /// Runs jobs, or not; a state that is not to be kept is over at the next start.
    pub fn set_start(&mut self, start: bool, reason: Option<String>, is_kept: bool) {
        let before = (self.start, self.stop_reason.take());
        self.start = start;
        self.stop_reason = reason.filter(|_| !start);
        self.kept_start = match is_kept {
            true => None,
            false => self.kept_start.take().or(Some(before)),
        };
    }

    /// Why a job in queue `queue` is not taken, if it is not.
    pub fn refusal(&self, queue: Option<&str>) -> Option<String> {
        match (queue, self.enable) {
            (Some(name), _) => Some(format!("'{name}' is not a valid queue")),
            (None, true) => None,
            (None, false) => {
                let reason = self.disable_reason.as_deref().unwrap_or("");
                Some(format!("job submission is disabled: {reason}"))
            }
        }
    }

    /// Its state as it is told.
    pub fn state(&self, scheduler_is_there: bool) -> QueueState {
        let is_blocked = self.start && !scheduler_is_there;
        QueueState {
            enable: self.enable,
            start: self.start && !is_blocked,
            disable_reason: self.disable_reason.clone(),
            stop_reason: match is_blocked {
                true => Some("Scheduler is offline".to_owned()),
                false => self.stop_reason.clone(),
            },
            parent: None,
            blocked: is_blocked.then(|| "scheduler".to_owned()),
        }
    }

    /// What the checkpoint says of it.
    pub fn checkpoint(&self) -> CheckpointQueue {
        let (start, stop_reason) = match &self.kept_start {
            Some(kept) => kept.clone(),
            None => (self.start, self.stop_reason.clone()),
        };
        CheckpointQueue {
            name: None,
            enable: self.enable,
            start,
            disable_reason: self.disable_reason.clone(),
            stop_reason,
            rest: serde_json::Map::new(),
        }
    }

    /// The queue that a checkpoint describes.
    pub fn of(checkpoint: &Checkpoint) -> Queue {
        let ours = checkpoint.queue.iter().find(|queue| queue.name.is_none());
        ours.map_or(Queue::default(), |queue| Queue {
            enable: queue.enable,
            start: queue.start,
            disable_reason: queue.disable_reason.clone(),
            stop_reason: queue.stop_reason.clone(),
            kept_start: None,
        })
    }
}
