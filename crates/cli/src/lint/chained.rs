//! A watch that is begun because another watch has reported a change. Changes between the two
//! may be missed.
//!
//! A watch is meant that is sent next after the change has come, by the one that it has come to, and
//! while nothing else has come that may be the reason: services begin watches for others all the
//! time. Logs of jobs are not meant, which job-info follows from their beginning, so that nothing is
//! missed.

use std::collections::BTreeMap;

use proto::kvs::{WAITCREATE, WATCH, WATCH_INITIAL_SENTINEL};
use proto::{Method, kvs_watch};
use serde_json::Value;

use super::{Findings, Kind, Place, Record, Rule};
use crate::limits::LINT_WATCHES_MAX;

/// An action later than this after a change, in seconds, has another reason.
const HANDLING_S: f64 = 1.0;
/// Of two answers that come so close to each other, in seconds, either may be the reason.
const TOGETHER_S: f64 = 0.01;

#[derive(Debug)]
struct Watch {
    key: String,
    /// True if the first answer gives the state, not a change.
    tells_state: bool,
    /// True if there is a mark between the state and the changes.
    has_mark: bool,
}

#[derive(Debug, Default)]
struct Party {
    watches: BTreeMap<u32, Watch>,
    /// The key that has changed, and the time, as last reported.
    changed: Option<(String, f64)>,
    /// Time of the last message that may be a reason for a watch.
    occasion: Option<f64>,
    /// When an answer has come, to any request.
    answered: Option<f64>,
}

#[derive(Debug, Default)]
pub(super) struct Chained(BTreeMap<String, Party>);

impl Rule for Chained {
    fn see(&mut self, record: &Record, found: &mut Findings) {
        if record.kind == Kind::Event && !record.is_sent {
            self.note_created(record);
        }
        if !self.0.contains_key(&record.who) && !record.asks(kvs_watch::Lookup::TOPIC) {
            return;
        }
        let party = self.0.entry(record.who.clone()).or_default();
        if record.is_occasion() {
            party.occasion = Some(record.at);
            party.changed = None;
        } else if record.is_answer() {
            party.receive(record);
        } else if record.asks(kvs_watch::Lookup::TOPIC) && is_watch(record) {
            party.begin(record, found);
        }
    }
}

impl Chained {
    /// A key that was waited for is there: the first answer will report a change.
    fn note_created(&mut self, event: &Record) {
        let Some(keys) = event.payload.get("keys").and_then(Value::as_object) else {
            return;
        };
        let watches = self
            .0
            .values_mut()
            .flat_map(|party| party.watches.values_mut());
        for watch in watches.filter(|watch| keys.contains_key(&watch.key)) {
            watch.tells_state = false;
        }
    }
}

/// True if it streams, or waits.
fn is_watch(request: &Record) -> bool {
    request.has_flag(WATCH | WAITCREATE)
}

impl Party {
    fn begin(&mut self, request: &Record, found: &mut Findings) {
        let key = request.text("key").unwrap_or_default();
        let has_reason = self.occasion.is_some_and(|at| request.at - at < HANDLING_S);
        if let Some((changed, at)) = &self.changed
            && changed != key
            && request.at - at < HANDLING_S
            && !has_reason
        {
            let place = Place {
                rule: "chained-watch",
                who: request.who.clone(),
                topic: request.topic.clone(),
                key: Some(key.to_owned()),
            };
            found.add(place, || {
                format!("started when the watch of {changed} reported a change")
            });
        }
        if self.watches.len() < LINT_WATCHES_MAX {
            let watch = Watch {
                key: key.to_owned(),
                tells_state: true,
                has_mark: request.has_flag(WATCH_INITIAL_SENTINEL),
            };
            self.watches.insert(request.matchtag, watch);
        }
    }

    fn receive(&mut self, answer: &Record) {
        self.changed = None;
        let before = self.answered.replace(answer.at);
        let is_alone = before.is_none_or(|before| answer.at - before >= TOGETHER_S);
        let Some(watch) = self.watches.get_mut(&answer.matchtag) else {
            return;
        };
        if answer.topic != kvs_watch::Lookup::TOPIC || answer.errnum != 0 {
            self.watches.remove(&answer.matchtag);
        } else if !watch.tells_state {
            self.changed = is_alone.then(|| (watch.key.clone(), answer.at));
        } else if !watch.has_mark || answer.payload.is_null() {
            watch.tells_state = false;
        }
    }
}
