//! The program that checks everything when all jobs have ended, and its checkers:
//!
//! - every acknowledged submission is one inactive job, no submission is two;
//! - the stored log of a job is one that it can have, and its end is that of its task or
//!   of a command;
//! - earlier observations, and the present list, agree with the logs;
//! - each job ran once at most, its output is the text that its shell stored, once;
//! - nobody has resources.

use std::collections::{BTreeMap, BTreeSet};

use proto::Payload;
use proto::data::eventlog::decode_log;
use proto::data::{Entry, Hostlist, JobId};
use proto::job_info::{Lookup, LookupReply};
use proto::job_list::Listed;
use proto::sched::{ResourceStatus, Resources};
use serde_json::{Value, json};
use wire::{Errno, Message};

use super::Shared;
use super::desk::Desk;
use super::history::{History, INACTIVE, cores_of};
use super::reader::{Sight, list_all};
use super::rules::{self, Life, Lives};
use super::task::{JobRequest, Task};
use crate::program::Program;
use crate::rng::Rng;

/// An auditor.
pub(super) struct Auditor {
    ledger: Shared,
    desk: Desk<Want>,
    /// Names of all jobs that are listed.
    names: BTreeMap<JobId, String>,
    /// Jobs that are still to be looked at.
    left: Option<BTreeSet<JobId>>,
    /// Rows of the list.
    rows: BTreeMap<JobId, Value>,
    logs: BTreeMap<JobId, (String, Vec<Entry>)>,
    is_idle: bool,
    is_done: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Want {
    List,
    Log(JobId),
    Output(JobId),
    Status,
}

impl Auditor {
    /// An auditor who has seen nothing.
    pub fn new(ledger: Shared) -> Auditor {
        Auditor {
            ledger,
            desk: Desk::new(),
            names: BTreeMap::new(),
            left: None,
            rows: BTreeMap::new(),
            logs: BTreeMap::new(),
            is_idle: false,
            is_done: false,
        }
    }

    fn lookup(&mut self, want: Want, id: JobId, key: &str) -> Message {
        let keys = vec![key.to_owned()];
        self.desk.ask(want, &Lookup { id, keys, flags: 0 })
    }

    fn listed(&mut self, message: &Message) {
        let jobs = Listed::decode(message.payload()).expect("a list").jobs;
        let jobs = jobs.into_iter().map(|row| json!(row));
        let rows = jobs.map(|row| (JobId(row["id"].as_u64().expect("an id")), row));
        self.rows = rows.collect();
        let is_over = |row: &Value| row["state"] == json!(INACTIVE);
        let mut ledger = self.ledger.borrow_mut();
        for id in self.rows.keys() {
            if !ledger.jobs.contains(id) && !ledger.strays.contains(id) {
                ledger.strays.push(*id);
            }
        }
        drop(ledger);
        if !self.rows.values().all(is_over) {
            // The list may be a little behind the journal, or has jobs that nobody knew of.
            return;
        }
        for (id, row) in &self.rows {
            let name = row["cwd"].as_str().expect("a folder").to_owned();
            self.names.insert(*id, name);
        }
        self.left = Some(self.rows.keys().copied().collect());
        self.check_submissions();
    }

    fn check_submissions(&self) {
        let mut ids: BTreeMap<&str, Vec<JobId>> = BTreeMap::new();
        for (id, name) in &self.names {
            ids.entry(name).or_default().push(*id);
        }
        let ledger = self.ledger.borrow();
        for submission in ledger.submissions() {
            let name = &*submission.request.name;
            let found = ids.remove(name).unwrap_or_default();
            assert!(found.len() <= 1, "{name} became {found:?}");
            if let Some(id) = submission.id {
                assert_eq!(found, [id], "{name} was acknowledged");
            }
            assert!(
                !submission.is_refused || found.is_empty(),
                "{name} was refused"
            );
        }
        assert!(ids.is_empty(), "nobody submitted {ids:?}");
    }

    fn log(&mut self, id: JobId, message: &Message) {
        let text = text_of(message, "eventlog");
        let log = decode_log(text.as_bytes()).expect("a log");
        let history = History::of(&log);
        if history.state != INACTIVE {
            // The journal tells events before they are stored: it is looked at again.
            return;
        }
        for (name, value) in history.row() {
            let listed = &self.rows[&id][name];
            assert_eq!(
                *listed, value,
                "{id} is listed with {name}; its log is {text}"
            );
        }
        let name = &self.names[&id];
        let request = self
            .ledger
            .borrow()
            .of_name(name)
            .expect("a request")
            .request
            .clone();
        self.check_end(id, &request, &history);
        self.logs.insert(id, (text, log));
        if let Some(left) = &mut self.left {
            left.remove(&id);
        }
    }

    /// The end of a job is that of its task, or of a command.
    fn check_end(&self, id: JobId, request: &JobRequest, history: &History) {
        let ledger = self.ledger.borrow();
        let run = ledger.shells.get(&id).cloned().unwrap_or_default();
        let told = format!("{id} {request:?}: {history:?} {run:?}");
        assert!(
            !ledger.raised.contains(&id) || history.fatal.contains(&"cancel".to_owned()),
            "{told}"
        );
        let own = request.task.exception();
        let has_time = request.duration > 0.0 || ledger.updated.contains(&id);
        let allowed = |kind: &str| {
            own == Some(kind)
                || kind == "cancel" && ledger.canceled.contains(&id)
                || kind == "timeout" && has_time
                || kind == "dependency" && !request.terms.after.is_empty()
                || kind == "exec" && (ledger.n_crashes > 0 || run.is_killed)
                || kind == "exec" && !ledger.lost.is_empty()
        };
        assert!(history.fatal.iter().all(|kind| allowed(kind)), "{told}");
        // A job that lost a node says which, unless it came to its end before that was known.
        let is_in = |note: &str, host: &str| {
            let mut words = note.split_whitespace();
            words.any(|word| {
                let hosts = word.parse::<Hostlist>();
                hosts.is_ok_and(|hosts| hosts.iter().any(|name| name == host))
            })
        };
        let names = |host: usize| {
            let host = format!("sim{host}");
            history.notes.iter().any(|note| is_in(note, &host))
        };
        let is_only_lost = history.fatal == ["exec"] && own.is_none() && ledger.n_crashes == 0;
        if is_only_lost && !run.lost.is_empty() {
            assert!(ledger.lost.iter().any(|host| names(*host)), "{told}");
        }
        if !history.fatal.is_empty() {
            return;
        }
        // Nobody ends the tasks of a job that goes on to its own end.
        assert!(!run.is_sent_away || run.is_killed, "{told}");
        // Events raised by job-exec alone are not in its own log: the end of a job's time, and
        // a simulated failure, may be lost when everything dies before they are stored, or
        // job-exec and the job manager do.
        let is_own = request.task == Task::FailsAtRun || has_time;
        let is_lost = is_own && ledger.n_crashes + ledger.n_forgotten > 0;
        if is_lost {
            return;
        }
        assert_eq!(own, None, "{told}");
        let expect = request.task.status().map(i64::from);
        let is_killed = run.is_killed && history.status != Some(0);
        assert!(history.status == expect || is_killed, "{told}");
        if matches!(request.task, Task::Shell { .. }) {
            assert!(!run.begun.is_empty() || run.is_killed, "{told}");
        }
    }

    /// The lines of output are those that its shell stored, each once and in order.
    fn output(&mut self, id: JobId, result: Result<(), Errno>, message: &Message) {
        let mut ledger = self.ledger.borrow_mut();
        let run = ledger.run(id).clone();
        ledger.outputs.insert(id);
        let text = match result {
            Ok(()) => text_of(message, "guest.output"),
            Err(_) => String::new(),
        };
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("\"data\""))
            .collect();
        let mut rest = &lines[..];
        for line in &run.stored {
            let (first, after) = rest.split_first().unwrap_or_else(|| {
                panic!("{id}: {line} was stored and is gone: {text} {run:?}");
            });
            assert_eq!(first, line, "{id}: {text}");
            rest = after;
        }
        let open: Vec<&str> = run.open.iter().map(String::as_str).collect();
        assert!(open.starts_with(rest), "{id}: {rest:?} of {run:?}");
    }

    /// Checks the states of jobs seen while they were active.
    fn check_sights(&self) {
        let ledger = self.ledger.borrow();
        for (id, sight) in &ledger.sights {
            // A job that the journal told of and that was never stored has none.
            let Some((text, log)) = self.logs.get(id) else {
                assert!(!ledger.jobs.contains(id), "{id} was acknowledged");
                continue;
            };
            match sight {
                Sight::Log {
                    text: seen,
                    is_whole,
                } => {
                    assert!(text.starts_with(seen), "{id}: was {seen}, is {text}");
                    assert!(
                        !is_whole || text == seen,
                        "{id}: ended with {seen}, is {text}"
                    );
                }
                Sight::Row(row) => {
                    let row = json!(row);
                    let mut past = (1..=log.len()).map(|n| History::of(&log[..n]).row());
                    let is_past = |past: Vec<(&str, Value)>| {
                        past.iter().all(|(name, value)| row[*name] == *value)
                    };
                    // The journal tells what a killed job manager has never stored.
                    let may_differ = ledger.n_kills_of_manager + ledger.n_crashes > 0;
                    assert!(
                        may_differ || past.any(is_past),
                        "{id} was never {row}: {text}"
                    );
                }
            }
        }
    }

    /// Checks the promises of policies.
    fn check_rules(&self) {
        let ledger = self.ledger.borrow();
        let life = |(id, (_, log)): (&JobId, &(String, Vec<Entry>))| {
            let request = ledger
                .of_name(&self.names[id])
                .expect("a request")
                .request
                .clone();
            (
                *id,
                Life {
                    request,
                    log: log.clone(),
                },
            )
        };
        let lives: Lives = self.logs.iter().map(life).collect();
        let checked = rules::check(&lives, &ledger.refused, &ledger.site);
        checked.unwrap_or_else(|told| panic!("{told}"));
    }

    fn status(&mut self, message: &Message) {
        let resources = Resources::decode(message.payload()).expect("resources");
        let given = cores_of(resources.allocated.as_str());
        self.is_idle = given.is_empty();
    }
}

fn text_of(message: &Message, key: &str) -> String {
    let reply = LookupReply::decode(message.payload()).expect("a value");
    reply.values[key].as_str().expect("a text").to_owned()
}

impl Program for Auditor {
    fn name(&self) -> &str {
        "auditor"
    }

    fn ask(&mut self, _: &mut Rng, load: bool) -> Option<Message> {
        if load || self.is_done || !self.desk.is_clear() || !self.ledger.borrow().is_over() {
            return None;
        }
        let Some(left) = &self.left else {
            return Some(self.desk.ask(Want::List, &list_all()));
        };
        if let Some(id) = left.first().copied() {
            return Some(self.lookup(Want::Log(id), id, "eventlog"));
        }
        let without = {
            let ledger = self.ledger.borrow();
            let mut jobs = ledger.shells.keys();
            jobs.find(|id| !ledger.outputs.contains(id)).copied()
        };
        if let Some(id) = without {
            return Some(self.lookup(Want::Output(id), id, "guest.output"));
        }
        if !self.is_idle {
            return Some(self.desk.ask(Want::Status, &ResourceStatus));
        }
        self.check_sights();
        self.check_rules();
        self.is_done = true;
        None
    }

    fn take(&mut self, message: &Message) -> Vec<Message> {
        let answer = self.desk.take(message);
        if let Want::Output(id) = answer.want {
            self.output(id, answer.result, message);
            return Vec::new();
        }
        let (want, result) = (answer.want, answer.result);
        assert_eq!(result, Ok(()), "{want:?} when nothing is killed any more");
        match want {
            Want::List => self.listed(message),
            Want::Log(id) => self.log(id, message),
            Want::Status => self.status(message),
            Want::Output(_) => {}
        }
        Vec::new()
    }

    fn cut(&mut self) {
        self.desk.clear();
    }

    fn is_done(&self) -> bool {
        self.is_done
    }

    fn answered(&self) -> u64 {
        self.desk.answered
    }

    fn failed(&self) -> u64 {
        self.desk.failed
    }
}
