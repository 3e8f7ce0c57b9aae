//! The leading shell receives from the others: it writes for all of them, and waits until the
//! tasks of all have ended. Messages that it has no room for wait at their sender, and so do
//! the tasks that wrote them.

use std::collections::{BTreeMap, BTreeSet};

use node::Cx;
use proto::job_exec::{LostShells, ShellBatches, ShellHear};
use proto::{Method as _, Refusal};
use serde_json::json;

use crate::JobShell;
use crate::core::RETRY_FIRST;
use crate::greet::may_pass;
use crate::log::Level;
use crate::messages::ShellMessage;
use crate::tasks::FirstExit;
use crate::turns::Turns;

/// The other shells, as the leading one knows them.
#[derive(Debug, Default)]
pub struct Others {
    /// Shells whose tasks have not all ended.
    left: BTreeSet<u32>,
    /// The last batch that was received from each.
    seqs: BTreeMap<u32, u64>,
    /// Position up to which messages of job-exec were received.
    at: u64,
    /// A question is under way.
    is_asking: bool,
    /// job-exec does not know yet which batches were received.
    owes: bool,
    /// Turns in which we process their messages and our own tasks.
    pub turns: Turns,
}

impl Others {
    /// All shells but the leading one.
    pub fn of(size: u32) -> Others {
        Others {
            left: (1..size).collect(),
            ..Others::default()
        }
    }

    /// True if all have reported that their tasks have ended, or are lost.
    pub fn are_complete(&self) -> bool {
        self.left.is_empty()
    }

    /// True if job-exec knows the position received.
    pub fn is_settled(&self) -> bool {
        self.left.is_empty() && !self.owes
    }

    /// True if a batch is new: a repeated one is processed once.
    fn admit(&mut self, shell: u32, seq: u64) -> bool {
        let last = self.seqs.entry(shell).or_default();
        let is_new = seq > *last;
        *last = seq.max(*last);
        is_new
    }
}

impl JobShell {
    /// Asks for messages of the others, unless there is no room for them.
    pub(crate) fn receive_from_shells(&mut self, cx: &mut Cx<Self>) {
        if self.others.is_asking || self.others.is_settled() {
            return;
        }
        (self.others.is_asking, self.others.owes) = (true, false);
        let hear = ShellHear {
            id: self.launch.id,
            rank: self.place.rank,
            lease: self.launch.lease.clone(),
            after: self.others.at,
        };
        cx.call(&hear, |core: &mut JobShell, cx, result| {
            core.others.is_asking = false;
            match result {
                Ok(heard) => core.heard(cx, heard),
                Err(error) if !may_pass(&error) => core.deaf(cx, &error),
                Err(error) => {
                    let wait = core.next_backoff(ShellHear::TOPIC, &error);
                    core.others.is_asking = true;
                    cx.timer(wait, |core: &mut JobShell, cx| {
                        core.others.is_asking = false;
                        core.others.owes = true;
                        core.receive_from_shells(cx);
                    });
                }
            }
        });
    }

    fn heard(&mut self, cx: &mut Cx<Self>, heard: ShellBatches) {
        self.backoff = RETRY_FIRST;
        self.others.at = heard.at;
        self.others.owes = true;
        for batch in heard.words {
            if !self.others.admit(batch.rank, batch.seq) {
                continue;
            }
            let mut has_more = false;
            for word in &batch.words {
                match word.parse() {
                    Ok(ShellMessage::More) => has_more = true,
                    Ok(word) => self.receive_message(cx, batch.rank, word),
                    Err(error) => tracing::error!("shell {}: {error}", batch.rank),
                }
            }
            self.others.turns.heard(batch.rank, has_more);
        }
        self.regulate(cx);
        self.leave_if_drained(cx);
    }

    fn receive_message(&mut self, cx: &mut Cx<Self>, shell: u32, word: ShellMessage) {
        match word {
            ShellMessage::Data(data) => self.take_data(cx, data),
            ShellMessage::Log(log) => self.write_log(cx, log),
            ShellMessage::Exit(exit) => self.job_exit(cx, FirstExit::Task(shell, exit)),
            ShellMessage::More => {}
            ShellMessage::Complete => self.shell_done(cx, shell),
        }
    }

    /// Nothing more comes from a shell.
    fn shell_done(&mut self, cx: &mut Cx<Self>, shell: u32) {
        self.others.turns.heard(shell, false);
        // Elements that ended there were reported before.
        self.lost_elements(cx, shell);
        if self.others.left.remove(&shell) && self.others.are_complete() {
            self.others_done(cx);
        }
    }

    /// Handles the loss of shells with their tasks.
    pub(crate) fn lost_shells(&mut self, cx: &mut Cx<Self>, lost: LostShells) {
        if !lost.message.is_empty() {
            self.log(cx, Level::Warn, Some("exception"), &lost.message);
        }
        for shell in lost.ranks.iter() {
            if self.others.left.contains(&shell) {
                let args = json!({ "shell_rank": shell, "severity": 0 });
                self.announce_topic(cx, "shell.lost", &args);
                if self.array.is_none() {
                    self.job_exit(cx, FirstExit::Shell(shell));
                }
                self.shell_done(cx, shell);
            }
            self.lost_coprocesses(shell);
        }
        self.regulate(cx);
        self.leave_if_drained(cx);
    }

    /// job-exec has nothing for us any more.
    fn deaf(&mut self, cx: &mut Cx<Self>, error: &Refusal) {
        tracing::debug!("job={} {}: {error}", self.launch.id, ShellHear::TOPIC);
        self.others.owes = false;
        let left = std::mem::take(&mut self.others.left);
        for shell in &left {
            self.lost_elements(cx, *shell);
        }
        if !left.is_empty() {
            self.others_done(cx);
        }
        self.regulate(cx);
        self.leave_if_drained(cx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_is_told_twice_is_heard_once() {
        let mut others = Others::of(3);
        assert!(others.admit(1, 1) && others.admit(2, 1) && others.admit(1, 2));
        assert!(!others.admit(1, 2) && !others.admit(2, 1));
        assert!(others.admit(2, 2));
    }
}
