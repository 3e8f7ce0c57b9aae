//! config.*: the configuration, and how a change reaches everybody (protocol/03 section 8).

use std::collections::VecDeque;

use node::{Cx, Peer, Reply, Routes, Stream};
use proto::attr::names;
use proto::common::ConfigReload;
use proto::config::{Get, Load, Reload, keys};
use proto::{Empty, Errno, Object, Payload, Refusal};
use wire::{Flags, Message};

use crate::attrs::Attrs;
use crate::core::Broker;
use crate::membership;
use crate::router::{Hop, ModuleId};

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes
        .stream::<Get>(get)
        .later::<Load>(load)
        .later::<Reload>(reload)
}

fn get(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, _: Get, mut stream: Stream<Get>) {
    stream.send(cx, &core.config);
    if stream.is_streaming() {
        core.config_watchers.add((), stream);
    } else {
        stream.end(cx, Ok(()));
    }
}

fn load(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, req: Load, reply: Reply<Load>) {
    if let Err(refusal) = core.may_configure() {
        return reply.send(cx, Err(refusal));
    }
    core.change_config(cx, req.0, Done::Load(reply));
}

fn reload(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, _: Reload, reply: Reply<Reload>) {
    if let Err(refusal) = core.may_configure() {
        return reply.send(cx, Err(refusal));
    }
    cx.work(
        crate::files::Files::read_config,
        move |core: &mut Broker, cx, read| match read {
            Ok(Some(config)) => core.change_config(cx, config, Done::Reload(reply)),
            Ok(None) => reply.send(cx, Ok(Empty)),
            Err(refusal) => reply.send(cx, Err(refusal)),
        },
    );
}

/// Requester of a change.
enum Done {
    Load(Reply<Load>),
    Reload(Reply<Reload>),
    /// The parent's has come.
    Parent,
}

impl Done {
    fn send(self, cx: &mut Cx<Broker>, result: Result<(), Refusal>) {
        match self {
            Done::Load(reply) => reply.send(cx, result.map(|()| Empty)),
            Done::Reload(reply) => reply.send(cx, result.map(|()| Empty)),
            Done::Parent => {
                if let Err(refusal) = result {
                    tracing::error!("config: parent update: {refusal}");
                }
            }
        }
    }
}

impl Broker {
    /// Refuses changes on other ranks than 0, which have the configuration of their
    /// parent.
    fn may_configure(&self) -> Result<(), Refusal> {
        match self.router.rank() {
            0 => Ok(()),
            rank => Err(Refusal::new(
                Errno::EINVAL,
                format!("rank {rank} has the configuration of rank 0: change it there"),
            )),
        }
    }

    /// Takes over the parent's configuration.
    pub(crate) fn adopt_config(&mut self, cx: &mut Cx<Broker>, new: Object) {
        self.change_config(cx, new, Done::Parent);
    }

    /// Offers a configuration to every module in turn. One refusal, and those that
    /// took it are given the old one back.
    fn change_config(&mut self, cx: &mut Cx<Broker>, new: Object, done: Done) {
        if let Err(refusal) = self.check_config(&new) {
            return done.send(cx, Err(refusal));
        }
        let left = self.modules.running().map(str::to_owned).collect();
        self.offer_config(cx, new, left, Vec::new(), done);
    }

    /// Checks a configuration regardless of the modules, with the error of the module
    /// that reads the key: it need not be loaded.
    fn check_config(&self, new: &Object) -> Result<(), Refusal> {
        proto::config::check(new).map_err(|complaint| match complaint.module {
            "" => complaint.refusal,
            module => error_updating(module, &complaint.refusal),
        })?;
        let links = membership::check_links(&self.attrs_under(new));
        links.map_err(|error| {
            error_updating("overlay", &Refusal::new(Errno::EINVAL, error.to_string()))
        })
    }

    /// The attributes as they are under another configuration. Of those that `[tbon]` can
    /// set only the times after which a broker counts as torpid change while it runs: then
    /// the configuration comes before the command line (protocol/20 section 2).
    fn attrs_under(&self, new: &Object) -> Attrs {
        let mut attrs = self.attrs.clone();
        for (attr, key) in [
            (&names::TBON_TORPID_MIN, &keys::TBON_TORPID_MIN),
            (&names::TBON_TORPID_MAX, &keys::TBON_TORPID_MAX),
        ] {
            if let Some(value) = key.value(new).and_then(|value| value.as_str()) {
                attrs.put(attr, value);
            }
        }
        attrs
    }

    fn offer_config(
        &mut self,
        cx: &mut Cx<Broker>,
        new: Object,
        mut left: VecDeque<String>,
        mut took: Vec<String>,
        done: Done,
    ) {
        let Some(name) = left.pop_front() else {
            self.attrs = self.attrs_under(&new);
            self.set_config(new);
            self.config_watchers.notify_if(cx, &self.config, |()| true);
            return self.bring_config_up_to_date(cx, done);
        };
        let request = config_reload(&name, &new);
        cx.call_raw(request, move |core: &mut Broker, cx, answer| match answer {
            Ok(_) => {
                core.module_takes_config(&name, core.config_version + 1);
                took.push(name);
                core.offer_config(cx, new, left, took, done);
            }
            Err(refusal) if refusal.errno == Errno::ENOSYS => {
                core.offer_config(cx, new, left, took, done);
            }
            Err(refusal) => {
                for name in took {
                    core.module_takes_config(&name, core.config_version);
                    let back = config_reload(&name, &core.config);
                    cx.call_raw(back, |_, _, _| {});
                }
                done.send(cx, Err(error_updating(&name, &refusal)));
            }
        });
    }
}

impl Broker {
    fn module_takes_config(&mut self, name: &str, version: u64) {
        if let Some(id) = self.modules.named(name) {
            self.modules.has_config(id, version);
        }
    }

    /// Gives the configuration to modules that run with another one, one after the other: they
    /// were being started while it was offered to the others. A refusal comes too late to be
    /// heeded. The request is complete when all have it.
    fn bring_config_up_to_date(&mut self, cx: &mut Cx<Broker>, done: Done) {
        let behind = self.modules.behind(self.config_version).into_iter();
        // The welcome of one without a connection will have it.
        let mut behind = behind.filter(|(id, _)| self.router.peer_of(Hop::Module(*id)).is_some());
        let Some((id, name)) = behind.next() else {
            return done.send(cx, Ok(()));
        };
        self.modules.has_config(id, self.config_version);
        let request = config_reload(&name, &self.config);
        cx.call_raw(request, move |core: &mut Broker, cx, answer| {
            if let Err(refusal) = answer {
                tracing::error!("{}", error_updating(&name, &refusal));
            }
            core.bring_config_up_to_date(cx, done);
        });
    }

    /// The same for a module that runs from now on, ahead of the requests that wait for it. Its
    /// keys were checked with all others'.
    pub(crate) fn give_config_before_all_else(&mut self, cx: &mut Cx<Broker>, id: ModuleId) {
        let behind = self.modules.behind(self.config_version);
        let Some((_, name)) = behind.into_iter().find(|(module, _)| *module == id) else {
            return;
        };
        self.modules.has_config(id, self.config_version);
        let mut request = config_reload(&name, &self.config);
        request.set_flag(Flags::NORESPONSE, true);
        self.router.stamp_as_owner(&mut request);
        self.send_to_module(cx, id, request);
    }
}

fn error_updating(module: &str, refusal: &Refusal) -> Refusal {
    let text = format!("error updating {module}: {refusal}");
    Refusal::new(refusal.errno, text)
}

fn config_reload(name: &str, config: &Object) -> Message {
    let mut message = Message::request(&format!("{name}.config-reload"), 0);
    message.set_payload(ConfigReload(config.clone()).encode());
    message
}

#[cfg(test)]
mod tests;
