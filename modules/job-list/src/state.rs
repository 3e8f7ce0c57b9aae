//! How events move a job from state to state, as far as a listing cares (RFC 21). The
//! job manager decides what may happen; here a move that does not fit is ignored.

use proto::data::job::State;

/// What an event does to the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// `validate`, or `submit` of an old log.
    Validate,
    /// `depend`
    Depend,
    /// `priority`
    Priority,
    /// `urgency`, `flux-restart`, `jobspec-update`: back to get a new priority.
    Reprioritize,
    /// `alloc`
    Alloc,
    /// `finish`
    Finish,
    /// `exception` of severity 0.
    Fatal,
    /// `clean`
    Clean,
}

/// Where a step leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// To another state.
    To(State),
    /// Nowhere, as it may.
    Stay,
    /// It does not fit.
    Refuse,
}

/// All moves.
pub fn next(state: State, step: Step) -> Next {
    use Next::{Refuse, Stay, To};
    use State::{Cleanup, Depend, Inactive, New, Priority, Run, Sched};
    match (state, step) {
        (New, Step::Validate) => To(Depend),
        (Depend, Step::Depend) => To(Priority),
        (Priority, Step::Priority) => To(Sched),
        (Sched, Step::Priority) => Stay,
        (Sched, Step::Reprioritize) => To(Priority),
        (New | Depend | Priority | Run | Cleanup, Step::Reprioritize) => Stay,
        (Sched, Step::Alloc) => To(Run),
        (Run, Step::Finish) => To(Cleanup),
        // Killed by an exception: the status comes later.
        (Cleanup, Step::Finish) => Stay,
        (Depend | Priority | Sched | Run, Step::Fatal) => To(Cleanup),
        (Cleanup, Step::Fatal) => Stay,
        (Cleanup, Step::Clean) => To(Inactive),
        _ => Refuse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All moves as a table.
    fn table() -> String {
        let steps = [
            Step::Validate,
            Step::Depend,
            Step::Priority,
            Step::Reprioritize,
            Step::Alloc,
            Step::Finish,
            Step::Fatal,
            Step::Clean,
        ];
        let mut text = String::from("# States of a job, as job-list follows them\n\n");
        text += "Printed by a test of `modules/job-list/src/state.rs`; `-` is ignored.\n\n";
        text += "| event |";
        for state in State::ALL {
            text += &format!(" {} |", state.name());
        }
        text += "\n|---|";
        text += &"---|".repeat(State::ALL.len());
        text += "\n";
        for step in steps {
            text += &format!("| {step:?} |");
            for state in State::ALL {
                text += &match next(state, step) {
                    Next::To(state) => format!(" {} |", state.name()),
                    Next::Stay => " stay |".to_owned(),
                    Next::Refuse => " - |".to_owned(),
                };
            }
            text += "\n";
        }
        text
    }

    #[test]
    fn the_printed_table_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../doc/states/job-list.md");
        #[allow(clippy::disallowed_methods, reason = "a test may look around")]
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, table()).unwrap();
        }
        let printed = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(printed, table(), "UPDATE=1 cargo test rewrites {path}");
    }

    #[test]
    fn a_job_that_is_over_stays_so() {
        for step in [Step::Validate, Step::Alloc, Step::Fatal, Step::Clean] {
            assert_eq!(next(State::Inactive, step), Next::Refuse);
        }
    }
}
