//! Tasks on terminals, and the sessions that clients have with them or ask for
//! (protocol/23 section 8). Sessions are defined in the crate `terminus`.

use bytes::Bytes;
use node::{ChildId, Cx, WinSize};
use proto::terminus::shell_name;
use terminus::{Here, Sessions, Terminals};

use crate::JobShell;
use crate::job::Job;
use crate::log::Level;

/// The key of `shell.init` that names the session of task 0, and its value.
pub(crate) const INIT_KEY: (&str, &str) = ("pty", "terminus.0");

/// Character that ends the input of a task that reads from its terminal.
const END: u8 = 0x04;

impl Terminals for JobShell {
    fn terminals(&mut self) -> Option<&mut Sessions> {
        self.terminals.as_mut()
    }

    fn here(&self) -> Here {
        Here {
            env: Some(self.task_env.clone()),
            shell: self.task_env.get("SHELL").cloned(),
            cwd: self.job.as_ref().and_then(|job| job.cwd.clone()),
        }
    }

    fn complain(&mut self, cx: &mut Cx<Self>, message: &str) {
        self.log(cx, Level::Error, Some("pty"), message);
    }

    fn session_ended(&mut self, cx: &mut Cx<Self>) {
        self.leave_if_drained(cx);
    }
}

impl JobShell {
    /// Has sessions from now on.
    pub(crate) fn serve_terminals(&mut self, cx: &Cx<Self>) {
        if let Some(job) = &self.job {
            let name = shell_name(job.userid, job.id);
            let rank = job.node().rank;
            self.terminals = Some(Sessions::new(job.userid, name, rank, cx.now().wall));
        }
    }

    /// A task was started, on a terminal perhaps.
    pub(crate) fn open_terminal(
        &mut self,
        cx: &mut Cx<Self>,
        job: &Job,
        rank: u32,
        child: ChildId,
    ) {
        let pty = job.options.pty.as_ref().filter(|pty| pty.has(rank));
        if let (Some(pty), Some(terminals)) = (pty, &mut self.terminals) {
            terminals.adopt(cx, rank, child, pty.interactive && rank == 0);
        }
    }

    /// True if a child is read when its session says so.
    pub(crate) fn has_terminal(&self, child: ChildId) -> bool {
        let terminals = self.terminals.as_ref();
        terminals.is_some_and(|terminals| terminals.has(child))
    }

    /// Nothing more is sent about sessions.
    pub(crate) fn clear_terminals(&mut self, cx: &mut Cx<Self>) {
        if let Some(terminals) = &mut self.terminals {
            terminals.clear(cx);
        }
    }
}

/// The size of the terminal that a task is started on.
pub(crate) fn terminal_of(job: &Job, rank: u32) -> Option<WinSize> {
    let pty = job.options.pty.as_ref().filter(|pty| pty.has(rank));
    pty.map(|_| terminus::limits::SIZE)
}

/// Appends the end of input for a task on a terminal: at the beginning of a line one key ends
/// it, elsewhere the first only passes on the line so far.
pub(crate) fn with_end(bytes: Bytes, at_line_start: bool) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes.push(END);
    if !at_line_start {
        bytes.push(END);
    }
    bytes.into()
}
