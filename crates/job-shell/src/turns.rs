//! Turns of shells at writing to the job's log. The tasks of the leading shell are beside it,
//! and the output of the others arrives in messages: without turns the former would be done
//! long before the latter, which could not help it, and the time after a job's first exit would
//! run. A shell that has more to send than fits at once sets a flag: until its next message,
//! the leading shell's tasks write no more than it could.

use std::collections::BTreeSet;

use crate::limits::TURN_BYTES_MAX;

/// Progress of the leading shell's tasks in this turn, and the shells still to be
/// processed in it.
#[derive(Debug, Default)]
pub struct Turns {
    /// Bytes that our own tasks wrote.
    own: usize,
    /// Shells that had more to send with their last message.
    behind: BTreeSet<u32>,
    /// Shells from which nothing was received in this turn.
    awaited: BTreeSet<u32>,
}

impl Turns {
    /// Our own tasks wrote something.
    pub fn wrote(&mut self, bytes: usize) {
        self.own = self.own.saturating_add(bytes);
    }

    /// A shell has sent a batch, and whether it has more to send.
    pub fn heard(&mut self, shell: u32, has_more: bool) {
        match has_more {
            true => self.behind.insert(shell),
            false => self.behind.remove(&shell),
        };
        self.awaited.remove(&shell);
        if self.awaited.is_empty() {
            self.own = 0;
            self.awaited = self.behind.clone();
        }
    }

    /// True if our own tasks are to wait for others.
    pub fn is_over(&self) -> bool {
        self.own >= TURN_BYTES_MAX && !self.awaited.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_tasks_wait_only_for_those_who_have_more_to_tell() {
        let mut turns = Turns::default();
        turns.wrote(TURN_BYTES_MAX);
        assert!(!turns.is_over(), "nobody has said anything");
        turns.heard(1, false);
        turns.wrote(TURN_BYTES_MAX);
        assert!(!turns.is_over(), "the other has told all");
        turns.heard(1, true);
        turns.heard(2, true);
        assert!(!turns.is_over(), "it is our turn");
        turns.wrote(TURN_BYTES_MAX);
        assert!(turns.is_over());
        turns.heard(1, true);
        turns.wrote(TURN_BYTES_MAX);
        assert!(turns.is_over(), "2 was not heard");
        turns.heard(2, true);
        assert!(
            turns.is_over(),
            "2 was heard in the turn before, not in this one"
        );
        turns.heard(1, true);
        assert!(!turns.is_over(), "all were heard");
        turns.wrote(TURN_BYTES_MAX);
        turns.heard(1, false);
        turns.heard(2, false);
        assert!(!turns.is_over(), "all is told");
    }
}
