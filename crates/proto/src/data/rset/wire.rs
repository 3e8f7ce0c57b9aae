//! The JSON of resource sets (RFC 20), read with bounds and written with like ranks grouped.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{Node, Rset, RsetError, check_time};
use crate::data::hostlist::Hostlist;
use crate::data::idset::IdSet;
use crate::data::limits::RSET_RANKS_MAX;
use crate::data::textual::from_object;

#[derive(Serialize, Deserialize)]
struct WireRset {
    version: i64,
    execution: Execution,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scheduling: Option<Value>,
}

/// The part that every reader knows.
#[derive(Serialize, Deserialize)]
struct Execution {
    #[serde(rename = "R_lite")]
    r_lite: Vec<Group>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    nodelist: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nslots: Option<u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    properties: BTreeMap<Box<str>, IdSet>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    starttime: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiration: Option<f64>,
}

/// Ranks with the same children.
#[derive(Serialize, Deserialize)]
struct Group {
    rank: IdSet,
    children: serde_json::Map<String, Value>,
}

impl Rset {
    /// Reads the text stored under `job.D.R` or `resource.R`.
    pub fn decode(json: &str) -> Result<Self, RsetError> {
        let wire: WireRset = from_object(&mut serde_json::Deserializer::from_str(json))
            .map_err(|error| RsetError::Malformed(error.to_string()))?;
        wire.check()
    }

    /// The compact JSON text.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("times are finite and keys are strings")
    }
}

impl WireRset {
    fn check(self) -> Result<Rset, RsetError> {
        if self.version != 1 {
            return Err(RsetError::Version(self.version));
        }
        let execution = self.execution;
        let mut set = Rset {
            nslots: execution.nslots,
            starttime: execution.starttime.map(check_time).transpose()?,
            expiration: check_time(execution.expiration.unwrap_or(0.0))?,
            scheduling: self.scheduling,
            ..Rset::default()
        };
        let mut room = RSET_RANKS_MAX;
        for group in execution.r_lite {
            // Before a range becomes nodes: "0-4000000000" must cost nothing.
            room = room
                .checked_sub(group.rank.count())
                .ok_or(RsetError::TooManyRanks)?;
            let node = group_node(group.children)?;
            for rank in group.rank.iter() {
                set.add_rank(rank, node.clone())?;
            }
        }
        name_hosts(&mut set, &execution.nodelist)?;
        for (name, ranks) in &execution.properties {
            if ranks.count() > RSET_RANKS_MAX {
                return Err(RsetError::PropertyRanks(name.to_string()));
            }
            set.add_property(name, ranks)?;
        }
        Ok(set)
    }
}

fn group_node(children: serde_json::Map<String, Value>) -> Result<Node, RsetError> {
    let mut node = Node::default();
    for (kind, ids) in children {
        let ids: IdSet = serde_json::from_value(ids)
            .map_err(|error| RsetError::Malformed(format!("children {kind}: {error}")))?;
        match kind.as_str() {
            "core" => node.cores = ids,
            "gpu" => node.gpus = ids,
            _ => {
                node.others.insert(kind.into(), ids);
            }
        }
    }
    Ok(node)
}

/// Gives each rank its host, in ascending order of rank.
fn name_hosts(set: &mut Rset, nodelist: &[String]) -> Result<(), RsetError> {
    let mut hosts = Hostlist::new();
    for text in nodelist {
        let more: Hostlist = text
            .parse()
            .map_err(|error| RsetError::Malformed(format!("nodelist: {error}")))?;
        hosts.extend(&more).map_err(|_| RsetError::TooManyRanks)?;
    }
    if nodelist.is_empty() {
        return Ok(());
    }
    if hosts.len() != set.nodes.len() {
        return Err(RsetError::Hosts {
            ranks: set.nodes.len() as u64,
            hosts: hosts.len() as u64,
        });
    }
    for (node, host) in set.nodes.values_mut().zip(&hosts) {
        node.host = host.into();
    }
    Ok(())
}

impl Serialize for Rset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let r_lite = self.groups().into_iter().map(|(rank, node)| {
            let text = |ids: &IdSet| Value::String(ids.to_string());
            let children = node
                .kinds()
                .map(|(kind, ids)| (kind.to_owned(), text(ids)))
                .collect();
            Group { rank, children }
        });
        let has_hosts = self.nodes.values().all(|node| !node.host.is_empty());
        let has_times = self.starttime.is_some() || self.expiration > 0.0;
        let execution = Execution {
            r_lite: r_lite.collect(),
            nodelist: if has_hosts {
                vec![self.nodelist().to_string()]
            } else {
                Vec::new()
            },
            nslots: self.nslots,
            properties: self.properties.clone(),
            starttime: has_times.then(|| self.starttime.unwrap_or(0.0)),
            expiration: has_times.then_some(self.expiration),
        };
        let scheduling = self.scheduling.clone();
        WireRset {
            version: 1,
            execution,
            scheduling,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Rset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_object::<_, WireRset>(deserializer)?
            .check()
            .map_err(D::Error::custom)
    }
}

crate::schema::schema_by_hand!(Rset, "R", named, {
    "type": "object",
    "description": "A resource set, version 1 (RFC 20).",
    "properties": {
        "version": { "const": 1 },
        "execution": { "type": "object" },
        "scheduling": {}
    },
    "required": ["version", "execution"]
});

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads JSON; prints it again or the error.
    fn check(json: &str, expect: &str) {
        let outcome = Rset::decode(json).map_or_else(|error| error.to_string(), |r| r.encode());
        assert!(outcome.starts_with(expect), "{json}\n{outcome}");
    }

    #[test]
    fn a_full_set_is_read_and_written_in_order() {
        let json = r#"{"version":1,"execution":{"R_lite":[{"rank":"0-3","children":{"core":"0-7","gpu":"0-1"}}],"nodelist":["host[0-3]"],"nslots":8,"properties":{"batch":"0-1"},"starttime":1700000000.0,"expiration":0.0},"scheduling":{"writer":"x"}}"#;
        check(json, json);
    }

    #[test]
    fn the_empty_set_has_an_empty_name_in_its_nodelist() {
        let json = r#"{"version":1,"execution":{"R_lite":[],"nodelist":[""]}}"#;
        check(json, json);
        check(r#"{"version":1,"execution":{"R_lite":[]}}"#, json);
    }

    #[test]
    fn groups_are_written_once_and_the_nodelist_is_one_text() {
        check(
            r#"{"execution":{"nodelist":["a","b[1-2]"],"R_lite":[{"children":{"core":"0"},"rank":"2"},{"rank":"0-1","children":{"core":"0","nic":"1"}}],"expiration":5},"version":1}"#,
            r#"{"version":1,"execution":{"R_lite":[{"rank":"0-1","children":{"core":"0","nic":"1"}},{"rank":"2","children":{"core":"0"}}],"nodelist":["a,b[1-2]"],"starttime":0.0,"expiration":5.0}}"#,
        );
        check(
            r#"{"version":1,"execution":{"R_lite":[{"rank":"0","children":{"core":"0"}}]}}"#,
            r#"{"version":1,"execution":{"R_lite":[{"rank":"0","children":{"core":"0"}}]}}"#,
        );
    }

    #[test]
    fn bad_sets_are_refused_with_the_reason() {
        let with = |execution: &str| format!(r#"{{"version":1,"execution":{{{execution}}}}}"#);
        let one = r#""R_lite":[{"rank":"0","children":{"core":"0"}}]"#;
        for (json, reason) in [
            ("[]".to_owned(), "malformed R: invalid type: sequence"),
            ("{}".to_owned(), "malformed R: missing field `version`"),
            (
                r#"{"version":2,"execution":{"R_lite":[]}}"#.to_owned(),
                "invalid version=2",
            ),
            (with(""), "malformed R: missing field `R_lite`"),
            (
                with(r#""R_lite":[{"rank":"1-0","children":{}}]"#),
                "malformed R: range '1-0' is out of order",
            ),
            (
                with(r#""R_lite":[{"rank":"0","children":{"core":"x"}}]"#),
                "malformed R: children core: error parsing range 'x'",
            ),
            (
                with(r#""R_lite":[{"rank":"0-4000000000","children":{"core":"0"}}]"#),
                "R has more than 131072 ranks",
            ),
            (
                with(&format!(r#"{one},"nodelist":["a[0-1]"]"#)),
                "R has 1 ranks but 2 hosts",
            ),
            (
                with(&format!(r#"{one},"nodelist":["a["]"#)),
                "malformed R: nodelist: mismatched brackets",
            ),
            (
                with(&format!(r#"{one},"nodelist":["a[0-999999999]"]"#)),
                "malformed R: nodelist: hostlist has more",
            ),
            (
                with(&format!(r#"{one},"properties":{{"p":"0-1"}}"#)),
                "property 'p' is set on ranks that are not in R",
            ),
            (
                with(&format!(r#"{one},"properties":{{"p":"0-4000000000"}}"#)),
                "property 'p' is set on ranks",
            ),
            (
                with(&format!(r#"{one},"properties":{{"a(":"0"}}"#)),
                "invalid character in property 'a('",
            ),
            (
                with(&format!(r#"{one},"expiration":-1"#)),
                "R has an invalid time",
            ),
        ] {
            check(&json, reason);
        }
    }
}
