//! Turns the JSON schema of a payload into rows of a table.

use serde_json::Value;

/// One key of a payload.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// The key, with its parents: `rx.request`, `mods[].name`.
    pub key: String,
    /// `string`, `integer`, `array of string`, ...
    pub kind: String,
    /// Without it the payload is refused.
    pub required: bool,
    /// The doc comment.
    pub meaning: String,
}

/// Nesting depth to which objects are spelled out; deeper ones are `object`.
const DEPTH_MAX: usize = 4;

/// The keys of an object schema; none when it takes any key.
pub fn fields(schema: &Value) -> Vec<Field> {
    let mut fields = Vec::new();
    collect(schema, schema, "", 0, &mut fields);
    fields
}

fn collect(root: &Value, schema: &Value, prefix: &str, depth: usize, fields: &mut Vec<Field>) {
    let schema = resolve(root, schema);
    // A flattened enum or a transparent wrapper keeps its properties one level down.
    for part in ["allOf", "anyOf", "oneOf"] {
        for alternative in schema[part].as_array().into_iter().flatten() {
            if !is_null(alternative) {
                collect(root, alternative, prefix, depth, fields);
            }
        }
    }
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let key = format!("{prefix}{name}");
        if fields.iter().any(|field| field.key == key) {
            continue;
        }
        fields.push(Field {
            kind: kind(root, property, 0),
            required: required.contains(&name.as_str()),
            meaning: meaning(root, property),
            key: key.clone(),
        });
        if depth < DEPTH_MAX {
            let target = resolve(root, property);
            collect(root, target, &format!("{key}."), depth + 1, fields);
            if let Some(items) = target.get("items") {
                collect(root, items, &format!("{key}[]."), depth + 1, fields);
            }
        }
    }
}

/// The name of a schema's type. Optional values are named without their null.
fn kind(root: &Value, schema: &Value, depth: usize) -> String {
    let schema = resolve(root, schema);
    if depth > DEPTH_MAX {
        return "object".to_owned();
    }
    if let Some(values) = schema["enum"].as_array() {
        return values
            .iter()
            .map(|value| format!("`{value}`"))
            .collect::<Vec<_>>()
            .join(" or ");
    }
    if let Some(value) = schema.get("const") {
        return format!("`{value}`");
    }
    if let Some(items) = schema.get("items") {
        return format!("array of {}", kind(root, items, depth + 1));
    }
    let mut kinds = match &schema["type"] {
        Value::String(name) => vec![name.clone()],
        Value::Array(names) => names
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    };
    for part in ["anyOf", "oneOf", "allOf"] {
        for alternative in schema[part].as_array().into_iter().flatten() {
            kinds.push(kind(root, alternative, depth + 1));
        }
    }
    kinds.retain(|kind| kind != "null");
    kinds.dedup();
    if kinds.is_empty() {
        "any".to_owned()
    } else {
        kinds.join(" or ")
    }
}

/// The property's own words, or those of its type.
fn meaning(root: &Value, schema: &Value) -> String {
    let own = schema["description"].as_str();
    own.or_else(|| resolve(root, schema)["description"].as_str())
        .unwrap_or_default()
        .to_owned()
}

/// Follows `$ref`, also where an optional value wraps it.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    for _ in 0..DEPTH_MAX {
        let name = schema["$ref"]
            .as_str()
            .and_then(|path| path.strip_prefix("#/$defs/"));
        if let Some(target) = name.and_then(|name| root["$defs"].get(name)) {
            schema = target;
            continue;
        }
        let options: Vec<&Value> = schema["anyOf"].as_array().into_iter().flatten().collect();
        match options[..] {
            [only, null] if is_null(null) => schema = only,
            _ => break,
        }
    }
    schema
}

fn is_null(schema: &Value) -> bool {
    schema["type"] == "null"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Formats each field as `key: kind, optional, meaning`.
    fn check(schema: Value, expect: &str) {
        let mut lines = String::new();
        for field in fields(&schema) {
            let needed = if field.required { "" } else { "?" };
            lines += &format!(
                "{}{needed}: {} ({})\n",
                field.key, field.kind, field.meaning
            );
        }
        assert_eq!(lines, expect);
    }

    #[test]
    fn plain_keys_keep_their_type_need_and_meaning() {
        check(
            json!({"properties": {
                "id": {"type": "integer", "description": "Job."},
                "note": {"type": ["string", "null"]}
            }, "required": ["id"]}),
            "id: integer (Job.)\nnote?: string ()\n",
        );
    }

    #[test]
    fn objects_within_are_spelled_out_under_their_key() {
        check(
            json!({"properties": {
                "rx": {"$ref": "#/$defs/Counts", "description": "Received."},
                "mods": {"type": "array", "items": {"$ref": "#/$defs/Mod"}}
            }, "required": ["rx", "mods"], "$defs": {
                "Counts": {"type": "object", "properties": {"request": {"type": "integer"}},
                           "required": ["request"]},
                "Mod": {"type": "object", "properties": {"name": {"type": "string"}}}
            }}),
            "rx: object (Received.)\nrx.request: integer ()\n\
             mods: array of object ()\nmods[].name?: string ()\n",
        );
    }

    #[test]
    fn an_optional_reference_is_its_target() {
        check(
            json!({"properties": {"id": {"anyOf": [{"$ref": "#/$defs/Id"}, {"type": "null"}]}},
                   "$defs": {"Id": {"type": "integer", "description": "An id."}}}),
            "id?: integer (An id.)\n",
        );
    }

    #[test]
    fn a_recursive_type_ends() {
        let node = json!({"properties": {"child": {"$ref": "#/$defs/Node"}},
            "$defs": {"Node": {"type": "object", "properties": {"child": {"$ref": "#/$defs/Node"}}}}});
        assert_eq!(fields(&node).len(), DEPTH_MAX + 1);
    }

    #[test]
    fn an_object_of_any_keys_has_no_rows() {
        check(json!({"type": "object", "additionalProperties": true}), "");
    }
}
