//! The right to answer a request later: a token that can be stored, used once,
//! and not forgotten.

use std::cell::Cell;
use std::marker::PhantomData;
use std::rc::Rc;

use bytes::Bytes;
use proto::{Coded, Method, Payload, Refusal};

use crate::Cx;

/// A request whose answer is outstanding. Never reused within a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// The bare token below both kinds.
#[derive(Debug)]
struct Token {
    id: StreamId,
    spent: bool,
    /// Set when the component is going down, where the harness answers for it.
    closing: Rc<Cell<bool>>,
    topic: &'static str,
}

impl Drop for Token {
    fn drop(&mut self) {
        debug_assert!(
            self.spent || self.closing.get() || std::thread::panicking(),
            "{} was not answered",
            self.topic
        );
    }
}

/// The one right to answer one request of method `M`.
#[must_use = "every request is answered exactly once"]
#[derive(Debug)]
pub struct Reply<M: Method> {
    token: Token,
    method: PhantomData<fn() -> M>,
}

impl<M: Method> Reply<M> {
    pub(crate) fn new(id: StreamId, closing: Rc<Cell<bool>>) -> Reply<M> {
        Reply {
            token: Token {
                id,
                spent: false,
                closing,
                topic: M::TOPIC,
            },
            method: PhantomData,
        }
    }

    /// Names the request, for tables.
    pub fn id(&self) -> StreamId {
        self.token.id
    }

    /// Lets go of a request that [`crate::Host::closed`] said was taken back.
    pub fn forget(mut self) {
        self.token.spent = true;
    }

    /// Answers.
    pub fn send<C>(self, cx: &mut Cx<C>, result: Result<M::Response, M::Error>)
    where
        C: crate::Host,
    {
        self.send_refusal(cx, result.map_err(|error| error.refusal()));
    }

    /// Answers, passing on a refusal that came from elsewhere.
    pub fn send_refusal<C>(self, cx: &mut Cx<C>, result: Result<M::Response, Refusal>)
    where
        C: crate::Host,
    {
        self.send_bytes(cx, result.map(|response| response.encode()));
    }

    /// Answers with a payload that is encoded already.
    pub fn send_bytes<C>(mut self, cx: &mut Cx<C>, result: Result<Bytes, Refusal>)
    where
        C: crate::Host,
    {
        self.token.spent = true;
        cx.answer(self.token.id, result, true);
    }
}

/// Fate of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The response is on its way.
    Yes,
    /// The response is not sent: nobody waits for it any more.
    No(Closed),
}

/// Reason for which a way back is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The one answer of a request without STREAMING is out.
    Answered,
    /// The client has left, or has taken the request back.
    TakenBack,
}

/// The right to send any number of responses to one request of method `M`, and then one end.
/// The end takes the right away; a response after the only one, or to a request that was
/// taken back, is not sent, and [`Sent`] is the result.
#[must_use = "every stream is ended exactly once"]
#[derive(Debug)]
pub struct Stream<M: Method> {
    token: Token,
    method: PhantomData<fn() -> M>,
    streaming: bool,
}

impl<M: Method> Stream<M> {
    pub(crate) fn new(id: StreamId, closing: Rc<Cell<bool>>, streaming: bool) -> Stream<M> {
        let token = Token {
            id,
            spent: false,
            closing,
            topic: M::TOPIC,
        };
        Stream {
            token,
            method: PhantomData,
            streaming,
        }
    }

    /// Names the stream, for tables and for [`crate::Host::closed`].
    pub fn id(&self) -> StreamId {
        self.token.id
    }

    /// True if the client asked for a stream. Under [`proto::Answer::Either`] a request
    /// without STREAMING takes exactly one [`Stream::send`].
    pub fn is_streaming(&self) -> bool {
        self.streaming
    }

    /// Sends one response. On a request without STREAMING it is the only one, and
    /// the token is spent.
    pub fn send<C>(&mut self, cx: &mut Cx<C>, response: &M::Response) -> Sent
    where
        C: crate::Host,
    {
        self.send_bytes(cx, response.encode())
    }

    /// Sends one response that is encoded already, which many streams may share.
    pub fn send_bytes<C>(&mut self, cx: &mut Cx<C>, payload: Bytes) -> Sent
    where
        C: crate::Host,
    {
        if self.token.spent {
            return Sent::No(Closed::Answered);
        }
        self.token.spent = !self.streaming;
        cx.answer(self.token.id, Ok(payload), !self.streaming)
    }

    /// Ends the stream: `Ok` is ENODATA. Does nothing when the one answer of a
    /// request without STREAMING is out.
    pub fn end<C>(mut self, cx: &mut Cx<C>, result: Result<(), Refusal>)
    where
        C: crate::Host,
    {
        if !self.token.spent {
            self.token.spent = true;
            cx.answer(
                self.token.id,
                Err(result.err().unwrap_or(Refusal::END)),
                true,
            );
        }
    }

    /// Drops a stream that ended according to [`crate::Host::closed`].
    pub fn forget(mut self) {
        self.token.spent = true;
    }
}

#[cfg(test)]
#[path = "reply_tests.rs"]
mod tests;
