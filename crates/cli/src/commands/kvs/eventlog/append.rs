//! `flux kvs eventlog append`

use proto::data::{Context, Entry};
use proto::kvs::Op;
use serde_json::Value;

use crate::commands::kvs::at::{NamespaceArg, about};
use command::clock;
use command::error::CliError;
use command::flux::Flux;

/// Append an event to a log
#[derive(clap::Args)]
pub struct Append {
    #[command(flatten)]
    namespace: NamespaceArg,
    /// Set the time of the event, in seconds since 1970; default: now
    #[arg(short, long, value_name = "SECONDS")]
    timestamp: Option<f64>,
    /// Key of the log
    key: String,
    /// Name of the event
    name: String,
    /// Context: KEY=VALUE..., or a JSON object
    context: Vec<String>,
}

impl Append {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let bad = |error: proto::data::EventlogError| CliError::new(error.to_string());
        if self.name.contains([' ', '\n']) {
            return Err(CliError::new(format!("{}: invalid event name", self.name)));
        }
        let timestamp = self.timestamp.unwrap_or_else(clock::now);
        let mut entry = Entry::new(timestamp, self.name).map_err(bad)?;
        if let Some(context) = context_of(&self.context)? {
            entry = entry.with_context(context);
        }
        let mut store = self.namespace.connect(flux)?;
        let commit = store
            .transaction()
            .op(Op::append(&self.key, entry.encode()));
        store.handle.rpc(&commit).map_err(about(&self.key))?;
        Ok(())
    }
}

fn context_of(words: &[String]) -> Result<Option<Context>, CliError> {
    let Some(first) = words.first() else {
        return Ok(None);
    };
    if first.trim_start().starts_with('{') {
        let object = serde_json::from_str(&words.join(" "));
        return object
            .map(Some)
            .map_err(|_| CliError::new("context must be a JSON object"));
    }
    let mut context = Context::new();
    for word in words {
        let (key, value) = word.split_once('=').ok_or_else(|| {
            CliError::new(format!(
                "context must be KEY=VALUE or a JSON object, not '{word}'"
            ))
        })?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        context.insert(key.to_owned(), value);
    }
    Ok(Some(context))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str], expect: &str) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let outcome = match context_of(&words) {
            Ok(Some(context)) => Value::Object(context).to_string(),
            Ok(None) => "none".to_owned(),
            Err(error) => error.text().to_owned(),
        };
        assert_eq!(outcome, expect);
    }

    #[test]
    fn a_context_is_pairs_or_an_object() {
        check(&[], "none");
        check(
            &["a=1", "b=x", "c=\"y\"", "d="],
            r#"{"a":1,"b":"x","c":"y","d":""}"#,
        );
        check(&[r#"{"a":"#, "1}"], r#"{"a":1}"#);
    }

    #[test]
    fn anything_else_is_refused() {
        check(&["{"], "context must be a JSON object");
        check(
            &["a=1", "b"],
            "context must be KEY=VALUE or a JSON object, not 'b'",
        );
    }
}
