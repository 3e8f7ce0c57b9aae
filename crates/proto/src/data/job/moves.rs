//! State changes of a job by the events of its log (RFC 21, protocol/10 section 5): the
//! one table. The job manager refuses an event that does not fit; a follower of a job
//! ignores it. `doc/states/job.md` is printed from here.

use super::State;

/// Effect of an event on the state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// To another state.
    To(State),
    /// None: the event is legal here.
    Stay,
    /// The event does not fit the state.
    Refuse,
}

/// Effect of the event of this name on a job in `state`. `is_fatal` is for an exception
/// of severity 0. `submit` creates a job and fits no state.
pub fn next(state: State, event: &str, is_fatal: bool) -> Next {
    use Next::{Refuse, Stay, To};
    use State::{Cleanup, Depend, Inactive, New, Priority, Run, Sched};
    match (state, event) {
        (Inactive, _) => Refuse,
        (New, "validate") => To(Depend),
        (New, "invalidate") => Stay,
        (Depend, "depend") => To(Priority),
        (Priority, "priority") => To(Sched),
        (Sched, "priority") => Stay,
        (Sched, "urgency" | "jobspec-update" | "flux-restart") => To(Priority),
        (New | Depend | Priority, "urgency") => Stay,
        (New | Depend | Priority | Run | Cleanup, "jobspec-update") => Stay,
        // Told to jobs in SCHED only; older logs have it elsewhere too.
        (Depend | Priority | Run | Cleanup, "flux-restart") => Stay,
        (New | Depend, "dependency-add" | "dependency-remove") => Stay,
        (Sched, "alloc") => To(Run),
        (Run, "prolog-start") => Stay,
        (Run | Cleanup, "prolog-finish" | "resource-update") => Stay,
        (Run, "finish") => To(Cleanup),
        // An exception may have come first.
        (Cleanup, "finish") => Stay,
        (Run | Cleanup, "start" | "release") => Stay,
        (Cleanup, "epilog-start" | "epilog-finish" | "free") => Stay,
        (Cleanup, "clean") => To(Inactive),
        (New, "exception") if is_fatal => Refuse,
        (Cleanup, "exception") => Stay,
        (_, "exception") if is_fatal => To(Cleanup),
        (_, event) if MOVING.contains(&event) => Refuse,
        // Notes, flags, lesser exceptions, and events of tools.
        _ => Stay,
    }
}

/// Events that fit only some states.
const MOVING: [&str; 21] = [
    "submit",
    "validate",
    "invalidate",
    "jobspec-update",
    "resource-update",
    "dependency-add",
    "dependency-remove",
    "depend",
    "priority",
    "urgency",
    "flux-restart",
    "alloc",
    "prolog-start",
    "prolog-finish",
    "start",
    "finish",
    "release",
    "epilog-start",
    "epilog-finish",
    "free",
    "clean",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Every event but `submit`, and an unknown name.
    fn events() -> Vec<&'static str> {
        let others = ["set-flags", "memo", "annotations", "(any other)"];
        MOVING.into_iter().skip(1).chain(others).collect()
    }

    /// The table as `doc/states/job.md` shows it.
    fn table() -> String {
        let mut text = String::from(
            "# States of a job\n\nPrinted from `crates/proto/src/data/job/moves.rs` by its test \
             (`UPDATE=1 cargo test -p proto`).\nRows are events of the job's log, columns \
             where the job is; a dash is an event that the job manager refuses and logs, and \
             that others ignore.\n`submit` makes the job, in NEW (in DEPEND when the log has \
             no version).\n\n| |",
        );
        for state in State::ALL {
            text += &format!(" {state} |");
        }
        text += "\n|---|";
        text += &"---|".repeat(State::ALL.len());
        let events = events().into_iter().map(|event| (event, event, false));
        let exceptions = [
            ("exception (severity 0)", "exception", true),
            ("exception (severity 1-7)", "exception", false),
        ];
        for (label, event, is_fatal) in events.chain(exceptions) {
            text += &format!("\n| {label} |");
            for state in State::ALL {
                text += &match next(state, event, is_fatal) {
                    Next::To(to) => format!(" {to} |"),
                    Next::Stay => " stay |".to_owned(),
                    Next::Refuse => " - |".to_owned(),
                };
            }
        }
        text + "\n"
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "the test compares a file")]
    fn the_printed_table_is_the_one_in_doc_states() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../doc/states/job.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, table()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), table());
    }

    #[test]
    fn a_job_that_is_inactive_stays_so() {
        for event in events() {
            assert_eq!(next(State::Inactive, event, false), Next::Refuse);
        }
        assert_eq!(next(State::Inactive, "exception", true), Next::Refuse);
    }
}
