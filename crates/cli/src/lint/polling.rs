//! The same question, asked again and again at the same intervals, with the same answer each time:
//! an event or a watch would report when the answer is another.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use proto::Method;
use proto::module::Status;
use serde_json::Value;
use wire::topic;

use super::{Findings, Kind, Place, Record, Rule};
use crate::limits::{LINT_PARTIES_MAX, LINT_QUESTIONS_MAX};

/// Least number of repetitions.
const ASKED_MIN: u64 = 5;
/// Requests at longer intervals, in seconds, do not count as polling.
const INTERVAL_MIN_S: f64 = 0.02;
/// The longest interval is no more than this much of the shortest, and a bit.
const INTERVALS_DIFFER: f64 = 2.0;
const INTERVALS_BIT_S: f64 = 0.05;

/// A message this soon after a request or an event, in seconds, is a consequence of it.
const HANDLING_S: f64 = 0.2;

/// The last question of one to one method.
#[derive(Debug)]
struct Question {
    payload: u64,
    /// Until it is answered.
    matchtag: Option<u32>,
    at: f64,
    answer: Option<u64>,
    /// Number of equal answers in a row, and the intervals.
    same: u64,
    shortest: f64,
    longest: f64,
}

/// Questions of each, by topic, and when something has come that may be the reason for one.
#[derive(Debug, Default)]
pub(super) struct Polling {
    questions: BTreeMap<String, BTreeMap<String, Question>>,
    occasions: BTreeMap<String, f64>,
}

impl Rule for Polling {
    fn see(&mut self, record: &Record, found: &mut Findings) {
        if record.is_occasion() {
            let has_room = self.occasions.len() < LINT_PARTIES_MAX;
            if has_room || self.occasions.contains_key(&record.who) {
                self.occasions.insert(record.who.clone(), record.at);
            }
        } else if record.asks(Status::TOPIC) {
            // A module begins, perhaps in place of one that asked the same.
            self.questions.remove(&record.who);
        } else if topic::method_of(&record.topic) == "ping" {
            // To be answered is all that it is for.
        } else if record.is_sent && record.kind == Kind::Request {
            self.ask(record);
        } else if record.is_answer() {
            self.answer(record, found);
        }
    }
}

impl Polling {
    fn ask(&mut self, request: &Record) {
        let has_room = self.questions.len() < LINT_PARTIES_MAX;
        if !has_room && !self.questions.contains_key(&request.who) {
            return;
        }
        let occasion = self.occasions.get(&request.who);
        let has_reason = occasion.is_some_and(|at| request.at - at < HANDLING_S);
        let questions = self.questions.entry(request.who.clone()).or_default();
        let has_room = questions.len() < LINT_QUESTIONS_MAX;
        let payload = digest(&request.payload, 0);
        match questions.get_mut(&request.topic) {
            _ if request.is_opaque || has_reason => drop(questions.remove(&request.topic)),
            Some(question) if question.payload == payload && question.answer.is_some() => {
                let interval = request.at - question.at;
                question.shortest = question.shortest.min(interval);
                question.longest = question.longest.max(interval);
                (question.matchtag, question.at) = (Some(request.matchtag), request.at);
            }
            None if !has_room => {}
            _ => {
                let question = Question::new(payload, Some(request.matchtag), request.at);
                questions.insert(request.topic.clone(), question);
            }
        }
    }

    fn answer(&mut self, response: &Record, found: &mut Findings) {
        let questions = self.questions.get_mut(&response.who);
        let question = questions.and_then(|questions| questions.get_mut(&response.topic));
        let Some(question) = question else {
            return;
        };
        // Of a stream, the first answer is enough.
        if question.matchtag != Some(response.matchtag) {
            return;
        }
        let answer = digest(&response.payload, response.errnum);
        if response.is_opaque || question.answer.is_some_and(|before| before != answer) {
            *question = Question::new(question.payload, None, question.at);
        }
        question.matchtag = None;
        question.answer = Some(answer);
        question.same += 1;
        if question.is_polled() {
            let place = Place {
                rule: "polling",
                who: response.who.clone(),
                topic: response.topic.clone(),
                key: None,
            };
            let seconds = question.longest;
            let why = || format!("repeated every {seconds:.2}s, with the same answer");
            found.add(place, why);
        }
    }
}

impl Question {
    fn new(payload: u64, matchtag: Option<u32>, at: f64) -> Question {
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

/// Digest that identifies a payload and an error number.
fn digest(payload: &Value, errnum: i64) -> u64 {
    let mut hasher = DefaultHasher::new();
    payload.to_string().hash(&mut hasher);
    errnum.hash(&mut hasher);
    hasher.finish()
}
