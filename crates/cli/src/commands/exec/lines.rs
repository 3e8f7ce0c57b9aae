//! Output of many processes, by line: output of two of them never shares a line.

use std::io::{self, Write};

/// Longest line that is kept back until it is whole, in bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// One stream of one process.
#[derive(Debug, Default)]
pub(super) struct Lines {
    label: String,
    partial: Vec<u8>,
}

impl Lines {
    /// With this before each line.
    pub fn new(label: String) -> Lines {
        let partial = Vec::new();
        Lines { label, partial }
    }

    /// Appends a piece and writes the lines that are whole; at the end, the rest.
    pub fn push(&mut self, out: &mut dyn Write, data: &[u8], eof: bool) -> io::Result<()> {
        self.partial.extend_from_slice(data);
        let whole = match self.partial.iter().rposition(|byte| *byte == b'\n') {
            _ if eof || self.partial.len() > LINE_BYTES_MAX => self.partial.len(),
            Some(end) => end + 1,
            None => 0,
        };
        for line in self.partial[..whole].split_inclusive(|byte| *byte == b'\n') {
            out.write_all(self.label.as_bytes())?;
            out.write_all(line)?;
        }
        self.partial.drain(..whole);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_and_labelled() {
        let mut out = Vec::new();
        let mut lines = Lines::new("3: ".to_owned());
        for (piece, eof) in [("a", false), ("b\nc\nd", false), ("e", true)] {
            lines.push(&mut out, piece.as_bytes(), eof).unwrap();
        }
        assert_eq!(String::from_utf8(out).unwrap(), "3: ab\n3: c\n3: de");
    }
}
