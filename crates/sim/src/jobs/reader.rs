//! A program that looks at jobs while they live: at the stored data of one, at the list of
//! all, at logs as they grow. Its observations are kept, and compared with the stored state
//! when all jobs have ended: they may be older, never different.

use proto::data::JobId;
use proto::job_info::{EventlogWatch, Lookup, LookupReply, WAITCREATE, Watched};
use proto::job_list::{List, Listed};
use proto::{Object, Payload};
use serde_json::{Value, json};
use wire::{Errno, Message};

use super::Shared;
use super::desk::{Desk, is_given_up};
use crate::program::Program;
use crate::rng::Rng;

/// Requests under way at once.
const OPEN_MAX: usize = 4;

/// Observation of a job.
#[derive(Debug, Clone)]
pub(super) enum Sight {
    /// The log began like this, or was this if it is whole.
    Log { text: String, is_whole: bool },
    /// A list had this row.
    Row(Object),
}

/// A reader.
pub(super) struct Reader {
    ledger: Shared,
    desk: Desk<Want>,
    /// Last message of each open watch.
    watches: Vec<(u32, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Want {
    Log(JobId),
    Watch(JobId),
    List,
}

impl Reader {
    /// A reader that has seen nothing.
    pub fn new(ledger: Shared) -> Reader {
        Reader {
            ledger,
            desk: Desk::new(),
            watches: Vec::new(),
        }
    }

    fn watch(&mut self, id: JobId) -> Message {
        let request = EventlogWatch {
            id,
            path: "eventlog".to_owned(),
            flags: WAITCREATE,
        };
        let message = self.desk.follow(Want::Watch(id), &request);
        self.watches.push((self.desk.last_tag(), String::new()));
        message
    }

    fn look(&mut self, id: JobId) -> Message {
        let request = Lookup {
            id,
            keys: vec!["eventlog".to_owned()],
            flags: 0,
        };
        self.desk.ask(Want::Log(id), &request)
    }

    fn see(&self, id: JobId, sight: Sight) {
        let mut ledger = self.ledger.borrow_mut();
        ledger.sights.push((id, sight));
    }

    fn seen_log(&self, id: JobId, result: Result<(), Errno>, message: &Message) {
        match result {
            Ok(()) => {
                let reply = LookupReply::decode(message.payload()).expect("a log");
                let text = reply.values["eventlog"].as_str().expect("a text");
                let text = text.to_owned();
                let is_whole = false;
                self.see(id, Sight::Log { text, is_whole });
            }
            Err(errno) => {
                let is_late = is_given_up(&self.ledger.borrow(), message);
                assert!(is_late, "{id} was acknowledged: {errno:?} {message:?}");
            }
        }
    }

    fn watched(&mut self, id: JobId, tag: u32, result: Result<(), Errno>, message: &Message) {
        let at = self.watches.iter().position(|(watch, _)| *watch == tag);
        let at = at.expect("it goes on");
        if result == Ok(()) {
            let watched = Watched::decode(message.payload()).expect("an event");
            self.watches[at].1 += &watched.event.expect("no mark was asked for");
            return;
        }
        let (_, text) = self.watches.swap_remove(at);
        let is_whole = result == Err(Errno::ENODATA);
        let may_end = is_whole
            || result == Err(Errno::EHOSTUNREACH)
            || is_given_up(&self.ledger.borrow(), message);
        assert!(
            may_end,
            "the watch of {id} ends with {result:?} {message:?}"
        );
        self.see(id, Sight::Log { text, is_whole });
    }

    fn listed(&self, result: Result<(), Errno>, message: &Message) {
        if let Err(errno) = result {
            let is_late = is_given_up(&self.ledger.borrow(), message);
            return assert!(is_late, "a list: {errno:?} {message:?}");
        }
        for row in Listed::decode(message.payload()).expect("a list").jobs {
            let id = row.0.get("id").and_then(Value::as_u64).expect("an id");
            self.see(JobId(id), Sight::Row(row));
        }
    }
}

/// A request for everything about all jobs.
pub(super) fn list_all() -> List {
    List {
        max_entries: Some(json!(0)),
        attrs: Some(json!(["all"])),
        ..List::default()
    }
}

impl Program for Reader {
    fn name(&self) -> &str {
        "reader"
    }

    fn ask(&mut self, rng: &mut Rng, load: bool) -> Option<Message> {
        let jobs = self.ledger.borrow().jobs.clone();
        let is_busy = self.desk.len() >= OPEN_MAX;
        if is_busy || !load || jobs.is_empty() || !rng.chance(20) {
            return None;
        }
        let id = jobs[rng.below(jobs.len())];
        Some(match rng.below(3) {
            0 => self.look(id),
            1 => self.watch(id),
            _ => self.desk.ask(Want::List, &list_all()),
        })
    }

    fn take(&mut self, message: &Message) -> Vec<Message> {
        let answer = self.desk.take(message);
        match answer.want {
            Want::Log(id) => self.seen_log(id, answer.result, message),
            Want::Watch(id) => self.watched(id, answer.tag, answer.result, message),
            Want::List => self.listed(answer.result, message),
        }
        Vec::new()
    }

    fn cut(&mut self) {
        self.desk.clear();
        self.watches.clear();
    }

    fn is_done(&self) -> bool {
        self.desk.is_clear()
    }

    fn answered(&self) -> u64 {
        self.desk.answered
    }

    fn failed(&self) -> u64 {
        self.desk.failed
    }
}
