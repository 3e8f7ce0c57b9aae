//! runat.*: commands to run at a point of the broker's life (protocol/03 section 10).

use node::{Cx, Peer, Routes};
use proto::Empty;
use proto::runat::{Push, PushError};

use crate::core::Broker;
use crate::limits::RUNAT_COMMANDS_MAX;

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes.on::<Push>(push)
}

fn push(core: &mut Broker, _: &mut Cx<Broker>, _: &Peer, req: Push) -> Result<Empty, PushError> {
    if req.commands.is_empty() {
        return Err(PushError::NoCommands);
    }
    if req.commands.iter().any(String::is_empty) {
        return Err(PushError::EmptyCommand);
    }
    let list = core.life.runat.entry(req.name).or_default();
    if list.len() + req.commands.len() > RUNAT_COMMANDS_MAX {
        return Err(PushError::Full);
    }
    // The last one pushed runs first.
    for command in req.commands {
        list.push_front(command);
    }
    Ok(Empty)
}
