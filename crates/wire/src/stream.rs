//! Messages on a byte stream: an eight-byte prefix, then the flattened message.
//!
//! The prefix is `12 00 ee ff`, then the length of what follows, big endian and
//! not counting itself (protocol/02 section 3).

use bytes::Bytes;

use crate::frames::{encode_head, encode_tail, encoded_len};
use crate::header::DecodeError;
use crate::inbox::{Inbox, NoMemory};
use crate::limits::MESSAGE_BYTES_MAX;
use crate::message::Message;

/// 0xffee0012 as little-endian hosts store it, which existing clients do.
const MAGIC: [u8; 4] = [0x12, 0x00, 0xee, 0xff];
/// Magic and length.
const PREFIX_BYTES: usize = 8;

/// Errors that end a stream. Each ends the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The prefix does not begin with the magic (EPROTO).
    #[error("the stream does not carry messages of this protocol")]
    BadMagic,
    /// A message longer than [`MESSAGE_BYTES_MAX`] is announced (EMSGSIZE).
    #[error("a message of {0} bytes is over the limit")]
    TooLong(usize),
    /// The message has no room (ENOMEM). Its header comes last and was not seen, so that
    /// nobody can be answered.
    #[error(transparent)]
    NoMemory(#[from] NoMemory),
    /// The bytes between two prefixes are not a message.
    #[error(transparent)]
    Message(#[from] DecodeError),
}

/// Appends `message` with its prefix to `out`.
pub fn encode_stream(message: &Message, out: &mut Vec<u8>) {
    out.reserve(PREFIX_BYTES + encoded_len(message));
    encode_stream_head(message, out);
    out.extend_from_slice(message.payload().map_or(&[][..], |payload| payload));
    encode_tail(message, out);
}

/// Appends the prefix and what stands before the payload, for a caller that sends the
/// payload from where it is and then what [`encode_tail`] gives.
pub fn encode_stream_head(message: &Message, out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&(encoded_len(message) as u32).to_be_bytes());
    encode_head(message, out);
}

/// Turns bytes as they arrive, split or joined anyhow, into messages.
#[derive(Debug, Default)]
pub struct StreamDecoder {
    inbox: Inbox,
}

impl StreamDecoder {
    /// Appends bytes that were read.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), NoMemory> {
        self.inbox.push(bytes)
    }

    /// The next whole message, or `None` until more bytes come.
    pub fn next_message(&mut self) -> Result<Option<Message>, StreamError> {
        match self.next_body()? {
            Some(body) => Ok(Some(crate::decode(body)?)),
            None => Ok(None),
        }
    }

    /// The bytes of the next whole message, for [`crate::decode`].
    pub fn next_body(&mut self) -> Result<Option<Bytes>, StreamError> {
        let Some(len) = self.announced()? else {
            return Ok(None);
        };
        if self.inbox.rest().len() < PREFIX_BYTES + len {
            self.inbox.expect(PREFIX_BYTES + len)?;
            return Ok(None);
        }
        self.inbox.skip(PREFIX_BYTES);
        Ok(Some(self.inbox.take(len)?))
    }

    /// Memory in use for an incomplete message, in bytes.
    pub fn held(&self) -> usize {
        self.inbox.held()
    }

    fn announced(&self) -> Result<Option<usize>, StreamError> {
        let rest = self.inbox.rest();
        let seen = rest.len().min(MAGIC.len());
        if rest[..seen] != MAGIC[..seen] {
            return Err(StreamError::BadMagic);
        }
        let Some(bytes) = rest.get(4..PREFIX_BYTES) else {
            return Ok(None);
        };
        let len = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        if len > MESSAGE_BYTES_MAX {
            return Err(StreamError::TooLong(len));
        }
        Ok(Some(len))
    }
}
