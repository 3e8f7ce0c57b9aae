//! Durations of the handlers of a component, by cause. The component names the cause; the
//! loop, which has a clock, measures the time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use proto::Method;
use proto::common::{HANDLERS, HandlerTimes, StatsGet};
use proto::data::times::Histogram;
use rustc_hash::FxHashMap;
use wire::topic;

use crate::limits::CAUSES_MAX;

/// Cause of a handler: its kind, and its declared topic, if it has one.
pub(crate) type Cause = (&'static str, &'static str);

/// Messages that a broker passes on, and those without a route.
pub(crate) const OTHER: Cause = ("other", "");
pub(crate) const TIMER: Cause = ("timer", "");
/// Work of the worker, including work done on the spot.
pub(crate) const WORK: Cause = ("work", "");
pub(crate) const CHILD: Cause = ("child", "");
pub(crate) const SIGNAL: Cause = ("signal", "");
pub(crate) const LINK: Cause = ("link", "");
/// The moment to send off batches.
pub(crate) const SETTLED: Cause = ("settled", "");

/// A moment to send off batches that took less was no work.
const NOTHING_TO_DO: Duration = Duration::from_micros(1);

/// A request with this declared topic.
pub(crate) fn request(topic: &'static str) -> Cause {
    ("request", topic)
}

/// The answer to a request with this declared topic.
pub(crate) fn response(topic: &'static str) -> Cause {
    ("response", topic)
}

/// An event with this declared topic.
pub(crate) fn event(topic: &'static str) -> Cause {
    ("event", topic)
}

/// Time spent by a component.
pub(crate) struct Spent {
    each: Vec<(Cause, Histogram)>,
    /// Index of a cause in `each`.
    places: FxHashMap<Cause, usize>,
    /// Current or last cause.
    on: Cause,
    /// Previous cause, and its index: most often it is the same again.
    before: (Cause, usize),
}

impl Default for Spent {
    fn default() -> Self {
        Spent {
            each: vec![(OTHER, Histogram::default())],
            places: FxHashMap::from_iter([(OTHER, 0)]),
            on: OTHER,
            before: (OTHER, 0),
        }
    }
}

impl Spent {
    /// Begins a handler of this cause.
    pub fn begin(&mut self, cause: Cause) {
        self.on = cause;
    }

    /// Adds a handler's run of this length.
    pub fn add(&mut self, time: Duration) {
        if self.on == SETTLED && time < NOTHING_TO_DO {
            return;
        }
        if !is_same(self.on, self.before.0) {
            self.before = (self.on, self.place());
        }
        if let Some((_, times)) = self.each.get_mut(self.before.1) {
            times.add(time);
        }
    }

    /// Index of the current cause.
    fn place(&mut self) -> usize {
        if let Some(place) = self.places.get(&self.on) {
            return *place;
        }
        let place = self.each.len();
        if place > CAUSES_MAX {
            return 0;
        }
        self.each.push((self.on, Histogram::default()));
        self.places.insert(self.on, place);
        place
    }

    /// From the beginning.
    pub fn clear(&mut self) {
        *self = Spent {
            on: self.on,
            ..Spent::default()
        };
    }

    /// As it is given away.
    pub fn told(&self) -> HandlerTimes {
        let name = |(kind, topic): &Cause| format!("{kind} {topic}").trim_end().to_owned();
        let used = || self.each.iter().filter(|(_, times)| !times.is_empty());
        let mut all = Histogram::default();
        used().for_each(|(_, times)| all.add_all(times));
        HandlerTimes {
            all: all.told(),
            each: used()
                .map(|(cause, times)| (name(cause), times.told()))
                .collect(),
        }
    }

    /// Adds the times to an answer, which has none, if it is that of `name` to `stats-get`.
    pub fn add_to(&self, name: &str, asked: &str, answer: Bytes) -> Bytes {
        let is_stats = topic::method_of(asked) == topic::method_of(StatsGet::TOPIC)
            && topic::service_of(asked) == name;
        // Where nobody has a clock there is nothing to say.
        let has_any = || self.each.iter().any(|(_, times)| !times.is_empty());
        let is_told = is_stats && has_any();
        let Some(object) = answer.strip_suffix(b"}\0").filter(|_| is_told) else {
            return answer;
        };
        let Ok(times) = serde_json::to_vec(&self.told()) else {
            return answer;
        };
        let comma = if object == b"{" { "" } else { "," };
        let mut longer = BytesMut::from(object);
        longer.extend_from_slice(format!("{comma}\"{HANDLERS}\":").as_bytes());
        longer.extend_from_slice(&times);
        longer.extend_from_slice(b"}\0");
        longer.freeze()
    }
}

/// True if two causes have the same constant, which is quickly seen. Some that are not may be equal
/// as well.
fn is_same(one: Cause, other: Cause) -> bool {
    std::ptr::eq(one.0, other.0) && std::ptr::eq(one.1, other.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(causes: &[(Cause, u64)]) -> Spent {
        let mut spent = Spent::default();
        for (cause, micros) in causes {
            spent.begin(*cause);
            spent.add(Duration::from_micros(*micros));
        }
        spent
    }

    fn check(causes: &[(Cause, u64)], expect: &[(&str, u64)]) {
        let told = spent(causes).told();
        let counts = told
            .each
            .iter()
            .map(|(name, times)| (name.as_str(), times.count));
        assert_eq!(counts.collect::<Vec<_>>(), expect);
        assert_eq!(told.all.count, expect.iter().map(|(_, n)| n).sum::<u64>());
    }

    #[test]
    fn time_is_counted_by_what_was_handled() {
        check(
            &[
                (request("kvs.lookup"), 5),
                (TIMER, 2),
                (request("kvs.lookup"), 9),
            ],
            &[("request kvs.lookup", 2), ("timer", 1)],
        );
        check(
            &[(response("a.b"), 5), (event("a.b"), 2), (request("a.b"), 9)],
            &[("event a.b", 1), ("request a.b", 1), ("response a.b", 1)],
        );
    }

    #[test]
    fn a_turn_that_had_nothing_to_send_off_is_no_work() {
        check(&[(SETTLED, 0), (SETTLED, 3)], &[("settled", 1)]);
    }

    #[test]
    fn there_are_only_so_many_causes() {
        let names = (0..CAUSES_MAX + 9).map(|n| &*format!("s.m{n}").leak());
        let causes: Vec<_> = names.map(|name| (request(name), 1)).collect();
        let told = spent(&causes).told();
        assert_eq!(told.each.len(), CAUSES_MAX + 1);
        assert_eq!(told.each["other"].count, 9);
    }

    #[test]
    fn they_are_in_answers_to_stats_get() {
        let spent = spent(&[(TIMER, 5)]);
        let answer = |asked, text: &'static [u8]| {
            let longer = spent.add_to("kvs", asked, Bytes::from_static(text));
            let text = std::str::from_utf8(&longer[..longer.len() - 1]).unwrap();
            serde_json::from_str::<serde_json::Value>(text).unwrap()
        };
        let count =
            |answer: &serde_json::Value| answer["handlers"]["each"]["timer"]["count"].clone();
        assert_eq!(count(&answer("kvs.stats-get", b"{}\0")), 1);
        let both = answer("kvs.stats-get", b"{\"a\":1}\0");
        assert_eq!((count(&both), &both["a"]), (1.into(), &1.into()));
        for asked in ["kvs.get", "content.stats-get"] {
            assert_eq!(count(&answer(asked, b"{}\0")), serde_json::Value::Null);
        }
    }
}
