//! The job shell of our own rank: its start, its greeting, its last message, and the
//! meaning of its silence.
//!
//! A shell is our child, or was the child of a job-exec before us. It greets again
//! whenever its stream is lost, so only the shell's own message distinguishes a first
//! greeting from a later one. The lease decides which shell of a job counts.

use std::time::Duration;

use node::{ChildEvent, ChildId, Cx, Reply, Spawn, Stdio, Stream, StreamId, TimerId};
use proto::attr::{Attr, names, uri_file};
use proto::data::job::JobStep;
use proto::data::{IdSet, JobId};
use proto::job_exec::{
    Dismissal, Ended, How, LostShells, Order, Pressure, ShellError, ShellExit, ShellHello,
    ShellJob, ShellOrder, ShellTellError, Task,
};
use proto::orphans::{Cause, Report};
use proto::{Coded, Empty, Errno, Method as _};

use super::Part;
use super::letters::Telling;
use crate::JobExec;
use crate::begin::JOB_SHELL;
use crate::job::Job;
use crate::limits::{SHELL_DRAIN_MS, SHELL_GRACE_S};
use crate::mail::Mailbox;
use crate::process::Process;
use crate::signals::SIGKILL;

/// The job shell of our own rank.
#[derive(Default)]
pub struct Shell {
    /// It, while it is our child.
    pub child: Option<ChildId>,
    /// Process, if an earlier job-exec has recorded it.
    pub process: Option<Process>,
    /// The stream on which it takes orders.
    orders: Option<Stream<ShellHello>>,
    /// True if it has greeted once.
    has_greeted: bool,
    /// `Some` if it waits for its first order; true if it knows its job already.
    waits: Option<bool>,
    /// Last word, which waits for the outcome to be stored.
    exits: Vec<Reply<ShellExit>>,
    /// True if it has said that.
    has_left: bool,
    /// Exit status, while its streams are still open.
    ended: Option<i32>,
    /// Standard streams of it that are open.
    n_streams: u8,
    /// Bytes that it wrote to its standard streams.
    pub log_bytes: usize,
    /// Runs while it has no connection.
    wait: Option<TimerId>,
    /// Messages of other shells.
    pub mail: Mailbox,
    /// Messages to the leading shell, until they are taken.
    pub tells: Option<Telling>,
}

/// Attributes of the broker that a shell needs.
const SHELL_ATTRS: [Attr; 13] = [
    names::CONF_SHELL_INITRC,
    names::CONF_SHELL_PLUGINPATH,
    names::CONTENT_HASH,
    names::HOSTNAME,
    names::INSTANCE_LEVEL,
    names::JOBID_PATH,
    names::LOCAL_URI,
    names::RANK,
    names::RUNDIR,
    names::RUNDIR_CLEANUP,
    names::SECURITY_OWNER,
    names::SIZE,
    names::TBON_INTERFACE_HINT,
];

impl Shell {
    /// True if it has come up.
    pub fn has_greeted(&self) -> bool {
        self.has_greeted
    }

    /// True if it receives nothing any more.
    pub fn is_over(&self) -> bool {
        self.has_left
    }

    fn send(&mut self, cx: &mut Cx<JobExec>, order: &ShellOrder) -> bool {
        match (&mut self.orders, self.waits) {
            (Some(orders), None) => {
                orders.send(cx, order);
                true
            }
            _ => false,
        }
    }

    /// Sends it the loss of other shells.
    pub fn send_lost(&mut self, cx: &mut Cx<JobExec>, lost: &LostShells) {
        let lost = Some(lost.clone());
        let order = ShellOrder {
            lost,
            ..ShellOrder::default()
        };
        self.send(cx, &order);
    }

    /// Sends it the end of its job's time.
    pub fn send_expiration(&mut self, cx: &mut Cx<JobExec>, expiration: f64) {
        let order = ShellOrder {
            expiration: Some(expiration),
            ..ShellOrder::default()
        };
        self.send(cx, &order);
    }

    /// Tells it that its job's namespace is there.
    pub fn send_namespace(&mut self, cx: &mut Cx<JobExec>) {
        let order = ShellOrder {
            namespace: true,
            ..ShellOrder::default()
        };
        self.send(cx, &order);
    }

    /// Signals its tasks, now or when it reports; or itself and the rest of its process
    /// group, if it is our child.
    pub fn press(&mut self, cx: &mut Cx<JobExec>, press: Pressure) {
        let order = ShellOrder {
            signal: Some(press.signum),
            ..ShellOrder::default()
        };
        let is_told = !press.shells && self.send(cx, &order);
        if let (false, Some(child)) = (is_told, self.child) {
            // One that has not come up yet, or a program of another kind.
            cx.kill_child(child, press.signum, true);
        }
    }
}

impl Part {
    /// Checks that the shell with this lease is the current one. The first one to report
    /// after our restart is.
    fn accept(&mut self, rank: u32, lease: &str) -> Result<(), ShellError> {
        if self.lease.is_empty() && self.awaited.contains(rank) {
            lease.clone_into(&mut self.lease);
        }
        match self.lease == lease && self.ranks.contains(rank) {
            true => Ok(()),
            false => Err(ShellError::Replaced),
        }
    }

    /// First order for a shell.
    fn first_order(
        &self,
        cx: &Cx<JobExec>,
        task: &Task,
        knows: bool,
        lease: Option<Duration>,
    ) -> ShellOrder {
        let attrs = SHELL_ATTRS.iter().filter_map(|attr| {
            let value = cx.attr(attr)?;
            Some((attr.name.to_owned(), value.to_owned()))
        });
        let whole = || ShellJob {
            userid: task.userid,
            jobspec: task.jobspec.clone(),
            r: task.r.clone(),
            namespace: self.id.guest_namespace(),
            t_log: self.begin.unwrap_or_default(),
            attrs: attrs.collect(),
        };
        ShellOrder {
            job: (!knows).then(whole),
            signal: Some(self.signal).filter(|signum| *signum > 0),
            expiration: Some(self.expiration),
            namespace: self.has_namespace,
            lost: None,
            lease: lease.map(|lease| lease.as_secs_f64()),
        }
    }
}

/// The file in which a shell finds the broker that comes in the place of ours. Empty where none
/// will: acknowledged data of an instance are lost with a broker whose directories are removed
/// with it.
fn uri_path(cx: &Cx<JobExec>) -> String {
    let (folder, goes) = match cx.rank() {
        0 => (&names::STATEDIR, &names::STATEDIR_CLEANUP),
        _ => (&names::RUNDIR, &names::RUNDIR_CLEANUP),
    };
    let folder = cx.attr(folder).filter(|_| cx.attr(goes) == Some("0"));
    folder.map_or_else(String::new, |folder| {
        format!("{folder}/{}", uri_file(cx.rank()))
    })
}

impl JobExec {
    /// Starts the shell of our own rank.
    pub(crate) fn launch_own(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let uri = cx.attr(&names::LOCAL_URI).unwrap_or_default().to_owned();
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return;
        };
        let own = part.task.as_ref().and_then(|task| {
            let wanted = task.jobspec.pointer("/attributes/system/exec/job_shell")?;
            wanted.as_str().map(str::to_owned)
        });
        let other = own.or_else(|| self.config.job_shell.clone());
        // Ours can be kept ready.
        let zygote = other.is_none() && !self.job_shell.is_empty();
        let program = other.unwrap_or_else(|| match self.job_shell.is_empty() {
            true => JOB_SHELL.to_owned(),
            false => self.job_shell.clone(),
        });
        let env = [
            ("FLUX_KVS_NAMESPACE", id.guest_namespace()),
            ("FLUX_URI", uri),
            ("FLUX_SHELL_LEASE", part.lease.clone()),
            ("FLUX_SHELL_URI_FILE", uri_path(cx)),
        ];
        let child = cx.spawn(Spawn {
            argv: vec![program, id.get().to_string()],
            env_add: env.map(|(name, value)| (name.to_owned(), value)).into(),
            stdin: Stdio::Null,
            stdout: Stdio::Pipe,
            stderr: Stdio::Pipe,
            new_group: true,
            zygote,
            ..Spawn::default()
        });
        cx.step(id, JobStep::ShellSpawned);
        part.shell.child = Some(child);
        part.shell.n_streams = 2;
        self.hand.children.insert(child, id);
    }

    /// Something happened to a child process.
    pub(crate) fn child_event(&mut self, cx: &mut Cx<Self>, child: ChildId, event: ChildEvent) {
        let Some(id) = self.hand.children.get(&child).copied() else {
            return;
        };
        match event {
            ChildEvent::Started { pid } => {
                cx.step(id, JobStep::ShellRuns);
                self.identify(cx, id, pid);
                self.own_runs(cx, id);
            }
            ChildEvent::Failed { errno } => self.own_failed(cx, child, id, errno),
            ChildEvent::Output { stream, data, eof } => {
                self.shell_wrote(cx, id, stream, &data);
                if eof {
                    self.stream_closed(cx, id);
                }
            }
            ChildEvent::Channel { .. }
            | ChildEvent::ChannelTaken { .. }
            | ChildEvent::InputTaken { .. }
            | ChildEvent::Stopped => {}
            ChildEvent::Exited { status } => self.shell_exited(cx, id, status),
        }
    }

    fn own_runs(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let own = IdSet::from_range(cx.rank(), cx.rank());
        let part = self.hand.parts.get_mut(&id);
        if part.is_some_and(|part| part.note_running(&own)) {
            self.news(cx, id);
        }
    }

    fn own_failed(&mut self, cx: &mut Cx<Self>, child: ChildId, id: JobId, errno: Errno) {
        self.hand.children.remove(&child);
        if let Some(part) = self.hand.parts.get_mut(&id) {
            part.shell.child = None;
        }
        self.release_log(id);
        let why = errno.text().unwrap_or("unknown error").to_owned();
        self.own_ended(cx, id, How::Failed(why));
    }

    /// The shell of our own rank has ended. A second end changes nothing.
    pub(crate) fn own_ended(&mut self, cx: &mut Cx<Self>, id: JobId, how: How) {
        let ranks = IdSet::from_range(cx.rank(), cx.rank());
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return;
        };
        part.shell.has_left = true;
        let is_new = part.note_end(Ended { ranks, how });
        if let Some(telling) = part.shell.tells.take() {
            telling.end(cx, ShellTellError::NoReader);
        }
        self.close_mail(cx, id);
        if is_new {
            cx.step(id, JobStep::ShellExit);
            self.news(cx, id);
        }
    }

    /// A shell greets.
    pub(crate) fn greet(
        &mut self,
        cx: &mut Cx<Self>,
        hello: ShellHello,
        stream: Stream<ShellHello>,
    ) {
        let (id, own) = (hello.id, cx.rank());
        if !self.hand.parts.contains_key(&id) {
            if own == 0 && self.jobs.get(&id).is_some_and(Job::has_ended) {
                return stream.end(cx, Err(ShellError::Replaced.refusal()));
            } else if own == 0 {
                return self.keep_stray(cx, hello, stream);
            }
            self.adopt(cx, id, &hello.lease);
        }
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return stream.end(cx, Err(ShellError::Unknown.refusal()));
        };
        if hello.again && part.is_others(own, hello.rank) {
            return stream.end(cx, Err(ShellError::Busy.refusal()));
        }
        if let Err(error) = part.accept(own, &hello.lease) {
            return stream.end(cx, Err(error.refusal()));
        }
        let stream_id = stream.id();
        let shell = &mut part.shell;
        if let Some(timer) = shell.wait.take() {
            cx.cancel_timer(timer);
        }
        shell.waits = Some(hello.again);
        shell.has_greeted = true;
        cx.step(id, JobStep::ShellHello);
        let before = shell.orders.replace(stream);
        self.hand.streams.insert(stream_id, id);
        // The new one is told first.
        self.serve(cx, id);
        if let Some(before) = before {
            self.hand.streams.remove(&before.id());
            before.end(cx, Ok(()));
        }
        self.own_runs(cx, id);
    }

    /// A shell of our own rank is there that we do not know: we were started again.
    fn adopt(&mut self, cx: &mut Cx<Self>, id: JobId, lease: &str) {
        let own = IdSet::from_range(cx.rank(), cx.rank());
        let part = Part {
            id,
            lease: lease.to_owned(),
            ranks: own.clone(),
            awaited: own,
            ..Part::default()
        };
        self.hand.parts.insert(id, part);
        self.news(cx, id);
    }

    /// Gives the shell of our own rank its first order, if it waits for that and may begin.
    pub(crate) fn serve(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return;
        };
        let (Some(knows), Some(task)) = (part.shell.waits, part.task.clone()) else {
            return;
        };
        if part.begin.is_none() {
            return;
        }
        if part.press.is_some() && !knows {
            if let Some(stream) = part.shell.orders.take() {
                self.hand.streams.remove(&stream.id());
                stream.end(cx, Err(ShellError::Canceled.refusal()));
            }
            part.shell.waits = None;
            return;
        }
        let first = part.first_order(cx, &task, knows, self.config.lease);
        part.shell.waits = None;
        part.shell.send(cx, &first);
        cx.step(id, JobStep::ShellTold);
        for lost in part.lost.clone() {
            if part.leader() == Some(cx.rank()) {
                part.shell.send_lost(cx, &lost);
            }
        }
    }

    /// A shell sends its last message. Answered when the outcome is stored.
    pub(crate) fn last_word(
        &mut self,
        cx: &mut Cx<Self>,
        exit: ShellExit,
        reply: Reply<ShellExit>,
    ) {
        let (id, own) = (exit.id, cx.rank());
        if !self.hand.parts.contains_key(&id) {
            if own == 0 && self.jobs.get(&id).is_some_and(Job::has_ended) {
                return reply.send(cx, Ok(Empty));
            } else if own == 0 {
                return self.keep_stray_exit(cx, exit, reply);
            }
            self.adopt(cx, id, &exit.lease);
        }
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return reply.send(cx, Err(ShellError::Unknown));
        };
        // One that ends before it knows its rank says 0.
        if exit.rank != 0 && part.is_others(own, exit.rank) {
            return reply.send(cx, Err(ShellError::Busy));
        }
        if let Err(error) = part.accept(own, &exit.lease) {
            self.report_replaced(cx, id, ShellExit::TOPIC, &exit.lease);
            return reply.send(cx, Err(error));
        }
        part.shell.exits.push(reply);
        let how = How::Word {
            status: i32::from(exit.code) << 8,
            lines: exit.lines,
        };
        self.own_ended(cx, id, how);
    }

    /// Has it recorded that a shell has spoken in whose place another was put: its messages do
    /// not count.
    pub(crate) fn report_replaced(&self, cx: &mut Cx<Self>, id: JobId, topic: &str, lease: &str) {
        let task = self.hand.parts.get(&id).and_then(|part| part.task.as_ref());
        cx.notify(&Report {
            cause: Cause::TakenOver,
            topic: topic.to_owned(),
            sender: Some(format!("job shell {lease}")),
            userid: task.map(|task| task.userid),
            job: Some(id),
            note: Some("another shell has replaced it".to_owned()),
        });
    }

    /// A shell that is our child ended. Its last output may still come.
    fn shell_exited(&mut self, cx: &mut Cx<Self>, id: JobId, status: i32) {
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return;
        };
        part.shell.ended = Some(status);
        if part.shell.n_streams == 0 {
            return self.shell_over(cx, id);
        }
        // Something that it left behind may hold its streams open for ever.
        let wait = Duration::from_millis(SHELL_DRAIN_MS);
        cx.timer(wait, move |core, cx| core.shell_over(cx, id));
    }

    /// A shell closed one of its standard streams.
    fn stream_closed(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return;
        };
        let shell = &mut part.shell;
        shell.n_streams = shell.n_streams.saturating_sub(1);
        if shell.n_streams == 0 && shell.ended.is_some() {
            self.shell_over(cx, id);
        }
    }

    /// Handles the exit of a shell that is our child. One that had said its last word is
    /// not missed.
    fn shell_over(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return;
        };
        let Some(status) = part.shell.ended.take() else {
            return;
        };
        if let Some(child) = part.shell.child.take() {
            self.hand.children.remove(&child);
        }
        self.own_ended(cx, id, How::Silent(status));
    }

    /// Handles a stream of orders that ended without notice: the shell, or its
    /// connection, is lost.
    pub(crate) fn orders_lost(&mut self, cx: &mut Cx<Self>, stream: StreamId) {
        let Some(id) = self.hand.streams.remove(&stream) else {
            return;
        };
        self.forget_stray_stream(id, stream);
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return;
        };
        let shell = &mut part.shell;
        if let Some(orders) = shell.orders.take_if(|orders| orders.id() == stream) {
            orders.forget();
            shell.waits = None;
        }
        // A child tells by its end; of another we only know that it greets no more.
        if shell.child.is_none() && !shell.has_left {
            let grace = Duration::from_secs(SHELL_GRACE_S);
            let timer = cx.timer(grace, move |core: &mut JobExec, cx| {
                core.own_ended(cx, id, How::NoContact);
            });
            shell.wait = Some(timer);
        }
    }

    /// Nothing more is wanted of a job here. Its shell goes, or is made to.
    pub(crate) fn dismiss(&mut self, cx: &mut Cx<Self>, id: JobId, why: Dismissal) {
        self.close_mail(cx, id);
        let Some(mut part) = self.hand.parts.remove(&id) else {
            return;
        };
        self.hand.up.dirty.remove(&id);
        self.drop_unsaid(&part);
        part.barrier.close(cx);
        let error = match why {
            Dismissal::Stored => None,
            Dismissal::Unknown => Some(ShellError::Unknown),
            Dismissal::Replaced => Some(ShellError::Replaced),
        };
        let shell = &mut part.shell;
        if let Some(timer) = shell.wait.take() {
            cx.cancel_timer(timer);
        }
        if let Some(telling) = shell.tells.take() {
            telling.end(cx, ShellTellError::NoReader);
        }
        for reply in shell.exits.drain(..) {
            reply.send(cx, error.clone().map_or(Ok(Empty), Err));
        }
        if let Some(orders) = shell.orders.take() {
            self.hand.streams.remove(&orders.id());
            let error = error.map_or(Ok(()), |error| Err(error.refusal()));
            orders.end(cx, error);
        }
        if let Some(child) = shell.child.take() {
            self.hand.children.remove(&child);
            if !shell.has_left {
                cx.kill_child(child, SIGKILL, true);
            }
        }
    }

    fn drop_unsaid(&mut self, part: &Part) {
        let letters = part.fresh.letters.iter();
        self.hand.transit_bytes -= letters
            .map(|letter| crate::mail::bytes_of(&letter.told))
            .sum::<usize>();
        let wrote = part.fresh.wrote.iter();
        self.hand.wrote_bytes -= wrote.map(|wrote| wrote.data.len()).sum::<usize>();
    }

    /// Complete order for those below about a job.
    pub(crate) fn whole_order(&self, id: JobId) -> Option<Order> {
        let part = self.hand.parts.get(&id)?;
        Some(Order {
            begin: part.begin,
            namespace: part.has_namespace,
            press: part.press,
            expiration: Some(part.expiration),
            open: part.barrier.opened.clone(),
            hurry: part.hurry,
            ..Order::of(id, &part.lease)
        })
    }
}
