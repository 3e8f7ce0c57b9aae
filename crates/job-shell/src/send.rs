//! A following shell sends messages to the leading one: the output of its tasks, its log
//! messages, and the ends of its tasks. job-exec carries them, one batch at a time; later
//! messages join the next. A batch has a number, so that it can be sent again when job-exec was
//! restarted under it.

use std::collections::VecDeque;

use bytes::Bytes;
use node::{Call, Cx};
use proto::RawJson;
use proto::job_exec::ShellTell;
use proto::{Method as _, Payload, Refusal};

use crate::JobShell;
use crate::greet::may_pass;
use crate::limits::{OUTBOX_BYTES_MAX, TELL_BYTES_MAX};
use crate::messages::ShellMessage;

/// Messages still to be sent.
#[derive(Debug, Default)]
pub struct Outbox {
    words: VecDeque<RawJson>,
    /// Bytes of them, and of those under way.
    bytes: usize,
    /// The words under way.
    in_flight: Option<Vec<RawJson>>,
    /// Number of the last batch.
    seq: u64,
    /// Nobody reads our messages any more: further ones go with the last message to job-exec.
    is_unheard: bool,
}

impl Outbox {
    /// True if tasks should wait before they write more.
    pub fn is_full(&self) -> bool {
        self.bytes >= OUTBOX_BYTES_MAX
    }

    /// True if everything was received.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.in_flight.is_none()
    }

    fn push(&mut self, word: RawJson) {
        self.bytes += word.as_str().len();
        self.words.push_back(word);
    }

    /// The next batch, if none is under way.
    fn take(&mut self) -> Option<Vec<RawJson>> {
        if self.in_flight.is_some() || self.words.is_empty() {
            return None;
        }
        let mut bytes = 0;
        let within = self.words.iter().take_while(|word| {
            let is_first = bytes == 0;
            bytes += word.as_str().len();
            is_first || bytes <= TELL_BYTES_MAX
        });
        let count = within.count();
        let batch: Vec<RawJson> = self.words.drain(..count).collect();
        self.in_flight = Some(batch.clone());
        self.seq += 1;
        Some(batch)
    }

    /// The batch under way was received, or will not be.
    fn settle(&mut self) -> Vec<RawJson> {
        let batch = self.in_flight.take().unwrap_or_default();
        let bytes: usize = batch.iter().map(|word| word.as_str().len()).sum();
        self.bytes = self.bytes.saturating_sub(bytes);
        batch
    }
}

impl JobShell {
    /// Sends a message to the leading shell.
    pub(crate) fn send_to_leader(&mut self, cx: &Cx<Self>, word: &ShellMessage) {
        if self.outbox.is_unheard {
            return self.keep(cx, word);
        }
        if let Some(word) = word.encode() {
            self.outbox.push(word);
        }
    }

    /// Sends gathered messages: called when everything that had arrived was handled.
    pub(crate) fn send_words(&mut self, cx: &mut Cx<Self>) {
        if let Some(mut words) = self.outbox.take() {
            if !self.outbox.words.is_empty() {
                words.extend(ShellMessage::More.encode());
            }
            let tell = ShellTell {
                id: self.launch.id,
                rank: self.place.rank,
                lease: self.launch.lease.clone(),
                seq: self.outbox.seq,
                words,
            };
            self.send_batch(cx, tell.encode());
        }
    }

    fn send_batch(&mut self, cx: &mut Cx<Self>, payload: Bytes) {
        let call = Call::<ShellTell>::with_payload(payload.clone());
        cx.call_with(call, move |core: &mut JobShell, cx, result| match result {
            Ok(_) => core.told(cx),
            Err(error) if may_pass(&error) => {
                let wait = core.next_backoff(ShellTell::TOPIC, &error);
                cx.timer(wait, move |core: &mut JobShell, cx| {
                    core.send_batch(cx, payload);
                });
            }
            Err(error) => core.unheard(cx, &error),
        });
    }

    fn told(&mut self, cx: &mut Cx<Self>) {
        self.backoff = crate::core::RETRY_FIRST;
        self.outbox.settle();
        self.send_words(cx);
        self.regulate(cx);
        self.leave_if_drained(cx);
    }

    /// Handles the loss of the leading shell: undelivered messages go with our last one.
    fn unheard(&mut self, cx: &mut Cx<Self>, error: &Refusal) {
        tracing::debug!("job={} {}: {error}", self.launch.id, ShellTell::TOPIC);
        self.outbox.is_unheard = true;
        let under_way = self.outbox.settle();
        let waiting = std::mem::take(&mut self.outbox.words);
        self.outbox.bytes = 0;
        for word in under_way.into_iter().chain(waiting) {
            if let Ok(word) = word.parse::<ShellMessage>() {
                self.keep(cx, &word);
            }
        }
        self.regulate(cx);
        self.leave_if_drained(cx);
    }

    /// Keeps a word for the report to job-exec, as far as there is room.
    fn keep(&mut self, cx: &Cx<Self>, word: &ShellMessage) {
        let now = cx.now().wall;
        match word {
            _ if self.store.is_full() => {}
            ShellMessage::Data(data) => self.store.data(now, data),
            ShellMessage::Log(log) => self.store.log(now, log),
            ShellMessage::Exit(_) | ShellMessage::More | ShellMessage::Complete => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(len: usize) -> RawJson {
        RawJson::new(&format!("\"{}\"", "x".repeat(len - 2))).unwrap()
    }

    #[test]
    fn a_batch_has_a_bound_but_always_one_word() {
        let mut outbox = Outbox::default();
        for len in [TELL_BYTES_MAX + 9, TELL_BYTES_MAX - 10, 10, 10] {
            outbox.push(word(len));
        }
        let mut sizes = Vec::new();
        while let Some(batch) = outbox.take() {
            assert_eq!(outbox.take(), None, "one is under way");
            sizes.push(batch.len());
            outbox.settle();
        }
        assert_eq!((sizes, outbox.seq), (vec![1, 2, 1], 3));
        assert!(outbox.is_empty() && outbox.bytes == 0);
    }

    #[test]
    fn it_is_full_until_a_batch_was_heard() {
        let mut outbox = Outbox::default();
        outbox.push(word(OUTBOX_BYTES_MAX));
        assert!(outbox.is_full() && outbox.take().is_some());
        assert!(outbox.is_full() && !outbox.is_empty());
        outbox.settle();
        assert!(!outbox.is_full() && outbox.is_empty());
    }
}
