//! service.*: names that modules register besides their own. Those of clients belong
//! to their connection (`programs.rs`).

use node::{Cx, Peer, Routes};
use proto::service::{Add, Remove};
use proto::{Empty, Errno, Refusal};

use crate::core::Broker;
use crate::router::Hop;

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes.on::<Add>(add).on::<Remove>(remove)
}

fn add(core: &mut Broker, _: &mut Cx<Broker>, from: &Peer, req: Add) -> Result<Empty, Refusal> {
    let id = core.module_of(from.sender.as_ref());
    let id = id.ok_or(Refusal::new(Errno::ENOENT, "requestor is not local"))?;
    let (name, hop) = (req.service, Hop::Module(id));
    match core.router.provider(&name) {
        // A restarted module takes up what it had.
        Some(owner) if owner == hop => return Ok(Empty),
        Some(_) => {
            let module = core.modules.name(id).unwrap_or_default();
            let text =
                format!("could not register service {name} for module {module}: File exists");
            return Err(Refusal::new(Errno::EEXIST, text));
        }
        None => {}
    }
    let router = &mut core.router;
    let checked = router.check_service_name(&name, from.userid, from.rolemask);
    let added = checked.and_then(|()| router.add_service(hop, &name));
    added.map(|()| Empty).map_err(Refusal::bare)
}

fn remove(
    core: &mut Broker,
    _: &mut Cx<Broker>,
    from: &Peer,
    req: Remove,
) -> Result<Empty, Refusal> {
    let name = req.service;
    if core.router.provider(&name).is_none() {
        let text = format!("{name} is not registered");
        return Err(Refusal::new(Errno::ENOENT, text));
    }
    match core.module_of(from.sender.as_ref()) {
        Some(id) if core.router.remove_service(Hop::Module(id), &name) => Ok(Empty),
        _ => {
            let text = format!("requestor did not register {name}");
            Err(Refusal::new(Errno::EINVAL, text))
        }
    }
}
