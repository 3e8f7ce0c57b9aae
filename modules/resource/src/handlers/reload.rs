//! `resource.reload`: another resource set from a file, while no scheduler has the old.

use node::{Cx, Peer, Reply};
use proto::Empty;
use proto::data::Rset;
use proto::resource::{Reload, ReloadError};

use crate::Resource;
use crate::inventory::{Inventory, RELOADED};
use crate::start::read_r;

pub fn reload(
    core: &mut Resource,
    cx: &mut Cx<Resource>,
    _: &Peer,
    request: Reload,
    reply: Reply<Reload>,
) {
    if let Err(error) = check(core, cx, &request) {
        return reply.send(cx, Err(error));
    }
    let Reload { path, force, .. } = request;
    cx.work(
        move |machine| read_r(machine, &path),
        move |core: &mut Resource, cx, set| {
            let result = replace(core, cx, set, force);
            reply.send(cx, result.map(|()| Empty));
        },
    );
}

fn check(core: &Resource, cx: &Cx<Resource>, request: &Reload) -> Result<(), ReloadError> {
    if cx.rank() != 0 {
        return Err(ReloadError::NotRankZero);
    }
    if core.scheduler.is_some() {
        return Err(ReloadError::Busy);
    }
    if request.xml {
        return Err(ReloadError::Xml);
    }
    Ok(())
}

fn replace(
    core: &mut Resource,
    cx: &mut Cx<Resource>,
    set: Result<Rset, String>,
    force: bool,
) -> Result<(), ReloadError> {
    let set = set.map_err(ReloadError::BadFile)?;
    // A scheduler may have come while the file was read.
    if core.scheduler.is_some() {
        return Err(ReloadError::Busy);
    }
    let is_beyond = set.ranks().last().is_some_and(|last| last >= core.size);
    if is_beyond && !force {
        return Err(ReloadError::TooManyRanks(core.size));
    }
    core.define(cx, Inventory::new(set, RELOADED, RELOADED));
    Ok(())
}
