//! The last output of a background process, for who attaches to it or waits for it.

use std::collections::VecDeque;

use proto::data::stdio::Data;

use crate::limits::RETAINED_BYTES;

/// Last output.
#[derive(Debug, Default)]
pub(super) struct Retained {
    pieces: VecDeque<(usize, Data)>,
    bytes: usize,
}

impl Retained {
    /// Keeps a piece of a stream, and lets go of older ones for it.
    pub fn push(&mut self, stream: &str, rank: &str, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let data = &data[data.len().saturating_sub(RETAINED_BYTES)..];
        let piece = Data::new(stream, rank, Some(data), false);
        self.bytes += data.len();
        self.pieces.push_back((data.len(), piece));
        while self.bytes > RETAINED_BYTES
            && let Some((len, _)) = self.pieces.pop_front()
        {
            self.bytes -= len;
        }
    }

    /// Gives all of it away.
    pub fn take(&mut self) -> Vec<Data> {
        self.bytes = 0;
        self.pieces.drain(..).map(|(_, piece)| piece).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_last_is_kept() {
        let mut retained = Retained::default();
        retained.push("stdout", "0", b"first");
        retained.push("stderr", "0", &vec![b'a'; RETAINED_BYTES]);
        retained.push("stdout", "0", b"");
        let lengths = |pieces: Vec<Data>| -> Vec<usize> {
            let bytes = pieces.iter().map(|piece| piece.bytes().unwrap());
            bytes.map(|bytes| bytes.len()).collect()
        };
        assert_eq!(lengths(retained.take()), [RETAINED_BYTES]);
        retained.push("stdout", "0", &vec![b'b'; 2 * RETAINED_BYTES]);
        assert_eq!(lengths(retained.take()), [RETAINED_BYTES]);
        assert_eq!(lengths(retained.take()), [0; 0]);
    }
}
