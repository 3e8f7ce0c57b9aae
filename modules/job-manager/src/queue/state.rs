//! One queue: whether it takes jobs and whether it runs them, as its owner said.

use proto::job_manager::CheckpointQueue;

/// Reason of a queue that `stop-queues-on-restart` stopped.
const STOPPED_ON_RESTART: &str = "Automatically stopped due to restart";

/// One queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// The queue accepts jobs.
    pub enable: bool,
    /// The queue runs its jobs, unless its parent holds them back.
    pub start: bool,
    /// Reason for not accepting jobs.
    pub disable_reason: Option<String>,
    /// Reason for not starting jobs.
    pub stop_reason: Option<String>,
    /// Start state in the checkpoint, if the current state is not to be saved.
    kept_start: Option<(bool, Option<String>)>,
}

impl Queue {
    /// One that nobody has said anything of.
    pub const fn new(start: bool) -> Queue {
        Queue {
            enable: true,
            start,
            disable_reason: None,
            stop_reason: None,
            kept_start: None,
        }
    }

    /// Takes jobs, or not.
    pub fn set_enable(&mut self, enable: bool, reason: Option<String>) {
        self.enable = enable;
        self.disable_reason = reason.filter(|_| !enable);
    }

    /// Sets whether it starts jobs; a state that is not to be kept ends with the next
    /// start.
    pub fn set_start(&mut self, start: bool, reason: Option<String>, is_kept: bool) {
        let before = (self.start, self.stop_reason.take());
        self.start = start;
        self.stop_reason = reason.filter(|_| !start);
        self.kept_start = match is_kept {
            true => None,
            false => self.kept_start.take().or(Some(before)),
        };
    }

    /// State for the checkpoint.
    pub fn checkpoint(&self, name: Option<&str>) -> CheckpointQueue {
        let (start, stop_reason) = match &self.kept_start {
            Some(kept) => kept.clone(),
            None => (self.start, self.stop_reason.clone()),
        };
        CheckpointQueue {
            name: name.map(str::to_owned),
            enable: self.enable,
            start,
            disable_reason: self.disable_reason.clone(),
            stop_reason,
            rest: serde_json::Map::new(),
        }
    }

    /// The queue that a checkpoint describes.
    pub fn of(entry: &CheckpointQueue, stops_on_restart: bool) -> Queue {
        let mut queue = Queue {
            enable: entry.enable,
            start: entry.start,
            disable_reason: entry.disable_reason.clone().filter(|_| !entry.enable),
            stop_reason: entry.stop_reason.clone().filter(|_| !entry.start),
            kept_start: None,
        };
        if stops_on_restart && queue.start {
            queue.set_start(false, Some(STOPPED_ON_RESTART.to_owned()), true);
        }
        queue
    }
}
