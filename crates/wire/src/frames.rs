//! The flattened form of a message: each frame behind its length, PROTO last.
//!
//! This one encoding serves stream sockets and the ZeroMQ links between broker
//! and modules (one part a message), see doc/architecture.md.

use bytes::Bytes;

use crate::header::{DecodeError, Flags, HEADER_BYTES, Header};
use crate::limits::{ROUTES_MAX, TOPIC_BYTES_MAX};
use crate::message::{Identity, Message, Routes};

/// A length byte that says "the length follows in four bytes".
const LONG: u8 = 0xff;

/// Flattens `message` into a new buffer.
pub fn encode(message: &Message) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded_len_max(message));
    encode_into(message, &mut out);
    out
}

/// Appends the flattened `message` to `out`.
pub fn encode_into(message: &Message, out: &mut Vec<u8>) {
    out.reserve(encoded_len_max(message));
    if message.has(Flags::ROUTE) {
        for identity in &message.routes {
            push_frame(out, identity.as_bytes());
        }
        push_frame(out, b"");
    }
    if message.has(Flags::TOPIC) {
        push_frame(out, message.topic_bytes());
    }
    if let Some(payload) = message.payload() {
        push_frame(out, payload);
    }
    push_frame(out, &header_of(message).encode());
}

/// Decodes one flattened message. Frames of the result are slices of `buf`.
pub fn decode(buf: Bytes) -> Result<Message, DecodeError> {
    let header = last_frame_is_header(&buf)?;
    let mut frames = Frames {
        buf: &buf,
        at: 0,
        end: buf.len() - HEADER_BYTES - 1,
    };
    let mut routes = Routes::new();
    if header.flags.has(Flags::ROUTE) {
        while let frame = frames.next_required()?
            && !frame.is_empty()
        {
            if routes.len() == ROUTES_MAX {
                return Err(DecodeError::TooManyRoutes);
            }
            routes.push(Identity::from_bytes(frame).ok_or(DecodeError::BadText)?);
        }
    }
    let mut topic = Bytes::new();
    if header.flags.has(Flags::TOPIC) {
        topic = frames.next_required()?;
        if topic.len() > TOPIC_BYTES_MAX || std::str::from_utf8(&topic).is_err() {
            return Err(DecodeError::BadText);
        }
    }
    let mut payload = Bytes::new();
    if header.flags.has(Flags::PAYLOAD) {
        payload = frames.next_required()?;
    }
    frames.finish()?;
    Ok(Message::from_parts(header, routes, topic, payload))
}

fn header_of(message: &Message) -> Header {
    Header {
        kind: message.kind,
        flags: message.flags(),
        userid: message.userid,
        rolemask: message.rolemask,
    }
}

/// At least as many bytes as [`encode_into`] writes, and hardly more.
pub(crate) fn encoded_len_max(message: &Message) -> usize {
    let routes: usize = message.routes.iter().map(|r| r.as_bytes().len() + 5).sum();
    let payload = message.payload().map_or(0, |payload| payload.len() + 5);
    routes + 1 + message.topic_bytes().len() + 5 + payload + HEADER_BYTES + 1
}

fn push_frame(out: &mut Vec<u8>, frame: &[u8]) {
    if frame.len() < LONG as usize {
        out.push(frame.len() as u8);
    } else {
        out.push(LONG);
        out.extend_from_slice(&(frame.len() as u32).to_be_bytes());
    }
    out.extend_from_slice(frame);
}

/// PROTO is always 20 bytes behind the length byte 20, so the last frame is
/// found from the end, and the frames before it are then read from the front.
/// A buffer whose frames do not meet it exactly is refused by `Frames::finish`.
fn last_frame_is_header(buf: &[u8]) -> Result<Header, DecodeError> {
    if buf.is_empty() {
        return Err(DecodeError::BadHeader);
    }
    let at = buf
        .len()
        .checked_sub(HEADER_BYTES + 1)
        .ok_or(DecodeError::BadHeader)?;
    if buf[at] as usize != HEADER_BYTES {
        return Err(DecodeError::BadHeader);
    }
    Header::decode(&buf[at + 1..])
}

/// Walks the frames in front of PROTO.
struct Frames<'a> {
    buf: &'a Bytes,
    at: usize,
    end: usize,
}

impl Frames<'_> {
    fn next_required(&mut self) -> Result<Bytes, DecodeError> {
        if self.at == self.end {
            return Err(DecodeError::MissingFrame);
        }
        let (len, start) = match self.buf[self.at] {
            LONG => {
                let bytes = self
                    .buf
                    .get(self.at + 1..self.at + 5)
                    .ok_or(DecodeError::Truncated)?;
                let len = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                (len as usize, self.at + 5)
            }
            len => (len as usize, self.at + 1),
        };
        let stop = start.checked_add(len).ok_or(DecodeError::Truncated)?;
        if stop > self.end {
            return Err(DecodeError::Truncated);
        }
        self.at = stop;
        Ok(self.buf.slice(start..stop))
    }

    /// Extra frames between those that the flags name and PROTO are passed over,
    /// as RFC 3 decoders do, but they must be whole.
    fn finish(mut self) -> Result<(), DecodeError> {
        while self.at != self.end {
            self.next_required()?;
        }
        Ok(())
    }
}
