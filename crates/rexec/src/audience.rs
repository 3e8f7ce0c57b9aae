//! Receivers of a process's output and exit: the client that started it, or one that has
//! attached.

use node::{Cx, Host, Stream, StreamId};
use proto::Refusal;
use proto::rexec::{Attach, Exec, ProcessReply};
use wire::Identity;

/// The request that is answered.
enum Request {
    Exec(Stream<Exec>),
    Attach(Stream<Attach>),
}

/// A client and its options.
pub(super) struct Audience<L> {
    request: Request,
    /// Bits of the streams that it gets.
    pub forwards: u32,
    /// The link that takes its responses: a client that does not read there is sent no
    /// more.
    pub link: Option<L>,
    /// The request itself, by which it says that it has room for more.
    pub key: Option<(Identity, u32)>,
    /// Bytes of output that it has room for, if it counts them. Output read before it had
    /// a limit may exceed it.
    room: Option<i64>,
}

/// Sender of a request.
pub(super) struct Client<L> {
    /// The link over which it has come.
    pub link: Option<L>,
    /// Sender and matchtag.
    pub key: Option<(Identity, u32)>,
    /// Bytes of output that it has room for, if it counts them.
    pub room: Option<u64>,
}

/// A number of bytes that may go below 0.
fn bytes(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl<L> Audience<L> {
    /// The client that starts the process.
    pub fn of_exec(stream: Stream<Exec>, forwards: u32, client: Client<L>) -> Audience<L> {
        Audience {
            request: Request::Exec(stream),
            forwards,
            link: client.link,
            key: client.key,
            room: client.room.map(bytes),
        }
    }

    /// One that attaches to it.
    pub fn of_attach(stream: Stream<Attach>, forwards: u32, client: Client<L>) -> Audience<L> {
        Audience {
            request: Request::Attach(stream),
            forwards,
            link: client.link,
            key: client.key,
            room: client.room.map(bytes),
        }
    }

    /// True if it has no room for output.
    pub fn is_full(&self) -> bool {
        self.room.is_some_and(|room| room <= 0)
    }

    /// Takes room for output that is sent.
    pub fn take_room(&mut self, len: usize) {
        if let Some(room) = &mut self.room {
            *room = room.saturating_sub(bytes(len as u64));
        }
    }

    /// Returns room for more output.
    pub fn give_room(&mut self, more: u64) {
        if let Some(room) = &mut self.room {
            *room = room.saturating_add(bytes(more));
        }
    }

    /// Names the stream, by which its end is reported.
    pub fn id(&self) -> StreamId {
        match &self.request {
            Request::Exec(stream) => stream.id(),
            Request::Attach(stream) => stream.id(),
        }
    }

    /// Sends one response.
    pub fn send<C: Host>(&mut self, cx: &mut Cx<C>, told: &ProcessReply) {
        match &mut self.request {
            Request::Exec(stream) => stream.send(cx, told),
            Request::Attach(stream) => stream.send(cx, told),
        };
    }

    /// Sends the last one.
    pub fn end<C: Host>(self, cx: &mut Cx<C>, result: Result<(), Refusal>) {
        match self.request {
            Request::Exec(stream) => stream.end(cx, result),
            Request::Attach(stream) => stream.end(cx, result),
        }
    }

    /// Lets go of a client that has left.
    pub fn forget(self) {
        match self.request {
            Request::Exec(stream) => stream.forget(),
            Request::Attach(stream) => stream.forget(),
        }
    }
}
