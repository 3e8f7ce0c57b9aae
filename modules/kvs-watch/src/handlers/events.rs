//! Events of namespaces. A guest may publish under any topic, so only the owner's count.

use node::Cx;
use proto::kvs::{CreatedEvent, RemovedEvent, SetrootEvent};
use proto::{BadPayload, Payload, Role};
use wire::Message;

use crate::KvsWatch;

pub fn heard(core: &mut KvsWatch, cx: &mut Cx<KvsWatch>, message: &Message) {
    if !message.rolemask.meets(Role::OWNER) {
        return tracing::warn!(
            "event {} by user {} is ignored",
            message.topic(),
            message.userid
        );
    }
    let heard = take(core, cx, message);
    if let Err(bad) = heard {
        tracing::error!("event {}: {bad}", message.topic());
    }
}

fn take(core: &mut KvsWatch, cx: &mut Cx<KvsWatch>, message: &Message) -> Result<(), BadPayload> {
    let payload = message.payload();
    match message.topic().rsplit_once('-').map(|(_, what)| what) {
        Some("setroot") => core.setroot(cx, SetrootEvent::decode(payload)?),
        Some("created") => core.created(cx, CreatedEvent::decode(payload)?),
        Some("removed") => core.removed(cx, &RemovedEvent::decode(payload)?.namespace),
        // Failed transactions change nothing.
        _ => {}
    }
    Ok(())
}
