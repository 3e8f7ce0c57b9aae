//! The script of a batch job: from a file, from standard input, or from words.

use std::io::Read as _;

use crate::limits::SCRIPT_BYTES_MAX;
use command::error::{CliError, io_text};
use command::flux::Flux;

/// The script among the files of the job, and where the job shell puts it.
pub const FILE: &str = "script";
pub const PATH: &str = "{{tmpdir}}/script";
/// File type and permissions: a program of its owner.
pub const MODE: u32 = 0o100_700;

/// First line of a script of words, or of one without a first line of its own.
const SHELL_LINE: &str = "#!/bin/sh\n";

/// The name of a job whose script comes from standard input.
const STDIN_JOB: &str = "batch";
/// The name of such a script in messages.
const STDIN: &str = "stdin";

/// A script that is to be the initial program of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Name in messages.
    pub name: String,
    /// Name of its job.
    pub job_name: String,
    /// The script itself.
    pub text: String,
    /// Arguments.
    pub arguments: Vec<String>,
    /// The script was made of words, so that it has no directives.
    pub is_made: bool,
}

impl Script {
    /// Reads the script that the words of a command line name; none name standard input.
    /// With `wrap` words are the script, and standard input needs no first line.
    pub fn read(flux: &mut Flux, words: &[String], wrap: bool) -> Result<Script, CliError> {
        let Some((word, arguments)) = words.split_first() else {
            let bytes = bounded(&mut flux.input, STDIN)?;
            let text = checked(STDIN, bytes, wrap)?;
            return Ok(Script {
                name: STDIN.to_owned(),
                job_name: STDIN_JOB.to_owned(),
                text,
                arguments: Vec::new(),
                is_made: false,
            });
        };
        let text = match wrap {
            true => format!("{SHELL_LINE}{}\n", words.join(" ")),
            false => {
                let refuse =
                    |error: std::io::Error| CliError::new(format!("{}: '{word}'", io_text(&error)));
                let mut file = std::fs::File::open(word).map_err(refuse)?;
                let metadata = file.metadata().map_err(refuse)?;
                if metadata.is_dir() {
                    return Err(CliError::new(format!("Is a directory: '{word}'")));
                }
                checked(word, bounded(&mut file, word)?, false)?
            }
        };
        Ok(Script {
            name: word.clone(),
            job_name: word.clone(),
            text,
            arguments: arguments.to_vec(),
            is_made: wrap,
        })
    }
}

/// All that there is to read, if it is not too much.
fn bounded(from: impl std::io::Read, name: &str) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let mut from = from.take(SCRIPT_BYTES_MAX + 1);
    from.read_to_end(&mut bytes)
        .map_err(|error| CliError::new(format!("{}: '{name}'", io_text(&error))))?;
    if bytes.len() as u64 > SCRIPT_BYTES_MAX {
        let max = SCRIPT_BYTES_MAX / (1024 * 1024);
        return Err(CliError::new(format!("{name}: larger than {max} MiB")));
    }
    Ok(bytes)
}

/// The bytes as a script that the system can run.
fn checked(name: &str, bytes: Vec<u8>, wrap: bool) -> Result<String, CliError> {
    let text = String::from_utf8(bytes).map_err(|_| {
        CliError::new(format!(
            "{name} does not appear to be a script, or failed to encode as utf-8"
        ))
    })?;
    if wrap {
        return Ok(format!("{SHELL_LINE}{text}"));
    }
    match text.starts_with("#!") {
        true => Ok(text),
        false => Err(CliError::new(format!(
            "{name} does not appear to start with '#!'"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], wrap: bool, expect: &str) {
        let outcome = bounded(bytes, "x").and_then(|bytes| checked("x", bytes, wrap));
        let outcome = outcome.unwrap_or_else(|error| error.text().to_owned());
        assert_eq!(outcome, expect);
    }

    #[test]
    fn a_script_is_text_that_begins_with_its_interpreter() {
        check(b"#!/bin/sh\nx\n", false, "#!/bin/sh\nx\n");
        check(b"x\n", true, "#!/bin/sh\nx\n");
        for text in ["x\n", "", "\n#!/bin/sh\n"] {
            let expect = "x does not appear to start with '#!'";
            check(text.as_bytes(), false, expect);
        }
        let binary = "x does not appear to be a script, or failed to encode as utf-8";
        check(b"\x7fELF\xff", false, binary);
        check(b"#!\xff", true, binary);
    }

    #[test]
    fn a_script_has_a_largest_size() {
        let mut bytes = b"#!".to_vec();
        bytes.resize(SCRIPT_BYTES_MAX as usize + 1, b'\n');
        check(&bytes, false, "x: larger than 10 MiB");
        bytes.pop();
        assert!(checked("x", bounded(&bytes[..], "x").unwrap(), false).is_ok());
    }
}
