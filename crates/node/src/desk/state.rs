//! State table of a task between a server and its workers: all moves in one table, no
//! effects.
//!
//! `doc/states/worker.md` is printed from here by the test below.

/// State of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The task waits for a worker.
    Waiting,
    /// A worker has it, until the end of its lease.
    Leased,
    /// The result is stored.
    Done,
}

/// Event that changes the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// A worker takes it, under a new fencing number.
    Take,
    /// The worker reports that it is still at work.
    Renew,
    /// The worker gives it back, or is silent for as long as the lease.
    Lapse,
    /// The worker reports the result.
    Complete,
    /// A worker reports that with a fencing number that is not the last: refused, and
    /// recorded.
    CompleteLate,
}

impl State {
    /// Every state, for the table.
    #[cfg(test)]
    pub const ALL: [State; 3] = [State::Waiting, State::Leased, State::Done];
}

impl Move {
    /// Every move, for the table.
    #[cfg(test)]
    pub const ALL: [Move; 5] = [
        Move::Take,
        Move::Renew,
        Move::Lapse,
        Move::Complete,
        Move::CompleteLate,
    ];
}

/// All moves; `None` where one does not fit. A completion that is said again changes nothing.
pub fn next(state: State, step: Move) -> Option<State> {
    match (state, step) {
        (State::Waiting, Move::Take) => Some(State::Leased),
        (State::Leased, Move::Renew) => Some(State::Leased),
        (State::Leased, Move::Lapse) => Some(State::Waiting),
        (State::Leased | State::Done, Move::Complete) => Some(State::Done),
        (_, Move::CompleteLate) => None,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_table_is_the_one_in_doc_states() {
        let head = "# States of a task for workers\n\nPrinted from `crates/node/src/desk/state.rs` by \
             its test (`UPDATE=1 cargo test -p node`).\nRows are what happens, columns \
             where the task is; a dash is a move that is refused.";
        let table = crate::written::table_of_moves(head, &State::ALL, &Move::ALL, next);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../doc/states/worker.md");
        crate::written::check(path, &table);
    }
}
