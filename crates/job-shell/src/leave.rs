//! The end of the shell: the last of the output is stored, job-exec receives the result
//! and answers that the outcome is safe. Or nobody wants to know, and everything goes.

use std::time::Duration;

use node::Cx;
use proto::job_exec::{GuestLines, ShellExit};
use proto::{Method as _, Refusal};

use crate::JobShell;
use crate::greet::is_final;
use crate::limits::ORPHAN_TERM_MS;
use crate::signals::{SIGKILL, SIGTERM};
use crate::state::{Move, State};
use crate::worker::Files;

impl JobShell {
    /// Goes on to report to job-exec once nothing of ours is under way.
    pub(crate) fn leave_if_drained(&mut self, cx: &mut Cx<Self>) {
        if self.state() == State::Draining && !self.store.array.is_empty() {
            // Results of elements go before the report, which has no place for them.
            self.send_off(cx);
        }
        let is_heard = self.outbox.is_empty() && self.others.is_settled();
        let is_busy = !self.store.is_idle() || self.n_writes > 0;
        let is_busy = is_busy || !is_heard || !self.helpers.is_idle();
        let terminals = self.terminals.as_ref();
        let is_busy = is_busy || terminals.is_some_and(|terminals| !terminals.is_idle());
        let is_busy = is_busy || !self.coprocesses.is_idle();
        let is_busy = is_busy || !self.store.array.is_empty();
        if self.state() != State::Draining || is_busy || !self.step(Move::Drained) {
            return;
        }
        self.clear_helpers(cx);
        self.clear_terminals(cx);
        // Before anybody learns that we are done, nothing is left lying about.
        cx.quick_work(Files::tidy, |core: &mut JobShell, cx, ()| core.report(cx));
    }

    /// Reports the result to job-exec, with the lines left to be stored.
    fn report(&mut self, cx: &mut Cx<Self>) {
        let exit = ShellExit {
            id: self.launch.id,
            rank: self.place.rank,
            lease: self.launch.lease.clone(),
            code: self.code,
            lines: GuestLines {
                log: self.store.log.clone(),
                output: self.store.output.clone(),
                input: self.store.input.clone(),
            },
        };
        cx.call(&exit, |core: &mut JobShell, cx, result| match result {
            Ok(_) => core.acknowledged(cx),
            Err(error) if is_final(&error) => {
                tracing::debug!("job-exec.shell-exit: {error}");
                core.acknowledged(cx);
            }
            Err(error) => {
                let wait = core.next_backoff(ShellExit::TOPIC, &error);
                cx.timer(wait, |core: &mut JobShell, cx| core.report(cx));
            }
        });
    }

    fn acknowledged(&mut self, cx: &mut Cx<Self>) {
        if self.step(Move::Acknowledged) {
            cx.exit_with(i32::from(self.code));
        }
    }

    /// job-exec does not want us: the tasks are ended without further words.
    pub(crate) fn abandon(&mut self, cx: &mut Cx<Self>, why: &Refusal) {
        tracing::debug!("job={}: dismissed: {why}", self.launch.id);
        self.orphan(cx);
    }

    /// Handles the loss of the broker, or our dismissal: kills the tasks, then exits.
    pub(crate) fn orphan(&mut self, cx: &mut Cx<Self>) {
        if std::mem::replace(&mut self.orphaned, true) {
            return;
        }
        self.code = self.code.max(1);
        self.starting = None;
        self.stop_array();
        if self.children.is_empty() {
            return self.go(cx);
        }
        self.kill_tasks(cx, SIGTERM);
        cx.timer(
            Duration::from_millis(ORPHAN_TERM_MS),
            |core: &mut JobShell, cx| {
                core.kill_tasks(cx, SIGKILL);
                core.go(cx);
            },
        );
    }

    /// Leaves without anybody's consent.
    pub(crate) fn go(&mut self, cx: &mut Cx<Self>) {
        if self.step(Move::Abandoned) {
            self.release_input(cx);
            self.clear_helpers(cx);
            self.clear_terminals(cx);
            self.drop_coprocesses(cx);
            let code = i32::from(self.code);
            cx.quick_work(Files::tidy, move |_, cx, ()| cx.exit_with(code));
        }
    }
}
