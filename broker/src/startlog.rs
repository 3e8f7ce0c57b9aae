//! The log of starts: `admin.eventlog` in the key-value store gets an event when the
//! instance has come up, and one when it begins to end (protocol/04 section 9). A start
//! after a start without an end between them is how `flux startlog` knows a crash.

use std::time::Duration;

use bytes::Bytes;
use node::Cx;
use proto::attr::names;
use proto::data::Entry;
use proto::data::eventlog::decode_log;
use proto::kvs::{Commit, Lookup, Op, PRIMARY, SYNC};
use proto::rc::Personality;
use serde_json::json;

use crate::core::Broker;

/// Key of the log.
const KEY: &str = "admin.eventlog";

/// Time that the life cycle waits for the start log.
const WAIT: Duration = Duration::from_secs(5);

/// Continuation after an event.
type Next = fn(&mut Broker, &mut Cx<Broker>);

/// The event that is on its way to the log, which the life of the instance waits for.
#[derive(Debug, Default)]
pub(crate) struct StartLog(Option<&'static str>);

impl StartLog {
    /// An event is sent.
    fn send(&mut self, name: &'static str) {
        self.0 = Some(name);
    }

    /// Removes a module from the awaited ones; returns true if it was among them. `false`
    /// if that was so before.
    fn settle(&mut self, name: &str) -> bool {
        self.0.take_if(|sent| *sent == name).is_some()
    }
}

impl Broker {
    /// Notes that the instance is up, then goes on. The event survives a power failure.
    pub(crate) fn note_start(&mut self, cx: &mut Cx<Broker>, next: Next) {
        if self.keeps_startlog() {
            // Asked before the commit is sent, hence answered without it; nobody waits.
            cx.call(&Lookup::new(PRIMARY, KEY, 0), |_, _, result| {
                if result.is_ok_and(|found| ends_with_start(found.bytes())) {
                    tracing::error!("Flux was not shut down properly.  Data may have been lost.");
                    tracing::info!("'flux fsck' checks the KVS");
                }
            });
        }
        let version = self
            .attrs
            .value(&names::VERSION)
            .unwrap_or_default()
            .to_owned();
        let context = json!({"version": 1, "core_version": version});
        self.note(cx, "start", &context, SYNC, next);
    }

    /// Notes that the instance ends, then goes on.
    pub(crate) fn note_finish(&mut self, cx: &mut Cx<Broker>, next: Next) {
        self.note(cx, "finish", &json!({"version": 1}), 0, next);
    }

    fn keeps_startlog(&self) -> bool {
        self.router.rank() == 0
            && self.personality() == Personality::Full
            && self.modules.named("kvs").is_some()
    }

    /// An instance without a log is better than none: failures are reported, and that is
    /// all.
    fn note(
        &mut self,
        cx: &mut Cx<Broker>,
        name: &'static str,
        context: &serde_json::Value,
        flags: u32,
        next: Next,
    ) {
        let entry = Entry::new(cx.now().wall, name).and_then(|entry| entry.with(context));
        let entry = match entry {
            Ok(entry) if self.keeps_startlog() => entry,
            Ok(_) => return next(self, cx),
            Err(error) => {
                tracing::error!("{KEY}: {name}: {error}");
                return next(self, cx);
            }
        };
        let mut commit = Commit::new(PRIMARY).op(Op::append(KEY, entry.encode()));
        commit.flags |= flags;
        self.startlog.send(name);
        cx.call(&commit, move |core: &mut Broker, cx, result| {
            if let Err(refusal) = result {
                tracing::error!("{KEY}: {name}: {refusal}");
            }
            if core.startlog.settle(name) {
                next(core, cx);
            }
        });
        cx.timer(WAIT, move |core: &mut Broker, cx| {
            if core.startlog.settle(name) {
                tracing::error!("{KEY}: {name}: no answer from kvs");
                next(core, cx);
            }
        });
    }
}

/// True if the last event of a log is a start.
fn ends_with_start(log: Option<Bytes>) -> bool {
    let entries = log
        .and_then(|log| decode_log(&log).ok())
        .unwrap_or_default();
    entries.last().is_some_and(|entry| entry.name() == "start")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_waited_for_until_it_is_stored_or_given_up() {
        let mut log = StartLog::default();
        assert!(!log.settle("start"));
        log.send("start");
        assert!(log.settle("start") && !log.settle("start"));
        log.send("finish");
        assert!(!log.settle("start") && log.settle("finish"));
    }

    #[test]
    fn a_start_without_an_end_was_a_crash() {
        for (log, expect) in [
            (None, false),
            (Some(""), false),
            (Some("no log"), false),
            (Some("{\"timestamp\":1.0,\"name\":\"start\"}\n"), true),
            (
                Some(
                    "{\"timestamp\":1.0,\"name\":\"start\"}\n\
                     {\"timestamp\":2.0,\"name\":\"finish\"}\n",
                ),
                false,
            ),
        ] {
            let bytes = log.map(|log| Bytes::copy_from_slice(log.as_bytes()));
            assert_eq!(ends_with_start(bytes), expect, "{log:?}");
        }
    }
}
