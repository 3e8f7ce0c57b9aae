//! Calls and what arrives.
//!
//! Everything that comes from the broker goes through the inbox, so that a program may wait
//! for one answer while others arrive, or take all in order together with its own
//! descriptors.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use bytes::Bytes;
use proto::{Delivery, Errno, Refusal};
use rustc_hash::FxHashMap;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wire::{Flags, Kind, Message, Role};

use crate::call::{Answered, Call, CallId, Pending};
use crate::inbox::{Inbox, Item};
use crate::limits::{FRUITLESS_REPEATS_MAX, REPEAT_DELAY_MIN, SEND_BYTES_MAX, TURNS_BETWEEN_POLLS};
use crate::link::Link;
use crate::open::Options;
use crate::stream::Stream;

/// Something that a program may have to react to.
#[derive(Debug)]
pub enum Arrival {
    /// An answer of a call. After an error, and after the first answer of a call that is
    /// no stream, the call is over.
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
struct Waiting {
    /// The request as sent, for streams that may be sent again.
    again: Option<Message>,
    deadline: Option<Instant>,
    /// Repeats since the last answer.
    fruitless: u32,
    /// Whether the service has ever answered.
    is_answered: bool,
}

/// A connection to a broker.
pub struct Handle {
    link: Link,
    userid: u32,
    rolemask: Role,
    pub(crate) proxy_remote: Option<String>,
    waiting: FxHashMap<CallId, Waiting>,
    /// The deadlines of those that have one.
    deadlines: BTreeSet<(Instant, CallId)>,
    /// Streams that are to be sent again, and when.
    resends: BTreeSet<(Instant, CallId)>,
    /// How often streams began anew, as far as their answers have been taken.
    repeats: FxHashMap<CallId, u32>,
    last_tag: u32,
    pub(crate) inbox: Inbox,
    pub(crate) attrs: FxHashMap<String, String>,
    /// Set when the connection is lost; calls fail with it from then on.
    lost: Option<Errno>,
    turns: u32,
}

impl Handle {
    pub(crate) fn new(link: Link, options: &Options) -> Handle {
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
            lost: None,
            turns: 0,
        }
    }

    /// Calls `M` anywhere and blocks until it is answered.
    pub fn rpc<M: proto::Method>(&mut self, request: &M) -> Result<M::Response, Refusal> {
        self.call(Call::new(request))
    }

    /// Makes a call and blocks until it is answered.
    pub fn call<M: Answered>(&mut self, call: Call<M>) -> Result<M::Answer, Refusal> {
        let pending = self.start(call);
        self.wait(pending)
    }

    /// Calls `topic` with a JSON object and gives back the object of the answer; `{}` when
    /// it has none.
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

    /// Sends a request that gets no answer.
    pub fn notify<M: Answered>(&mut self, call: Call<M>) {
        self.start(call.delivery(Delivery::BestEffort));
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
            // What was cancelled is not to come back with the service.
            waiting.again = None;
        }
        let cancel = proto::common::Cancel { matchtag: id.0 };
        self.notify(Call::new(&cancel).topic(topic));
    }

    /// Stops waiting for a call; later answers are thrown away. The service is not told.
    pub fn forget(&mut self, id: CallId) {
        self.stop_waiting(id);
        self.inbox.forget(id);
        self.repeats.remove(&id);
    }

    /// How often a stream began anew because its service was restarted, up to the answer
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

    /// Adds a line to the broker's log, in the form of protocol/03 section 7. Nothing
    /// tells whether it got there.
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
                let text = "this call is over, or has never been made";
                return Err(Refusal::new(Errno::EINVAL, text));
            }
            self.pump(&[], None)?;
        }
    }

    /// Keeps count of what the program is about to be given.
    fn see(&mut self, item: Item) -> Option<Arrival> {
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
        if delivery == Delivery::BestEffort {
            message.set_flag(Flags::NORESPONSE, true);
            self.send(&message);
            return CallId(0);
        }
        let id = self.new_id();
        let mut nodeid = nodeid_of(&message);
        if upstream {
            message.set_flag(Flags::UPSTREAM, true);
            match self.rank() {
                Ok(rank) => nodeid = rank,
                Err(refusal) => {
                    self.inbox.put_answer(id, Err(refusal));
                    return id;
                }
            }
        }
        message.kind = Kind::Request {
            nodeid,
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
        let may_repeat =
            repeating && streaming && M::IDEMPOTENT && matches!(delivery, Delivery::Wait { .. });
        let waiting = Waiting {
            again: may_repeat.then(|| message.clone()),
            deadline,
            fruitless: 0,
            is_answered: false,
        };
        self.waiting.insert(id, waiting);
        self.send(&message);
        id
    }

    fn new_id(&mut self) -> CallId {
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

    /// Queues a message. Blocks only while the broker has much left to read.
    pub(crate) fn send(&mut self, message: &Message) {
        if self.lost.is_none() {
            let sent = self.link.send(message);
            self.note_loss(sent);
            while self.lost.is_none() && self.link.backlog() > SEND_BYTES_MAX {
                // The loss of the connection has been noted, and is told when reading.
                let _ = self.pump(&[], None);
            }
        }
        if self.lost.is_some() {
            self.fail_waiting();
        }
    }

    /// Waits in poll(2) until there is something to do, and does the socket's part of it.
    /// Gives back the place of the first ready descriptor of `watch`.
    pub(crate) fn pump(
        &mut self,
        watch: &[BorrowedFd<'_>],
        deadline: Option<Instant>,
    ) -> Result<Option<usize>, Refusal> {
        if let Some(errno) = self.lost {
            self.fail_waiting();
            return Err(lost_refusal(errno));
        }
        let of_calls = self.deadlines.first().map(|(deadline, _)| *deadline);
        let of_resends = self.resends.first().map(|(due, _)| *due);
        let deadline = [deadline, of_calls, of_resends].into_iter().flatten().min();
        let (socket, ready) = self.poll(watch, deadline);
        if socket.contains(PollFlags::OUT) {
            let flushed = self.link.flush();
            self.note_loss(flushed);
        }
        if socket.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            self.read();
        }
        self.expire_calls();
        self.resend_streams();
        if self.lost.is_some() {
            // The calls get the news as answers first.
            self.fail_waiting();
        }
        Ok(ready)
    }

    fn poll(
        &self,
        watch: &[BorrowedFd<'_>],
        deadline: Option<Instant>,
    ) -> (PollFlags, Option<usize>) {
        let wanted = match self.link.backlog() {
            0 => PollFlags::IN,
            _ => PollFlags::IN | PollFlags::OUT,
        };
        let timeout = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(left.subsec_nanos()),
            }
        });
        let mut fds = Vec::with_capacity(1 + watch.len());
        fds.push(PollFd::from_borrowed_fd(self.link.as_fd(), wanted));
        fds.extend(
            watch
                .iter()
                .map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)),
        );
        // An interruption looks like nothing being ready: the caller comes again.
        if poll(&mut fds, timeout.as_ref()).is_err() {
            return (PollFlags::empty(), None);
        }
        let ready = fds[1..].iter().position(|fd| !fd.revents().is_empty());
        (fds[0].revents(), ready)
    }

    fn read(&mut self) {
        let mut messages = Vec::new();
        let read = self.link.read(|message| messages.push(message));
        for message in messages {
            match message.kind {
                Kind::Response { errnum, .. } => self.take_response(message, errnum),
                Kind::Event { .. } => self.inbox.put_event(message),
                Kind::Request { .. } => {
                    if let Some(request) = self.inbox.put_request(message) {
                        self.refuse(&request, &Refusal::bare(Errno::ENOBUFS));
                    }
                }
                Kind::Control { .. } => {}
            }
        }
        self.note_loss(read);
    }

    fn take_response(&mut self, response: Message, errnum: u32) {
        let id = CallId(response.matchtag());
        if !self.waiting.contains_key(&id) {
            return;
        }
        if errnum != 0 {
            let text = response.error_text().map(|text| text.to_owned().into());
            let refusal = Refusal {
                errno: Errno(errnum),
                text,
            };
            if !self.repeat(id, &refusal) {
                self.finish(id, Err(refusal));
            }
        } else if response.ends_rpc() {
            self.finish(id, Ok(response));
        } else if self.inbox.put_answer(id, Ok(response)) {
            if let Some(waiting) = self.waiting.get_mut(&id) {
                waiting.fruitless = 0;
                waiting.is_answered = true;
            }
        } else {
            let text = "answers came faster than they were read";
            self.finish(id, Err(Refusal::new(Errno::ENOBUFS, text)));
        }
    }

    /// Has a stream sent again whose service died under it. The broker holds the request
    /// until a service that it restarts is back; one that somebody removes and loads again
    /// is unknown in between.
    fn repeat(&mut self, id: CallId, refusal: &Refusal) -> bool {
        let Some(waiting) = self.waiting.get_mut(&id) else {
            return false;
        };
        let is_away = match refusal.errno {
            Errno::EHOSTUNREACH => true,
            Errno::ENOSYS => waiting.is_answered,
            _ => false,
        };
        if !is_away || waiting.again.is_none() || waiting.fruitless >= FRUITLESS_REPEATS_MAX {
            return false;
        }
        let delay = match waiting.fruitless {
            0 => Duration::ZERO,
            n => REPEAT_DELAY_MIN * 2u32.saturating_pow(n - 1),
        };
        waiting.fruitless += 1;
        self.resends.insert((Instant::now() + delay, id));
        self.inbox.put_again(id);
        true
    }

    fn resend_streams(&mut self) {
        while let Some((due, id)) = self.resends.first().copied()
            && due <= Instant::now()
        {
            self.resends.pop_first();
            let waiting = self.waiting.get(&id);
            match waiting.and_then(|waiting| waiting.again.clone()) {
                Some(message) => self.send(&message),
                // It was cancelled in the meantime, when nobody was there to end it.
                None => self.finish(id, Err(Refusal::END)),
            }
        }
    }

    fn finish(&mut self, id: CallId, answer: Result<Message, Refusal>) {
        if self.stop_waiting(id) && !self.inbox.put_answer(id, answer) {
            let text = "answers came faster than they were read";
            self.inbox
                .put_answer(id, Err(Refusal::new(Errno::ENOBUFS, text)));
        }
    }

    /// Whether it waited.
    fn stop_waiting(&mut self, id: CallId) -> bool {
        let waiting = self.waiting.remove(&id);
        if let Some(deadline) = waiting.as_ref().and_then(|waiting| waiting.deadline) {
            self.deadlines.remove(&(deadline, id));
        }
        if waiting
            .as_ref()
            .is_some_and(|waiting| waiting.fruitless > 0)
        {
            self.resends.retain(|(_, other)| *other != id);
        }
        waiting.is_some()
    }

    fn expire_calls(&mut self) {
        while let Some((deadline, id)) = self.deadlines.first().copied()
            && deadline <= Instant::now()
        {
            self.finish(id, Err(Refusal::bare(Errno::ETIMEDOUT)));
        }
    }

    fn note_loss(&mut self, result: Result<(), Errno>) {
        if let Err(errno) = result {
            self.lost.get_or_insert(errno);
        }
    }

    fn fail_waiting(&mut self) {
        let Some(errno) = self.lost else {
            return;
        };
        let mut ids: Vec<CallId> = self.waiting.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            self.finish(id, Err(lost_refusal(errno)));
        }
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.link.as_fd()
    }
}

fn lost_refusal(errno: Errno) -> Refusal {
    Refusal::bare(errno)
}

fn nodeid_of(message: &Message) -> u32 {
    match message.kind {
        Kind::Request { nodeid, .. } => nodeid,
        _ => wire::NODEID_ANY,
    }
}
