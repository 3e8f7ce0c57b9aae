//! `flux job memo`

use proto::data::dotted;
use proto::job_manager;
use serde_json::{Map, Value};

use super::parse_id;
use command::error::CliError;
use command::flux::Flux;
use submission::values::json_or_text;

/// Attach notes to a job
#[derive(clap::Args)]
pub struct Memo {
    /// Discard the notes when the job manager is restarted
    #[arg(long)]
    volatile: bool,
    /// Job id
    id: String,
    /// Notes: JSON or text; null or an empty value removes one
    #[arg(required = true, value_name = "KEY=VALUE")]
    notes: Vec<String>,
}

impl Memo {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let id = parse_id(&self.id)?;
        let mut memo = Map::new();
        for note in &self.notes {
            let (key, value) = note.split_once('=').unwrap_or((note, "null"));
            put(&mut memo, key, json_or_text(value))?;
        }
        let mut handle = flux.connect()?;
        let request = job_manager::Memo {
            id,
            memo: Value::Object(memo),
            volatile: self.volatile.then_some(true),
        };
        handle.rpc(&request)?;
        Ok(())
    }
}

/// Sets a dotted key. Null is a value here: it removes a key in the service.
fn put(memo: &mut Map<String, Value>, key: &str, value: Value) -> Result<(), CliError> {
    let refuse = |error: dotted::DottedError| CliError::new(error.to_string());
    dotted::set(memo, key, Value::Bool(true)).map_err(refuse)?;
    let mut parts = key.split('.');
    let first = parts.next().and_then(|part| memo.get_mut(part));
    let place = parts.fold(first, |value, part| value?.get_mut(part));
    if let Some(place) = place {
        *place = value;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_keys_nest_and_null_stays() {
        let mut memo = Map::new();
        put(&mut memo, "a.b", Value::from(1)).unwrap();
        put(&mut memo, "a.c", Value::Null).unwrap();
        put(&mut memo, "d", "x".into()).unwrap();
        let memo = Value::Object(memo).to_string();
        assert_eq!(memo, r#"{"a":{"b":1,"c":null},"d":"x"}"#);
    }
}
