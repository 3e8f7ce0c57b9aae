//! attr.*: named values (protocol/03 section 2).

use node::{Cx, Peer, Routes};
use proto::attr::{Get, GetError, List, Names, Rm, RmError, Set, SetError, Value};
use proto::{Empty, Never};

use crate::core::Broker;

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes
        .on::<Get>(get)
        .on::<Set>(set)
        .on::<Rm>(rm)
        .on::<List>(list)
}

fn get(core: &mut Broker, _: &mut Cx<Broker>, _: &Peer, req: Get) -> Result<Value, GetError> {
    core.attrs.get(&req.name)
}

fn set(core: &mut Broker, _: &mut Cx<Broker>, _: &Peer, req: Set) -> Result<Empty, SetError> {
    core.attrs
        .set(&req.name, &req.value, req.force.unwrap_or(false))
        .map(|()| Empty)
}

fn rm(core: &mut Broker, _: &mut Cx<Broker>, _: &Peer, req: Rm) -> Result<Empty, RmError> {
    core.attrs.rm(&req.name).map(|()| Empty)
}

fn list(core: &mut Broker, _: &mut Cx<Broker>, _: &Peer, _: List) -> Result<Names, Never> {
    Ok(Names {
        names: core.attrs.names(),
    })
}
