//! Standard output in whole lines: data are held back until their line is complete. Pure.

use bytes::Bytes;

use crate::limits::LINE_BYTES_MAX;

/// Time at which data is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Buffering {
    /// As it comes.
    None,
    /// In whole lines.
    #[default]
    Line,
}

/// Data that one stream of one task holds back.
#[derive(Debug)]
pub struct Lines {
    buffering: Buffering,
    held: Vec<u8>,
}

impl Lines {
    /// Nothing is held back yet.
    pub fn new(buffering: Buffering) -> Lines {
        Lines {
            buffering,
            held: Vec::new(),
        }
    }

    /// Adds data; returns the part to pass on now, perhaps none.
    pub fn push(&mut self, data: Bytes) -> Bytes {
        if self.buffering == Buffering::None {
            return data;
        }
        let end = data
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        if end == data.len() && self.held.is_empty() {
            return data;
        }
        if end == 0 {
            self.held.extend_from_slice(&data);
            return match self.held.len() > LINE_BYTES_MAX {
                true => self.rest(),
                false => Bytes::new(),
            };
        }
        let mut whole = std::mem::take(&mut self.held);
        whole.extend_from_slice(&data[..end]);
        self.held.extend_from_slice(&data[end..]);
        whole.into()
    }

    /// Returns the data held back, line or not: nothing more will come.
    pub fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.held).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes these pieces; prints the result of each and the rest.
    fn check(buffering: Buffering, pieces: &[&str], expect: &[&str]) {
        let mut lines = Lines::new(buffering);
        let mut out: Vec<Bytes> = Vec::new();
        for piece in pieces {
            out.push(lines.push(Bytes::copy_from_slice(piece.as_bytes())));
        }
        out.push(lines.rest());
        assert_eq!(out, expect);
    }

    #[test]
    fn whole_lines_pass_and_pieces_wait() {
        check(Buffering::Line, &["a\nb\n"], &["a\nb\n", ""]);
        check(
            Buffering::Line,
            &["a", "b\nc", "\n"],
            &["", "ab\n", "c\n", ""],
        );
        check(Buffering::Line, &["a\nb"], &["a\n", "b"]);
    }

    #[test]
    fn without_buffering_all_passes() {
        check(Buffering::None, &["a", "b\nc"], &["a", "b\nc", ""]);
    }

    #[test]
    fn a_line_without_end_passes_in_pieces() {
        let piece = "x".repeat(LINE_BYTES_MAX);
        check(
            Buffering::Line,
            &[&piece, "y", "z"],
            &["", &format!("{piece}y"), "", "z"],
        );
    }
}
