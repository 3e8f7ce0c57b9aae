//! service.*: names that modules register besides their own. Those of clients belong
//! to their connection (`clients.rs`).

use node::{Cx, Peer, Routes};
use proto::service::{Add, Remove};
use proto::{Empty, Errno, Refusal};

use crate::core::{Broker, Provider};

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes.on::<Add>(add).on::<Remove>(remove)
}

fn add(core: &mut Broker, _: &mut Cx<Broker>, from: &Peer, req: Add) -> Result<Empty, Refusal> {
    let id = core.module_of(from.sender.as_ref());
    let id = id.ok_or(Refusal::new(Errno::ENOENT, "requestor is not local"))?;
    let name = req.service;
    match core.services.get(&name) {
        // A restarted module takes up what it had.
        Some(Provider::Module(owner)) if *owner == id => return Ok(Empty),
        Some(_) => {
            let module = core.modules.get(&id).map_or("", |module| &module.name);
            let text =
                format!("could not register service {name} for module {module}: File exists");
            return Err(Refusal::new(Errno::EEXIST, text));
        }
        None => {}
    }
    core.check_service_name(&name, from.userid, from.rolemask)
        .map_err(Refusal::bare)?;
    if let Some(module) = core.modules.get_mut(&id) {
        module.services.insert(name.clone());
    }
    core.services.insert(name, Provider::Module(id));
    Ok(Empty)
}

fn remove(
    core: &mut Broker,
    _: &mut Cx<Broker>,
    from: &Peer,
    req: Remove,
) -> Result<Empty, Refusal> {
    let name = req.service;
    let id = core.module_of(from.sender.as_ref());
    match (core.services.get(&name), id) {
        (None, _) => Err(Refusal::new(
            Errno::ENOENT,
            format!("{name} is not registered"),
        )),
        (Some(Provider::Module(owner)), Some(id)) if *owner == id => {
            core.services.remove(&name);
            if let Some(module) = core.modules.get_mut(&id) {
                module.services.remove(&name);
            }
            Ok(Empty)
        }
        _ => {
            let text = format!("requestor did not register {name}");
            Err(Refusal::new(Errno::EINVAL, text))
        }
    }
}
