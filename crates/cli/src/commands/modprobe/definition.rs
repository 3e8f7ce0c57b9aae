//! Definition of one module: its path, its needs, and its ranks. Pure.

use proto::data::IdSet;
use proto::rc;
use serde::Serialize;
use serde_json::{Map, Value};

/// One module. `flux modprobe show` prints the fields in this order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Definition {
    /// Name.
    pub name: String,
    /// The module that is loaded under it.
    pub module: String,
    /// Arguments.
    pub args: Vec<String>,
    /// On which ranks it is.
    pub ranks: String,
    /// Services that it stands for besides its name.
    pub provides: Vec<String>,
    /// Modules and services that are loaded with it.
    pub requires: Vec<String>,
    /// Modules that this one needs.
    pub needs: Vec<String>,
    /// Modules that are loaded after it.
    pub before: Vec<String>,
    /// Modules that are loaded before it.
    pub after: Vec<String>,
    /// The highest stands for a service.
    pub priority: i64,
    /// True if it is disabled.
    pub disabled: bool,
    /// True if it is to be a process, as every module is.
    pub exec: bool,
    /// Attributes without which it is left out; with `!`, with which.
    #[serde(skip)]
    pub needs_attrs: Vec<String>,
    /// The same for keys of the configuration.
    #[serde(skip)]
    pub needs_config: Vec<String>,
    /// The same for variables of the environment.
    #[serde(skip)]
    pub needs_env: Vec<String>,
}

const ALL_RANKS: &str = "all";
const PRIORITY: i64 = 100;

impl Definition {
    /// One that only has a name.
    pub fn new(name: &str) -> Definition {
        Definition {
            name: name.to_owned(),
            module: name.to_owned(),
            args: Vec::new(),
            ranks: ALL_RANKS.to_owned(),
            provides: Vec::new(),
            requires: Vec::new(),
            needs: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
            priority: PRIORITY,
            disabled: false,
            exec: false,
            needs_attrs: Vec::new(),
            needs_config: Vec::new(),
            needs_env: Vec::new(),
        }
    }

    /// One that every instance knows.
    pub fn stock(entry: &rc::Entry) -> Definition {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Definition {
            args: owned(entry.args),
            ranks: if entry.everywhere { ALL_RANKS } else { "0" }.to_owned(),
            provides: owned(entry.provides),
            requires: owned(entry.requires),
            after: owned(entry.after),
            priority: entry.priority,
            ..Definition::new(entry.name)
        }
    }

    /// Applies the keys of an entry or a table.
    pub fn update(&mut self, keys: &Map<String, Value>) -> Result<(), String> {
        for (key, value) in keys {
            self.set(key, value)?;
        }
        Ok(())
    }

    fn set(&mut self, key: &str, value: &Value) -> Result<(), String> {
        match key {
            "name" => self.name = text(key, value)?,
            "module" => self.module = text(key, value)?,
            "ranks" => {
                self.ranks = text(key, value)?;
                includes(&self.ranks, 0)?;
            }
            "args" => self.args = texts(key, value)?,
            "provides" => self.provides = texts(key, value)?,
            "requires" => self.requires = texts(key, value)?,
            "needs" => self.needs = texts(key, value)?,
            "before" => self.before = texts(key, value)?,
            "after" => self.after = texts(key, value)?,
            "needs-attrs" => self.needs_attrs = texts(key, value)?,
            "needs-config" => self.needs_config = texts(key, value)?,
            "needs-env" => self.needs_env = texts(key, value)?,
            "priority" => {
                self.priority = value.as_i64().ok_or(format!("{key}: must be an integer"))?
            }
            "disabled" => self.disabled = flag(key, value)?,
            "exec" => self.exec = flag(key, value)?,
            _ => return Err(format!("invalid config key {key}")),
        }
        Ok(())
    }

    /// True if `name` is its own name, or that of its service.
    pub fn is(&self, name: &str) -> bool {
        self.name == name || self.provides.iter().any(|service| service == name)
    }

    /// True if it runs on a rank.
    pub fn is_on(&self, rank: u32) -> bool {
        includes(&self.ranks, rank).unwrap_or(false)
    }
}

/// True if `all`, `<N`, `>N` or a set of ranks includes this one.
fn includes(ranks: &str, rank: u32) -> Result<bool, String> {
    let bad = || format!("ranks: invalid idset: {ranks}");
    if ranks == ALL_RANKS {
        return Ok(true);
    }
    if let Some(n) = ranks.strip_prefix('>') {
        return n.trim().parse::<u32>().map(|n| rank > n).map_err(|_| bad());
    }
    if let Some(n) = ranks.strip_prefix('<') {
        return n.trim().parse::<u32>().map(|n| rank < n).map_err(|_| bad());
    }
    let set: IdSet = ranks.parse().map_err(|_| bad())?;
    Ok(set.contains(rank))
}

fn text(key: &str, value: &Value) -> Result<String, String> {
    let text = value.as_str().filter(|text| !text.is_empty());
    text.map(str::to_owned)
        .ok_or(format!("{key}: must be a string"))
}

fn texts(key: &str, value: &Value) -> Result<Vec<String>, String> {
    let texts = value.as_array().map(|array| array.iter());
    let texts = texts.map(|texts| texts.map(|text| text.as_str().map(str::to_owned)));
    let texts: Option<Vec<String>> = texts.and_then(|texts| texts.collect());
    texts.ok_or(format!("{key}: must be an array of strings"))
}

fn flag(key: &str, value: &Value) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or(format!("{key}: must be true or false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_all_or_some() {
        for (ranks, on) in [
            ("all", vec![0, 1, 2, 3]),
            ("0", vec![0]),
            ("0,2-3", vec![0, 2, 3]),
            (">1", vec![2, 3]),
            ("<1", vec![0]),
        ] {
            let found: Vec<u32> = (0..4)
                .filter(|rank| includes(ranks, *rank).unwrap())
                .collect();
            assert_eq!(found, on, "{ranks}");
        }
        for bad in ["zz", ">", ">x", "<1-2"] {
            let text = format!("ranks: invalid idset: {bad}");
            assert_eq!(includes(bad, 0), Err(text));
        }
    }

    fn check(keys: &str, expect: &str) {
        let mut definition = Definition::new("a");
        let keys: Map<String, Value> = serde_json::from_str(keys).unwrap();
        let said = match definition.update(&keys) {
            Ok(()) => serde_json::to_string(&definition).unwrap(),
            Err(error) => error,
        };
        assert_eq!(said, expect);
    }

    #[test]
    fn keys_are_taken_in_or_refused() {
        check(
            r#"{"module":"b","args":["x=1"],"ranks":">0","provides":["s"],"requires":["k"],"needs":["n"],"before":["p"],"after":["q"],"priority":7,"disabled":true,"exec":true,"needs-env":["E"],"needs-attrs":["!t"],"needs-config":["c.d"]}"#,
            r#"{"name":"a","module":"b","args":["x=1"],"ranks":">0","provides":["s"],"requires":["k"],"needs":["n"],"before":["p"],"after":["q"],"priority":7,"disabled":true,"exec":true}"#,
        );
        check(r#"{"bar":1}"#, "invalid config key bar");
        check(r#"{"ranks":"zz"}"#, "ranks: invalid idset: zz");
        check(r#"{"args":"x"}"#, "args: must be an array of strings");
        check(r#"{"args":[1]}"#, "args: must be an array of strings");
        check(r#"{"priority":"x"}"#, "priority: must be an integer");
        check(r#"{"disabled":1}"#, "disabled: must be true or false");
        check(r#"{"module":""}"#, "module: must be a string");
    }
}
