//! attr.*: named values (protocol/03 section 2).

use node::{Cx, Peer, Routes};
use proto::attr::{Get, GetError, List, Names, Rm, RmError, Set, SetError, Value};
use proto::common::AttrTold;
use proto::{Empty, Never, Payload as _};
use wire::{Flags, Message};

use crate::attrs::is_told;
use crate::core::Broker;
use crate::router::Hop;

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

fn set(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, req: Set) -> Result<Empty, SetError> {
    let force = req.force.unwrap_or(false);
    core.attrs.set(&req.name, &req.value, force)?;
    core.notify_modules(cx, &req.name, Some(req.value));
    Ok(Empty)
}

fn rm(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, req: Rm) -> Result<Empty, RmError> {
    core.attrs.rm(&req.name)?;
    core.notify_modules(cx, &req.name, None);
    Ok(Empty)
}

impl Broker {
    /// Sends modules a changed attribute, if it is one of those.
    fn notify_modules(&mut self, cx: &mut Cx<Broker>, name: &str, value: Option<String>) {
        if !is_told(name) {
            return;
        }
        let told = AttrTold {
            name: name.to_owned(),
            value,
        };
        // The welcome of one without a connection will have it.
        for (id, module) in self.modules.started() {
            if self.router.peer_of(Hop::Module(id)).is_none() {
                continue;
            }
            let mut message = Message::request(&format!("{module}.attr-told"), 0);
            message.set_flag(Flags::NORESPONSE, true);
            message.set_payload(told.encode());
            self.router.stamp_as_owner(&mut message);
            self.send_to_module(cx, id, message);
        }
    }
}

fn list(core: &mut Broker, _: &mut Cx<Broker>, _: &Peer, _: List) -> Result<Names, Never> {
    Ok(Names {
        names: core.attrs.names(),
    })
}
