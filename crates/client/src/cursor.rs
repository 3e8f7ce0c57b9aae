//! Position of a reader in a stream that begins again when its service is restarted.

/// Counts the entries of a stream that always begins with the same ones, such as a log
/// ([`crate::Call::repeating`]), so that each is taken once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cursor {
    /// Number of restarts of the stream up to the last entry.
    repeats: u32,
    /// Entries since it began.
    here: u64,
    /// Entries taken in all.
    taken: u64,
}

impl Cursor {
    /// Moves to the next entry, which has come after the stream began again `repeats` times;
    /// returns true if it was not there before.
    pub fn is_new(&mut self, repeats: u32) -> bool {
        if repeats != self.repeats {
            self.repeats = repeats;
            self.here = 0;
        }
        self.here += 1;
        let is_new = self.here > self.taken;
        self.taken = self.taken.max(self.here);
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::Cursor;

    fn check(repeats: &[u32], new: &str) {
        let mut cursor = Cursor::default();
        let taken = repeats
            .iter()
            .map(|repeats| if cursor.is_new(*repeats) { 'n' } else { '-' });
        assert_eq!(taken.collect::<String>(), new);
    }

    #[test]
    fn an_entry_is_new_once() {
        check(&[], "");
        check(&[0, 0, 0], "nnn");
        check(&[0, 0, 1, 1, 1, 1], "nn--nn");
        // It died again before it had come as far as before.
        check(&[0, 0, 0, 1, 2, 2, 2, 2], "nnn----n");
        check(&[3, 3, 4, 4, 4], "nn--n");
    }
}
