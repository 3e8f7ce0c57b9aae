//! What a job wants, in the few numbers that placing it takes. Pure.

use proto::data::{Constraint, Jobspec};
use proto::feasibility::CheckError;

/// A job's wish.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Nodes; 0 when only slots are asked for.
    pub nnodes: u64,
    /// Slots on all nodes together.
    pub nslots: u64,
    /// Cores of one slot.
    pub slot_cores: u64,
    /// GPUs of one slot.
    pub slot_gpus: u64,
    /// Whole nodes.
    pub exclusive: bool,
    /// Time limit in seconds; 0 for none.
    pub duration: f64,
    /// Which ranks will do; `None` for all.
    pub constraint: Option<Constraint>,
}

impl Request {
    /// Reads a jobspec.
    pub fn new(jobspec: &Jobspec) -> Result<Request, CheckError> {
        let resources = jobspec.get("resources").and_then(|r| r.as_array());
        if resources.is_none_or(Vec::is_empty) {
            return Err(CheckError::NoResources);
        }
        let malformed = |text: String| CheckError::Malformed(text);
        let counts = jobspec.counts().map_err(|e| malformed(e.to_string()))?;
        let constraint = match jobspec.constraints() {
            None | Some(serde_json::Value::Null) => None,
            Some(value) => {
                let constraint = Constraint::parse(value).map_err(|e| malformed(e.to_string()))?;
                (!constraint.is_any()).then_some(constraint)
            }
        };
        Ok(Request {
            nnodes: counts.nnodes,
            nslots: counts.nslots,
            slot_cores: counts.slot_size,
            slot_gpus: counts.slot_gpus,
            exclusive: counts.exclusive,
            duration: counts.duration,
            constraint,
        })
    }

    /// Cores and GPUs on each node, when nodes are asked for.
    pub fn per_node(&self) -> (u64, u64) {
        let slots = self.nslots / self.nnodes.max(1);
        (
            slots.saturating_mul(self.slot_cores),
            slots.saturating_mul(self.slot_gpus),
        )
    }

    /// Number of slots that fit into these cores and GPUs.
    pub fn slots_in(&self, cores: u64, gpus: u64) -> u64 {
        let by_cores = cores / self.slot_cores.max(1);
        match self.slot_gpus {
            0 => by_cores,
            slot_gpus => by_cores.min(gpus / slot_gpus),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(jobspec: &str, expect: &str) {
        let outcome = match Request::new(&Jobspec::decode(jobspec).unwrap()) {
            Ok(r) => format!(
                "{} {} {} {} {} {} {}",
                r.nnodes,
                r.nslots,
                r.slot_cores,
                r.slot_gpus,
                r.exclusive,
                r.duration,
                r.constraint.is_some()
            ),
            Err(error) => error.to_string(),
        };
        assert!(outcome.starts_with(expect), "{outcome}");
    }

    #[test]
    fn a_jobspec_comes_down_to_numbers() {
        let slot = r#"{"type":"slot","count":2,"label":"task","with":[{"type":"core","count":3},{"type":"gpu","count":1}]}"#;
        let tasks = r#""tasks":[{"command":["true"],"slot":"task","count":{"per_slot":1}}]"#;
        let attributes =
            r#""attributes":{"system":{"duration":60,"constraints":{"ranks":["0"]}}},"version":1"#;
        check(
            &format!(r#"{{"resources":[{slot}],{tasks},{attributes}}}"#),
            "0 2 3 1 false 60 true",
        );
        let node = format!(r#"{{"type":"node","count":4,"exclusive":true,"with":[{slot}]}}"#);
        check(
            &format!(r#"{{"resources":[{node}],{tasks},{attributes}}}"#),
            "4 8 3 1 true 60 true",
        );
    }

    #[test]
    fn nonsense_is_refused() {
        check("{}", "jobspec has no resources");
        check(r#"{"resources":[]}"#, "jobspec has no resources");
        check(
            r#"{"resources":[{"type":"cow"}]}"#,
            "cannot parse jobspec: ",
        );
    }
}
