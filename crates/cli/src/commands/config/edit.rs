//! Changing the configuration: `flux config load`, `reload`, `set` and `unset`

use std::path::PathBuf;

use proto::config;
use proto::data::dotted;
use proto::{Object, Refusal};
use serde_json::Value;

use super::files::{self, Table};
use super::kind::Typed;
use command::error::CliError;
use command::flux::Flux;

/// Replace the configuration
#[derive(clap::Args)]
pub struct Load {
    /// TOML or JSON file, or directory of TOML files; standard input if not given
    path: Option<PathBuf>,
}

impl Load {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let table = match &self.path {
            Some(path) => files::read(path)?,
            None => {
                let text = flux.read_input()?;
                files::parse(&String::from_utf8_lossy(&text))?
            }
        };
        replace(flux, table, "load")
    }
}

/// Read the configuration files again
#[derive(clap::Args)]
pub struct Reload {
    /// Do nothing on ranks other than 0
    #[arg(long)]
    follower_noop: bool,
}

impl Reload {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        if self.follower_noop && handle.rank()? > 0 {
            return Ok(());
        }
        handle.rpc(&config::Reload).map_err(failed("reload"))?;
        Ok(())
    }
}

/// Set one value
#[derive(clap::Args)]
pub struct Set {
    #[command(flatten)]
    typed: Typed,
    /// Key of the value, such as policy.limits.duration
    key: String,
    /// Value, as JSON; a word that is not JSON is a string
    #[arg(allow_hyphen_values = true)]
    value: String,
}

impl Set {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let value = self.typed.kind.read(&self.value).ok_or_else(|| {
            CliError::new(format!("'{}' does not have the requested type", self.value))
        })?;
        if value.is_null() {
            return Err(CliError::new("null is not a value").with_hint("see 'flux config unset'"));
        }
        let mut table = flux.connect()?.rpc(&config::Get)?.0;
        let set = dotted::set(&mut table, &self.key, value);
        set.map_err(|error| CliError::new(error.to_string()).about(&self.key))?;
        replace(flux, table, "set")
    }
}

/// Remove one value
#[derive(clap::Args)]
pub struct Unset {
    /// Key of the value
    key: String,
}

impl Unset {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut table = flux.connect()?.rpc(&config::Get)?.0;
        if dotted::get(&table, &self.key).is_none() {
            return Err(CliError::new(format!("{} is not set", self.key)));
        }
        let unset = dotted::set(&mut table, &self.key, Value::Null);
        unset.map_err(|error| CliError::new(error.to_string()).about(&self.key))?;
        replace(flux, table, "unset")
    }
}

fn replace(flux: &mut Flux, table: Table, verb: &str) -> Result<(), CliError> {
    let mut handle = flux.connect()?;
    let loaded = handle.rpc(&config::Load(Object(table)));
    loaded.map(|_| ()).map_err(failed(verb))
}

fn failed(verb: &str) -> impl Fn(Refusal) -> CliError + '_ {
    move |refusal| CliError::from(refusal).about(verb)
}
