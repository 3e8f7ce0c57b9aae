//! connector-local.*: who is connected (protocol/02 section 5.4).

use node::{Cx, Routes};
use proto::Role;
use proto::payload::encode_json;
use serde_json::json;
use wire::Message;

use crate::core::Broker;

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes.raw("connector-local.stats-get", Role::ALL, stats_get)
}

/// A guest is shown its own connections only: the owner's are none of its business.
fn stats_get(core: &mut Broker, cx: &mut Cx<Broker>, message: Message) {
    let is_owner = message.rolemask.meets(Role::OWNER);
    let clients: Vec<_> = core
        .clients
        .values()
        .filter(|client| is_owner || client.guest() == Some(message.userid))
        .map(|client| {
            json!({
                "uuid": client.identity.as_str(),
                "userid": client.userid,
                "pid": client.pid,
                "txcount": client.received,
                "rxcount": client.delivered,
                "rxbacklog": 0,
            })
        })
        .collect();
    let access = core.config.0.get("access");
    let allowed = |key: &str| {
        access
            .and_then(|access| access.get(key)?.as_bool())
            .unwrap_or(false)
    };
    let stats = json!({
        "server": {
            "clients": clients,
            "connects": core.connects,
            "pending": core.pending.n(),
            "strays": core.strays.n,
        },
        "allow_guest_user": allowed("allow-guest-user"),
        "allow_root_owner": allowed("allow-root-owner"),
    });
    if message.wants_response() {
        cx.send(message.into_response(0, encode_json(&stats)));
    }
}
