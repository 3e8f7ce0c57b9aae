//! Messages to module processes and from them, from the first word of each.

use std::time::Duration;

use node::{Cx, Output, PeerId};
use proto::Payload;
use proto::common::Welcome;
use wire::{Errno, Flags, Identity, Kind, Message};

use super::held::Held;
use super::process::Way;
use super::{Early, Loaded, Stage};
use crate::core::{Broker, seconds};
use crate::limits::{HOLD_S, LINK_LOST_WAIT_S};
use crate::programs::TOO_MANY_SERVICES;
use crate::router::{Hop, ModuleId, Past, Stop};

impl Broker {
    /// A module's first message has come: now it can be spoken to.
    pub(crate) fn module_up(
        &mut self,
        cx: &mut Cx<Broker>,
        peer: PeerId,
        identity: &str,
        group: i32,
    ) {
        let sender = Identity::new(identity);
        let id = self.module_of(sender.as_ref());
        let Some((id, module)) = id.and_then(|id| Some((id, self.modules.get(id)?))) else {
            tracing::error!(
                "process of group {group} is not a module of this broker: link \
                closed"
            );
            return cx.output(Output::Close { peer });
        };
        // The identity stands in the module's environment, for all of its user to read.
        if module.pid.is_some_and(|pid| pid != group) {
            let name = &module.name;
            tracing::error!("a process of group {group} is not module {name}: link closed");
            return cx.output(Output::Close { peer });
        }
        if self.router.peer_of(Hop::Module(id)).is_some() {
            tracing::error!(
                "module {} has a link already: closed another one",
                module.name
            );
            return cx.output(Output::Close { peer });
        }
        if module.stage == Stage::Stopping {
            // It was removed before it could speak.
            return self.kill_module(cx, id);
        }
        if self.comes_early(id) {
            let identity = identity.to_owned();
            self.modules.early.push(Early {
                peer,
                identity,
                group,
            });
            return;
        }
        let welcome = Welcome {
            args: self.modules.get(id).map(|module| module.args.clone()),
            attrs: self.attrs.immutable(),
            conf: self.config.clone(),
            name: self
                .modules
                .get(id)
                .map_or(String::new(), |module| module.name.clone()),
            uuid: identity.to_owned(),
        };
        let mut message = Message::request("welcome", 0);
        message.set_flag(Flags::NORESPONSE, true);
        message.set_payload(welcome.encode());
        self.router.stamp_as_owner(&mut message);
        self.modules.has_config(id, self.config_version);
        self.router.module_up(id, peer);
        cx.output(Output::Send { to: peer, message });
        // Later requests are not held, and must not overtake earlier ones.
        if self
            .modules
            .get(id)
            .is_some_and(|module| module.stage == Stage::Loading)
        {
            self.release_held(cx, id);
        }
    }

    /// True if it is a default module whose needs do not run yet: all are started at once,
    /// and each begins when it can.
    fn comes_early(&self, id: ModuleId) -> bool {
        let module = self.modules.get(id);
        let begins =
            |module: &Loaded| module.stage == Stage::Loading && self.life.has_begun(&module.name);
        self.starts_at_once()
            && self.life.is_in_start()
            && module.is_some_and(begins)
            && self.missing_need(id).is_some()
    }

    /// Starts modules that came early and whose needs are running now.
    pub(crate) fn welcome_early(&mut self, cx: &mut Cx<Broker>) {
        for early in std::mem::take(&mut self.modules.early) {
            let sender = Identity::new(&early.identity);
            // One that ended in between is known no more.
            if self.module_of(sender.as_ref()).is_some() {
                self.module_up(cx, early.peer, &early.identity, early.group);
            }
        }
    }

    /// Handles the loss of a link. A module that had it ends by itself, or is helped to.
    pub(crate) fn module_link_lost(&mut self, cx: &mut Cx<Broker>, id: ModuleId) {
        let Some(child) = self.modules.get(id).and_then(|module| module.child) else {
            return;
        };
        cx.timer(seconds(LINK_LOST_WAIT_S), move |core: &mut Broker, cx| {
            if let Some(module) = core.modules.get(id)
                && module.child == Some(child)
            {
                tracing::error!("module {} has lost its link: killing it", module.name);
                core.kill_module(cx, id);
            }
        });
    }

    /// A module said something.
    pub(crate) fn module_message(
        &mut self,
        cx: &mut Cx<Broker>,
        id: ModuleId,
        mut message: Message,
    ) {
        self.router.stamp_as_owner(&mut message);
        self.tap(cx, id, "tx", &message);
        let Some(module) = self.modules.get_mut(id) else {
            return;
        };
        module.last_sent = cx.now().mono;
        let hop = Hop::Module(id);
        if !self.router.stamp(hop, &mut message) {
            return;
        }
        // Ours are answered by the broker itself, which needs no telling.
        let is_request = matches!(message.kind, Kind::Request { .. });
        if is_request && !message.topic().starts_with("module.") && !module.notices.note(&message) {
            return self.refuse(cx, message, Stop::full(TOO_MANY_SERVICES));
        }
        self.route(cx, hop, message);
    }

    /// Hands a request to a module, or holds it until the module can take it.
    pub(crate) fn send_to_module(&mut self, cx: &mut Cx<Broker>, id: ModuleId, request: Message) {
        self.send_again(cx, id, request, Past::default());
    }

    /// The same for a request that processes may have died with.
    fn send_again(&mut self, cx: &mut Cx<Broker>, id: ModuleId, request: Message, past: Past) {
        if self.router.is_expired(&request) {
            return self.refuse(cx, request, Stop::expired());
        }
        let has_link = self.router.peer_of(Hop::Module(id)).is_some();
        let module = self.modules.get(id);
        let way = module.map(|module| module.way(request.has(Flags::USER1), has_link));
        match way {
            None => {}
            Some(Way::Hand) => self.hand_over(cx, id, request, past),
            Some(Way::Hold) => self.hold(cx, id, request, past),
            Some(Way::Refuse(errno, text)) => {
                let stop = Stop {
                    errno,
                    ..Stop::no_service(text)
                };
                self.refuse(cx, request, stop);
            }
        }
    }

    /// Delivers a request to a module that is there.
    fn hand_over(&mut self, cx: &mut Cx<Broker>, id: ModuleId, request: Message, past: Past) {
        let hop = Hop::Module(id);
        if self.router.peer_of(hop).is_none() {
            return self.hold(cx, id, request, past);
        }
        self.router.give(hop, request, past);
        self.carry_out(cx);
    }

    fn hold(&mut self, cx: &mut Cx<Broker>, id: ModuleId, request: Message, past: Past) {
        let Some(module) = self.modules.get_mut(id) else {
            return;
        };
        let held = Held {
            request,
            until: cx.now().mono + seconds(HOLD_S),
            past,
        };
        if !module.held.push(&held) {
            let stop = Stop {
                errno: Errno::EHOSTUNREACH,
                ..Stop::full("module is restarting")
            };
            return self.refuse(cx, held.request, stop);
        }
        if module.held.len() == 1 && !module.deferred {
            self.watch_held(cx, id);
        }
        let deadline = held.request.deadline_ms;
        if deadline != 0 {
            self.look_for_expired(cx, Duration::from_millis(deadline));
        }
    }

    /// Sees to it that nothing is held for longer than it may be.
    pub(crate) fn watch_held(&mut self, cx: &mut Cx<Broker>, id: ModuleId) {
        cx.timer(seconds(HOLD_S), move |core: &mut Broker, cx| {
            core.expire_held(cx, id)
        });
    }

    fn expire_held(&mut self, cx: &mut Cx<Broker>, id: ModuleId) {
        let now = cx.now().mono;
        loop {
            let Some(module) = self.modules.get_mut(id) else {
                return;
            };
            let Some(held) = module.held.front() else {
                return;
            };
            if held.until > now {
                let wait = held.until - now;
                cx.timer(wait, move |core: &mut Broker, cx| core.expire_held(cx, id));
                return;
            }
            if let Some(held) = module.held.pop() {
                let stop = Stop {
                    errno: Errno::EHOSTUNREACH,
                    ..Stop::no_service(Some("the module did not come back in time"))
                };
                self.refuse(cx, held.request, stop);
            }
        }
    }

    /// Lets held requests go, in the order in which they came.
    pub(crate) fn release_held(&mut self, cx: &mut Cx<Broker>, id: ModuleId) {
        let Some(module) = self.modules.get_mut(id) else {
            return;
        };
        for held in module.held.take() {
            self.send_again(cx, id, held.request, held.past);
        }
    }
}
