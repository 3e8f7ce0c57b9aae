//! Nodes of a queue: those with all properties that its configuration requires.

use client::Handle;
use proto::config::{self, Queues};
use proto::data::{IdSet, Rset};

use command::error::CliError;

/// The configured queues, which name the properties of their nodes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueueNodes(Queues);

impl QueueNodes {
    /// Asks for the configuration.
    pub fn ask(handle: &mut Handle) -> Result<QueueNodes, CliError> {
        let config = handle.rpc(&config::Get)?;
        Ok(QueueNodes::of(Queues::parse(&config)?))
    }

    /// From a configuration.
    pub fn of(queues: Queues) -> QueueNodes {
        QueueNodes(queues)
    }

    /// True if a queue is configured.
    pub fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some()
    }

    /// The names of the queues.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.named.keys().map(String::as_str)
    }

    /// The ranks of a queue. Where none are configured, the only queue has them all.
    pub fn ranks(&self, queue: Option<&str>, r: &Rset) -> Result<IdSet, CliError> {
        let Some(name) = queue else {
            return Ok(r.ranks());
        };
        match self.0.get(name) {
            Some(_) => Ok(with_all(self.0.requires(name), r)),
            None => Err(CliError::new(format!("No such queue: {name}"))),
        }
    }

    /// The queues that have a rank, by name.
    pub fn queues_of(&self, rank: u32, r: &Rset) -> Vec<&str> {
        let has_all = |requires: &[String]| requires.iter().all(|name| r.has_property(rank, name));
        self.names()
            .filter(|name| has_all(self.0.requires(name)))
            .collect()
    }

    /// True if a property distinguishes queues.
    pub fn is_required(&self, property: &str) -> bool {
        let mut all = self.0.named.values().flat_map(|queue| &queue.requires);
        all.any(|required| required == property)
    }
}

fn with_all(requires: &[String], r: &Rset) -> IdSet {
    let mut ranks = r.ranks();
    for property in requires {
        let having = r.properties().find(|(name, _)| name == property);
        let having = having.map(|(_, ranks)| ranks.clone()).unwrap_or_default();
        ranks = ranks.intersection(&having);
    }
    ranks
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_queue_has_the_nodes_with_all_its_properties() {
        let config = json!({"queues": {
            "all": {}, "big": {"requires": ["big", "new"]}, "none": {"requires": ["x"]},
            "part": {"parent": "big"},
        }});
        let config = serde_json::from_value(config).unwrap();
        let queues = QueueNodes::of(Queues::parse(&config).unwrap());
        let r = r#"{"version":1,"execution":{"R_lite":[{"rank":"0-2","children":{"core":"0"}}],
            "starttime":0,"expiration":0,"nodelist":["n[0-2]"],
            "properties":{"big":"1-2","new":"0-1"}}}"#;
        let r = Rset::decode(r).unwrap();
        for (queue, expect) in [
            (None, "0-2"),
            (Some("all"), "0-2"),
            (Some("big"), "1"),
            (Some("none"), ""),
            (Some("part"), "1"),
        ] {
            assert_eq!(queues.ranks(queue, &r).unwrap().to_string(), expect);
        }
        assert_eq!(queues.queues_of(1, &r), ["all", "big", "part"]);
        assert!(queues.is_required("new") && !queues.is_required("old"));
        let unknown = queues.ranks(Some("other"), &r).unwrap_err();
        assert_eq!(unknown.text(), "No such queue: other");
    }
}
