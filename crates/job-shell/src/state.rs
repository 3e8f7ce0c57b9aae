//! State table of a job shell: all moves in one table, no effects.
//!
//! `doc/states/job-shell.md` is printed from here by the test below.

/// State of the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Asking for its job.
    Greeting,
    /// Making directories and opening files.
    Preparing,
    /// Ready to start tasks, as soon as all shells of the job are.
    Meeting,
    /// Tasks run.
    Running,
    /// The leading shell, whose own tasks have ended, receives from those whose tasks
    /// have not.
    Hearing,
    /// All tasks ended; the last of their output is being stored.
    Draining,
    /// Telling job-exec how it went.
    Leaving,
    /// Done.
    Gone,
}

/// Event that changes the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// The job and its environment are known.
    Known,
    /// Everything is ready for tasks.
    Ready,
    /// Tasks were started.
    Launched,
    /// The last task here ended, and tasks of other shells may run yet.
    Idle,
    /// The last task ended and closed its streams, or none could be started. For the leading
    /// shell, that is the last task of the job.
    Ended,
    /// Everything that could be stored by us is.
    Drained,
    /// The outcome is in good hands.
    Acknowledged,
    /// Nobody waits for the result: the broker is lost or job-exec refuses us.
    Abandoned,
}

impl State {
    /// Every state, for the table.
    #[cfg(test)]
    pub const ALL: [State; 8] = [
        State::Greeting,
        State::Preparing,
        State::Meeting,
        State::Running,
        State::Hearing,
        State::Draining,
        State::Leaving,
        State::Gone,
    ];
}

impl Move {
    /// Every move, for the table.
    #[cfg(test)]
    pub const ALL: [Move; 8] = [
        Move::Known,
        Move::Ready,
        Move::Launched,
        Move::Idle,
        Move::Ended,
        Move::Drained,
        Move::Acknowledged,
        Move::Abandoned,
    ];
}

/// All moves; `None` where one does not fit.
pub fn next(state: State, step: Move) -> Option<State> {
    match (state, step) {
        (State::Gone, _) => None,
        (_, Move::Abandoned) => Some(State::Gone),
        (State::Greeting, Move::Known) => Some(State::Preparing),
        (State::Preparing, Move::Ready) => Some(State::Meeting),
        (State::Meeting, Move::Launched) => Some(State::Running),
        (State::Greeting | State::Preparing | State::Meeting | State::Running, Move::Idle) => {
            Some(State::Hearing)
        }
        (
            State::Greeting | State::Preparing | State::Meeting | State::Running | State::Hearing,
            Move::Ended,
        ) => Some(State::Draining),
        (State::Draining, Move::Drained) => Some(State::Leaving),
        (State::Leaving, Move::Acknowledged) => Some(State::Gone),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_table_is_the_one_in_doc_states() {
        let head = "# States of a job shell\n\nPrinted from `crates/job-shell/src/state.rs` by \
             its test (`UPDATE=1 cargo test -p job-shell`).\nRows are what happens, columns \
             where the shell is; a dash is a move that is refused and logged.";
        let table = node::written::table_of_moves(head, &State::ALL, &Move::ALL, next);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../doc/states/job-shell.md");
        node::written::check(path, &table);
    }

    #[test]
    fn a_shell_that_nobody_wants_goes_from_anywhere() {
        for state in State::ALL.into_iter().filter(|state| *state != State::Gone) {
            assert_eq!(next(state, Move::Abandoned), Some(State::Gone));
        }
    }
}
