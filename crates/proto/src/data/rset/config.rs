//! A resource set in the form of the configuration: `[[resource.config]]` of
//! flux-config-resource(5).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Node, Rset};
use crate::data::hostlist::Hostlist;
use crate::data::idset::IdSet;

/// `[resource.config]` or `[[resource.config]]`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Entry>),
    One(Entry),
}

/// Resources of some hosts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    hosts: Option<Hostlist>,
    #[serde(default)]
    cores: IdSet,
    #[serde(default)]
    gpus: IdSet,
    #[serde(default)]
    properties: Vec<String>,
}

impl Rset {
    /// The set of `resource.config`: ranks in the order in which hosts appear; entries of
    /// the same host are added up. `hostname` is the host of an entry without hosts.
    pub fn of_config(value: &Value, hostname: &str) -> Result<Rset, String> {
        let entries = match serde_json::from_value(value.clone()) {
            Ok(OneOrMany::Many(entries)) => entries,
            Ok(OneOrMany::One(entry)) => vec![entry],
            Err(error) => return Err(format!("config: {error}")),
        };
        let mut next = 0;
        let mut ranks = BTreeMap::<String, u32>::new();
        let mut set = Rset::new();
        for entry in entries {
            let own = || Hostlist::from_names([hostname]).map_err(|error| error.to_string());
            let hosts = entry.hosts.map_or_else(own, Ok)?;
            let mut with = Vec::new();
            for host in &hosts {
                let rank = *ranks.entry(host.to_owned()).or_insert(next);
                next = next.max(rank + 1);
                let mut node = Node::with_cores(host, entry.cores.clone());
                node.gpus = entry.gpus.clone();
                set.add_rank(rank, node)
                    .map_err(|error| error.to_string())?;
                with.push(rank);
            }
            let with: IdSet = with.into_iter().collect();
            for property in &entry.properties {
                let added = set.add_property(property, &with);
                added.map_err(|error| error.to_string())?;
            }
        }
        let idle = set.nodes.values().find(|node| node.cores.is_empty());
        if let Some(node) = idle {
            return Err(format!("config: host {} has no cores", node.host));
        }
        Ok(set)
    }
}
