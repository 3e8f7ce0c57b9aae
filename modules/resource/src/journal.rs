//! The event log of resources (RFC 44): the past in memory, those who follow it, and
//! what of it still has to be stored.

use std::collections::VecDeque;

use node::{Cx, Stream, StreamId};
use proto::data::{Entry, Rset};
use proto::resource::{Journal as JournalMethod, JournalReply};

use crate::core::Resource;
use crate::limits::{JOURNAL_BATCH_EVENTS, JOURNAL_EVENTS_MAX};

/// The log and its readers.
#[derive(Debug, Default)]
pub struct Journal {
    past: VecDeque<Entry>,
    readers: Vec<Stream<JournalMethod>>,
}

impl Journal {
    /// Begins with what an earlier life had stored.
    pub fn recall(&mut self, entries: Vec<Entry>) {
        self.past.extend(entries);
        self.forget_oldest();
    }

    /// Logs one event and tells the readers. `r` goes with the one that defines the
    /// resources.
    pub fn post(&mut self, cx: &mut Cx<Resource>, entry: Entry, r: Option<&Rset>) {
        let reply = JournalReply {
            events: vec![entry],
            r: r.cloned(),
        };
        for reader in &mut self.readers {
            reader.send(cx, &reply);
        }
        self.past.extend(reply.events);
        self.forget_oldest();
    }

    /// A new reader gets the past, a mark, and what is to come. R goes with the last
    /// event that defines it.
    pub fn follow(
        &mut self,
        cx: &mut Cx<Resource>,
        mut reader: Stream<JournalMethod>,
        r: Option<&Rset>,
    ) {
        let defines = |entry: &Entry| entry.name() == "resource-define";
        let last_define = self.past.iter().rposition(defines);
        let mut at = 0;
        while at < self.past.len() {
            let end = self.past.len().min(at + JOURNAL_BATCH_EVENTS);
            let has_define = last_define.is_some_and(|define| (at..end).contains(&define));
            let reply = JournalReply {
                events: self.past.range(at..end).cloned().collect(),
                r: r.filter(|_| has_define).cloned(),
            };
            reader.send(cx, &reply);
            at = end;
        }
        let mark = JournalReply {
            events: Vec::new(),
            r: None,
        };
        reader.send(cx, &mark);
        self.readers.push(reader);
    }

    /// Forgets a reader that has left.
    pub fn closed(&mut self, stream: StreamId) {
        if let Some(at) = self.readers.iter().position(|r| r.id() == stream) {
            self.readers.swap_remove(at).forget();
        }
    }

    fn forget_oldest(&mut self) {
        let over = self.past.len().saturating_sub(JOURNAL_EVENTS_MAX);
        self.past.drain(..over);
    }
}
