//! Amounts that a jobspec requests: nodes, slots, cores, GPUs and tasks (RFC 25).
//!
//! Walks the one chain of resources that version 1 allows. The texts of its errors are
//! shown by policy checks and listings.

use serde_json::{Map, Value};

use super::Jobspec;
use crate::data::shape::{mismatch, not_found};

/// Amounts that a jobspec requests.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Counts {
    /// Nodes; 0 if the jobspec leaves the number open.
    pub nnodes: u64,
    /// Slots on all nodes together.
    pub nslots: u64,
    /// Cores of one slot.
    pub slot_size: u64,
    /// GPUs of one slot.
    pub slot_gpus: u64,
    /// True if no other job may use the nodes.
    pub exclusive: bool,
    /// Time limit in seconds, 0 for none.
    pub duration: f64,
}

/// Reasons for which amounts cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CountError {
    /// There is no slot, or its count is zero.
    #[error("Unable to determine slot count")]
    NoSlots,
    /// The slot has no core.
    #[error("Unable to determine slot size")]
    NoSlotSize,
    /// A count is not positive.
    #[error("Invalid count {count} for type '{kind}'")]
    Count {
        /// The count.
        count: i64,
        /// The type of resource.
        kind: String,
    },
    /// A key outside the resources is missing or wrong.
    #[error("at top level: {0}")]
    TopLevel(String),
    /// A key of a resource is missing or wrong; levels count from 0 down the chain.
    #[error("level {level}: {reason}")]
    Level {
        /// Depth in the resource tree.
        level: usize,
        /// Error found there.
        reason: String,
    },
    /// The product of the counts is too large.
    #[error("resource counts are too large")]
    TooLarge,
}

/// Levels of resources that are visited; a V1 chain has three.
const LEVELS_MAX: usize = 16;

impl Counts {
    /// Cores of all slots together.
    pub const fn ncores(&self) -> u64 {
        self.nslots.saturating_mul(self.slot_size)
    }

    /// GPUs of all slots together.
    pub const fn ngpus(&self) -> u64 {
        self.nslots.saturating_mul(self.slot_gpus)
    }
}

impl Jobspec {
    /// The numbers of a V1 jobspec.
    pub fn counts(&self) -> Result<Counts, CountError> {
        let resources = self.resources()?;
        let mut counts = Counts {
            duration: self.checked_duration()?,
            ..Counts::default()
        };
        walk(resources, 0, &mut counts)?;
        if counts.nslots == 0 {
            return Err(CountError::NoSlots);
        }
        if counts.slot_size == 0 {
            return Err(CountError::NoSlotSize);
        }
        if counts.nnodes > 0 {
            counts.nslots = counts
                .nslots
                .checked_mul(counts.nnodes)
                .ok_or(CountError::TooLarge)?;
        }
        let total = counts
            .nslots
            .checked_mul(counts.slot_size.max(counts.slot_gpus));
        total.map(|_| counts).ok_or(CountError::TooLarge)
    }

    /// Number of tasks of the job, as far as the jobspec alone shows: a number per node of a job
    /// whose nodes are left open counts one node.
    pub fn ntasks(&self) -> Result<u64, CountError> {
        let count = self.task().and_then(|task| task.get("count"));
        if let Some(total) = count.and_then(|count| count.get("total")?.as_u64()) {
            return Ok(total);
        }
        let counts = self.counts()?;
        if let Some((kind, per_resource)) = self.per_resource() {
            let resources = if kind == "node" {
                counts.nnodes.max(1)
            } else {
                counts.ncores()
            };
            return resources
                .checked_mul(per_resource)
                .ok_or(CountError::TooLarge);
        }
        let per_slot = count
            .and_then(|count| count.get("per_slot")?.as_u64())
            .unwrap_or(1);
        counts
            .nslots
            .checked_mul(per_slot)
            .ok_or(CountError::TooLarge)
    }

    /// Type (`node` or `core`) and count of the shell option `per-resource`, if it is set.
    pub fn per_resource(&self) -> Option<(&str, u64)> {
        let option = self.shell_option("per-resource")?;
        let kind = option.get("type")?.as_str()?;
        let count = option.get("count").map_or(Some(1), Value::as_u64)?;
        matches!(kind, "node" | "core").then_some((kind, count))
    }

    fn resources(&self) -> Result<&[Value], CountError> {
        let missing = || CountError::TopLevel(not_found("resources"));
        let resources = self.object().get("resources").ok_or_else(missing)?;
        resources
            .as_array()
            .map(Vec::as_slice)
            .ok_or_else(|| CountError::TopLevel(mismatch("array", resources)))
    }

    fn checked_duration(&self) -> Result<f64, CountError> {
        let fail = |reason: String| CountError::TopLevel(format!("getting duration: {reason}"));
        let duration = self
            .system("duration")
            .ok_or_else(|| fail(not_found("duration")))?;
        duration
            .as_f64()
            .ok_or_else(|| fail(mismatch("real or integer", duration)))
    }
}

fn walk(resources: &[Value], level: usize, counts: &mut Counts) -> Result<(), CountError> {
    let at_level = |reason: String| CountError::Level { level, reason };
    if level == LEVELS_MAX {
        return Err(at_level("too many levels".to_owned()));
    }
    for vertex in resources {
        let vertex = vertex
            .as_object()
            .ok_or_else(|| at_level(mismatch("object", vertex)))?;
        let kind = vertex
            .get("type")
            .ok_or_else(|| at_level(not_found("type")))?;
        let kind = kind
            .as_str()
            .ok_or_else(|| at_level(mismatch("string", kind)))?;
        let count = read_count(vertex, kind, level)?;
        if let Some(true) = vertex.get("exclusive").and_then(Value::as_bool) {
            counts.exclusive = true;
        }
        match kind {
            "node" => counts.nnodes = count,
            "slot" => counts.nslots = count,
            "core" => counts.slot_size = count,
            "gpu" => counts.slot_gpus = count,
            _ => {}
        }
        match vertex.get("with") {
            None => {}
            Some(Value::Array(with)) => walk(with, level + 1, counts)?,
            Some(with) => return Err(at_level(mismatch("array", with))),
        }
    }
    Ok(())
}

fn read_count(vertex: &Map<String, Value>, kind: &str, level: usize) -> Result<u64, CountError> {
    let at_level = |reason: String| CountError::Level { level, reason };
    let count = vertex
        .get("count")
        .ok_or_else(|| at_level(not_found("count")))?;
    let count = count
        .as_i64()
        .ok_or_else(|| at_level(mismatch("integer", count)))?;
    match u64::try_from(count) {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(CountError::Count {
            count,
            kind: kind.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `nnodes nslots slot_size slot_gpus exclusive ntasks`, or the error.
    fn check(resources: Value, task: Value, options: Value, expect: &str) {
        let jobspec = json!({
            "resources": resources,
            "tasks": [{ "command": ["x"], "slot": "task", "count": task }],
            "attributes": { "system": { "duration": 0, "shell": { "options": options } } },
            "version": 1
        });
        let jobspec = Jobspec::from_object(jobspec.as_object().unwrap().clone());
        let outcome = jobspec.counts().and_then(|c| {
            let ntasks = jobspec.ntasks()?;
            Ok(format!(
                "{} {} {} {} {} {ntasks}",
                c.nnodes, c.nslots, c.slot_size, c.slot_gpus, c.exclusive
            ))
        });
        assert_eq!(outcome.unwrap_or_else(|error| error.to_string()), expect);
    }

    fn slot(count: i64, cores: i64) -> Value {
        let with = json!([{"type": "core", "count": cores}]);
        json!({"type": "slot", "count": count, "with": with, "label": "task"})
    }

    fn node(count: i64, slot: Value) -> Value {
        json!({"type": "node", "count": count, "exclusive": true, "with": [slot]})
    }

    #[test]
    fn counts_follow_the_chain() {
        let per_slot = || json!({"per_slot": 1});
        check(
            json!([slot(4, 2)]),
            per_slot(),
            json!({}),
            "0 4 2 0 false 4",
        );
        check(
            json!([node(2, slot(3, 1))]),
            per_slot(),
            json!({}),
            "2 6 1 0 true 6",
        );
        check(
            json!([node(2, slot(2, 1))]),
            json!({"total": 3}),
            json!({}),
            "2 4 1 0 true 3",
        );
        check(
            json!([slot(2, 1)]),
            json!({"per_slot": 3}),
            json!({}),
            "0 2 1 0 false 6",
        );
        let gpus = json!({"type": "slot", "count": 2, "with": [{"type": "core", "count": 4}, {"type": "gpu", "count": 1}], "label": "task"});
        check(json!([gpus]), per_slot(), json!({}), "0 2 4 1 false 2");
    }

    #[test]
    fn tasks_can_be_counted_per_resource() {
        let per_slot = || json!({"per_slot": 1});
        let option =
            |kind: &str, count: i64| json!({"per-resource": {"type": kind, "count": count}});
        check(
            json!([node(2, slot(1, 4))]),
            per_slot(),
            option("node", 3),
            "2 2 4 0 true 6",
        );
        check(
            json!([node(2, slot(1, 4))]),
            per_slot(),
            option("core", 1),
            "2 2 4 0 true 8",
        );
        check(
            json!([slot(5, 1)]),
            per_slot(),
            json!({"per-resource": {"type": "node"}}),
            "0 5 1 0 false 1",
        );
        check(
            json!([slot(5, 1)]),
            per_slot(),
            option("moon", 2),
            "0 5 1 0 false 5",
        );
    }

    #[test]
    fn what_cannot_be_counted_is_named() {
        let per_slot = || json!({"per_slot": 1});
        check(
            json!([]),
            per_slot(),
            json!({}),
            "Unable to determine slot count",
        );
        check(
            json!([{"type": "slot", "count": 1, "label": "t"}]),
            per_slot(),
            json!({}),
            "Unable to determine slot size",
        );
        check(
            json!([slot(0, 1)]),
            per_slot(),
            json!({}),
            "Invalid count 0 for type 'slot'",
        );
        check(
            json!([slot(1, -1)]),
            per_slot(),
            json!({}),
            "Invalid count -1 for type 'core'",
        );
        check(
            json!([{"count": 1}]),
            per_slot(),
            json!({}),
            "level 0: Object item not found: type",
        );
        check(
            json!([node(1, json!(7))]),
            per_slot(),
            json!({}),
            "level 1: Expected object, got integer",
        );
        let range = json!({"type": "slot", "count": {"min": 1}});
        check(
            json!([range]),
            per_slot(),
            json!({}),
            "level 0: Expected integer, got object",
        );
        check(
            json!({}),
            per_slot(),
            json!({}),
            "at top level: Expected array, got object",
        );
        check(
            json!([node(i64::MAX, slot(i64::MAX, 1))]),
            per_slot(),
            json!({}),
            "resource counts are too large",
        );
        check(
            json!([slot(i64::MAX, 4)]),
            per_slot(),
            json!({}),
            "resource counts are too large",
        );
        let missing = Jobspec::decode(r#"{"resources":[]}"#)
            .unwrap()
            .counts()
            .unwrap_err();
        assert_eq!(
            missing.to_string(),
            "at top level: getting duration: Object item not found: duration"
        );
    }
}
