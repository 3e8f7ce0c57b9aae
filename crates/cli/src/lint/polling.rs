//! The same question, asked again and again at the same intervals, with the same answer each time:
//! an event or a watch would tell when the answer is another.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::Value;
use wire::topic;

use super::{Findings, Kind, Place, Record, Rule};
use crate::limits::LINT_QUESTIONS_MAX;

/// So many times in turn.
const ASKED_MIN: u64 = 5;
/// Who asks more often, in seconds, does not wait for something to change.
const INTERVAL_MIN_S: f64 = 0.02;
/// The longest interval is no more than this much of the shortest, and a bit.
const INTERVALS_DIFFER: f64 = 2.0;
const INTERVALS_BIT_S: f64 = 0.05;

/// The last question of one to one method.
#[derive(Debug)]
struct Question {
    payload: u64,
    matchtag: u32,
    at: f64,
    answer: Option<u64>,
    /// How often it had the same answer, and the intervals.
    same: u64,
    shortest: f64,
    longest: f64,
}

#[derive(Debug, Default)]
pub(super) struct Polling(BTreeMap<(String, String), Question>);

impl Rule for Polling {
    fn see(&mut self, record: &Record, found: &mut Findings) {
        // To be answered is all that a ping is for.
        if topic::method_of(&record.topic) == "ping" {
            return;
        }
        if record.is_sent && record.kind == Kind::Request {
            self.ask(record);
        } else if record.is_answer() {
            self.answer(record, found);
        }
    }
}

impl Polling {
    fn ask(&mut self, request: &Record) {
        let id = (request.who.clone(), request.topic.clone());
        let payload = digest(&request.payload, 0);
        let has_room = self.0.len() < LINT_QUESTIONS_MAX;
        match self.0.get_mut(&id) {
            Some(question) if question.payload == payload && question.answer.is_some() => {
                let interval = request.at - question.at;
                question.shortest = question.shortest.min(interval);
                question.longest = question.longest.max(interval);
                (question.matchtag, question.at) = (request.matchtag, request.at);
            }
            None if !has_room => {}
            _ => {
                let question = Question::new(payload, request.matchtag, request.at);
                self.0.insert(id, question);
            }
        }
    }

    fn answer(&mut self, response: &Record, found: &mut Findings) {
        let id = (response.who.clone(), response.topic.clone());
        let Some(question) = self.0.get_mut(&id) else {
            return;
        };
        if question.matchtag != response.matchtag {
            return;
        }
        let answer = digest(&response.payload, response.errnum);
        if question.answer.is_some_and(|before| before != answer) {
            *question = Question::new(question.payload, question.matchtag, question.at);
        }
        question.answer = Some(answer);
        question.same += 1;
        if question.is_polled() {
            let place = Place {
                rule: "polling",
                who: id.0,
                topic: id.1,
                key: None,
            };
            let seconds = question.longest;
            let why = || format!("asked again every {seconds:.2}s, with the same answer");
            found.add(place, why);
        }
    }
}

impl Question {
    fn new(payload: u64, matchtag: u32, at: f64) -> Question {
        Question {
            payload,
            matchtag,
            at,
            answer: None,
            same: 0,
            shortest: f64::INFINITY,
            longest: 0.0,
        }
    }

    fn is_polled(&self) -> bool {
        self.same >= ASKED_MIN
            && self.shortest >= INTERVAL_MIN_S
            && self.longest <= self.shortest * INTERVALS_DIFFER + INTERVALS_BIT_S
    }
}

/// What a payload and an error number are told apart by.
fn digest(payload: &Value, errnum: i64) -> u64 {
    let mut hasher = DefaultHasher::new();
    payload.to_string().hash(&mut hasher);
    errnum.hash(&mut hasher);
    hasher.finish()
}
