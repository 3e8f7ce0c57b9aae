//! Streams as iterators.

use proto::Refusal;

use crate::call::{Answered, CallId, Pending};
use crate::handle::Handle;

/// The answers of a streaming call. Ends without an error at the stream's normal end
/// (ENODATA); any other error is the last item. Each step blocks until an answer comes.
///
/// Dropping it leaves the call alone: later answers are thrown away, but the service goes
/// on until [`Stream::cancel`] or until the handle is closed.
pub struct Stream<'h, M: Answered> {
    handle: &'h mut Handle,
    pending: Pending<M>,
    is_over: bool,
}

impl<'h, M: Answered> Stream<'h, M> {
    pub(crate) fn new(handle: &'h mut Handle, pending: Pending<M>) -> Stream<'h, M> {
        Stream {
            handle,
            pending,
            is_over: false,
        }
    }

    /// Asks the service to end the stream, with its cancel method `topic`. Messages sent
    /// before can still be read, and so can the end.
    pub fn cancel(&mut self, topic: &str) {
        self.handle.cancel(self.pending.id(), topic);
    }

    /// To recognise it.
    pub fn id(&self) -> CallId {
        self.pending.id()
    }

    /// Number of restarts.
    pub fn repeats(&self) -> u32 {
        self.handle.repeats(self.pending.id())
    }
}

impl<M: Answered> Iterator for Stream<'_, M> {
    type Item = Result<M::Answer, Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let answer = self.handle.wait_message(self.pending.id());
        self.is_over = answer.is_err();
        match self.pending.decode(answer) {
            Err(refusal) if self.is_over && refusal.is_end() => None,
            answer => Some(answer),
        }
    }
}

impl<M: Answered> Drop for Stream<'_, M> {
    fn drop(&mut self) {
        if !self.is_over {
            self.handle.forget(self.pending.id());
        }
    }
}
