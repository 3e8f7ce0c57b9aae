//! The environment as a value, so that tests are sealed from the real one.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// Variables that commands read and that programs they start inherit.
#[derive(Debug, Clone, Default)]
pub struct Env(BTreeMap<OsString, OsString>);

impl Env {
    /// Environment of this process.
    pub fn from_process() -> Env {
        Env(std::env::vars_os().collect())
    }

    /// The value of a variable that is set and is text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_os(name)?.to_str()
    }

    /// The value of a variable that is set.
    pub fn get_os(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// Sets a variable for us and for programs that we start.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.0.insert(name.into(), value.into());
    }

    /// Unsets a variable.
    pub fn unset(&mut self, name: &str) {
        self.0.remove(OsStr::new(name));
    }

    /// Every variable, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        let pairs = self.0.iter();
        pairs.map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Env {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Env {
        let pairs = pairs.into_iter();
        Env(pairs
            .map(|(name, value)| (name.into(), value.into()))
            .collect())
    }
}
