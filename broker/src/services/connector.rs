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

fn stats_get(core: &mut Broker, cx: &mut Cx<Broker>, message: Message) {
    let clients: Vec<_> = core
        .clients
        .values()
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
        "server": {"clients": clients, "connects": core.connects},
        "allow_guest_user": allowed("allow-guest-user"),
        "allow_root_owner": allowed("allow-root-owner"),
    });
    if message.wants_response() {
        cx.send(message.into_response(0, encode_json(&stats)));
    }
}
