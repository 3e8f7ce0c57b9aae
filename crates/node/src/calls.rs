//! Asking other services: calls that wait for an answer, held as data.

use std::marker::PhantomData;

use bytes::Bytes;
pub use proto::Delivery;
use proto::{Errno, Method, Outcome, Payload, Refusal};
use rustc_hash::FxHashMap;
use wire::{Flags, Kind, Message, NODEID_ANY};

use crate::limits::PENDING_CALLS_MAX;
use crate::timers::TimerId;
use crate::{Cx, Host, spent};

/// Topic of a request that is sent as it is.
const UNTYPED: &str = "untyped";

/// One call in the making: a request and how to send it.
#[derive(Debug, Clone)]
pub struct Call<M: Method> {
    request: Message,
    delivery: Delivery,
    method: PhantomData<fn() -> M>,
}

impl<M: Method> Call<M> {
    /// To any rank, with the delivery that is declared with the method.
    pub fn new(request: &M) -> Call<M> {
        Call::with_payload(request.encode())
    }

    /// The same with a payload that is encoded already.
    pub fn with_payload(payload: Bytes) -> Call<M> {
        let mut message = Message::request(M::TOPIC, 0);
        message.set_payload(payload);
        Call {
            request: message,
            delivery: M::DELIVERY,
            method: PhantomData,
        }
    }

    /// To this rank.
    pub fn to(mut self, rank: u32) -> Call<M> {
        self.request.kind = Kind::Request {
            nodeid: rank,
            matchtag: 0,
        };
        self
    }

    /// To the next broker above, from the broker of this rank.
    pub fn upstream(mut self, rank: u32) -> Call<M> {
        self.request.set_flag(Flags::UPSTREAM, true);
        self.to(rank)
    }

    /// Under another topic: a service name that is known only at run time.
    pub fn topic(mut self, topic: &str) -> Call<M> {
        self.request.set_topic(topic);
        self
    }

    /// With this delivery policy. A caller that goes on with an answer waits for it, also
    /// after a best-effort request.
    pub fn delivery(mut self, delivery: Delivery) -> Call<M> {
        self.delivery = delivery;
        self
    }

    /// On behalf of a user, with the credential of its own request.
    pub fn as_user(mut self, userid: u32, rolemask: proto::Role) -> Call<M> {
        self.request.userid = userid;
        self.request.rolemask = rolemask;
        self
    }
}

/// A call that waits for its answer, to cancel it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub(crate) u32);

type OnceFn<C> = Box<dyn FnOnce(&mut C, &mut Cx<C>, Result<&Message, Refusal>)>;
type EachFn<C> = Box<dyn FnMut(&mut C, &mut Cx<C>, Result<&Message, Refusal>)>;

pub(crate) enum Then<C: Host> {
    Once(OnceFn<C>),
    Each(EachFn<C>),
}

struct Pending<C: Host> {
    /// Declared topic of the request.
    topic: &'static str,
    then: Then<C>,
    timer: Option<TimerId>,
}

/// Calls that wait, by matchtag.
pub(crate) struct Calls<C: Host> {
    pending: FxHashMap<u32, Pending<C>>,
    last_tag: u32,
    /// The stream whose function runs, until it forgets itself.
    running: Option<u32>,
}

impl<C: Host> Default for Calls<C> {
    fn default() -> Self {
        Calls {
            pending: FxHashMap::default(),
            last_tag: 0,
            running: None,
        }
    }
}

impl<C: Host> Calls<C> {
    /// Number of unanswered calls.
    pub fn n_pending(&self) -> usize {
        self.pending.len()
    }

    fn add(&mut self, topic: &'static str, then: Then<C>) -> Option<u32> {
        if self.pending.len() >= PENDING_CALLS_MAX {
            return None;
        }
        loop {
            self.last_tag = self.last_tag.checked_add(1).unwrap_or(1);
            if !self.pending.contains_key(&self.last_tag) {
                break;
            }
        }
        let timer = None;
        let pending = Pending { topic, then, timer };
        self.pending.insert(self.last_tag, pending);
        Some(self.last_tag)
    }
}

impl<C: Host> Cx<C> {
    /// Calls `M` anywhere and goes on in `then` with the answer.
    pub fn call<M: Method>(
        &mut self,
        request: &M,
        then: impl FnOnce(&mut C, &mut Cx<C>, Result<M::Response, Refusal>) + 'static,
    ) {
        self.call_with(Call::new(request), then);
    }

    /// Sends `call` and goes on in `then` with the answer.
    pub fn call_with<M: Method>(
        &mut self,
        call: Call<M>,
        then: impl FnOnce(&mut C, &mut Cx<C>, Result<M::Response, Refusal>) + 'static,
    ) -> CallId {
        let then: OnceFn<C> =
            Box::new(move |core, cx, answer| then(core, cx, answer.and_then(decode_answer::<M>)));
        self.start_call(M::TOPIC, call.request, call.delivery, Then::Once(then))
    }

    /// Sends `call` as a streaming request; `each` gets every response and, last,
    /// the error that ends it ([`Refusal::END`] when all is well).
    pub fn stream_with<M: Method>(
        &mut self,
        call: Call<M>,
        mut each: impl FnMut(&mut C, &mut Cx<C>, Result<M::Response, Refusal>) + 'static,
    ) -> CallId {
        let each: EachFn<C> =
            Box::new(move |core, cx, answer| each(core, cx, answer.and_then(decode_answer::<M>)));
        let mut request = call.request;
        request.set_flag(Flags::STREAMING, true);
        self.start_call(M::TOPIC, request, call.delivery, Then::Each(each))
    }

    /// Sends `M` without wanting an answer.
    pub fn notify<M: Method>(&mut self, request: &M) {
        self.notify_with(Call::new(request));
    }

    /// Sends `call` without wanting an answer.
    pub fn notify_with<M: Method>(&mut self, call: Call<M>) {
        let mut request = call.request;
        request.set_flag(Flags::NORESPONSE, true);
        self.send(request);
    }

    /// Sends a request message as it is and hands whole responses to `then`. For
    /// protocols that are not of the form "one request, one typed answer".
    pub fn call_raw(
        &mut self,
        request: Message,
        then: impl FnOnce(&mut C, &mut Cx<C>, Result<&Message, Refusal>) + 'static,
    ) -> CallId {
        self.start_call(UNTYPED, request, Delivery::WAIT, Then::Once(Box::new(then)))
    }

    /// Sends a streaming request message as it is and hands whole responses to `each`,
    /// and, last, the error that ends it. For payloads that are read in a way of their own.
    pub fn stream_raw(
        &mut self,
        mut request: Message,
        each: impl FnMut(&mut C, &mut Cx<C>, Result<&Message, Refusal>) + 'static,
    ) -> CallId {
        request.set_flag(Flags::STREAMING, true);
        self.start_call(UNTYPED, request, Delivery::WAIT, Then::Each(Box::new(each)))
    }

    /// Stops waiting for a call; a late answer is dropped. The service is not notified:
    /// send its cancel method for that.
    pub fn forget_call(&mut self, call: CallId) {
        if self.calls.running == Some(call.0) {
            self.calls.running = None;
        }
        if let Some(pending) = self.calls.pending.remove(&call.0)
            && let Some(timer) = pending.timer
        {
            self.cancel_timer(timer);
        }
    }

    /// Ends a stream at its service with the cancel method `topic` (RFC 6). The
    /// stream's own function still gets the end.
    pub fn cancel_call(&mut self, call: CallId, topic: &str) {
        let cancel = proto::common::Cancel { matchtag: call.0 };
        self.notify_with(Call::new(&cancel).topic(topic));
    }

    fn start_call(
        &mut self,
        topic: &'static str,
        mut request: Message,
        delivery: Delivery,
        then: Then<C>,
    ) -> CallId {
        let Some(tag) = self.calls.add(topic, then) else {
            tracing::error!(
                topic = request.topic(),
                "too many calls are waiting for answers"
            );
            return CallId(0);
        };
        let nodeid = match request.kind {
            Kind::Request { nodeid, .. } => nodeid,
            _ => NODEID_ANY,
        };
        request.kind = Kind::Request {
            nodeid,
            matchtag: tag,
        };
        request.set_flag(Flags::USER1, delivery == Delivery::Now);
        if let Delivery::Wait {
            deadline: Some(deadline),
        } = delivery
        {
            request.deadline_ms = delivery.deadline_ms();
            let timer = self.timer(deadline, move |core, cx| {
                let expired = Refusal::stopped(Errno::ETIMEDOUT, Outcome::Expired);
                cx.finish_call(core, tag, Err(expired));
            });
            if let Some(pending) = self.calls.pending.get_mut(&tag) {
                pending.timer = Some(timer);
            }
        }
        self.send(request);
        CallId(tag)
    }

    /// Receives a response.
    pub(crate) fn handle_response(&mut self, core: &mut C, response: &Message) {
        let Kind::Response { errnum, matchtag } = response.kind else {
            return;
        };
        if let Some(pending) = self.calls.pending.get(&matchtag) {
            self.spent.begin(spent::response(pending.topic));
        }
        if errnum != 0 || !response.has(Flags::STREAMING) {
            let answer = match errnum {
                0 => Ok(response),
                _ => Err(Refusal::of_response(errnum, response)),
            };
            self.finish_call(core, matchtag, answer);
        } else if let Some(mut pending) = self.calls.pending.remove(&matchtag) {
            // Out of the table while it runs, so that it may borrow all of us.
            self.calls.running = Some(matchtag);
            if let Then::Each(each) = &mut pending.then {
                each(core, self, Ok(response));
            }
            if self.calls.running.take().is_some() {
                self.calls.pending.entry(matchtag).or_insert(pending);
            } else if let Some(timer) = pending.timer {
                self.cancel_timer(timer);
            }
        }
    }

    /// Fails all calls after the peer was lost. Calls made in their place stay.
    pub(crate) fn fail_calls(&mut self, core: &mut C) {
        let mut tags: Vec<u32> = self.calls.pending.keys().copied().collect();
        tags.sort_unstable();
        for tag in tags {
            self.finish_call(core, tag, Err(Refusal::bare(Errno::EHOSTUNREACH)));
        }
    }

    fn finish_call(&mut self, core: &mut C, tag: u32, answer: Result<&Message, Refusal>) {
        let Some(pending) = self.calls.pending.remove(&tag) else {
            return;
        };
        if let Some(timer) = pending.timer {
            self.cancel_timer(timer);
        }
        match pending.then {
            Then::Once(then) => then(core, self, answer),
            Then::Each(mut each) => each(core, self, answer),
        }
    }
}

fn decode_answer<M: Method>(response: &Message) -> Result<M::Response, Refusal> {
    M::Response::decode(response.payload()).map_err(|bad| {
        Refusal::new(
            Errno::EPROTO,
            format!("{}: malformed response: {bad}", M::TOPIC),
        )
    })
}
