//! One session: a process on a terminal.

use std::collections::VecDeque;

use bytes::Bytes;
use node::{ChildId, Cx, Host, Stream, StreamId, WinSize};
use proto::Payload as _;
use proto::terminus::{self, Row, SessionError, TerminalReply};
use wire::Identity;

use crate::client::{Client, Mode};
use crate::limits::{CLIENTS_MAX, INPUT_BYTES, INPUT_BYTES_MAX, INPUT_WAITS_MAX, SHOWN_BYTES_MAX};

/// Message to clients at the end.
const EXITING: &str = "session exiting";
const DETACHED: &str = "Client requested detach";
const SILENT: &str = "client does not read";

/// One session.
pub(crate) struct Session {
    name: String,
    pub child: ChildId,
    /// True if it was requested by a client, and is no task of a job.
    pub is_own: bool,
    pid: i32,
    ctime: f64,
    clients: Vec<Client>,
    /// Nothing is read before there is a client.
    waits_for_client: bool,
    is_paused: bool,
    /// Exit status of the process.
    status: Option<i32>,
    is_shown: bool,
    /// Bytes typed that the terminal has not taken.
    typed: usize,
    /// Answers that wait for it to do so.
    waits: VecDeque<Stream<terminus::Session>>,
    /// A timer runs for clients that are behind.
    pub is_timed: bool,
}

impl Session {
    pub fn new(name: String, child: ChildId, is_own: bool, ctime: f64) -> Session {
        Session {
            name,
            child,
            is_own,
            pid: 0,
            ctime,
            clients: Vec::new(),
            waits_for_client: false,
            is_paused: false,
            status: None,
            is_shown: false,
            typed: 0,
            waits: VecDeque::new(),
            is_timed: false,
        }
    }

    /// Holds the terminal until a client comes.
    pub fn wait_for_client(&mut self) {
        self.waits_for_client = true;
    }

    /// Does not wait for a client any more.
    pub fn wait_no_more(&mut self) {
        self.waits_for_client = false;
    }

    pub fn row(&self, id: u32) -> Row {
        Row {
            id,
            name: self.name.clone(),
            clients: u32::try_from(self.clients.len()).unwrap_or(u32::MAX),
            pid: self.pid,
            exited: self.status.is_some(),
            ctime: self.ctime,
        }
    }

    pub fn started(&mut self, pid: i32) {
        self.pid = pid;
    }

    /// True if nothing more will happen.
    pub fn is_over(&self) -> bool {
        self.status.is_some() && self.is_shown
    }

    /// True if the process can be signalled.
    pub fn is_alive(&self) -> bool {
        self.status.is_none()
    }

    pub fn exited(&mut self, status: i32) {
        self.status = Some(status);
    }

    /// True if a client is so far behind that the terminal waits.
    pub fn has_silent(&self) -> bool {
        self.clients.iter().any(Client::is_behind)
    }

    /// Stops reading the terminal, or goes on, as things are now. With `must_wait` there is another
    /// reason to stop.
    pub fn pace<C: Host>(&mut self, cx: &mut Cx<C>, must_wait: bool) {
        let must_wait = must_wait || self.waits_for_client || self.has_silent();
        if must_wait != self.is_paused && !self.is_shown {
            self.is_paused = must_wait;
            cx.pause_child(self.child, must_wait);
        }
    }

    /// Takes a request of a client, or refuses it.
    pub fn request<C: Host>(
        &mut self,
        cx: &mut Cx<C>,
        from: Option<&Identity>,
        request: &terminus::Session,
        stream: Stream<terminus::Session>,
    ) -> Option<BadSize> {
        let result = match request.kind.as_str() {
            "attach" => return self.attach(cx, from, request, stream),
            "data" | "resize" | "detach" => self.say(cx, from, request),
            _ => Err(SessionError::UnknownType),
        };
        let bad_size = match &result {
            Err(SessionError::BadSize) => request.winsize.map(BadSize),
            _ => None,
        };
        // A keepalive, and all else that types nothing, is answered at once.
        let has_typed =
            request.kind == "data" && request.data.as_ref().is_some_and(|d| !d.is_empty());
        match result {
            Ok(()) if has_typed && self.typed > INPUT_BYTES => self.waits.push_back(stream),
            result => answer(cx, stream, result),
        }
        bad_size
    }

    fn attach<C: Host>(
        &mut self,
        cx: &mut Cx<C>,
        from: Option<&Identity>,
        request: &terminus::Session,
        mut stream: Stream<terminus::Session>,
    ) -> Option<BadSize> {
        let (mode, size) = match self.admit(from, request, stream.is_streaming()) {
            Ok(admitted) => admitted,
            Err(error) => {
                let is_size = error == SessionError::BadSize;
                stream.end(cx, Err(error.into()));
                return request.winsize.filter(|_| is_size).map(BadSize);
            }
        };
        if let Some(size) = size {
            cx.resize_child(self.child, size);
        }
        stream.send(cx, &TerminalReply::Attach);
        self.clients.push(Client::new(from.cloned(), mode, stream));
        self.wait_no_more();
        None
    }

    fn admit(
        &self,
        from: Option<&Identity>,
        request: &terminus::Session,
        is_streaming: bool,
    ) -> Result<(Mode, Option<WinSize>), SessionError> {
        let mode = request.mode.as_deref().and_then(Mode::read);
        let mode = mode.filter(|_| is_streaming);
        let mode = mode.ok_or(SessionError::Malformed)?;
        let size = match mode {
            Mode::Both => Some(request.winsize.ok_or(SessionError::Malformed)?),
            Mode::Reads | Mode::Types => None,
        };
        let size = size.map(checked).transpose()?;
        if self
            .clients
            .iter()
            .any(|client| client.name.as_ref() == from)
        {
            return Err(SessionError::Attached);
        }
        match self.clients.len() < CLIENTS_MAX {
            true => Ok((mode, size)),
            false => Err(SessionError::TooMany),
        }
    }

    /// Handles a request of an attached client.
    fn say<C: Host>(
        &mut self,
        cx: &mut Cx<C>,
        from: Option<&Identity>,
        request: &terminus::Session,
    ) -> Result<(), SessionError> {
        let is_theirs = |client: &Client| client.name.as_ref() == from;
        let at = self.clients.iter().position(is_theirs);
        let at = at.ok_or(SessionError::NotAttached)?;
        let client = &mut self.clients[at];
        client.heard();
        let may_type = client.mode.types();
        match request.kind.as_str() {
            "detach" => self.clients.swap_remove(at).detach(cx, DETACHED, 0),
            "resize" => {
                let size = request.winsize.ok_or(SessionError::Malformed)?;
                let size = checked(size)?;
                if !may_type {
                    return Err(SessionError::ReadOnly);
                }
                cx.resize_child(self.child, size);
            }
            _ => {
                let bytes = request.bytes().ok_or(SessionError::Malformed)?;
                if bytes.is_empty() {
                    return Ok(());
                }
                if !may_type {
                    return Err(SessionError::ReadOnly);
                }
                return self.type_in(cx, bytes);
            }
        }
        Ok(())
    }

    fn type_in<C: Host>(&mut self, cx: &mut Cx<C>, bytes: Vec<u8>) -> Result<(), SessionError> {
        let has_room = self.typed + bytes.len() <= INPUT_BYTES_MAX;
        if !has_room || self.waits.len() >= INPUT_WAITS_MAX {
            return Err(SessionError::Full);
        }
        // Input for a process that has ended is dropped.
        if self.is_alive() {
            self.typed += bytes.len();
            cx.child_input(self.child, bytes.into(), false);
        }
        Ok(())
    }

    /// The terminal has taken some of the typed input, or nobody reads it any more.
    pub fn taken<C: Host>(&mut self, cx: &mut Cx<C>, bytes: usize, closed: bool) {
        self.typed = self.typed.saturating_sub(bytes);
        if closed {
            self.typed = 0;
        }
        while self.typed <= INPUT_BYTES
            && let Some(stream) = self.waits.pop_front()
        {
            answer(cx, stream, Ok(()));
        }
    }

    /// The terminal shows something; with `eof`, nothing after it.
    pub fn shows<C: Host>(&mut self, cx: &mut Cx<C>, data: &[u8], eof: bool) {
        for piece in data.chunks(SHOWN_BYTES_MAX) {
            if !self.clients.iter().any(|client| client.mode.reads()) {
                break;
            }
            let told = TerminalReply::data(piece).encode();
            for client in &mut self.clients {
                client.show(cx, told.clone(), piece.len());
            }
        }
        self.is_shown |= eof;
    }

    /// Detaches clients that are behind and have not been heard.
    pub fn drop_silent<C: Host>(&mut self, cx: &mut Cx<C>) {
        for at in (0..self.clients.len()).rev() {
            if self.clients[at].is_behind() {
                self.clients.swap_remove(at).detach(cx, SILENT, 0);
            }
        }
    }

    /// A client has left, or does not wait for an answer.
    pub fn closed(&mut self, request: StreamId) -> bool {
        let is_its = |client: &Client| client.stream.id() == request;
        if let Some(at) = self.clients.iter().position(is_its) {
            self.clients.swap_remove(at).stream.forget();
            return true;
        }
        let at = self.waits.iter().position(|wait| wait.id() == request);
        let wait = at.and_then(|at| self.waits.remove(at));
        wait.map(Stream::forget).is_some()
    }

    /// Notifies clients that the session has ended.
    pub fn end<C: Host>(mut self, cx: &mut Cx<C>) {
        self.taken(cx, 0, true);
        let status = self.status.unwrap_or(0);
        for client in self.clients {
            client.detach(cx, EXITING, status);
        }
    }
}

/// A size that no terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadSize(pub terminus::WinSize);

impl std::fmt::Display for BadSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let terminus::WinSize { rows, cols } = self.0;
        write!(f, "bad resize: row={rows}, col={cols}")
    }
}

fn checked(size: terminus::WinSize) -> Result<WinSize, SessionError> {
    let number = |n: i64| u16::try_from(n).ok().filter(|n| *n > 0);
    match (number(size.rows), number(size.cols)) {
        (Some(rows), Some(cols)) => Ok(WinSize { rows, cols }),
        _ => Err(SessionError::BadSize),
    }
}

/// The one answer of a request that does not attach.
fn answer<C: Host>(
    cx: &mut Cx<C>,
    mut stream: Stream<terminus::Session>,
    result: Result<(), SessionError>,
) {
    if result.is_ok() {
        stream.send_bytes(cx, Bytes::new());
    }
    stream.end(cx, result.map_err(Into::into));
}
