//! Messages on a byte stream: an eight-byte prefix, then the flattened message.
//!
//! The prefix is `12 00 ee ff`, then the length of what follows, big endian and
//! not counting itself (protocol/02 section 3).

use bytes::{Buf, Bytes, BytesMut};

use crate::header::DecodeError;
use crate::limits::{MESSAGE_BYTES_MAX, STREAM_RESERVE_BYTES};
use crate::message::Message;

/// 0xffee0012 as little-endian hosts store it, which existing clients do.
const MAGIC: [u8; 4] = [0x12, 0x00, 0xee, 0xff];
/// Magic and length.
const PREFIX_BYTES: usize = 8;

/// Why a stream can not be read on. Either ends the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The prefix does not begin with the magic (EPROTO).
    #[error("the stream does not carry messages of this protocol")]
    BadMagic,
    /// A message longer than [`MESSAGE_BYTES_MAX`] is announced (EMSGSIZE).
    #[error("a message of {0} bytes is over the limit")]
    TooLong(usize),
    /// The bytes between two prefixes are not a message.
    #[error(transparent)]
    Message(#[from] DecodeError),
}

/// Appends `message` with its prefix to `out`.
pub fn encode_stream(message: &Message, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[0; 4]);
    crate::encode_into(message, out);
    let len = (out.len() - start - PREFIX_BYTES) as u32;
    out[start + 4..start + PREFIX_BYTES].copy_from_slice(&len.to_be_bytes());
}

/// Turns bytes as they arrive, split or joined anyhow, into messages.
#[derive(Debug, Default)]
pub struct StreamDecoder {
    buf: BytesMut,
}

impl StreamDecoder {
    /// Takes in what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// The next whole message, or `None` until more bytes come.
    pub fn next_message(&mut self) -> Result<Option<Message>, StreamError> {
        let Some(len) = self.announced()? else {
            return Ok(None);
        };
        if self.buf.len() < PREFIX_BYTES + len {
            self.reserve_for(PREFIX_BYTES + len);
            return Ok(None);
        }
        self.buf.advance(PREFIX_BYTES);
        let body: Bytes = self.buf.split_to(len).freeze();
        Ok(Some(crate::decode(body)?))
    }

    /// Whether bytes of an unfinished message are held.
    pub fn is_mid_message(&self) -> bool {
        !self.buf.is_empty()
    }

    fn announced(&self) -> Result<Option<usize>, StreamError> {
        let seen = self.buf.len().min(MAGIC.len());
        if self.buf[..seen] != MAGIC[..seen] {
            return Err(StreamError::BadMagic);
        }
        let Some(bytes) = self.buf.get(4..PREFIX_BYTES) else {
            return Ok(None);
        };
        let len = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        if len > MESSAGE_BYTES_MAX {
            return Err(StreamError::TooLong(len));
        }
        Ok(Some(len))
    }

    /// Grows the buffer by what has arrived, not by what is promised: a liar
    /// costs us at most twice what it sent, plus one reserve.
    fn reserve_for(&mut self, total: usize) {
        let missing = total - self.buf.len();
        self.buf
            .reserve(missing.min(self.buf.len().max(STREAM_RESERVE_BYTES)));
    }
}
