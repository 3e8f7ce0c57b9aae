//! The checks of requested resources in a submission.

use serde_json::{Map, Value};

use super::validate::{Check, Invalid, ensure, invalid};

/// Checks resource vertices and all below them. Depth is bounded by the JSON reader.
pub(super) fn check_vertices(vertices: &[Value]) -> Check {
    vertices.iter().try_for_each(check_vertex)
}

/// Refuses counts that version 1 does not have: ranges, as mapping or as text.
pub(super) fn check_integer_counts(vertices: &[Value]) -> Check {
    for vertex in vertices {
        let kind = vertex
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let count = vertex.get("count").unwrap_or(&Value::Null);
        if !is_integer(count) {
            let got = count
                .as_str()
                .map_or_else(|| count.to_string(), str::to_owned);
            return Err(invalid(format!(
                "resource count must be an integer for type '{kind}' (got '{got}')"
            )));
        }
        if let Some(Value::Array(with)) = vertex.get("with") {
            check_integer_counts(with)?;
        }
    }
    Ok(())
}

fn check_vertex(vertex: &Value) -> Check {
    let vertex = vertex
        .as_object()
        .ok_or_else(|| invalid("resource must be a mapping"))?;
    let kind = vertex.get("type");
    let kind = kind.ok_or_else(|| invalid("type is a required key for resources"))?;
    let count = vertex.get("count");
    let count = count.ok_or_else(|| invalid("count is a required key for resources"))?;
    let kind = kind
        .as_str()
        .ok_or_else(|| invalid("type must be a string"))?;
    check_count(kind, count)?;
    for (key, text) in [
        ("id", "id must be a string"),
        ("unit", "unit must be a string"),
        ("label", "label must be a string"),
    ] {
        ensure(vertex.get(key).is_none_or(Value::is_string), text)?;
    }
    let exclusive = vertex.get("exclusive");
    ensure(
        exclusive.is_none_or(Value::is_boolean),
        "exclusive must be a boolean",
    )?;
    ensure(
        kind != "slot" || vertex.contains_key("label"),
        "slots must have labels",
    )?;
    match vertex.get("with") {
        None => Ok(()),
        Some(Value::Array(with)) => check_vertices(with),
        Some(_) => Err(invalid("resources must be a sequence")),
    }
}

fn check_count(kind: &str, count: &Value) -> Check {
    match count {
        Value::Number(_) if is_integer(count) => {
            let at_least_one = matches!(kind, "node" | "slot" | "core");
            let number = count.as_i64();
            if at_least_one {
                let text = "node, slot, or core count must be > 0";
                ensure(number.is_none_or(|number| number > 0), text)
            } else {
                ensure(
                    number.is_none_or(|number| number >= 0),
                    "count must be >= 0",
                )
            }
        }
        Value::Object(range) => check_range(range),
        // A range in text form (RFC 45) is refused with the counts that version 1 does not have.
        Value::String(_) => Ok(()),
        _ => Err(invalid("count must be an int or mapping")),
    }
}

fn check_range(range: &Map<String, Value>) -> Check {
    let number = |key: &str| -> Result<Option<i64>, Invalid> {
        match range.get(key) {
            None => Ok(None),
            Some(value) => match value.as_i64() {
                Some(number) => Ok(Some(number)),
                None => Err(invalid(format!("{key} must be an int"))),
            },
        }
    };
    let min = number("min")?.ok_or_else(|| invalid("min must be in range"))?;
    ensure(
        number("max")?.is_none_or(|max| max >= min),
        "max must be >= min",
    )?;
    number("operand")?;
    let has_both = range.contains_key("operator") == range.contains_key("operand");
    ensure(
        has_both,
        "operand and operator must both be in range if either is",
    )?;
    match range.get("operator").map(Value::as_str) {
        None | Some(Some("+" | "*" | "^")) => Ok(()),
        Some(_) => Err(invalid("operator must be one of ['+', '*', '^']")),
    }
}

fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Checks one vertex as a submission does.
    fn check(vertex: Value, expect: &str) {
        let vertices = [vertex];
        let outcome = check_vertices(&vertices).and_then(|()| check_integer_counts(&vertices));
        let outcome = outcome.map_or_else(|error| error.to_string(), |()| "ok".to_owned());
        assert_eq!(outcome, expect, "{vertices:?}");
    }

    #[test]
    fn vertices_have_their_sentences() {
        check(json!({"type": "gpu", "count": 0}), "ok");
        check(json!(1), "resource must be a mapping");
        check(json!({"count": 1}), "type is a required key for resources");
        check(
            json!({"type": "core"}),
            "count is a required key for resources",
        );
        check(json!({"type": 1, "count": 1}), "type must be a string");
        check(
            json!({"type": "core", "count": 1.5}),
            "count must be an int or mapping",
        );
        check(
            json!({"type": "core", "count": true}),
            "count must be an int or mapping",
        );
        for kind in ["node", "slot", "core"] {
            check(
                json!({"type": kind, "count": 0}),
                "node, slot, or core count must be > 0",
            );
        }
        check(json!({"type": "gpu", "count": -1}), "count must be >= 0");
        check(
            json!({"type": "core", "count": 1, "id": 1}),
            "id must be a string",
        );
        check(
            json!({"type": "core", "count": 1, "unit": 1}),
            "unit must be a string",
        );
        check(
            json!({"type": "slot", "count": 1, "label": 1}),
            "label must be a string",
        );
        check(
            json!({"type": "node", "count": 1, "exclusive": 1}),
            "exclusive must be a boolean",
        );
        check(
            json!({"type": "slot", "count": 1}),
            "slots must have labels",
        );
        check(
            json!({"type": "node", "count": 1, "with": [{"count": 1}]}),
            "type is a required key for resources",
        );
        check(
            json!({"type": "node", "count": 1, "with": {}}),
            "resources must be a sequence",
        );
    }

    #[test]
    fn ranges_have_their_sentences_and_are_not_version_1() {
        let with = |count: Value| json!({"type": "core", "count": count});
        check(with(json!({})), "min must be in range");
        check(with(json!({"min": 2, "max": 1})), "max must be >= min");
        check(
            with(json!({"min": 1, "operator": "+"})),
            "operand and operator must both be in range if either is",
        );
        check(
            with(json!({"min": 1, "operator": "-", "operand": 1})),
            "operator must be one of ['+', '*', '^']",
        );
        check(
            with(json!({"min": 1})),
            "resource count must be an integer for type 'core' (got '{\"min\":1}')",
        );
        check(
            with(json!("1-4")),
            "resource count must be an integer for type 'core' (got '1-4')",
        );
    }
}
