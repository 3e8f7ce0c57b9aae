//! Messages between two brokers that arrive once and in order, over a connection that may
//! break and come back. Pure: frames in, frames out.
//!
//! Each message has a number, which its frame ends with. Unacknowledged messages are kept
//! and sent again when the connection comes back, or when a number is missing. This
//! decides how many bytes are under way, and how many may wait.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::limits::{OVERLAY_ACK_BYTES, OVERLAY_BACKLOG_BYTES_MAX, OVERLAY_WINDOW_BYTES};

/// Size of a frame's trailer: a number, and the kind.
const TRAILER_BYTES: usize = 9;

/// Kinds of frames.
mod kind {
    /// A message, and its number.
    pub const MESSAGE: u8 = 1;
    /// The last number that has arrived.
    pub const ACK: u8 = 2;
    /// The same, and that everything after it is to be sent again.
    pub const RESUME: u8 = 3;
    /// The peers do not know each other.
    pub const RESET: u8 = 4;
}

/// One end of the conversation.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Messages that the other end is not known to have, oldest first.
    kept: VecDeque<Bytes>,
    kept_bytes: usize,
    /// Number of the last message that the other end has.
    last_acked: u64,
    /// Number of `kept` messages under way, and their bytes.
    sent: usize,
    sent_bytes: usize,
    /// Number of the last message that has arrived.
    last_received: u64,
    /// Bytes that have arrived since we last said so.
    unsaid_bytes: usize,
    /// Frame that we are to send first.
    due: Option<u8>,
    /// A number was missing, and we have said so.
    is_behind: bool,
}

/// Meaning of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// The next message.
    Message(Bytes),
    /// Nothing for anybody but us.
    Nothing,
    /// The other end does not know us any more.
    Reset,
}

/// A frame that is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {0} bytes is not one of a broker")]
pub(crate) struct Malformed(usize);

impl Session {
    /// Queues a message; `message` is its encoding. Returns true if there was room.
    pub(crate) fn push(&mut self, mut message: Vec<u8>) -> bool {
        let number = self.last_acked + self.kept.len() as u64 + 1;
        append(&mut message, kind::MESSAGE, number);
        if self.kept_bytes + message.len() > OVERLAY_BACKLOG_BYTES_MAX && !self.kept.is_empty() {
            return false;
        }
        self.kept_bytes += message.len();
        self.kept.push_back(message.into());
        true
    }

    /// The frame to send next, if there is one and the other end has room for it. Say
    /// [`Session::was_sent`] when it is out of our hands.
    pub(crate) fn next_frame(&self) -> Option<Bytes> {
        if let Some(kind) = self.due {
            let mut frame = Vec::with_capacity(TRAILER_BYTES);
            append(&mut frame, kind, self.last_received);
            return Some(frame.into());
        }
        let frame = self.kept.get(self.sent)?;
        let fits = self.sent == 0 || self.sent_bytes + frame.len() <= OVERLAY_WINDOW_BYTES;
        fits.then(|| frame.clone())
    }

    /// The frame that [`Session::next_frame`] gave is on its way.
    pub(crate) fn was_sent(&mut self) {
        if self.due.take().is_some() {
            self.unsaid_bytes = 0;
        } else if let Some(frame) = self.kept.get(self.sent) {
            self.sent_bytes += frame.len();
            self.sent += 1;
        }
    }

    /// The connection was made again: messages under way may be lost.
    pub(crate) fn reconnected(&mut self) {
        self.due = Some(kind::RESUME);
        self.rewind();
    }

    /// Takes a frame in.
    pub(crate) fn take(&mut self, frame: &Bytes) -> Result<Arrived, Malformed> {
        let (kind, number, body) = split(frame)?;
        match kind {
            kind::MESSAGE => return Ok(self.receive_message(number, body)),
            kind::ACK => self.acked(number),
            kind::RESUME => {
                self.acked(number);
                self.rewind();
            }
            kind::RESET => return Ok(Arrived::Reset),
            _ => return Err(Malformed(frame.len())),
        }
        Ok(Arrived::Nothing)
    }

    fn receive_message(&mut self, number: u64, body: Bytes) -> Arrived {
        if number > self.last_received + 1 {
            if !self.is_behind {
                self.is_behind = true;
                self.due = Some(kind::RESUME);
            }
            return Arrived::Nothing;
        }
        self.unsaid_bytes += body.len() + TRAILER_BYTES;
        if self.unsaid_bytes >= OVERLAY_ACK_BYTES && self.due.is_none() {
            self.due = Some(kind::ACK);
        }
        // One that came twice.
        if number <= self.last_received {
            return Arrived::Nothing;
        }
        self.last_received = number;
        self.is_behind = false;
        Arrived::Message(body)
    }

    /// The other end has everything up to this number; one that we have not sent is none.
    fn acked(&mut self, number: u64) {
        let last = self.last_acked + self.kept.len() as u64;
        while self.last_acked < number.min(last) {
            let Some(frame) = self.kept.pop_front() else {
                break;
            };
            self.last_acked += 1;
            self.kept_bytes -= frame.len();
            if self.sent > 0 {
                self.sent -= 1;
                self.sent_bytes -= frame.len();
            }
        }
    }

    fn rewind(&mut self) {
        self.sent = 0;
        self.sent_bytes = 0;
    }

    /// Bytes that are kept for the other end.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }
}

/// True if a frame is the first of a conversation.
pub(crate) fn is_first(frame: &Bytes) -> bool {
    matches!(split(frame), Ok((kind::MESSAGE, 1, _)))
}

/// Frame for an unknown peer that takes us for a known one.
pub(crate) fn reset() -> Vec<u8> {
    let mut frame = Vec::with_capacity(TRAILER_BYTES);
    append(&mut frame, kind::RESET, 0);
    frame
}

fn append(frame: &mut Vec<u8>, kind: u8, number: u64) {
    frame.extend_from_slice(&number.to_le_bytes());
    frame.push(kind);
}

fn split(frame: &Bytes) -> Result<(u8, u64, Bytes), Malformed> {
    let malformed = || Malformed(frame.len());
    let end = frame
        .len()
        .checked_sub(TRAILER_BYTES)
        .ok_or_else(malformed)?;
    let (number, kind) = frame[end..].split_at(TRAILER_BYTES - 1);
    let number = number.try_into().map_err(|_| malformed())?;
    Ok((kind[0], u64::from_le_bytes(number), frame.slice(..end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two ends, and the frames between them.
    #[derive(Default)]
    struct Pair {
        ends: [Session; 2],
        heard: [Vec<Bytes>; 2],
        lost: usize,
    }

    impl Pair {
        fn say(&mut self, from: usize, text: &str) {
            assert!(self.ends[from].push(text.as_bytes().to_vec()));
        }

        /// Sends queued frames; loses each frame for which `loses` holds.
        fn exchange(&mut self, mut loses: impl FnMut() -> bool) {
            loop {
                let mut is_quiet = true;
                for from in 0..2 {
                    while let Some(frame) = self.ends[from].next_frame() {
                        is_quiet = false;
                        self.ends[from].was_sent();
                        if loses() {
                            self.lost += 1;
                        } else if let Arrived::Message(body) =
                            self.ends[1 - from].take(&frame).unwrap()
                        {
                            self.heard[1 - from].push(body);
                        }
                    }
                }
                if is_quiet {
                    return;
                }
            }
        }
    }

    #[test]
    fn messages_arrive_in_order() {
        let mut pair = Pair::default();
        pair.say(0, "a");
        pair.say(0, "b");
        pair.say(1, "c");
        pair.exchange(|| false);
        assert_eq!(pair.heard[1], ["a", "b"]);
        assert_eq!(pair.heard[0], ["c"]);
    }

    #[test]
    fn what_was_lost_with_the_connection_is_sent_again_and_arrives_once() {
        let mut pair = Pair::default();
        pair.say(0, "a");
        pair.exchange(|| false);
        pair.say(0, "b");
        pair.say(1, "c");
        pair.exchange(|| true);
        pair.ends[0].reconnected();
        pair.exchange(|| false);
        assert_eq!(pair.heard[1], ["a", "b"]);
        assert_eq!(pair.heard[0], ["c"]);
    }

    #[test]
    fn a_missing_number_is_asked_for() {
        let mut pair = Pair::default();
        pair.say(0, "a");
        pair.say(0, "b");
        pair.say(0, "c");
        let mut n = 0;
        pair.exchange(|| {
            n += 1;
            n == 1
        });
        assert_eq!(pair.heard[1], ["a", "b", "c"]);
    }

    #[test]
    fn any_losses_in_any_order_lose_and_double_nothing() {
        for seed in 0..200_u64 {
            let mut pair = Pair::default();
            let mut state = seed;
            let mut random = move || {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                state >> 33
            };
            let mut said = [Vec::new(), Vec::new()];
            for n in 0..100 {
                let from = (random() % 2) as usize;
                let text = format!("{n}");
                pair.say(from, &text);
                said[from].push(text);
                let odds = random() % 4;
                pair.exchange(|| random() % 8 < odds);
                if random() % 4 == 0 {
                    pair.ends[0].reconnected();
                }
            }
            pair.ends[0].reconnected();
            pair.ends[1].reconnected();
            pair.exchange(|| false);
            assert_eq!(pair.heard[1], said[0], "seed {seed}");
            assert_eq!(pair.heard[0], said[1], "seed {seed}");
            assert!(pair.lost > 0);
        }
    }

    #[test]
    fn what_is_under_way_and_what_is_kept_have_bounds() {
        let mut session = Session::default();
        let mut kept = 0;
        while session.push(vec![0; 1 << 20]) {
            kept += 1;
        }
        assert_eq!(
            kept,
            OVERLAY_BACKLOG_BYTES_MAX / ((1 << 20) + TRAILER_BYTES)
        );
        let mut sent = 0;
        while session.next_frame().is_some() {
            session.was_sent();
            sent += 1;
        }
        assert_eq!(sent, OVERLAY_WINDOW_BYTES / ((1 << 20) + TRAILER_BYTES));
        // An answer makes room; one for what was never sent is as good as none.
        let mut ack = Vec::new();
        append(&mut ack, kind::ACK, 2);
        session.take(&ack.into()).unwrap();
        assert!(session.next_frame().is_some() && session.push(vec![0; 1 << 20]));
        let mut ack = Vec::new();
        append(&mut ack, kind::ACK, u64::MAX);
        session.take(&ack.into()).unwrap();
        assert_eq!(session.kept_bytes(), 0);
        assert!(session.push(vec![1]));
    }

    #[test]
    fn a_message_of_any_size_goes_alone() {
        let mut session = Session::default();
        assert!(session.push(vec![0; OVERLAY_BACKLOG_BYTES_MAX + 1]));
        assert!(session.next_frame().is_some());
        assert!(!session.push(vec![0]));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let mut session = Session::default();
        assert_eq!(
            session.take(&Bytes::from_static(b"short")),
            Err(Malformed(5))
        );
        let odd = Bytes::from_static(b"\0\0\0\0\0\0\0\0\x09");
        assert_eq!(session.take(&odd), Err(Malformed(9)));
        assert_eq!(session.take(&reset().into()), Ok(Arrived::Reset));
        assert!(!is_first(&reset().into()));
    }
}
