//! Methods: topic, role of the caller, request and response.
//!
//! A service file declares its methods once with [`methods!`](crate::methods). The route,
//! the typed call, the page in `doc/rpc` and the golden test all follow from it.

use bytes::Bytes;
use wire::{Message, Role};

use crate::delivery::Delivery;
use crate::payload::{BadPayload, Payload};
use crate::refusal::{Coded, DeclaredError, Refusal};
use crate::schema::Schema;

/// Number of responses to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Exactly one, at once.
    Once,
    /// Exactly one, when it is available.
    Later,
    /// Any number, then one error; ENODATA is the normal end. A request without STREAMING
    /// is refused with EPROTO.
    Stream,
    /// One, or a stream when the request has STREAMING.
    Either,
    /// None: the request is sent with NORESPONSE.
    Nothing,
}

impl Answer {
    /// True if a request may wait for its response, or for more of it, and be cancelled
    /// meanwhile.
    pub fn may_wait(self) -> bool {
        matches!(self, Answer::Later | Answer::Stream | Answer::Either)
    }
}

/// One method of one service. Implemented on the request's type.
pub trait Method: Payload + 'static {
    /// `service.method`.
    const TOPIC: &'static str;
    /// Role required to call it, besides the instance owner.
    const ROLE: Role;
    /// True if repeating it has the same effect as doing it once. The broker hands such
    /// requests to a restarted module.
    const IDEMPOTENT: bool;
    /// True if a restarted module recognises a request that it had already carried out,
    /// by the number that the broker gave it, and answers it without doing it again. The
    /// broker hands such requests to a restarted module too; all others fail when it
    /// dies.
    const RECOGNISED: bool;
    /// True if it only reads, its response may be large, and it does not wait for any
    /// other request. The broker sends such requests to a module as fast as the client
    /// reads the answers.
    const BULK: bool;
    /// Number of responses.
    const ANSWER: Answer;
    /// Delivery policy of a call without one.
    const DELIVERY: Delivery = Delivery::WAIT;
    /// One sentence for `doc/rpc`.
    const SUMMARY: &'static str;
    /// True if a request without matchtag is answered too, under matchtag 0: its sender
    /// recognises the response by its topic.
    const ANSWERS_UNASKED: bool = false;
    /// Another method that cancels a request, besides `NAME.cancel`. Anyone may call it
    /// for requests of its own.
    const CANCEL: Option<&'static str> = None;
    /// Response.
    type Response: Payload + 'static;
    /// Errors.
    type Error: Coded;

    /// The request as a message, answered under `matchtag`.
    fn to_message(&self, matchtag: u32) -> Message {
        let mut message = Message::request(Self::TOPIC, matchtag);
        message.set_payload(self.encode());
        message
    }

    /// Error for a payload that does not decode. EPROTO without a text unless the
    /// method's contract has one.
    fn bad_payload(_reason: &BadPayload) -> Refusal {
        Refusal::bare(crate::Errno::EPROTO)
    }

    /// Error for a request without STREAMING under [`Answer::Stream`].
    fn needs_streaming() -> Refusal {
        Refusal::bare(crate::Errno::EPROTO)
    }
}

/// A method as a row of data, for the router, the documentation and the goldens.
#[derive(Clone, Copy)]
pub struct Declared {
    /// `service.method`.
    pub topic: &'static str,
    /// Name of the request's type.
    pub name: &'static str,
    /// Role required to call it, besides the owner.
    pub role: Role,
    /// See [`Method::IDEMPOTENT`].
    pub idempotent: bool,
    /// See [`Method::RECOGNISED`].
    pub recognised: bool,
    /// See [`Method::BULK`].
    pub bulk: bool,
    /// See [`Method::ANSWERS_UNASKED`].
    pub answers_unasked: bool,
    /// See [`Method::DELIVERY`].
    pub delivery: Delivery,
    /// Number of responses.
    pub answer: Answer,
    /// One sentence.
    pub summary: &'static str,
    /// See [`Method::CANCEL`].
    pub cancel: Option<&'static str>,
    /// Errors.
    pub errors: &'static [DeclaredError],
    /// Schema of the request.
    pub request_schema: fn() -> Option<Schema>,
    /// Schema of the response.
    pub response_schema: fn() -> Option<Schema>,
    /// Decodes and encodes a request again, for the goldens.
    pub request_again: fn(Option<&Bytes>) -> Result<Bytes, BadPayload>,
    /// Decodes and encodes a response again, for the goldens.
    pub response_again: fn(Option<&Bytes>) -> Result<Bytes, BadPayload>,
}

impl Declared {
    /// The row of method `M`.
    pub const fn of<M: Method>(name: &'static str) -> Declared {
        Declared {
            topic: M::TOPIC,
            name,
            role: M::ROLE,
            idempotent: M::IDEMPOTENT,
            recognised: M::RECOGNISED,
            bulk: M::BULK,
            answers_unasked: M::ANSWERS_UNASKED,
            delivery: M::DELIVERY,
            answer: M::ANSWER,
            summary: M::SUMMARY,
            cancel: M::CANCEL,
            errors: <M::Error as Coded>::ALL,
            request_schema: M::schema,
            response_schema: <M::Response as Payload>::schema,
            request_again: |payload| M::decode(payload).map(|request| request.encode()),
            response_again: |payload| M::Response::decode(payload).map(|r| r.encode()),
        }
    }
}

/// Declares the methods of a service, one row each:
///
/// `Request = "topic" (ROLE) => Response, Error [, idempotent|recognised] [, bulk] [, Later|Stream|Either|Nothing] : "summary";`
///
/// ROLE is `OWNER`, `USER` or `ALL`. Methods whose contract has texts for malformed
/// requests override [`Method::bad_payload`] or [`Method::needs_streaming`] in braces
/// before the semicolon. The rows become `METHODS`.
#[macro_export]
macro_rules! methods {
    ($($request:ident = $topic:literal ($role:ident) => $response:ty, $error:ty
        $(, $word:ident)* : $summary:literal $({ $($body:tt)* })? ;)*) => {
        $(impl $crate::Method for $request {
            const TOPIC: &'static str = $topic;
            const ROLE: $crate::Role = $crate::Role::$role;
            const IDEMPOTENT: bool = $crate::methods!(@idempotent $($word)*);
            const RECOGNISED: bool = $crate::methods!(@recognised $($word)*);
            const BULK: bool = $crate::methods!(@bulk $($word)*);
            const ANSWER: $crate::Answer = $crate::methods!(@answer $($word)*);
            const SUMMARY: &'static str = $summary;
            type Response = $response;
            type Error = $error;
            $($($body)*)?
        })*
        /// Every method of this service.
        pub const METHODS: &[$crate::Declared] = &[
            $($crate::Declared::of::<$request>(stringify!($request)),)*
        ];
    };
    (@idempotent) => { false };
    (@idempotent idempotent $($rest:ident)*) => { true };
    (@idempotent $other:ident $($rest:ident)*) => { $crate::methods!(@idempotent $($rest)*) };
    (@recognised) => { false };
    (@recognised recognised $($rest:ident)*) => { true };
    (@recognised $other:ident $($rest:ident)*) => { $crate::methods!(@recognised $($rest)*) };
    (@bulk) => { false };
    (@bulk bulk $($rest:ident)*) => { true };
    (@bulk $other:ident $($rest:ident)*) => { $crate::methods!(@bulk $($rest)*) };
    (@answer) => { $crate::Answer::Once };
    (@answer idempotent $($rest:ident)*) => { $crate::methods!(@answer $($rest)*) };
    (@answer recognised $($rest:ident)*) => { $crate::methods!(@answer $($rest)*) };
    (@answer bulk $($rest:ident)*) => { $crate::methods!(@answer $($rest)*) };
    (@answer $answer:ident $($rest:ident)*) => { $crate::Answer::$answer };
}
