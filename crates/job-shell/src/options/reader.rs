//! Reads options of the shell by their rows, and gathers the messages about invalid ones
//! (protocol/23 sections 1 and 3). Pure.

use proto::data::shape::{Shape, mismatch};
use proto::data::shell_option::ShellOption;
use serde_json::{Map, Value};

use crate::log::Level;

/// A line of the job's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Severity.
    pub level: Level,
    /// The part of the shell that speaks.
    pub component: Option<&'static str>,
    /// Text.
    pub text: String,
}

/// Reason for which the shell cannot run its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Messages to log first.
    pub remarks: Vec<Remark>,
    /// The part of the shell that has the last word.
    pub component: Option<&'static str>,
    /// The last word, and the note of the exception.
    pub fatal: String,
}

/// Reason for which a part of the shell cannot do what an option asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A problem that is still to be reported.
    New(String),
    /// A problem that has been reported.
    Text(String),
}

impl From<String> for Problem {
    fn from(text: String) -> Problem {
        Problem::New(text)
    }
}

impl From<&str> for Problem {
    fn from(text: &str) -> Problem {
        Problem::New(text.to_owned())
    }
}

impl Failure {
    /// The plug-in `name` cannot do it, and reports so as `component`.
    pub fn of_plugin(name: &str, component: &'static str, problem: Problem) -> Failure {
        let line = |component, text| Remark {
            level: Level::Error,
            component,
            text,
        };
        let (own, text) = match problem {
            Problem::New(text) => (Some(line(Some(component), text.clone())), text),
            Problem::Text(text) => (None, text),
        };
        let failed = line(None, format!("plugin '{name}': shell.init failed"));
        Failure {
            remarks: own.into_iter().chain([failed]).collect(),
            component: None,
            fatal: format!("shell_init: {text}"),
        }
    }
}

/// A value of another JSON type than its row has, in words. It has been said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistyped(pub String);

impl From<Mistyped> for Problem {
    fn from(Mistyped(text): Mistyped) -> Problem {
        Problem::Text(text)
    }
}

/// Options that are being read.
#[derive(Debug)]
pub struct Reader<'a> {
    options: &'a Map<String, Value>,
    remarks: Vec<Remark>,
    component: Option<&'static str>,
    fatal: Option<String>,
    #[cfg(test)]
    pub(super) seen: std::collections::BTreeSet<&'static str>,
}

impl<'a> Reader<'a> {
    /// Nothing has been read yet.
    pub fn new(options: &'a Map<String, Value>) -> Reader<'a> {
        Reader {
            options,
            remarks: Vec::new(),
            component: None,
            fatal: None,
            #[cfg(test)]
            seen: Default::default(),
        }
    }

    /// The options as the job gives them.
    pub fn options(&self) -> &'a Map<String, Value> {
        self.options
    }

    /// All was read: the remarks, or why the job cannot go on.
    pub fn finish(self) -> Result<Vec<Remark>, Failure> {
        match self.fatal {
            None => Ok(self.remarks),
            Some(fatal) => Err(Failure {
                remarks: self.remarks,
                component: self.component,
                fatal,
            }),
        }
    }

    /// True if the job cannot go on.
    pub fn has_failed(&self) -> bool {
        self.fatal.is_some()
    }

    /// Adds a line to the log.
    pub fn remark(
        &mut self,
        level: Level,
        component: Option<&'static str>,
        text: impl Into<String>,
    ) {
        let text = text.into();
        self.remarks.push(Remark {
            level,
            component,
            text,
        });
    }

    /// Warns that a value is not used as it stands.
    pub fn warn(&mut self, component: &'static str, text: impl Into<String>) {
        self.remark(Level::Warn, Some(component), text);
    }

    /// The job cannot go on. The first reason counts.
    pub fn fail(&mut self, fatal: impl Into<String>) {
        self.fatal.get_or_insert(fatal.into());
    }

    /// The same, as a part of the shell logs it.
    pub fn fail_as(&mut self, component: &'static str, fatal: impl Into<String>) {
        if self.fatal.is_none() {
            self.component = Some(component);
        }
        self.fail(fatal);
    }

    /// Lets the plug-in `name` read its options. If that fails the job does not start.
    pub fn plugin<T: Default>(
        &mut self,
        name: &'static str,
        component: &'static str,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, Problem>,
    ) -> T {
        read(self).unwrap_or_else(|problem| {
            self.give_up(Failure::of_plugin(name, component, problem));
            T::default()
        })
    }

    /// The job cannot go on for this reason.
    pub fn give_up(&mut self, failure: Failure) {
        self.remarks.extend(failure.remarks);
        self.fail(failure.fatal);
    }

    /// Any value.
    pub fn value(&mut self, row: ShellOption) -> Option<&'a Value> {
        #[cfg(test)]
        self.seen.insert(row.name);
        row.of(self.options)
    }

    /// A value, if it is of the row's JSON type.
    fn typed(&mut self, row: ShellOption) -> Result<Option<&'a Value>, Mistyped> {
        match self.value(row) {
            Some(value) if !row.shape.fits(value) => {
                Err(self.mistyped(row.shape.json_type(), value))
            }
            value => Ok(value),
        }
    }

    fn mistyped(&mut self, wanted: &str, value: &Value) -> Mistyped {
        let text = mismatch(wanted, value);
        let said = format!("shell_getopt: unpack error: {text}");
        self.remark(Level::Error, None, said);
        Mistyped(text)
    }

    /// An integer.
    pub fn int(&mut self, row: ShellOption) -> Result<Option<i64>, Mistyped> {
        let value = self.typed(row)?;
        // A number that does not fit is larger than any limit.
        Ok(value.map(|value| value.as_i64().unwrap_or(i64::MAX)))
    }

    /// A text.
    pub fn text(&mut self, row: ShellOption) -> Result<Option<&'a str>, Mistyped> {
        Ok(self.typed(row)?.and_then(Value::as_str))
    }

    /// A number.
    pub fn number(&mut self, row: ShellOption) -> Result<Option<f64>, Mistyped> {
        Ok(self.typed(row)?.and_then(Value::as_f64))
    }

    /// True or false, or a number that is not 0.
    pub fn bool(&mut self, row: ShellOption) -> Option<bool> {
        self.value(row).map(|value| match value {
            Value::Bool(on) => *on,
            value => value.as_f64() != Some(0.0),
        })
    }

    /// True if it is set to a value of its type other than false or null; values of another
    /// type count as unset.
    pub fn is_on(&mut self, row: ShellOption) -> bool {
        self.value(row).is_some_and(|value| row.shape.asks(value))
    }

    /// A mapping.
    pub fn mapping(
        &mut self,
        row: ShellOption,
    ) -> Result<Option<&'a Map<String, Value>>, Mistyped> {
        Ok(self.typed(row)?.and_then(Value::as_object))
    }

    /// The mapping `name` above rows, if it is there.
    pub fn section(&mut self, name: &str) -> Result<Option<&'a Map<String, Value>>, Mistyped> {
        match self.options.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(section)) => Ok(Some(section)),
            Some(value) => Err(self.mistyped(Shape::Mapping.json_type(), value)),
        }
    }

    /// Checks that the mapping `name`, if it is there, has no other keys; names those that it has.
    pub fn strict(&mut self, name: &str, keys: &[&str]) -> Result<Option<String>, Mistyped> {
        let section = self.section(name)?.into_iter().flatten();
        let other = section.map(|(key, _)| key.as_str());
        let other: Vec<&str> = other.filter(|key| !keys.contains(key)).collect();
        Ok((!other.is_empty()).then(|| {
            let (n, names) = (other.len(), other.join(", "));
            format!("{n} object item(s) left unpacked: {names}")
        }))
    }
}
