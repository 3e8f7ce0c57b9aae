//! `flux R parse-config`: the set that `[resource]` of a configuration describes.

use std::path::{Path, PathBuf};

use proto::Object;
use proto::config::keys;
use proto::data::Rset;
use serde_json::Value;

use super::{failed, hostname, print};
use crate::commands::config::files;
use command::error::{CliError, io_text};
use command::flux::Flux;

/// Print the resource set of a configuration
#[derive(clap::Args)]
pub struct ParseConfig {
    /// TOML file, or directory of TOML files
    #[arg(value_name = "PATH")]
    path: PathBuf,
}

impl ParseConfig {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        std::fs::metadata(&self.path).map_err(|error| {
            let text = format!("stat: {}: {}", self.path.display(), io_text(&error));
            CliError::new(text).about("flux_conf_parse")
        })?;
        let table = files::read(&self.path).map_err(|error| error.about("flux_conf_parse"))?;
        let conf = Object(table);
        let set = set_of(&conf).map_err(|error| error.about("Config file error"));
        let mut set = set?;
        let scheduling: Option<String> = keys::RESOURCE_SCHEDULING.read(&conf)?;
        if let Some(path) = scheduling {
            set.set_scheduling(Some(scheduling_of(Path::new(&path))?));
        }
        print(flux, set)
    }
}

fn set_of(conf: &Object) -> Result<Rset, CliError> {
    let path: Option<String> = keys::RESOURCE_PATH.read(conf)?;
    match (path, keys::RESOURCE_CONFIG.value(conf)) {
        (Some(path), _) => {
            let about = |why: String| failed(why).about(format_args!("resource.path: {path}"));
            let text = std::fs::read_to_string(&path).map_err(|error| about(io_text(&error)))?;
            Rset::decode(&text).map_err(|error| about(error.to_string()))
        }
        (None, Some(config)) => Rset::of_config(config, &hostname()?).map_err(CliError::new),
        (None, None) => {
            let text = "resource.config or resource.path must be defined";
            Err(CliError::new(text))
        }
    }
}

fn scheduling_of(path: &Path) -> Result<Value, CliError> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let why = io_text(&error);
        CliError::new(format!(
            "resource.scheduling: unable to open {shown}: {why}"
        ))
    })?;
    serde_json::from_str(&text).map_err(|error| {
        let why = error.to_string();
        let why = why.split(" at line ").next().unwrap_or_default();
        CliError::new(format!(
            "resource.scheduling: {shown}: {why} on line {}",
            error.line()
        ))
    })
}
