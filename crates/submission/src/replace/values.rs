//! Values of fields: inputs, counters, and parts of them.

use super::define::{Call, Definitions};
use super::field::{Field, First, Step};
use super::spec::{integer, quoted, text};
use super::{Fault, Filled};

/// Values to insert.
#[derive(Debug, Clone, Default)]
pub struct Values<'a> {
    /// One input of each list.
    pub inputs: Vec<&'a str>,
    /// Number of the job, from 0.
    pub seq: Option<u64>,
    /// Number of the copy, or its replacement.
    pub cc: Option<&'a str>,
    /// Methods of the user.
    pub definitions: Option<&'a Definitions>,
}

impl Values<'_> {
    /// The value of a field.
    pub fn of(&self, field: &Field) -> Result<Filled, Fault> {
        match &field.first {
            First::Index(index) => {
                let input = self.inputs.get(*index).ok_or(Fault::Index)?;
                self.of_input(input, field)
            }
            First::Key(key) => {
                let seq = self.seq.filter(|_| key == "seq");
                let number = seq.or_else(|| Some(self.seq.filter(|_| key == "seq1")? + 1));
                if let (Some(number), None) = (number, field.conversion) {
                    plain(field)?;
                    return integer(number, &field.spec).map(Filled::Text);
                }
                let number = number.map(|number| number.to_string());
                let word = self.cc.filter(|_| key == "cc");
                let word = number.as_deref().or(word);
                let word = word.ok_or_else(|| Fault::Key(key.clone()))?;
                plain(field)?;
                converted(word, field).map(Filled::Text)
            }
        }
    }

    fn of_input(&self, input: &str, field: &Field) -> Result<Filled, Fault> {
        let name = match field.steps.as_slice() {
            [] if field.conversion.is_none() && !field.spec.is_empty() => {
                let text = "unsupported format string passed to Xinput.__format__";
                return Err(Fault::Other(text.to_owned()));
            }
            [] => return converted(input, field).map(Filled::Text),
            [Step::Method(name)] => name,
            [Step::Item, ..] => {
                let text = "'Xinput' object is not subscriptable";
                return Err(Fault::Other(text.to_owned()));
            }
            [Step::Method(name), ..] => return Err(Fault::Method(name.clone())),
        };
        let text = match name.as_str() {
            "%" => without_extension(input),
            "/" => basename(input),
            "//" => dirname(input),
            "/%" => without_extension(basename(input)),
            _ => {
                let outcome = self.definitions.and_then(|definitions| {
                    let call = Call::of(name, field);
                    definitions.outcome(&call, input)
                });
                return match outcome {
                    Some(outcome) => outcome.clone().map_err(Fault::Other),
                    None => Err(Fault::Method(name.clone())),
                };
            }
        };
        converted(text, field).map(Filled::Text)
    }
}

/// Refuses a field that takes a part of a value without parts.
fn plain(field: &Field) -> Result<(), Fault> {
    match field.steps.first() {
        None => Ok(()),
        Some(Step::Method(name)) => Err(Fault::Method(name.clone())),
        Some(Step::Item) => {
            let text = "'int' object is not subscriptable";
            Err(Fault::Other(text.to_owned()))
        }
    }
}

fn converted(value: &str, field: &Field) -> Result<String, Fault> {
    match field.conversion {
        None | Some('s') => text(value, &field.spec),
        Some('r' | 'a') => text(&quoted(value), &field.spec),
        Some(other) => {
            let text = format!("Unknown conversion specifier '{other}'");
            Err(Fault::Other(text))
        }
    }
}

fn basename(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn dirname(path: &str) -> &str {
    let length = path.len() - basename(path).len();
    let head = &path[..length];
    match head.trim_end_matches('/') {
        // The root stays one.
        "" => head,
        trimmed => trimmed,
    }
}

/// Dots at the beginning of a name begin no extension.
fn without_extension(path: &str) -> &str {
    let name = basename(path);
    let visible = name.trim_start_matches('.');
    match visible.rfind('.') {
        Some(at) => &path[..path.len() - visible.len() + at],
        None => path,
    }
}
