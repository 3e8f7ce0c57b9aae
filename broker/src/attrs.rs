//! The attribute table: which names there are, who may set them when, and their
//! values (protocol/03 section 2).

use std::collections::BTreeMap;

use proto::attr::{GetError, IMMUTABLE, RmError, SetError, Value};

/// May not be set on the command line.
const R: u8 = 1;
/// Can not change once set.
const I: u8 = 2;
/// May be set at run time.
const T: u8 = 4;

/// Every attribute there is. A name that ends in `.` stands for all that begin so.
const TABLE: &[(&str, u8)] = &[
    ("rank", R | I),
    ("size", R | I),
    ("version", R),
    ("rundir", 0),
    ("rundir-cleanup", I),
    ("statedir-cleanup", I),
    ("statedir", 0),
    ("security.owner", R | I),
    ("local-uri", I),
    ("parent-uri", R | I),
    ("instance-level", R | I),
    ("jobid", R | I),
    ("jobid-path", R | I),
    ("parent-kvs-namespace", R | I),
    ("hostlist", I),
    ("hostname", I),
    ("broker.mapping", R | I),
    ("broker.critical-ranks", I),
    ("broker.boot-method", I),
    ("broker.pid", R | I),
    ("broker.uuid", R | I),
    ("broker.starttime", R | I),
    ("broker.quorum", I),
    ("broker.quorum-warn", I),
    ("broker.shutdown-warn", I),
    ("broker.shutdown-timeout", I),
    ("broker.cleanup-timeout", 0),
    ("broker.unload-builtins-timeout", 0),
    ("broker.rc1_path", 0),
    ("broker.rc3_path", 0),
    ("broker.rc2_none", 0),
    ("broker.rc2_pgrp", 0),
    ("broker.exit-restart", T),
    ("broker.module-nopanic", T),
    ("broker.sd-notify", 0),
    ("broker.recovery-mode", 0),
    ("broker.exit-norestart", 0),
    ("broker.sd-stop-timeout", I),
    ("conf.shell_initrc", T),
    ("conf.shell_pluginpath", T),
    ("config.path", I),
    ("tbon.topo", 0),
    ("tbon.descendants", R),
    ("tbon.level", R),
    ("tbon.maxlevel", R),
    ("tbon.endpoint", R),
    ("tbon.parent-endpoint", R),
    ("tbon.zmqdebug", 0),
    ("tbon.zmq_io_threads", 0),
    ("tbon.child_rcvhwm", 0),
    ("tbon.prefertcp", 0),
    ("tbon.interface-hint", T | I),
    ("tbon.torpid_min", 0),
    ("tbon.torpid_max", 0),
    ("tbon.tcp_user_timeout", 0),
    ("tbon.connect_timeout", 0),
    ("log-ring-size", I),
    ("log-level", I),
    ("log-forward-level", I),
    ("log-critical-level", I),
    ("log-stderr-level", T),
    ("log-stderr-mode", 0),
    ("log-syslog-enable", 0),
    ("log-syslog-level", 0),
    ("log-filename", 0),
    ("content.backing-module", I),
    ("content.hash", I),
    ("content.dump", T),
    ("content.restore", T),
    ("cron.directory", 0),
    ("tbon.fanout", 0),
    // Ours: which modules an instance loads (see `rc.rs`).
    ("ferroflux.personality", I),
    // Ours: memory for what clients send and do not read, in bytes (`doc/bounds.md`).
    ("ferroflux.message-bytes", I),
    ("test-ro.", R),
    ("test-nr.", 0),
    ("test-im.", I),
    ("test-rd.", T),
    ("test.", T),
    ("vendor.", T | I),
];

/// What is set when nobody says otherwise.
const DEFAULTS: &[(&str, &str)] = &[
    ("broker.quorum", "1"),
    ("broker.quorum-warn", "1m"),
    ("broker.shutdown-warn", "1m"),
    ("broker.shutdown-timeout", "none"),
    ("broker.cleanup-timeout", "none"),
    ("broker.unload-builtins-timeout", "1m"),
    ("broker.sd-stop-timeout", "none"),
    ("broker.boot-method", "single"),
    ("broker.critical-ranks", "0"),
    ("broker.mapping", "[[0,1,1,1]]"),
    ("content.backing-module", "content-sqlite"),
    ("content.hash", "sha1"),
    ("ferroflux.personality", "full"),
    ("log-critical-level", "2"),
    ("log-forward-level", "3"),
    ("log-level", "7"),
    ("log-ring-size", "1024"),
    ("log-stderr-level", "3"),
    ("log-stderr-mode", "leader"),
    ("log-syslog-enable", "0"),
    ("log-syslog-level", "3"),
    ("rank", "0"),
    ("size", "1"),
    ("tbon.child_rcvhwm", "0"),
    ("tbon.connect_timeout", "30s"),
    ("tbon.descendants", "0"),
    ("tbon.interface-hint", "default-route"),
    ("tbon.level", "0"),
    ("tbon.maxlevel", "0"),
    ("tbon.prefertcp", "0"),
    ("tbon.tcp_user_timeout", "20s"),
    ("tbon.topo", "kary:32"),
    ("tbon.torpid_max", "30s"),
    ("tbon.torpid_min", "5s"),
    ("tbon.zmq_io_threads", "1"),
    ("tbon.zmqdebug", "0"),
];

/// Why an attribute can not be set on the command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandLineError {
    /// No such name.
    #[error("{0}: unknown attribute")]
    Unknown(String),
    /// The broker sets it itself.
    #[error("{0}: attribute may not be set on the command line")]
    ReadOnly(String),
    /// A value that means nothing.
    #[error("{name}={value}: {why}")]
    BadValue {
        /// The attribute.
        name: String,
        /// What it can not be.
        value: String,
        /// What it can be.
        why: &'static str,
    },
}

/// What is wrong with a value, of an attribute that takes not just any.
fn complaint(name: &str, value: &str) -> Option<&'static str> {
    let (fits, why) = match name {
        "ferroflux.personality" => (
            crate::rc::Personality::named(value).is_some(),
            "must be minimal, kvs, job or full",
        ),
        "log-stderr-mode" => (
            matches!(value, "leader" | "local"),
            "must be leader or local",
        ),
        "broker.cleanup-timeout" => (
            value == "none" || value.parse::<proto::data::Fsd>().is_ok(),
            "must be a duration or none",
        ),
        "ferroflux.message-bytes" => (value.parse::<usize>().is_ok(), "must be a number of bytes"),
        "log-ring-size" => (value.parse::<u32>().is_ok(), "must be a number"),
        name if name.starts_with("log-") && name.ends_with("-level") || name == "log-level" => {
            (is_level(value), "invalid level")
        }
        _ => return None,
    };
    (!fits).then_some(why)
}

fn is_level(value: &str) -> bool {
    value.parse::<u8>().is_ok_and(|level| level <= 7)
}

/// The attributes and their values. `None` is a value too: set to null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attrs {
    values: BTreeMap<String, Option<String>>,
}

impl Default for Attrs {
    fn default() -> Self {
        let values = DEFAULTS
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())))
            .collect();
        Attrs { values }
    }
}

impl Attrs {
    /// Sets what `-S NAME=VALUE` or `-S NAME` says.
    pub fn set_from_command_line(&mut self, text: &str) -> Result<(), CommandLineError> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let flags = flags_of(name).ok_or_else(|| CommandLineError::Unknown(name.to_owned()))?;
        if flags & R != 0 {
            return Err(CommandLineError::ReadOnly(name.to_owned()));
        }
        if let Some(value) = value
            && let Some(why) = complaint(name, value)
        {
            return Err(CommandLineError::BadValue {
                name: name.to_owned(),
                value: value.to_owned(),
                why,
            });
        }
        self.values
            .insert(name.to_owned(), value.map(str::to_owned));
        Ok(())
    }

    /// Sets what the broker itself knows.
    pub fn put(&mut self, name: &str, value: impl Into<String>) {
        debug_assert!(flags_of(name).is_some(), "{name} is not in the table");
        self.values.insert(name.to_owned(), Some(value.into()));
    }

    /// Stores a null, which `flux lsattr` shows.
    pub fn put_null(&mut self, name: &str) {
        self.values.insert(name.to_owned(), None);
    }

    /// The value, if there is one.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.as_deref()
    }

    /// Whether the attribute is there, be it as null.
    pub fn is_present(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// `attr.get`.
    pub fn get(&self, name: &str) -> Result<Value, GetError> {
        let value = self.value(name).ok_or(GetError::NotSet)?.to_owned();
        let immutable = flags_of(name).is_some_and(|flags| flags & I != 0);
        Ok(Value {
            value,
            flags: if immutable { IMMUTABLE } else { 0 },
        })
    }

    /// `attr.set`.
    pub fn set(&mut self, name: &str, value: &str, force: bool) -> Result<(), SetError> {
        let flags = flags_of(name).ok_or(SetError::Unknown)?;
        if self.value(name).is_some() {
            if flags & T == 0 && !force {
                return Err(SetError::NotRuntime);
            }
            if flags & I != 0 && force {
                return Err(SetError::Immutable);
            }
        }
        if name == "log-stderr-level" && !is_level(value) {
            return Err(SetError::InvalidLevel);
        }
        self.values.insert(name.to_owned(), Some(value.to_owned()));
        Ok(())
    }

    /// `attr.rm`.
    pub fn rm(&mut self, name: &str) -> Result<(), RmError> {
        if self.is_present(name) && flags_of(name).is_some_and(|flags| flags & I != 0) {
            return Err(RmError::Immutable);
        }
        self.values.remove(name);
        Ok(())
    }

    /// `attr.list`.
    pub fn names(&self) -> Vec<String> {
        self.values.keys().cloned().collect()
    }

    /// What a module is told at its start.
    pub fn immutable(&self) -> BTreeMap<String, String> {
        let known = |name: &str| {
            // Not immutable by the table, yet fixed when modules start, and they need it.
            matches!(name, "rundir" | "statedir")
                || flags_of(name).is_some_and(|flags| flags & I != 0)
        };
        let values = self.values.iter().filter(|(name, _)| known(name));
        values
            .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
            .collect()
    }

    /// A number, or `default` where there is none.
    pub fn number(&self, name: &str, default: u64) -> u64 {
        self.value(name)
            .and_then(|value| value.parse().ok())
            .unwrap_or(default)
    }
}

fn flags_of(name: &str) -> Option<u8> {
    let row = TABLE
        .iter()
        .find(|(known, _)| match known.strip_suffix('.') {
            Some(prefix) => name
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.len() > 1 && rest.starts_with('.')),
            None => *known == name,
        });
    row.map(|(_, flags)| *flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_set(name: &str, force: bool, want: Result<(), SetError>) {
        let mut attrs = Attrs::default();
        attrs.put("hostname", "here");
        assert_eq!(attrs.set(name, "x", force), want, "{name} force={force}");
    }

    #[test]
    fn setting_follows_the_flags_of_the_table() {
        check_set("no.such", false, Err(SetError::Unknown));
        check_set("log-level", false, Err(SetError::NotRuntime));
        check_set("log-level", true, Err(SetError::Immutable));
        check_set("hostname", false, Err(SetError::NotRuntime));
        check_set("tbon.topo", true, Ok(()));
        check_set("conf.shell_initrc", false, Ok(()));
        check_set("vendor.site", false, Ok(()));
        check_set("vendor.", false, Err(SetError::Unknown));
        check_set("log-stderr-level", false, Err(SetError::InvalidLevel));
    }

    #[test]
    fn an_unset_attribute_may_be_set_whatever_its_flags() {
        check_set("hostlist", false, Ok(()));
    }

    #[test]
    fn the_command_line_can_not_set_what_the_broker_knows() {
        let mut attrs = Attrs::default();
        let error = attrs
            .set_from_command_line("rank=1")
            .map_err(|e| e.to_string());
        let text = "rank: attribute may not be set on the command line";
        assert_eq!(error, Err(text.to_owned()));
        let error = attrs
            .set_from_command_line("nosuch=1")
            .map_err(|e| e.to_string());
        assert_eq!(error, Err("nosuch: unknown attribute".to_owned()));
    }

    #[test]
    fn a_name_without_a_value_is_present_and_has_none() {
        let mut attrs = Attrs::default();
        assert_eq!(attrs.set_from_command_line("broker.recovery-mode"), Ok(()));
        assert!(attrs.is_present("broker.recovery-mode"));
        assert_eq!(attrs.get("broker.recovery-mode"), Err(GetError::NotSet));
    }

    #[test]
    fn immutable_attributes_say_so() {
        assert_eq!(
            Attrs::default().get("rank").map(|value| value.flags),
            Ok(IMMUTABLE)
        );
        assert_eq!(
            Attrs::default().get("tbon.topo").map(|value| value.flags),
            Ok(0)
        );
    }
}
