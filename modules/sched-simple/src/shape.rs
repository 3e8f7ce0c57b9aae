//! The resources that a jobspec asks for (RFC 14): nodes, slots, and cores and GPUs of a slot.
//! Types that are not known here are passed over, and their contents are looked at. Pure.

use proto::data::shape::{mismatch, not_found};
use serde_json::{Map, Value};

/// Levels of resources, one within the other; more is refused.
const LEVELS_MAX: usize = 100;

/// A number between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Range {
    /// At least this.
    pub min: u64,
    /// At most this.
    pub max: u64,
}

impl Range {
    /// This number and no other.
    pub const fn exactly(n: u64) -> Range {
        Range { min: n, max: n }
    }
}

/// Resources requested by a jobspec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Shape {
    /// Nodes; 0 when only slots are asked for.
    pub nnodes: Range,
    /// Slots: on each node when nodes are asked for, else on all together.
    pub nslots: Range,
    /// Cores of one slot.
    pub slot_cores: u64,
    /// GPUs of one slot.
    pub slot_gpus: u64,
    /// Whole nodes.
    pub exclusive: bool,
}

/// Errors of reading a jobspec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShapeError {
    /// The shape cannot be read.
    Malformed(String),
    /// The shape asks for one of several numbers that are no simple range.
    Discrete(&'static str),
}

fn malformed<T>(text: impl Into<String>) -> Result<T, ShapeError> {
    Err(ShapeError::Malformed(text.into()))
}

impl Shape {
    /// Reads the array under `resources`.
    pub fn new(resources: &[Value]) -> Result<Shape, ShapeError> {
        let mut shape = Shape::default();
        shape.walk(resources, 0)?;
        if shape.nslots.min == 0 {
            return malformed("Unable to determine slot count");
        }
        if shape.slot_cores == 0 {
            return malformed("Unable to determine slot size");
        }
        if shape.exclusive && shape.nnodes.min == 0 {
            // A slot of its own node each.
            shape.nnodes = shape.nslots;
            shape.nslots = Range::exactly(1);
        }
        Ok(shape)
    }

    fn walk(&mut self, resources: &[Value], level: usize) -> Result<(), ShapeError> {
        if level >= LEVELS_MAX {
            return malformed(format!(
                "jobspec resource nesting exceeds maximum depth {LEVELS_MAX}"
            ));
        }
        for vertex in resources {
            let at_level = |why: String| ShapeError::Malformed(format!("level {level}: {why}"));
            let object = vertex.as_object();
            let object = object.ok_or_else(|| at_level(mismatch("object", vertex)))?;
            let kind = object.get("type");
            let kind = kind.ok_or_else(|| at_level(not_found("type")))?;
            let kind = kind
                .as_str()
                .ok_or_else(|| at_level(mismatch("string", kind)))?;
            self.exclusive |= object.get("exclusive").and_then(Value::as_bool) == Some(true);
            let count = || {
                let count = object.get("count");
                count.ok_or_else(|| at_level(not_found("count")))
            };
            match kind {
                "node" => self.nnodes = range(count()?, "node")?,
                "slot" => self.nslots = range(count()?, "slot")?,
                "core" => self.slot_cores = number(count()?, "core", 1)?,
                "gpu" => self.slot_gpus = number(count()?, "gpu", 0)?,
                _ => {}
            }
            match object.get("with") {
                None => {}
                Some(Value::Array(with)) => self.walk(with, level + 1)?,
                Some(with) => return Err(at_level(mismatch("array", with))),
            }
        }
        Ok(())
    }
}

/// A count that is one number.
fn number(count: &Value, kind: &'static str, least: u64) -> Result<u64, ShapeError> {
    if least == 0 && count.as_u64() == Some(0) {
        return Ok(0);
    }
    match range(count, kind)? {
        Range { min, max } if min == max => Ok(min),
        _ => Err(ShapeError::Discrete(kind)),
    }
}

/// A count: a number, a range, or the text of one of them.
fn range(count: &Value, kind: &'static str) -> Result<Range, ShapeError> {
    match count {
        Value::Object(range) => range_of_object(range, kind),
        Value::String(text) => range_of_text(text, kind),
        Value::Number(number) => match number.as_i64() {
            Some(n) if n >= 1 => Ok(Range::exactly(n.unsigned_abs())),
            Some(n) => malformed(format!("RFC 14 count: integer count must be >= 1, got {n}")),
            None => malformed(format!("RFC 14 count: invalid count {number}")),
        },
        other => malformed(format!("RFC 14 count: {}", mismatch("integer", other))),
    }
}

fn range_of_object(range: &Map<String, Value>, kind: &'static str) -> Result<Range, ShapeError> {
    let least = |key: &str| match range.get(key) {
        None => Ok(None),
        Some(value) => match value.as_u64().filter(|n| *n >= 1) {
            Some(n) => Ok(Some(n)),
            None => malformed(format!("RFC 14 count: {key} must be >= 1, got {value}")),
        },
    };
    let Some(min) = least("min")? else {
        return malformed("RFC 14 count: range has no min");
    };
    let max = least("max")?.unwrap_or(u64::MAX);
    if max < min {
        return malformed("RFC 14 count: max must be >= min");
    }
    let operator = range.get("operator").map_or(Some("+"), Value::as_str);
    let operand = least("operand")?.unwrap_or(1);
    match (operator, operand) {
        _ if min == max => Ok(Range { min, max }),
        (Some("+"), 1) => Ok(Range { min, max }),
        _ => Err(ShapeError::Discrete(kind)),
    }
}

/// `4`, `2-4`, `2+`, with `:1` or `:1:+` behind it. Other steps and lists are discrete.
fn range_of_text(text: &str, kind: &'static str) -> Result<Range, ShapeError> {
    let bad = || ShapeError::Malformed(format!("RFC 14 count: invalid count '{text}'"));
    let number = |text: &str| text.parse::<u64>().ok().filter(|n| *n >= 1);
    let mut words = text.split(':');
    let span = words.next().unwrap_or_default();
    if span.contains(',') {
        let all_numbers = span.split(',').all(|part| number(part).is_some());
        return Err(if all_numbers {
            ShapeError::Discrete(kind)
        } else {
            bad()
        });
    }
    let range = match (span.strip_suffix('+'), span.split_once('-')) {
        (Some(min), _) => number(min).map(|min| Range { min, max: u64::MAX }),
        (None, Some((min, max))) => number(min)
            .zip(number(max))
            .map(|(min, max)| Range { min, max }),
        (None, None) => number(span).map(Range::exactly),
    };
    let range = range
        .filter(|range| range.min <= range.max)
        .ok_or_else(bad)?;
    match (words.next(), words.next(), words.next()) {
        (None | Some("1"), None | Some("+"), None) => Ok(range),
        (Some(operand), None | Some("+" | "*" | "^"), None) if number(operand).is_some() => {
            Err(ShapeError::Discrete(kind))
        }
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(range: Range) -> String {
        match range {
            Range { min, max } if min == max => min.to_string(),
            Range { min, max: u64::MAX } => format!("{min}+"),
            Range { min, max } => format!("{min}-{max}"),
        }
    }

    fn check(resources: Value, expect: &str) {
        let outcome = match Shape::new(resources.as_array().unwrap()) {
            Ok(s) => format!(
                "{} {} {} {}{}",
                shown(s.nnodes),
                shown(s.nslots),
                s.slot_cores,
                s.slot_gpus,
                if s.exclusive { " exclusive" } else { "" }
            ),
            Err(ShapeError::Malformed(text)) => text,
            Err(ShapeError::Discrete(kind)) => format!("discrete {kind} count"),
        };
        assert_eq!(outcome, expect, "{resources}");
    }

    fn slot(count: Value) -> Value {
        let with = json!([{"type": "core", "count": 2}, {"type": "gpu", "count": 1}]);
        json!({"type": "slot", "count": count, "label": "t", "with": with})
    }

    #[test]
    fn a_chain_comes_down_to_numbers() {
        check(json!([slot(json!(3))]), "0 3 2 1");
        let node = json!({"type": "node", "count": 4, "with": [slot(json!(2))]});
        check(json!([node]), "4 2 2 1");
        let whole =
            json!({"type": "node", "count": 4, "exclusive": true, "with": [slot(json!(2))]});
        check(json!([whole]), "4 2 2 1 exclusive");
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        let socket = json!({"type": "socket", "count": 2, "with": [slot(json!(3))]});
        check(json!([{"type": "rack", "with": [socket]}]), "0 3 2 1");
    }

    #[test]
    fn a_slot_of_its_own_counts_nodes() {
        let mut own = slot(json!({"min": 2, "max": 4}));
        own["exclusive"] = json!(true);
        check(json!([own]), "2-4 1 2 1 exclusive");
    }

    #[test]
    fn simple_ranges_are_read() {
        for (count, expect) in [
            (json!({"min": 2, "max": 4}), "2-4"),
            (json!({"min": 2}), "2+"),
            (
                json!({"min": 2, "max": 4, "operator": "+", "operand": 1}),
                "2-4",
            ),
            (
                json!({"min": 3, "max": 3, "operator": "*", "operand": 2}),
                "3",
            ),
            (json!("5"), "5"),
            (json!("2-4"), "2-4"),
            (json!("2+"), "2+"),
            (json!("2-8:1"), "2-8"),
            (json!("2-8:1:+"), "2-8"),
        ] {
            check(json!([slot(count)]), &format!("0 {expect} 2 1"));
        }
    }

    #[test]
    fn other_steps_are_discrete() {
        for count in [
            json!({"min": 2, "max": 8, "operator": "*", "operand": 2}),
            json!({"min": 2, "max": 8, "operand": 2}),
            json!("2-8:2"),
            json!("2-8:2:*"),
            json!("2,4"),
        ] {
            check(json!([slot(count)]), "discrete slot count");
        }
        let node = json!({"type": "node", "count": "2,4", "with": [slot(json!(1))]});
        check(json!([node]), "discrete node count");
        let core = json!({"type": "core", "count": "1-2"});
        check(
            json!([{"type": "slot", "count": 1, "with": [core]}]),
            "discrete core count",
        );
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        check(json!([]), "Unable to determine slot count");
        check(
            json!([{"type": "slot", "count": 1}]),
            "Unable to determine slot size",
        );
        let at_least = "RFC 14 count: integer count must be >= 1, got";
        check(json!([slot(json!(0))]), &format!("{at_least} 0"));
        check(json!([slot(json!(-1))]), &format!("{at_least} -1"));
        check(json!([slot(json!(1.5))]), "RFC 14 count: invalid count 1.5");
        check(
            json!([slot(json!([]))]),
            "RFC 14 count: Expected integer, got array",
        );
        check(json!([slot(json!({}))]), "RFC 14 count: range has no min");
        check(
            json!([slot(json!({"min": 0}))]),
            "RFC 14 count: min must be >= 1, got 0",
        );
        let upside_down = json!({"min": 3, "max": 2});
        check(
            json!([slot(upside_down)]),
            "RFC 14 count: max must be >= min",
        );
        for text in ["", "x", "3-2", "1-2:x", "1-2:1:+:", "1,x", "-1"] {
            let expect = format!("RFC 14 count: invalid count '{text}'");
            check(json!([slot(json!(text))]), &expect);
        }
        check(json!([7]), "level 0: Expected object, got integer");
        check(
            json!([{"count": 1}]),
            "level 0: Object item not found: type",
        );
        check(
            json!([{"type": "slot"}]),
            "level 0: Object item not found: count",
        );
    }

    #[test]
    fn nesting_has_an_end() {
        let nest = |levels: usize| {
            let inner = slot(json!(1));
            (1..levels).fold(inner, |with, _| json!({"type": "box", "with": [with]}))
        };
        check(json!([nest(LEVELS_MAX - 1)]), "0 1 2 1");
        let text = "jobspec resource nesting exceeds maximum depth 100";
        check(json!([nest(LEVELS_MAX)]), text);
    }
}
