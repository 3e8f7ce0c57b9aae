//! connector-local.*: who is connected (protocol/02 section 5.4).

use node::{Cx, Peer, Routes};
use proto::Never;
use proto::config::keys;
use proto::connector_local::{Connected, Server, Stats, StatsGet};

use crate::core::Broker;

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes.on::<StatsGet>(stats_get)
}

/// A guest is shown its own connections only: the owner's are none of its business.
fn stats_get(
    core: &mut Broker,
    _: &mut Cx<Broker>,
    peer: &Peer,
    _: StatsGet,
) -> Result<Stats, Never> {
    let clients = core.clients.values();
    let shown = clients
        .filter(|client| peer.is_owner() || client.guest() == Some(peer.userid))
        .map(|client| Connected {
            uuid: client.identity.as_str().to_owned(),
            userid: client.userid,
            pid: client.pid,
            txcount: client.received,
            rxcount: client.delivered,
            rxbacklog: 0,
        });
    Ok(Stats {
        server: Server {
            clients: shown.collect(),
            connects: core.connects,
            pending: core.router.n_pending() as u64,
            strays: core.strays.n,
        },
        allow_guest_user: core.allows(&keys::ACCESS_ALLOW_GUEST_USER),
        allow_root_owner: core.allows(&keys::ACCESS_ALLOW_ROOT_OWNER),
    })
}
