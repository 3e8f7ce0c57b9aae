//! Messages of shells to the leading one of their job: a mailbox at the job-exec beside that
//! one. A shell is answered when the leading one has taken its letter, and sends one at a
//! time; so nothing is lost when either end, or we, are started again.

use std::collections::VecDeque;

use node::Cx;
use proto::job_exec::{ShellBatch, ShellBatches, ShellHear, ShellTellError};

use crate::JobExec;
use crate::limits::{HEARD_BYTES_MAX, MAIL_BYTES_MAX};

/// Messages for the leading shell that it has not acknowledged.
#[derive(Debug, Default)]
pub struct Mailbox {
    letters: VecDeque<Letter>,
    bytes: usize,
    /// Number of the last letter. It begins with the time, so that the numbers of an earlier
    /// job-exec are lower.
    last: u64,
    /// The leading shell, while it waits for a letter.
    hears: Option<node::Reply<ShellHear>>,
}

/// Messages of one shell.
#[derive(Debug)]
struct Letter {
    at: u64,
    /// Rank of the broker where its shell is.
    from: u32,
    told: ShellBatch,
    bytes: usize,
}

/// A shell is to be notified that the leading one has taken its letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Rank of the broker where that shell is.
    pub to: u32,
    /// Number of the letter.
    pub seq: u64,
}

/// Bytes of text in a letter.
pub fn bytes_of(told: &ShellBatch) -> usize {
    told.words.iter().map(|word| word.as_str().len()).sum()
}

impl Mailbox {
    /// Bytes of text waiting in it.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts a letter in. One that is there already changes nothing.
    pub fn put(
        &mut self,
        cx: &mut Cx<JobExec>,
        from: u32,
        told: ShellBatch,
    ) -> Result<(), ShellTellError> {
        let is_same =
            |letter: &Letter| letter.told.rank == told.rank && letter.told.seq == told.seq;
        if self.letters.iter().any(is_same) {
            return Ok(());
        }
        let bytes = bytes_of(&told);
        if !self.letters.is_empty() && self.bytes + bytes > MAIL_BYTES_MAX {
            return Err(ShellTellError::Busy);
        }
        let now = (cx.now().wall.max(0.0) * 1e6) as u64;
        self.last = match self.last {
            0 => now.max(1),
            last => last + 1,
        };
        self.bytes += bytes;
        self.letters.push_back(Letter {
            at: self.last,
            from,
            told,
            bytes,
        });
        self.give(cx);
        Ok(())
    }

    /// The leading shell has taken all up to `after`, and asks for more.
    pub fn receive(
        &mut self,
        cx: &mut Cx<JobExec>,
        after: u64,
        reply: node::Reply<ShellHear>,
    ) -> Vec<Taken> {
        let mut taken = Vec::new();
        let n = self.letters.partition_point(|letter| letter.at <= after);
        for letter in self.letters.drain(..n) {
            self.bytes -= letter.bytes;
            taken.push(Taken {
                to: letter.from,
                seq: letter.told.seq,
            });
        }
        if let Some(before) = self.hears.replace(reply) {
            before.send(cx, Err(ShellTellError::Again));
        }
        self.give(cx);
        taken
    }

    /// Answers the leading shell, if it waits and there is something.
    fn give(&mut self, cx: &mut Cx<JobExec>) {
        let mut bytes = 0;
        let mut heard = ShellBatches::default();
        for letter in &self.letters {
            bytes += letter.bytes;
            if bytes > HEARD_BYTES_MAX && !heard.words.is_empty() {
                break;
            }
            heard.words.push(letter.told.clone());
            heard.at = letter.at;
        }
        if !heard.words.is_empty()
            && let Some(reply) = self.hears.take()
        {
            reply.send(cx, Ok(heard));
        }
    }

    /// The leading shell receives no more: returns the letters that it has not taken.
    pub fn close(&mut self, cx: &mut Cx<JobExec>, why: ShellTellError) -> Vec<Taken> {
        if let Some(reply) = self.hears.take() {
            reply.send(cx, Err(why));
        }
        self.bytes = 0;
        let letters = self.letters.drain(..);
        letters
            .map(|letter| Taken {
                to: letter.from,
                seq: letter.told.seq,
            })
            .collect()
    }
}
