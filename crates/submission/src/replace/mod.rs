//! Replacement fields in commands and options of many jobs: `{}`, `{0.%}`, `{seq:03d}`.
//!
//! They are those of Python's `str.format`, but that doubled braces stay as they are: the job
//! shell replaces the contents of those. A text is split into fields in `field.rs`, values are
//! in `values.rs`, widths and bases in `spec.rs`, and methods that users write in Python in
//! `define.rs`. Pure but for `define.rs`.

mod define;
mod field;
mod places;
mod spec;
#[cfg(test)]
mod tests;
mod values;

use command::error::CliError;

pub use define::Definitions;
pub use field::{Field, First, Piece, Step, pieces};
pub use places::{Place, ordered};
pub use spec::quoted_list;
pub use values::Values;

/// Result of filling a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filled {
    /// One text.
    Text(String),
    /// Several words: a text that is one field, which stands for a list.
    Words(Vec<String>),
}

/// Error of replacing a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The text takes an input of list N, and there are fewer lists.
    Index,
    /// There is no such name.
    Key(String),
    /// Inputs have no such method.
    Method(String),
    /// Anything else, in words.
    Other(String),
}

/// Puts values in the place of the fields of a text.
pub fn fill(text: &str, values: &Values<'_>) -> Result<Filled, Fault> {
    if !text.contains(['{', '}']) {
        return Ok(Filled::Text(text.to_owned()));
    }
    let pieces = pieces(text)?;
    if let [Piece::Field(field)] = pieces.as_slice() {
        return values.of(field);
    }
    let mut filled = String::new();
    for piece in &pieces {
        match piece {
            Piece::Literal(text) => filled.push_str(text),
            Piece::Field(field) => match values.of(field)? {
                Filled::Text(text) => filled.push_str(&text),
                Filled::Words(words) => filled.push_str(&quoted_list(&words)),
            },
        }
    }
    Ok(Filled::Text(filled))
}

/// Puts values into the words of a command.
pub fn fill_command(command: &mut Vec<String>, values: &Values<'_>) -> Result<(), CliError> {
    let mut filled = Vec::with_capacity(command.len());
    for word in command.drain(..) {
        let refuse = |fault| match fault {
            Fault::Index | Fault::Key(_) => {
                refused(format!("Invalid replacement string in command: '{word}'"))
            }
            fault => fault.into(),
        };
        match fill(&word, values).map_err(refuse)? {
            Filled::Text(text) => filled.push(text),
            Filled::Words(words) => filled.extend(words),
        }
    }
    *command = filled;
    Ok(())
}

/// A refusal that names the program and not the command.
fn refused(text: String) -> CliError {
    CliError::new(format!("flux: ERROR: {text}")).bare()
}

impl From<Fault> for CliError {
    fn from(fault: Fault) -> CliError {
        CliError::new(match fault {
            Fault::Index => "Replacement index out of range for positional args tuple".to_owned(),
            Fault::Key(key) => format!("Replacement key '{key}' not found"),
            Fault::Method(name) => format!("Unknown input string method '.{name}'"),
            Fault::Other(text) => text,
        })
    }
}
