//! broker.*: environment and built-in values (protocol/03 section 6).

use std::collections::BTreeMap;

use node::{Cx, Peer, Routes};
use proto::broker::{
    Builtins, ConfBuiltin, ConfBuiltinError, Environment, Getenv, Setenv, Stats, StatsGet,
};
use proto::{Empty, Never};

use crate::core::Broker;

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes
        .on::<Getenv>(getenv)
        .on::<Setenv>(setenv)
        .on::<ConfBuiltin>(conf_builtin)
        .on::<StatsGet>(stats_get)
}

fn getenv(
    core: &mut Broker,
    _: &mut Cx<Broker>,
    _: &Peer,
    req: Getenv,
) -> Result<Environment, Never> {
    let pairs = req.names.into_iter().filter_map(|name| {
        let value = core.env.get(&name)?.clone();
        Some((name, value))
    });
    Ok(Environment {
        env: pairs.collect(),
    })
}

fn setenv(core: &mut Broker, _: &mut Cx<Broker>, _: &Peer, req: Setenv) -> Result<Empty, Never> {
    for (name, value) in req.env {
        match value {
            Some(value) => core.env.insert(name, value),
            None => core.env.remove(&name),
        };
    }
    Ok(Empty)
}

fn conf_builtin(
    core: &mut Broker,
    _: &mut Cx<Broker>,
    _: &Peer,
    req: ConfBuiltin,
) -> Result<Builtins, ConfBuiltinError> {
    let mut values = BTreeMap::new();
    for key in req.keys {
        let value = match key.as_str() {
            "rundir" => "/run/flux".to_owned(),
            "exec_path" => core.env.get("FLUX_EXEC_PATH").cloned().unwrap_or_default(),
            "module_path" => core
                .env
                .get("FLUX_MODULE_PATH")
                .cloned()
                .unwrap_or_default(),
            _ => return Err(ConfBuiltinError::InvalidKey(key)),
        };
        values.insert(key, value);
    }
    Ok(Builtins { values })
}

fn stats_get(
    core: &mut Broker,
    cx: &mut Cx<Broker>,
    _: &Peer,
    _: StatsGet,
) -> Result<Stats, Never> {
    Ok(Stats {
        messages: cx.message_stats(),
        open: core.router.n_pending() as u64,
        orphans: core.orphans.counts().clone(),
    })
}
