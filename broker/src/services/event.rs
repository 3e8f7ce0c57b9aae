//! event.*: publishing, and the subscriptions of modules. Those of clients belong to
//! their connection (`programs.rs`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use node::{Cx, Peer, Routes};
use proto::event::{Publish, PublishError, Published, Subscribe, Unsubscribe, UnsubscribeError};
use proto::{Empty, Errno, Refusal};
use wire::{Flags, Message};

use crate::core::Broker;
use crate::router::Hop;

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
    if core.router.rank() != 0 {
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
    if !core.router.may_publish(&event) {
        return Err(PublishError::Reserved(req.topic));
    }
    let seq = core.router.publish(Hop::Here, event);
    core.carry_out(cx);
    Ok(Published { seq })
}

fn subscribe(
    core: &mut Broker,
    cx: &mut Cx<Broker>,
    from: &Peer,
    req: Subscribe,
) -> Result<Empty, Refusal> {
    let hop = from
        .sender
        .as_ref()
        .and_then(|sender| core.router.party(sender));
    let hop = hop.ok_or(Refusal::bare(Errno::EPROTO))?;
    let result = core.router.subscribe(hop, &req.topic);
    core.carry_out(cx);
    result.map(|()| Empty).map_err(Refusal::bare)
}

fn unsubscribe(
    core: &mut Broker,
    cx: &mut Cx<Broker>,
    from: &Peer,
    req: Unsubscribe,
) -> Result<Empty, UnsubscribeError> {
    let hop = from
        .sender
        .as_ref()
        .and_then(|sender| core.router.party(sender));
    let hop = hop.ok_or(UnsubscribeError::Unknown)?;
    let result = core.router.unsubscribe(hop, &req.topic);
    core.carry_out(cx);
    result
        .map(|()| Empty)
        .map_err(|_| UnsubscribeError::Unknown)
}
