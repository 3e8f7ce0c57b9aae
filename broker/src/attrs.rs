//! The values of attributes (protocol/03 section 2). The attributes are defined in
//! `proto::attr::names`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proto::attr::names::{
    self, BROKER_RECOVERY_MODE, CONFIG, IMMUTABLE as FIXED, READONLY, RUNDIR, RUNTIME, STATEDIR,
    TOLD, UNSUPPORTED,
};
use proto::attr::{Attr, GetError, IMMUTABLE, RmError, SetError, Value};
use proto::data::Fsd;
use proto::{Object, config};

/// Errors of setting an attribute on the command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandLineError {
    /// No such name.
    #[error("{0}: unknown attribute")]
    Unknown(String),
    /// The broker sets it itself.
    #[error("{0}: attribute may not be set on the command line")]
    ReadOnly(String),
    /// Nothing would come of it.
    #[error("{0}: not supported in this version")]
    NotSupported(String),
    /// A value that has not the form of the attribute's.
    #[error("{name}={value}: {why}")]
    BadValue {
        /// The attribute.
        name: String,
        /// Value given.
        value: String,
        /// Value expected.
        why: String,
    },
}

/// The attributes and their values. `None` is a value too: set to null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attrs {
    values: BTreeMap<String, Option<String>>,
    /// Attributes set on the command line.
    given: BTreeSet<&'static str>,
}

impl Default for Attrs {
    fn default() -> Self {
        let rows = names::ALL.iter();
        let values = rows
            .filter_map(|attr| Some((attr.name.to_owned(), Some(attr.default?.to_owned()))))
            .collect();
        Attrs {
            values,
            given: BTreeSet::new(),
        }
    }
}

impl Attrs {
    /// Sets an attribute given as `-S NAME=VALUE` or `-S NAME`.
    pub fn set_from_command_line(&mut self, text: &str) -> Result<(), CommandLineError> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let attr = names::find(name).ok_or_else(|| CommandLineError::Unknown(name.to_owned()))?;
        if attr.is(READONLY) {
            return Err(CommandLineError::ReadOnly(name.to_owned()));
        }
        if attr.is(UNSUPPORTED) {
            return Err(CommandLineError::NotSupported(name.to_owned()));
        }
        if let Some(value) = value {
            attr.form
                .check_text(value)
                .map_err(|why| CommandLineError::BadValue {
                    name: name.to_owned(),
                    value: value.to_owned(),
                    why,
                })?;
        }
        self.values
            .insert(name.to_owned(), value.map(str::to_owned));
        self.given.insert(attr.name);
        Ok(())
    }

    /// True if the command line has set it.
    pub fn is_given(&self, attr: &Attr) -> bool {
        self.given.contains(attr.name)
    }

    /// Sets attributes from `[tbon]`, except those that the command line has set already.
    pub fn set_from_config(&mut self, conf: &Object) {
        let keys = config::keys::ALL.iter();
        for key in keys.filter(|key| key.status == config::keys::Status::Attribute) {
            let attr = names::find(key.path).filter(|attr| attr.is(CONFIG));
            let (Some(attr), Some(value)) = (attr, key.value(conf)) else {
                continue;
            };
            if !self.is_given(attr) {
                self.put(attr, text_of(value));
            }
        }
    }

    /// Sets an attribute that the broker itself knows.
    pub fn put(&mut self, attr: &Attr, value: impl Into<String>) {
        self.values.insert(attr.name.to_owned(), Some(value.into()));
    }

    /// Stores a null, which `flux lsattr` shows.
    pub fn put_null(&mut self, attr: &Attr) {
        self.values.insert(attr.name.to_owned(), None);
    }

    /// The value, if there is one.
    pub fn value(&self, attr: &Attr) -> Option<&str> {
        self.values.get(attr.name)?.as_deref()
    }

    /// True if the attribute exists, even as null.
    pub fn is_present(&self, attr: &Attr) -> bool {
        self.values.contains_key(attr.name)
    }

    /// True if a flag is 1.
    pub fn is_on(&self, attr: &Attr) -> bool {
        self.value(attr).or(attr.default) == Some("1")
    }

    /// A number; the default of an attribute that was removed, and 0 for one without any.
    pub fn number(&self, attr: &Attr) -> i64 {
        let values = [self.value(attr), attr.default];
        let mut numbers = values.into_iter().flatten().map(|text| text.parse().ok());
        numbers.find_map(|number| number).unwrap_or(0)
    }

    /// A time; `None` for `none`, and without end.
    pub fn duration(&self, attr: &Attr) -> Option<Duration> {
        let fsd: Fsd = self.value(attr).or(attr.default)?.parse().ok()?;
        Duration::try_from_secs_f64(fsd.secs()).ok()
    }

    /// `attr.get`.
    pub fn get(&self, name: &str) -> Result<Value, GetError> {
        let value = self.values.get(name).cloned().flatten();
        Ok(Value {
            value: value.ok_or(GetError::NotSet)?,
            flags: if is_immutable(name) { IMMUTABLE } else { 0 },
        })
    }

    /// `attr.set`.
    pub fn set(&mut self, name: &str, value: &str, force: bool) -> Result<(), SetError> {
        let attr = names::find(name).ok_or(SetError::Unknown)?;
        if attr.is(UNSUPPORTED) {
            return Err(SetError::NotSupported);
        }
        if self.values.get(name).is_some_and(Option::is_some) {
            if !attr.is(RUNTIME) && !force {
                return Err(SetError::NotRuntime);
            }
            if attr.is(FIXED) && force {
                return Err(SetError::Immutable);
            }
        }
        attr.form.check_text(value).map_err(SetError::BadValue)?;
        self.values.insert(name.to_owned(), Some(value.to_owned()));
        Ok(())
    }

    /// `attr.rm`.
    pub fn rm(&mut self, name: &str) -> Result<(), RmError> {
        if self.values.contains_key(name) && is_immutable(name) {
            return Err(RmError::Immutable);
        }
        self.values.remove(name);
        Ok(())
    }

    /// `attr.list`.
    pub fn names(&self) -> Vec<String> {
        self.values.keys().cloned().collect()
    }

    /// Attributes sent to a module at its start.
    pub fn immutable(&self) -> BTreeMap<String, String> {
        // Not immutable by the table, yet fixed when modules start, and they need it.
        let fixed = [RUNDIR.name, STATEDIR.name];
        let known = |name: &str| is_immutable(name) || is_told(name) || fixed.contains(&name);
        let values = self.values.iter().filter(|(name, _)| known(name));
        let values = values.filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
        let mut told: BTreeMap<_, _> = values.collect();
        if self.is_present(&BROKER_RECOVERY_MODE) {
            told.insert(BROKER_RECOVERY_MODE.name.to_owned(), "1".to_owned());
        }
        told
    }
}

/// True if modules are notified when it changes.
pub fn is_told(name: &str) -> bool {
    names::find(name).is_some_and(|attr| attr.is(TOLD))
}

fn is_immutable(name: &str) -> bool {
    names::find(name).is_some_and(|attr| attr.is(FIXED))
}

/// A value of the configuration as that of an attribute.
fn text_of(value: &serde_json::Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_set(name: &str, value: &str, force: bool, want: Result<(), SetError>) {
        let mut attrs = Attrs::default();
        attrs.put(&names::HOSTNAME, "here");
        assert_eq!(
            attrs.set(name, value, force),
            want,
            "{name}={value} force={force}"
        );
    }

    #[test]
    fn setting_follows_the_flags_of_the_table() {
        check_set("no.such", "x", false, Err(SetError::Unknown));
        check_set("log-level", "3", false, Err(SetError::NotRuntime));
        check_set("log-level", "3", true, Err(SetError::Immutable));
        check_set("hostname", "x", false, Err(SetError::NotRuntime));
        check_set("tbon.topo", "kary:2", true, Ok(()));
        check_set("content.dump", "auto", false, Ok(()));
        check_set("vendor.site", "x", false, Ok(()));
        check_set("vendor.", "x", false, Err(SetError::Unknown));
        check_set("conf.shell_initrc", "x", false, Ok(()));
        check_set(
            "broker.exit-restart",
            "1",
            false,
            Err(SetError::NotSupported),
        );
        let bad = SetError::BadValue("invalid level".into());
        check_set("log-stderr-level", "8", false, Err(bad));
    }

    #[test]
    fn an_unset_attribute_may_be_set_whatever_its_flags() {
        check_set("hostlist", "x", false, Ok(()));
    }

    fn check_given(text: &str, want: Result<(), &str>) {
        let got = Attrs::default().set_from_command_line(text);
        assert_eq!(
            got.map_err(|error| error.to_string()),
            want.map_err(str::to_owned)
        );
    }

    #[test]
    fn the_command_line_sets_what_can_be_and_means_something() {
        check_given("vendor.x=anything", Ok(()));
        check_given("tbon.topo=kary:0", Ok(()));
        check_given("log-forward-level=-1", Ok(()));
        check_given("nosuch=1", Err("nosuch: unknown attribute"));
        check_given(
            "rank=1",
            Err("rank: attribute may not be set on the command line"),
        );
        check_given(
            "broker.exit-restart=1",
            Err("broker.exit-restart: not supported in this version"),
        );
        check_given("log-level=9", Err("log-level=9: invalid level"));
        check_given(
            "broker.cleanup-timeout=soon",
            Err("broker.cleanup-timeout=soon: must be a duration or none"),
        );
    }

    #[test]
    fn every_attribute_that_may_be_given_refuses_a_value_of_another_form() {
        for attr in names::ALL {
            if attr.is(READONLY | UNSUPPORTED) || attr.form.check_text("no such value").is_ok() {
                continue;
            }
            let text = format!("{}=no such value", attr.name);
            let error = Attrs::default().set_from_command_line(&text).unwrap_err();
            assert!(error.to_string().starts_with(&text), "{error}");
        }
    }

    #[test]
    fn a_name_without_a_value_is_present_and_has_none() {
        let mut attrs = Attrs::default();
        assert_eq!(attrs.set_from_command_line("broker.recovery-mode"), Ok(()));
        assert!(attrs.is_present(&BROKER_RECOVERY_MODE));
        assert_eq!(attrs.get("broker.recovery-mode"), Err(GetError::NotSet));
    }

    #[test]
    fn the_command_line_comes_before_the_configuration() {
        let mut attrs = Attrs::default();
        attrs.set_from_command_line("tbon.torpid_max=30s").unwrap();
        let tbon = serde_json::json!({"tbon": {"torpid_max": "1m", "zmqdebug": 1}});
        attrs.set_from_config(&Object(tbon.as_object().unwrap().clone()));
        assert_eq!(attrs.value(&names::TBON_TORPID_MAX), Some("30s"));
        assert_eq!(attrs.value(&names::TBON_ZMQDEBUG), Some("1"));
    }

    #[test]
    fn a_number_that_was_removed_has_its_default_again() {
        let mut attrs = Attrs::default();
        attrs.rm("log-stderr-level").unwrap();
        assert_eq!(attrs.number(&names::LOG_STDERR_LEVEL), 3);
        assert_eq!(attrs.duration(&names::BROKER_CLEANUP_TIMEOUT), None);
    }

    #[test]
    fn immutable_attributes_say_so() {
        let flags = |name| Attrs::default().get(name).map(|value| value.flags);
        assert_eq!(flags("rank"), Ok(IMMUTABLE));
        assert_eq!(flags("tbon.topo"), Ok(0));
    }
}
