//! terminus.*: terminals of a job shell, or of a server of its own (protocol/23 section 8). A
//! shell registers them as `UID-shell-F58PLAIN.terminus`, the server as `UID-terminus`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::data::JobId;
use crate::schema::JsonSchema;
use crate::{Empty, job_shell};

/// Variable with the number of a process's terminal session.
pub const SESSION_VAR: &str = "FLUX_TERMINUS_SESSION";

/// The service name of the stand-alone server of a user.
pub fn server_name(userid: u32) -> String {
    format!("{userid}-terminus")
}

/// The service name of the terminals of a job.
pub fn shell_name(userid: u32, id: JobId) -> String {
    format!("{}.terminus", job_shell::service_name(userid, id))
}

/// The size of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WinSize {
    /// Lines, from 1 on.
    pub rows: i64,
    /// Characters of a line, from 1 on.
    pub cols: i64,
}

/// Requests of a client to a session (protocol/23 section 8).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// `attach`, `data`, `resize` or `detach`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Of `attach`: `rw`, `ro` or `wo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Of `attach` with `rw`, and of `resize`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winsize: Option<WinSize>,
    /// Of `data`: the input. An empty object is a keepalive of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Of `data`: `base64` if the bytes are no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
}

/// Responses to an attached client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum TerminalReply {
    /// The client is attached.
    Attach,
    /// Output of the terminal.
    Data {
        /// The text, or the base64 of the bytes.
        data: String,
        /// `base64` if the bytes are no text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        encoding: Option<String>,
    },
    /// The client is detached; the stream ends.
    Exit {
        /// Error text.
        message: String,
        /// Wait status of the process on the terminal if it has ended, else 0.
        status: i32,
    },
}

impl Session {
    /// Attaches the sender.
    pub fn attach(mode: &str, winsize: Option<WinSize>) -> Session {
        Session {
            kind: "attach".to_owned(),
            mode: Some(mode.to_owned()),
            winsize,
            ..Session::default()
        }
    }

    /// Types these bytes.
    pub fn data(bytes: &[u8]) -> Session {
        let (data, encoding) = encode(bytes);
        Session {
            kind: "data".to_owned(),
            data: Some(data),
            encoding,
            ..Session::default()
        }
    }

    /// Gives the terminal another size.
    pub fn resize(winsize: WinSize) -> Session {
        Session {
            kind: "resize".to_owned(),
            winsize: Some(winsize),
            ..Session::default()
        }
    }

    /// Detaches the sender.
    pub fn detach() -> Session {
        Session {
            kind: "detach".to_owned(),
            ..Session::default()
        }
    }

    /// The bytes of `data`; `None` if there are none, or they cannot be read.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        decode(self.data.as_deref()?, self.encoding.as_deref())
    }
}

impl TerminalReply {
    /// The terminal shows these bytes.
    pub fn data(bytes: &[u8]) -> TerminalReply {
        let (data, encoding) = encode(bytes);
        TerminalReply::Data { data, encoding }
    }
}

/// Bytes as text if they are, else as base64.
fn encode(bytes: &[u8]) -> (String, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => (text.to_owned(), None),
        _ => (BASE64.encode(bytes), Some("base64".to_owned())),
    }
}

/// The bytes that [`encode`] has written; `None` if that cannot be read.
pub fn decode(data: &str, encoding: Option<&str>) -> Option<Vec<u8>> {
    match encoding {
        None => Some(data.as_bytes().to_vec()),
        Some("base64") => BASE64.decode(data).ok(),
        Some(_) => None,
    }
}

/// Asks for all sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {}

/// The sessions of a server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    /// By number.
    pub sessions: Vec<Row>,
    /// Server of the sessions.
    pub server: Server,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// Number.
    pub id: u32,
    /// Name.
    pub name: String,
    /// Number of attached clients.
    pub clients: u32,
    /// Process id of the program on it.
    pub pid: i32,
    /// True if its program has exited.
    pub exited: bool,
    /// Start time, in seconds since the epoch.
    pub ctime: f64,
}

/// Server of sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Server {
    /// Service.
    pub service: String,
    /// Rank of its broker.
    pub rank: u32,
    /// Start time, in seconds since the epoch.
    pub ctime: f64,
}

/// Runs a command on a terminal of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct New {
    /// Name; default: the name of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Program and arguments; without them, the user's shell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// The whole environment; without it, the server's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environ: BTreeMap<String, String>,
    /// Working directory; without it, the server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// True to keep the terminal, and so the end of the session, until a client has
    /// attached.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wait: bool,
}

/// A session that was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Made {
    /// Name.
    pub name: String,
    /// The topic of its endpoint.
    pub pty_service: String,
    /// Number.
    pub id: u32,
}

/// Sends a signal to the program on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kill {
    /// Number of the session.
    pub id: u32,
    /// Signal number.
    pub signal: i32,
    /// True to answer when the session has ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wait: bool,
}

/// Ends all sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct KillServer {}

crate::refusals! {
    /// Errors of a client's request to a session.
    pub enum SessionError {
        /// Not an object of this protocol, or an unknown mode.
        Malformed => EPROTO "",
        /// The terminal belongs to another user.
        NotYours => EPERM "",
        /// The client may only read.
        ReadOnly => EPERM "attached in read-only mode",
        /// There is no session of this number.
        NoSession => ENOSYS "Unknown service method",
        /// There is no such type.
        UnknownType => ENOSYS "",
        /// This client is attached.
        Attached => EEXIST "",
        /// This client is not attached.
        NotAttached => ENOENT "",
        /// A terminal has one row and one column at least, and 65535 at most.
        BadSize => EINVAL "",
        /// The maximum number of clients are attached.
        TooMany => EBUSY "too many clients are attached",
        /// The input queue is full; part of the input was accepted.
        Full => EAGAIN "the terminal does not read its input",
    }
}

crate::refusals! {
    /// Errors of creating a session.
    pub enum NewError {
        /// The server belongs to another user.
        NotYours => EPERM "",
        /// There is the maximum number of sessions.
        TooMany => EBUSY "too many sessions",
        /// The server is shutting down.
        ShuttingDown => ENOSYS "terminal server is shutting down",
    }
}

crate::refusals! {
    /// Errors of listing or ending sessions.
    pub enum KillError {
        /// The server belongs to another user.
        NotYours => EPERM "",
        /// There is no session of this number.
        NoSession => ENOENT "",
        /// There is no such signal.
        BadSignal => EINVAL "invalid signal number",
        /// The maximum number of requests wait for the end of sessions.
        TooMany => EBUSY "too many requests wait for the end of sessions",
    }
}

crate::json_payloads!(
    Session,
    TerminalReply,
    List,
    Listed,
    New,
    Made,
    Kill,
    KillServer
);

crate::methods! {
    Session = "terminus.ID" (USER) => TerminalReply, SessionError, Either
        : "Attaches to the session of this number, and types into it; all but `attach` have one empty response.";
    List = "terminus.list" (USER) => Listed, KillError, idempotent
        : "The terminal sessions of a server.";
    New = "terminus.new" (USER) => Made, NewError
        : "Runs a command on a new terminal.";
    Kill = "terminus.kill" (USER) => Empty, KillError, Later
        : "Sends a signal to the program on a terminal.";
    KillServer = "terminus.kill-server" (USER) => Empty, KillError, Later
        : "Ends all sessions; answered when they have ended.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_travels_as_base64() {
        for (bytes, json) in [
            (&b"ls\r"[..], r#"{"type":"data","data":"ls\r"}"#),
            (b"", r#"{"type":"data","data":""}"#),
            (
                b"a\0",
                r#"{"type":"data","data":"YQA=","encoding":"base64"}"#,
            ),
            (
                b"\xff",
                r#"{"type":"data","data":"/w==","encoding":"base64"}"#,
            ),
        ] {
            let typed = Session::data(bytes);
            assert_eq!(serde_json::to_string(&typed).unwrap(), json);
            assert_eq!(typed.bytes().as_deref(), Some(bytes), "{json}");
            assert_eq!(
                serde_json::to_string(&TerminalReply::data(bytes)).unwrap(),
                json
            );
        }
        assert_eq!(decode("x", Some("rot13")), None);
    }

    #[test]
    fn clients_are_told_by_type() {
        let exit = TerminalReply::Exit {
            message: "session exiting".to_owned(),
            status: 768,
        };
        for (told, json) in [
            (TerminalReply::Attach, r#"{"type":"attach"}"#),
            (
                exit,
                r#"{"type":"exit","message":"session exiting","status":768}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&told).unwrap(), json);
            assert_eq!(serde_json::from_str::<TerminalReply>(json).unwrap(), told);
        }
    }
}
