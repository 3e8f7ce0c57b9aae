//! Helpers beside the tasks, by name.

use std::time::Duration;

use proto::data::IdSet;
use proto::data::shell_option as option;
use serde_json::{Map, Value};

use super::reader::{Problem, Reader};

/// Default time that helpers have to exit after a SIGTERM.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// A helper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coprocess {
    /// Name.
    pub name: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// The file that it writes to, a template.
    pub output: Option<String>,
    /// Ranks of the shells that run one; `None` for all.
    pub ranks: Option<IdSet>,
}

/// All of them, and how long they have after a SIGTERM.
pub fn read(reader: &mut Reader) -> Result<(Vec<Coprocess>, Duration), Problem> {
    let timeout = match reader.value(option::COPROCESS_KILL_TIMEOUT) {
        None => KILL_TIMEOUT,
        Some(value) => {
            let text = "failed to parse coprocess-kill-timeout";
            value.as_str().and_then(|_| super::fsd(value)).ok_or(text)?
        }
    };
    let Some(value) = reader.value(option::COPROCESS) else {
        return Ok((Vec::new(), timeout));
    };
    let all = value.as_object().filter(|all| !all.is_empty());
    let all = all.ok_or("coprocess option must be a non-empty object")?;
    let read = all.iter().map(|(name, value)| one(name, value));
    Ok((read.collect::<Result<_, String>>()?, timeout))
}

fn one(name: &str, value: &Value) -> Result<Coprocess, String> {
    let nothing = Map::new();
    let given = value.as_object().unwrap_or(&nothing);
    let command = given.get("command");
    let command = command.ok_or_else(|| format!("{name}: Object item not found: command"))?;
    let words = command.as_array().into_iter().flatten();
    let words: Option<Vec<String>> = words.map(|word| word.as_str().map(str::to_owned)).collect();
    let command = words.filter(|words| !words.is_empty());
    let command = command.ok_or_else(|| format!("{name}: command must be a non-empty array"))?;
    let output = match given.get("output") {
        None | Some(Value::Null) => None,
        Some(Value::String(output)) => Some(output.clone()),
        Some(_) => return Err(format!("{name}: output must be a string")),
    };
    let ranks = match given.get("ranks") {
        None | Some(Value::Null) => None,
        Some(Value::String(all)) if all == "all" => None,
        Some(ranks) => {
            let text = ranks
                .as_str()
                .map_or_else(|| ranks.to_string(), str::to_owned);
            let set = text.parse::<IdSet>();
            Some(set.map_err(|_| format!("{name}: invalid ranks '{text}'"))?)
        }
    };
    Ok(Coprocess {
        name: name.to_owned(),
        command,
        output,
        ranks,
    })
}
