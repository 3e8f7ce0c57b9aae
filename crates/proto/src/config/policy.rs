//! `[policy]` and `[queues.NAME.policy]`: limits and defaults of jobs, and access (RFC
//! 33, protocol/25 section 3).

use serde_json::Value;

use super::keys;
use super::table::Table;
use crate::data::Fsd;
use crate::data::shape::mismatch;
use crate::{Object, Refusal};

/// A policy as configured: `None` for keys that are not set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Policy {
    /// Defaults of jobs that do not set a value.
    pub defaults: Defaults,
    /// Limits of jobs.
    pub limits: Limits,
    /// Users who may submit.
    pub access: Access,
}

/// Defaults of jobs that do not set a value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Defaults {
    /// Default time limit; 0 for none.
    pub duration: Option<Fsd>,
    /// Default queue; never set in the policy of a queue.
    pub queue: Option<String>,
}

/// Limits of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Maximum time limit; 0 and infinite for no limit.
    pub duration: Option<Fsd>,
    /// Maximum size.
    pub max: Sizes,
    /// Minimum size.
    pub min: Sizes,
}

/// Limits of the size of a job; -1 for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// Nodes.
    pub nnodes: Option<i64>,
    /// Cores.
    pub ncores: Option<i64>,
    /// GPUs.
    pub ngpus: Option<i64>,
}

/// Users who may submit: those of one list and the members of the groups of the other;
/// everybody if both are empty. The instance owner always may.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// Names of users.
    pub users: Option<Vec<String>>,
    /// Names of groups.
    pub groups: Option<Vec<String>>,
}

/// The keys of a policy.
const KEYS: [&str; 4] = [JOBSPEC, LIMITS, ACCESS, keys::POLICY_SCHEDULER.last_word()];
const JOBSPEC: &str = "jobspec";
const LIMITS: &str = "limits";
const ACCESS: &str = "access";

impl Policy {
    /// Reads `[policy]`.
    ///
    /// # Errors
    /// EINVAL with the first error in it.
    pub fn parse(conf: &Object) -> Result<Policy, Refusal> {
        match conf.0.get("policy") {
            Some(policy) => Policy::read("policy", policy),
            None => Ok(Policy::default()),
        }
    }

    /// Reads the policy under `path`.
    pub(super) fn read(path: &str, policy: &Value) -> Result<Policy, Refusal> {
        let table = Table::open(path.to_owned(), policy, &KEYS)?;
        Ok(Policy {
            defaults: Defaults::read(&table)?,
            limits: Limits::read(&table)?,
            access: Access::read(&table)?,
        })
    }
}

impl Defaults {
    fn read(policy: &Table<'_>) -> Result<Defaults, Refusal> {
        let (duration, queue) = (
            keys::POLICY_DEFAULT_DURATION.last_word(),
            keys::POLICY_DEFAULT_QUEUE.last_word(),
        );
        let system = match policy.named(JOBSPEC, &["defaults"])? {
            None => None,
            Some(jobspec) => match jobspec.inner("defaults", &["system"])? {
                None => None,
                Some(defaults) => defaults.inner("system", &[duration, queue])?,
            },
        };
        let Some(system) = system else {
            return Ok(Defaults::default());
        };
        Ok(Defaults {
            duration: read_duration(&system, duration, "defaults.system.duration")?,
            queue: match system.get(queue) {
                None => None,
                Some(Value::String(queue)) => Some(queue.clone()),
                Some(_) => return Err(system.fail("'defaults.system.queue' is not a string")),
            },
        })
    }
}

impl Limits {
    fn read(policy: &Table<'_>) -> Result<Limits, Refusal> {
        let duration = keys::POLICY_LIMIT_DURATION.last_word();
        let Some(limits) = policy.named(LIMITS, &[duration, "job-size"])? else {
            return Ok(Limits::default());
        };
        let mut read = Limits {
            duration: read_duration(&limits, duration, duration)?,
            ..Limits::default()
        };
        // Complaints name what is in `job-size` without it.
        if let Some(size) = limits.inner("job-size", &["max", "min"])? {
            read.max = Sizes::read(&size, "max")?;
            read.min = Sizes::read(&size, "min")?;
        }
        Ok(read)
    }

    /// These limits, completed by those of `other`.
    #[must_use]
    pub fn or(&self, other: &Limits) -> Limits {
        Limits {
            duration: self.duration.or(other.duration),
            max: self.max.or(&other.max),
            min: self.min.or(&other.min),
        }
    }

    /// The maximum time limit in seconds, if there is one.
    pub fn duration_max(&self) -> Option<Fsd> {
        let duration = self.duration?;
        (duration > Fsd::ZERO && !duration.is_infinite()).then_some(duration)
    }

    /// True if the size of a job is limited in any way.
    pub fn has_sizes(&self) -> bool {
        let limited = |sizes: &Sizes| sizes.all().iter().any(|(_, limit)| limit.is_some());
        limited(&self.max) || limited(&self.min)
    }
}

impl Sizes {
    fn read(size: &Table<'_>, key: &str) -> Result<Sizes, Refusal> {
        let (nnodes, ncores, ngpus) = (
            keys::POLICY_LIMIT_MAX_NNODES.last_word(),
            keys::POLICY_LIMIT_MAX_NCORES.last_word(),
            keys::POLICY_LIMIT_MAX_NGPUS.last_word(),
        );
        let Some(table) = size.named(key, &[nnodes, ncores, ngpus])? else {
            return Ok(Sizes::default());
        };
        let read = |key: &str| -> Result<Option<i64>, Refusal> {
            let Some(value) = table.get(key) else {
                return Ok(None);
            };
            match value.as_i64() {
                None => Err(table.fail(&mismatch("integer", value))),
                Some(number) if number < -1 => Err(table.fail("values must be >= -1")),
                Some(number) => Ok(Some(number)),
            }
        };
        Ok(Sizes {
            nnodes: read(nnodes)?,
            ncores: read(ncores)?,
            ngpus: read(ngpus)?,
        })
    }

    fn or(&self, other: &Sizes) -> Sizes {
        Sizes {
            nnodes: self.nnodes.or(other.nnodes),
            ncores: self.ncores.or(other.ncores),
            ngpus: self.ngpus.or(other.ngpus),
        }
    }

    /// Each limit by its name, in the order in which they are checked; `None` for no
    /// limit.
    pub fn all(&self) -> [(&'static str, Option<u64>); 3] {
        let limit = |set: Option<i64>| set.and_then(|set| u64::try_from(set).ok());
        [
            (
                keys::POLICY_LIMIT_MIN_NNODES.last_word(),
                limit(self.nnodes),
            ),
            (
                keys::POLICY_LIMIT_MIN_NCORES.last_word(),
                limit(self.ncores),
            ),
            (keys::POLICY_LIMIT_MIN_NGPUS.last_word(), limit(self.ngpus)),
        ]
    }
}

impl Access {
    fn read(policy: &Table<'_>) -> Result<Access, Refusal> {
        let (users, groups) = (
            keys::POLICY_ALLOW_USER.last_word(),
            keys::POLICY_ALLOW_GROUP.last_word(),
        );
        let Some(table) = policy.named(ACCESS, &[users, groups])? else {
            return Ok(Access::default());
        };
        let read = |key: &str| table.texts(key, &format!("'{key}' must be a string array"));
        Ok(Access {
            users: read(users)?,
            groups: read(groups)?,
        })
    }

    /// This access, completed by that of `other`.
    #[must_use]
    pub fn or(&self, other: &Access) -> Access {
        Access {
            users: self.users.clone().or_else(|| other.users.clone()),
            groups: self.groups.clone().or_else(|| other.groups.clone()),
        }
    }
}

/// Reads a duration of RFC 23, which is a string.
fn read_duration(table: &Table<'_>, key: &str, shown: &str) -> Result<Option<Fsd>, Refusal> {
    let Some(value) = table.get(key) else {
        return Ok(None);
    };
    let duration = value.as_str().and_then(|text| text.parse().ok());
    let fail = || table.fail(&format!("'{shown}' is not a valid FSD"));
    duration.map(Some).ok_or_else(fail)
}

#[cfg(test)]
mod tests;
