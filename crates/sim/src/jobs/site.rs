//! Requests of the operator of an instance with policies: configurations, and the states
//! of queues. The configuration outlives the processes, as a file does.

use std::collections::BTreeMap;

use proto::Object;
use serde_json::{Value, json};

use super::eras::Eras;
use super::terms::QUEUES;
use crate::rng::Rng;

/// A configuration, as far as it is not the same in all.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Conf {
    /// The second queue is there.
    pub has_debug: bool,
    /// Seconds.
    pub max_duration: Option<f64>,
    pub max_cores: Option<u32>,
    pub max_active: Option<usize>,
    pub max_running: Option<usize>,
}

/// One queue.
#[derive(Debug)]
pub(super) struct Queue {
    /// The queue accepts jobs.
    pub enabled: Eras<bool>,
    /// The queue was stopped, or is new, and nobody has asked for its start since.
    pub is_stopped: bool,
}

/// The operator's book.
#[derive(Debug)]
pub(crate) struct Site {
    pub(super) confs: Eras<Conf>,
    pub(super) queues: BTreeMap<&'static str, Queue>,
}

impl Default for Site {
    fn default() -> Site {
        let queue = |name| {
            let enabled = Eras::new(true);
            let is_stopped = true;
            (
                name,
                Queue {
                    enabled,
                    is_stopped,
                },
            )
        };
        Site {
            confs: Eras::new(Conf::first()),
            queues: QUEUES.into_iter().map(queue).collect(),
        }
    }
}

impl Site {
    /// The configuration that brokers begin with.
    pub(crate) fn config(&self) -> Object {
        let conf = self.confs.last().copied().unwrap_or_default();
        conf.object()
    }

    /// True if jobs of a queue certainly may not get resources.
    pub(super) fn is_stopped(&self, name: &str) -> bool {
        let is_own = |name: &str| self.queues.get(name).is_some_and(|queue| queue.is_stopped);
        // The third is a part of the first.
        is_own(name) || name == QUEUES[2] && is_own(QUEUES[0])
    }
}

impl Conf {
    /// First configuration.
    pub fn first() -> Conf {
        Conf {
            has_debug: true,
            ..Conf::default()
        }
    }

    /// The configuration of the end, in which every job can run.
    pub fn last() -> Conf {
        Conf {
            max_running: Some(2),
            ..Conf::first()
        }
    }

    /// One of chance.
    pub fn new(rng: &mut Rng) -> Conf {
        Conf {
            has_debug: rng.chance(70),
            max_duration: [None, None, Some(1.0)][rng.below(3)],
            max_cores: [None, None, Some(3)][rng.below(3)],
            max_active: [None, None, Some(6), Some(12)][rng.below(4)],
            max_running: [None, Some(0), Some(1), Some(3), Some(6)][rng.below(5)],
        }
    }

    pub fn has_queue(&self, name: &str) -> bool {
        name != QUEUES[1] || self.has_debug
    }

    /// A job without a time limit is longer than any.
    pub fn refuses_duration(&self, duration: f64) -> bool {
        let is_long = |max| duration <= 0.0 || duration > max;
        self.max_duration.is_some_and(is_long)
    }

    /// As an instance reads it.
    pub fn object(&self) -> Object {
        let mut queues = json!({ QUEUES[0]: {}, QUEUES[2]: {"parent": QUEUES[0]} });
        if self.has_debug {
            queues[QUEUES[1]] = json!({});
        }
        let mut limits = json!({});
        if let Some(max) = self.max_duration {
            limits["duration"] = json!(format!("{max}s"));
        }
        if let Some(max) = self.max_cores {
            limits["job-size"] = json!({"max": {"ncores": max}});
        }
        let mut active = json!({});
        active["max-active"] = json!(self.max_active.unwrap_or(MANY));
        active["max-running"] = json!(self.max_running.unwrap_or(MANY));
        let Object(mut config) = super::config(1);
        let mut set = |key: &str, value: Value| drop(config.insert(key.to_owned(), value));
        set("queues", queues);
        let default = json!({"defaults": {"system": {"queue": QUEUES[0]}}});
        set("policy", json!({"limits": limits, "jobspec": default}));
        let plugins = json!([{"load": "limit-active"}]);
        set(
            "job-manager",
            json!({"plugins": plugins, "limit-active": active}),
        );
        Object(config)
    }
}

/// More jobs than there are.
const MANY: usize = 1000;
