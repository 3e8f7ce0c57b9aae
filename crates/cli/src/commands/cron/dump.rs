//! `flux cron dump`: everything about entries.

use command::error::CliError;
use command::flux::Flux;
use serde_json::Value;

use super::list::entries;
use super::switch::ids;

/// Print all values of entries
#[derive(clap::Args)]
pub(super) struct Dump {
    /// Print only the value of this key
    #[arg(short, long, value_name = "KEY")]
    key: Option<String>,
    /// Ids of entries
    #[arg(value_name = "ID")]
    ids: Vec<String>,
}

impl Dump {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let ids = ids(&self.ids)?;
        let entries = entries(flux)?;
        for id in ids {
            let entry = entries.iter().find(|entry| entry.id == id);
            let entry = entry.and_then(|entry| serde_json::to_value(entry).ok());
            let Some(entry) = entry else {
                return Err(CliError::new(format!(
                    "cron-{id}: No such cron entry found"
                )));
            };
            let mut pairs = Vec::new();
            flatten(&mut pairs, "", &entry);
            match &self.key {
                None => {
                    for (key, value) in pairs {
                        flux.line(format_args!("{key} = {value}"))?;
                    }
                }
                Some(key) => {
                    let found = pairs.iter().find(|(name, _)| name == key);
                    let Some((_, value)) = found else {
                        return Err(CliError::new(format!("cron-{id}: No such key {key}")));
                    };
                    match value {
                        Value::String(text) => flux.line(text)?,
                        value => flux.line(value)?,
                    }
                }
            }
        }
        Ok(())
    }
}

/// The values below one, each with its path. Tasks are numbered from 1.
fn flatten<'a>(pairs: &mut Vec<(String, &'a Value)>, path: &str, value: &'a Value) {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let name = if name == "tasks" { "task" } else { name };
                flatten(pairs, &below(name), value);
            }
        }
        Value::Array(array) => {
            for (at, value) in array.iter().enumerate() {
                flatten(pairs, &below(&(at + 1).to_string()), value);
            }
        }
        value => pairs.push((path.to_owned(), value)),
    }
}
