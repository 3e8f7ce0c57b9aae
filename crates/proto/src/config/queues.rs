//! `[queues]`: the queues of the instance, and the policy in effect in each of them
//! together with `[policy]` (RFC 33, protocol/25 section 2).
//!
//! A queue with a `parent` is virtual: its jobs run on the nodes of the parent.

use std::collections::BTreeMap;

use serde_json::Value;

use super::keys;
use super::policy::{Access, Limits, Policy};
use super::table::Table;
use crate::data::Fsd;
use crate::{Errno, Object, Refusal};

/// The queues, and the policy of the whole instance. Without named queues there is one
/// without a name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Queues {
    /// `[policy]`, used where a queue sets nothing.
    pub policy: Policy,
    /// `[queues]` by name.
    pub named: BTreeMap<String, QueueConf>,
}

/// One queue.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QueueConf {
    /// Properties of its nodes; with a parent, those of the parent are used.
    pub requires: Vec<String>,
    /// The parent queue.
    pub parent: Option<String>,
    /// Differences from `[policy]`.
    pub policy: Policy,
}

/// Characters that the properties of a queue may not have.
const FORBIDDEN: &[char] = &[' ', '\t', '!', '&', '\'', '"', '`', '|', '(', ')'];

impl Queues {
    /// Reads `[policy]` and `[queues]`.
    ///
    /// # Errors
    /// EINVAL with the first error in them.
    pub fn parse(conf: &Object) -> Result<Queues, Refusal> {
        let policy = Policy::parse(conf)?;
        let is_table = conf.0.get("queues").is_none_or(Value::is_object);
        if !is_table {
            return Err(refused("error parsing [queues] config table: not a table"));
        }
        let mut named = BTreeMap::new();
        for (name, value) in keys::QUEUES.each(conf) {
            named.insert(name.to_owned(), QueueConf::read(name, value)?);
        }
        let queues = Queues { policy, named };
        for (name, queue) in &queues.named {
            queues.check_parent(name, queue)?;
        }
        queues.check_default()?;
        Ok(queues)
    }

    fn check_parent(&self, name: &str, queue: &QueueConf) -> Result<(), Refusal> {
        let Some(parent) = &queue.parent else {
            return Ok(());
        };
        let why = match self.named.get(parent) {
            _ if parent == name => "parent queue is itself".to_owned(),
            None => format!("parent queue '{parent}' is not configured"),
            Some(found) if found.parent.is_some() => {
                format!("parent queue '{parent}' is itself a virtual queue")
            }
            Some(_) => return Ok(()),
        };
        let text = format!("error parsing [{}] config table: {why}", path(name));
        Err(refused(&text))
    }

    fn check_default(&self) -> Result<(), Refusal> {
        match &self.policy.defaults.queue {
            Some(queue) if !self.named.contains_key(queue) => Err(refused(&format!(
                "the [policy] config table defines a default queue {queue} that is not in \
                 [queues] table"
            ))),
            _ => Ok(()),
        }
    }

    /// The queue of jobs that do not name one.
    pub fn default_queue(&self) -> Option<&str> {
        self.policy.defaults.queue.as_deref()
    }

    /// The queue of this name.
    pub fn get(&self, queue: &str) -> Option<&QueueConf> {
        self.named.get(queue)
    }

    /// The parent of a queue.
    pub fn parent(&self, queue: &str) -> Option<&QueueConf> {
        self.get(self.get(queue)?.parent.as_deref()?)
    }

    /// The properties of the nodes of a queue: its parent's if it is virtual.
    pub fn requires(&self, queue: &str) -> &[String] {
        let found = self.parent(queue).or_else(|| self.get(queue));
        found.map_or(&[], |queue| queue.requires.as_slice())
    }

    /// The limits of jobs in a queue, or of those without one: for each key, the queue's value
    /// precedes that of its parent, and this precedes that of the instance.
    pub fn limits(&self, queue: Option<&str>) -> Limits {
        let policies = self.policies(queue);
        policies.fold(Limits::default(), |limits, policy| {
            limits.or(&policy.limits)
        })
    }

    /// Users who may submit to a queue, with the same precedence.
    pub fn access(&self, queue: Option<&str>) -> Access {
        let policies = self.policies(queue);
        policies.fold(Access::default(), |access, policy| {
            access.or(&policy.access)
        })
    }

    /// The default time limit of jobs in a queue, with the same precedence.
    pub fn default_duration(&self, queue: Option<&str>) -> Option<Fsd> {
        self.policies(queue)
            .find_map(|policy| policy.defaults.duration)
    }

    /// True if jobs must be counted; a job that cannot be counted is then refused.
    pub fn count_jobs(&self) -> bool {
        !self.named.is_empty() || self.policy.limits.has_sizes()
    }

    /// The policies in effect in a queue, the nearest first.
    fn policies(&self, queue: Option<&str>) -> impl Iterator<Item = &Policy> {
        let own = queue.and_then(|queue| self.get(queue));
        let parent = queue.and_then(|queue| self.parent(queue));
        let queues = own.into_iter().chain(parent);
        queues.map(|queue| &queue.policy).chain([&self.policy])
    }
}

impl QueueConf {
    fn read(name: &str, value: &Value) -> Result<QueueConf, Refusal> {
        let (requires, parent, policy) = (
            keys::QUEUES_REQUIRES.last_word(),
            keys::QUEUES_PARENT.last_word(),
            keys::QUEUES_POLICY.last_word(),
        );
        let table = Table::open(path(name), value, &[requires, policy, parent])?;
        let properties = "'requires' must be an array of property strings (RFC 20)";
        let mut queue = QueueConf {
            requires: table.texts(requires, properties)?.unwrap_or_default(),
            ..QueueConf::default()
        };
        if queue.requires.iter().any(|name| name.contains(FORBIDDEN)) {
            return Err(table.fail(properties));
        }
        if let Some(value) = table.get(policy) {
            queue.policy = Policy::read(&format!("{}.policy", path(name)), value)?;
            if queue.policy.defaults.queue.is_some() {
                return Err(table.fail("'policy' must not define a default queue!"));
            }
        }
        queue.parent = match table.get(parent) {
            None => return Ok(queue),
            Some(Value::String(parent)) => Some(parent.clone()),
            Some(_) => return Err(table.fail("'parent' must be a string")),
        };
        if table.get(requires).is_some() {
            return Err(table.fail("a virtual queue must not set 'requires'"));
        }
        let scheduler = keys::POLICY_SCHEDULER.last_word();
        let policy = table.get(policy);
        if policy.is_some_and(|policy| policy.get(scheduler).is_some()) {
            return Err(table.fail("a virtual queue must not set 'policy.scheduler'"));
        }
        Ok(queue)
    }
}

fn path(queue: &str) -> String {
    format!("queues.{queue}")
}

fn refused(text: &str) -> Refusal {
    Refusal::new(Errno::EINVAL, text.to_owned())
}

#[cfg(test)]
mod tests;
