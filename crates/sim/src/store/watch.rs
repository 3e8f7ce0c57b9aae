//! A program that watches the log or a key: it sees every append once and in order, and
//! every value that was acknowledged.

use proto::common::Cancel;
use proto::kvs::{WAITCREATE, WATCH, WATCH_APPEND, WATCH_FULL, WATCH_INITIAL_SENTINEL};
use proto::kvs_watch::{Lookup, Watched};
use proto::{Errno, Payload};
use wire::{Flags, Message};

use super::{LOG, NAMESPACE, Shared, is_absence, outcome_of, streaming};
use crate::program::Program;
use crate::rng::Rng;

/// Kind of watch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum What {
    /// Appends to the log, with or without the mark after the present contents.
    Log {
        /// With the mark.
        sentinel: bool,
    },
    /// The number on the left of a writer.
    Key(usize),
    /// The number on its right, at every version.
    Full(usize),
}

/// A watch.
pub struct Watch {
    what: What,
    name: String,
    ledger: Shared,
    tag: u32,
    is_open: bool,
    is_cancelled: bool,
    /// Part of the log sent on the stream.
    text: String,
    n_marks: u32,
    /// The last number that the stream has sent.
    number: Option<u64>,
    answered: u64,
    failed: u64,
}

impl Watch {
    /// A watch that has not begun.
    pub fn new(what: What, ledger: Shared) -> Watch {
        Watch {
            what,
            name: format!("{what:?}"),
            ledger,
            tag: 0,
            is_open: false,
            is_cancelled: false,
            text: String::new(),
            n_marks: 0,
            number: None,
            answered: 0,
            failed: 0,
        }
    }

    fn open(&mut self) -> Message {
        self.tag += 1;
        self.is_open = true;
        self.forget();
        let (key, flags) = match self.what {
            What::Log { sentinel: false } => (LOG.to_owned(), WATCH_APPEND),
            What::Log { sentinel: true } => (LOG.to_owned(), WATCH_APPEND | WATCH_INITIAL_SENTINEL),
            What::Key(writer) => (format!("left.{writer}"), 0),
            What::Full(writer) => (format!("right.{writer}"), WATCH_FULL),
        };
        // A namespace whose every version is looked at has the key at once or ends it.
        let flags = match self.what {
            What::Full(_) => WATCH | flags,
            _ => WATCH | WAITCREATE | flags,
        };
        let lookup = Lookup::new(NAMESPACE, &key, flags);
        streaming(self.tag, &lookup)
    }

    fn forget(&mut self) {
        self.is_cancelled = false;
        self.text.clear();
        self.n_marks = 0;
        self.number = None;
    }

    fn receive_answer(&mut self, response: &Message) {
        let watched = Watched::decode(response.payload()).expect("a value or the mark");
        let is_mark = watched.is_sentinel();
        let text = watched
            .bytes()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        match self.what {
            What::Log { sentinel } => {
                self.n_marks += u32::from(is_mark);
                assert!(self.n_marks <= u32::from(sentinel), "a mark too many");
                self.text.push_str(&text.unwrap_or_default());
                self.ledger.borrow_mut().saw_log(&self.text);
            }
            What::Key(writer) | What::Full(writer) => {
                let number = text.and_then(|text| text.parse().ok()).expect("a number");
                self.take_number(writer, number);
            }
        }
    }

    fn take_number(&mut self, writer: usize, number: u64) {
        if let Some(before) = self.number {
            assert!(number > before, "{number} after {before}");
            let mut ledger = self.ledger.borrow_mut();
            let between = before + 1..number;
            let missed = ledger
                .book(writer)
                .acknowledged
                .range(between)
                .next()
                .copied();
            assert_eq!(missed, None, "not seen between {before} and {number}");
        }
        self.number = Some(number);
    }

    fn receive_end(&mut self, errno: Errno) {
        let expected = match errno {
            Errno::ENODATA => self.is_cancelled,
            // Nothing was written yet.
            Errno::ENOENT => matches!(self.what, What::Full(_)) && self.number.is_none(),
            errno => is_absence(errno),
        };
        assert!(expected, "{} ends with {errno:?}", self.name);
        self.is_open = false;
        self.forget();
    }
}

impl Program for Watch {
    fn name(&self) -> &str {
        &self.name
    }

    fn ask(&mut self, rng: &mut Rng, load: bool) -> Option<Message> {
        if !self.is_open {
            return (load || !self.is_done()).then(|| self.open());
        }
        if load && !self.is_cancelled && rng.chance(3) {
            self.is_cancelled = true;
            let cancel = Cancel { matchtag: self.tag };
            let mut message = Message::request("kvs-watch.cancel", 0);
            message.set_payload(cancel.encode());
            message.set_flag(Flags::NORESPONSE, true);
            message.set_flag(Flags::NORESPONSE, true);
            return Some(message);
        }
        None
    }

    fn take(&mut self, message: &Message) -> Vec<Message> {
        let (tag, result) = outcome_of(message).expect("a response");
        assert_eq!(tag, self.tag, "an answer to a watch that has ended");
        assert!(self.is_open, "an answer after the end");
        match result {
            Ok(()) => self.receive_answer(message),
            Err(errno) => {
                self.answered += 1;
                self.failed += 1;
                self.receive_end(errno);
            }
        }
        Vec::new()
    }

    fn cut(&mut self) {
        self.is_open = false;
        self.forget();
    }

    fn is_done(&self) -> bool {
        let ledger = self.ledger.borrow();
        let Some(last) = &ledger.last else {
            return false;
        };
        match self.what {
            What::Log { .. } => self.text == ledger.log,
            What::Key(writer) => self.number.as_ref() == last.get(&writer),
            What::Full(writer) => match last.get(&writer) {
                Some(last) => self.number == Some(*last),
                None => true,
            },
        }
    }

    fn answered(&self) -> u64 {
        self.answered
    }

    fn failed(&self) -> u64 {
        self.failed
    }
}
