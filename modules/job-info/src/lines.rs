//! A log that comes in pieces, line by line, from the line that is wanted next on. When
//! the pieces come again from the beginning, lines that were given out are left out. Pure.

use crate::limits::LINE_BYTES_MAX;

/// Position in a log.
#[derive(Debug, Default)]
pub struct Lines {
    /// Lines given out, ever.
    given: usize,
    /// Lines seen since the beginning was last read.
    seen: usize,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
}

/// A line that is too long, or not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadLine;

impl Lines {
    /// The log will come again from its beginning.
    pub fn rewind(&mut self) {
        self.seen = 0;
        self.rest.clear();
    }

    /// Takes a piece; gives the new lines, each with its newline.
    pub fn push(&mut self, piece: &[u8]) -> Result<Vec<String>, BadLine> {
        let mut lines = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            if self.rest.len() + part.len() > LINE_BYTES_MAX {
                return Err(BadLine);
            }
            self.rest.extend_from_slice(part);
            if !part.ends_with(b"\n") {
                break;
            }
            let line = std::mem::take(&mut self.rest);
            self.seen += 1;
            if self.seen > self.given {
                self.given += 1;
                lines.push(String::from_utf8(line).map_err(|_| BadLine)?);
            }
        }
        Ok(lines)
    }

    /// True if any line was returned.
    pub fn has_given(&self) -> bool {
        self.given > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_need_not_end_where_lines_do() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"a\nb"), Ok(vec!["a\n".to_owned()]));
        assert_eq!(lines.push(b""), Ok(vec![]));
        assert_eq!(
            lines.push(b"c\nd\n"),
            Ok(vec!["bc\n".to_owned(), "d\n".to_owned()])
        );
    }

    #[test]
    fn a_log_read_again_gives_only_what_is_new() {
        let mut lines = Lines::default();
        lines.push(b"a\nb\npart").unwrap();
        lines.rewind();
        assert_eq!(lines.push(b"a\n"), Ok(vec![]));
        assert_eq!(lines.push(b"b\nc\n"), Ok(vec!["c\n".to_owned()]));
    }

    #[test]
    fn lines_are_text() {
        assert_eq!(Lines::default().push(b"\xff\n"), Err(BadLine));
    }
}
