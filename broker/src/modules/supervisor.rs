//! Module processes: found, started, stopped, and started again when they end
//! without being asked to.
//!
//! A module that dies takes no request with it in silence: those that may be done
//! twice, and those that it would recognise, wait for its successor; the others are
//! answered EHOSTUNREACH.

use std::collections::VecDeque;

use node::{ChildEvent, ChildId, Cx, Reply, Spawn, Stdio};
use proto::attr::names;
use proto::common::Shutdown;
use proto::module::{Load, ModuleStatus, Remove};
use proto::orphans::Cause;
use proto::{Empty, Payload, Refusal};
use wire::{Errno, Flags, Identity, Message};

use super::held::Held;
use super::process::{SIGKILL, SIGTERM, Then};
use super::{Stage, Waiter};
use crate::core::{Broker, seconds};
use crate::limits::{DEATHS_MAX, HOLD_S, RESTART_WINDOW_S};
use crate::router::{Hop, ModuleId, Past, Stop};

/// Removal of a module.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Removal {
    /// The module is killed instead of asked.
    pub kill: bool,
    /// The module will be loaded again: requests for it wait.
    pub returns: bool,
}

impl Broker {
    /// Loads a module. Those who wait are answered when it runs or has failed.
    pub(crate) fn load(&mut self, cx: &mut Cx<Broker>, request: Load, waiter: Waiter) {
        let search = self.env.get("FLUX_MODULE_PATH").cloned();
        let path = request.path.clone();
        cx.work(
            move |files| files.find_module(&path, search.as_deref()),
            move |core: &mut Broker, cx, found| match found {
                Ok(path) => core.load_from(cx, request, path, waiter),
                Err(refusal) => {
                    let name = request.name.clone();
                    let name = name.unwrap_or_else(|| crate::files::module_name(&request.path));
                    core.give_up_away(cx, &name);
                    core.notify_loader(cx, waiter, Err(refusal));
                }
            },
        );
    }

    fn load_from(&mut self, cx: &mut Cx<Broker>, request: Load, path: String, waiter: Waiter) {
        let name = request.name.clone();
        let name = name.unwrap_or_else(|| crate::files::module_name(&path));
        if let Some(id) = self.modules.away(&name) {
            return self.load_again(cx, id, request, path, waiter);
        }
        let checked = self
            .router
            .check_service_name(&name, self.owner, proto::Role::OWNER);
        if let Err(errno) = checked {
            return self.notify_loader(cx, waiter, Err(Refusal::bare(errno)));
        }
        if self.router.provider(&name).is_some() {
            return self.notify_loader(cx, waiter, Err(Refusal::bare(Errno::EEXIST)));
        }
        let id = self.modules.add(&name, path, request, cx.now().mono);
        if let Some(module) = self.modules.get_mut(id) {
            module.loading.push(waiter);
        }
        self.router.add_module(id, &name);
        tracing::debug!("insmod {name}");
        self.start_process(cx, id);
    }

    /// Starts the process of a loaded module, under a fresh identity.
    pub(super) fn start_process(&mut self, cx: &mut Cx<Broker>, id: ModuleId) {
        let uuid = self.ids.next_uuid();
        let identity = Identity::new(&uuid).expect("a UUID is short text");
        let env: Vec<(String, String)> = self
            .env
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let Some(module) = self.modules.get_mut(id) else {
            return;
        };
        let argv = module
            .loader
            .iter()
            .chain([&module.path])
            .cloned()
            .collect();
        module.reported = None;
        module.useful = false;
        module.status = ModuleStatus::Init;
        self.router.expect_module(id, identity);
        let child = cx.spawn(Spawn {
            argv,
            env: Some(env),
            env_add: vec![
                ("FLUX_MODULE_ENDPOINT".to_owned(), self.endpoint.clone()),
                ("FLUX_MODULE_UUID".to_owned(), uuid),
                (
                    "FLUX_MODULE_CLEANUP".to_owned(),
                    self.cleanup_folders.clone(),
                ),
                (
                    "FLUX_URI".to_owned(),
                    self.attrs.value(&names::LOCAL_URI).unwrap_or("").to_owned(),
                ),
            ],
            stdin: Stdio::Lifeline,
            // Signals of a terminal or a batch system to our group are for us to handle:
            // modules stop in order, when we say so.
            new_group: true,
            stdout: Stdio::Inherit,
            stderr: Stdio::Inherit,
            ..Spawn::default()
        });
        if let Some(module) = self.modules.get_mut(id) {
            module.child = Some(child);
        }
    }

    /// `module.status` of a module.
    pub(crate) fn module_status(
        &mut self,
        cx: &mut Cx<Broker>,
        id: ModuleId,
        status: ModuleStatus,
        end: Result<(), Refusal>,
    ) {
        let Some(module) = self.modules.get_mut(id) else {
            return;
        };
        module.status = status;
        match status {
            // It was asked to stop before it could say that.
            ModuleStatus::Running if matches!(module.stage, Stage::Stopping | Stage::Leaving) => {}
            ModuleStatus::Running => {
                let restarted = module.stage == Stage::Restarting;
                module.stage = Stage::Running;
                if restarted {
                    tracing::info!("module {} is back", module.name);
                }
                for waiter in std::mem::take(&mut module.loading) {
                    self.notify_loader(cx, waiter, Ok(()));
                }
                self.give_config_before_all_else(cx, id);
                self.release_held(cx, id);
                self.start_parked(cx);
            }
            ModuleStatus::Finalizing => {
                // One that ends unasked will be started again: hold, do not refuse.
                if module.stage == Stage::Running && !module.removing.is_empty() {
                    module.stage = Stage::Stopping;
                }
            }
            ModuleStatus::Exited => module.reported = Some(end),
            ModuleStatus::Init => {}
        }
    }

    /// Handles the exit of a module's process; false if `child` is another process.
    pub(crate) fn module_child(
        &mut self,
        cx: &mut Cx<Broker>,
        child: ChildId,
        event: &ChildEvent,
    ) -> bool {
        let Some(id) = self.modules.of_child(child) else {
            return false;
        };
        let Some(module) = self.modules.get_mut(id) else {
            return false;
        };
        match event {
            ChildEvent::Failed { errno } => {
                let program = module.loader.as_ref().unwrap_or(&module.path);
                let text = format!("{program}: cannot be started: {errno}");
                self.process_ended(cx, id, Err(Refusal::new(*errno, text)));
            }
            ChildEvent::Exited { status } => {
                let end = module.how_it_ended(*status);
                module.killed = status & 0x7f == SIGKILL;
                self.process_ended(cx, id, end);
            }
            ChildEvent::Started { pid } => module.pid = Some(*pid),
            ChildEvent::InputTaken { .. }
            | ChildEvent::Output { .. }
            | ChildEvent::Channel { .. }
            | ChildEvent::ChannelTaken { .. }
            | ChildEvent::Stopped => {}
        }
        true
    }

    /// Handles the exit of a module's process: releases its state and decides the next
    /// step.
    fn process_ended(&mut self, cx: &mut Cx<Broker>, id: ModuleId, end: Result<(), Refusal>) {
        let Some(module) = self.modules.get_mut(id) else {
            return;
        };
        module.child = None;
        module.pid = None;
        module.status = ModuleStatus::Exited;
        tracing::debug!("module {} exited", module.name);
        match &end {
            // Says itself which module it is about.
            Err(Refusal {
                text: Some(text), ..
            }) if text.starts_with("module ") => {
                tracing::error!("{text}");
            }
            Err(error) => tracing::error!("{}: {error}", module.name),
            Ok(()) => {}
        }
        // Others hear of the end before anything the successor may say.
        for message in std::mem::take(&mut module.notices).into_messages() {
            cx.send(message);
        }
        let hop = Hop::Module(id);
        if let Some(peer) = self.router.peer_of(hop) {
            cx.output(node::Output::Close { peer });
        }
        let unanswered = self.router.module_ended(id);
        self.credit.module_ended(id);
        if let Some(module) = self.modules.get_mut(id) {
            module.unanswered = unanswered;
        }
        self.go_on_after(cx, id, end);
    }

    fn go_on_after(&mut self, cx: &mut Cx<Broker>, id: ModuleId, end: Result<(), Refusal>) {
        let (missing, is_ending) = (self.missing_need(id), self.life.is_ending());
        let Some(module) = self.modules.get_mut(id) else {
            return;
        };
        let name = module.name.clone();
        match module.after(&end, missing, is_ending, cx.now().mono) {
            Then::Unload => self.unload(cx, id, end),
            Then::Await => self.await_module(cx, id),
            Then::Park(need) => {
                tracing::warn!("module {name} waits for module {need}");
                module.stage = Stage::Restarting;
                module.parked = true;
                self.sort_out_tracked(cx, id);
            }
            Then::Start(wait) => {
                tracing::warn!("module {name} is being restarted");
                module.stage = Stage::Restarting;
                self.sort_out_tracked(cx, id);
                if wait.is_zero() {
                    return self.start_process(cx, id);
                }
                cx.timer(wait, move |core: &mut Broker, cx| {
                    let module = core.modules.get(id);
                    if module.is_some_and(|module| module.stage == Stage::Restarting) {
                        core.start_process(cx, id);
                    }
                });
            }
            Then::GiveUp(n) => {
                tracing::error!(
                    "module {name} exited {n} times in {RESTART_WINDOW_S}s without answering a \
                        request: giving it up"
                );
                self.unload(cx, id, end);
                if !self.attrs.is_on(&names::BROKER_MODULE_NOPANIC) {
                    tracing::error!("{name} module runtime failure");
                    self.panic(cx);
                }
            }
        }
    }

    /// The first module that this one needs and that does not run.
    pub(super) fn missing_need(&self, id: ModuleId) -> Option<&'static str> {
        let name = &self.modules.get(id)?.name;
        let entry = proto::rc::MODULES.iter().find(|entry| entry.name == name)?;
        let mut needs = entry.after_on(self.router.rank());
        needs.find(|need| !self.modules.runs(need))
    }

    /// Starts the modules whose needs are running now.
    fn start_parked(&mut self, cx: &mut Cx<Broker>) {
        let parked = self.modules.loaded.iter();
        let parked = parked.filter(|(_, module)| module.parked);
        let parked: Vec<ModuleId> = parked.map(|(id, _)| *id).collect();
        for id in parked {
            if self.missing_need(id).is_none()
                && let Some(module) = self.modules.get_mut(id)
            {
                module.parked = false;
                self.start_process(cx, id);
            }
        }
    }

    /// Requests that the dead process had: held for the next one, or answered.
    pub(super) fn sort_out_tracked(&mut self, cx: &mut Cx<Broker>, id: ModuleId) {
        let until = cx.now().mono + seconds(HOLD_S);
        let Some(module) = self.modules.get_mut(id) else {
            return;
        };
        let unanswered = std::mem::take(&mut module.unanswered);
        // One that was asked to leave has not died of what it was asked.
        let has_died = !matches!(module.stage, Stage::Away { .. });
        let mut again = VecDeque::new();
        let mut lost = Vec::new();
        for call in unanswered {
            let request = call.request;
            let past = Past {
                number: Some(call.number),
                deaths: call.deaths + usize::from(has_died),
            };
            let may_repeat = self.router.may_repeat(request.topic())
                && !call.answered
                && !request.has(Flags::USER1)
                && past.deaths < DEATHS_MAX;
            if may_repeat {
                again.push_back(Held {
                    request,
                    until,
                    past,
                });
            } else {
                lost.push(request);
            }
        }
        let Some(module) = self.modules.get_mut(id) else {
            return;
        };
        module.held.put_in_front(again);
        if let Some(at) = module.held.next_expiry() {
            self.look_for_expired(cx, at);
        }
        self.watch_held(cx, id);
        self.lose(cx, lost);
    }

    fn lose(&mut self, cx: &mut Cx<Broker>, lost: Vec<Message>) {
        for request in lost {
            let may_repeat = self.router.may_repeat(request.topic());
            let text = Some("module disconnect");
            self.refuse(cx, request, Stop::lost(Cause::ServerDown, text, may_repeat));
        }
    }

    /// Unloads a module for good.
    pub(super) fn unload(&mut self, cx: &mut Cx<Broker>, id: ModuleId, end: Result<(), Refusal>) {
        let Some(mut module) = self.modules.remove(id) else {
            return;
        };
        self.router.remove_module(id);
        let lost = module.unanswered.into_iter().map(|call| call.request);
        self.lose(cx, lost.collect());
        let text = format!("module {} exited", module.name);
        let held = module.held.take().into_iter().map(|held| held.request);
        for request in held.chain(self.credit.module_unloaded(id)) {
            self.refuse(cx, request, Stop::no_service(Some(&text)));
        }
        // One that has nothing to do here says so by ending well before it runs.
        let has_withdrawn = module.stage == Stage::Loading && module.reported == Some(Ok(()));
        let loaded = match &end {
            Err(error) => Err(error.clone()),
            Ok(()) if has_withdrawn => Ok(()),
            Ok(()) => Err(Refusal::new(
                Errno::ECONNRESET,
                format!("module {} was removed before it ran", module.name),
            )),
        };
        for waiter in module.loading {
            if let (Waiter::Stage(name), true) = (&waiter, has_withdrawn) {
                self.life.give_up(name);
            }
            self.notify_loader(cx, waiter, loaded.clone());
        }
        for reply in module.removing {
            reply.send(cx, Ok(Empty));
        }
        self.stage_module_gone(cx, &module.name);
    }

    fn notify_loader(&mut self, cx: &mut Cx<Broker>, waiter: Waiter, result: Result<(), Refusal>) {
        match waiter {
            Waiter::Client(reply) => reply.send(cx, result.map(|()| Empty)),
            Waiter::Stage(name) => self.stage_module_loaded(cx, name, result),
        }
    }

    /// Asks a module to stop; `reply` is answered when it has exited.
    pub(crate) fn remove(
        &mut self,
        cx: &mut Cx<Broker>,
        id: ModuleId,
        how: Removal,
        reply: Option<Reply<Remove>>,
    ) {
        let Some(module) = self.modules.get_mut(id) else {
            return;
        };
        module.removing.extend(reply);
        // If it has not run yet, nobody waits for it to come back.
        let returns = how.returns && module.stage != Stage::Loading;
        module.stage = match (returns, module.stage) {
            (_, Stage::Stopping) | (false, _) => Stage::Stopping,
            (true, _) => Stage::Leaving,
        };
        if module.child.is_none() {
            return match module.stage {
                Stage::Leaving => self.await_module(cx, id),
                _ => self.unload(cx, id, Ok(())),
            };
        }
        let returns = module.stage == Stage::Leaving;
        if how.kill {
            if let Some(child) = module.child {
                cx.kill_child(child, SIGKILL, false);
            }
            return;
        }
        let Some(peer) = self.router.peer_of(Hop::Module(id)) else {
            // It has not spoken yet, so it cannot be spoken to.
            if let Some(child) = module.child {
                cx.kill_child(child, SIGTERM, false);
            }
            return;
        };
        let shutdown = Shutdown {
            returns: returns.then_some(true),
        };
        let mut message = Message::request(&format!("{}.shutdown", module.name), 0);
        message.set_payload(shutdown.encode());
        message.set_flag(Flags::NORESPONSE, true);
        self.router.stamp_as_owner(&mut message);
        cx.output(node::Output::Send { to: peer, message });
    }

    /// Kills a module that need not be asked.
    pub(crate) fn kill_module(&mut self, cx: &mut Cx<Broker>, id: ModuleId) {
        if let Some(child) = self.modules.get(id).and_then(|module| module.child) {
            cx.kill_child(child, SIGKILL, false);
        }
    }

    /// Kills the modules that still run.
    pub(crate) fn kill_modules(&mut self, cx: &mut Cx<Broker>) {
        for module in self.modules.loaded.values() {
            if let Some(child) = module.child {
                tracing::error!("module {} does not stop: killing it", module.name);
                cx.kill_child(child, SIGKILL, false);
            }
        }
    }
}
