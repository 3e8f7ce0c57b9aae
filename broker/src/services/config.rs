//! config.*: the configuration, and how a change reaches everybody (protocol/03 section 8).

use std::collections::VecDeque;

use node::{Cx, Peer, Reply, Routes, Stream};
use proto::common::ConfigReload;
use proto::config::{Get, Load, Reload};
use proto::{Empty, Errno, Object, Payload, Refusal};
use wire::Message;

use crate::core::Broker;
use crate::modules::Stage;

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes
        .stream::<Get>(get)
        .later::<Load>(load)
        .later::<Reload>(reload)
}

fn get(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, _: Get, mut stream: Stream<Get>) {
    stream.send(cx, &core.config);
    if stream.is_streaming() {
        core.config_watchers.insert(stream.id(), stream);
    } else {
        stream.end(cx, Ok(()));
    }
}

fn load(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, req: Load, reply: Reply<Load>) {
    core.change_config(cx, req.0, Done::Load(reply));
}

fn reload(_: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, _: Reload, reply: Reply<Reload>) {
    cx.work(
        crate::files::Files::read_config,
        move |core: &mut Broker, cx, read| match read {
            Ok(Some(config)) => core.change_config(cx, config, Done::Reload(reply)),
            Ok(None) => reply.send(cx, Ok(Empty)),
            Err(refusal) => reply.send(cx, Err(refusal)),
        },
    );
}

/// Who waits for a change.
enum Done {
    Load(Reply<Load>),
    Reload(Reply<Reload>),
}

impl Done {
    fn send(self, cx: &mut Cx<Broker>, result: Result<(), Refusal>) {
        match self {
            Done::Load(reply) => reply.send(cx, result.map(|()| Empty)),
            Done::Reload(reply) => reply.send(cx, result.map(|()| Empty)),
        }
    }
}

impl Broker {
    /// Offers a configuration to every module in turn. One refusal, and those that
    /// took it are given the old one back.
    fn change_config(&mut self, cx: &mut Cx<Broker>, new: Object, done: Done) {
        if let Err(refusal) = crate::config::check_access(&new) {
            return done.send(cx, Err(refusal));
        }
        let running = self
            .modules
            .values()
            .filter(|module| module.stage == Stage::Running);
        let left = running.map(|module| module.name.clone()).collect();
        self.offer_config(cx, new, left, Vec::new(), done);
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
            self.set_config(new);
            for stream in self.config_watchers.values_mut() {
                stream.send(cx, &self.config);
            }
            return done.send(cx, Ok(()));
        };
        let request = config_reload(&name, &new);
        cx.call_raw(request, move |core: &mut Broker, cx, answer| match answer {
            Ok(_) => {
                took.push(name);
                core.offer_config(cx, new, left, took, done);
            }
            Err(refusal) if refusal.errno == Errno::ENOSYS => {
                core.offer_config(cx, new, left, took, done);
            }
            Err(refusal) => {
                for name in took {
                    let back = config_reload(&name, &core.config);
                    cx.call_raw(back, |_, _, _| {});
                }
                let text = format!("error updating {name}: {refusal}");
                done.send(cx, Err(Refusal::new(refusal.errno, text)));
            }
        });
    }
}

fn config_reload(name: &str, config: &Object) -> Message {
    let mut message = Message::request(&format!("{name}.config-reload"), 0);
    message.set_payload(ConfigReload(config.clone()).encode());
    message
}
