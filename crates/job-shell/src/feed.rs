//! Standard input that one task has yet to read. Pure.
//!
//! A little of it is with the runtime, which writes it into the pipe; the rest waits here,
//! where all tasks share the same bytes.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::limits::{INPUT_PIECE_COST_BYTES, INPUT_TASK_BYTES_MAX, INPUT_WINDOW_BYTES};

/// The input of one task.
#[derive(Debug, Default)]
pub struct Feed {
    waiting: VecDeque<Bytes>,
    /// Memory cost of `waiting`, in bytes.
    cost: usize,
    /// Bytes that the runtime has and could not write yet.
    in_pipe: usize,
    /// The last byte that came.
    last: Option<u8>,
    /// The end comes behind the waiting data.
    end: End,
}

/// Progress of the end of input.
#[derive(Debug, Default, PartialEq, Eq)]
enum End {
    /// More may come.
    #[default]
    Open,
    /// The end was announced, and comes behind the waiting data.
    Announced,
    /// The end was passed on.
    Passed,
    /// Nobody reads any more: further data are dropped.
    Closed,
}

/// Memory cost of one piece: a queue of many small ones must not take more room than it
/// counts.
fn cost_of(piece: &Bytes) -> usize {
    piece.len().max(INPUT_PIECE_COST_BYTES)
}

impl Feed {
    /// Adds a piece, and the end if `eof`. `false` if there is no room: then the input ends
    /// before this piece.
    pub fn push(&mut self, piece: Bytes, eof: bool) -> bool {
        if self.end != End::Open {
            return true;
        }
        let has_room = piece.is_empty() || self.cost + cost_of(&piece) <= INPUT_TASK_BYTES_MAX;
        if has_room && !piece.is_empty() {
            self.cost += cost_of(&piece);
            self.last = piece.last().copied();
            self.waiting.push_back(piece);
        }
        if eof || !has_room {
            self.end = End::Announced;
        }
        has_room
    }

    /// Data to write next, and whether the end follows it; `None` while the runtime has
    /// enough, or nothing waits.
    pub fn next(&mut self) -> Option<(Bytes, bool)> {
        let is_over = matches!(self.end, End::Passed | End::Closed);
        if is_over || self.in_pipe >= INPUT_WINDOW_BYTES {
            return None;
        }
        let piece = match self.waiting.front_mut() {
            None => Bytes::new(),
            Some(front) if front.len() > INPUT_WINDOW_BYTES => {
                let before = cost_of(front);
                let piece = front.split_to(INPUT_WINDOW_BYTES);
                self.cost -= before - cost_of(front);
                piece
            }
            Some(_) => {
                let piece = self.waiting.pop_front().unwrap_or_default();
                self.cost -= cost_of(&piece);
                piece
            }
        };
        let eof = self.waiting.is_empty() && self.end == End::Announced;
        if piece.is_empty() && !eof {
            return None;
        }
        self.in_pipe += piece.len();
        if eof {
            self.end = End::Passed;
        }
        Some((piece, eof))
    }

    /// The runtime has written `bytes` bytes; with `closed` it takes no more.
    pub fn taken(&mut self, bytes: usize, closed: bool) {
        self.in_pipe = self.in_pipe.saturating_sub(bytes);
        if closed {
            self.close();
        }
    }

    /// Nobody reads any more.
    pub fn close(&mut self) {
        self.waiting.clear();
        (self.cost, self.end) = (0, End::Closed);
    }

    /// True if the next data begins a line.
    pub fn at_line_start(&self) -> bool {
        self.last.is_none_or(|byte| byte == b'\n')
    }

    /// True if more may be added.
    pub fn is_open(&self) -> bool {
        self.end == End::Open
    }

    /// True if data may come, even if it is discarded: its end has not been announced.
    pub fn admits(&self) -> bool {
        matches!(self.end, End::Open | End::Closed)
    }

    /// Size of the waiting data, in bytes.
    pub fn backlog(&self) -> usize {
        self.cost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(len: usize) -> Bytes {
        vec![b'x'; len].into()
    }

    /// Takes out all that comes, the runtime writing at once; gives sizes, `!` for the end.
    fn drained(feed: &mut Feed) -> Vec<String> {
        let mut seen = Vec::new();
        while let Some((piece, eof)) = feed.next() {
            seen.push(format!("{}{}", piece.len(), if eof { "!" } else { "" }));
            feed.taken(piece.len(), eof);
        }
        seen
    }

    #[test]
    fn pieces_come_out_in_order_and_the_end_behind_the_last() {
        let mut feed = Feed::default();
        assert!(feed.push(piece(10), false) && feed.push(piece(20), true));
        assert!(!feed.is_open());
        assert_eq!(drained(&mut feed), ["10", "20!"]);
        assert_eq!(drained(&mut feed), [""; 0]);
        assert!(
            feed.push(piece(1), false),
            "what follows the end is nothing"
        );
        assert_eq!((drained(&mut feed), feed.backlog()), (vec![], 0));
    }

    #[test]
    fn the_end_alone_is_passed_on() {
        let mut feed = Feed::default();
        feed.push(Bytes::new(), true);
        assert_eq!(drained(&mut feed), ["0!"]);
    }

    #[test]
    fn the_runtime_gets_no_more_than_a_window() {
        let mut feed = Feed::default();
        feed.push(piece(3 * INPUT_WINDOW_BYTES + 1), false);
        assert_eq!(
            feed.next().map(|(piece, _)| piece.len()),
            Some(INPUT_WINDOW_BYTES)
        );
        assert_eq!(feed.next(), None);
        feed.taken(INPUT_WINDOW_BYTES - 1, false);
        assert_eq!(
            feed.next().map(|(piece, _)| piece.len()),
            Some(INPUT_WINDOW_BYTES)
        );
        assert_eq!(feed.backlog(), INPUT_WINDOW_BYTES + 1);
    }

    #[test]
    fn a_task_that_does_not_read_costs_no_more_than_its_share() {
        for (len, count) in [
            (1 << 20, 32),
            (1, INPUT_TASK_BYTES_MAX / INPUT_PIECE_COST_BYTES),
        ] {
            let mut feed = Feed::default();
            for _ in 0..count {
                assert!(feed.push(piece(len), false));
            }
            assert!(!feed.push(piece(1), false), "{len}");
            assert!(!feed.is_open());
            assert_eq!(feed.backlog(), INPUT_TASK_BYTES_MAX);
            let last = drained(&mut feed).pop();
            assert!(last.is_some_and(|last| last.ends_with('!')));
        }
    }

    #[test]
    fn a_closed_pipe_throws_everything_away() {
        let mut feed = Feed::default();
        feed.push(piece(10 * INPUT_WINDOW_BYTES), false);
        feed.next();
        feed.taken(INPUT_WINDOW_BYTES, true);
        assert_eq!(
            (feed.next(), feed.backlog(), feed.is_open()),
            (None, 0, false)
        );
    }
}
