//! The beginning of a job: its namespace, the first lines of its log, its shell or the
//! timer that stands for one.
//!
//! The shell starts while the namespace is being made: only its greeting waits for that.

use std::time::Duration;

use node::{Call, ChildEvent, ChildId, Cx, Spawn, Stdio, StdioFd};
use proto::attr::names;
use proto::data::{HashKind, JobId, Tree};
use proto::kvs::NamespaceCreate;
use proto::{Errno, Payload};
use serde_json::json;

use crate::job::Kind;
use crate::limits::{SHELL_LOG_BYTES_MAX, SHELL_LOG_TOTAL_BYTES_MAX};
use crate::mock::Fault;
use crate::process::Seen;
use crate::state::{Move, State};
use crate::{JobExec, Surroundings};

/// What runs as job shell when neither settings nor surroundings say.
const JOB_SHELL: &str = "flux-shell";

impl JobExec {
    /// Begins a job of which nothing is there yet.
    pub(crate) fn begin(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let now = cx.now().wall;
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.log(now, "init");
        match &job.kind {
            Kind::Mock(mock, _) if mock.fails_at_init => {
                self.fail(cx, id, Fault::Init.note());
            }
            Kind::Mock(..) => self.begin_mock(cx, id),
            Kind::Shell(_) if Fault::of(&job.jobspec) == Some(Fault::Init) => {
                self.create_namespace(cx, id);
                self.fail(cx, id, Fault::Init.note());
            }
            Kind::Shell(_) => {
                self.create_namespace(cx, id);
                self.launch(cx, id);
            }
        }
    }

    /// Makes the namespace and the link to it. The shell is started meanwhile; what it and
    /// we have to write waits for the namespace.
    fn create_namespace(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let hash = match cx.attr(&names::CONTENT_HASH) {
            Some("sha256") => HashKind::Sha256,
            _ => HashKind::Sha1,
        };
        let create = NamespaceCreate {
            namespace: id.guest_namespace(),
            rootref: Tree::empty_dir().blobref(hash).to_string(),
            owner: i64::from(job.userid),
            flags: 0,
        };
        self.store.link(id);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.log.in_namespace = true;
            job.log.is_closed = true;
        }
        send_create(cx, id, create);
    }

    /// The namespace is there.
    fn namespace_created(&mut self, id: JobId) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.log.is_closed = false;
            self.touch(id);
        }
    }

    /// What is stored says that a shell was started: it may begin, and be told of.
    pub(crate) fn begun(&mut self, cx: &mut Cx<Self>, id: JobId) {
        if let Some(job) = self.jobs.get_mut(&id)
            && !std::mem::replace(&mut job.log.is_begun, true)
        {
            job.tell_start(cx);
            self.admit_stray(cx, id);
        }
    }

    /// Starts the job shell.
    pub(crate) fn launch(&mut self, cx: &mut Cx<Self>, id: JobId) {
        self.leases += 1;
        let lease = format!("{}.{}", cx.uuid(), self.leases);
        let now = cx.now().wall;
        let uri = cx.attr(&names::LOCAL_URI).unwrap_or_default().to_owned();
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.log(now, "starting");
        job.log.is_held = true;
        let fault = Fault::of(&job.jobspec);
        let own = job.jobspec.pointer("/attributes/system/exec/job_shell");
        let program = own.and_then(|shell| shell.as_str()).map(str::to_owned);
        let program = program.or_else(|| self.config.job_shell.clone());
        let program = program.unwrap_or_else(|| match self.job_shell.is_empty() {
            true => JOB_SHELL.to_owned(),
            false => self.job_shell.clone(),
        });
        let env = [
            ("FLUX_KVS_NAMESPACE", id.guest_namespace()),
            ("FLUX_URI", uri),
            ("FLUX_SHELL_LEASE", lease.clone()),
        ];
        let child = cx.spawn(Spawn {
            argv: vec![program, id.get().to_string()],
            env_add: env.map(|(name, value)| (name.to_owned(), value)).into(),
            stdin: Stdio::Null,
            stdout: Stdio::Pipe,
            stderr: Stdio::Pipe,
            new_group: true,
            ..Spawn::default()
        });
        if let Some(shell) = job.shell() {
            shell.child = Some(child);
            shell.n_streams = 2;
            shell.lease = lease;
        }
        self.children.insert(child, id);
        self.touch(id);
        if fault == Some(Fault::Starting) {
            self.raise(cx, id, 0, Fault::Starting.note());
            self.end_early(cx, id, None);
        }
    }

    /// Something happened to a child process.
    pub(crate) fn child_event(&mut self, cx: &mut Cx<Self>, child: ChildId, event: ChildEvent) {
        let Some(id) = self.children.get(&child).copied() else {
            return;
        };
        match event {
            ChildEvent::Started { pid } => {
                self.identify(cx, id, pid);
                self.started(cx, id);
            }
            ChildEvent::Failed { errno } => {
                self.children.remove(&child);
                self.release_log(id);
                self.shell_failed(cx, id, errno);
            }
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

    /// Writes down which process the shell is, for a job-exec after us.
    fn identify(&mut self, cx: &mut Cx<Self>, id: JobId, pid: i32) {
        let look = move |around: &mut Surroundings| around.processes.look(pid);
        cx.work(look, move |core: &mut JobExec, cx, seen| {
            let now = cx.now().wall;
            if let Some(job) = core.jobs.get_mut(&id).filter(|job| job.state().is_alive()) {
                match seen {
                    Seen::Runs(process) => job.log_with(now, "recoverable", &process),
                    // Its end is on the way to us, or all that can be told is that it runs.
                    Seen::Gone | Seen::Hidden => job.log(now, "recoverable"),
                }
            }
            core.release_log(id);
        });
    }

    /// What is to be written of the shell is known.
    fn release_log(&mut self, id: JobId) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.log.is_held = false;
            self.touch(id);
        }
    }

    /// The job runs: its time begins to count.
    pub(crate) fn started(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if job.state() != State::Starting || !job.step(Move::Started) {
            return;
        }
        job.is_started = true;
        job.tell_start(cx);
        self.arm_expiry(cx, id);
        self.await_report(cx, id);
    }

    fn shell_failed(&mut self, cx: &mut Cx<Self>, id: JobId, errno: Errno) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if let Some(shell) = job.shell() {
            shell.child = None;
        }
        let (host, rank) = (job.place.host.clone(), job.place.rank);
        let why = errno.text().unwrap_or("unknown error");
        let note = format!("job shell exec error on broker {host} (rank {rank}): {why}");
        self.fail(cx, id, &note);
    }

    /// A shell that has nothing to say for long is given up.
    fn await_report(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(limit) = self.config.barrier_timeout else {
            return;
        };
        let Some(shell) = self.jobs.get_mut(&id).and_then(|job| job.shell()) else {
            return;
        };
        // A program of another kind never reports and is watched as a child alone.
        if shell.orders.is_some() || self.config.job_shell.is_some() {
            return;
        }
        shell.wait = Some(cx.timer(limit, move |core, cx| core.report_overdue(cx, id)));
    }

    fn report_overdue(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let rank = job.place.rank;
        let note = format!("start barrier timeout waiting for 1/1 nodes (rank {rank})");
        self.raise(cx, id, 0, &note);
        self.drain(
            cx,
            id,
            &format!("job {id} start timeout: possible node hang"),
        );
        self.end_early(cx, id, None);
    }

    /// What a shell writes to its own streams goes to the guest log.
    fn shell_wrote(&mut self, cx: &mut Cx<Self>, id: JobId, stream: StdioFd, data: &[u8]) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let rank = job.place.rank.to_string();
        let Some(shell) = job.shell() else {
            return;
        };
        shell.log_bytes += data.len();
        let is_too_much = shell.log_bytes > SHELL_LOG_TOTAL_BYTES_MAX;
        if data.is_empty() || is_too_much || !job.state().is_alive() {
            return;
        }
        for part in data.chunks(SHELL_LOG_BYTES_MAX) {
            let context = json!({
                "component": JOB_SHELL,
                "stream": stream.as_str(),
                "rank": rank,
                "data": String::from_utf8_lossy(part),
            });
            job.log_with(cx.now().wall, "log", &context);
        }
        self.touch(id);
    }

    fn begin_mock(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let now = cx.now().wall;
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.log(now, "starting");
        let Kind::Mock(mock, _) = &job.kind else {
            return;
        };
        let (waits, fails, time) = (mock.is_override, mock.fails_at_run, mock.run_duration);
        self.touch(id);
        if !waits {
            self.start_mock(cx, id, time);
        }
        if fails {
            self.raise(cx, id, 0, "mock run exception generated");
            self.end_early(cx, id, None);
        }
    }

    /// A simulated job runs, for this long.
    pub(crate) fn start_mock(&mut self, cx: &mut Cx<Self>, id: JobId, time: Option<Duration>) {
        self.started(cx, id);
        self.run_mock(cx, id, time);
    }

    /// Sets the end of a simulated job; one without a time to run waits for a word.
    pub(crate) fn run_mock(&mut self, cx: &mut Cx<Self>, id: JobId, time: Option<Duration>) {
        match time {
            None => {}
            Some(Duration::ZERO) => self.finish_mock(cx, id),
            Some(time) => {
                let timer = cx.timer(time, move |core, cx| core.finish_mock(cx, id));
                if let Some(Kind::Mock(_, slot)) = self.jobs.get_mut(&id).map(|job| &mut job.kind) {
                    *slot = Some(timer);
                }
            }
        }
    }

    /// A simulated job comes to its own end.
    pub(crate) fn finish_mock(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let status = match self.jobs.get(&id).map(|job| &job.kind) {
            Some(Kind::Mock(mock, _)) => mock.wait_status,
            _ => return,
        };
        self.end(cx, id, status);
    }
}

/// Makes a namespace, again if the kvs was restarted under the request. One that is there
/// already was left by an earlier time and is adopted.
fn send_create(cx: &mut Cx<JobExec>, id: JobId, create: NamespaceCreate) {
    let call = Call::<NamespaceCreate>::with_payload(create.encode());
    cx.call_with(call, move |core, cx, result| match result {
        Err(error) if JobExec::is_gone(&error) => send_create(cx, id, create),
        Err(error) if error.errno != Errno::EEXIST => {
            core.fail(
                cx,
                id,
                &format!("failed to create guest namespace: {error}"),
            );
            core.namespace_created(id);
        }
        _ => core.namespace_created(id),
    });
}
