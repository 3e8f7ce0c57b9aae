//! The fields of `flux jobs` that are asked of an instance which runs as a job:
//! `instance.stats`, `instance.resources.up.nnodes` and the like.

use client::{Call, Handle};
use proto::job_list::{JobCounts, JobStats};
use proto::resource::{SchedStatus, SchedStatusReply};

use super::job::Job;
use super::parallel::in_parallel;
use super::reach::Reach;
use crate::commands::resource::list::{STATES, part};
use command::error::CliError;
use format::Value;

/// Data of an instance.
#[derive(Debug, Clone)]
pub struct Instance {
    counts: JobCounts,
    resources: SchedStatusReply,
}

/// Field of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceField {
    /// Jobs by state, in a few words.
    Stats,
    /// Number of jobs ever submitted.
    Total,
    /// Part of the jobs that are inactive.
    Progress,
    /// The part of the cores that is in use.
    Cores,
    /// The part of the GPUs that is in use.
    Gpus,
    /// Number of nodes, cores or GPUs in a state.
    Resources(&'static str, Kind),
}

/// Kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nodes.
    Nodes,
    /// Cores.
    Cores,
    /// GPUs.
    Gpus,
}

/// Attributes of a job needed to find its instance.
pub const ATTRS: &[&str] = &["annotations", "state"];

impl InstanceField {
    /// The field and its heading, from the part after `instance.`.
    pub fn resolve(name: &str) -> Option<(InstanceField, &'static str)> {
        Some(match name {
            "stats" => (InstanceField::Stats, "STATS"),
            "stats.total" => (InstanceField::Total, "NJOBS"),
            "progress" => (InstanceField::Progress, "PROG"),
            "utilization" => (InstanceField::Cores, "CORE%"),
            "gpu_utilization" => (InstanceField::Gpus, "GPU%"),
            _ => {
                let (state, kind) = name.strip_prefix("resources.")?.split_once('.')?;
                let state = STATES.into_iter().find(|known| *known == state)?;
                let (kind, all) = match kind {
                    "nnodes" => (Kind::Nodes, "NODES"),
                    "ncores" => (Kind::Cores, "CORES"),
                    "ngpus" => (Kind::Gpus, "GPUS"),
                    _ => return None,
                };
                let heading = match state {
                    "up" => "UP",
                    "down" => "DOWN",
                    "allocated" => "USED",
                    "free" => "FREE",
                    _ => all,
                };
                (InstanceField::Resources(state, kind), heading)
            }
        })
    }

    /// Value of the field for an instance.
    pub fn get(self, instance: &Instance) -> Value<'static> {
        let counts = &instance.counts;
        let states = &counts.job_states;
        let int = |number: u64| Value::int(i64::try_from(number).ok());
        match self {
            InstanceField::Stats => {
                let pending = states.depend + states.priority + states.sched;
                let running = states.run + states.cleanup;
                let failed = counts.failed + counts.canceled + counts.timeout;
                let done = counts.successful;
                let text = format!("PD:{pending} R:{running} CD:{done} F:{failed}");
                Value::Text(text.into())
            }
            InstanceField::Total => int(states.total),
            InstanceField::Progress => ratio(states.inactive, states.total),
            InstanceField::Cores => instance.used(Kind::Cores),
            InstanceField::Gpus => instance.used(Kind::Gpus),
            InstanceField::Resources(state, kind) => {
                instance.count(state, kind).map_or(Value::None, int)
            }
        }
    }
}

impl Instance {
    /// Asks the instance of `handle`.
    pub fn ask(handle: &mut Handle) -> Result<Instance, CliError> {
        Ok(Instance {
            counts: handle.rpc(&JobStats)?.all,
            resources: handle.call(Call::new(&SchedStatus).to(0))?,
        })
    }

    fn count(&self, state: &str, kind: Kind) -> Option<u64> {
        let set = part(&self.resources, state).ok()?;
        Some(match kind {
            Kind::Nodes => set.nnodes() as u64,
            Kind::Cores => set.ncores(),
            Kind::Gpus => set.ngpus(),
        })
    }

    fn used(&self, kind: Kind) -> Value<'static> {
        let counts = self.count("allocated", kind).zip(self.count("all", kind));
        counts.map_or(Value::None, |(used, all)| ratio(used, all))
    }
}

/// Asks the instances that jobs are. The columns of one that does not answer stay empty.
pub fn fill(reach: &Reach, threads: usize, jobs: &mut [Job]) {
    let asked = jobs.iter().map(Job::running_uri).zip(0..);
    let asked = asked.filter_map(|(uri, at)| Some((uri?.to_owned(), at)));
    let asked: Vec<(String, usize)> = asked.collect();
    let ask = |uri: &str| Instance::ask(&mut reach.open(uri).ok()?).ok();
    let answers = in_parallel(&asked, threads, |(uri, _)| ask(uri));
    for ((_, at), answer) in asked.iter().zip(answers) {
        jobs[*at].instance = answer.map(Box::new);
    }
}

/// A part of a whole; nothing where there is no whole.
fn ratio(part: u64, whole: u64) -> Value<'static> {
    match whole {
        0 => Value::None,
        whole => Value::Float(part as f64 / whole as f64),
    }
}

#[cfg(test)]
mod tests {
    use proto::job_list::StateCounts;
    use serde_json::json;

    use super::*;

    fn instance() -> Instance {
        let r = |ranks: &str, hosts: &str| {
            json!({"version":1,"execution":{"R_lite":[{"rank":ranks,"children":{"core":"0-3"}}],
                "nodelist":[hosts]}})
        };
        let none = json!({"version":1,"execution":{"R_lite":[],"nodelist":[]}});
        let resources = json!({"all":r("0-3", "n[0-3]"),"down":none,"allocated":r("0", "n0")});
        Instance {
            counts: JobCounts {
                job_states: StateCounts {
                    sched: 1,
                    run: 1,
                    inactive: 2,
                    total: 4,
                    ..StateCounts::default()
                },
                successful: 1,
                timeout: 1,
                ..JobCounts::default()
            },
            resources: serde_json::from_value(resources).unwrap(),
        }
    }

    #[test]
    fn an_instance_is_told_in_a_few_numbers() {
        let check = |name: &str, heading: &str, expect: Value<'static>| {
            let (field, told) = InstanceField::resolve(name).unwrap();
            assert_eq!((told, field.get(&instance())), (heading, expect), "{name}");
        };
        let stats = "PD:1 R:1 CD:1 F:1".into();
        check("stats", "STATS", Value::Text(stats));
        check("stats.total", "NJOBS", Value::Int(4));
        check("progress", "PROG", Value::Float(0.5));
        check("utilization", "CORE%", Value::Float(0.25));
        check("gpu_utilization", "GPU%", Value::None);
        check("resources.all.nnodes", "NODES", Value::Int(4));
        check("resources.free.ncores", "FREE", Value::Int(12));
        check("resources.allocated.ncores", "USED", Value::Int(4));
        assert_eq!(InstanceField::resolve("resources.up.x"), None);
        assert_eq!(InstanceField::resolve("nosuch"), None);
    }
}
