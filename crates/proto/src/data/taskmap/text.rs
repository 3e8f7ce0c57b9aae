//! The forms of task maps: JSON blocks, the wrapped object, raw idsets, and that of PMI-1.

use std::fmt::{self, Write};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{Block, TaskMap, TaskMapError};
use crate::data::idset::IdSet;
use crate::data::limits::TASKMAP_NODES_MAX;

impl TaskMap {
    /// The tasks of each node as idsets, joined by `;`.
    pub fn to_raw(&self) -> String {
        self.nodes()
            .iter()
            .map(IdSet::to_string)
            .collect::<Vec<_>>()
            .join(";")
    }

    /// The form of `PMI_process_mapping`: `(vector,(0,4,4),(4,2,4))`. It has no repetitions, so
    /// repeated blocks are written repeatedly.
    pub fn to_pmi(&self) -> String {
        let mut text = String::from("(vector");
        for Block {
            nodeid,
            nnodes,
            ppn,
            repeat,
        } in self.blocks()
        {
            for _ in 0..*repeat {
                // Writing to a String cannot fail.
                let _ = write!(text, ",({nodeid},{nnodes},{ppn})");
            }
        }
        text.push(')');
        text
    }

    /// Reads the JSON forms: the array of blocks, or the object around it.
    pub fn from_json(value: &Value) -> Result<Self, TaskMapError> {
        let malformed = |what: &str| TaskMapError::Malformed(what.to_owned());
        let blocks = match value {
            Value::Array(blocks) => blocks,
            Value::Object(wrapped) => {
                match wrapped.get("version") {
                    None => return Err(malformed("Object item not found: version")),
                    Some(version) if *version == 1 => {}
                    Some(_) => return Err(malformed("version must be 1")),
                }
                let map = wrapped.get("map").and_then(Value::as_array);
                map.ok_or_else(|| malformed("map must be an array"))?
            }
            _ => return Err(malformed("neither an array nor an object")),
        };
        let read = |block: &Value| {
            let [nodeid, nnodes, ppn, repeat] = <[u32; 4]>::deserialize(block)
                .map_err(|_| malformed("a block must have four non-negative integers"))?;
            Ok(Block {
                nodeid,
                nnodes,
                ppn,
                repeat,
            })
        };
        Self::from_blocks(blocks.iter().map(read).collect::<Result<_, _>>()?)
    }

    /// Reads idsets joined by `;`, one per node.
    pub fn from_raw(text: &str) -> Result<Self, TaskMapError> {
        if text.split(';').count() as u64 > TASKMAP_NODES_MAX {
            return Err(TaskMapError::TooManyNodes);
        }
        let read = |tasks: &str| {
            tasks
                .parse::<IdSet>()
                .map_err(|error| TaskMapError::Malformed(error.to_string()))
        };
        Self::from_nodes(&text.split(';').map(read).collect::<Result<Vec<_>, _>>()?)
    }

    /// Reads the form of PMI-1.
    pub fn from_pmi(text: &str) -> Result<Self, TaskMapError> {
        let malformed = || TaskMapError::Malformed("not a PMI process mapping".to_owned());
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let vector = text
            .strip_prefix("(vector")
            .and_then(|text| text.strip_suffix(')'));
        let mut rest = vector.ok_or_else(malformed)?;
        let mut blocks = Vec::new();
        while !rest.is_empty() {
            let block = rest
                .strip_prefix(",(")
                .and_then(|rest| rest.split_once(')'));
            let (numbers, after) = block.ok_or_else(malformed)?;
            let numbers: Result<Vec<u32>, _> = numbers.split(',').map(str::parse).collect();
            let [nodeid, nnodes, ppn] = numbers.map_err(|_| malformed())?[..] else {
                return Err(malformed());
            };
            blocks.push(Block {
                nodeid,
                nnodes,
                ppn,
                repeat: 1,
            });
            rest = after;
        }
        Self::from_blocks(blocks)
    }
}

impl FromStr for TaskMap {
    type Err = TaskMapError;

    /// Recognises the form by its first character: `[` or `{` JSON, `(` PMI, else raw.
    fn from_str(text: &str) -> Result<Self, TaskMapError> {
        let text = text.trim();
        match text.chars().next() {
            Some('[' | '{') => {
                let value: Value = serde_json::from_str(text)
                    .map_err(|error| TaskMapError::Malformed(error.to_string()))?;
                Self::from_json(&value)
            }
            Some('(') => Self::from_pmi(text),
            _ => Self::from_raw(text),
        }
    }
}

impl fmt::Display for TaskMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('[')?;
        for (
            n,
            Block {
                nodeid,
                nnodes,
                ppn,
                repeat,
            },
        ) in self.blocks().iter().enumerate()
        {
            let comma = if n > 0 { "," } else { "" };
            write!(f, "{comma}[{nodeid},{nnodes},{ppn},{repeat}]")?;
        }
        f.write_char(']')
    }
}

impl Serialize for TaskMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wrapped {
            version: u32,
            map: Vec<[u32; 4]>,
        }

        let numbers = |block: &Block| [block.nodeid, block.nnodes, block.ppn, block.repeat];
        let map = self.blocks().iter().map(numbers).collect();
        Wrapped { version: 1, map }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TaskMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_json(&value).map_err(serde::de::Error::custom)
    }
}

crate::schema::schema_by_hand!(TaskMap, "TaskMap", named, {
    "type": ["object", "array"],
    "description": "A task map (RFC 34): blocks [nodeid,nnodes,ppn,repeat] under map."
});

#[cfg(test)]
mod tests {
    use super::*;

    /// The raw form of a map and its blocks, each read and written.
    fn check(raw: &str, blocks: &str) {
        let map: TaskMap = raw.parse().unwrap();
        assert_eq!(map.to_string(), blocks, "{raw}");
        assert_eq!(blocks.parse(), Ok(map.clone()));
        assert_eq!(map.to_raw(), raw);
    }

    #[test]
    fn the_vectors_of_the_rfc_hold() {
        check("0", "[[0,1,1,1]]");
        check("0;1", "[[0,2,1,1]]");
        check("0-1", "[[0,1,2,1]]");
        check("0-1;2-3", "[[0,2,2,1]]");
        check("0,2;1,3", "[[0,2,1,2]]");
        check("1;0", "[[1,1,1,1],[0,1,1,1]]");
        check("0-3;4-7;8-11;12-15", "[[0,4,4,1]]");
        check("0,4,8,12;1,5,9,13;2,6,10,14;3,7,11,15", "[[0,4,1,4]]");
        check("0-1,8-9;2-3,10-11;4-5,12-13;6-7,14-15", "[[0,4,2,2]]");
        check("0-1;2-3;4-5;6-7;8-11;12-15", "[[0,4,2,1],[4,2,4,1]]");
        check(
            "0,6;1,7;2,8;3,9;4,10,12,14;5,11,13,15",
            "[[0,6,1,2],[4,2,1,2]]",
        );
        check(
            "14-15;12-13;10-11;8-9;4-7;0-3",
            "[[5,1,4,1],[4,1,4,1],[3,1,2,1],[2,1,2,1],[1,1,2,1],[0,1,2,1]]",
        );
        check(
            "0-1;2-3;4-5;6-7;8-9;12-13;10-11;14-15",
            "[[0,5,2,1],[6,1,2,1],[5,1,2,1],[7,1,2,1]]",
        );
        check(
            "12-15;8-11;4-7;0-3",
            "[[3,1,4,1],[2,1,4,1],[1,1,4,1],[0,1,4,1]]",
        );
        check("", "[]");
    }

    #[test]
    fn the_pmi_form_has_no_repetitions() {
        for (pmi, blocks) in [
            ("(vector,(0,4,4),(4,2,4))", "[[0,6,4,1]]"),
            ("(vector, (0,4,1), (0,4,1))", "[[0,4,1,2]]"),
            ("(vector)", "[]"),
        ] {
            let map: TaskMap = pmi.parse().unwrap();
            assert_eq!(
                TaskMap::from_nodes(&map.nodes()).unwrap().to_string(),
                blocks,
                "{pmi}"
            );
        }
        let map: TaskMap = "[[0,4,1,2]]".parse().unwrap();
        assert_eq!(map.to_pmi(), "(vector,(0,4,1),(0,4,1))");
    }

    #[test]
    fn json_is_wrapped_when_written() {
        let text = r#"{"version":1,"map":[[0,2,1,1]]}"#;
        for json in [text, "[[0,2,1,1]]"] {
            let map: TaskMap = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&map).unwrap(), text);
        }
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        for (text, reason) in [
            ("x", "malformed task map: error parsing range 'x'"),
            (
                "(vector,(0,1))",
                "malformed task map: not a PMI process mapping",
            ),
            (
                "(vector,(0,1,1)",
                "malformed task map: not a PMI process mapping",
            ),
            ("(0,1,1)", "malformed task map: not a PMI process mapping"),
            (
                "[[0,1,1]]",
                "malformed task map: a block must have four non-negative integers",
            ),
            (
                "[[0,1,1,-1]]",
                "malformed task map: a block must have four non-negative integers",
            ),
            (
                "{\"version\":2,\"map\":[]}",
                "malformed task map: version must be 1",
            ),
            (
                "{\"version\":1}",
                "malformed task map: map must be an array",
            ),
            (
                "[",
                "malformed task map: EOF while parsing a list at line 1 column 1",
            ),
        ] {
            assert_eq!(
                text.parse::<TaskMap>().unwrap_err().to_string(),
                reason,
                "{text}"
            );
        }
    }
}
