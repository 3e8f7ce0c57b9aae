//! Breaches of RFC 9 by programs and modules, as far as their messages show: a function of the
//! messages seen, one after the other, that knows no clock and no broker.
//!
//! One rule a file: `chained.rs` (a watch begun out of another), `replaced.rs` (a stream of events
//! that is written over each time), `unwaited.rs` (a look at the KVS that may come too early),
//! `unicast.rs` (events for one), `polling.rs` (the same question over and over) and `slow.rs`
//! (handlers that hold their loop, which messages do not show: it reads histograms).
//! `record.rs` is a message as the rules see it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::limits::LINT_FINDINGS_MAX;

mod chained;
mod polling;
mod record;
mod replaced;
mod slow;
mod unicast;
mod unwaited;

#[cfg(test)]
mod tests;

pub use record::{Kind, Record};
pub use slow::{Limit, slow};

/// Breach of a rule: its name, its author, the message, and the key of the KVS, if there is
/// one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Name of the rule.
    pub rule: &'static str,
    /// The module or program.
    pub who: String,
    /// Topic of the message.
    pub topic: String,
    /// The key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Rule and place.
    #[serde(flatten)]
    pub place: Place,
    /// Number of occurrences.
    pub count: u64,
    /// Description.
    pub why: String,
}

/// All that was found.
#[derive(Debug, Default)]
pub struct Findings(BTreeMap<Place, (u64, String)>);

impl Findings {
    /// Counts a finding that was done once more.
    pub fn add(&mut self, place: Place, why: impl FnOnce() -> String) {
        self.add_times(place, 1, why);
    }

    /// Counts a finding that was done `times` times more.
    pub fn add_times(&mut self, place: Place, times: u64, why: impl FnOnce() -> String) {
        if self.0.len() < LINT_FINDINGS_MAX || self.0.contains_key(&place) {
            self.0.entry(place).or_insert_with(|| (0, why())).0 += times;
        }
    }

    /// In order.
    pub fn all(self) -> impl Iterator<Item = Finding> {
        let found = self.0.into_iter();
        found.map(|(place, (count, why))| Finding { place, count, why })
    }
}

/// One rule: takes in message after message.
trait Rule {
    fn see(&mut self, record: &Record, found: &mut Findings);
}

/// All rules that messages show.
#[derive(Default)]
pub struct Lint {
    chained: chained::Chained,
    replaced: replaced::Replaced,
    unwaited: unwaited::Unwaited,
    unicast: unicast::Unicast,
    polling: polling::Polling,
    found: Findings,
    n_seen: u64,
}

impl Lint {
    /// Processes the next message.
    pub fn see(&mut self, record: &Record) {
        self.n_seen += 1;
        let rules: [&mut dyn Rule; 5] = [
            &mut self.chained,
            &mut self.replaced,
            &mut self.unwaited,
            &mut self.unicast,
            &mut self.polling,
        ];
        for rule in rules {
            rule.see(record, &mut self.found);
        }
    }

    /// Number of messages seen.
    pub fn n_seen(&self) -> u64 {
        self.n_seen
    }

    /// Findings.
    pub fn finish(mut self) -> Findings {
        self.unicast.finish(&mut self.found);
        self.found
    }
}
