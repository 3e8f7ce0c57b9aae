//! `flux job info`

use proto::data::sign;
use proto::job_info::{CURRENT, Lookup};
use serde_json::Value;

use super::parse_id;
use command::error::CliError;
use command::flux::Flux;

/// Print stored data of a job
#[derive(clap::Args)]
pub struct Info {
    /// Print the jobspec as submitted, including the environment
    #[arg(short, long)]
    original: bool,
    /// Print the value without later updates
    #[arg(short, long)]
    base: bool,
    /// Job id
    id: String,
    /// Key: jobspec, R, J, eventlog, guest.exec.eventlog, ...
    key: String,
}

impl Info {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let id = parse_id(&self.id)?;
        let is_original = self.original && self.key == "jobspec";
        let key = if is_original { "J" } else { &self.key };
        let is_updated = matches!(key, "jobspec" | "R") && !self.base;
        let mut handle = flux.connect()?;
        let reply = handle.rpc(&Lookup {
            id,
            keys: vec![key.to_owned()],
            flags: if is_updated { CURRENT } else { 0 },
        })?;
        let missing = || CliError::new(format!("{key}: key not found"));
        let value = reply.values.get(key).ok_or_else(missing)?;
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if !is_original {
            writeln!(flux.out, "{text}")?;
            return Ok(());
        }
        let unwrapped =
            sign::unwrap_none(&text).map_err(|error| CliError::new(error.to_string()))?;
        writeln!(flux.out, "{}", String::from_utf8_lossy(&unwrapped.payload))?;
        Ok(())
    }
}
