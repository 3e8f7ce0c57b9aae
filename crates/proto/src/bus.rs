//! Events of the bus: topic, role of the publisher, visibility.
//!
//! A service file declares its events once with [`events!`](crate::events). The check of
//! the publisher's role, in the broker and before each handler, and the page in `doc/rpc`
//! follow from it.

use wire::Role;

use crate::Payload;
use crate::schema::Schema;

/// One event of the bus. Implemented on the payload's type.
pub trait Event: Payload + 'static {
    /// The topic. A word in capitals stands for any text: `shell-ID.kill`.
    const TOPIC: &'static str;
    /// Role required to publish it, besides the instance owner.
    const ROLE: Role;
    /// True if only the owner and the publisher receive it.
    const PRIVATE: bool;
    /// One sentence for `doc/rpc`.
    const SUMMARY: &'static str;

    /// The topic with `name` for its word in capitals.
    fn topic_for(name: &str) -> String {
        let (before, after) = halves(Self::TOPIC);
        format!("{before}{name}{after}")
    }
}

/// An event as a row of data, for the broker, the documentation and the tests.
#[derive(Clone, Copy)]
pub struct DeclaredEvent {
    /// See [`Event::TOPIC`].
    pub topic: &'static str,
    /// Role required to publish it, besides the owner.
    pub role: Role,
    /// See [`Event::PRIVATE`].
    pub private: bool,
    /// One sentence.
    pub summary: &'static str,
    /// Schema of the payload.
    pub schema: fn() -> Option<Schema>,
}

impl DeclaredEvent {
    /// The row of event `E`.
    pub const fn of<E: Event>() -> DeclaredEvent {
        DeclaredEvent {
            topic: E::TOPIC,
            role: E::ROLE,
            private: E::PRIVATE,
            summary: E::SUMMARY,
            schema: E::schema,
        }
    }

    /// True if `topic` belongs to this event.
    pub fn is_of(&self, topic: &str) -> bool {
        name_in(self.topic, topic).is_some()
    }
}

/// Part of `topic` that replaces the word in capitals of `declared`: empty without such a
/// word, `None` if it is another topic.
pub fn name_in<'a>(declared: &str, topic: &'a str) -> Option<&'a str> {
    let (before, after) = halves(declared);
    let name = topic.strip_prefix(before)?.strip_suffix(after)?;
    let has_name = before.len() + after.len() < declared.len();
    (has_name != name.is_empty()).then_some(name)
}

/// Text before and after the word in capitals. A topic without such a word is all before
/// it.
fn halves(declared: &str) -> (&str, &str) {
    let is_capital = |c: char| c.is_ascii_uppercase();
    match declared.split_once(is_capital) {
        Some((before, rest)) => (before, rest.trim_start_matches(is_capital)),
        None => (declared, ""),
    }
}

/// Declares the events of a service, one row each:
///
/// `Type = "topic" (ROLE) [, private] : "summary";`
///
/// ROLE is required to publish it: `OWNER` for all events that a component acts on. The
/// rows become `EVENTS`.
#[macro_export]
macro_rules! events {
    ($($event:ident = $topic:literal ($role:ident) $(, $private:ident)? : $summary:literal;)*) => {
        $(impl $crate::Event for $event {
            const TOPIC: &'static str = $topic;
            const ROLE: $crate::Role = $crate::Role::$role;
            const PRIVATE: bool = $crate::events!(@private $($private)?);
            const SUMMARY: &'static str = $summary;
        })*
        /// Every event of this service.
        pub const EVENTS: &[$crate::DeclaredEvent] = &[
            $($crate::DeclaredEvent::of::<$event>(),)*
        ];
    };
    (@private) => { false };
    (@private private) => { true };
}

#[cfg(test)]
mod tests {
    use super::name_in;

    fn check(declared: &str, topic: &str, expect: Option<&str>) {
        assert_eq!(name_in(declared, topic), expect, "{declared} {topic}");
    }

    #[test]
    fn a_word_in_capitals_stands_for_any_text_but_none() {
        check("shell-ID.kill", "shell-7.kill", Some("7"));
        check("shell-ID.kill", "shell-7.kills", None);
        check("shell-ID.kill", "shell-.kill", None);
        check("shell-ID.kill", "shell.kill", None);
        check("NAME.stats-clear", "kvs.stats-clear", Some("kvs"));
        check(
            "kvs.namespace-NAME-setroot",
            "kvs.namespace-a-setroot",
            Some("a"),
        );
        check("kvs.namespace-NAME-setroot", "kvs.namespace-setroot", None);
    }

    #[test]
    fn other_topics_are_what_they_say() {
        check("heartbeat.pulse", "heartbeat.pulse", Some(""));
        check("heartbeat.pulse", "heartbeat.pulses", None);
        check("heartbeat.pulse", "heartbeat", None);
    }
}
