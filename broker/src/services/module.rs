//! module.*: loading, removing and listing modules, and their own status reports.

use node::{Cx, Peer, Reply, Routes};
use proto::module::{
    DebugModule, List, Load, ModuleInfo, ModuleList, ModuleStatus, Remove, Status,
};
use proto::{Empty, Errno, Never, Refusal};

use super::module_trace;
use crate::core::{Broker, OWN_SERVICES};
use crate::limits::MODULE_ERROR_BYTES_MAX;
use crate::modules::{Removal, Waiter};
use crate::router::Hop;

/// Parts of the broker that other implementations load as modules first of all, shown
/// as such.
const BUILTIN: &[&str] = &["config", "connector-local", "overlay"];

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    let routes = routes
        .later::<Load>(load)
        .later::<Remove>(remove)
        .on::<List>(list)
        .on::<Status>(status)
        .on::<DebugModule>(debug);
    module_trace::routes(routes)
}

fn load(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, req: Load, reply: Reply<Load>) {
    let refusal = if OWN_SERVICES.contains(&req.path.as_str()) {
        Some(Refusal::bare(Errno::EEXIST))
    } else if req.loader.is_some() && !req.path.contains('/') {
        let text = "module loader may only be specified with module path";
        Some(Refusal::new(Errno::EINVAL, text))
    } else if core.life.is_ending() {
        Some(Refusal::bare(Errno::ENOSYS))
    } else {
        None
    };
    match refusal {
        Some(refusal) => reply.send(cx, Err(refusal)),
        None => core.load(cx, req, Waiter::Client(reply)),
    }
}

fn remove(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, req: Remove, reply: Reply<Remove>) {
    match core.modules.named(&req.name) {
        Some(id) => {
            let how = Removal {
                kill: req.cancel.unwrap_or(false),
                returns: req.returns.unwrap_or(false) && !core.life.is_ending(),
            };
            core.remove(cx, id, how, Some(reply));
        }
        None => reply.send(cx, Err(Refusal::bare(Errno::ENOENT))),
    }
}

fn list(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, _: List) -> Result<ModuleList, Never> {
    let builtin = BUILTIN.iter().map(|name| ModuleInfo {
        name: (*name).to_owned(),
        path: "builtin".to_owned(),
        idle: 0,
        status: ModuleStatus::Running as i64,
        services: Vec::new(),
        sendqueue: 0,
        recvqueue: 0,
    });
    let loaded = core.modules.list(cx.now().mono);
    let loaded = loaded.map(|(id, module)| {
        let services = core.router.services_of(Hop::Module(id));
        ModuleInfo {
            services: services.map(str::to_owned).collect(),
            ..module
        }
    });
    Ok(ModuleList {
        mods: builtin.chain(loaded).collect(),
    })
}

fn status(
    core: &mut Broker,
    cx: &mut Cx<Broker>,
    from: &Peer,
    req: Status,
) -> Result<Empty, Refusal> {
    let protocol = Refusal::bare(Errno::EPROTO);
    let id = core
        .module_of(from.sender.as_ref())
        .ok_or(protocol.clone())?;
    let status = ModuleStatus::from_number(req.status).ok_or(protocol)?;
    core.module_status(cx, id, status, reported(req.errnum, req.errstr));
    Ok(Empty)
}

/// The end that a module reports. An error number that is none is EIO.
fn reported(errnum: Option<i64>, errstr: Option<String>) -> Result<(), Refusal> {
    match u32::try_from(errnum.unwrap_or(0)) {
        Ok(0) => Ok(()),
        errnum => Err(Refusal {
            errno: Errno(errnum.unwrap_or(Errno::EIO.0)),
            text: errstr
                .map(|text| cut_short(text, MODULE_ERROR_BYTES_MAX))
                .map(Into::into),
            stopped: None,
        }),
    }
}

fn cut_short(mut text: String, max: usize) -> String {
    let end = (0..=max.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}

fn debug(
    core: &mut Broker,
    cx: &mut Cx<Broker>,
    _: &Peer,
    req: DebugModule,
) -> Result<Empty, Refusal> {
    let id = core
        .modules
        .named(&req.name)
        .ok_or(Refusal::bare(Errno::ENOENT))?;
    if let Some(defer) = req.defer {
        core.modules.defer(id, defer);
        if !defer {
            core.release_held(cx, id);
        }
    }
    Ok(Empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(errnum: Option<i64>, errstr: &str, want: &str) {
        let errstr = Some(errstr.to_owned()).filter(|text| !text.is_empty());
        let got =
            reported(errnum, errstr).map_or_else(|error| error.to_string(), |()| String::new());
        assert_eq!(got, want);
    }

    #[test]
    fn a_module_ends_well_or_with_a_number_and_perhaps_its_own_words() {
        check(None, "", "");
        check(Some(0), "all is well", "");
        check(Some(2), "", "No such file or directory");
        check(Some(-1), "", "Input/output error");
        check(Some(38), "load a first", "load a first");
        let (long, cut) = ("\u{e4}".repeat(600), "\u{e4}".repeat(511));
        check(Some(38), &format!("x{long}"), &format!("x{cut}"));
    }
}
