//! Bytes waiting to be written to a connection: short messages one behind the other, long
//! payloads by reference, so that many readers of one payload share it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Write};

use bytes::Bytes;
use wire::{
    Kind, Message, NoMemory, encode_stream, encode_stream_head, encode_tail, encode_zmtp,
    encode_zmtp_head, encoded_len,
};

use crate::limits::{OUT_CHUNK_BYTES, OUT_IDLE_BYTES_MAX, SHARED_PAYLOAD_BYTES_MIN};

/// Parts handed to one system call.
const SLICES: usize = 16;
/// More than the prefix of a message takes, in either framing.
const PREFIX_BYTES: usize = 16;

/// Framing of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// By the prefix of the local socket.
    Local,
    /// By the frames of ZeroMQ.
    Zmtp,
}

/// The last event, as it was encoded: it goes to many.
#[derive(Debug, Default)]
pub struct LastEvent {
    event: Option<Message>,
    local: Vec<u8>,
    zmtp: Vec<u8>,
}

impl LastEvent {
    /// The encoding of a message that others are sent too; `None` for one that is not, or
    /// whose payload is sent from where it is.
    pub fn encoding_of(&mut self, message: &Message, framing: Framing) -> Option<&[u8]> {
        let is_short = |payload: &Bytes| payload.len() < SHARED_PAYLOAD_BYTES_MIN;
        if !matches!(message.kind, Kind::Event { .. }) || !message.payload().is_none_or(is_short) {
            return None;
        }
        if self.event.as_ref() != Some(message) {
            self.event = Some(message.clone());
            self.local.clear();
            self.zmtp.clear();
        }
        let (bytes, encode): (_, fn(&Message, &mut Vec<u8>)) = match framing {
            Framing::Local => (&mut self.local, encode_stream),
            Framing::Zmtp => (&mut self.zmtp, encode_zmtp),
        };
        if bytes.is_empty() {
            encode(message, bytes);
        }
        Some(bytes)
    }
}

#[derive(Debug)]
enum Part {
    Own(Vec<u8>),
    Shared {
        bytes: Bytes,
        /// True if it is charged to its sender.
        is_paid: bool,
    },
}

impl Part {
    fn bytes(&self) -> &[u8] {
        match self {
            Part::Own(bytes) => bytes,
            Part::Shared { bytes, .. } => bytes,
        }
    }
}

/// The parts, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    parts: VecDeque<Part>,
    /// Number of bytes of the first part that are written.
    written: usize,
    /// Bytes that wait.
    len: usize,
    /// Bytes that their senders pay for, in parts that are not written whole.
    paid: usize,
}

impl Outbox {
    /// True if nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of bytes waiting.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Number of them charged to the reader: the contents of requests are charged to
    /// their senders.
    pub fn unpaid(&self) -> usize {
        let gone = match self.parts.front() {
            Some(Part::Shared { is_paid: true, .. }) => self.written,
            _ => 0,
        };
        self.len - (self.paid - gone)
    }

    /// Appends raw bytes.
    pub fn push_bytes(&mut self, bytes: &[u8]) -> Result<(), NoMemory> {
        self.push_own(bytes.len(), |out| out.extend_from_slice(bytes))
    }

    /// Appends a message.
    pub fn push(&mut self, message: &Message, framing: Framing) -> Result<(), NoMemory> {
        let len = PREFIX_BYTES + encoded_len(message);
        let payload = message.payload();
        let Some(payload) = payload.filter(|bytes| bytes.len() >= SHARED_PAYLOAD_BYTES_MIN) else {
            return self.push_own(len, |out| match framing {
                Framing::Local => encode_stream(message, out),
                Framing::Zmtp => encode_zmtp(message, out),
            });
        };
        let around = len - payload.len();
        self.push_own(around, |out| match framing {
            Framing::Local => encode_stream_head(message, out),
            Framing::Zmtp => encode_zmtp_head(message, out),
        })?;
        let is_paid = matches!(message.kind, Kind::Request { .. });
        self.len += payload.len();
        self.paid += if is_paid { payload.len() } else { 0 };
        let bytes = payload.clone();
        self.parts.push_back(Part::Shared { bytes, is_paid });
        self.push_own(around, |out| encode_tail(message, out))
    }

    fn push_own(&mut self, len: usize, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), NoMemory> {
        let fits = matches!(self.parts.back(), Some(Part::Own(last)) if last.len() + len <= OUT_CHUNK_BYTES);
        if !fits {
            self.parts.push_back(Part::Own(Vec::new()));
        }
        let Some(Part::Own(out)) = self.parts.back_mut() else {
            return Ok(());
        };
        if out.len() + len > out.capacity() {
            // A queue that has more than one message is about to have many: room for a
            // whole chunk at once spares copying it as it grows.
            let more = if out.is_empty() {
                len
            } else {
                len.max(OUT_CHUNK_BYTES - out.len())
            };
            out.try_reserve_exact(more).map_err(|_| NoMemory(len))?;
        }
        let before = out.len();
        write(out);
        self.len += out.len() - before;
        Ok(())
    }

    /// Writes as much as goes.
    pub fn write_to(&mut self, stream: &mut impl Write) -> io::Result<()> {
        while self.len > 0 {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut skip = self.written;
            for (slice, part) in slices.iter_mut().zip(&self.parts) {
                *slice = IoSlice::new(&part.bytes()[std::mem::take(&mut skip)..]);
            }
            let count = self.parts.len().min(SLICES);
            match stream.write_vectored(&slices[..count]) {
                Ok(n) => self.advance(n),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Throws everything away.
    pub fn clear(&mut self) {
        *self = Outbox::default();
    }

    fn advance(&mut self, n: usize) {
        self.written += n;
        self.len -= n;
        while let Some(part) = self.parts.front()
            && self.written >= part.bytes().len()
        {
            self.written -= part.bytes().len();
            match self.parts.pop_front() {
                Some(Part::Shared { bytes, is_paid }) if is_paid => self.paid -= bytes.len(),
                // The last part keeps its room for the next message.
                Some(Part::Own(mut own))
                    if self.len == 0
                        && self.parts.is_empty()
                        && own.capacity() <= OUT_IDLE_BYTES_MAX =>
                {
                    own.clear();
                    self.parts.push_back(Part::Own(own));
                    return;
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &str, payload: &Bytes) -> Message {
        let mut message = match kind {
            "request" => Message::request("a.b", 1),
            _ => Message::event("a.b"),
        };
        message.set_payload(payload.clone());
        message
    }

    #[test]
    fn an_event_is_encoded_once_and_never_taken_for_another() {
        let mut last = LastEvent::default();
        let mut event = message("event", &Bytes::from_static(b"one"));
        for (userid, payload) in [(1, "one"), (1, "one"), (2, "one"), (2, "two")] {
            event.userid = userid;
            event.set_payload(Bytes::from(payload));
            let (mut local, mut zmtp) = (Vec::new(), Vec::new());
            encode_stream(&event, &mut local);
            encode_zmtp(&event, &mut zmtp);
            assert_eq!(last.encoding_of(&event, Framing::Zmtp), Some(&zmtp[..]));
            assert_eq!(last.encoding_of(&event, Framing::Local), Some(&local[..]));
        }
        let request = message("request", &Bytes::from_static(b"one"));
        assert_eq!(last.encoding_of(&request, Framing::Zmtp), None);
        event.set_payload(Bytes::from(vec![0; SHARED_PAYLOAD_BYTES_MIN]));
        assert_eq!(last.encoding_of(&event, Framing::Zmtp), None);
    }

    /// Takes `n` bytes a call.
    struct Slow(Vec<u8>, usize);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = bytes.len().min(self.1);
            self.0.extend_from_slice(&bytes[..n]);
            Ok(n)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_encoding_whatever_is_shared_and_however_it_is_written() {
        let payloads = [3, 300, 40_000, 100_000].map(|n| Bytes::from(vec![b'x'; n]));
        for (framing, step) in [
            (Framing::Local, 7),
            (Framing::Zmtp, 7),
            (Framing::Local, 1 << 20),
        ] {
            let (mut outbox, mut want) = (Outbox::default(), Vec::new());
            for payload in &payloads {
                let message = message("event", payload);
                outbox.push(&message, framing).unwrap();
                match framing {
                    Framing::Local => encode_stream(&message, &mut want),
                    Framing::Zmtp => encode_zmtp(&message, &mut want),
                }
            }
            assert_eq!(outbox.len(), want.len());
            let mut out = Slow(Vec::new(), step);
            outbox.write_to(&mut out).unwrap();
            assert!(outbox.is_empty() && out.0 == want, "{framing:?} {step}");
        }
    }

    #[test]
    fn one_payload_is_shared_by_all_its_readers() {
        let payload = Bytes::from(vec![b'x'; 100_000]);
        let mut readers: Vec<Outbox> = (0..10).map(|_| Outbox::default()).collect();
        for outbox in &mut readers {
            outbox
                .push(&message("event", &payload), Framing::Local)
                .unwrap();
            let shared = outbox
                .parts
                .iter()
                .filter(|part| part.bytes().as_ptr() == payload.as_ptr());
            assert_eq!(shared.count(), 1);
        }
    }

    #[test]
    fn what_a_request_carries_is_not_the_readers() {
        let payload = Bytes::from(vec![b'x'; 100_000]);
        let mut outbox = Outbox::default();
        outbox
            .push(&message("event", &payload), Framing::Zmtp)
            .unwrap();
        let unpaid = outbox.unpaid();
        assert!(unpaid >= 100_000);
        outbox
            .push(&message("request", &payload), Framing::Zmtp)
            .unwrap();
        assert!(outbox.len() > 200_000 && outbox.unpaid() < unpaid + 100);
        outbox.write_to(&mut Slow(Vec::new(), 999)).unwrap();
        assert_eq!((outbox.len(), outbox.unpaid()), (0, 0));
    }
}
