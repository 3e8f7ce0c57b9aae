//! All sessions of one server: its methods, and the events of its processes.

use std::collections::BTreeMap;

use node::{ChildEvent, ChildId, Cx, Host, Peer, Reply, Routes, Spawn, Stream, StreamId};
use proto::Empty;
use proto::terminus::{
    self, Kill, KillError, KillServer, List, Listed, Made, New, NewError, SESSION_VAR, Server,
    SessionError,
};

use crate::limits::{END_WAITS_MAX, SESSIONS_MAX, SIZE, UNHEARD_WAIT};
use crate::session::{BadSize, Session};

/// Signal that kills a process.
const SIGKILL: i32 = 9;
/// Signal that reports a new size of the terminal.
const SIGWINCH: i32 = 28;
/// The last signal.
const SIGNUM_MAX: i32 = 64;
/// The shell of a user who has not said which.
const SHELL: &str = "bash";

/// A component that has terminals.
pub trait Terminals: Host {
    /// Them; `None` while it does not know whose they are.
    fn terminals(&mut self) -> Option<&mut Sessions>;

    /// Environment of processes here.
    fn here(&self) -> Here;

    /// A client has asked for something that no terminal can do.
    fn complain(&mut self, cx: &mut Cx<Self>, message: &str);

    /// Handles the end of a session that was requested by a client.
    fn session_ended(&mut self, cx: &mut Cx<Self>);
}

/// Environment of processes, unless a client says otherwise.
#[derive(Debug, Clone, Default)]
pub struct Here {
    /// The environment; `None` for that of the component.
    pub env: Option<BTreeMap<String, String>>,
    /// The user's shell.
    pub shell: Option<String>,
    /// Working directory; `None` for that of the component.
    pub cwd: Option<String>,
}

/// All sessions of a server.
pub struct Sessions {
    /// Owner of the sessions.
    userid: u32,
    server: Server,
    sessions: BTreeMap<u32, Session>,
    by_child: BTreeMap<ChildId, u32>,
    /// Requests that wait for the end of one.
    kills: Vec<(u32, Reply<Kill>)>,
    /// Requests that wait for the end of all.
    kill_servers: Vec<Reply<KillServer>>,
    /// There is another reason not to read terminals.
    must_wait: bool,
    is_closed: bool,
}

/// The methods.
pub fn routes<C: Terminals>(routes: Routes<C>) -> Routes<C> {
    routes
        .stream_of::<terminus::Session>(request)
        .on::<List>(list)
        .on::<New>(new)
        .later::<Kill>(kill)
        .later::<KillServer>(kill_server)
}

impl Sessions {
    /// None yet, of the user `userid`, at the service `name` on the broker of this rank.
    pub fn new(userid: u32, name: String, rank: u32, ctime: f64) -> Sessions {
        Sessions {
            userid,
            server: Server {
                service: name,
                rank,
                ctime,
            },
            sessions: BTreeMap::new(),
            by_child: BTreeMap::new(),
            kills: Vec::new(),
            kill_servers: Vec::new(),
            must_wait: false,
            is_closed: false,
        }
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// True if none runs that was requested by a client.
    pub fn is_idle(&self) -> bool {
        !self.sessions.values().any(|session| session.is_own)
    }

    /// Adopts a task that was started on a terminal. If it `waits`, nothing is read of it before
    /// there is a client.
    pub fn adopt<C: Host>(&mut self, cx: &mut Cx<C>, id: u32, child: ChildId, waits: bool) {
        let mut session = Session::new(format!("task{id}"), child, false, cx.now().wall);
        if waits {
            session.wait_for_client();
        }
        session.pace(cx, self.must_wait);
        self.sessions.insert(id, session);
        self.by_child.insert(child, id);
    }

    /// True if a child has a session here.
    pub fn has(&self, child: ChildId) -> bool {
        self.by_child.contains_key(&child)
    }

    fn of(&mut self, child: ChildId) -> Option<&mut Session> {
        let id = self.by_child.get(&child)?;
        self.sessions.get_mut(id)
    }

    /// Stops reading terminals, or goes on with those that do not wait for another reason.
    pub fn pause<C: Host>(&mut self, cx: &mut Cx<C>, must_wait: bool) {
        self.must_wait = must_wait;
        for session in self.sessions.values_mut() {
            session.pace(cx, must_wait);
        }
    }

    /// A signal is sent to a process by other ways: most mean that its end is not to wait for a
    /// client.
    pub fn signalled<C: Host>(&mut self, cx: &mut Cx<C>, child: ChildId, signum: i32) {
        let must_wait = self.must_wait;
        if let Some(session) = self.of(child)
            && signum != SIGWINCH
        {
            session.wait_no_more();
            session.pace(cx, must_wait);
        }
    }

    /// Ends requested sessions, and starts nothing more.
    pub fn close<C: Host>(&mut self, cx: &mut Cx<C>) {
        self.is_closed = true;
        self.kill_all(cx, |session| session.is_own);
    }

    fn kill_all<C: Host>(&mut self, cx: &mut Cx<C>, which: impl Fn(&Session) -> bool) {
        let must_wait = self.must_wait;
        for session in self.sessions.values_mut().filter(|it| which(it)) {
            session.wait_no_more();
            session.pace(cx, must_wait);
            if session.is_alive() {
                cx.kill_child(session.child, SIGKILL, true);
            }
        }
    }

    /// Nothing more is sent: all who wait are answered.
    pub fn clear<C: Host>(&mut self, cx: &mut Cx<C>) {
        self.is_closed = true;
        self.by_child.clear();
        for (_, session) in std::mem::take(&mut self.sessions) {
            session.end(cx);
        }
        self.answer_ends(cx);
    }

    fn answer_ends<C: Host>(&mut self, cx: &mut Cx<C>) {
        let sessions = &self.sessions;
        let is_over = |(id, _): &mut (u32, Reply<Kill>)| !sessions.contains_key(id);
        for (_, reply) in self.kills.extract_if(.., is_over) {
            reply.send(cx, Ok(Empty));
        }
        if self.sessions.is_empty() {
            for reply in std::mem::take(&mut self.kill_servers) {
                reply.send(cx, Ok(Empty));
            }
        }
    }

    /// A request was taken back, or its client has left.
    pub fn closed<C: Host>(&mut self, cx: &mut Cx<C>, request: StreamId) {
        let must_wait = self.must_wait;
        for session in self.sessions.values_mut() {
            if session.closed(request) {
                session.pace(cx, must_wait);
            }
        }
        let is_its = |(_, reply): &mut (u32, Reply<Kill>)| reply.id() == request;
        for (_, reply) in self.kills.extract_if(.., is_its) {
            reply.forget();
        }
        let is_its = |reply: &mut Reply<KillServer>| reply.id() == request;
        for reply in self.kill_servers.extract_if(.., is_its) {
            reply.forget();
        }
    }

    fn check(&self, peer: &Peer) -> Result<(), KillError> {
        match peer.may_act_for(self.userid) {
            true => Ok(()),
            false => Err(KillError::NotYours),
        }
    }
}

/// Something happened to a child. Returns true if the session was a requested one, which need
/// not be reported to others.
pub fn child<C: Terminals>(
    core: &mut C,
    cx: &mut Cx<C>,
    child: ChildId,
    event: &ChildEvent,
) -> bool {
    let Some(sessions) = core.terminals() else {
        return false;
    };
    let must_wait = sessions.must_wait;
    let Some(session) = sessions.of(child) else {
        return false;
    };
    match event {
        ChildEvent::Started { pid } => session.started(*pid),
        ChildEvent::Output { data, eof, .. } => session.shows(cx, data, *eof),
        ChildEvent::InputTaken { bytes, closed } => session.taken(cx, *bytes, *closed),
        ChildEvent::Exited { status } => {
            session.exited(*status);
            session.taken(cx, 0, true);
        }
        // As a shell has it for what it cannot run.
        ChildEvent::Failed { .. } => {
            session.exited(127 << 8);
            session.shows(cx, &[], true);
        }
        _ => {}
    }
    session.pace(cx, must_wait);
    let (is_own, is_over) = (session.is_own, session.is_over());
    let starts_timer = session.has_silent() && !std::mem::replace(&mut session.is_timed, true);
    if starts_timer {
        cx.timer(UNHEARD_WAIT, move |core: &mut C, cx| {
            give_up(core, cx, child)
        });
    }
    if is_over
        && let Some(id) = sessions.by_child.remove(&child)
        && let Some(session) = sessions.sessions.remove(&id)
    {
        session.end(cx);
        sessions.answer_ends(cx);
        if is_own {
            core.session_ended(cx);
        }
    }
    is_own
}

/// Clients that were behind have had their time.
fn give_up<C: Terminals>(core: &mut C, cx: &mut Cx<C>, child: ChildId) {
    let Some(sessions) = core.terminals() else {
        return;
    };
    let must_wait = sessions.must_wait;
    if let Some(session) = sessions.of(child) {
        session.is_timed = false;
        session.drop_silent(cx);
        session.pace(cx, must_wait);
    }
}

fn request<C: Terminals>(
    core: &mut C,
    cx: &mut Cx<C>,
    peer: &Peer,
    id: &str,
    request: terminus::Session,
    stream: Stream<terminus::Session>,
) {
    let Some(sessions) = core.terminals() else {
        return stream.end(cx, Err(SessionError::NoSession.into()));
    };
    if peer.userid != sessions.userid {
        return stream.end(cx, Err(SessionError::NotYours.into()));
    }
    let must_wait = sessions.must_wait;
    let session = id.parse().ok();
    let session = session.and_then(|id: u32| sessions.sessions.get_mut(&id));
    let Some(session) = session else {
        return stream.end(cx, Err(SessionError::NoSession.into()));
    };
    let is_unknown = !matches!(
        request.kind.as_str(),
        "attach" | "data" | "resize" | "detach"
    );
    let bad: Option<BadSize> = session.request(cx, peer.sender.as_ref(), &request, stream);
    session.pace(cx, must_wait);
    if let Some(bad) = bad {
        core.complain(cx, &bad.to_string());
    }
    if is_unknown {
        let kind: String = request.kind.chars().take(KIND_CHARS_MAX).collect();
        core.complain(cx, &format!("unhandled message type={kind}"));
    }
}

/// Characters of an unknown type, as far as they are known.
const KIND_CHARS_MAX: usize = 64;

fn list<C: Terminals>(
    core: &mut C,
    _: &mut Cx<C>,
    peer: &Peer,
    _: List,
) -> Result<Listed, KillError> {
    let sessions = core.terminals().ok_or(KillError::NotYours)?;
    sessions.check(peer)?;
    let rows = sessions.sessions.iter();
    Ok(Listed {
        sessions: rows.map(|(id, session)| session.row(*id)).collect(),
        server: sessions.server.clone(),
    })
}

fn new<C: Terminals>(
    core: &mut C,
    cx: &mut Cx<C>,
    peer: &Peer,
    request: New,
) -> Result<Made, NewError> {
    let here = core.here();
    let sessions = core.terminals().ok_or(NewError::ShuttingDown)?;
    // It becomes a process of the user that we run as.
    if peer.userid != sessions.userid {
        return Err(NewError::NotYours);
    }
    if sessions.is_closed || !sessions.kill_servers.is_empty() {
        return Err(NewError::ShuttingDown);
    }
    let n_own = sessions.sessions.values().filter(|it| it.is_own).count();
    let free = (0..).find(|id| !sessions.sessions.contains_key(id));
    let id = free.filter(|_| n_own < SESSIONS_MAX);
    let id = id.ok_or(NewError::TooMany)?;
    let must_wait = request.wait;
    let (name, spawn) = spawn(request, here, id);
    let child = cx.spawn(spawn);
    let mut session = Session::new(name.clone(), child, true, cx.now().wall);
    if must_wait {
        session.wait_for_client();
        session.pace(cx, false);
    }
    sessions.sessions.insert(id, session);
    sessions.by_child.insert(child, id);
    let pty_service = format!("{}.{id}", sessions.server.service);
    Ok(Made {
        name,
        pty_service,
        id,
    })
}

/// Name of a new session, and the parameters for starting it.
fn spawn(request: New, here: Here, id: u32) -> (String, Spawn) {
    let shell = request.environ.get("SHELL").cloned().or(here.shell);
    let argv = match request.cmd.is_empty() {
        true => vec![shell.unwrap_or_else(|| SHELL.to_owned())],
        false => request.cmd,
    };
    let base = |program: &String| program.rsplit('/').next().unwrap_or_default().to_owned();
    let name = request.name.or_else(|| argv.first().map(base));
    let env = match request.environ.is_empty() {
        true => here.env,
        false => Some(request.environ),
    };
    let spawn = Spawn {
        argv,
        env: env.map(|env| env.into_iter().collect()),
        env_add: vec![(SESSION_VAR.to_owned(), id.to_string())],
        cwd: request.cwd.or(here.cwd),
        terminal: Some(SIZE),
        end_with_us: Some(SIGKILL),
        ..Spawn::default()
    };
    (name.unwrap_or_default(), spawn)
}

fn kill<C: Terminals>(
    core: &mut C,
    cx: &mut Cx<C>,
    peer: &Peer,
    request: Kill,
    reply: Reply<Kill>,
) {
    let Some(sessions) = core.terminals() else {
        return reply.send(cx, Err(KillError::NotYours));
    };
    match sessions.kill(cx, peer, request) {
        Ok(()) if request.wait => sessions.kills.push((request.id, reply)),
        result => reply.send(cx, result.map(|()| Empty)),
    }
}

impl Sessions {
    fn kill<C: Host>(
        &mut self,
        cx: &mut Cx<C>,
        peer: &Peer,
        request: Kill,
    ) -> Result<(), KillError> {
        self.check(peer)?;
        if !(0..=SIGNUM_MAX).contains(&request.signal) {
            return Err(KillError::BadSignal);
        }
        if request.wait && self.kills.len() >= END_WAITS_MAX {
            return Err(KillError::TooMany);
        }
        let session = self.sessions.get(&request.id);
        let session = session.ok_or(KillError::NoSession)?;
        let (child, is_alive) = (session.child, session.is_alive());
        if is_alive && request.signal > 0 {
            cx.kill_child(child, request.signal, true);
        }
        self.signalled(cx, child, request.signal);
        Ok(())
    }
}

fn kill_server<C: Terminals>(
    core: &mut C,
    cx: &mut Cx<C>,
    peer: &Peer,
    _: KillServer,
    reply: Reply<KillServer>,
) {
    let Some(sessions) = core.terminals() else {
        return reply.send(cx, Err(KillError::NotYours));
    };
    if let Err(error) = sessions.check(peer) {
        return reply.send(cx, Err(error));
    }
    if sessions.kill_servers.len() >= END_WAITS_MAX {
        return reply.send(cx, Err(KillError::TooMany));
    }
    sessions.kill_servers.push(reply);
    sessions.kill_all(cx, |_| true);
    if sessions.is_empty() {
        sessions.answer_ends(cx);
        core.session_ended(cx);
    }
}
