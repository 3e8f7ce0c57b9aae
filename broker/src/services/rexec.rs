//! rexec.*: processes that the broker runs for others, and those that it runs for itself
//! (protocol/03 section 14).

use node::{ChildId, Cx, Peer, Reply, Routes, Stream};
use proto::attr::names;
use proto::config::keys;
use proto::rexec::{
    Attach, AttachError, Credit, Exec, ExecError, Kill, KillError, List, Process, Processes,
    RemoteError, Wait, WaitError, Write,
};
use proto::{Empty, Never};
use rexec::{Surroundings, check_signal};

use crate::commands::Commands;
use crate::core::Broker;
use crate::router::Hop;

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes
        .stream::<Exec>(exec)
        .on::<Write>(write)
        .on::<Credit>(credit)
        .on::<Kill>(kill)
        .on::<List>(list)
        .later::<Wait>(wait)
        .stream::<Attach>(attach)
}

fn exec(core: &mut Broker, cx: &mut Cx<Broker>, from: &Peer, request: Exec, stream: Stream<Exec>) {
    if let Err(error) = core.check_open_to(from) {
        return stream.end(cx, Err(ExecError::Remote(error).into()));
    }
    let here = Surroundings {
        env: &core.env,
        uri: core.attrs.value(&names::LOCAL_URI).unwrap_or_default(),
        link: core.link_of(from),
    };
    core.rexec.exec(cx, &here, from, request, stream);
}

fn write(core: &mut Broker, cx: &mut Cx<Broker>, from: &Peer, req: Write) -> Result<Empty, Never> {
    core.rexec.write(cx, from, &req);
    Ok(Empty)
}

fn credit(
    core: &mut Broker,
    cx: &mut Cx<Broker>,
    from: &Peer,
    req: Credit,
) -> Result<Empty, Never> {
    core.rexec.credit(cx, from, &req);
    Ok(Empty)
}

fn kill(
    core: &mut Broker,
    cx: &mut Cx<Broker>,
    from: &Peer,
    req: Kill,
) -> Result<Empty, KillError> {
    core.check_open_to(from).map_err(KillError::Remote)?;
    check_signal(req.signum)?;
    let is_meant = |own: &&(ChildId, Process)| match &req.label {
        Some(label) => own.1.label == *label,
        None => i64::from(own.1.pid) == req.pid,
    };
    match core.own_processes().iter().find(is_meant) {
        Some((child, _)) => {
            cx.kill_child(*child, req.signum, true);
            Ok(Empty)
        }
        None => core.rexec.kill(cx, &req),
    }
}

fn list(
    core: &mut Broker,
    _: &mut Cx<Broker>,
    from: &Peer,
    _: List,
) -> Result<Processes, RemoteError> {
    core.check_open_to(from)?;
    let own = core.own_processes().into_iter().map(|(_, process)| process);
    Ok(Processes {
        rank: core.router.rank(),
        procs: own.chain(core.rexec.list()).collect(),
    })
}

fn wait(core: &mut Broker, cx: &mut Cx<Broker>, from: &Peer, req: Wait, reply: Reply<Wait>) {
    match core.check_open_to(from) {
        Err(error) => reply.send(cx, Err(WaitError::Remote(error))),
        Ok(()) => core.rexec.wait(cx, &req, reply),
    }
}

fn attach(
    core: &mut Broker,
    cx: &mut Cx<Broker>,
    from: &Peer,
    request: Attach,
    stream: Stream<Attach>,
) {
    if let Err(error) = core.check_open_to(from) {
        return stream.end(cx, Err(AttachError::Remote(error).into()));
    }
    let link = core.link_of(from);
    core.rexec.attach(cx, link, from, &request, stream);
}

impl Broker {
    /// The link over which a request has come.
    fn link_of(&self, from: &Peer) -> Option<Hop> {
        self.router.link_of(from.sender.as_ref()?)
    }

    /// On rank 0 of an instance of many users nothing is run for other ranks, where a
    /// guest who has become root may sit.
    fn check_open_to(&self, from: &Peer) -> Result<(), RemoteError> {
        let is_remote = self.link_of(from).is_some_and(Hop::is_broker);
        match is_remote && self.router.rank() == 0 && self.allows(&keys::ACCESS_ALLOW_GUEST_USER) {
            true => Err(RemoteError::NotOnRankZero),
            false => Ok(()),
        }
    }

    /// The processes that the broker runs for itself: modules, and commands on its way.
    fn own_processes(&self) -> Vec<(ChildId, Process)> {
        let process = |pid, cmd: &str, label: &str| Process {
            pid,
            cmd: cmd.to_owned(),
            label: label.to_owned(),
            state: "R".to_owned(),
        };
        let command = self.commands.as_ref();
        let command = command.and_then(Commands::running);
        let command = command.map(|running| {
            let label = running.name;
            (running.child, process(running.pid, running.program, label))
        });
        self.modules.processes().chain(command).collect()
    }
}
