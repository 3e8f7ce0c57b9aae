//! Type of the value of an option or attribute of a job, and its support in this version.

use serde_json::Value;

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Any value at all.
    Any,
    /// Any value: its presence enables the option.
    Presence,
    /// `true` or an integer above 0 enables it, all else disables it.
    Switch,
    /// `true` or `false`.
    Bool,
    /// An integer.
    Int,
    /// A number.
    Number,
    /// A string.
    Text,
    /// A path; `/dev/null` is an empty file.
    Path,
    /// A number of seconds, or a duration of RFC 23.
    Duration,
    /// A number of bytes, or a string with k, M or G behind the number.
    Size,
    /// A mapping with arbitrary keys.
    Mapping,
    /// A list.
    List,
    /// One of these words, and their list as in a sentence.
    OneOf(&'static [&'static str], &'static str),
}

/// Support for an option or attribute in this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// Used.
    Used,
    /// Used, but these values are refused; the part from `@` on does not count.
    UsedExcept(&'static [&'static str]),
    /// A job that sets it is refused.
    Refused,
}

impl Shape {
    /// The type in one or two words with its article, for tables and refusals.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Any | Self::Presence => "any value",
            Self::Switch => "true or an integer",
            Self::Bool => "a boolean",
            Self::Int => "an integer",
            Self::Number => "a number",
            Self::Text | Self::Path => "a string",
            Self::Duration => "a duration",
            Self::Size => "a size",
            Self::Mapping => "a mapping",
            Self::List => "a list",
            Self::OneOf(_, noun) => noun,
        }
    }

    /// The JSON type in the texts of [`mismatch`].
    pub const fn json_type(self) -> &'static str {
        match self {
            Self::Any | Self::Presence | Self::Switch => "any value",
            Self::Bool => "true or false",
            Self::Int => "integer",
            Self::Number => "real or integer",
            Self::Duration | Self::Size => "string or number",
            Self::Text | Self::Path | Self::OneOf(..) => "string",
            Self::Mapping => "object",
            Self::List => "array",
        }
    }

    /// True if a value is of this type. Of durations and sizes only the JSON type is checked.
    pub fn fits(self, value: &Value) -> bool {
        match self {
            Self::Any | Self::Presence | Self::Switch => true,
            Self::Bool => value.is_boolean(),
            Self::Int => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Text | Self::Path => value.is_string(),
            Self::Duration | Self::Size => value.is_number() || value.is_string(),
            Self::Mapping => value.is_object(),
            Self::List => value.is_array(),
            Self::OneOf(words, _) => value.as_str().is_some_and(|word| words.contains(&word)),
        }
    }

    /// True if a value has an effect: false, null and an empty file have none.
    pub fn asks(self, value: &Value) -> bool {
        match self {
            Self::Switch => value == true || value.as_i64().is_some_and(|number| number > 0),
            Self::Int => value != 0 && !value.is_null(),
            Self::Bool => value != false && !value.is_null(),
            Self::Path => value != "/dev/null" && !value.is_null(),
            _ => !value.is_null(),
        }
    }
}

impl Support {
    /// True if a job with this value is refused.
    pub fn refuses(self, shape: Shape, value: &Value) -> bool {
        match self {
            Self::Used => false,
            Self::UsedExcept(refused) => {
                let text = value.as_str().and_then(|text| text.split('@').next());
                text.is_some_and(|text| refused.contains(&text))
            }
            Self::Refused => shape.asks(value),
        }
    }

    /// Word in the tables in `doc/`.
    pub fn word(self) -> String {
        match self {
            Self::Used => "used".to_owned(),
            Self::UsedExcept(values) => format!("used, except {}: refused", values.join(", ")),
            Self::Refused => "refused".to_owned(),
        }
    }
}

/// Error text for an object without a required key.
pub fn not_found(key: &str) -> String {
    format!("Object item not found: {key}")
}

/// Error text for a value of another JSON type than `wanted`.
pub fn mismatch(wanted: &str, value: &Value) -> String {
    let got = match value {
        Value::Null => "null",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(number) if number.is_f64() => "real",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    format!("Expected {wanted}, got {got}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_off_asks_for_nothing() {
        let check = |shape: Shape, off: &[Value], on: &[Value]| {
            for value in off {
                assert!(!shape.asks(value), "{shape:?} {value}");
            }
            for value in on {
                assert!(shape.asks(value), "{shape:?} {value}");
            }
        };
        let off = [json!(0), json!(false), json!("x"), json!(null)];
        check(Shape::Switch, &off, &[json!(1), json!(true)]);
        check(Shape::Int, &[json!(0)], &[json!(1), json!("x")]);
        check(Shape::Path, &[json!("/dev/null")], &[json!("a.lua")]);
        check(Shape::Any, &[json!(null)], &[json!(0), json!({})]);
    }

    #[test]
    fn one_value_may_be_refused_alone() {
        let check = |value: &str, expect: bool| {
            let support = Support::UsedExcept(&["spectrum"]);
            assert_eq!(
                support.refuses(Shape::Text, &json!(value)),
                expect,
                "{value}"
            );
        };
        check("none", false);
        check("spectrum", true);
        check("spectrum@10", true);
        check("spectrumx", false);
    }
}
