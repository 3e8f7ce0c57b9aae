//! The arguments of plugins: `--name=value` or `--name value`, for all of a chain together.

use std::collections::BTreeMap;

use crate::Broken;

/// Arguments by name, the last of a name.
pub(crate) struct Options(BTreeMap<String, String>);

impl Options {
    /// Reads arguments whose names must be among `known`.
    pub fn read(args: &[String], known: &[&str]) -> Result<Options, Broken> {
        let mut options = BTreeMap::new();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let (name, value) = match arg.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (arg.as_str(), None),
            };
            if !known.contains(&name) {
                let text = format!("unrecognized arguments: {arg}");
                return Err(Broken::argument(text));
            }
            let value = value.or_else(|| args.next().map(String::as_str));
            let missing = || Broken::argument(format!("argument {name}: expected one argument"));
            let value = value.ok_or_else(missing)?;
            options.insert(name.to_owned(), value.to_owned());
        }
        Ok(Options(options))
    }

    /// The value of an argument.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of an argument that is a number.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Broken> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let number = value.parse().map(Some);
        number
            .map_err(|_| Broken::argument(format!("argument {name}: invalid int value: '{value}'")))
    }
}
