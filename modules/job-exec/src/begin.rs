//! The beginning of a job: its namespace, the first lines of its log, its shell or the
//! timer that stands for one.
//!
//! The shell starts while the namespace is being made: only its greeting waits for that.

use std::io;
use std::time::Duration;

use node::{Call, Cx, StdioFd};
use proto::attr::names;
use proto::data::job::JobStep;
use proto::data::{HashKind, JobId, Tree};
use proto::job_exec::Wrote;
use proto::kvs::NamespaceCreate;
use proto::{Empty, Errno, Payload};
use serde_json::json;

use crate::core::RETRY;
use crate::job::{Home, Kind};
use crate::limits::{
    NAMESPACE_WAIT_MS, SHELL_LOG_BYTES_MAX, SHELL_LOG_TOTAL_BYTES_MAX, WROTE_BYTES_MAX,
};
use crate::mock::Fault;
use crate::process::Seen;
use crate::state::{Move, State};
use crate::{JobExec, Surroundings};

/// Default job shell, when neither settings nor environment name one.
pub(crate) const JOB_SHELL: &str = "flux-shell";

/// Error of a simulated job that is to fail.
pub(crate) const MOCK_FAILURE: &str = "mock run exception generated";

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
            Kind::Shells if Fault::of(&job.task.jobspec) == Some(Fault::Init) => {
                self.fail(cx, id, Fault::Init.note());
            }
            Kind::Shells => {
                job.log.home = Home::Here;
                self.launch(cx, id);
                let wait = Duration::from_millis(NAMESPACE_WAIT_MS);
                cx.timer(wait, move |core: &mut JobExec, cx| core.settle(cx, id));
            }
        }
    }

    /// A job that goes on gets its namespace.
    pub(crate) fn settle(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let job = self.jobs.get(&id);
        if job.is_some_and(|job| job.log.home == Home::Here && job.state().is_alive()) {
            self.create_namespace(cx, id);
        }
    }

    /// Makes the namespace and the link to it. Writes of the shell and of job-exec wait for
    /// that.
    pub(crate) fn create_namespace(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.log.home = Home::Making;
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
        send_create(cx, id, create);
    }

    /// The namespace is there.
    fn namespace_created(&mut self, cx: &mut Cx<Self>, id: JobId) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.log.home = Home::Namespace;
            cx.step(id, JobStep::Namespace);
            let makers = std::mem::take(&mut job.log.makers);
            self.touch(id);
            for maker in makers {
                maker.send(cx, Ok(Empty));
            }
        }
    }

    /// One after us would know that a shell was started: it may begin.
    pub(crate) fn begun(&mut self, cx: &mut Cx<Self>, id: JobId) {
        if let Some(job) = self.jobs.get_mut(&id)
            && !std::mem::replace(&mut job.log.is_begun, true)
        {
            let t_log = job.log.stamps.last();
            self.order_all(cx, id, |order| order.begin = Some(t_log));
            self.admit_stray(cx, id);
        }
    }

    /// The KVS has the start of a shell: it may be reported.
    pub(crate) fn stored(&mut self, cx: &mut Cx<Self>, id: JobId) {
        if let Some(job) = self.jobs.get_mut(&id)
            && !std::mem::replace(&mut job.log.is_stored, true)
        {
            job.send_start(cx);
            self.begun.forget(id);
            self.order_all(cx, id, |order| order.namespace = true);
        }
        self.begun(cx, id);
    }

    /// Has the job shells started, ours and those of others.
    pub(crate) fn launch(&mut self, cx: &mut Cx<Self>, id: JobId) {
        self.leases += 1;
        let lease = format!("{}.{}", cx.uuid(), self.leases);
        let (now, own) = (cx.now().wall, cx.rank());
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.log(now, "starting");
        let ranks = job.rset.ranks();
        // Of others nothing can be told but that they are there.
        job.log.is_held = ranks.contains(own);
        let is_elsewhere = !job.log.is_held;
        if is_elsewhere {
            job.log_recoverable(now, None);
        }
        let fault = Fault::of(&job.task.jobspec);
        let (task, expiration) = (job.task.clone(), job.expiration);
        let part = self.hand.parts.entry(id).or_default();
        part.expiration = expiration;
        self.launch_part(cx, id, &lease, task, &ranks, &ranks);
        if is_elsewhere {
            self.note_elsewhere(cx, id);
        }
        self.touch(id);
        if fault == Some(Fault::Starting) {
            self.raise(cx, id, 0, Fault::Starting.note());
            self.end_early(cx, id, None);
        }
    }

    /// Writes down which process the shell is, for a job-exec after us.
    pub(crate) fn identify(&mut self, cx: &mut Cx<Self>, id: JobId, pid: i32) {
        if cx.rank() != 0 {
            return;
        }
        let notes = self.begun.is_kept;
        let look = move |around: &mut Surroundings| {
            let process = match around.processes.look(pid) {
                Seen::Runs(process) => Some(process),
                // Its end is on the way to us, or all that can be told is that it runs.
                Seen::Gone | Seen::Hidden => None,
            };
            let begun = notes.then(|| around.note_begun(id, process.as_ref()));
            (process, begun)
        };
        cx.quick_work(look, move |core: &mut JobExec, cx, (process, begun)| {
            let now = cx.now().wall;
            if let Some(job) = core.jobs.get_mut(&id).filter(|job| job.state().is_alive()) {
                job.log_recoverable(now, process.as_ref());
            }
            core.release_log(id);
            core.noted(cx, id, begun);
        });
    }

    /// A job whose shells are all elsewhere has begun.
    fn note_elsewhere(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let notes = self.begun.is_kept;
        let note = move |around: &mut Surroundings| notes.then(|| around.note_begun(id, None));
        cx.quick_work(note, move |core: &mut JobExec, cx, begun| {
            core.noted(cx, id, begun);
        });
    }

    /// It is noted that a job has begun; or else waits until its log in the KVS has the
    /// start.
    fn noted(&mut self, cx: &mut Cx<Self>, id: JobId, begun: Option<io::Result<String>>) {
        match begun {
            Some(Ok(line)) => {
                self.begun.note(id, &line);
                self.begun(cx, id);
            }
            Some(Err(error)) => {
                tracing::warn!("job={id}: waiting for its log in the KVS: {error}");
                self.settle(cx, id);
            }
            None => self.settle(cx, id),
        }
    }

    /// Releases the guest log once the shell's process is recorded.
    pub(crate) fn release_log(&mut self, id: JobId) {
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
        job.send_start(cx);
        self.arm_expiry(cx, id);
        self.await_meeting(cx, id);
    }

    /// Handles output of our own rank's shell to its own streams, which goes to the guest log
    /// in the end.
    pub(crate) fn shell_wrote(
        &mut self,
        cx: &mut Cx<Self>,
        id: JobId,
        stream: StdioFd,
        data: &[u8],
    ) {
        let rank = cx.rank();
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return;
        };
        let shell = &mut part.shell;
        shell.log_bytes += data.len();
        if data.is_empty() || shell.log_bytes > SHELL_LOG_TOTAL_BYTES_MAX {
            return;
        }
        for part in data.chunks(SHELL_LOG_BYTES_MAX) {
            let wrote = Wrote {
                rank,
                stream: stream.as_str().to_owned(),
                data: String::from_utf8_lossy(part).into_owned(),
            };
            self.pass_wrote(cx, id, wrote);
        }
    }

    /// Passes output of a shell on to the guest log.
    pub(crate) fn pass_wrote(&mut self, cx: &mut Cx<Self>, id: JobId, wrote: Wrote) {
        if cx.rank() != 0 {
            let is_full = self.hand.wrote_bytes + wrote.data.len() > WROTE_BYTES_MAX;
            if let Some(part) = self.hand.parts.get_mut(&id).filter(|_| !is_full) {
                self.hand.wrote_bytes += wrote.data.len();
                part.fresh.wrote.push(wrote);
                self.hand.up.dirty.insert(id);
            }
            return;
        }
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.state().is_alive()) else {
            return;
        };
        let context = json!({
            "component": JOB_SHELL,
            "stream": wrote.stream,
            "rank": wrote.rank.to_string(),
            "data": wrote.data,
        });
        job.log_with(cx.now().wall, "log", &context);
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
            self.fail_mock(cx, id);
        }
    }

    /// A simulated job fails once it runs.
    pub(crate) fn fail_mock(&mut self, cx: &mut Cx<Self>, id: JobId) {
        self.raise(cx, id, 0, MOCK_FAILURE);
        self.end_early(cx, id, None);
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

/// Makes a namespace, again if the kvs was restarted under the request, is not there, or has no
/// room. One that is there already was left by an earlier time and is adopted.
fn send_create(cx: &mut Cx<JobExec>, id: JobId, create: NamespaceCreate) {
    let call = Call::<NamespaceCreate>::with_payload(create.encode());
    cx.call_with(call, move |core, cx, result| match result {
        Err(error) if JobExec::is_gone(&error) => send_create(cx, id, create),
        Err(error) if error.may_pass() || error.is_absence_of_service() => {
            tracing::warn!("job={id}: requesting its namespace again: {error}");
            cx.timer(RETRY, move |_: &mut JobExec, cx| {
                send_create(cx, id, create)
            });
        }
        Err(error) if error.errno != Errno::EEXIST => {
            core.fail(
                cx,
                id,
                &format!("failed to create guest namespace: {error}"),
            );
            core.namespace_created(cx, id);
        }
        _ => core.namespace_created(cx, id),
    });
}
