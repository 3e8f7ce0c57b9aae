//! Calls before they are sent, and tokens of calls that wait.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use proto::payload::encode_json;
use proto::{Delivery, Errno, Method, Payload, Refusal};
use wire::{Flags, Kind, Message};

/// A call that waits for answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub(crate) u32);

impl CallId {
    /// The matchtag of its request, by which some services know it.
    pub fn matchtag(self) -> u32 {
        self.0
    }

    /// The call whose request has this matchtag.
    pub fn of_matchtag(matchtag: u32) -> CallId {
        CallId(matchtag)
    }
}

/// Stands for a method in calls whose topic is known only at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Untyped;

/// Response of a call.
pub trait Answered {
    /// An answer, decoded.
    type Answer;
    /// True if repeating it has the same effect as doing it once.
    const IDEMPOTENT: bool;
    /// Decodes an answer.
    fn decode(answer: Message) -> Result<Self::Answer, Refusal>;
}

impl<M: Method> Answered for M {
    type Answer = M::Response;
    const IDEMPOTENT: bool = M::IDEMPOTENT;

    fn decode(answer: Message) -> Result<M::Response, Refusal> {
        M::Response::decode(answer.payload()).map_err(|bad| {
            let text = format!("{}: malformed response: {bad}", M::TOPIC);
            Refusal::new(Errno::EPROTO, text)
        })
    }
}

impl Answered for Untyped {
    type Answer = Message;
    const IDEMPOTENT: bool = true;

    fn decode(answer: Message) -> Result<Message, Refusal> {
        Ok(answer)
    }
}

/// A call in the making: a request and how to send it.
///
/// Made from a typed request with [`Call::new`], or with [`Call::raw`].
#[derive(Debug, Clone)]
pub struct Call<M> {
    pub(crate) message: Message,
    pub(crate) delivery: Delivery,
    pub(crate) upstream: bool,
    pub(crate) repeating: bool,
    method: PhantomData<fn() -> M>,
}

impl<M: Method> Call<M> {
    /// To any rank, with the delivery that is declared with the method.
    pub fn new(request: &M) -> Call<M> {
        Call {
            delivery: M::DELIVERY,
            ..Call::with_topic(M::TOPIC, request.encode())
        }
    }
}

impl Call<Untyped> {
    /// A call of `topic` without payload; answers are whole messages.
    pub fn raw(topic: &str) -> Call<Untyped> {
        Call::with_topic(topic, Bytes::new())
    }

    /// With this JSON object as payload.
    pub fn json(mut self, object: &serde_json::Value) -> Call<Untyped> {
        self.message.set_payload(encode_json(object));
        self
    }

    /// With these bytes as payload.
    pub fn payload(mut self, payload: Bytes) -> Call<Untyped> {
        self.message.set_payload(payload);
        self
    }
}

impl<M> Call<M> {
    fn with_topic(topic: &str, payload: Bytes) -> Call<M> {
        let mut message = Message::request(topic, 0);
        message.set_payload(payload);
        Call {
            message,
            delivery: Delivery::WAIT,
            upstream: false,
            repeating: false,
            method: PhantomData,
        }
    }

    /// To this rank.
    pub fn to(mut self, rank: u32) -> Call<M> {
        self.message.kind = Kind::Request {
            nodeid: rank,
            matchtag: 0,
        };
        self
    }

    /// To the nearest provider above this rank.
    pub fn upstream(mut self) -> Call<M> {
        self.upstream = true;
        self
    }

    /// Under another topic: a service name that is known only at run time.
    pub fn topic(mut self, topic: &str) -> Call<M> {
        self.message.set_topic(topic);
        self
    }

    /// With this delivery policy.
    pub fn delivery(mut self, delivery: Delivery) -> Call<M> {
        self.delivery = delivery;
        self
    }

    /// As a stream: it is sent again when its module dies and is restarted, if it is
    /// idempotent and its delivery is `Wait`. The answers then begin again;
    /// [`crate::Handle::repeats`] counts that.
    pub fn repeating(mut self) -> Call<M> {
        self.repeating = true;
        self
    }

    pub(crate) fn set_streaming(&mut self) {
        self.message.set_flag(Flags::STREAMING, true);
    }
}

/// A call that waits for answers, which knows how to read them.
pub struct Pending<M> {
    id: CallId,
    method: PhantomData<fn() -> M>,
}

impl<M> Pending<M> {
    pub(crate) fn new(id: CallId) -> Pending<M> {
        Pending {
            id,
            method: PhantomData,
        }
    }

    /// To recognise its answers among arrivals.
    pub fn id(&self) -> CallId {
        self.id
    }
}

impl<M: Answered> Pending<M> {
    /// Reads an answer that arrived with this call's id.
    pub fn decode(&self, answer: Result<Message, Refusal>) -> Result<M::Answer, Refusal> {
        answer.and_then(M::decode)
    }
}

impl<M> Clone for Pending<M> {
    fn clone(&self) -> Pending<M> {
        *self
    }
}

impl<M> Copy for Pending<M> {}

impl<M> fmt::Debug for Pending<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pending({})", self.id.0)
    }
}
