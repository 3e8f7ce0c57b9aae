//! Writing to the job's namespace: one commit at a time, later lines join the next. A namespace is
//! made when a job has run a little; all data of a job that ended before goes with its last message
//! (`leave.rs`). A commit carries a token, so that it can be sent again when the kvs was restarted
//! under it.

use std::time::Duration;

use node::Cx;
use proto::data::array;
use proto::data::stdio::{Data, Header, Log, Redirect};
use proto::data::{Entry, Stamps};
use proto::kvs::{Commit, Committed};
use proto::{Payload, Refusal};
use serde::Serialize;

use crate::JobShell;
use crate::limits::{COMMIT_LOG_BYTES_MAX, LOG_GATHER_MS, OUTPUT_PENDING_BYTES_MAX, STORE_RETRY};
use crate::state::State;

/// Lines waiting to be stored.
#[derive(Debug, Default)]
pub struct Store {
    /// Lines for `exec.eventlog`.
    pub log: String,
    /// Lines for `output`.
    pub output: String,
    /// Lines for `input`.
    pub input: String,
    /// Lines for `array.log`.
    pub array: String,
    /// The timestamps of the first three.
    pub stamps: Stamps,
    /// State of gathering of each log.
    log_gather: Gather,
    output_gather: Gather,
    input_gather: Gather,
    /// True if the namespace exists.
    is_open: bool,
    in_flight: bool,
    seq: u64,
    has_output: bool,
    /// True if more than headers and ends of streams waits in `output`, or more than a header
    /// in `input`.
    has_words: bool,
    has_words_in: bool,
    has_input: bool,
}

/// State of gathering: lines are stored as they come, or gathered for a while first.
#[derive(Debug, Default, PartialEq, Eq)]
enum Gather {
    /// Nothing waits.
    #[default]
    Idle,
    /// A timer runs.
    Waiting,
    /// The gathered lines are due.
    Due,
}

impl Store {
    /// From now on the namespace is there.
    pub fn open(&mut self) {
        self.is_open = true;
    }

    /// True if no request to the kvs is open.
    pub fn is_idle(&self) -> bool {
        !self.in_flight
    }

    /// True if tasks should wait before they write more.
    pub fn is_full(&self) -> bool {
        self.output.len() >= OUTPUT_PENDING_BYTES_MAX
    }

    /// True if the lines should be stored without delay.
    pub fn is_half_full(&self) -> bool {
        self.output.len() >= OUTPUT_PENDING_BYTES_MAX / 2
    }

    fn has_lines(&self) -> bool {
        let has_output = self.has_output && !self.output.is_empty();
        has_output || !self.log.is_empty() || !self.input.is_empty() || !self.array.is_empty()
    }

    /// Adds an event to the guest log.
    pub fn event(&mut self, now: f64, name: &'static str, context: &impl Serialize) {
        add(&mut self.log, self.stamps.next(now), name, context);
    }

    /// Adds a piece of output, behind the header.
    pub fn data(&mut self, now: f64, data: &Data) {
        self.has_words |= data.n_bytes() > 0;
        add(&mut self.output, self.stamps.next(now), "data", data);
    }

    /// Adds the header of the output, once.
    pub fn output_header(&mut self, now: f64, ntasks: u64) {
        if !std::mem::replace(&mut self.has_output, true) {
            // Earlier messages of the shell go behind it.
            let said = std::mem::take(&mut self.output);
            add(
                &mut self.output,
                self.stamps.next(now),
                "header",
                &Header::output(ntasks),
            );
            self.output += &said;
        }
    }

    /// Records that a stream goes elsewhere.
    pub fn redirect(&mut self, now: f64, redirect: &Redirect) {
        self.has_words = true;
        add(
            &mut self.output,
            self.stamps.next(now),
            "redirect",
            redirect,
        );
    }

    /// Adds words of the shell itself.
    pub fn log(&mut self, now: f64, log: &Log) {
        self.has_words = true;
        add(&mut self.output, self.stamps.next(now), "log", log);
    }

    /// Adds the header of the input, once.
    pub fn input_header(&mut self, now: f64, ntasks: u64) {
        if !std::mem::replace(&mut self.has_input, true) {
            add(
                &mut self.input,
                self.stamps.next(now),
                "header",
                &Header::input(ntasks),
            );
        }
    }

    /// Adds a piece of input, behind the header.
    pub fn input(&mut self, now: f64, ntasks: u64, data: &Data) {
        self.input_header(now, ntasks);
        add(&mut self.input, self.stamps.next(now), "data", data);
        if data.is_eof() {
            self.input_gather = Gather::Due;
        }
        self.has_words_in = true;
    }

    /// Records that all tasks read a file instead.
    pub fn input_redirect(&mut self, now: f64, path: &str) {
        let redirect = Redirect {
            stream: "stdin".to_owned(),
            rank: "all".to_owned(),
            path: Some(path.to_owned()),
        };
        self.has_words_in = true;
        add(
            &mut self.input,
            self.stamps.next(now),
            "redirect",
            &redirect,
        );
    }

    /// The next commit, if one is due. Words that came before the header wait for it. With
    /// `all`, nothing is gathered any longer.
    fn take(&mut self, namespace: &str, writer: &str, all: bool) -> Option<Commit> {
        let is_much = self.is_half_full();
        let may_output = self.has_output && !self.output.is_empty();
        let is_due = all || is_much || self.output_gather == Gather::Due;
        let has_words = may_output && self.has_words && is_due;
        let is_in_due = all || self.input_gather == Gather::Due;
        let has_words_in = self.has_words_in && !self.input.is_empty() && is_in_due;
        let is_log_due = all || has_words || has_words_in || self.log_gather == Gather::Due;
        let has_log = is_log_due && !self.log.is_empty();
        // A header or an end is in no hurry.
        let has_output = has_words || (may_output && !self.has_words && is_log_due);
        let has_input =
            has_words_in || (!self.input.is_empty() && !self.has_words_in && is_log_due);
        // It was gathered where it came from.
        let has_array = !self.array.is_empty();
        let is_due = has_log || has_input || has_output || has_array;
        if !self.is_open || self.in_flight || !is_due {
            return None;
        }
        let mut commit = Commit::new(namespace);
        let lines = |is_due: bool, lines: &mut String| match is_due {
            true => take_lines(lines, COMMIT_LOG_BYTES_MAX),
            false => String::new(),
        };
        let log = lines(has_log, &mut self.log);
        let output = lines(has_output, &mut self.output);
        let input = lines(has_input, &mut self.input);
        let array = lines(has_array, &mut self.array);
        self.has_words &= !self.output.is_empty();
        self.has_words_in &= !self.input.is_empty();
        for (is_taken, left, gather) in [
            (is_log_due, &self.log, &mut self.log_gather),
            (has_output, &self.output, &mut self.output_gather),
            (has_input, &self.input, &mut self.input_gather),
        ] {
            if is_taken && left.is_empty() {
                *gather = Gather::Idle;
            }
        }
        for (key, lines) in [
            ("exec.eventlog", log),
            ("output", output),
            ("input", input),
            (array::KEY, array),
        ] {
            if !lines.is_empty() {
                commit = commit.append(key, lines);
            }
        }
        self.in_flight = true;
        self.seq += 1;
        Some(commit.once(writer, self.seq))
    }
}

/// Takes whole lines off the front, as many as have `most` bytes, but one at least.
fn take_lines(lines: &mut String, most: usize) -> String {
    if lines.len() <= most {
        return std::mem::take(lines);
    }
    let (front, back) = lines.as_bytes().split_at(most);
    let is_end = |byte: &u8| *byte == b'\n';
    let last = front.iter().rposition(is_end);
    let next = || back.iter().position(is_end).map(|at| most + at);
    let end = last.or_else(next).map_or(lines.len(), |at| at + 1);
    let rest = lines.split_off(end);
    std::mem::replace(lines, rest)
}

fn add(lines: &mut String, now: f64, name: &'static str, context: &impl Serialize) {
    if let Ok(entry) = Entry::new(now, name).and_then(|entry| entry.with(context)) {
        *lines += &entry.encode();
    }
}

impl JobShell {
    /// Sends gathered lines: called when everything that had arrived was handled.
    pub(crate) fn send_off(&mut self, cx: &mut Cx<Self>) {
        let Some(job) = self.job.clone() else {
            return;
        };
        if matches!(self.state(), State::Leaving | State::Gone) {
            // Remaining lines go with the last message, and nowhere else.
            return;
        }
        let is_leaving = self.is_leaving();
        if self.store.has_lines() {
            let wait = Duration::from_millis(LOG_GATHER_MS);
            self.gather(cx, wait, |store| &mut store.log_gather);
        }
        if self.store.has_words && !self.store.output.is_empty() {
            self.gather(cx, job.options.output_gather, |store| {
                &mut store.output_gather
            });
        }
        if self.store.has_words_in && !self.store.input.is_empty() {
            self.gather(cx, job.options.input_gather, |store| {
                &mut store.input_gather
            });
        }
        let store = &mut self.store;
        if let Some(commit) = store.take(&job.namespace, &self.launch.lease, is_leaving) {
            // Tasks that write more wait until there is room.
            cx.commit(commit.encode(), |_, _| Some(STORE_RETRY), JobShell::stored);
        }
    }

    /// Lets lines gather for this long, from the first of them.
    fn gather(&mut self, cx: &mut Cx<Self>, wait: Duration, of: fn(&mut Store) -> &mut Gather) {
        let gather = of(&mut self.store);
        if *gather != Gather::Idle {
            return;
        }
        if wait.is_zero() {
            *gather = Gather::Due;
            return;
        }
        *gather = Gather::Waiting;
        cx.timer(wait, move |core: &mut JobShell, cx| {
            *of(&mut core.store) = Gather::Due;
            // Lines left at the end go with the report.
            if !core.is_leaving() {
                core.send_off(cx);
            }
        });
    }

    fn is_leaving(&self) -> bool {
        matches!(
            self.state(),
            State::Greeting | State::Draining | State::Leaving | State::Gone
        )
    }

    fn stored(&mut self, cx: &mut Cx<Self>, result: Result<Committed, Refusal>) {
        self.store.in_flight = false;
        if let Err(error) = result {
            tracing::error!("job={}: output was not stored: {error}", self.launch.id);
        }
        self.send_off(cx);
        self.regulate(cx);
        self.leave_if_drained(cx);
    }
}

#[cfg(test)]
mod tests {
    use super::take_lines;

    #[test]
    fn a_commit_takes_whole_lines() {
        let check = |lines: &str, expect: &str, rest: &str| {
            let mut left = lines.to_owned();
            assert_eq!(take_lines(&mut left, 6), expect, "{lines:?}");
            assert_eq!(left, rest, "{lines:?}");
        };
        check("", "", "");
        check("one\n", "one\n", "");
        check("ab\ncd\n", "ab\ncd\n", "");
        check("ab\ncd\nef\n", "ab\ncd\n", "ef\n");
        check("ab\nlonger\n", "ab\n", "longer\n");
        check("longest\nab\n", "longest\n", "ab\n");
        check("longest", "longest", "");
        check("fünfü\nab\n", "fünfü\n", "ab\n");
    }
}
