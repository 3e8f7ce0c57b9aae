//! `flux config get`

use std::path::PathBuf;

use proto::config;
use proto::data::dotted;
use serde_json::Value;

use super::files;
use super::kind::Typed;
use command::error::CliError;
use command::flux::Flux;

/// Print the configuration, or one value
#[derive(clap::Args)]
pub struct Get {
    #[command(flatten)]
    typed: Typed,
    /// Print no error when the value is not set
    #[arg(short, long)]
    quiet: bool,
    /// Print this value when none is set
    #[arg(short, long, value_name = "VALUE", allow_hyphen_values = true)]
    default: Option<String>,
    /// Read these files instead of asking the instance
    #[arg(short, long, value_name = "PATH")]
    config_path: Option<PathBuf>,
    /// Key of the value, such as policy.limits.duration; all if not given
    #[arg(value_name = "KEY")]
    key: Option<String>,
}

impl Get {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let table = match &self.config_path {
            Some(path) => files::read(path)?,
            None => flux.connect()?.rpc(&config::Get)?.0,
        };
        let Some(key) = &self.key else {
            writeln!(flux.out, "{}", Value::Object(table))?;
            return Ok(());
        };
        let text =
            match (dotted::get(&table, key), self.default) {
                (Some(value), _) => self.typed.kind.print(value).ok_or_else(|| {
                    CliError::new(format!("{key} does not have the requested type"))
                })?,
                (None, Some(default)) => default,
                (None, None) if self.quiet => return Err(CliError::exit(1)),
                (None, None) => return Err(CliError::new(format!("{key} is not set"))),
            };
        writeln!(flux.out, "{text}")?;
        Ok(())
    }
}
