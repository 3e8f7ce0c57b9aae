//! Resource nesting of version 1 (RFC 25): one node or slot, a slot in a node, cores and
//! perhaps GPUs in a slot. Programs that count resources would ignore anything else.

use serde_json::Value;

use super::validate::{Check, ensure, invalid};

/// A place in the chain.
struct Level {
    /// Name in error texts.
    name: &'static str,
    /// Types of which exactly one must be present, once.
    one_of: &'static [&'static str],
    /// Types that may be present once besides.
    optional: &'static [&'static str],
}

const TOP: Level = Level {
    name: "resources",
    one_of: &["node", "slot"],
    optional: &[],
};
const NODE: Level = Level {
    name: "a node",
    one_of: &["slot"],
    optional: &[],
};
const SLOT: Level = Level {
    name: "a slot",
    one_of: &["core"],
    optional: &["gpu"],
};

/// Checks the resources, and that there is one task to run in them.
pub(super) fn check_nesting(resources: &[Value], tasks: &[Value]) -> Check {
    check_level(&TOP, resources)?;
    ensure(tasks.len() == 1, "tasks must have one entry")
}

fn check_level(level: &Level, vertices: &[Value]) -> Check {
    let kind = |vertex: &Value| -> String {
        let kind = vertex.get("type").and_then(Value::as_str);
        kind.unwrap_or_default().to_owned()
    };
    let kinds: Vec<String> = vertices.iter().map(kind).collect();
    let known = || level.one_of.iter().chain(level.optional);
    if let Some(other) = kinds
        .iter()
        .find(|kind| !known().any(|known| known == kind))
    {
        let text = format!("{} cannot have a resource of type '{other}'", level.name);
        return Err(invalid(text));
    }
    let count = |names: &[&str]| {
        kinds
            .iter()
            .filter(|kind| names.contains(&kind.as_str()))
            .count()
    };
    let names = level.one_of.join(" or ");
    let text = format!("{} must have one resource of type {names}", level.name);
    ensure(count(level.one_of) == 1, &text)?;
    for name in level.optional {
        let text = format!(
            "{} must have at most one resource of type {name}",
            level.name
        );
        ensure(count(&[name]) <= 1, &text)?;
    }
    vertices
        .iter()
        .zip(&kinds)
        .try_for_each(|(vertex, kind)| check_below(kind, vertex))
}

fn check_below(kind: &str, vertex: &Value) -> Check {
    let with = vertex.get("with").and_then(Value::as_array);
    let with = with.map_or(&[][..], Vec::as_slice);
    match kind {
        "node" => check_level(&NODE, with),
        "slot" => check_level(&SLOT, with),
        _ => ensure(
            with.is_empty(),
            &format!("a {kind} cannot have resources below it"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(resources: Value, expect: &str) {
        let tasks = [json!({})];
        let outcome = check_nesting(resources.as_array().unwrap(), &tasks);
        let outcome = outcome.map_or_else(|error| error.to_string(), |()| "ok".to_owned());
        assert_eq!(outcome, expect, "{resources}");
    }

    fn vertex(kind: &str, with: Value) -> Value {
        json!({"type": kind, "with": with})
    }

    fn slot() -> Value {
        vertex("slot", json!([vertex("core", json!([])), {"type": "gpu"}]))
    }

    #[test]
    fn version_1_has_one_chain() {
        check(json!([slot()]), "ok");
        check(json!([vertex("node", json!([slot()]))]), "ok");
        check(json!([vertex("slot", json!([{"type": "core"}]))]), "ok");
    }

    #[test]
    fn whatever_else_is_named() {
        let one = "resources must have one resource of type node or slot";
        check(json!([]), one);
        check(json!([slot(), slot()]), one);
        let text = "resources cannot have a resource of type 'core'";
        check(json!([{"type": "core"}]), text);
        let text = "a node cannot have a resource of type 'node'";
        check(
            json!([vertex("node", json!([vertex("node", json!([slot()]))]))]),
            text,
        );
        let text = "a node must have one resource of type slot";
        check(json!([vertex("node", json!([]))]), text);
        check(json!([{"type": "node"}]), text);
        let text = "a slot cannot have a resource of type 'slot'";
        check(json!([vertex("slot", json!([slot()]))]), text);
        let text = "a slot must have one resource of type core";
        check(json!([vertex("slot", json!([{"type": "gpu"}]))]), text);
        let two = json!([{"type": "core"}, {"type": "gpu"}, {"type": "gpu"}]);
        let text = "a slot must have at most one resource of type gpu";
        check(json!([vertex("slot", two)]), text);
        let memory = json!([{"type": "core"}, {"type": "memory"}]);
        let text = "a slot cannot have a resource of type 'memory'";
        check(json!([vertex("slot", memory)]), text);
        let below = json!([vertex("core", json!([{"type": "gpu"}]))]);
        check(
            json!([vertex("slot", below)]),
            "a core cannot have resources below it",
        );
    }

    #[test]
    fn there_is_one_task() {
        let resources = [slot()];
        for tasks in [&[][..], &[json!({}), json!({})]] {
            let refused = check_nesting(&resources, tasks).unwrap_err();
            assert_eq!(refused.0, "tasks must have one entry");
        }
    }
}
