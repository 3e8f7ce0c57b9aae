//! rexec.*: processes that a broker runs for others (RFC 42, protocol/03 section 14).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data::stdio::Data;
use crate::schema::JsonSchema;
use crate::{Empty, Errno, Never, Refusal};

/// Bits of [`Exec::flags`] and [`Attach::flags`].
pub mod flags {
    /// Forward standard output.
    pub const STDOUT: u32 = 1;
    /// Forward standard error.
    pub const STDERR: u32 = 2;
    /// Forward data from channels.
    pub const CHANNEL: u32 = 4;
    /// Report the room for input.
    pub const WRITE_CREDIT: u32 = 8;
    /// Keep the status of a background process until a client waits for it.
    pub const WAITABLE: u32 = 16;
}

/// Bits of [`Exec::local_flags`]. There is one way to start a process, so that the bit for
/// fork(2) and exec(2), 4, changes nothing.
pub mod local_flags {
    /// Give the process the broker's own standard streams.
    pub const STDIO_FALLTHROUGH: u32 = 1;
    /// Leave the process in the broker's process group; signals go to it alone.
    pub const NO_SETPGRP: u32 = 2;
}

/// A command to run (RFC 42, "Command Object").
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Command {
    /// Working directory; without one, the broker's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The program and its arguments.
    pub cmdline: Vec<String>,
    /// The whole environment; an empty one stands for the broker's.
    pub env: BTreeMap<String, String>,
    /// Options of the client's own side.
    pub opts: BTreeMap<String, String>,
    /// Names of socket pairs to share with the process, each in the environment variable
    /// of its name.
    pub channels: Vec<String>,
    /// Channels for messages, which are not supported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub msgchans: Vec<MessageChannel>,
    /// A name for the process, which no other may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// A channel for messages between a process and a URI on the broker's side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageChannel {
    /// The environment variable with the number of the process's end.
    pub name: String,
    /// The other end.
    pub uri: String,
}

/// Runs a command: in the foreground as a stream, in the background otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exec {
    /// Command to run.
    pub cmd: Command,
    /// See [`flags`].
    pub flags: u32,
    /// See [`local_flags`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_flags: Option<u32>,
    /// Bytes of output that the client accepts; it gives more by [`Credit`]. Without it
    /// there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_credit: Option<u64>,
    /// Variables to add to the command's environment: a client that wants the broker's own
    /// and a few more need not know its contents.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env_add: BTreeMap<String, String>,
}

/// Responses to the client of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ProcessReply {
    /// The process has started.
    Started {
        /// Process id.
        pid: i32,
    },
    /// The client now has the streams of a background process.
    Attached {
        /// Process id.
        pid: i32,
        /// Command of the process.
        cmd: Command,
    },
    /// There is room for more input, in bytes by stream.
    AddCredit {
        /// `stdin`, or the name of a channel.
        channels: BTreeMap<String, u64>,
    },
    /// The process has written something, or closed a stream.
    Output {
        /// Process id.
        pid: i32,
        /// The stream and the data; the rank is the broker's.
        io: Data,
    },
    /// A signal has stopped it.
    Stopped,
    /// The process has exited. Output may still follow.
    Finished {
        /// Wait status of wait(2).
        status: i32,
    },
}

/// Writes data to a process on its standard input or a channel. Output beyond the granted
/// credit is dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Write {
    /// Matchtag of the sender's exec request.
    pub matchtag: u32,
    /// The stream, the data, and whether it ends.
    pub io: Data,
}

/// Accepts more output of a process: while there is no room for it, the process is not
/// read from, and soon has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Credit {
    /// Matchtag of the sender's exec or attach request.
    pub matchtag: u32,
    /// Bytes for which there is room again.
    pub bytes: u64,
}

/// Sends a signal to a process and its process group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kill {
    /// Process id; -1 with a label.
    pub pid: i64,
    /// Signal number.
    pub signum: i32,
    /// Label in place of the process id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// Asks for the processes that a broker has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct List;

/// The processes of one broker: those of clients, and its own commands and modules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Processes {
    /// Rank of the broker.
    pub rank: u32,
    /// In the order in which they were started.
    pub procs: Vec<Process>,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Process id.
    pub pid: i32,
    /// Program, or `flux NAME` for a sub-command of flux.
    pub cmd: String,
    /// Empty for none.
    pub label: String,
    /// `R` while it runs, `Z` when it has ended and nobody has waited for it.
    pub state: String,
}

/// Waits for the end of a waitable process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Wait {
    /// Process id; -1 with a label.
    pub pid: i64,
    /// Label in place of the process id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// Exit of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waited {
    /// Wait status of wait(2).
    pub status: i32,
    /// The last of its output, as far as it was kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<Data>,
}

/// Takes over the streams of a background process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attach {
    /// Process id; -1 with a label.
    pub pid: i64,
    /// Label in place of the process id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Streams to forward: see [`flags`].
    pub flags: u32,
    /// As [`Exec::output_credit`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_credit: Option<u64>,
}

/// Error for a command that cannot be started: the error's own number.
pub fn launch_failed(errno: Errno) -> Refusal {
    Refusal::new(errno, format!("error launching process: {errno}"))
}

crate::refusals! {
    /// Errors of any request.
    pub enum RemoteError {
        /// The job requires signatures (`rexec.sign-required`), and they cannot be verified.
        Unsigned => EPERM "a signed request is required, and signatures are not supported",
        /// A multi-user instance runs no commands on rank 0 for other ranks.
        NotOnRankZero => EPERM "Remote rexec requests are not allowed on rank 0",
    }
}

crate::refusals! {
    /// Errors of running a command.
    pub enum ExecError {
        /// There is no program to run.
        EmptyCommand => EPROTO "command string is empty",
        /// A label without a letter.
        EmptyLabel => EINVAL "command label is empty",
        /// Another process has this label.
        LabelTaken => EEXIST "command label is not unique",
        /// A background process gets no input.
        CreditInBackground => EINVAL "write-credit flag is not allowed in background mode",
        /// There are no channels for background processes.
        ChannelsInBackground => EINVAL "auxiliary channels are not allowed in background mode",
        /// The output of a background process goes to the broker.
        FallthroughInBackground => EINVAL "stdio-fallthrough flag is not allowed in background mode",
        /// The stream itself reports the end.
        WaitableInForeground => EINVAL "waitable flag only supported in background mode",
        /// The command has `msgchans`.
        MessageChannels => ENOSYS "message channels are not supported",
        /// The request comes from another rank.
        Remote(RemoteError) => EPERM "{0}",
        /// This client, or all together, have the maximum number of processes.
        TooMany => ENOBUFS "too many subprocesses",
        /// The broker is shutting down.
        ShuttingDown => ENOSYS "subprocess server is shutting down",
    }
}

crate::refusals! {
    /// Errors of looking up a process.
    pub enum LookupError {
        /// No process of ours has this number.
        NoPid(i64) => ESRCH "pid {0} does not belong to any subprocess",
        /// No process of ours has this label.
        NoLabel(String) => ESRCH "label {0} does not belong to any subprocess",
    }
}

crate::refusals! {
    /// Errors of sending a signal.
    pub enum KillError {
        /// There is no such process.
        Unknown(LookupError) => ESRCH "{0}",
        /// There is no such signal.
        BadSignal => EINVAL "invalid signal number",
        /// The request comes from another rank.
        Remote(RemoteError) => EPERM "{0}",
    }
}

crate::refusals! {
    /// Errors of waiting for a process.
    pub enum WaitError {
        /// There is no such process.
        Unknown(LookupError) => ESRCH "{0}",
        /// The process was not started as waitable.
        NotWaitable => EINVAL "process is not waitable",
        /// Another client waits for it.
        WaitedOn => EINVAL "process is already being waited on",
        /// The request comes from another rank.
        Remote(RemoteError) => EPERM "{0}",
    }
}

crate::refusals! {
    /// Errors of attaching to a process.
    pub enum AttachError {
        /// There is no such process.
        Unknown(LookupError) => ENOENT "{0}",
        /// The first client is attached.
        Foreground => EBUSY "process is not in background mode",
        /// Another client is attached.
        Attached => EBUSY "process already has a client attached",
        /// There is more than one response.
        NeedsStreaming => EPROTO "attach request is missing STREAMING flag",
        /// The request comes from another rank.
        Remote(RemoteError) => EPERM "{0}",
    }
}

crate::json_payloads!(
    Exec,
    ProcessReply,
    Write,
    Credit,
    Kill,
    Processes,
    Wait,
    Waited,
    Attach
);
crate::no_payloads!(List);

crate::methods! {
    Exec = "rexec.exec" (OWNER) => ProcessReply, ExecError, Either
        : "Runs a command; without STREAMING in the background, where one response reports the \
            start.";
    Write = "rexec.write" (OWNER) => Empty, Never, Nothing
        : "Writes data to a process on its standard input or a channel.";
    Credit = "rexec.credit" (OWNER) => Empty, Never, Nothing
        : "Grants more output of a process.";
    Kill = "rexec.kill" (OWNER) => Empty, KillError
        : "Sends a signal to a process and its process group.";
    List = "rexec.list" (OWNER) => Processes, RemoteError, idempotent
        : "The processes of a broker.";
    Wait = "rexec.wait" (OWNER) => Waited, WaitError, Later
        : "Waits for the end of a waitable process, whose record is then deleted.";
    Attach = "rexec.attach" (OWNER) => ProcessReply, AttachError, Stream
        : "Takes over the streams of a background process." {
            fn needs_streaming() -> Refusal {
                AttachError::NeedsStreaming.into()
            }
        };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(told: &ProcessReply, json: &str) {
        assert_eq!(serde_json::to_string(told).unwrap(), json);
        assert_eq!(&serde_json::from_str::<ProcessReply>(json).unwrap(), told);
    }

    #[test]
    fn responses_are_told_apart_by_their_type() {
        check(
            &ProcessReply::Started { pid: 7 },
            r#"{"type":"started","pid":7}"#,
        );
        check(
            &ProcessReply::AddCredit {
                channels: BTreeMap::from([("stdin".to_owned(), 4096)]),
            },
            r#"{"type":"add-credit","channels":{"stdin":4096}}"#,
        );
        check(
            &ProcessReply::Output {
                pid: 7,
                io: Data::new("stdout", "3", Some(b"\xff"), true),
            },
            r#"{"type":"output","pid":7,"io":{"stream":"stdout","rank":"3","data":"/w==","encoding":"base64","eof":true}}"#,
        );
        check(&ProcessReply::Stopped, r#"{"type":"stopped"}"#);
        check(
            &ProcessReply::Finished { status: 256 },
            r#"{"type":"finished","status":256}"#,
        );
    }

    #[test]
    fn what_cannot_be_started_keeps_its_number() {
        let refusal = launch_failed(Errno::ENOENT);
        assert_eq!(refusal.errno, Errno::ENOENT);
        let text = "error launching process: No such file or directory";
        assert_eq!(refusal.to_string(), text);
    }
}
