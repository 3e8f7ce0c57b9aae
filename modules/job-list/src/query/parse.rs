//! Reading a constraint; the sentences are those that clients of a Flux instance know
//! (protocol/12 section 5).

use std::collections::{BTreeMap, BTreeSet};

use proto::data::job::{JobResult, States};
use proto::data::{Hostlist, IdSet};
use serde_json::Value;

use super::{Compare, Query};
use crate::attrs::Attr;
use crate::limits::CONSTRAINT_DEPTH_MAX;

/// Bits of all results.
const RESULTS_ALL: u32 = 15;

/// Context of reading besides the text.
#[derive(Debug, Clone, Default)]
pub struct Instance {
    /// Maximum number of hosts or ranks in a constraint.
    pub ranks_max: usize,
    /// Virtual queues by their parent.
    pub children: BTreeMap<String, Vec<String>>,
}

/// Reads a constraint; null and `{}` match everything.
pub fn parse(value: &Value, instance: &Instance) -> Result<Query, String> {
    parse_at(value, instance, 0)
}

fn parse_at(value: &Value, instance: &Instance, depth: usize) -> Result<Query, String> {
    if depth > CONSTRAINT_DEPTH_MAX {
        return Err("constraint is nested too deep".to_owned());
    }
    let object = match value {
        Value::Null => return Ok(Query::And(Vec::new())),
        Value::Object(object) => object,
        _ => return Err("constraint must be JSON object".to_owned()),
    };
    let mut entries = object.iter();
    let Some((operator, values)) = entries.next() else {
        return Ok(Query::And(Vec::new()));
    };
    if entries.next().is_some() {
        return Err("constraint must only contain 1 element".to_owned());
    }
    let values = values.as_array();
    let values = values.ok_or_else(|| format!("operator {operator} values not an array"))?;
    let inner = || -> Result<Vec<Query>, String> {
        let parse = |value| parse_at(value, instance, depth + 1);
        values.iter().map(parse).collect()
    };
    match operator.as_str() {
        "and" => inner().map(Query::And),
        "or" => inner().map(Query::Or),
        "not" => inner().map(Query::Not),
        "userid" => integers(values).map(Query::Userid),
        "name" => strings(values, "name").map(Query::Name),
        "queue" => strings(values, "queue").map(|wanted| with_children(wanted, instance)),
        "states" => mask(values, "states", States::ALL.bits(), |text| {
            text.parse::<States>().ok().map(States::bits)
        })
        .map(Query::States),
        "results" => mask(values, "results", RESULTS_ALL, |text| {
            text.parse::<JobResult>().ok().map(JobResult::bit)
        })
        .map(Query::Results),
        "hostlist" => hosts(values, instance.ranks_max).map(Query::Hosts),
        "ranks" => ranks(values, instance.ranks_max).map(Query::Ranks),
        other => match Attr::of(other).filter(|_| other.starts_with("t_")) {
            Some(attr) => time(attr, values),
            None => Err(format!("unknown constraint operator: {other}")),
        },
    }
}

fn integers(values: &[Value]) -> Result<BTreeSet<i64>, String> {
    let integer = |value: &Value| {
        value
            .as_i64()
            .ok_or_else(|| "userid value must be an integer".to_owned())
    };
    values.iter().map(integer).collect()
}

fn strings(values: &[Value], what: &str) -> Result<BTreeSet<String>, String> {
    let string = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        _ => Err(format!("{what} value must be a string")),
    };
    values.iter().map(string).collect()
}

fn with_children(mut wanted: BTreeSet<String>, instance: &Instance) -> Query {
    let children = wanted.iter().filter_map(|name| instance.children.get(name));
    let children: Vec<String> = children.flatten().cloned().collect();
    wanted.extend(children);
    Query::Queue(wanted)
}

fn mask(
    values: &[Value],
    what: &str,
    valid: u32,
    by_name: impl Fn(&str) -> Option<u32>,
) -> Result<u32, String> {
    let mut mask = 0;
    for value in values {
        mask |= match value {
            Value::String(text) => {
                by_name(text).ok_or_else(|| format!("invalid {what} value '{text}' specified"))?
            }
            Value::Number(number) if !number.is_f64() => {
                let bits = number.as_i64().unwrap_or(-1);
                let known = u32::try_from(bits).ok().filter(|bits| bits & !valid == 0);
                known.ok_or_else(|| format!("invalid {what} value '{bits:x}h' specified"))?
            }
            _ => return Err(format!("{what} value invalid type")),
        };
    }
    Ok(mask)
}

fn hosts(values: &[Value], max: usize) -> Result<BTreeSet<Box<str>>, String> {
    let mut hosts = BTreeSet::new();
    for value in values {
        let text = value.as_str().ok_or("host value must be a string")?;
        let list: Hostlist = text
            .parse()
            .map_err(|_| "host value not in valid Hostlist format")?;
        hosts.extend(list.iter().map(Box::from));
        if hosts.len() > max {
            return Err("too many hosts specified".to_owned());
        }
    }
    Ok(hosts)
}

fn ranks(values: &[Value], max: usize) -> Result<IdSet, String> {
    let mut ranks = IdSet::new();
    for value in values {
        let text = value.as_str().ok_or("ranks value must be a string")?;
        let set: IdSet = text
            .parse()
            .map_err(|error| format!("ranks value '{text}': {error}"))?;
        ranks.add(&set);
        if ranks.count() > max as u64 {
            return Err("too many ranks specified".to_owned());
        }
    }
    Ok(ranks)
}

fn time(attr: Attr, values: &[Value]) -> Result<Query, String> {
    let text = values.first().and_then(Value::as_str);
    let text = text.ok_or("timestamp value not specified")?;
    let operators = [
        (">=", Compare::GreaterOrEqual),
        ("<=", Compare::LessOrEqual),
        (">", Compare::Greater),
        ("<", Compare::Less),
    ];
    let found = operators.iter().find_map(|(operator, compare)| {
        text.strip_prefix(operator).map(|number| (compare, number))
    });
    let (compare, number) = found.ok_or("timestamp comparison operator not specified")?;
    let number: f64 = number
        .trim()
        .parse()
        .map_err(|_| "Invalid timestamp value specified")?;
    if number.is_nan() {
        return Err("Invalid timestamp value specified".to_owned());
    }
    if number < 0.0 {
        return Err("timestamp value must be >= 0.0".to_owned());
    }
    Ok(Query::Time(attr, *compare, number))
}
