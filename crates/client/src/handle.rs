//! Calls and arrivals.
//!
//! Everything that comes from the broker goes through the inbox, so that a program may wait
//! for one answer while others arrive, or take all in order together with its own
//! descriptors.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use bytes::Bytes;
use proto::{Delivery, Errno, Outcome, Refusal};
use rustc_hash::FxHashMap;
use wire::{Flags, Kind, Message, Role};

use crate::call::{Answered, Call, CallId, Pending};
use crate::inbox::{Inbox, Item};
use crate::limits::{CLOSE_WAIT, TURNS_BETWEEN_POLLS};
use crate::link::Link;
use crate::open::Options;
use crate::reconnect::Standing;
use crate::stream::Stream;

/// Something that a program may have to react to.
#[derive(Debug)]
pub enum Arrival {
    /// An answer of a call. After an error, and after the first answer of a call that is
    /// no stream, the call has ended.
    Answer(CallId, Result<Message, Refusal>),
    /// An event that was subscribed.
    Event(Message),
    /// A request to a service that was registered.
    Request(Message),
    /// The descriptor at this place of the caller's list can be read, or is hung up.
    Ready(usize),
    /// The caller's deadline has passed.
    Deadline,
}

/// A call that waits.
pub(crate) struct Waiting {
    /// The request as sent, if it may be sent again.
    pub(crate) again: Option<Message>,
    pub(crate) is_stream: bool,
    pub(crate) deadline: Option<Instant>,
    /// True if repeating the request is harmless.
    pub(crate) is_idempotent: bool,
    /// Repeats since the last answer.
    pub(crate) fruitless: u32,
    /// True if the service has ever answered.
    pub(crate) is_answered: bool,
}

/// A connection to a broker.
pub struct Handle {
    pub(crate) link: Link,
    userid: u32,
    rolemask: Role,
    pub(crate) proxy_remote: Option<String>,
    pub(crate) waiting: FxHashMap<CallId, Waiting>,
    /// The deadlines of those that have one.
    pub(crate) deadlines: BTreeSet<(Instant, CallId)>,
    /// Streams that are to be sent again, and when.
    pub(crate) resends: BTreeSet<(Instant, CallId)>,
    /// Number of restarts of streams, as far as their answers have been taken.
    repeats: FxHashMap<CallId, u32>,
    last_tag: u32,
    pub(crate) inbox: Inbox,
    pub(crate) attrs: FxHashMap<String, String>,
    /// State to set up again on a new connection.
    pub(crate) standing: Standing,
    /// Set when the connection is lost; calls fail with it from then on.
    pub(crate) lost: Option<Errno>,
    n_dropped: u64,
    turns: u32,
}

impl Handle {
    pub(crate) fn new(link: Link, uri: &str, options: &Options) -> Handle {
        Handle {
            link,
            userid: options.userid,
            rolemask: options.rolemask,
            proxy_remote: options.proxy_remote.clone(),
            waiting: FxHashMap::default(),
            deadlines: BTreeSet::new(),
            resends: BTreeSet::new(),
            repeats: FxHashMap::default(),
            last_tag: 0,
            inbox: Inbox::default(),
            attrs: FxHashMap::default(),
            standing: Standing {
                uri: uri.to_owned(),
                patience: options.reconnect,
                ssh: options.ssh.clone(),
                ..Standing::default()
            },
            lost: None,
            n_dropped: 0,
            turns: 0,
        }
    }

    /// Calls `M` anywhere and blocks until it is answered.
    pub fn rpc<M: proto::Method>(&mut self, request: &M) -> Result<M::Response, Refusal> {
        self.call(Call::new(request))
    }

    /// Makes a call and blocks until it is answered; so one that is best effort by its method
    /// waits all the same.
    pub fn call<M: Answered>(&mut self, call: Call<M>) -> Result<M::Answer, Refusal> {
        let pending = self.start(call);
        self.wait(pending)
    }

    /// Calls `topic` with a JSON object and returns the object of the answer; `{}` when it
    /// has none.
    pub fn rpc_json(
        &mut self,
        topic: &str,
        object: &serde_json::Value,
    ) -> Result<serde_json::Value, Refusal> {
        let answer = self.call(Call::raw(topic).json(object))?;
        if answer.payload().is_none() {
            return Ok(serde_json::json!({}));
        }
        proto::payload::decode_json(answer.payload()).map_err(|bad| {
            Refusal::new(Errno::EPROTO, format!("{topic}: malformed response: {bad}"))
        })
    }

    /// Sends a request whose one answer is taken later, with [`Handle::wait`] or
    /// [`Handle::next`].
    pub fn start<M: Answered>(&mut self, call: Call<M>) -> Pending<M> {
        Pending::new(self.send_call(call, false))
    }

    /// Sends a streaming request. Its answers come through [`Handle::wait`] or
    /// [`Handle::next`], the last one an error.
    pub fn start_stream<M: Answered>(&mut self, mut call: Call<M>) -> Pending<M> {
        call.set_streaming();
        Pending::new(self.send_call(call, true))
    }

    /// Sends a streaming request; the answers are the iterator's items.
    pub fn stream<M: Answered>(&mut self, call: Call<M>) -> Stream<'_, M> {
        let pending = self.start_stream(call);
        Stream::new(self, pending)
    }

    /// Sends a request that gets no answer. A best-effort message never waits: if there is no
    /// room, because the broker does not read, or no connection, it is dropped and counted.
    /// Other requests wait for room.
    pub fn notify<M: Answered>(&mut self, call: Call<M>) -> Outcome {
        let Call {
            mut message,
            delivery,
            upstream,
            ..
        } = call;
        self.stamp(&mut message);
        message.set_flag(Flags::NORESPONSE, true);
        if upstream && self.mark_upstream(&mut message).is_err() {
            return self.drop_one();
        }
        if delivery == Delivery::BestEffort {
            return self.try_send(&message);
        }
        self.send(&message);
        match self.lost {
            Some(_) => Outcome::Unknown,
            None => Outcome::Delivered,
        }
    }

    /// Number of requests without response that were dropped here.
    pub fn n_dropped(&self) -> u64 {
        self.n_dropped
    }

    /// Counts a message that is not sent.
    pub(crate) fn drop_one(&mut self) -> Outcome {
        self.n_dropped += 1;
        Outcome::Dropped(self.n_dropped)
    }

    /// Blocks until the next answer of a call.
    pub fn wait<M: Answered>(&mut self, pending: Pending<M>) -> Result<M::Answer, Refusal> {
        let answer = self.wait_message(pending.id());
        pending.decode(answer)
    }

    /// Blocks until something arrives, one of the descriptors `watch` can be read, or
    /// `deadline` passes. An error is the loss of the connection, after everything that
    /// came before it has been taken; or the loss of events.
    pub fn next(
        &mut self,
        watch: &[BorrowedFd<'_>],
        deadline: Option<Instant>,
    ) -> Result<Arrival, Refusal> {
        loop {
            self.turns += 1;
            // Messages that keep coming must not hide a signal or the user's keys.
            if !watch.is_empty() && self.turns.is_multiple_of(TURNS_BETWEEN_POLLS) {
                let now = Some(Instant::now());
                if let Some(place) = self.pump(watch, now)? {
                    return Ok(Arrival::Ready(place));
                }
            }
            if let Some(item) = self.inbox.take_first() {
                match self.see(item?) {
                    Some(arrival) => return Ok(arrival),
                    None => continue,
                }
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(Arrival::Deadline);
            }
            if let Some(place) = self.pump(watch, deadline)? {
                return Ok(Arrival::Ready(place));
            }
        }
    }

    /// Ends a stream at its service with the cancel method `topic` (RFC 6). The stream
    /// still gets its end.
    pub fn cancel(&mut self, id: CallId, topic: &str) {
        if let Some(waiting) = self.waiting.get_mut(&id) {
            // A cancelled stream is not to come back with the service.
            waiting.again = None;
        }
        let cancel = proto::common::Cancel { matchtag: id.0 };
        self.notify(Call::new(&cancel).topic(topic));
    }

    /// Stops waiting for a call; later answers are thrown away. The service is not
    /// notified.
    pub fn forget(&mut self, id: CallId) {
        self.stop_waiting(id);
        self.inbox.forget(id);
        self.repeats.remove(&id);
    }

    /// Number of restarts of a stream because its service was restarted, up to the answer
    /// taken last.
    pub fn repeats(&self, id: CallId) -> u32 {
        self.repeats.get(&id).copied().unwrap_or(0)
    }

    /// Blocks until the broker has been given everything that was sent. A program that
    /// sends without waiting for answers calls it before it ends.
    pub fn flush(&mut self) -> Result<(), Refusal> {
        while self.lost.is_none() && self.link.backlog() > 0 {
            self.pump(&[], None)?;
        }
        self.lost.map_or(Ok(()), |errno| Err(lost_refusal(errno)))
    }

    /// The same for some time at most.
    pub fn flush_within(&mut self, time: Duration) -> Result<(), Refusal> {
        let deadline = Instant::now() + time;
        while self.lost.is_none() && self.link.backlog() > 0 {
            if Instant::now() >= deadline {
                return Err(Refusal::stopped(Errno::ETIMEDOUT, Outcome::Expired));
            }
            self.turn_socket(&[], Some(deadline));
        }
        self.lost.map_or(Ok(()), |errno| Err(lost_refusal(errno)))
    }

    /// Adds a line to the broker's log, in the form of protocol/03 section 7. There is no
    /// confirmation of its arrival.
    pub fn append_log(&mut self, line: Bytes) {
        self.notify(Call::new(&proto::log::Append(proto::Raw(line))));
    }

    /// Blocks until the next answer of a call, whole.
    pub(crate) fn wait_message(&mut self, id: CallId) -> Result<Message, Refusal> {
        loop {
            if let Some(item) = self.inbox.take_answer(id) {
                match self.see(item) {
                    Some(Arrival::Answer(_, answer)) => return answer,
                    _ => continue,
                }
            }
            if !self.waiting.contains_key(&id) {
                let text = "this call has ended, or was never made";
                return Err(Refusal::new(Errno::EINVAL, text));
            }
            self.pump(&[], None)?;
        }
    }

    /// Counts an item that the program is about to be given.
    pub(crate) fn see(&mut self, item: Item) -> Option<Arrival> {
        match item {
            Item::Again(id) => {
                *self.repeats.entry(id).or_default() += 1;
                None
            }
            Item::Arrival(arrival) => Some(arrival),
        }
    }

    fn send_call<M: Answered>(&mut self, call: Call<M>, streaming: bool) -> CallId {
        let Call {
            mut message,
            delivery,
            upstream,
            repeating,
            ..
        } = call;
        self.stamp(&mut message);
        let id = self.new_id();
        if upstream && let Err(refusal) = self.mark_upstream(&mut message) {
            self.inbox.put_answer(id, Err(refusal));
            return id;
        }
        message.kind = Kind::Request {
            nodeid: nodeid_of(&message),
            matchtag: id.0,
        };
        message.set_flag(Flags::USER1, delivery == Delivery::Now);
        let deadline = match delivery {
            // Beyond what the clock can tell is never.
            Delivery::Wait { deadline } => deadline.and_then(|d| Instant::now().checked_add(d)),
            _ => None,
        };
        self.deadlines
            .extend(deadline.map(|deadline| (deadline, id)));
        message.deadline_ms = delivery.deadline_ms();
        // A stream tells by itself that it began again, so the program must ask for it.
        let is_wanted = if streaming {
            repeating
        } else {
            self.may_reconnect()
        };
        let may_repeat = M::IDEMPOTENT && matches!(delivery, Delivery::Wait { .. });
        let waiting = Waiting {
            again: (may_repeat && is_wanted).then(|| message.clone()),
            is_stream: streaming,
            deadline,
            // Nothing was done of what was not sent.
            is_idempotent: M::IDEMPOTENT || self.lost.is_some(),
            fruitless: 0,
            is_answered: false,
        };
        self.waiting.insert(id, waiting);
        self.send(&message);
        id
    }

    /// Has a request go to the nearest provider above this rank.
    fn mark_upstream(&mut self, message: &mut Message) -> Result<(), Refusal> {
        let nodeid = self.rank()?;
        message.set_flag(Flags::UPSTREAM, true);
        message.kind = Kind::Request {
            nodeid,
            matchtag: 0,
        };
        Ok(())
    }

    pub(crate) fn new_id(&mut self) -> CallId {
        loop {
            self.last_tag = self.last_tag.checked_add(1).unwrap_or(1);
            let id = CallId(self.last_tag);
            if !self.waiting.contains_key(&id) {
                self.repeats.remove(&id);
                return id;
            }
        }
    }

    /// Puts the credential of FLUX_HANDLE_USERID and FLUX_HANDLE_ROLEMASK on a message.
    pub(crate) fn stamp(&self, message: &mut Message) {
        message.userid = self.userid;
        message.rolemask = self.rolemask;
    }
}

/// The orderly end of a program loses nothing that it has sent, as long as the broker reads.
impl Drop for Handle {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.flush_within(CLOSE_WAIT);
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.link.as_fd()
    }
}

pub(crate) fn lost_refusal(errno: Errno) -> Refusal {
    Refusal::bare(errno)
}

fn nodeid_of(message: &Message) -> u32 {
    match message.kind {
        Kind::Request { nodeid, .. } => nodeid,
        _ => wire::NODEID_ANY,
    }
}
