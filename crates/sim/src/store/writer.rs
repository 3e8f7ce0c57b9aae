//! A program that writes, one transaction after the other, and looks whether it can read
//! its own writes. It follows the events of the namespace too: the event of a version
//! comes before the answers to its transactions, and no version is left out.

use proto::event::Subscribe;
use proto::kvs::{
    Commit, Committed, EVENT_PREFIX, Found, Lookup, NO_MERGE, Op, SYNC, SetrootEvent,
};
use proto::{Errno, Method, Payload};
use wire::{Kind, Message};

use super::{LOG, NAMESPACE, Shared, ask, is_absence, outcome_of};
use crate::program::Program;
use crate::rng::Rng;

/// Error text of the broker when a module has not come back in time: here that time may
/// pass in one step.
const LATE: &str = "the module did not come back in time";

/// Keys in a directory that is large.
const WIDE: u64 = 120;

/// A writer.
pub struct Writer {
    number: usize,
    name: String,
    sends_again: bool,
    ledger: Shared,
    tag: u32,
    /// Purpose of the one request under way.
    waits: Option<(u32, Wait)>,
    is_subscribed: bool,
    /// The transaction under way or to be sent again.
    commit: Option<Commit>,
    is_repeated: bool,
    /// A module was removed while it waited, not just killed.
    may_fail: bool,
    /// The newest acknowledged transaction is to be read.
    checks: bool,
    /// Version of the last event.
    heard: Option<i64>,
    answered: u64,
    failed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Wait {
    Subscribe,
    Commit,
    Lookup,
}

impl Writer {
    /// A writer that has written nothing.
    pub fn new(number: usize, sends_again: bool, ledger: Shared) -> Writer {
        ledger.borrow_mut().book(number);
        Writer {
            number,
            name: format!("writer {number}"),
            sends_again,
            ledger,
            tag: 0,
            waits: None,
            is_subscribed: false,
            commit: None,
            is_repeated: false,
            may_fail: false,
            checks: false,
            heard: None,
            answered: 0,
            failed: 0,
        }
    }

    fn send(&mut self, wait: Wait, request: &impl Method) -> Option<Message> {
        self.tag += 1;
        self.waits = Some((self.tag, wait));
        Some(ask(self.tag, request, 0))
    }

    /// The next transaction: a number at some keys and in the log, and more around it.
    fn next_commit(&mut self, rng: &mut Rng) -> Commit {
        let (writer, mut ledger) = (self.number, self.ledger.borrow_mut());
        let book = ledger.book(writer);
        book.sent += 1;
        book.is_busy = true;
        let n = book.sent;
        let mut commit = Commit::new(NAMESPACE)
            .put(format!("left.{writer}"), n.to_string())
            .append(LOG, format!("{writer}:{n};"));
        if (writer, n) == (0, 1) {
            // A directory that is large enough to be stored as what changed in it.
            let long = |k| format!("{k:054}");
            commit = (0..WIDE).fold(commit, |commit, k| {
                commit.put(format!("wide.k{k}"), long(k))
            });
        }
        if rng.chance(10) {
            book.bad.insert(n);
            commit = commit.put(".", "no value");
        }
        if rng.chance(40) {
            let long = "x".repeat(rng.below(100));
            commit = commit
                .put(format!("scratch.{writer}.k{}.v", n % 5), long)
                .op(Op::unlink(format!("scratch.{writer}.k{}", rng.below(5))));
        }
        commit = commit
            .put(format!("wide.{writer}"), n.to_string())
            .put(format!("right.{writer}"), n.to_string());
        commit.flags = [0, 0, 0, NO_MERGE, SYNC][rng.below(5)];
        if self.sends_again {
            commit = commit.once(&format!("sim{writer}"), n);
        }
        commit
    }

    fn receive_event(&mut self, message: &Message) {
        if !message.topic().ends_with("-setroot") {
            return;
        }
        let event = SetrootEvent::decode(message.payload()).expect("an event of the kvs");
        if let Some(heard) = self.heard {
            let follows = match event.restarted {
                true => event.rootseq >= heard,
                false => event.rootseq == heard + 1,
            };
            assert!(follows, "version {} after {heard}", event.rootseq);
        }
        self.heard = Some(event.rootseq);
        self.ledger
            .borrow_mut()
            .saw_root(event.rootseq, &event.rootref);
    }

    fn receive_commit(&mut self, response: &Message, result: Result<(), Errno>) {
        let mut ledger = self.ledger.borrow_mut();
        let book = ledger.book(self.number);
        let (n, is_bad) = (book.sent, book.bad.contains(&book.sent));
        match result {
            Ok(()) => {
                assert!(!is_bad, "a bad transaction was applied");
                book.acknowledged.insert(n);
                let committed = Committed::decode(response.payload()).expect("a version");
                ledger.saw_root(committed.rootseq, &committed.rootref);
                let told = self.heard.is_some_and(|heard| heard >= committed.rootseq);
                assert!(told || self.is_repeated, "answered before the event");
                self.checks = true;
            }
            Err(errno) if is_absence(errno) => {
                let is_late = response.error_text() == Some(LATE);
                assert!(
                    self.may_fail || is_late,
                    "a kill has failed a commit: {errno:?}"
                );
                self.is_repeated = self.sends_again;
                if self.is_repeated {
                    return;
                }
            }
            Err(errno) => assert!(is_bad && errno == Errno::EINVAL, "commit: {errno:?}"),
        }
        ledger.book(self.number).is_busy = false;
        drop(ledger);
        self.commit = None;
        self.is_repeated = false;
    }

    /// The own key holds its last write: nobody else writes there.
    fn receive_lookup(&mut self, response: &Message, result: Result<(), Errno>) {
        match result {
            Ok(()) => {
                let found = Found::decode(response.payload()).expect("a value");
                let sent = self.ledger.borrow_mut().book(self.number).sent.to_string();
                assert_eq!(
                    found.bytes().as_deref(),
                    Some(sent.as_bytes()),
                    "read after write"
                );
            }
            Err(errno) => assert!(is_absence(errno), "a lookup: {errno:?}"),
        }
    }
}

impl Program for Writer {
    fn name(&self) -> &str {
        &self.name
    }

    fn ask(&mut self, rng: &mut Rng, load: bool) -> Option<Message> {
        if self.waits.is_some() {
            return None;
        }
        if !self.is_subscribed {
            let topic = format!("{EVENT_PREFIX}{NAMESPACE}-");
            return self.send(Wait::Subscribe, &Subscribe { topic });
        }
        if let Some(commit) = self.commit.clone() {
            return self.send(Wait::Commit, &commit);
        }
        if !load {
            return None;
        }
        if std::mem::take(&mut self.checks) && rng.chance(50) {
            let lookup = Lookup::new(NAMESPACE, &format!("left.{}", self.number), 0);
            return self.send(Wait::Lookup, &lookup);
        }
        let commit = self.next_commit(rng);
        self.commit = Some(commit.clone());
        self.send(Wait::Commit, &commit)
    }

    fn take(&mut self, message: &Message) -> Vec<Message> {
        if matches!(message.kind, Kind::Event { .. }) {
            self.receive_event(message);
            return Vec::new();
        }
        let (tag, result) = outcome_of(message).expect("a response");
        let (expected, wait) = self.waits.take().expect("something was asked");
        assert_eq!(tag, expected, "an answer to something else");
        self.answered += 1;
        self.failed += u64::from(result.is_err());
        match wait {
            Wait::Subscribe => {
                assert_eq!(result, Ok(()));
                self.is_subscribed = true;
            }
            Wait::Commit => self.receive_commit(message, result),
            Wait::Lookup => self.receive_lookup(message, result),
        }
        self.may_fail = false;
        Vec::new()
    }

    fn cut(&mut self) {
        self.is_subscribed = false;
        self.heard = None;
        self.waits = None;
        self.is_repeated = self.commit.is_some();
        if !self.sends_again {
            self.commit = None;
            self.is_repeated = false;
            self.ledger.borrow_mut().book(self.number).is_busy = false;
        }
    }

    fn reloading(&mut self) {
        self.may_fail = true;
    }

    fn is_done(&self) -> bool {
        self.waits.is_none() && self.commit.is_none()
    }

    fn answered(&self) -> u64 {
        self.answered
    }

    fn failed(&self) -> u64 {
        self.failed
    }
}
