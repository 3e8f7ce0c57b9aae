//! The log ring: the last lines of all components, in one order (protocol/03 section 7).

use std::collections::VecDeque;

use bytes::Bytes;

use crate::limits::{EARLY_LINES_MAX, LOG_LINE_BYTES_MAX};

/// A log line, taken apart as far as the broker must: `<PRI>1 TIME HOST APP PID - - MSG`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// 0 emerg to 7 debug.
    pub severity: u8,
    /// When, as it was written.
    pub time: &'a str,
    /// Rank, in decimal.
    pub host: &'a str,
    /// Name of the component.
    pub app: &'a str,
    /// Text.
    pub text: &'a str,
}

/// Names of the severities.
pub const SEVERITIES: [&str; 8] = [
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
];

impl<'a> Line<'a> {
    /// Takes a line apart, `None` when it is not one.
    pub fn parse(line: &'a str) -> Option<Line<'a>> {
        let (pri, rest) = line.strip_prefix('<')?.split_once('>')?;
        let severity = u8::try_from(pri.parse::<u32>().ok()? >> 3)
            .ok()
            .filter(|s| *s <= 7)?;
        let mut words = rest.strip_prefix("1 ")?.splitn(7, ' ');
        let (time, host, app) = (words.next()?, words.next()?, words.next()?);
        let text = words.nth(3)?;
        Some(Line {
            severity,
            time,
            host,
            app,
            text,
        })
    }

    /// `app.sev[rank]: msg`, as the leader shows it.
    pub fn short(&self) -> String {
        let severity = SEVERITIES[usize::from(self.severity)];
        format!("{}.{severity}[{}]: {}", self.app, self.host, self.text)
    }
}

/// The ring and its counters.
#[derive(Debug, Default)]
pub struct Logbook {
    lines: VecDeque<Bytes>,
    /// Lines for the parent that it cannot take yet.
    early: VecDeque<String>,
    /// Lines of this rank that the ring took in.
    local: u64,
    /// Lines of ranks below that came by.
    remote: u64,
}

impl Logbook {
    /// Number of lines of this rank and of those below.
    pub fn counts(&self) -> (u64, u64) {
        (self.local, self.remote)
    }

    /// A line of a rank below has come by.
    pub fn count_remote(&mut self) {
        self.remote += 1;
    }

    /// Splits an appended text into whole lines, in the form of the ring.
    pub fn split(raw: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(raw);
        let text = text.trim_end_matches(['\0', '\n']);
        let Some(first) = Line::parse(text) else {
            return Vec::new();
        };
        let head = &text[..text.len() - first.text.len()];
        let parts = first.text.split('\n').filter(|part| !part.is_empty());
        parts.map(|part| cut(format!("{head}{part}"))).collect()
    }

    /// Adds a line and drops the oldest over `size`.
    pub fn add(&mut self, line: &str, size: u64) -> Bytes {
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(0);
        let bytes = Bytes::from(bytes);
        self.local += 1;
        self.lines.push_back(bytes.clone());
        while self.lines.len() as u64 > size {
            self.lines.pop_front();
        }
        bytes
    }

    /// Keeps a line for the parent, and drops the oldest over [`EARLY_LINES_MAX`].
    pub fn keep_early(&mut self, line: String) {
        if self.early.len() == EARLY_LINES_MAX {
            self.early.pop_front();
        }
        self.early.push_back(line);
    }

    /// The lines that were kept for the parent.
    pub fn take_early(&mut self) -> impl Iterator<Item = String> + use<> {
        std::mem::take(&mut self.early).into_iter()
    }

    /// The lines in the ring, each with its NUL.
    pub fn lines(&self) -> impl Iterator<Item = &Bytes> {
        self.lines.iter()
    }

    /// Number of lines in the ring.
    pub fn len(&self) -> u64 {
        self.lines.len() as u64
    }

    /// True if the ring is empty.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Empties the ring.
    pub fn clear(&mut self) {
        self.lines.clear();
    }
}

fn cut(mut line: String) -> String {
    if line.len() > LOG_LINE_BYTES_MAX {
        let mut end = LOG_LINE_BYTES_MAX;
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "<24>1 2026-11-22T06:41:30.527664Z 0 app 12 - - ";

    #[test]
    fn a_line_is_taken_apart() {
        let text = format!("{HEAD}two words");
        let line = Line::parse(&text).expect("a line");
        assert_eq!((line.severity, line.app, line.host), (3, "app", "0"));
        assert_eq!(line.short(), "app.err[0]: two words");
    }

    #[test]
    fn many_lines_in_one_append_become_entries_of_their_own() {
        let got = Logbook::split(format!("{HEAD}one\ntwo\n").as_bytes());
        assert_eq!(got, [format!("{HEAD}one"), format!("{HEAD}two")]);
    }

    #[test]
    fn what_is_no_line_is_not_taken() {
        for raw in ["", "hello", "<999>1 t h a p - - x", "<24>2 t h a p - - x"] {
            assert!(Logbook::split(raw.as_bytes()).is_empty(), "{raw}");
        }
    }

    #[test]
    fn the_ring_keeps_the_last_lines() {
        let mut book = Logbook::default();
        for n in 0..5 {
            book.add(&format!("{n}"), 2);
        }
        let kept: Vec<&[u8]> = book.lines().map(|line| &line[..]).collect();
        assert_eq!((kept, book.local), (vec![&b"3\0"[..], &b"4\0"[..]], 5));
    }

    #[test]
    fn early_lines_are_kept_within_a_bound() {
        let mut book = Logbook::default();
        for n in 0..=EARLY_LINES_MAX {
            book.keep_early(format!("{n}"));
        }
        let kept: Vec<String> = book.take_early().collect();
        assert_eq!((kept.len(), kept[0].as_str()), (EARLY_LINES_MAX, "1"));
        assert_eq!(book.take_early().count(), 0);
    }
}
