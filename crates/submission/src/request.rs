//! A job that is ready to be submitted.

use std::io::{self, Write};

use client::{Call, Handle, Pending, Refusal};
use proto::data::{JobId, Jobspec, sign};
use proto::job_ingest::{Submit, Submitted};
use serde_json::ser::{CharEscape, Formatter, Serializer};

use command::error::CliError;

/// A jobspec and its submission parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Jobspec.
    pub jobspec: Jobspec,
    /// 0 to 31.
    pub urgency: i64,
    /// Bits of `proto::data::job::SubmitFlags`.
    pub flags: u32,
}

impl Request {
    /// Sends it without waiting for the answer. It is signed by our own user with the
    /// mechanism `none`, which only the instance owner's requests may have.
    pub fn start(&self, handle: &mut Handle) -> Pending<Submit> {
        start_signed(&self.jobspec.encode(), self.urgency, self.flags, handle)
    }

    /// Submits it and waits for its id.
    pub fn submit(&self, handle: &mut Handle) -> Result<JobId, CliError> {
        let pending = self.start(handle);
        Ok(handle.wait(pending)?.id)
    }

    /// Prints the jobspec as one line.
    pub fn print(&self, out: &mut dyn Write) -> Result<(), CliError> {
        let spaced = Spaced { is_ascii: false };
        let mut serializer = Serializer::with_formatter(&mut *out, spaced);
        serde::Serialize::serialize(&self.jobspec, &mut serializer)
            .map_err(|error| CliError::from(io::Error::from(error)))?;
        writeln!(out)?;
        Ok(())
    }
}

/// Sends the text of a jobspec.
pub fn start_signed(text: &str, urgency: i64, flags: u32, handle: &mut Handle) -> Pending<Submit> {
    let userid = rustix::process::getuid().as_raw();
    let request = Submit {
        j: sign::wrap_none(userid, text.as_bytes()),
        urgency,
        flags: i64::from(flags),
    };
    handle.start(Call::new(&request))
}

/// The answer to a submission, or its refusal.
pub fn answered(answer: Result<Submitted, Refusal>) -> Result<JobId, CliError> {
    answer.map(|submitted| submitted.id).map_err(refused)
}

/// A refusal as the commands that submit many jobs print it: without the program's name.
pub fn refused(refusal: Refusal) -> CliError {
    let text = format!("[Errno {}] {refusal}", refusal.errno.0);
    CliError::new(text).bare()
}

/// JSON with blanks after separators, as scripts know it.
struct Spaced {
    /// Anything else is escaped.
    is_ascii: bool,
}

impl Formatter for Spaced {
    fn begin_array_value<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if !self.is_ascii || fragment.is_ascii() {
            return out.write_all(fragment.as_bytes());
        }
        let mut units = [0; 2];
        for c in fragment.chars() {
            match c.is_ascii() {
                true => out.write_all(&[c as u8])?,
                false => {
                    for unit in c.encode_utf16(&mut units) {
                        write!(out, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }

    fn write_char_escape<W: Write + ?Sized>(
        &mut self,
        out: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        serde_json::ser::CompactFormatter.write_char_escape(out, escape)
    }
}

/// A value as text with blanks after its separators, and nothing but ASCII.
pub fn spaced(value: &impl serde::Serialize) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, Spaced { is_ascii: true });
    // Writing to a Vec does not fail, and neither do values of JSON.
    let _ = serde::Serialize::serialize(value, &mut serializer);
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dry_runs_look_as_scripts_expect() {
        let value = serde_json::json!({"a": [1, 2, {"ƒ\n": "😀"}], "b": {}});
        let expect = "{\"a\": [1, 2, {\"\\u0192\\n\": \"\\ud83d\\ude00\"}], \"b\": {}}";
        assert_eq!(spaced(&value), expect);
    }
}
