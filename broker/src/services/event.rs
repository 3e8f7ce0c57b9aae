//! event.*: publishing, and the subscriptions of modules. Those of clients belong to
//! their connection (`clients.rs`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use node::{Cx, Peer, Routes};
use proto::event::{Publish, PublishError, Published, Subscribe, Unsubscribe, UnsubscribeError};
use proto::{Empty, Errno, Refusal};
use wire::{Flags, Message};

use crate::core::Broker;

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes
        .on::<Publish>(publish)
        .on::<Subscribe>(subscribe)
        .on::<Unsubscribe>(unsubscribe)
}

fn publish(
    core: &mut Broker,
    cx: &mut Cx<Broker>,
    from: &Peer,
    req: Publish,
) -> Result<Published, PublishError> {
    if core.rank != 0 {
        return Err(PublishError::NotRankZero);
    }
    if req.flags & !u32::from(Flags::PRIVATE) != 0 {
        return Err(PublishError::Malformed);
    }
    let payload = req.payload.map(|text| STANDARD.decode(text)).transpose();
    let payload = payload
        .map_err(|_| PublishError::Malformed)?
        .unwrap_or_default();
    let mut event = Message::event(&req.topic);
    event.set_payload(Bytes::from(payload));
    event.set_flag(Flags::PRIVATE, req.flags != 0);
    (event.userid, event.rolemask) = (from.userid, from.rolemask);
    if !core.may_publish(&event) {
        return Err(PublishError::Reserved(req.topic));
    }
    Ok(Published {
        seq: core.publish(cx, event),
    })
}

fn subscribe(
    core: &mut Broker,
    _: &mut Cx<Broker>,
    from: &Peer,
    req: Subscribe,
) -> Result<Empty, Refusal> {
    let id = core.module_of(from.sender.as_ref());
    let module = id.and_then(|id| core.modules.get_mut(&id));
    let module = module.ok_or(Refusal::bare(Errno::EPROTO))?;
    match module.subscriptions.add(&req.topic) {
        true => Ok(Empty),
        false => Err(Refusal::bare(Errno::ENOBUFS)),
    }
}

fn unsubscribe(
    core: &mut Broker,
    _: &mut Cx<Broker>,
    from: &Peer,
    req: Unsubscribe,
) -> Result<Empty, UnsubscribeError> {
    let id = core.module_of(from.sender.as_ref());
    let module = id.and_then(|id| core.modules.get_mut(&id));
    let removed = module.is_some_and(|module| module.subscriptions.remove(&req.topic));
    removed.then_some(Empty).ok_or(UnsubscribeError::Unknown)
}
