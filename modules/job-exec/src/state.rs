//! State table of a job in job-exec: all moves in one table, no effects.
//!
//! `doc/states/job-exec.md` is printed from here by the test below.

/// State of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Reading the remains from an earlier job-exec.
    Recovering,
    /// Started before us: its shell is to report.
    Waiting,
    /// The shell is being started.
    Starting,
    /// The shell runs, or the simulation of one.
    Running,
    /// The job ended; the last words of its guest log are being stored.
    Finishing,
    /// The guest directory is being put into the primary namespace.
    Grafting,
    /// Nothing is left to do.
    Released,
}

/// Event that changes the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// By the log of an earlier time it had not got as far as a shell.
    Again,
    /// By the log of an earlier time a shell was started.
    Adopt,
    /// By the log of an earlier time it is complete.
    Complete,
    /// The shell runs.
    Started,
    /// Shell reported after our restart.
    Found,
    /// The shell could not be started, was lost, or exited; a simulation came to its end.
    Ended,
    /// The guest log is stored.
    Logged,
    /// The guest directory is in its place.
    Grafted,
}

impl State {
    /// Every state, for the table.
    #[cfg(test)]
    pub const ALL: [State; 7] = [
        State::Recovering,
        State::Waiting,
        State::Starting,
        State::Running,
        State::Finishing,
        State::Grafting,
        State::Released,
    ];

    /// True if tasks of the job may exist.
    pub fn is_alive(self) -> bool {
        matches!(self, State::Waiting | State::Starting | State::Running)
    }
}

impl Move {
    /// Every move, for the table.
    #[cfg(test)]
    pub const ALL: [Move; 8] = [
        Move::Again,
        Move::Adopt,
        Move::Complete,
        Move::Started,
        Move::Found,
        Move::Ended,
        Move::Logged,
        Move::Grafted,
    ];
}

/// All moves; `None` where one does not fit.
pub fn next(state: State, step: Move) -> Option<State> {
    match (state, step) {
        (State::Recovering, Move::Again) => Some(State::Starting),
        (State::Recovering, Move::Adopt) => Some(State::Waiting),
        (State::Recovering, Move::Complete) => Some(State::Grafting),
        (State::Recovering, Move::Ended) => Some(State::Finishing),
        (State::Starting, Move::Started) => Some(State::Running),
        (State::Waiting, Move::Found) => Some(State::Running),
        (State::Waiting | State::Starting | State::Running, Move::Ended) => Some(State::Finishing),
        (State::Finishing, Move::Logged) => Some(State::Grafting),
        (State::Grafting, Move::Grafted) => Some(State::Released),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_table_is_the_one_in_doc_states() {
        let head = "# States of a job in job-exec\n\nPrinted from `modules/job-exec/src/state.rs` \
             by its test (`UPDATE=1 cargo test -p job-exec`).\nRows are what happens, columns \
             where the job is; a dash is a move that is refused and logged.";
        let table = node::written::table_of_moves(head, &State::ALL, &Move::ALL, next);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../doc/states/job-exec.md");
        node::written::check(path, &table);
    }

    #[test]
    fn a_job_is_released_only_after_its_guest_directory_is_in_place() {
        let before: Vec<_> = State::ALL
            .into_iter()
            .filter(|state| {
                Move::ALL
                    .iter()
                    .any(|step| next(*state, *step) == Some(State::Released))
            })
            .collect();
        assert_eq!(before, [State::Grafting]);
    }

    #[test]
    fn nothing_happens_after_the_release() {
        assert!(
            Move::ALL
                .iter()
                .all(|step| next(State::Released, *step).is_none())
        );
    }
}
