//! Values inside JSON objects by dotted path, as in job updates, attributes and memos.

use serde_json::map::Entry;
use serde_json::{Map, Value};

use super::limits::DOTTED_COMPONENTS_MAX;

/// Errors of setting a value at a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DottedError {
    /// The path is empty or has an empty component.
    #[error("invalid key '{0}'")]
    Path(String),
    /// More components than `DOTTED_COMPONENTS_MAX`.
    #[error("key has more than {DOTTED_COMPONENTS_MAX} components")]
    TooDeep,
    /// A value on the way is not an object.
    #[error("'{0}' is not an object")]
    NotAnObject(String),
}

/// The value at `path`, such as `system.shell.options`.
pub fn get<'a>(object: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut parts = path.split('.');
    let first = object.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.as_object()?.get(part))
}

/// Sets the value at `path`, making objects on the way; null removes it.
pub fn set(object: &mut Map<String, Value>, path: &str, value: Value) -> Result<(), DottedError> {
    if path.split('.').any(str::is_empty) {
        return Err(DottedError::Path(path.to_owned()));
    }
    if path.split('.').count() > DOTTED_COMPONENTS_MAX {
        return Err(DottedError::TooDeep);
    }
    let (dir, name) = match path.rsplit_once('.') {
        Some((dir, name)) => (Some(dir), name),
        None => (None, path),
    };
    let mut object = object;
    for part in dir.into_iter().flat_map(|dir| dir.split('.')) {
        let next = match object.entry(part) {
            Entry::Occupied(there) => there.into_mut(),
            // Removing what is not there must leave no trace.
            Entry::Vacant(_) if value.is_null() => return Ok(()),
            Entry::Vacant(room) => room.insert(Value::Object(Map::new())),
        };
        object = match next {
            Value::Object(next) => next,
            _ => return Err(DottedError::NotAnObject(part.to_owned())),
        };
    }
    if value.is_null() {
        object.shift_remove(name);
    } else {
        object.insert(name.to_owned(), value);
    }
    Ok(())
}

/// Merges `update` into annotations (RFC 27): objects merge, null deletes, other values replace.
/// An object that becomes empty is removed too.
pub fn merge(into: &mut Map<String, Value>, update: &Map<String, Value>) {
    for (key, value) in update {
        match value {
            Value::Null => {
                into.shift_remove(key);
            }
            Value::Object(update) => {
                let there = into.entry(key.as_str()).or_insert(Value::Null);
                if !there.is_object() {
                    *there = Value::Object(Map::new());
                }
                if let Value::Object(there) = there {
                    merge(there, update);
                    if there.is_empty() {
                        into.shift_remove(key);
                    }
                }
            }
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn check_set(before: Value, path: &str, value: Value, expect: Result<Value, &str>) {
        let mut map = object(before);
        let outcome = set(&mut map, path, value).map(|()| Value::Object(map));
        assert_eq!(
            outcome.map_err(|error| error.to_string()),
            expect.map_err(str::to_owned)
        );
    }

    #[test]
    fn values_are_set_and_removed_by_path() {
        check_set(
            json!({}),
            "a.b.c",
            json!(1),
            Ok(json!({"a": {"b": {"c": 1}}})),
        );
        check_set(
            json!({"a": {"x": 1}}),
            "a.b",
            json!(2),
            Ok(json!({"a": {"x": 1, "b": 2}})),
        );
        check_set(
            json!({"a": {"x": 1}}),
            "a.x",
            json!(null),
            Ok(json!({"a": {}})),
        );
        check_set(json!({"a": 1}), "b.c", json!(null), Ok(json!({"a": 1})));
        check_set(
            json!({"a": 1}),
            "a.b",
            json!(2),
            Err("'a' is not an object"),
        );
        check_set(json!({}), "", json!(1), Err("invalid key ''"));
        check_set(json!({}), "a..b", json!(1), Err("invalid key 'a..b'"));
        let deep = vec!["a"; DOTTED_COMPONENTS_MAX + 1].join(".");
        check_set(
            json!({}),
            &deep,
            json!(1),
            Err("key has more than 64 components"),
        );
    }

    #[test]
    fn values_are_found_by_path() {
        let map = object(json!({"a": {"b": [1]}}));
        assert_eq!(get(&map, "a.b"), Some(&json!([1])));
        assert_eq!(get(&map, "a.b.c"), None);
        assert_eq!(get(&map, "b"), None);
        assert_eq!(get(&map, ""), None);
    }

    fn check_merge(before: Value, update: Value, expect: Value) {
        let mut map = object(before);
        merge(&mut map, &object(update));
        assert_eq!(Value::Object(map), expect);
    }

    #[test]
    fn annotations_merge_and_null_deletes() {
        check_merge(
            json!({"a": {"b": 1}}),
            json!({"a": {"c": 2}}),
            json!({"a": {"b": 1, "c": 2}}),
        );
        check_merge(json!({"a": {"b": 1}}), json!({"a": {"b": null}}), json!({}));
        check_merge(json!({"a": {"b": 1}}), json!({"a": null}), json!({}));
        check_merge(json!({"a": 1}), json!({"a": {"b": {"c": null}}}), json!({}));
        check_merge(json!({"a": {"b": 1}}), json!({"a": 2}), json!({"a": 2}));
        check_merge(json!({}), json!({"x": null}), json!({}));
    }
}
