//! Input of tasks whose shell does not lead: it follows the log `input`, which the leading shell
//! writes, in the key-value store of its own broker (protocol/21 section 9).

use std::rc::Rc;

use bytes::Bytes;
use node::{Call, Cx};
use proto::data::Entry;
use proto::data::eventlog::decode_log;
use proto::data::stdio::StdioEvent;
use proto::kvs::{WAITCREATE, WATCH, WATCH_APPEND};
use proto::kvs_watch::{Lookup, Watched};
use proto::{Errno, Method as _, Refusal};

use crate::JobShell;
use crate::core::RETRY_FIRST;
use crate::job::Job;
use crate::log::Level;
use crate::state::State;

impl JobShell {
    /// Reads the input logged by the leading shell, unless tasks read a file.
    pub(crate) fn follow_input(&mut self, cx: &mut Cx<Self>, job: &Rc<Job>) {
        if job.options.stdin_file.is_some() {
            return;
        }
        let flags = WATCH | WATCH_APPEND | WAITCREATE;
        let lookup = Lookup::new(&job.namespace, "input", flags);
        // Input received by a watch that was lost.
        let mut known = self.input.followed;
        let job = job.clone();
        cx.stream_with(
            Call::new(&lookup),
            move |core: &mut JobShell, cx, result: Result<Watched, Refusal>| match result {
                Ok(watched) => {
                    core.backoff = RETRY_FIRST;
                    let mut bytes = watched.bytes().unwrap_or_default();
                    let skipped = bytes.split_to(known.min(bytes.len()));
                    known -= skipped.len();
                    core.logged(cx, job.ntasks, &bytes);
                }
                Err(error) => core.follow_again(cx, &job, &error),
            },
        );
    }

    /// More of the log.
    fn logged(&mut self, cx: &mut Cx<Self>, ntasks: u64, bytes: &Bytes) {
        self.input.followed += bytes.len();
        let entries: Vec<Entry> = match decode_log(bytes) {
            Ok(entries) => entries,
            Err(error) => {
                let message = format!("malformed log of input: {error}");
                return self.log(cx, Level::Error, Some("input.kvs"), &message);
            }
        };
        for entry in entries {
            if let Ok(StdioEvent::Data(data)) = StdioEvent::from_entry(&entry) {
                self.take_logged(cx, ntasks, &data);
            }
        }
    }

    /// Handles the end of the watch. It goes on where it was, if its service was
    /// restarted.
    fn follow_again(&mut self, cx: &mut Cx<Self>, job: &Rc<Job>, error: &Refusal) {
        let is_wanted = matches!(self.state(), State::Running);
        if !is_wanted || error.errno == Errno::ENODATA {
            return;
        }
        let is_restarted = matches!(error.errno, Errno::EHOSTUNREACH | Errno::ENOSYS);
        if is_restarted {
            let wait = self.next_backoff(Lookup::TOPIC, error);
            let job = job.clone();
            cx.timer(wait, move |core: &mut JobShell, cx| {
                core.follow_input(cx, &job);
            });
            return;
        }
        let message = format!("error watching input: {error}");
        self.log(cx, Level::Error, Some("input.kvs"), &message);
        self.end_input(cx);
    }
}
