//! Subscriptions of one client or module: plain prefixes, counted.

use std::collections::BTreeMap;

use wire::topic::subscription_matches;

use crate::limits::SUBSCRIPTIONS_MAX;

/// Prefixes and how often each was asked for.
#[derive(Debug, Default)]
pub struct Subscriptions {
    counts: BTreeMap<String, u32>,
    /// Length of all prefixes.
    bytes: usize,
}

impl Subscriptions {
    /// Asks once more. `false` when there is no room.
    pub fn add(&mut self, topic: &str) -> bool {
        self.add_within(topic, usize::MAX)
    }

    /// The same if all topics together take at most `bytes_max` bytes.
    pub fn add_within(&mut self, topic: &str, bytes_max: usize) -> bool {
        if !self.counts.contains_key(topic) {
            let bytes = self.bytes.saturating_add(topic.len());
            if self.counts.len() >= SUBSCRIPTIONS_MAX || bytes > bytes_max {
                return false;
            }
            self.bytes = bytes;
        }
        *self.counts.entry(topic.to_owned()).or_default() += 1;
        true
    }

    /// Asks once less. `false` when it was never asked for.
    pub fn remove(&mut self, topic: &str) -> bool {
        let Some(count) = self.counts.get_mut(topic) else {
            return false;
        };
        *count -= 1;
        if *count == 0 {
            self.counts.remove(topic);
            self.bytes -= topic.len();
        }
        true
    }

    /// True if exactly this topic was subscribed to.
    pub fn has(&self, topic: &str) -> bool {
        self.counts.contains_key(topic)
    }

    /// Every topic that was asked for, as often as it was.
    pub fn topics(&self) -> impl Iterator<Item = (&str, u32)> {
        self.counts.iter().map(|(topic, n)| (topic.as_str(), *n))
    }

    /// True if an event of this topic is wanted. Only prefixes of the topic can match, so
    /// looking each of those up beats walking a long list.
    pub fn matches(&self, topic: &str) -> bool {
        if self.counts.len() <= topic.len() {
            return self
                .counts
                .keys()
                .any(|prefix| subscription_matches(prefix, topic));
        }
        (0..=topic.len())
            .filter(|end| topic.is_char_boundary(*end))
            .any(|end| self.counts.contains_key(&topic[..end]))
    }
}

#[cfg(test)]
mod tests {
    use super::Subscriptions;

    #[test]
    fn subscribing_twice_needs_unsubscribing_twice() {
        let mut subscriptions = Subscriptions::default();
        assert!(subscriptions.add("a") && subscriptions.add("a"));
        assert!(subscriptions.remove("a") && subscriptions.matches("a.b"));
        assert!(subscriptions.remove("a") && !subscriptions.matches("a.b"));
        assert!(!subscriptions.remove("a"));
    }

    #[test]
    fn topics_have_room_in_sum() {
        let mut subscriptions = Subscriptions::default();
        assert!(subscriptions.add_within("1234", 8) && !subscriptions.add_within("56789", 8));
        assert!(subscriptions.add_within("1234", 8), "it takes no more");
        assert!(subscriptions.remove("1234") && !subscriptions.add_within("56789", 8));
        assert!(subscriptions.remove("1234") && subscriptions.add_within("56789", 8));
    }

    #[test]
    fn long_lists_match_as_short_ones_do() {
        let mut subscriptions = Subscriptions::default();
        for n in 0..100 {
            subscriptions.add(&format!("topic-{n}."));
        }
        assert!(subscriptions.matches("topic-7.x") && !subscriptions.matches("topic-7"));
        subscriptions.add("");
        assert!(subscriptions.matches("anything"));
    }
}
