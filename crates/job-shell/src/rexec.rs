//! Processes that are run for clients beside the tasks: the subprocess server as
//! `UID-shell-F58PLAIN.rexec`, for the owner alone (RFC 42, protocol/23 section 13). They end with
//! the tasks.

use node::{ChildEvent, ChildId, Cx, Peer, Reply, Routes, Stream};
use proto::job_shell::service_name;
use proto::rexec::{
    Attach, AttachError, Credit, Exec, ExecError, Kill, KillError, List, Processes, RemoteError,
    Wait, WaitError, Write,
};
use proto::{Empty, Never};
use rexec::{Rexec, Surroundings, check_signal};

use crate::JobShell;
use crate::signals::SIGKILL;

/// Processes that are run for clients. We have one link, whose state we do not know.
#[derive(Default)]
pub(crate) struct Helpers {
    /// The server, once we know where we are.
    server: Option<Rexec<()>>,
}

impl Helpers {
    /// True if none runs.
    pub fn is_idle(&self) -> bool {
        self.server.as_ref().is_none_or(Rexec::is_idle)
    }
}

/// The methods of the server.
pub(crate) fn routes() -> Routes<JobShell> {
    Routes::new()
        .stream::<Exec>(exec)
        .on::<Write>(write)
        .on::<Credit>(credit)
        .on::<Kill>(kill)
        .on::<List>(list)
        .later::<Wait>(wait)
        .stream::<Attach>(attach)
}

fn exec(core: &mut JobShell, cx: &mut Cx<JobShell>, from: &Peer, req: Exec, stream: Stream<Exec>) {
    let uri = core.job.as_ref().and_then(|job| job.attr("local-uri"));
    let here = Surroundings {
        env: &core.task_env,
        uri: uri.unwrap_or_default(),
        link: None,
    };
    if let Err(error) = core.admit_helper() {
        return stream.end(cx, Err(ExecError::Remote(error).into()));
    }
    match &mut core.helpers.server {
        Some(server) if core.job.is_some() => server.exec(cx, &here, from, req, stream),
        _ => stream.end(cx, Err(ExecError::ShuttingDown.into())),
    }
}

fn write(
    core: &mut JobShell,
    cx: &mut Cx<JobShell>,
    from: &Peer,
    req: Write,
) -> Result<Empty, Never> {
    if let Some(server) = &mut core.helpers.server {
        server.write(cx, from, &req);
    }
    Ok(Empty)
}

fn credit(
    core: &mut JobShell,
    cx: &mut Cx<JobShell>,
    from: &Peer,
    req: Credit,
) -> Result<Empty, Never> {
    if let Some(server) = &mut core.helpers.server {
        server.credit(cx, from, &req);
    }
    Ok(Empty)
}

fn kill(
    core: &mut JobShell,
    cx: &mut Cx<JobShell>,
    _: &Peer,
    req: Kill,
) -> Result<Empty, KillError> {
    core.admit_helper().map_err(KillError::Remote)?;
    check_signal(req.signum)?;
    core.server().kill(cx, &req)
}

fn list(
    core: &mut JobShell,
    _: &mut Cx<JobShell>,
    _: &Peer,
    _: List,
) -> Result<Processes, RemoteError> {
    core.admit_helper()?;
    let rank = core.job.as_ref().map_or(0, |job| job.node().rank);
    let procs = core.server().list().collect();
    Ok(Processes { rank, procs })
}

fn wait(core: &mut JobShell, cx: &mut Cx<JobShell>, _: &Peer, req: Wait, reply: Reply<Wait>) {
    if let Err(error) = core.admit_helper() {
        return reply.send(cx, Err(WaitError::Remote(error)));
    }
    core.server().wait(cx, &req, reply);
}

fn attach(
    core: &mut JobShell,
    cx: &mut Cx<JobShell>,
    from: &Peer,
    req: Attach,
    stream: Stream<Attach>,
) {
    if let Err(error) = core.admit_helper() {
        return stream.end(cx, Err(AttachError::Remote(error).into()));
    }
    core.server().attach(cx, None, from, &req, stream);
}

impl JobShell {
    /// Checks that requests to the server are allowed: signed requests, if a job wants them,
    /// cannot be verified here. Data for a process needs one.
    fn admit_helper(&self) -> Result<(), RemoteError> {
        match &self.job {
            Some(job) if job.options.rexec_signed => Err(RemoteError::Unsigned),
            _ => Ok(()),
        }
    }

    /// The server: one that runs nothing before we know our job.
    fn server(&mut self) -> &mut Rexec<()> {
        let rank = self.job.as_ref().map_or(0, |job| job.node().rank);
        let server = &mut self.helpers.server;
        server.get_or_insert_with(|| Rexec::new(rank))
    }

    /// Runs processes for clients from now on.
    pub(crate) fn serve_rexec(&mut self, cx: &mut Cx<Self>) {
        let Some(job) = self.job.clone() else {
            return;
        };
        // One that was asked before we knew our rank has nothing.
        self.helpers.server = Some(Rexec::new(job.node().rank));
        let name = service_name(job.userid, job.id);
        let message = format!("registered rexec service as {name}.rexec");
        self.debug(cx, "rexec", &message);
    }

    /// Something happened to a process of a client; gives it back if it is none.
    pub(crate) fn helper_event(
        &mut self,
        cx: &mut Cx<Self>,
        child: ChildId,
        event: ChildEvent,
    ) -> Option<ChildEvent> {
        match &mut self.helpers.server {
            Some(server) if server.has(child) => server.child(cx, child, event),
            _ => return Some(event),
        }
        self.leave_if_drained(cx);
        None
    }

    /// A request was taken back, or its client has left.
    pub(crate) fn forget_helper(&mut self, cx: &mut Cx<Self>, request: node::StreamId) {
        if let Some(server) = &mut self.helpers.server {
            server.closed(cx, request);
        }
    }

    /// The tasks have ended: processes for clients are to end too.
    pub(crate) fn end_helpers(&mut self, cx: &mut Cx<Self>) {
        if let Some(terminals) = &mut self.terminals {
            terminals.close(cx);
        }
        let Some(server) = &mut self.helpers.server else {
            return;
        };
        server.close(cx);
        let wait = self.job.as_ref().map(|job| job.options.rexec_shutdown);
        if let Some(wait) = wait.filter(|_| !server.is_idle()) {
            cx.timer(wait, |core: &mut JobShell, cx| {
                if let Some(server) = &core.helpers.server {
                    server.kill_all(cx, SIGKILL);
                }
            });
        }
    }

    /// Nothing more is sent about processes.
    pub(crate) fn clear_helpers(&mut self, cx: &mut Cx<Self>) {
        if let Some(server) = &mut self.helpers.server {
            server.clear(cx);
        }
    }
}
