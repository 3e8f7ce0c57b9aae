//! Who is told of a process: the client that started it, or one that has attached.

use node::{Cx, Host, Stream, StreamId};
use proto::Refusal;
use proto::rexec::{Attach, Exec, Told};

/// The request that is answered.
enum Request {
    Exec(Stream<Exec>),
    Attach(Stream<Attach>),
}

/// A client and what it wants to be told.
pub(super) struct Audience<L> {
    request: Request,
    /// Bits of the streams that it gets.
    pub forwards: u32,
    /// The link that takes its responses: who does not read there is not told more.
    pub link: Option<L>,
}

impl<L> Audience<L> {
    /// The client that starts the process.
    pub fn of_exec(stream: Stream<Exec>, forwards: u32, link: Option<L>) -> Audience<L> {
        Audience {
            request: Request::Exec(stream),
            forwards,
            link,
        }
    }

    /// One that attaches to it.
    pub fn of_attach(stream: Stream<Attach>, forwards: u32, link: Option<L>) -> Audience<L> {
        Audience {
            request: Request::Attach(stream),
            forwards,
            link,
        }
    }

    /// Names the stream, by which its end is told.
    pub fn id(&self) -> StreamId {
        match &self.request {
            Request::Exec(stream) => stream.id(),
            Request::Attach(stream) => stream.id(),
        }
    }

    /// Sends one response.
    pub fn tell<C: Host>(&mut self, cx: &mut Cx<C>, told: &Told) {
        match &mut self.request {
            Request::Exec(stream) => stream.send(cx, told),
            Request::Attach(stream) => stream.send(cx, told),
        }
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
