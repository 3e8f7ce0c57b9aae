//! Job shells: their greetings, their last words, and what it means when one is silent.
//!
//! A shell is our child, or was the child of a job-exec before us. It greets again
//! whenever its stream is lost, so nothing here tells a first greeting from a later one
//! but the shell's own word. The lease decides which shell of a job counts.

use std::time::Duration;

use node::{Cx, Reply, Stream, StreamId};
use proto::attr::{Attr, names};
use proto::data::JobId;
use proto::job_exec::{ShellError, ShellExit, ShellHello, ShellJob, ShellOrder};
use proto::{Coded, Empty};
use serde_json::json;

use crate::JobExec;
use crate::core::Stray;
use crate::job::Job;
use crate::limits::{SHELL_DRAIN_MS, SHELL_GRACE_S, STRAY_SHELLS_MAX, STRAY_WAIT_S};
use crate::signals::SIGKILL;
use crate::state::{Move, State};

/// Attributes of the broker that a shell needs.
const SHELL_ATTRS: [Attr; 10] = [
    names::CONTENT_HASH,
    names::HOSTNAME,
    names::INSTANCE_LEVEL,
    names::JOBID_PATH,
    names::LOCAL_URI,
    names::RANK,
    names::RUNDIR,
    names::SECURITY_OWNER,
    names::SIZE,
    names::TBON_INTERFACE_HINT,
];

impl JobExec {
    /// A shell greets.
    pub(crate) fn greet(
        &mut self,
        cx: &mut Cx<Self>,
        hello: ShellHello,
        stream: Stream<ShellHello>,
    ) {
        let id = hello.id;
        let refusal = match self.jobs.get_mut(&id) {
            None => return self.keep_stray(cx, hello, stream),
            Some(job) if job.is_unknown() => return self.keep_stray(cx, hello, stream),
            Some(job) => match job.accept(&hello.lease) {
                Ok(()) if !job.log.is_begun => return self.keep_stray(cx, hello, stream),
                Ok(()) if job.ending.is_some() && !hello.again => ShellError::Canceled,
                Ok(()) => return self.take_orders(cx, &hello, stream),
                Err(error) => error,
            },
        };
        stream.end(cx, Err(refusal.refusal()));
    }

    /// A shell of one of our jobs takes orders from now on.
    fn take_orders(
        &mut self,
        cx: &mut Cx<Self>,
        hello: &ShellHello,
        mut stream: Stream<ShellHello>,
    ) {
        let id = hello.id;
        let Some(job) = self.jobs.get_mut(&id) else {
            return stream.end(cx, Err(ShellError::Unknown.refusal()));
        };
        stream.send(cx, &first_order(cx, job, hello.again));
        let stream_id = stream.id();
        let before = job.shell().and_then(|shell| {
            if let Some(timer) = shell.wait.take() {
                cx.cancel_timer(timer);
            }
            shell.orders.replace(stream)
        });
        self.streams.insert(stream_id, id);
        if let Some(before) = before {
            self.streams.remove(&before.id());
            before.end(cx, Ok(()));
        }
        self.found(cx, id);
    }

    /// The shell of a job that was started before us is there.
    fn found(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if job.state() != State::Waiting || !job.step(Move::Found) {
            return;
        }
        job.is_started = true;
        job.tell_start(cx);
        self.arm_expiry(cx, id);
    }

    /// A shell says its last word. Answered when the outcome is stored.
    pub(crate) fn last_word(
        &mut self,
        cx: &mut Cx<Self>,
        exit: ShellExit,
        reply: Reply<ShellExit>,
    ) {
        let id = exit.id;
        let now = cx.now().wall;
        let Some(job) = self.jobs.get_mut(&id) else {
            return self.keep_stray_exit(cx, exit, reply);
        };
        if job.is_unknown() {
            return self.keep_stray_exit(cx, exit, reply);
        }
        if let Err(error) = job.accept(&exit.lease) {
            return reply.send(cx, Err(error));
        }
        if !job.log.is_begun {
            return self.keep_stray_exit(cx, exit, reply);
        }
        if job.state() == State::Grafting {
            return reply.send(cx, Ok(Empty));
        }
        let is_first = job.state().is_alive();
        if is_first {
            job.log.pending += &exit.log;
            job.log.stamps.note_lines(&exit.log);
            job.log.output += &exit.output;
            let status = i32::from(exit.code) << 8;
            let context = json!({ "rank": exit.rank, "wait_status": status });
            job.log_with(now, "shell-exit", &context);
        }
        if let Some(shell) = job.shell() {
            shell.exits.push(reply);
        }
        if is_first {
            self.found(cx, id);
            self.end(cx, id, i32::from(exit.code) << 8);
        }
    }

    /// A shell that is our child ended. What it wrote last may still come.
    pub(crate) fn shell_exited(&mut self, cx: &mut Cx<Self>, id: JobId, status: i32) {
        let Some(shell) = self.jobs.get_mut(&id).and_then(|job| job.shell()) else {
            return;
        };
        shell.ended = Some(status);
        if shell.n_streams == 0 {
            return self.shell_over(cx, id);
        }
        // Something that it left behind may hold its streams open for ever.
        let wait = Duration::from_millis(SHELL_DRAIN_MS);
        cx.timer(wait, move |core, cx| core.shell_over(cx, id));
    }

    /// A shell closed one of its standard streams.
    pub(crate) fn stream_closed(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(shell) = self.jobs.get_mut(&id).and_then(|job| job.shell()) else {
            return;
        };
        shell.n_streams = shell.n_streams.saturating_sub(1);
        if shell.n_streams == 0 && shell.ended.is_some() {
            self.shell_over(cx, id);
        }
    }

    /// A shell that is our child is gone. One that had said its last word is not missed.
    fn shell_over(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let now = cx.now().wall;
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let Some(shell) = job.shell() else {
            return;
        };
        let (child, ended) = (shell.child.take(), shell.ended.take());
        if let Some(child) = child {
            self.children.remove(&child);
        }
        if let Some(status) = ended
            && job.state().is_alive()
        {
            let context = json!({ "rank": 0, "wait_status": status });
            job.log_with(now, "shell-exit", &context);
            self.end(cx, id, status);
        }
    }

    /// A stream of orders is over without a word: the shell, or its connection, is gone.
    pub(crate) fn orders_lost(&mut self, cx: &mut Cx<Self>, stream: StreamId) {
        let Some(id) = self.streams.remove(&stream) else {
            return;
        };
        if let Some(stray) = self.strays.get_mut(&id) {
            forget_if(&mut stray.hello, stream);
        }
        let Some(shell) = self.jobs.get_mut(&id).and_then(|job| job.shell()) else {
            return;
        };
        if let Some(orders) = shell.orders.take_if(|orders| orders.id() == stream) {
            orders.forget();
        }
        // A child tells by its end; of another we only know that it greets no more.
        if shell.child.is_none() && shell.exits.is_empty() {
            let grace = Duration::from_secs(SHELL_GRACE_S);
            let timer = cx.timer(grace, move |core, cx| core.shell_lost(cx, id));
            shell.wait = Some(timer);
        }
    }

    fn shell_lost(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        if job.state().is_alive() {
            let (host, rank) = (job.place.host.clone(), job.place.rank);
            let note = format!("lost contact with job shell on {host} (rank {rank})");
            self.raise(cx, id, 0, &note);
            self.end(cx, id, SIGKILL);
        }
    }

    fn keep_stray(&mut self, cx: &mut Cx<Self>, hello: ShellHello, stream: Stream<ShellHello>) {
        let id = hello.id;
        if self.strays.len() >= STRAY_SHELLS_MAX && !self.strays.contains_key(&id) {
            return stream.end(cx, Err(ShellError::Busy.refusal()));
        }
        self.streams.insert(stream.id(), id);
        let stray = self.stray(cx, id);
        if let Some((_, before)) = stray.hello.replace((hello, stream)) {
            self.streams.remove(&before.id());
            before.end(cx, Err(ShellError::Replaced.refusal()));
        }
    }

    fn keep_stray_exit(&mut self, cx: &mut Cx<Self>, exit: ShellExit, reply: Reply<ShellExit>) {
        if self.strays.len() >= STRAY_SHELLS_MAX && !self.strays.contains_key(&exit.id) {
            return reply.send(cx, Err(ShellError::Busy));
        }
        let stray = self.stray(cx, exit.id);
        if let Some((_, before)) = stray.exit.replace((exit, reply)) {
            before.send(cx, Err(ShellError::Replaced));
        }
    }

    fn stray(&mut self, cx: &mut Cx<Self>, id: JobId) -> &mut Stray {
        let stray = self.strays.entry(id).or_default();
        if stray.timer.is_none() {
            let wait = Duration::from_secs(STRAY_WAIT_S);
            stray.timer = Some(cx.timer(wait, move |core, cx| core.send_stray_away(cx, id)));
        }
        stray
    }

    /// Nobody asks for the job of this shell: it is to end its tasks and go.
    fn send_stray_away(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(stray) = self.strays.remove(&id) else {
            return;
        };
        if let Some((_, stream)) = stray.hello {
            self.streams.remove(&stream.id());
            stream.end(cx, Err(ShellError::Unknown.refusal()));
        }
        if let Some((_, reply)) = stray.exit {
            reply.send(cx, Err(ShellError::Unknown));
        }
    }

    /// The job of a shell that had greeted before is known now.
    pub(crate) fn admit_stray(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(stray) = self.strays.remove(&id) else {
            return;
        };
        if let Some(timer) = stray.timer {
            cx.cancel_timer(timer);
        }
        if let Some((hello, stream)) = stray.hello {
            self.streams.remove(&stream.id());
            self.greet(cx, hello, stream);
        }
        if let Some((exit, reply)) = stray.exit {
            self.last_word(cx, exit, reply);
        }
    }
}

/// Drops a stray's stream that is over.
fn forget_if(hello: &mut Option<(ShellHello, Stream<ShellHello>)>, stream: StreamId) {
    if let Some((_, over)) = hello.take_if(|(_, kept)| kept.id() == stream) {
        over.forget();
    }
}

/// What a shell is told first.
fn first_order(cx: &Cx<JobExec>, job: &Job, again: bool) -> ShellOrder {
    let attrs = SHELL_ATTRS.iter().filter_map(|attr| {
        let value = cx.attr(attr)?;
        Some((attr.name.to_owned(), value.to_owned()))
    });
    let whole = || ShellJob {
        userid: job.userid,
        jobspec: job.jobspec.clone(),
        r: job.r.clone(),
        namespace: job.id.guest_namespace(),
        t_log: job.log.stamps.last(),
        attrs: attrs.collect(),
    };
    ShellOrder {
        job: (!again).then(whole),
        signal: job
            .ending
            .as_ref()
            .map(|ending| ending.signal)
            .filter(|signum| *signum > 0),
        expiration: Some(job.expiration),
        lost: None,
    }
}

impl Job {
    /// Whether its shell has to wait until it is known what became of it before us.
    fn is_unknown(&self) -> bool {
        self.state() == State::Recovering
    }

    /// Whether the shell with this lease is the one that counts. The first one to report
    /// after our restart is.
    fn accept(&mut self, lease: &str) -> Result<(), ShellError> {
        let is_waiting = self.state() == State::Waiting;
        let shell = self.shell().ok_or(ShellError::Unknown)?;
        if is_waiting && shell.lease.is_empty() {
            lease.clone_into(&mut shell.lease);
        }
        match shell.lease == lease {
            true => Ok(()),
            false => Err(ShellError::Replaced),
        }
    }
}
