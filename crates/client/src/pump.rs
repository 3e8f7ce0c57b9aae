//! Work of a handle on its socket: sends, waits in poll(2), sorts incoming messages, and
//! restarts streams whose service was away.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use proto::{Errno, Outcome, Refusal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wire::{Kind, Message};

use crate::call::CallId;
use crate::handle::{Handle, lost_refusal};
use crate::limits::{FRUITLESS_REPEATS_MAX, REPEAT_DELAY_MIN, SEND_BYTES_MAX};

impl Handle {
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
        if self.lost.is_some() && !self.may_reconnect() {
            self.fail_waiting();
        }
    }

    /// Queues a message that must not wait.
    pub(crate) fn try_send(&mut self, message: &Message) -> Outcome {
        if self.lost.is_none() && self.link.backlog() > SEND_BYTES_MAX {
            // The broker may have begun to read again.
            let flushed = self.link.flush();
            self.note_loss(flushed);
        }
        if self.lost.is_some() || self.link.backlog() > SEND_BYTES_MAX {
            return self.drop_one();
        }
        let sent = self.link.send(message);
        self.note_loss(sent);
        match self.lost {
            Some(_) => self.drop_one(),
            None => Outcome::Delivered,
        }
    }

    /// Waits in poll(2) until there is something to do, and does the socket's part of it.
    /// Returns the place of the first ready descriptor of `watch`.
    pub(crate) fn pump(
        &mut self,
        watch: &[BorrowedFd<'_>],
        deadline: Option<Instant>,
    ) -> Result<Option<usize>, Refusal> {
        if let Some(errno) = self.lost {
            if self.reconnect() {
                // Calls that could not be made again have ended: the caller looks first.
                return Ok(None);
            }
            self.fail_waiting();
            return Err(lost_refusal(errno));
        }
        let of_calls = self.deadlines.first().map(|(deadline, _)| *deadline);
        let of_resends = self.resends.first().map(|(due, _)| *due);
        let deadline = [deadline, of_calls, of_resends].into_iter().flatten().min();
        let ready = self.turn_socket(watch, deadline);
        self.expire_calls();
        self.resend_streams();
        if self.lost.is_some() && !self.may_reconnect() {
            // The calls get the news as answers first.
            self.fail_waiting();
        }
        Ok(ready)
    }

    /// Waits for the socket or one of `watch`, and reads and writes as much as possible.
    pub(crate) fn turn_socket(
        &mut self,
        watch: &[BorrowedFd<'_>],
        deadline: Option<Instant>,
    ) -> Option<usize> {
        let (socket, ready) = self.poll(watch, deadline);
        if socket.contains(PollFlags::OUT) {
            let flushed = self.link.flush();
            self.note_loss(flushed);
        }
        if socket.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            self.read();
        }
        ready
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
                Kind::Response { errnum, .. } => self.receive_response(message, errnum),
                Kind::Event { .. } => self.inbox.put_event(message),
                Kind::Request { .. } => {
                    if let Some(request) = self.inbox.put_request(message) {
                        self.refuse(request, &Refusal::bare(Errno::ENOBUFS));
                    }
                }
                Kind::Control { .. } => {}
            }
        }
        self.note_loss(read);
    }

    fn receive_response(&mut self, response: Message, errnum: u32) {
        let id = CallId(response.matchtag());
        if !self.waiting.contains_key(&id) {
            return;
        }
        if errnum != 0 {
            let refusal = Refusal::of_response(errnum, &response);
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
            let text = "answers arrived faster than they were read";
            self.finish(id, Err(Refusal::new(Errno::ENOBUFS, text)));
        }
    }

    /// Has a stream sent again whose service died under it. The broker holds the request
    /// until a service that it restarts is back; one that is removed and loaded again is
    /// unknown in between.
    fn repeat(&mut self, id: CallId, refusal: &Refusal) -> bool {
        let Some(waiting) = self.waiting.get_mut(&id) else {
            return false;
        };
        let is_away = match refusal.errno {
            Errno::EHOSTUNREACH => true,
            Errno::ENOSYS => waiting.is_answered,
            _ => false,
        };
        if !is_away
            || !waiting.is_stream
            || waiting.again.is_none()
            || waiting.fruitless >= FRUITLESS_REPEATS_MAX
        {
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

    pub(crate) fn finish(&mut self, id: CallId, answer: Result<Message, Refusal>) {
        if self.stop_waiting(id) && !self.inbox.put_answer(id, answer) {
            let text = "answers arrived faster than they were read";
            self.inbox
                .put_answer(id, Err(Refusal::new(Errno::ENOBUFS, text)));
        }
    }

    /// True if it waited.
    pub(crate) fn stop_waiting(&mut self, id: CallId) -> bool {
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
            let expired = Refusal::stopped(Errno::ETIMEDOUT, Outcome::Expired);
            self.finish(id, Err(expired));
        }
    }

    pub(crate) fn note_loss(&mut self, result: Result<(), Errno>) {
        if let Err(errno) = result {
            self.lost.get_or_insert(errno);
        }
    }

    fn fail_waiting(&mut self) {
        let Some(errno) = self.lost else {
            return;
        };
        for id in self.waiting_ids() {
            self.fail(id, errno);
        }
    }

    /// The connection is lost, and a call with it: only the broker may know its fate.
    pub(crate) fn fail(&mut self, id: CallId, errno: Errno) {
        let waiting = self.waiting.get(&id);
        let outcome = match waiting.is_some_and(|waiting| waiting.is_idempotent) {
            true => Outcome::PeerGone,
            false => Outcome::Unknown,
        };
        self.finish(id, Err(Refusal::stopped(errno, outcome)));
    }
}
