//! Client attached to a session: its rights, and its acknowledged position.

use bytes::Bytes;
use node::{Cx, Host, Stream};
use proto::Payload as _;
use proto::terminus::{self, TerminalReply};
use wire::Identity;

use crate::limits::UNHEARD_BYTES_MAX;

/// Rights of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Reads and types.
    Both,
    /// Reads.
    Reads,
    /// Types.
    Types,
}

impl Mode {
    /// By its name in requests.
    pub fn read(name: &str) -> Option<Mode> {
        match name {
            "rw" => Some(Mode::Both),
            "ro" => Some(Mode::Reads),
            "wo" => Some(Mode::Types),
            _ => None,
        }
    }

    /// True if it receives the terminal's output.
    pub fn reads(self) -> bool {
        self != Mode::Types
    }

    /// True if it may type.
    pub fn types(self) -> bool {
        self != Mode::Reads
    }
}

/// One client.
pub(crate) struct Client {
    /// Identity; no other client has the same.
    pub name: Option<Identity>,
    pub mode: Mode,
    pub stream: Stream<terminus::Session>,
    /// Bytes sent since it said something.
    unheard: usize,
}

impl Client {
    pub fn new(name: Option<Identity>, mode: Mode, stream: Stream<terminus::Session>) -> Client {
        Client {
            name,
            mode,
            stream,
            unheard: 0,
        }
    }

    /// The client sent something, so it lives and reads.
    pub fn heard(&mut self) {
        self.unheard = 0;
    }

    /// True if it has received as much as it may without an acknowledgement.
    pub fn is_behind(&self) -> bool {
        self.unheard >= UNHEARD_BYTES_MAX
    }

    /// Sends output of the terminal, `len` bytes of it.
    pub fn show<C: Host>(&mut self, cx: &mut Cx<C>, told: Bytes, len: usize) {
        if self.mode.reads() {
            self.unheard += len;
            self.stream.send_bytes(cx, told);
        }
    }

    /// Detaches it.
    pub fn detach<C: Host>(mut self, cx: &mut Cx<C>, message: &str, status: i32) {
        let message = message.to_owned();
        let exit = TerminalReply::Exit { message, status };
        self.stream.send_bytes(cx, exit.encode());
        self.stream.end(cx, Ok(()));
    }
}
