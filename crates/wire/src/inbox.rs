//! Bytes of a connection that are not a whole message yet. Takes memory as bytes arrive
//! and not as a peer announces them, and gives it back with the message.

use bytes::Bytes;

use crate::limits::{IDLE_BYTES_MAX, SHARED_BYTES_MIN, STREAM_RESERVE_BYTES};

/// The system has no memory for this many more bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no memory for {0} more bytes of a message")]
pub struct NoMemory(pub usize);

/// A buffer that is filled at its end and emptied from its front.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    buf: Vec<u8>,
    /// Start of the bytes that were not taken.
    at: usize,
}

impl Inbox {
    /// Appends bytes that were read.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), NoMemory> {
        if self.at > 0 {
            self.buf.drain(..self.at);
            self.at = 0;
        }
        if self.buf.len() + bytes.len() > self.buf.capacity() {
            // With some room for the part of a message that the next read begins with:
            // growing by that little would copy the whole buffer at each read.
            reserve(&mut self.buf, bytes.len() + IDLE_BYTES_MAX)?;
        }
        self.buf.extend_from_slice(bytes);
        Ok(())
    }

    /// Bytes not taken yet.
    pub fn rest(&self) -> &[u8] {
        &self.buf[self.at..]
    }

    /// Makes room for the rest of a message of `total` bytes: by a part of what has
    /// arrived, not by what is announced, so that a liar costs us little more than it sent.
    pub fn expect(&mut self, total: usize) -> Result<(), NoMemory> {
        let len = self.rest().len();
        let missing = total.saturating_sub(len);
        reserve(
            &mut self.buf,
            missing.min(STREAM_RESERVE_BYTES.max(len / 4)),
        )
    }

    /// Passes over `len` bytes.
    pub fn skip(&mut self, len: usize) {
        self.at += len;
        self.give_back();
    }

    /// Takes `len` bytes out. Long ones keep the buffer and what follows them is copied,
    /// unless that is more.
    pub fn take(&mut self, len: usize) -> Result<Bytes, NoMemory> {
        let end = self.at + len;
        let after = self.buf.len() - end;
        if len >= SHARED_BYTES_MIN && len >= after {
            let mut rest = Vec::new();
            reserve(&mut rest, after)?;
            rest.extend_from_slice(&self.buf[end..]);
            let whole = Bytes::from(std::mem::replace(&mut self.buf, rest));
            let start = std::mem::take(&mut self.at);
            return Ok(whole.slice(start..end));
        }
        let mut taken = Vec::new();
        reserve(&mut taken, len)?;
        taken.extend_from_slice(&self.buf[self.at..end]);
        self.skip(len);
        Ok(Bytes::from(taken))
    }

    /// Memory in use, in bytes.
    pub fn held(&self) -> usize {
        self.buf.capacity()
    }

    fn give_back(&mut self) {
        if self.at == self.buf.len() {
            self.buf.clear();
            self.at = 0;
            if self.buf.capacity() > IDLE_BYTES_MAX {
                self.buf = Vec::new();
            }
        }
    }
}

/// Room for `more` bytes, exactly: growth is the caller's.
fn reserve(buf: &mut Vec<u8>, more: usize) -> Result<(), NoMemory> {
    buf.try_reserve_exact(more).map_err(|_| NoMemory(more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_grows_with_what_arrives_and_not_with_what_is_announced() {
        let mut inbox = Inbox::default();
        let chunk = vec![1; 1000];
        inbox.push(&chunk).unwrap();
        inbox.expect(1 << 30).unwrap();
        assert!(inbox.held() <= 1000 + IDLE_BYTES_MAX + STREAM_RESERVE_BYTES);
        for _ in 0..1000 {
            inbox.push(&chunk).unwrap();
            inbox.expect(1 << 30).unwrap();
        }
        assert!(inbox.held() <= 1_001_000 * 5 / 4 + IDLE_BYTES_MAX + STREAM_RESERVE_BYTES);
    }

    #[test]
    fn memory_goes_with_a_long_message_and_an_idle_buffer_is_small() {
        let mut inbox = Inbox::default();
        inbox.push(&[7; 200_000]).unwrap();
        let (long, short) = (inbox.take(150_000).unwrap(), inbox.take(100).unwrap());
        assert_eq!((long.len(), short.len()), (150_000, 100));
        assert_eq!(inbox.rest().len(), 49_900);
        assert!(inbox.held() < 60_000);
        inbox.skip(49_900);
        assert!(inbox.held() <= IDLE_BYTES_MAX);
    }

    #[test]
    fn no_memory_is_an_error_and_not_an_end() {
        let mut buf = vec![1];
        let too_much = isize::MAX as usize;
        assert_eq!(reserve(&mut buf, too_much), Err(NoMemory(too_much)));
        assert_eq!(buf, [1]);
    }
}
