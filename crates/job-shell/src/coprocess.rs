//! Helpers beside the tasks, by option `coprocess` (protocol/23 section 13): they are started when all
//! tasks here were, write to files, and are to end when the tasks have.
//!
//! A file that several shells share is written by the leading one: the others send it the output
//! of their helpers, a piece at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use node::{Call, ChildEvent, ChildId, Cx, Peer, Spawn, Stdio};
use proto::job_shell::{CoprocessError, CoprocessWrite};
use proto::{Empty, Errno, Method as _, Refusal};

use crate::JobShell;
use crate::core::RETRY_FIRST;
use crate::greet::may_pass;
use crate::job::Job;
use crate::limits::{COPROCESS_PENDING_BYTES_MAX, COPROCESS_WAIT_S};
use crate::log::Level;
use crate::mustache::{JobTags, Tags};
use crate::options::Coprocess;
use crate::prepare::node_tags;
use crate::signals::{SIGKILL, SIGTERM};
use crate::worker::Files;

/// The part of the shell that speaks.
const NAME: &str = "coprocess";

/// Helpers beside the tasks.
#[derive(Debug, Default)]
pub(crate) struct Coprocesses {
    running: BTreeMap<ChildId, Running>,
    /// Files that we write for other shells, by the helper's name.
    shared: BTreeMap<String, Shared>,
    /// Messages still to be sent to the leading shell.
    outbox: VecDeque<CoprocessWrite>,
    outbox_bytes: usize,
    is_telling: bool,
    is_paused: bool,
}

/// One of ours.
#[derive(Debug)]
struct Running {
    name: String,
    /// File for its output, if not at the leading shell.
    path: Option<String>,
    has_exited: bool,
    /// Streams of it that are open.
    n_open: usize,
}

/// A file for the helpers of several shells.
#[derive(Debug)]
struct Shared {
    path: String,
    /// Other shells whose helpers write to it.
    left: BTreeSet<u32>,
}

impl Coprocesses {
    /// True if none runs and nothing is under way.
    pub fn is_idle(&self) -> bool {
        let is_heard = self.shared.values().all(|shared| shared.left.is_empty());
        self.running.is_empty() && self.outbox.is_empty() && is_heard
    }
}

/// The file of a helper, as the shell of this rank has it.
fn path_of(helper: &Coprocess, tags: &JobTags, job: &Job, shell: &JobShell, rank: u32) -> String {
    let node = node_tags(job, &shell.placement, rank);
    let tags = Tags {
        job: tags,
        node: Some(&node),
        task: None,
        element: None,
    };
    let output = helper.output.clone();
    tags.render(&output.unwrap_or_else(|| format!("coproc-{}-{{{{id}}}}.log", helper.name)))
}

impl JobShell {
    /// Starts those of this shell, and makes the files that others share.
    pub(crate) fn start_coprocesses(&mut self, cx: &mut Cx<Self>) {
        let Some(job) = self.job.clone() else {
            return;
        };
        let Some(tags) = self.job_tags.clone() else {
            return;
        };
        for helper in &job.options.coprocesses {
            self.start_coprocess(cx, &job, &tags, helper);
        }
    }

    fn start_coprocess(
        &mut self,
        cx: &mut Cx<Self>,
        job: &Rc<Job>,
        tags: &JobTags,
        helper: &Coprocess,
    ) {
        let runs_on = |rank: u32| {
            helper
                .ranks
                .as_ref()
                .is_none_or(|ranks| ranks.contains(rank))
        };
        let others: BTreeSet<u32> = (1..job.place.size).filter(|rank| runs_on(*rank)).collect();
        let own = path_of(helper, tags, job, self, job.place.rank);
        // One name for all, and not by chance.
        let of = |rank: u32| path_of(helper, tags, job, self, rank);
        let is_shared = !others.is_empty() && others.iter().all(|rank| of(*rank) == of(0));
        let is_leader = job.is_leader();
        if is_shared && is_leader {
            let shared = Shared {
                path: own.clone(),
                left: others,
            };
            self.coprocesses.shared.insert(helper.name.clone(), shared);
        }
        let is_ours = runs_on(job.place.rank);
        let path = (!is_shared || is_leader).then_some(own);
        let file = path.clone().filter(|_| is_ours || is_shared);
        if let Some(file) = file {
            cx.work(
                move |files: &mut Files| files.create_private(&file),
                |core: &mut JobShell, cx, made| core.coprocess_wrote(cx, made),
            );
        }
        if is_ours {
            self.spawn_coprocess(cx, helper, path);
        }
    }

    fn spawn_coprocess(&mut self, cx: &mut Cx<Self>, helper: &Coprocess, path: Option<String>) {
        let child = cx.spawn(Spawn {
            argv: helper.command.clone(),
            stdout: Stdio::Pipe,
            stderr: Stdio::Pipe,
            new_group: true,
            end_with_us: Some(SIGKILL),
            ..Spawn::default()
        });
        let running = Running {
            name: helper.name.clone(),
            path,
            has_exited: false,
            n_open: 2,
        };
        self.coprocesses.running.insert(child, running);
    }

    /// Something happened to a helper; gives it back if it is none.
    pub(crate) fn coprocess_event(
        &mut self,
        cx: &mut Cx<Self>,
        child: ChildId,
        event: ChildEvent,
    ) -> Option<ChildEvent> {
        let Some(running) = self.coprocesses.running.get_mut(&child) else {
            return Some(event);
        };
        match event {
            ChildEvent::Output { data, eof, .. } => {
                running.n_open = running.n_open.saturating_sub(usize::from(eof));
                let (name, path) = (running.name.clone(), running.path.clone());
                self.coprocess_says(cx, name, path, &data);
            }
            ChildEvent::Exited { .. } => running.has_exited = true,
            ChildEvent::Failed { errno } => {
                let why = errno
                    .text()
                    .map_or_else(|| errno.to_string(), str::to_owned);
                let text = format!("{}: launch failed: {why}", running.name);
                (running.has_exited, running.n_open) = (true, 0);
                self.log(cx, Level::Error, Some(NAME), &text);
            }
            _ => {}
        }
        self.coprocess_over(cx, child);
        None
    }

    fn coprocess_says(
        &mut self,
        cx: &mut Cx<Self>,
        name: String,
        path: Option<String>,
        data: &Bytes,
    ) {
        if data.is_empty() {
            return;
        }
        match path {
            Some(path) => self.add_to_coprocess_file(cx, path, data.clone()),
            None => {
                let (data, encoding) = match std::str::from_utf8(data) {
                    Ok(text) => (text.to_owned(), None),
                    Err(_) => (STANDARD.encode(data), Some("base64".to_owned())),
                };
                self.coprocesses.outbox_bytes += data.len();
                self.coprocesses.outbox.push_back(CoprocessWrite {
                    name,
                    data: Some(data),
                    encoding,
                    eof_rank: None,
                });
                self.notify_coprocesses(cx);
            }
        }
        self.regulate_coprocesses(cx);
    }

    fn add_to_coprocess_file(&mut self, cx: &mut Cx<Self>, path: String, data: Bytes) {
        self.n_writes += 1;
        cx.work(
            move |files: &mut Files| files.add(&path, &data),
            |core: &mut JobShell, cx, added| {
                core.n_writes -= 1;
                core.coprocess_wrote(cx, added);
                core.regulate_coprocesses(cx);
                core.leave_if_drained(cx);
            },
        );
    }

    fn coprocess_wrote(&mut self, cx: &mut Cx<Self>, result: Result<(), String>) {
        if let Err(why) = result {
            self.log(cx, Level::Error, Some(NAME), &why);
        }
    }

    /// Has helpers wait while there is no room for their output.
    fn regulate_coprocesses(&mut self, cx: &mut Cx<Self>) {
        let is_full = self.coprocesses.outbox_bytes >= COPROCESS_PENDING_BYTES_MAX;
        let is_full = is_full || self.n_writes >= crate::limits::WRITES_MAX;
        if std::mem::replace(&mut self.coprocesses.is_paused, is_full) != is_full {
            for child in self.coprocesses.running.keys() {
                cx.pause_child(*child, is_full);
            }
        }
    }

    fn coprocess_over(&mut self, cx: &mut Cx<Self>, child: ChildId) {
        let running = self.coprocesses.running.get(&child);
        if !running.is_some_and(|running| running.has_exited && running.n_open == 0) {
            return;
        }
        let gone = self.coprocesses.running.remove(&child);
        if let Some(gone) = gone.filter(|gone| gone.path.is_none()) {
            self.coprocesses.outbox.push_back(CoprocessWrite {
                name: gone.name,
                data: None,
                encoding: None,
                eof_rank: Some(self.place.rank),
            });
            self.notify_coprocesses(cx);
        }
        self.leave_if_drained(cx);
    }

    /// Hands the leading shell the next piece.
    fn notify_coprocesses(&mut self, cx: &mut Cx<Self>) {
        let next = self.coprocesses.outbox.front().cloned();
        let topic = self.leader_topic(CoprocessWrite::TOPIC);
        let (Some(next), Some((rank, topic))) = (next, topic) else {
            return;
        };
        if std::mem::replace(&mut self.coprocesses.is_telling, true) {
            return;
        }
        let call = Call::new(&next).to(rank).topic(&topic);
        cx.call_with(call, |core: &mut JobShell, cx, result| {
            core.coprocesses.is_telling = false;
            core.coprocess_told(cx, result);
        });
    }

    fn coprocess_told(&mut self, cx: &mut Cx<Self>, result: Result<Empty, Refusal>) {
        match result {
            Err(error) if may_pass(&error) && error.errno != Errno::ENOENT => {
                let wait = self.next_backoff(CoprocessWrite::TOPIC, &error);
                cx.timer(wait, JobShell::notify_coprocesses);
                return;
            }
            Err(error) => tracing::debug!("{}: {error}", CoprocessWrite::TOPIC),
            Ok(Empty) => self.backoff = RETRY_FIRST,
        }
        if let Some(told) = self.coprocesses.outbox.pop_front() {
            self.coprocesses.outbox_bytes -= told.data.map_or(0, |data| data.len());
        }
        self.notify_coprocesses(cx);
        self.regulate_coprocesses(cx);
        self.leave_if_drained(cx);
    }

    /// Receives output of a helper from another shell.
    pub(crate) fn take_coprocess(
        &mut self,
        cx: &mut Cx<Self>,
        peer: &Peer,
        request: CoprocessWrite,
    ) -> Result<Empty, CoprocessError> {
        let job = self.job.as_ref();
        if !job.is_some_and(|job| peer.may_act_for(job.userid)) {
            return Err(CoprocessError::NotYours);
        }
        let shared = self.coprocesses.shared.get_mut(&request.name);
        let shared = shared.ok_or(CoprocessError::Unknown)?;
        if let Some(rank) = request.eof_rank {
            shared.left.remove(&rank);
        }
        let path = shared.path.clone();
        let data = match (request.data, request.encoding.as_deref()) {
            (None, _) => Bytes::new(),
            (Some(text), None) => text.into(),
            (Some(text), Some("base64")) => match STANDARD.decode(text) {
                Ok(data) => data.into(),
                Err(_) => return Err(CoprocessError::Malformed),
            },
            _ => return Err(CoprocessError::Malformed),
        };
        if data.is_empty() {
            self.leave_if_drained(cx);
        } else {
            self.add_to_coprocess_file(cx, path, data);
        }
        Ok(Empty)
    }

    /// Handles the loss of a shell with its helpers.
    pub(crate) fn lost_coprocesses(&mut self, shell: u32) {
        for shared in self.coprocesses.shared.values_mut() {
            shared.left.remove(&shell);
        }
    }

    /// The tasks have ended: helpers are to end too, and do within a time.
    pub(crate) fn end_coprocesses(&mut self, cx: &mut Cx<Self>) {
        let wait = self.job.as_ref().map(|job| job.options.coprocess_kill);
        let Some(wait) = wait.filter(|_| !self.coprocesses.is_idle()) else {
            return;
        };
        self.signal_coprocesses(cx, SIGTERM);
        cx.timer(wait, |core: &mut JobShell, cx| {
            if !core.coprocesses.running.is_empty() {
                let text = "coprocess: helper(s) still running, sending SIGKILL";
                core.warn(cx, NAME, text);
                core.signal_coprocesses(cx, SIGKILL);
            }
        });
        // Another shell may be lost without notice after its tasks have ended.
        let patience = Duration::from_secs(COPROCESS_WAIT_S);
        cx.timer(wait.saturating_add(patience), |core: &mut JobShell, cx| {
            core.coprocesses.shared.clear();
            core.leave_if_drained(cx);
        });
    }

    fn signal_coprocesses(&mut self, cx: &mut Cx<Self>, signum: i32) {
        for child in self.coprocesses.running.keys() {
            cx.kill_child(*child, signum, true);
        }
    }

    /// Nobody waits for helpers any more.
    pub(crate) fn drop_coprocesses(&mut self, cx: &mut Cx<Self>) {
        self.signal_coprocesses(cx, SIGKILL);
    }
}
