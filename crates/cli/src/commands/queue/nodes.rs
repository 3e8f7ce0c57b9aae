//! Which nodes a queue has: those with all properties that its configuration requires.

use client::Handle;
use proto::config;
use proto::data::{IdSet, Rset};
use serde_json::Value as Json;

use crate::error::CliError;

/// The configured queues, each with the properties that its nodes have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueNodes(Vec<(String, Vec<String>)>);

impl QueueNodes {
    /// Asks for the configuration.
    pub fn ask(handle: &mut Handle) -> Result<QueueNodes, CliError> {
        let config = handle.rpc(&config::Get)?.0;
        Ok(QueueNodes::of(&Json::Object(config)))
    }

    /// From a configuration.
    pub fn of(config: &Json) -> QueueNodes {
        let queues = config.get("queues").and_then(Json::as_object);
        let queues = queues.into_iter().flatten().map(|(name, queue)| {
            let requires = queue.get("requires").and_then(Json::as_array);
            let requires = requires.into_iter().flatten().filter_map(Json::as_str);
            (name.clone(), requires.map(str::to_owned).collect())
        });
        QueueNodes(queues.collect())
    }

    /// The ranks of a queue. Where none are configured, the only queue has them all.
    pub fn ranks(&self, queue: Option<&str>, r: &Rset) -> Result<IdSet, CliError> {
        let Some(name) = queue else {
            return Ok(r.ranks());
        };
        let known = self.0.iter().find(|(known, _)| known == name);
        let unknown = || CliError::new(format!("No such queue: {name}"));
        let (_, requires) = known.ok_or_else(unknown)?;
        Ok(with_all(requires, r))
    }

    /// The queues that have a rank, by name.
    pub fn queues_of(&self, rank: u32, r: &Rset) -> Vec<&str> {
        let has_all = |requires: &[String]| requires.iter().all(|name| r.has_property(rank, name));
        let queues = self.0.iter().filter(|(_, requires)| has_all(requires));
        queues.map(|(name, _)| name.as_str()).collect()
    }

    /// Whether a property tells queues apart.
    pub fn is_required(&self, property: &str) -> bool {
        let mut all = self.0.iter().flat_map(|(_, requires)| requires);
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
        let queues = QueueNodes::of(&json!({"queues": {
            "all": {}, "big": {"requires": ["big", "new"]}, "none": {"requires": ["x"]},
        }}));
        let r = r#"{"version":1,"execution":{"R_lite":[{"rank":"0-2","children":{"core":"0"}}],
            "starttime":0,"expiration":0,"nodelist":["n[0-2]"],
            "properties":{"big":"1-2","new":"0-1"}}}"#;
        let r = Rset::decode(r).unwrap();
        for (queue, expect) in [
            (None, "0-2"),
            (Some("all"), "0-2"),
            (Some("big"), "1"),
            (Some("none"), ""),
        ] {
            assert_eq!(queues.ranks(queue, &r).unwrap().to_string(), expect);
        }
        assert_eq!(queues.queues_of(1, &r), ["all", "big"]);
        assert!(queues.is_required("new") && !queues.is_required("old"));
        let unknown = queues.ranks(Some("other"), &r).unwrap_err();
        assert_eq!(unknown.text(), "No such queue: other");
    }
}
