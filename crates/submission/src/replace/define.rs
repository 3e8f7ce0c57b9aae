//! Methods of inputs that users write in Python: `--define=NAME=CODE`.
//!
//! One run of the interpreter evaluates all of them for all inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::{Field, Filled, First, Piece, Step, pieces};
use command::env::Env;
use command::error::{CliError, io_text};

/// Program of the interpreter: calls come in as JSON, and results go out.
const PROGRAM: &str = r#"
import json, math, os, re, sys
request = json.load(sys.stdin)
names = {"json": json, "math": math, "os": os, "re": re, "sys": sys}
def outcome(code, conversion, spec, x):
    value = eval(code, dict(names), {"x": x})
    if isinstance(value, (list, tuple)) and not conversion and not spec:
        return {"Words": [str(word) for word in value]}
    if conversion:
        value = {"s": str, "r": repr, "a": ascii}[conversion](value)
    return {"Text": format(value, spec)}
outcomes = []
for call in request["calls"]:
    code = compile(request["code"][call["name"]], "--define=" + call["name"], "eval")
    row = []
    for x in request["inputs"][call["list"]]:
        try:
            row.append({"Ok": outcome(code, call["conversion"], call["spec"], x)})
        except Exception as error:
            row.append({"Err": "--define=%s: %s: %s" % (call["name"], type(error).__name__, error)})
    outcomes.append(row)
json.dump(outcomes, sys.stdout)
"#;

/// A method and how its value is to look.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Call {
    name: String,
    conversion: String,
    spec: String,
}

impl Call {
    /// The call of a field that takes the method `name` of an input.
    pub fn of(name: &str, field: &Field) -> Call {
        Call {
            name: name.to_owned(),
            conversion: field.conversion.map(String::from).unwrap_or_default(),
            spec: field.spec.clone(),
        }
    }
}

/// The value, or why there is none.
type Outcome = Result<Filled, String>;

/// Definitions of users, with their values for all inputs.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    code: BTreeMap<String, String>,
    outcomes: BTreeMap<Call, BTreeMap<String, Outcome>>,
}

#[derive(Serialize)]
struct Asked<'a> {
    code: &'a BTreeMap<String, String>,
    calls: Vec<AskedCall<'a>>,
    inputs: &'a [Vec<&'a str>],
}

#[derive(Serialize)]
struct AskedCall<'a> {
    list: usize,
    #[serde(flatten)]
    call: &'a Call,
}

#[derive(Deserialize)]
enum Answered {
    Text(String),
    Words(Vec<String>),
}

impl Definitions {
    /// From the values of `--define`.
    pub fn new(texts: &[String]) -> Result<Definitions, CliError> {
        let mut code = BTreeMap::new();
        for text in texts {
            let missing = || CliError::new(format!("--define={text}: must be NAME=CODE"));
            let (name, expression) = text.split_once('=').ok_or_else(missing)?;
            code.insert(name.to_owned(), expression.to_owned());
        }
        Ok(Definitions {
            code,
            outcomes: BTreeMap::new(),
        })
    }

    /// The value of a call for an input; `None` if nobody defines it.
    pub fn outcome(&self, call: &Call, input: &str) -> Option<&Outcome> {
        self.outcomes.get(call)?.get(input)
    }

    /// Evaluates the definitions that the texts take of the lists of inputs.
    pub fn evaluate<'t>(
        &mut self,
        env: &Env,
        texts: impl Iterator<Item = &'t str>,
        inputs: &[Vec<&str>],
    ) -> Result<(), CliError> {
        if self.code.is_empty() {
            return Ok(());
        }
        let calls: BTreeSet<(usize, Call)> = texts.flat_map(|text| self.calls(text)).collect();
        let calls: Vec<_> = calls.into_iter().collect();
        let calls: Vec<_> = calls
            .iter()
            .filter(|(list, _)| *list < inputs.len())
            .collect();
        if calls.is_empty() {
            return Ok(());
        }
        let asked = Asked {
            code: &self.code,
            calls: calls
                .iter()
                .map(|(list, call)| AskedCall { list: *list, call })
                .collect(),
            inputs,
        };
        let rows = ask(env, &asked)?;
        for ((list, call), row) in calls.into_iter().zip(rows) {
            let outcomes = self.outcomes.entry(call.clone()).or_default();
            for (input, outcome) in inputs[*list].iter().zip(row) {
                let outcome = outcome.map(|answered| match answered {
                    Answered::Text(text) => Filled::Text(text),
                    Answered::Words(words) => Filled::Words(words),
                });
                outcomes.insert((*input).to_owned(), outcome);
            }
        }
        Ok(())
    }

    /// The calls in a text to users' definitions, with the number of their list.
    fn calls(&self, text: &str) -> Vec<(usize, Call)> {
        let pieces = pieces(text).unwrap_or_default();
        let call = |piece: Piece| match piece {
            Piece::Field(field) => match (&field.first, field.steps.as_slice()) {
                (First::Index(list), [Step::Method(name)]) if self.code.contains_key(name) => {
                    Some((*list, Call::of(name, &field)))
                }
                _ => None,
            },
            Piece::Literal(_) => None,
        };
        pieces.into_iter().filter_map(call).collect()
    }
}

fn ask(env: &Env, asked: &Asked<'_>) -> Result<Vec<Vec<Result<Answered, String>>>, CliError> {
    let failed = |text: String| CliError::new(format!("--define: {text}"));
    let mut command = Command::new("python3");
    command.args(["-c", PROGRAM]).env_clear();
    command.envs(env.iter());
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => failed("needs python3, which is not in PATH".to_owned()),
        _ => failed(format!("python3: {}", io_text(&error))),
    })?;
    let request = serde_json::to_vec(asked).map_err(|error| failed(error.to_string()))?;
    // It reads all before it writes.
    let written = match child.stdin.take() {
        Some(mut input) => input.write_all(&request),
        None => Ok(()),
    };
    let output = child.wait_with_output();
    let output = output.map_err(|error| failed(format!("python3: {}", io_text(&error))))?;
    if !output.status.success() || written.is_err() {
        // It has printed its error itself.
        return Err(failed("python3 failed".to_owned()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| failed(format!("python3: {error}")))
}
