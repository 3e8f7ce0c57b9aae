//! Answers about a job: that it has resources, which the job manager stores, or others.

use node::Cx;
use proto::data::job::JobStep;
use proto::data::{JobId, JobIdEncoding};
use proto::sched::{ALLOC_SUCCESS, AllocReply};
use proto::{Object, Payload as _, RawJson};
use wire::Message;

use crate::core::Scheduler;
use crate::program::Program;

/// A job that has resources and does not know it yet.
#[derive(Debug)]
pub struct Decided {
    /// Job id.
    pub id: JobId,
    /// R.
    pub r: String,
    /// Annotations to show.
    pub annotations: Object,
    /// The message to answer.
    pub message: Message,
}

impl Decided {
    /// Sends the answer.
    pub fn send<P: Program>(self, cx: &mut Cx<Scheduler<P>>) {
        let mut reply = AllocReply::new(self.id, ALLOC_SUCCESS);
        match RawJson::new(&self.r) {
            Ok(r) => reply.r = Some(r),
            Err(error) => tracing::error!("R of {}: {error}", self.id),
        }
        reply.annotations = Some(self.annotations);
        respond(cx, &self.message, &reply);
        cx.step(self.id, JobStep::Allocated);
    }
}

/// Answers a request for resources, which may be answered more than once.
pub fn respond<P: Program>(cx: &mut Cx<Scheduler<P>>, message: &Message, reply: &AllocReply) {
    let response = Message::respond_to(message, 0, reply.encode());
    cx.send(response);
}

/// The KVS key `name` of a job.
pub fn key(id: JobId, name: &str) -> String {
    format!("job.{}.{name}", id.encode(JobIdEncoding::DotHex))
}
