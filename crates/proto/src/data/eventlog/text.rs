//! Event log entries in readable form: `1795330129.011286 submit userid=0 urgency=16`.
//!
//! Pure: the time zone is an offset that the caller passes.

use std::fmt::Write;
use std::str::FromStr;

use super::Entry;
use crate::data::calendar::{at_micros, at_seconds, iso_utc, utc};

/// Printed form of the time of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeForm {
    /// `1795330129.011286`
    Raw,
    /// `2026-11-22T07:16:20.154262Z`
    Iso,
    /// `0.011006`, seconds since the first entry
    Offset,
    /// `[Nov22 07:16]` when the minute changes, else `[  +0.011006]` since that line
    Human,
}

impl FromStr for TimeForm {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "raw" => Ok(Self::Raw),
            "iso" => Ok(Self::Iso),
            "offset" => Ok(Self::Offset),
            "human" => Ok(Self::Human),
            _ => Err(format!("invalid time format '{name}'")),
        }
    }
}

/// Prints the entries of one log in order; keeps the reference of relative times.
#[derive(Debug, Clone)]
pub struct EntryFormatter {
    form: TimeForm,
    /// Seconds east of UTC, for the human form.
    utc_offset: i64,
    first: Option<f64>,
    /// Time and minute of the newest line that was printed with a date.
    dated: Option<(f64, i64)>,
}

impl EntryFormatter {
    /// A formatter for a log from its beginning. `utc_offset` is in seconds east of UTC and
    /// matters to [`TimeForm::Human`] only.
    pub fn new(form: TimeForm, utc_offset: i32) -> Self {
        Self {
            form,
            utc_offset: i64::from(utc_offset),
            first: None,
            dated: None,
        }
    }

    /// The entry as one line without a newline: time, name, `key=value` with compact JSON values.
    pub fn line(&mut self, entry: &Entry) -> String {
        let mut line = self.time(entry.timestamp());
        line.push(' ');
        line.push_str(entry.name());
        for (key, value) in entry.context().into_iter().flatten() {
            // Writing to a String cannot fail.
            let _ = write!(line, " {key}={value}");
        }
        line
    }

    /// The time of an entry alone.
    pub fn time(&mut self, timestamp: f64) -> String {
        let first = *self.first.get_or_insert(timestamp);
        match self.form {
            TimeForm::Raw => format!("{timestamp:.6}"),
            TimeForm::Iso => iso_utc(at_seconds(timestamp)),
            TimeForm::Offset => format!("{:.6}", timestamp - first),
            TimeForm::Human => self.human_time(timestamp),
        }
    }

    fn human_time(&mut self, timestamp: f64) -> String {
        let east = self.utc_offset * 1_000_000;
        let local = at_micros(at_seconds(timestamp).as_microsecond() + east);
        let minute = local.as_second().div_euclid(60);
        match self.dated {
            Some((since, same)) if same == minute => {
                format!("[{:>+11.6}]", timestamp - since)
            }
            _ => {
                self.dated = Some((timestamp, minute));
                utc(local).strftime("[%b%d %H:%M]").to_string()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Prints three entries, one of them in the next minute.
    fn check(form: &str, utc_offset: i32, expect: [&str; 3]) {
        let mut formatter = EntryFormatter::new(form.parse().unwrap(), utc_offset);
        let times = [1795331780.154262, 1795331780.165268, 1795331821.5];
        let lines = times.map(|time| formatter.line(&Entry::new(time, "x").unwrap()));
        assert_eq!(lines, expect);
    }

    #[test]
    fn each_form_prints_its_times() {
        check(
            "raw",
            0,
            [
                "1795331780.154262 x",
                "1795331780.165268 x",
                "1795331821.500000 x",
            ],
        );
        check("offset", 0, ["0.000000 x", "0.011006 x", "41.345738 x"]);
        check(
            "iso",
            3600,
            [
                "2026-11-22T07:16:20.154262Z x",
                "2026-11-22T07:16:20.165268Z x",
                "2026-11-22T07:17:01.500000Z x",
            ],
        );
        check(
            "human",
            0,
            ["[Nov22 07:16] x", "[  +0.011006] x", "[Nov22 07:17] x"],
        );
        check(
            "human",
            3600,
            ["[Nov22 08:16] x", "[  +0.011006] x", "[Nov22 08:17] x"],
        );
    }

    #[test]
    fn contexts_print_as_pairs_in_their_order() {
        let context = json!({"a": 1, "b": "x y", "0": {"c": [null, true]}, "f": 0.5});
        let entry = Entry::new(1795329798.981964, "foo")
            .unwrap()
            .with(&context)
            .unwrap();
        let line = EntryFormatter::new(TimeForm::Raw, 0).line(&entry);
        assert_eq!(
            line,
            r#"1795329798.981964 foo a=1 b="x y" 0={"c":[null,true]} f=0.5"#
        );
    }

    #[test]
    fn an_unknown_form_is_refused() {
        assert_eq!(
            "Raw".parse::<TimeForm>(),
            Err("invalid time format 'Raw'".to_owned())
        );
    }
}
