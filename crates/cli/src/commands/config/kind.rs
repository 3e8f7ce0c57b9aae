//! Type required of a configured value, and its printed form.

use proto::data::Fsd;
use serde_json::Value;

/// Types that `--type` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Anything
    Any,
    /// A text, printed without quotes
    String,
    /// A whole number
    Integer,
    /// A number
    Real,
    /// True or false
    Boolean,
    /// A table
    Object,
    /// A list
    Array,
    /// A duration (RFC 23), printed as it is
    Fsd,
    /// A duration, printed in whole seconds
    FsdInteger,
    /// A duration, printed in seconds
    FsdReal,
}

/// The option for the type of a value.
#[derive(clap::Args)]
pub struct Typed {
    /// Require a value of this type
    #[arg(
        short = 't',
        long = "type",
        value_name = "TYPE",
        default_value = "any",
        hide_default_value = true
    )]
    pub kind: Kind,
}

impl Kind {
    /// The value as it is printed; `None` when it has another type.
    pub fn print(self, value: &Value) -> Option<String> {
        let duration = || value.as_str()?.parse::<Fsd>().ok();
        match self {
            Kind::Any => Some(value.to_string()),
            Kind::String => value.as_str().map(str::to_owned),
            Kind::Integer => (value.is_i64() || value.is_u64()).then(|| value.to_string()),
            Kind::Real => value.is_number().then(|| value.to_string()),
            Kind::Boolean => value.is_boolean().then(|| value.to_string()),
            Kind::Object => value.is_object().then(|| value.to_string()),
            Kind::Array => value.is_array().then(|| value.to_string()),
            Kind::Fsd => duration().and_then(|_| value.as_str().map(str::to_owned)),
            Kind::FsdInteger => duration().map(|fsd| format!("{}", fsd.secs().trunc())),
            Kind::FsdReal => duration().map(|fsd| format!("{}", fsd.secs())),
        }
    }

    /// The value that a word on the command line stands for.
    pub fn read(self, word: &str) -> Option<Value> {
        let value = match self {
            // A word that is no JSON is a text: quotes are tedious in a shell.
            Kind::Any => serde_json::from_str(word).unwrap_or_else(|_| Value::from(word)),
            Kind::String | Kind::Fsd | Kind::FsdInteger | Kind::FsdReal => Value::from(word),
            _ => serde_json::from_str(word).ok()?,
        };
        self.print(&value).map(|_| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(kind: Kind, value: Value, expect: Option<&str>) {
        assert_eq!(kind.print(&value).as_deref(), expect, "{kind:?} {value}");
    }

    #[test]
    fn values_are_printed_as_their_type() {
        check(Kind::Any, json!({"a": [1, "x"]}), Some(r#"{"a":[1,"x"]}"#));
        check(Kind::Any, json!("x"), Some("\"x\""));
        check(Kind::String, json!("x"), Some("x"));
        check(Kind::Integer, json!(5), Some("5"));
        check(Kind::Real, json!(5.5), Some("5.5"));
        check(Kind::Boolean, json!(true), Some("true"));
        check(Kind::Fsd, json!("2m"), Some("2m"));
        check(Kind::FsdInteger, json!("1.5s"), Some("1"));
        check(Kind::FsdReal, json!("1.5s"), Some("1.5"));
    }

    #[test]
    fn values_of_another_type_are_not() {
        check(Kind::String, json!(5), None);
        check(Kind::Integer, json!(5.5), None);
        check(Kind::Boolean, json!(0), None);
        check(Kind::Object, json!([]), None);
        check(Kind::Fsd, json!("2 minutes"), None);
        check(Kind::FsdReal, json!(2), None);
    }

    #[test]
    fn words_are_read_as_their_type() {
        assert_eq!(Kind::Any.read("5"), Some(json!(5)));
        assert_eq!(Kind::Any.read("a b"), Some(json!("a b")));
        assert_eq!(Kind::String.read("5"), Some(json!("5")));
        assert_eq!(Kind::Integer.read("x"), None);
        assert_eq!(Kind::Fsd.read("x"), None);
    }
}
