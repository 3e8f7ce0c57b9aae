//! A look at the KVS because of a message that something is there, which does not wait for the
//! version that the message names: it may be missing here yet.
//!
//! Such a message is an event, a request or an answer with a version of the KVS in it. The look that
//! comes next must name a version or a root, or `kvs.wait-version` must go before it. The KVS
//! itself is not meant.

use std::collections::BTreeMap;

use proto::Method;
use proto::kvs::{Lookup, LookupPlus, WaitVersion};

use super::{Findings, Place, Record, Rule};
use crate::limits::LINT_PARTIES_MAX;

/// A lookup later than this after a message, in seconds, has another reason.
const HANDLING_S: f64 = 1.0;

/// Names of a KVS version in payloads.
const VERSIONS: [&str; 4] = ["rootseq", "kvs-version", "kvs_version", "kvsversion"];

#[derive(Debug)]
struct Notice {
    topic: String,
    version: i64,
    at: f64,
}

#[derive(Debug, Default)]
pub(super) struct Unwaited {
    /// Versions that each client has received and has not acted on.
    told: BTreeMap<String, Notice>,
    /// Time at which each client waited for a version that it received.
    waited: BTreeMap<String, f64>,
}

impl Rule for Unwaited {
    fn see(&mut self, record: &Record, found: &mut Findings) {
        if record.is_answer() || record.is_occasion() {
            self.receive(record);
        } else if record.asks(WaitVersion::TOPIC) {
            let is_enough = |told: &mut Notice| record.number("rootseq") >= Some(told.version);
            if self.told.get_mut(&record.who).is_some_and(is_enough) {
                self.told.remove(&record.who);
                self.waited.insert(record.who.clone(), record.at);
            }
        } else if (record.asks(Lookup::TOPIC) || record.asks(LookupPlus::TOPIC))
            && let Some(told) = self.told.remove(&record.who)
        {
            let names_root = record.payload.get("rootdir").is_some();
            let names_version = record.number("rootseq") >= Some(told.version);
            // It may look for what it was told of before, and has waited for.
            let waited = self.waited.get(&record.who);
            let has_waited = waited.is_some_and(|at| record.at - at < HANDLING_S);
            let is_late = record.at - told.at >= HANDLING_S;
            if !names_root && !names_version && !has_waited && !is_late {
                look(record, &told, found);
            }
        }
    }
}

impl Unwaited {
    fn receive(&mut self, record: &Record) {
        let is_kvs = |name: &str| name.starts_with("kvs.") || name.starts_with("kvs-watch.");
        let name = record.who.split(' ').next().unwrap_or_default();
        if is_kvs(&record.topic) || matches!(name, "kvs" | "kvs-watch") {
            return;
        }
        let version = VERSIONS.iter().find_map(|name| record.number(name));
        match version {
            Some(version) if self.told.len() < LINT_PARTIES_MAX => {
                let told = Notice {
                    topic: record.topic.clone(),
                    version,
                    at: record.at,
                };
                self.told.insert(record.who.clone(), told);
            }
            // Something else has come, which may be the reason for what follows.
            _ if record.is_occasion() => drop(self.told.remove(&record.who)),
            _ => {}
        }
    }
}

fn look(lookup: &Record, told: &Notice, found: &mut Findings) {
    let place = Place {
        rule: "unwaited-version",
        who: lookup.who.clone(),
        topic: lookup.topic.clone(),
        key: lookup.text("key").map(str::to_owned),
    };
    let (topic, version) = (&told.topic, told.version);
    let why = || {
        format!(
            "{topic} announced version {version}, which the lookup does not wait \
        for"
        )
    };
    found.add(place, why);
}
