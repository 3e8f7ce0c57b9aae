//! content.checkpoint-get and -put, and the same of content-backing.

use node::{Call, Cx, Peer, Reply};
use proto::content::{Checkpoint, CheckpointGet, CheckpointGetError, CheckpointPut, Checkpoints};
use proto::{Coded, Empty, Method, Refusal, content_backing};

use crate::Content;
use crate::task::{Outcome, Task};

pub fn get(
    core: &mut Content,
    cx: &mut Cx<Content>,
    _: &Peer,
    request: CheckpointGet,
    reply: Reply<CheckpointGet>,
) {
    match core.above {
        Some(_) => pass_on(cx, &request, reply),
        None => get_any(core, reply),
    }
}

pub fn backing_get(
    core: &mut Content,
    _: &mut Cx<Content>,
    _: &Peer,
    _: content_backing::CheckpointGet,
    reply: Reply<content_backing::CheckpointGet>,
) {
    get_any(core, reply);
}

pub fn put(
    core: &mut Content,
    cx: &mut Cx<Content>,
    _: &Peer,
    request: CheckpointPut,
    reply: Reply<CheckpointPut>,
) {
    match core.above {
        Some(_) => pass_on(cx, &request, reply),
        None => put_any(core, request.value, reply),
    }
}

pub fn backing_put(
    core: &mut Content,
    _: &mut Cx<Content>,
    _: &Peer,
    request: content_backing::CheckpointPut,
    reply: Reply<content_backing::CheckpointPut>,
) {
    put_any(core, request.value, reply);
}

/// Has a request answered by the parent.
pub fn pass_on<M: Method>(cx: &mut Cx<Content>, request: &M, reply: Reply<M>) {
    let call = Call::new(request).upstream(cx.rank());
    cx.call_with(call, |_, cx, result| reply.send_refusal(cx, result));
}

fn get_any<M>(core: &mut Content, reply: Reply<M>)
where
    M: Method<Response = Checkpoints, Error = CheckpointGetError>,
{
    core.enqueue(Task::CheckpointGet, |_, cx, result| {
        let result = match result.and_then(Outcome::checkpoints) {
            Ok(value) if value.is_empty() => Err(CheckpointGetError::NoneYet.refusal()),
            Ok(value) => Ok(Checkpoints { value }),
            Err(refusal) => Err(refusal),
        };
        reply.send_refusal(cx, result);
    });
}

fn put_any<M>(core: &mut Content, checkpoint: Checkpoint, reply: Reply<M>)
where
    M: Method<Response = Empty, Error = Refusal>,
{
    core.enqueue(Task::CheckpointPut(checkpoint), |_, cx, result| {
        reply.send_refusal(cx, result.map(|_| Empty));
    });
}
