//! The flattened form of a message: each frame behind its length, PROTO last.
//!
//! The time left of a request stands before its routes, as a route that no identity is
//! equal to: `@` and milliseconds. RFC 3 has no place for it. A program that knows nothing
//! of it takes it for a hop, which comes back with the answer.
//!
//! This one encoding serves stream sockets and the ZeroMQ links between broker
//! and modules (one part a message), see doc/architecture.md.

use bytes::Bytes;

use crate::header::{DecodeError, Flags, HEADER_BYTES, Header, Kind};
use crate::limits::{ROUTES_MAX, TOPIC_BYTES_MAX};
use crate::message::{Identity, Message, Routes};

/// A length byte that says "the length follows in four bytes".
const LONG: u8 = 0xff;

/// Flattens `message` into a new buffer.
pub fn encode(message: &Message) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded_len(message));
    encode_head(message, &mut out);
    out.extend_from_slice(message.payload().map_or(&[][..], |payload| payload));
    encode_tail(message, &mut out);
    out
}

/// Appends what stands before the bytes of the payload: routes, topic, its length.
pub(crate) fn encode_head(message: &Message, out: &mut Vec<u8>) {
    if message.has(Flags::ROUTE) {
        if message.deadline_ms > 0 {
            push_frame(out, &deadline_frame(message.deadline_ms));
        }
        for identity in &message.routes {
            push_frame(out, identity.as_bytes());
        }
        push_frame(out, b"");
    }
    if message.has(Flags::TOPIC) {
        push_frame(out, message.topic_bytes());
    }
    if let Some(payload) = message.payload() {
        push_len(out, payload.len());
    }
}

/// Appends what stands behind the payload.
pub fn encode_tail(message: &Message, out: &mut Vec<u8>) {
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
    let (mut routes, mut deadline_ms) = (Routes::new(), 0);
    if header.flags.has(Flags::ROUTE) {
        while let frame = frames.next_required()?
            && !frame.is_empty()
        {
            if routes.is_empty()
                && deadline_ms == 0
                && let Some(left) = read_deadline(&frame)
            {
                deadline_ms = left;
                continue;
            }
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
    // Only a request is in a hurry: an answer brings it back from one who took it for a hop.
    if !matches!(header.kind, Kind::Request { .. }) {
        deadline_ms = 0;
    }
    Ok(Message::from_parts(
        header,
        deadline_ms,
        routes,
        topic,
        payload,
    ))
}

fn header_of(message: &Message) -> Header {
    Header {
        kind: message.kind,
        flags: message.flags(),
        userid: message.userid,
        rolemask: message.rolemask,
    }
}

/// Length of the flattened `message`.
pub fn encoded_len(message: &Message) -> usize {
    let frame = |len: usize| len + if len < LONG as usize { 1 } else { 5 };
    let mut total = frame(HEADER_BYTES);
    if message.has(Flags::ROUTE) {
        let routes = message.routes.iter();
        total += 1 + routes.map(|r| frame(r.as_bytes().len())).sum::<usize>();
        if message.deadline_ms > 0 {
            total += frame(deadline_frame(message.deadline_ms).len());
        }
    }
    if message.has(Flags::TOPIC) {
        total += frame(message.topic_bytes().len());
    }
    total + message.payload().map_or(0, |payload| frame(payload.len()))
}

/// First byte of the frame with the time that is left. No UUID has it.
const DEADLINE: u8 = b'@';

fn deadline_frame(left_ms: u64) -> Vec<u8> {
    format!("{}{left_ms}", char::from(DEADLINE)).into_bytes()
}

fn read_deadline(frame: &[u8]) -> Option<u64> {
    let (first, digits) = frame.split_first()?;
    let digits = std::str::from_utf8(digits)
        .ok()
        .filter(|_| *first == DEADLINE)?;
    digits.parse().ok().filter(|left| *left > 0)
}

fn push_frame(out: &mut Vec<u8>, frame: &[u8]) {
    push_len(out, frame.len());
    out.extend_from_slice(frame);
}

fn push_len(out: &mut Vec<u8>, len: usize) {
    if len < LONG as usize {
        out.push(len as u8);
    } else {
        out.push(LONG);
        out.extend_from_slice(&(len as u32).to_be_bytes());
    }
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
