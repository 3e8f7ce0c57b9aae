//! An event that is for one: it goes to every broker, and only one program wants it. An answer, or a
//! request, would do.
//!
//! Such an event has been published a few times, has always come to the same receiver and to
//! nobody else, and is either addressed (its payload names the receiver), or comes each time
//! after that one has sent its publisher a request.

use std::collections::{BTreeMap, BTreeSet};

use proto::Method;
use proto::event::Publish;

use super::{Findings, Kind, Place, Record, Rule};
use crate::limits::{LINT_PARTIES_MAX, LINT_TOPICS_MAX};

/// Published less often, it may have one listener by chance.
const PUBLISHED_MIN: u64 = 3;

/// Keys by which payloads address the receiver of an event.
const ADDRESSES: [&str; 6] = [
    "to",
    "dest",
    "destination",
    "recipient",
    "receiver",
    "matchtag",
];

#[derive(Debug, Default)]
struct Topic {
    publisher: String,
    published: u64,
    addressed: u64,
    /// Number of requests to its publisher just before, and their senders.
    answers: u64,
    askers: BTreeSet<String>,
    listeners: BTreeSet<String>,
}

#[derive(Debug, Default)]
pub(super) struct Unicast {
    topics: BTreeMap<String, Topic>,
    /// Requests under way: who has sent them.
    asked: BTreeMap<(String, u32), String>,
    /// Last requester of each.
    asker_of: BTreeMap<String, String>,
}

impl Rule for Unicast {
    fn see(&mut self, record: &Record, _: &mut Findings) {
        if record.asks(Publish::TOPIC) {
            return self.publish(&published(record));
        }
        match (record.kind, record.is_sent) {
            (Kind::Request, true) if self.asked.len() < LINT_PARTIES_MAX => {
                let id = (record.topic.clone(), record.matchtag);
                self.asked.insert(id, record.who.clone());
            }
            (Kind::Request, false) => {
                let id = (record.topic.clone(), record.matchtag);
                if let Some(asker) = self.asked.remove(&id)
                    && (self.asker_of.len() < LINT_PARTIES_MAX
                        || self.asker_of.contains_key(&record.who))
                {
                    self.asker_of.insert(record.who.clone(), asker);
                }
            }
            (Kind::Event, true) => self.publish(record),
            (Kind::Event, false) => {
                if let Some(topic) = self.topics.get_mut(&record.topic)
                    && topic.publisher != record.who
                {
                    topic.listeners.insert(record.who.clone());
                }
            }
            (Kind::Response, false) => {
                // Answered by the broker.
                self.asked.remove(&(record.topic.clone(), record.matchtag));
            }
            _ => {}
        }
    }
}

/// The event that a request asks to be published. Its contents are unknown.
fn published(request: &Record) -> Record {
    Record {
        kind: Kind::Event,
        topic: request.text("topic").unwrap_or_default().to_owned(),
        payload: serde_json::Value::Null,
        ..request.clone()
    }
}

impl Unicast {
    fn publish(&mut self, event: &Record) {
        let has_room = self.topics.len() < LINT_TOPICS_MAX;
        if !has_room && !self.topics.contains_key(&event.topic) {
            return;
        }
        let topic = self.topics.entry(event.topic.clone()).or_default();
        topic.publisher.clone_from(&event.who);
        topic.published += 1;
        let is_addressed = ADDRESSES
            .iter()
            .any(|name| event.payload.get(name).is_some());
        topic.addressed += u64::from(is_addressed);
        if let Some(asker) = self.asker_of.remove(&event.who) {
            topic.answers += 1;
            topic.askers.insert(asker);
        }
    }

    /// At the end it is known who has listened.
    pub(super) fn finish(&self, found: &mut Findings) {
        for (name, topic) in &self.topics {
            let [listener] = topic.listeners.iter().collect::<Vec<_>>()[..] else {
                continue;
            };
            let is_addressed = topic.addressed == topic.published;
            let is_answer = topic.answers == topic.published && topic.askers == topic.listeners;
            let why = match (is_addressed, is_answer) {
                (true, _) => format!("addressed, and received by {listener} alone"),
                (_, true) => format!("received by {listener} alone, after each of its requests"),
                _ => continue,
            };
            if topic.published >= PUBLISHED_MIN {
                let place = Place {
                    rule: "unicast-event",
                    who: topic.publisher.clone(),
                    topic: name.clone(),
                    key: None,
                };
                found.add_times(place, topic.published, || why);
            }
        }
    }
}
