//! Requests of a job to the policies of an instance: its dependencies and its queue.

use proto::data::JobId;
use serde_json::{Value, json};

use crate::rng::Rng;

/// The named queues of an instance with policies: the first is where jobs go that name none,
/// the second comes and goes, the third is a part of the first.
pub(super) const QUEUES: [&str; 3] = ["batch", "debug", "night"];

/// Names that jobs share, so that one of them runs at a time.
const GROUPS: [&str; 2] = ["red", "blue"];
/// Farthest begin time, in milliseconds.
const BEGIN_MS_MAX: usize = 3000;

/// Event of another job to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Start,
    Any,
    Success,
    Failure,
    Except,
}

/// The terms of a job; none of them by default.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Terms {
    pub after: Vec<(Scheme, JobId)>,
    /// Seconds since the epoch.
    pub begin: Option<f64>,
    /// Runs alone among those of its name.
    pub singleton: bool,
    /// A name that others have too.
    pub group: Option<&'static str>,
    pub queue: Option<&'static str>,
}

impl Scheme {
    const ALL: [Scheme; 5] = [
        Scheme::Start,
        Scheme::Any,
        Scheme::Success,
        Scheme::Failure,
        Scheme::Except,
    ];

    /// As it is asked for.
    pub fn word(self) -> &'static str {
        match self {
            Scheme::Start => "afterstart",
            Scheme::Any => "afterany",
            Scheme::Success => "afterok",
            Scheme::Failure => "afternotok",
            Scheme::Except => "afterexcept",
        }
    }

    /// As events describe it (protocol/25 section 1.3).
    pub fn description(self, id: JobId) -> String {
        let word = match self {
            Scheme::Start => "start",
            Scheme::Any => "finish",
            Scheme::Success => "success",
            Scheme::Failure => "failure",
            Scheme::Except => "except",
        };
        format!("after-{word}={id}")
    }
}

impl Terms {
    /// Terms of chance, with the known data of other jobs.
    pub fn new(rng: &mut Rng, jobs: &[JobId], now: f64) -> Terms {
        let n_after = [0, 0, 1, 1, 2][rng.below(5)].min(jobs.len());
        let mut after: Vec<(Scheme, JobId)> = Vec::new();
        for _ in 0..n_after {
            // One of the last few: older ones have ended.
            let recent = &jobs[jobs.len().saturating_sub(6)..];
            let id = recent[rng.below(recent.len())];
            let pair = (Scheme::ALL[rng.below(Scheme::ALL.len())], id);
            if !after.contains(&pair) {
                after.push(pair);
            }
        }
        let begin = rng.chance(15);
        let ms = rng.below(BEGIN_MS_MAX) as f64;
        let group = rng.chance(30).then(|| GROUPS[rng.below(GROUPS.len())]);
        // A singleton waits for all of its name that do not wait as one: one of them that waited for
        // it, maybe through others, would wait for ever, as it does in Flux.
        let would_wait_for_ever = !after.is_empty();
        Terms {
            after,
            begin: begin.then_some(now + ms / 1000.0),
            singleton: group.is_some() && (rng.chance(70) || would_wait_for_ever),
            group,
            queue: [None, Some(QUEUES[0]), Some(QUEUES[1]), Some(QUEUES[2])][rng.below(4)],
        }
    }

    /// The entries of a jobspec.
    pub fn dependencies(&self) -> Vec<Value> {
        let entry = |scheme: &str, value: String| json!({"scheme": scheme, "value": value});
        let after = self.after.iter();
        let after = after.map(|(scheme, id)| entry(scheme.word(), id.to_string()));
        let begin = self.begin.map(|at| entry("begin-time", at.to_string()));
        let singleton = self.singleton.then(|| entry("singleton", String::new()));
        after.chain(begin).chain(singleton).collect()
    }
}
