//! Splits process output into lines.

use super::limits::OUTPUT_LINE_BYTES_MAX;

/// Stream that a line was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The output of one process: unfinished lines.
#[derive(Debug, Default)]
pub struct Lines {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Lines {
    /// Adds a piece of a stream; returns the lines that are now complete. A line that is
    /// too long is split into several.
    pub fn push(&mut self, stream: &str, data: &[u8]) -> Vec<(Stream, String)> {
        let (stream, partial) = match stream {
            "stderr" => (Stream::Stderr, &mut self.stderr),
            _ => (Stream::Stdout, &mut self.stdout),
        };
        let mut lines = Vec::new();
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            partial.extend_from_slice(piece);
            if partial.last() == Some(&b'\n') {
                partial.pop();
            } else if partial.len() < OUTPUT_LINE_BYTES_MAX {
                continue;
            }
            for part in parts(partial) {
                lines.push((stream, String::from_utf8_lossy(part).into_owned()));
            }
            partial.clear();
        }
        lines
    }

    /// Returns the rest without a final newline.
    pub fn rest(&mut self) -> Vec<(Stream, String)> {
        let all = [
            (Stream::Stdout, &self.stdout),
            (Stream::Stderr, &self.stderr),
        ];
        let all = all.into_iter().filter(|(_, text)| !text.is_empty());
        let lines = all.map(|(stream, text)| (stream, String::from_utf8_lossy(text).into_owned()));
        lines.collect()
    }
}

/// A line in parts of limited length; an empty one is one part.
fn parts(line: &[u8]) -> Vec<&[u8]> {
    if line.is_empty() {
        return vec![line];
    }
    line.chunks(OUTPUT_LINE_BYTES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[(&str, &str)], expect: &[&str]) {
        let mut lines = Lines::default();
        let mut heard = Vec::new();
        for (stream, data) in pieces {
            heard.extend(lines.push(stream, data.as_bytes()));
        }
        heard.extend(lines.rest());
        let shown = heard
            .iter()
            .map(|(stream, text)| format!("{stream:?} {text}"));
        assert_eq!(shown.collect::<Vec<_>>(), expect);
    }

    #[test]
    fn output_comes_in_lines() {
        check(&[], &[]);
        check(&[("stdout", "a\nb\n")], &["Stdout a", "Stdout b"]);
        check(
            &[("stdout", "a"), ("stderr", "x\n"), ("stdout", "b\n\n")],
            &["Stderr x", "Stdout ab", "Stdout "],
        );
        check(&[("stderr", "end"), ("stdout", "")], &["Stderr end"]);
    }

    #[test]
    fn a_long_line_comes_in_parts() {
        let long = "x".repeat(OUTPUT_LINE_BYTES_MAX + 1);
        let first = format!("Stdout {}", &long[1..]);
        check(
            &[("stdout", &long), ("stdout", "y\n")],
            &[&first, "Stdout x", "Stdout y"],
        );
    }
}
