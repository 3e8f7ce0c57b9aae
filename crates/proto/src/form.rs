//! The forms that settings have. A broker attribute is a string; a key of the
//! configuration is a JSON value, whose strings have the forms of attributes.

use serde_json::Value;

use crate::data::size::parse_size;
use crate::data::topology::Scheme;
use crate::data::{Fsd, Hostlist, IdSet};

/// Form required of a value.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// Any string.
    Text,
    /// No value: only the presence of the setting counts.
    Presence,
    /// `0` or `1`.
    Flag,
    /// `true` or `false`.
    Boolean,
    /// An integer in this range, both ends included.
    Integer(i64, i64),
    /// A number of bytes.
    Bytes,
    /// A number of bytes with an optional unit: `10M`.
    Size,
    /// A severity, 0 emerg to 7 debug; one below 0 matches no message.
    Level,
    /// A Flux standard duration (RFC 23) as a string.
    Duration,
    /// The same, or a number of seconds.
    Seconds,
    /// A duration, or `none`.
    DurationOrNone,
    /// A positive integer, or `unlimited`.
    Depth,
    /// A signal, by name or number.
    Signal,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A shape of the tree of brokers (protocol/20 section 1).
    Topology,
    /// A number of brokers, or as a deprecated form the idset of their ranks.
    Quorum,
    /// An idset (RFC 22).
    Ranks,
    /// A hostlist (RFC 29).
    Hosts,
    /// An array of integers.
    Integers,
    /// An array of strings.
    Texts,
    /// A number above 0.
    PositiveNumber,
    /// A table whose other keys have rows of their own or are checked by its reader.
    Table,
    /// The same, or `true` or `false`.
    TableOrBoolean,
    /// A table, or an array of tables.
    Tables,
    /// Any value.
    Anything,
}

impl Form {
    /// Description of the form, as in `must be a duration`.
    pub fn words(self) -> String {
        match self {
            Form::Text => "a text".into(),
            Form::Presence => "anything: only its presence counts".into(),
            Form::Flag => "0 or 1".into(),
            Form::Boolean => "true or false".into(),
            Form::Integer(i64::MIN, i64::MAX) => "an integer".into(),
            Form::Integer(low, i64::MAX) => format!("an integer >= {low}"),
            Form::Integer(low, high) => format!("an integer from {low} to {high}"),
            Form::Bytes => "a number of bytes".into(),
            Form::Size => "a number of bytes with an optional k, M or G".into(),
            Form::Level => "a severity from 0 (emerg) to 7 (debug), or -1 for none".into(),
            Form::Duration => "a duration".into(),
            Form::Seconds => "a duration or a number of seconds".into(),
            Form::DurationOrNone => "a duration or none".into(),
            Form::Depth => "a positive integer or unlimited".into(),
            Form::Signal => "a signal".into(),
            Form::OneOf(words) => listed(words),
            Form::Topology => "kary:K, mincrit, mincrit:K, binomial or custom".into(),
            Form::Quorum => "a number of brokers".into(),
            Form::Ranks => "an idset of ranks".into(),
            Form::Hosts => "a hostlist".into(),
            Form::Integers => "an array of integers".into(),
            Form::Texts => "an array of texts".into(),
            Form::PositiveNumber => "a number above 0".into(),
            Form::Table => "a table".into(),
            Form::TableOrBoolean => "a table, true or false".into(),
            Form::Tables => "a table or an array of tables".into(),
            Form::Anything => "anything".into(),
        }
    }

    /// Checks the value of an attribute.
    pub fn check_text(self, text: &str) -> Result<(), String> {
        let fits = match self {
            Form::Text | Form::Presence => true,
            Form::Flag => matches!(text, "0" | "1"),
            Form::Boolean => text.parse::<bool>().is_ok(),
            Form::Integer(low, high) => {
                let number = text.parse::<i64>();
                number.is_ok_and(|number| (low..=high).contains(&number))
            }
            Form::Bytes => text.parse::<usize>().is_ok(),
            Form::Size => parse_size(text).is_some(),
            Form::Level if text.parse::<i32>().is_ok_and(|level| level <= 7) => true,
            Form::Level => return Err("invalid level".into()),
            Form::Duration | Form::Seconds => text.parse::<Fsd>().is_ok(),
            Form::Depth => text == "unlimited" || text.parse::<u32>().is_ok_and(|n| n > 0),
            Form::DurationOrNone => text == "none" || text.parse::<Fsd>().is_ok(),
            Form::Signal => !text.is_empty(),
            Form::OneOf(words) => words.contains(&text),
            Form::Topology => {
                let scheme = text.parse::<Scheme>();
                let scheme =
                    scheme.map_err(|why| format!("error creating '{text}' topology: {why}"));
                return scheme.map(|_| ());
            }
            Form::Quorum if quorum(text).is_some() => true,
            Form::Quorum => {
                let words = self.words();
                return Err(format!(
                    "Error parsing broker.quorum attribute: must be {words}"
                ));
            }
            Form::Ranks => text.parse::<IdSet>().is_ok(),
            Form::Hosts => text
                .parse::<Hostlist>()
                .is_ok_and(|hosts| !hosts.is_empty()),
            Form::Anything => true,
            Form::Integers | Form::Texts | Form::PositiveNumber | Form::Table => false,
            Form::TableOrBoolean | Form::Tables => false,
        };
        match fits {
            true => Ok(()),
            false => Err(format!("must be {}", self.words())),
        }
    }

    /// True if a value of the configuration is of this form.
    pub fn fits(self, value: &Value) -> bool {
        match (self, value) {
            (Form::Boolean, value) => value.is_boolean(),
            (Form::Integer(low, high), value) => {
                let number = value.as_i64();
                number.is_some_and(|number| (low..=high).contains(&number))
            }
            (Form::Depth, Value::Number(number)) => number
                .as_u64()
                .is_some_and(|n| (1..=u64::from(u32::MAX)).contains(&n)),
            (Form::Seconds, Value::Number(_)) => {
                serde_json::from_value::<Fsd>(value.clone()).is_ok()
            }
            (Form::Signal, Value::Number(number)) => number
                .as_i64()
                .is_some_and(|number| (1..=64).contains(&number)),
            (Form::Integers, Value::Array(all)) => all.iter().all(Value::is_u64),
            (Form::Texts, Value::Array(all)) => all.iter().all(Value::is_string),
            (Form::Anything, _) => true,
            (Form::PositiveNumber, Value::Number(number)) => {
                number.as_f64().is_some_and(|number| number > 0.0)
            }
            (Form::Table | Form::TableOrBoolean | Form::Tables, Value::Object(_)) => true,
            (Form::TableOrBoolean, Value::Bool(_)) => true,
            (Form::Tables, Value::Array(all)) => all.iter().all(Value::is_object),
            (form, Value::String(text)) => form.check_text(text).is_ok(),
            _ => false,
        }
    }
}

/// The size required by `broker.quorum`. `0` and `0-N` are the ranks required by older
/// versions: one more than the last.
pub fn quorum(text: &str) -> Option<u32> {
    match text.strip_prefix("0-") {
        Some(last) => last.parse::<u32>().ok()?.checked_add(1),
        None => text.parse::<u32>().ok().map(|size| size.max(1)),
    }
}

/// `a, b or c`.
fn listed(words: &[&str]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_form_takes_its_own_values_and_says_what_it_wants() {
        use Form as F;
        for (form, good, bad, why) in [
            (F::Flag, "1", "yes", "must be 0 or 1"),
            (F::Boolean, "true", "1", "must be true or false"),
            (F::Integer(1, i64::MAX), "7", "0", "must be an integer >= 1"),
            (
                F::Integer(0, 9),
                "9",
                "10",
                "must be an integer from 0 to 9",
            ),
            (F::Bytes, "7", "-7", "must be a number of bytes"),
            (
                F::Size,
                "10M",
                "x",
                "must be a number of bytes with an optional k, M or G",
            ),
            (F::Level, "-1", "8", "invalid level"),
            (F::Duration, "1.5h", "soon", "must be a duration"),
            (
                F::DurationOrNone,
                "none",
                "soon",
                "must be a duration or none",
            ),
            (F::OneOf(&["a", "b", "c"]), "c", "d", "must be a, b or c"),
            (
                F::Topology,
                "kary:2",
                "flat",
                "error creating 'flat' topology: unknown topology scheme 'flat'",
            ),
            (
                F::Quorum,
                "0-3",
                "9-10",
                "Error parsing broker.quorum attribute: must be a number of brokers",
            ),
            (F::Ranks, "0,3-5", "5-3", "must be an idset of ranks"),
            (F::Hosts, "h[0-3]", "h[", "must be a hostlist"),
        ] {
            assert_eq!(form.check_text(good), Ok(()), "{form:?} {good}");
            assert_eq!(form.check_text(bad), Err(why.to_owned()), "{form:?} {bad}");
        }
    }

    #[test]
    fn values_of_the_configuration_have_types() {
        for (form, good, bad) in [
            (Form::Boolean, json!(true), json!("true")),
            (Form::Integer(0, i64::MAX), json!(0), json!("0")),
            (Form::Duration, json!("5s"), json!(5)),
            (Form::Seconds, json!(5.5), json!(-1)),
            (Form::Signal, json!(15), json!(0)),
            (Form::Integers, json!([1, 2]), json!(["1"])),
            (Form::Texts, json!(["1"]), json!([1])),
            (Form::PositiveNumber, json!(0.5), json!(0)),
            (Form::Table, json!({}), json!([])),
            (Form::TableOrBoolean, json!(true), json!("true")),
            (Form::Tables, json!([{}]), json!([1])),
            (Form::Text, json!("x"), json!(1)),
        ] {
            assert!(form.fits(&good), "{form:?} {good}");
            assert!(!form.fits(&bad), "{form:?} {bad}");
        }
    }

    #[test]
    fn a_quorum_is_a_size_or_the_ranks_up_to_one() {
        for (text, want) in [
            ("4", Some(4)),
            ("0", Some(1)),
            ("0-3", Some(4)),
            ("1-3", None),
            ("0-4294967295", None),
            ("", None),
        ] {
            assert_eq!(quorum(text), want, "{text}");
        }
    }
}
