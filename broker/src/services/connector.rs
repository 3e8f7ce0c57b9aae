//! connector-local.*: who is connected (protocol/02 section 5.4).

use node::{Cx, Peer, Routes};
use proto::Never;
use proto::config::keys;
use proto::connector_local::{Server, Stats, StatsGet};

use crate::core::Broker;

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes.on::<StatsGet>(stats_get)
}

fn stats_get(
    core: &mut Broker,
    _: &mut Cx<Broker>,
    peer: &Peer,
    _: StatsGet,
) -> Result<Stats, Never> {
    Ok(Stats {
        server: Server {
            clients: core.clients.shown_to(peer),
            connects: core.clients.n_attempts(),
            pending: core.router.n_pending() as u64,
            strays: core.strays.n(),
        },
        allow_guest_user: core.allows(&keys::ACCESS_ALLOW_GUEST_USER),
        allow_root_owner: core.allows(&keys::ACCESS_ALLOW_ROOT_OWNER),
    })
}
