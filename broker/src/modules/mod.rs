//! The loaded modules: the state of each and its process.
//!
//! Decisions after the end of a process are in `process.rs` (pure), waiting requests in `held.rs`,
//! starting and stopping of processes in `supervisor.rs`, reloading in `reload.rs`, and messages to
//! and from modules in `traffic.rs`. No other file reaches into its fields.

mod held;
mod process;
mod reload;
mod supervisor;
mod traffic;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use node::{ChildId, PeerId, Reply};
use proto::Refusal;
use proto::module::{Load, ModuleInfo, ModuleStatus, Remove};
use proto::rexec::Process;
use wire::Message;

use self::held::HeldQueue;
pub(crate) use self::supervisor::Removal;
use crate::disconnect_notices::DisconnectNotices;
use crate::router::{Call, ModuleId};

/// Where a loaded module's process stands, as we see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Being started for the first time; loading it is not answered yet.
    Loading,
    /// The module answers requests.
    Running,
    /// The module ended on its own and is being started again.
    Restarting,
    /// The module was asked to stop, or stops by itself.
    Stopping,
    /// The module was asked to stop and will be loaded again.
    Leaving,
    /// The module is waited for until then: it has left and will be loaded again.
    Away { until: Duration },
}

/// One loaded module.
struct Loaded {
    name: String,
    path: String,
    args: Vec<String>,
    loader: Option<String>,
    stage: Stage,
    status: ModuleStatus,
    child: Option<ChildId>,
    /// Process, which leads a process group, as soon as it is known.
    pid: Option<i32>,
    loading: Vec<Waiter>,
    removing: Vec<Reply<Remove>>,
    /// The end that it reported itself.
    reported: Option<Result<(), Refusal>>,
    notices: DisconnectNotices,
    /// Requests that its last process left unanswered.
    unanswered: Vec<Call>,
    held: HeldQueue,
    /// True if `module.debug` holds messages back.
    deferred: bool,
    /// Ends in a row that came before the process had answered anything.
    restarted_at: VecDeque<Duration>,
    /// True if this process has answered a request: a later exit counts as an external
    /// kill, not as a crash loop.
    useful: bool,
    /// True if its last process was killed from outside, which is no fault of the module.
    killed: bool,
    /// True if it is restarted only when the modules that it needs are running.
    parked: bool,
    last_sent: Duration,
    /// Version of the configuration that its process has.
    config: u64,
}

/// Request that waits for a module to run.
pub(crate) enum Waiter {
    /// `flux module load`.
    Client(Reply<Load>),
    /// The start of the instance, for this module.
    Stage(&'static str),
}

/// All of them.
#[derive(Default)]
pub(crate) struct Modules {
    loaded: BTreeMap<ModuleId, Loaded>,
    last: u64,
    /// Modules that are connected before their needs run: default modules, each once.
    early: Vec<Early>,
}

/// A module that is connected, and is not welcome yet.
struct Early {
    peer: PeerId,
    identity: String,
    group: i32,
}

impl Modules {
    /// Takes the held requests that have expired.
    pub fn take_expired(&mut self, is_expired: impl Fn(&Message) -> bool) -> Vec<Message> {
        let modules = self.loaded.values_mut();
        let expired = modules.map(|module| module.held.take_expired(&is_expired));
        expired.flatten().collect()
    }

    /// Time at which the first held request expires.
    pub fn next_expiry(&self) -> Option<Duration> {
        let modules = self.loaded.values();
        modules.filter_map(|module| module.held.next_expiry()).min()
    }

    /// A module is loaded from a path, under a name that no other has.
    fn add(&mut self, name: &str, path: String, request: Load, now: Duration) -> ModuleId {
        self.last += 1;
        let id = ModuleId(self.last);
        let module = Loaded {
            name: name.to_owned(),
            path,
            args: request.args,
            loader: request.loader,
            stage: Stage::Loading,
            status: ModuleStatus::Init,
            child: None,
            pid: None,
            loading: Vec::new(),
            removing: Vec::new(),
            reported: None,
            notices: DisconnectNotices::default(),
            unanswered: Vec::new(),
            held: HeldQueue::default(),
            deferred: false,
            restarted_at: VecDeque::new(),
            useful: false,
            killed: false,
            parked: false,
            last_sent: now,
            config: 0,
        };
        self.loaded.insert(id, module);
        id
    }

    fn get(&self, id: ModuleId) -> Option<&Loaded> {
        self.loaded.get(&id)
    }

    fn get_mut(&mut self, id: ModuleId) -> Option<&mut Loaded> {
        self.loaded.get_mut(&id)
    }

    fn remove(&mut self, id: ModuleId) -> Option<Loaded> {
        self.loaded.remove(&id)
    }

    /// The module whose process this is.
    fn of_child(&self, child: ChildId) -> Option<ModuleId> {
        let mut modules = self.loaded.iter();
        let found = modules.find(|(_, module)| module.child == Some(child));
        found.map(|(id, _)| *id)
    }

    /// The module of this name or path.
    pub(crate) fn named(&self, name: &str) -> Option<ModuleId> {
        let mut modules = self.loaded.iter();
        let found = modules.find(|(_, module)| module.name == name || module.path == name);
        found.map(|(id, _)| *id)
    }

    /// Name.
    pub(crate) fn name(&self, id: ModuleId) -> Option<&str> {
        Some(&self.get(id)?.name)
    }

    /// Every module with its name.
    pub(crate) fn names(&self) -> impl Iterator<Item = (ModuleId, &str)> {
        let names = self.loaded.iter();
        names.map(|(id, module)| (*id, module.name.as_str()))
    }

    /// True if a module of this name answers requests.
    pub(crate) fn runs(&self, name: &str) -> bool {
        let module = self.named(name).and_then(|id| self.get(id));
        module.is_some_and(|module| module.stage == Stage::Running)
    }

    /// The module of this name that has left and is to be loaded again.
    fn away(&self, name: &str) -> Option<ModuleId> {
        let id = self.named(name)?;
        let is_away = |module: &Loaded| matches!(module.stage, Stage::Away { .. });
        self.get(id).is_some_and(is_away).then_some(id)
    }

    /// The names of those that do.
    pub(crate) fn running(&self) -> impl Iterator<Item = &str> {
        let running = self.loaded.values();
        let running = running.filter(|module| module.stage == Stage::Running);
        running.map(|module| module.name.as_str())
    }

    /// A module's process has this version of the configuration.
    pub(crate) fn has_config(&mut self, id: ModuleId, version: u64) {
        if let Some(module) = self.loaded.get_mut(&id) {
            module.config = version;
        }
    }

    /// Modules whose last request has another version of the configuration than this, with
    /// their names.
    pub(crate) fn behind(&self, version: u64) -> Vec<(ModuleId, String)> {
        let behind = self.started().into_iter();
        let is_behind =
            |id: &ModuleId| self.get(*id).is_some_and(|module| module.config != version);
        behind.filter(|(id, _)| is_behind(id)).collect()
    }

    /// Modules that run or are about to.
    pub(crate) fn started(&self) -> Vec<(ModuleId, String)> {
        let running = self.loaded.iter();
        let running =
            running.filter(|(_, module)| matches!(module.stage, Stage::Running | Stage::Loading));
        let named = running.map(|(id, module)| (*id, module.name.clone()));
        named.collect()
    }

    /// True if there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.loaded.is_empty()
    }

    /// True if a module was asked to stop.
    pub(crate) fn stops(&self, id: ModuleId) -> bool {
        let module = self.get(id);
        module.is_some_and(|module| matches!(module.stage, Stage::Stopping | Stage::Leaving))
    }

    /// Notes that the module has answered a request.
    pub(crate) fn has_answered(&mut self, id: ModuleId) {
        if let Some(module) = self.get_mut(id) {
            module.useful |= module.stage == Stage::Running;
        }
    }

    /// Sets whether messages to a module are held back.
    pub(crate) fn defer(&mut self, id: ModuleId, deferred: bool) {
        if let Some(module) = self.get_mut(id) {
            module.deferred = deferred;
        }
    }

    /// Rows of `module.list`, without the services. One that is away is not loaded.
    pub(crate) fn list(&self, now: Duration) -> impl Iterator<Item = (ModuleId, ModuleInfo)> {
        let loaded = self.loaded.iter();
        let loaded = loaded.filter(|(_, module)| !matches!(module.stage, Stage::Away { .. }));
        loaded.map(move |(id, module)| {
            let idle = (now - module.last_sent).as_secs();
            let info = ModuleInfo {
                name: module.name.clone(),
                path: module.path.clone(),
                idle: i64::try_from(idle).unwrap_or(i64::MAX),
                status: module.status as i64,
                services: Vec::new(),
                sendqueue: i64::try_from(module.held.len()).unwrap_or(i64::MAX),
                recvqueue: 0,
            };
            (*id, info)
        })
    }

    /// Processes.
    pub(crate) fn processes(&self) -> impl Iterator<Item = (ChildId, Process)> {
        self.loaded.values().filter_map(|module| {
            let (child, pid) = (module.child?, module.pid?);
            let process = Process {
                pid,
                cmd: module.path.clone(),
                label: module.name.clone(),
                state: "R".to_owned(),
            };
            Some((child, process))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Modules of these names, each in its stage, with the number of its process.
    fn modules(of: &[(&str, Stage, Option<i32>)]) -> Modules {
        let mut modules = Modules::default();
        for (name, stage, pid) in of {
            let request = Load {
                path: (*name).to_owned(),
                args: Vec::new(),
                name: None,
                loader: None,
                exec: None,
            };
            let path = format!("/lib/{name}");
            let id = modules.add(name, path, request, Duration::ZERO);
            let module = modules.get_mut(id).expect("it was added");
            (module.stage, module.pid) = (*stage, *pid);
            module.child = pid.map(|pid| ChildId(pid as u64));
        }
        modules
    }

    fn some() -> Modules {
        modules(&[
            ("a", Stage::Running, Some(11)),
            ("b", Stage::Restarting, None),
            ("c", Stage::Stopping, Some(13)),
            ("d", Stage::Loading, Some(14)),
        ])
    }

    #[test]
    fn a_module_is_found_by_name_path_and_process() {
        let modules = some();
        let b = modules.named("b");
        assert_eq!(b.and_then(|id| modules.name(id)), Some("b"));
        assert_eq!(modules.named("/lib/b"), b);
        assert_eq!(modules.named("e"), None);
        assert_eq!(modules.of_child(ChildId(13)), modules.named("c"));
        assert_eq!(modules.of_child(ChildId(12)), None);
        let names: Vec<&str> = modules.names().map(|(_, name)| name).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
    }

    #[test]
    fn a_module_runs_only_between_its_start_and_its_end() {
        let modules = some();
        for (name, runs, stops) in [
            ("a", true, false),
            ("b", false, false),
            ("c", false, true),
            ("d", false, false),
        ] {
            let id = modules.named(name).expect("it is loaded");
            assert_eq!(
                (modules.runs(name), modules.stops(id)),
                (runs, stops),
                "{name}"
            );
        }
        assert_eq!(modules.running().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn numbers_are_not_given_twice() {
        let mut modules = some();
        let last = modules.named("d").expect("it is loaded");
        assert!(modules.remove(last).is_some() && modules.remove(last).is_none());
        let request = Load {
            path: String::new(),
            args: Vec::new(),
            name: None,
            loader: None,
            exec: None,
        };
        assert_ne!(
            modules.add("d", String::new(), request, Duration::ZERO),
            last
        );
    }

    #[test]
    fn processes_are_shown_while_they_are_there() {
        let modules = some();
        let shown = modules.processes();
        let shown: Vec<(u64, String)> = shown.map(|(child, p)| (child.0, p.label)).collect();
        let want = [(11, "a"), (13, "c"), (14, "d")];
        assert_eq!(shown, want.map(|(child, name)| (child, name.to_owned())));
    }
}
