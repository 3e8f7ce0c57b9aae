//! Node lists: a compact form of many names, as in tables of processes (protocol/23
//! section 14). Names keep their order, and may repeat.
//!
//! In JSON an array. An entry is one name, or a prefix and the range list of the numbers
//! after it, -1 for none.

use serde_json::{Value, json};

use super::limits::RANGELIST_NUMBERS_MAX;
use super::rangelist::Rangelist;

/// Any names, in any order.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "Vec<Value>", into = "Vec<Value>")]
pub struct Nodelist(pub Vec<String>);

/// Errors of parsing a node list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodelistError {
    /// An entry that is neither a name nor a prefix with numbers.
    #[error("an entry of a node list is a name, or a prefix and a range list")]
    Malformed,
    /// More than `RANGELIST_NUMBERS_MAX` names.
    #[error("a node list has more than {RANGELIST_NUMBERS_MAX} names")]
    TooMany,
}

/// Behind a prefix that is the whole name.
const NO_SUFFIX: i64 = -1;

impl TryFrom<Vec<Value>> for Nodelist {
    type Error = NodelistError;

    fn try_from(entries: Vec<Value>) -> Result<Self, NodelistError> {
        let mut names = Vec::new();
        for entry in entries {
            match entry {
                Value::String(name) => names.push(name),
                entry => {
                    let (prefix, Rangelist(numbers)) = serde_json::from_value(entry)
                        .map_err(|_| NodelistError::Malformed)
                        .map(|entry: (String, Rangelist)| entry)?;
                    names.extend(numbers.into_iter().map(|number| join(&prefix, number)));
                }
            }
            if names.len() > RANGELIST_NUMBERS_MAX {
                return Err(NodelistError::TooMany);
            }
        }
        Ok(Nodelist(names))
    }
}

impl From<Nodelist> for Vec<Value> {
    fn from(list: Nodelist) -> Vec<Value> {
        let parts: Vec<(&str, i64)> = list.0.iter().map(|name| split(name)).collect();
        let of_one_prefix = parts.chunk_by(|a, b| a.0 == b.0);
        of_one_prefix
            .map(|parts| match parts {
                [(prefix, number)] => json!(join(prefix, *number)),
                _ => {
                    let numbers: Rangelist = parts.iter().map(|(_, number)| *number).collect();
                    json!([parts[0].0, numbers])
                }
            })
            .collect()
    }
}

/// A name without the number at its end, and that number. Leading zeros stay with the name.
fn split(name: &str) -> (&str, i64) {
    let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (prefix, number) = name.split_at(name.len() - digits);
    let zeros = number.len() - number.trim_start_matches('0').len();
    // A number that is all zeros is a zero behind the others.
    let zeros = zeros.min(number.len().saturating_sub(1));
    match number[zeros..].parse() {
        Ok(number) => (&name[..prefix.len() + zeros], number),
        Err(_) => (name, NO_SUFFIX),
    }
}

fn join(prefix: &str, number: i64) -> String {
    match number {
        NO_SUFFIX => prefix.to_owned(),
        number => format!("{prefix}{number}"),
    }
}

crate::schema::schema_by_hand!(Nodelist, "Nodelist", inline, {
    "type": "array",
    "description": "Node list: names."
});

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and their shortest form, both ways.
    fn check(names: &[&str], json: &str) {
        let list = Nodelist(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(serde_json::to_string(&list).unwrap(), json);
        assert_eq!(serde_json::from_str::<Nodelist>(json).unwrap(), list);
    }

    #[test]
    fn names_are_written_by_their_prefix() {
        check(&[], "[]");
        check(&["vm"], r#"["vm"]"#);
        check(&["node7"], r#"["node7"]"#);
        // The examples of the protocol.
        check(&["vm", "vm", "vm", "vm"], r#"[["vm",[[-1,-3]]]]"#);
        check(&["sleep"; 4], r#"[["sleep",[[-1,-3]]]]"#);
        check(&["n1", "n2", "n3", "m4"], r#"[["n",[[1,2]]],"m4"]"#);
        check(&["n1", "n1", "n2", "n2"], r#"[["n",[[1,-1,1]]]]"#);
        check(&["n", "n1"], r#"[["n",[-1,2]]]"#);
        check(&["n08", "n09", "n10"], r#"[["n0",[[8,1]]],"n10"]"#);
        check(&["n0", "n1", "n00"], r#"[["n",[[0,1]]],"n00"]"#);
        check(&["1", "2"], r#"[["",[[1,1]]]]"#);
        check(&["", ""], r#"[["",[[-1,-1]]]]"#);
        check(&["n99999999999999999999"], r#"["n99999999999999999999"]"#);
        check(&["/bin/x-ü"], r#"["/bin/x-ü"]"#);
    }

    #[test]
    fn what_is_no_node_list_is_refused() {
        for json in ["[1]", r#"[["n"]]"#, r#"[["n",[1],2]]"#, r#"[["n",["1"]]]"#] {
            let error = serde_json::from_str::<Nodelist>(json).unwrap_err();
            assert_eq!(error.to_string(), NodelistError::Malformed.to_string());
        }
        let many = format!(r#"[["n",[[0,{}]]],"m"]"#, RANGELIST_NUMBERS_MAX - 1);
        let error = serde_json::from_str::<Nodelist>(&many).unwrap_err();
        assert_eq!(error.to_string(), NodelistError::TooMany.to_string());
    }
}
