//! Lines of a file that are still needed.

use std::collections::BTreeMap;

use crate::limits::LINES_BYTES_MAX;

/// Contents of a file: the lines that are needed, by their subject.
#[derive(Debug)]
pub struct Lines<K> {
    needed: BTreeMap<K, String>,
    needed_bytes: usize,
    /// Bytes of the file.
    bytes: usize,
}

impl<K> Default for Lines<K> {
    fn default() -> Lines<K> {
        Lines {
            needed: BTreeMap::new(),
            needed_bytes: 0,
            bytes: 0,
        }
    }
}

impl<K: Ord> Lines<K> {
    /// Takes the whole text found, and the lines of it that are needed.
    pub fn found(&mut self, text: &[u8], lines: impl Iterator<Item = (K, String)>) {
        self.bytes = text.len();
        for (key, line) in lines {
            self.need(key, &line);
        }
    }

    /// A line was added to the file.
    pub fn note(&mut self, key: K, line: &str) {
        self.bytes += line.len();
        self.need(key, line);
    }

    fn need(&mut self, key: K, line: &str) {
        self.needed_bytes += line.len();
        self.needed.entry(key).or_default().push_str(line);
    }

    /// Nothing that is said of `key` is needed any more.
    pub fn forget(&mut self, key: &K) {
        let lines = self.needed.remove(key);
        self.needed_bytes -= lines.map_or(0, |lines| lines.len());
    }

    /// Forgets all but what `is_needed` says.
    pub fn keep(&mut self, is_needed: impl Fn(&K) -> bool) {
        self.needed.retain(|key, _| is_needed(key));
        self.needed_bytes = self.needed.values().map(String::len).sum();
    }

    /// New contents of the file, if it has grown for nothing.
    pub fn rewrite(&mut self) -> Option<String> {
        let has_grown = self.bytes >= LINES_BYTES_MAX.max(2 * self.needed_bytes);
        has_grown.then(|| self.needed())
    }

    /// New contents of the file: the lines that are needed.
    pub fn needed(&mut self) -> String {
        self.bytes = self.needed_bytes;
        self.needed.values().map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_again_when_it_has_grown_for_nothing() {
        let mut lines = Lines::default();
        let line = "x".repeat(1023) + "\n";
        let mut written = 0;
        for n in 0..1000 {
            lines.note(n, &line);
            if n >= 2 {
                lines.forget(&(n - 2));
            }
            written += line.len();
            if let Some(text) = lines.rewrite() {
                assert_eq!(text.len(), 2 * line.len(), "two are needed");
                written = text.len();
            }
            assert!(written <= LINES_BYTES_MAX, "{written}");
        }
    }

    #[test]
    fn needed_lines_stay_together_and_are_never_dropped() {
        let mut lines = Lines::default();
        let long = "y".repeat(LINES_BYTES_MAX);
        lines.found(b"1\n2\n", [(7, "1\n".to_owned())].into_iter());
        lines.note(7, "2\n");
        lines.note(8, "3\n");
        lines.note(9, &long);
        assert_eq!(lines.rewrite(), None, "all but one line are needed");
        lines.keep(|key| *key != 9);
        assert_eq!(lines.rewrite().as_deref(), Some("1\n2\n3\n"));
    }
}
