//! What each state of the broker's life does. The moves themselves are in
//! `lifecycle.rs`; commands run on the way are in `commands.rs`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use node::{Cx, Output, Reply, Stream, StreamId};
use proto::attr::names;
use proto::data::job;
use proto::job_manager::{Idle, QueueStart, RaiseAll, USERID_ANY};
use proto::module::Load;
use proto::state_machine::StateNumber;
use proto::{Empty, Refusal};

use crate::commands::Commands;
use crate::core::{Broker, seconds};
use crate::dumps::{Dump, Restore};
use crate::lifecycle::{Event, Next, State, next};
use crate::limits::STATE_EVENTS_MAX;
use crate::modules::{Stage, Waiter};
use crate::rc::{self, Personality};

/// The broker's life so far and what is planned.
pub struct Life {
    pub(crate) state: State,
    pub(crate) entered: Duration,
    queue: VecDeque<Event>,
    /// The initial program; empty for none.
    pub(crate) program: Vec<String>,
    pub(crate) commands: Option<Commands>,
    /// Lists of `runat.push` by name, next command first.
    pub(crate) runat: BTreeMap<String, VecDeque<String>>,
    pub(crate) waiting: Vec<Reply<proto::state_machine::Wait>>,
    pub(crate) monitors: BTreeMap<StreamId, (Stream<proto::state_machine::Monitor>, i64)>,
    pub(crate) shutdown: Option<Shutdown>,
    /// Names of default modules that were asked to start.
    started: Vec<&'static str>,
    pub(crate) failed: bool,
    /// Default modules that could not be started, without which the instance goes on.
    pub(crate) given_up: Vec<&'static str>,
    pub(crate) restore: Restore,
    pub(crate) dump: Dump,
    /// The event of the start log that is on its way.
    pub(crate) noting: Option<&'static str>,
    rc3_failed: bool,
    pub(crate) exit_code: i32,
    rc2_code: Option<i32>,
}

/// A shutdown that a client asked for.
pub(crate) struct Shutdown {
    pub stream: Option<Stream<proto::shutdown::Start>>,
    pub loglevel: i64,
    /// Whether the client was told the end and has not left yet.
    pub waiting_for: Option<wire::Identity>,
}

impl Life {
    /// A life that has not begun, to run `program` at its height.
    pub fn new(program: Vec<String>) -> Life {
        Life {
            state: State::LoadBuiltins,
            entered: Duration::ZERO,
            queue: VecDeque::new(),
            program,
            commands: None,
            runat: BTreeMap::new(),
            waiting: Vec::new(),
            monitors: BTreeMap::new(),
            shutdown: None,
            started: Vec::new(),
            failed: false,
            given_up: Vec::new(),
            restore: Restore::default(),
            dump: Dump::default(),
            noting: None,
            rc3_failed: false,
            exit_code: 0,
            rc2_code: None,
        }
    }

    /// Whether modules are stopped, not restarted, from now on.
    pub(crate) fn is_ending(&self) -> bool {
        self.state >= State::Finalize
    }

    /// How the last commands went, once the modules are gone.
    fn rc3_event(&self) -> Event {
        match self.rc3_failed {
            true => Event::Rc3Fail,
            false => Event::Rc3Success,
        }
    }

    /// Lets go of a request that was taken back, or whose client left.
    pub(crate) fn forget_stream(&mut self, id: StreamId) {
        if let Some(at) = self.waiting.iter().position(|reply| reply.id() == id) {
            self.waiting.swap_remove(at).forget();
        }
        if let Some((stream, _)) = self.monitors.remove(&id) {
            stream.forget();
        }
        if let Some(shutdown) = &mut self.shutdown
            && shutdown
                .stream
                .as_ref()
                .is_some_and(|stream| stream.id() == id)
            && let Some(stream) = shutdown.stream.take()
        {
            stream.forget();
        }
    }

    /// The client that watched the shutdown has gone: the broker may go too.
    pub(crate) fn client_left(&mut self, cx: &mut Cx<Broker>, gone: &node::Peer) {
        let awaited = self
            .shutdown
            .as_ref()
            .and_then(|shutdown| shutdown.waiting_for.as_ref());
        if self.state == State::Goodbye && awaited.is_some() && awaited == gone.sender.as_ref() {
            cx.timer(Duration::ZERO, |core: &mut Broker, cx| {
                core.post(cx, Event::Goodbye)
            });
        }
    }
}

impl Broker {
    /// Begins to live.
    pub(crate) fn begin(&mut self, cx: &mut Cx<Broker>) {
        self.life.entered = cx.now().mono;
        self.begin_pulse(cx);
        self.post(cx, Event::BuiltinsSuccess);
    }

    /// Queues an event of the state machine; one is handled per turn of the loop.
    pub(crate) fn post(&mut self, cx: &mut Cx<Broker>, event: Event) {
        if self.life.queue.len() >= STATE_EVENTS_MAX {
            tracing::error!(
                "{}: too many events wait for the state machine",
                event.name()
            );
            return;
        }
        self.life.queue.push_back(event);
        cx.timer(Duration::ZERO, |core: &mut Broker, cx| core.step(cx));
    }

    fn step(&mut self, cx: &mut Cx<Broker>) {
        let Some(event) = self.life.queue.pop_front() else {
            return;
        };
        let state = self.life.state;
        match next(state, event) {
            Next::To(to) => {
                let spent = cx.now().mono - self.life.entered;
                let spent = format!("{:.6}s", spent.as_secs_f64());
                tracing::info!("{}: {}->{} {spent}", event.name(), state.name(), to.name());
                self.life.state = to;
                self.life.entered = cx.now().mono;
                self.enter(cx, to);
                self.tell_monitors(cx);
                self.tell_systemd(cx);
            }
            Next::Stay => {}
            Next::Ignore => tracing::debug!("{}: ignored in {}", event.name(), state.name()),
        }
    }

    fn enter(&mut self, cx: &mut Cx<Broker>, state: State) {
        match state {
            State::LoadBuiltins => {}
            State::Join => self.join(cx),
            State::ConfigSync => self.sync_config(cx),
            State::Init => {
                self.admit_waiting(cx);
                self.enter_init(cx);
            }
            State::Quorum => self.enter_quorum(cx),
            State::Run => self.enter_run(cx),
            State::Cleanup => self.enter_cleanup(cx),
            State::Shutdown => self.enter_shutdown(cx),
            State::Finalize => self.enter_finalize(cx),
            State::Goodbye => self.enter_goodbye(cx),
            State::UnloadBuiltins => self.shut_rexec(cx),
            State::Exit => {
                let code = self.life.rc2_code.filter(|code| *code != 0);
                cx.output(Output::Exit {
                    code: code.unwrap_or(self.life.exit_code),
                });
            }
        }
    }

    fn enter_init(&mut self, cx: &mut Cx<Broker>) {
        match self.attrs.value(&names::BROKER_RC1_PATH) {
            Some("") => self.post(cx, Event::Rc1None),
            Some(command) => {
                let command = command.to_owned();
                self.run_shell_commands(cx, "rc1", [command].into());
            }
            None => self.start_modules(cx),
        }
    }

    pub(crate) fn personality(&self) -> Personality {
        let name = self
            .attrs
            .value(&names::FERROFLUX_PERSONALITY)
            .unwrap_or_default();
        Personality::named(name).unwrap_or(Personality::Full)
    }

    fn wanted_modules(&self) -> Vec<&'static rc::Entry> {
        let no_sched = self
            .env
            .get("FLUX_SCHED_MODULE")
            .is_some_and(|name| name == "none");
        rc::modules(self.personality(), self.router.rank())
            .filter(|entry| !(no_sched && entry.name == "sched-simple"))
            .collect()
    }

    /// Starts every default module whose needs run, and goes on when all do.
    pub(crate) fn start_modules(&mut self, cx: &mut Cx<Broker>) {
        if self.life.state != State::Init || self.life.failed && self.life.commands.is_some() {
            return;
        }
        if self.life.failed {
            let event = self.rc1_event(1);
            return self.post(cx, event);
        }
        let runs = |core: &Broker, name: &str| {
            let module = core.module_named(name).and_then(|id| core.modules.get(&id));
            module.is_some_and(|module| module.stage == Stage::Running)
        };
        let wanted = self.wanted_modules();
        let settled = |entry: &&rc::Entry| runs(self, entry.name) || self.is_given_up(entry.name);
        if wanted.iter().all(settled) {
            return self.note_start(cx, |core, cx| {
                if core.life.state == State::Init {
                    core.run_scripts(cx, "rc1");
                }
            });
        }
        for entry in wanted {
            let ready = entry.needs.iter().all(|need| runs(self, need));
            if ready
                && !self.life.started.contains(&entry.name)
                && !self.waits_for_restore(cx, entry.name)
            {
                self.life.started.push(entry.name);
                let path = entry.name.to_owned();
                let load = Load {
                    path,
                    args: self.default_module_args(entry.name),
                    name: None,
                    loader: None,
                    exec: None,
                };
                self.load(cx, load, Waiter::Stage(entry.name));
            }
        }
    }

    /// A default module runs, or could not be started.
    pub(crate) fn stage_module_loaded(
        &mut self,
        cx: &mut Cx<Broker>,
        name: &'static str,
        result: Result<(), Refusal>,
    ) {
        match result {
            Ok(()) => {}
            // Those that were on their way when the first one failed are removed by us.
            Err(error) if self.life.failed => tracing::debug!("rc1: module {name}: {error}"),
            Err(error) => {
                tracing::error!("rc1: module {name} failed to load: {error}");
                self.life.failed = self.fails_without(name);
            }
        }
        self.start_modules(cx);
    }

    fn enter_run(&mut self, cx: &mut Cx<Broker>) {
        for reply in std::mem::take(&mut self.life.waiting) {
            reply.send(cx, Ok(Empty));
        }
        if self.router.rank() != 0 {
            // The parent may be further already.
            return self.parent_moved(cx);
        }
        if self.attrs.is_present(&names::BROKER_RC2_NONE) || self.life.program.is_empty() {
            return self.post(cx, Event::Rc2None);
        }
        let program = self.life.program.clone();
        self.run_program(cx, program);
    }

    /// Commands of a stage have ended with this exit code.
    pub(crate) fn commands_done(&mut self, cx: &mut Cx<Broker>, name: &str, code: i32) {
        let ok = code == 0;
        let event = match (name, self.life.state) {
            ("rc1", State::Init) if self.is_restoring() => {
                return self.restored(cx, code);
            }
            ("rc1", State::Init) => self.rc1_event(code),
            ("rc2", State::Run) => {
                self.life.rc2_code = Some(code);
                if ok {
                    Event::Rc2Success
                } else {
                    Event::Rc2Fail
                }
            }
            ("cleanup", State::Cleanup) => {
                self.note_exit(code);
                return self.clean_up_jobs(cx, ok);
            }
            ("rc3", State::Finalize) if self.life.dump == Dump::Running => {
                self.note_exit(code);
                self.life.rc3_failed |= !ok;
                return self.dumped(cx, code);
            }
            ("rc3", State::Finalize) => {
                self.note_exit(code);
                self.life.rc3_failed = !ok;
                return self.stop_modules(cx);
            }
            _ => return,
        };
        self.post(cx, event);
    }

    /// The instance cannot go on.
    pub(crate) fn panic(&mut self, cx: &mut Cx<Broker>) {
        self.note_exit(1);
        self.abort_commands(cx);
        self.post(cx, Event::Panic);
    }

    /// Where the broker is in its life.
    pub(crate) fn life_state(&self) -> State {
        self.life.state
    }

    /// The broker ends with a failure, regardless of its initial program.
    pub(crate) fn fail(&mut self) {
        self.note_exit(1);
    }

    /// The same, and to start it again would not help.
    pub(crate) fn fail_for_good(&mut self) {
        let code = self.attrs.value(&names::BROKER_EXIT_NORESTART);
        self.note_exit(code.and_then(|code| code.parse().ok()).unwrap_or(1));
    }

    fn note_exit(&mut self, code: i32) {
        if self.life.exit_code == 0 {
            self.life.exit_code = code;
        }
    }

    fn enter_cleanup(&mut self, cx: &mut Cx<Broker>) {
        if let Some(timeout) = self.attrs.duration(&names::BROKER_CLEANUP_TIMEOUT) {
            cx.timer(timeout, |core: &mut Broker, cx| core.give_up_cleanup(cx));
        }
        match self.life.runat.remove("cleanup") {
            Some(commands) if !commands.is_empty() => {
                self.run_shell_commands(cx, "cleanup", commands);
            }
            _ => self.clean_up_jobs(cx, true),
        }
    }

    /// `broker.cleanup-timeout` is over.
    fn give_up_cleanup(&mut self, cx: &mut Cx<Broker>) {
        if self.life.state == State::Cleanup {
            tracing::error!("cleanup timeout");
            self.abort_commands(cx);
            self.post(cx, Event::CleanupFail);
        }
    }

    /// Stops the queue, cancels what runs, and waits until nothing does.
    fn clean_up_jobs(&mut self, cx: &mut Cx<Broker>, ok: bool) {
        let done = if ok {
            Event::CleanupSuccess
        } else {
            Event::CleanupFail
        };
        let manager = self.module_named("job-manager");
        if manager.is_none() || self.env.contains_key("FLUX_DISABLE_JOB_CLEANUP") {
            return self.post(cx, done);
        }
        let stop = QueueStart {
            name: None,
            start: false,
            reason: None,
            all: true,
            nocheckpoint: Some(true),
        };
        let cancel = RaiseAll {
            dry_run: false,
            userid: i64::from(USERID_ANY),
            states: job::State::Run.bit(),
            severity: 0,
            kind: "cancel".to_owned(),
            note: Some(String::new()),
        };
        cx.call(&stop, |_, _, _| {});
        cx.call(&cancel, |_, _, _| {});
        cx.call(&Idle, move |core: &mut Broker, cx, result| {
            if let Err(error) = result {
                tracing::error!("job-manager.idle: {error}");
            }
            core.post(cx, done);
        });
    }

    fn enter_finalize(&mut self, cx: &mut Cx<Broker>) {
        self.note_finish(cx, Broker::finalize);
    }

    fn finalize(&mut self, cx: &mut Cx<Broker>) {
        match self.attrs.value(&names::BROKER_RC3_PATH) {
            Some("") => self.stop_modules(cx),
            Some(command) => {
                let command = command.to_owned();
                self.run_shell_commands(cx, "rc3", [command].into());
            }
            None => self.run_scripts(cx, "rc3"),
        }
    }

    /// Runs the scripts of `rc1.d` or `rc3.d`.
    fn run_scripts(&mut self, cx: &mut Cx<Broker>, which: &'static str) {
        cx.work(
            move |files| files.rc_scripts(&format!("{which}.d")),
            move |core: &mut Broker, cx, scripts| {
                if scripts.is_empty() {
                    return core.commands_done(cx, which, 0);
                }
                core.run_shell_commands(cx, which, scripts.into());
            },
        );
    }

    /// Stops all modules: those that nothing needs first.
    fn stop_modules(&mut self, cx: &mut Cx<Broker>) {
        if self.modules.is_empty() {
            return self.post(cx, self.life.rc3_event());
        }
        self.watch_unloading(cx);
        self.stop_next_modules(cx);
    }

    pub(crate) fn stop_next_modules(&mut self, cx: &mut Cx<Broker>) {
        let loaded: Vec<String> = self.modules.values().map(|m| m.name.clone()).collect();
        let needed = |name: &str| {
            rc::MODULES.iter().any(|entry| {
                entry.needs.contains(&name) && loaded.iter().any(|other| other == entry.name)
            })
        };
        let default = |name: &str| rc::MODULES.iter().any(|entry| entry.name == name);
        let extras = loaded.iter().any(|name| !default(name));
        let stoppable: Vec<_> = self
            .modules
            .iter()
            .filter(|(_, module)| module.stage != Stage::Stopping)
            .filter(|(_, module)| !needed(&module.name))
            .filter(|(_, module)| !extras || !default(&module.name))
            .map(|(id, _)| *id)
            .collect();
        for id in stoppable {
            let is_content = self.modules.get(&id).is_some_and(|m| m.name == "content");
            if is_content && self.waits_for_dump(cx) {
                continue;
            }
            self.remove(cx, id, false, None);
        }
    }

    /// A module is unloaded.
    pub(crate) fn stage_module_gone(&mut self, cx: &mut Cx<Broker>, name: &str) {
        let mut started = self.life.started.iter().copied();
        let awaited = started.find(|awaited| *awaited == name);
        if let Some(awaited) = awaited.filter(|_| self.life.state == State::Init)
            && !self.life.failed
            && !self.is_given_up(awaited)
        {
            self.life.failed = self.fails_without(awaited);
            return self.start_modules(cx);
        }
        if self.life.state != State::Finalize {
            return;
        }
        if self.modules.is_empty() {
            self.post(cx, self.life.rc3_event());
        } else {
            self.stop_next_modules(cx);
        }
    }

    fn enter_goodbye(&mut self, cx: &mut Cx<Broker>) {
        if self.say_goodbye(cx) {
            return;
        }
        let shutdown = self.life.shutdown.as_mut();
        let Some(stream) = shutdown.and_then(|shutdown| shutdown.stream.take()) else {
            return self.post(cx, Event::Goodbye);
        };
        // The client leaves when it has read the end; we leave after it.
        stream.end(cx, Ok(()));
        cx.timer(seconds(GOODBYE_WAIT_S), |core: &mut Broker, cx| {
            if core.life.state == State::Goodbye {
                tracing::error!("goodbye timeout after {GOODBYE_WAIT_S}.0s");
                core.post(cx, Event::Goodbye);
            }
        });
    }

    fn tell_monitors(&mut self, cx: &mut Cx<Broker>) {
        let state = self.life.state as i64;
        let mut over = Vec::new();
        for (id, (stream, last)) in &mut self.life.monitors {
            if state <= *last {
                stream.send(cx, &StateNumber { state });
            }
            if state >= *last {
                over.push(*id);
            }
        }
        for id in over {
            if let Some((stream, _)) = self.life.monitors.remove(&id) {
                stream.end(cx, Ok(()));
            }
        }
        if self.life.state > State::Run {
            for reply in std::mem::take(&mut self.life.waiting) {
                reply.send(cx, Err(proto::state_machine::WaitError::Surpassed));
            }
        }
    }

    /// A signal to the broker ends what it is doing (protocol/03 section 9).
    pub(crate) fn take_signal(&mut self, cx: &mut Cx<Broker>, signum: i32) {
        tracing::info!("signal {signum}");
        if self.abort_commands(cx) {
            return;
        }
        match self.life.state {
            State::Join => self.post(cx, Event::ParentFail),
            State::ConfigSync => self.post(cx, Event::SyncFail),
            State::Init => {
                self.life.failed = true;
                self.start_modules(cx);
            }
            State::Quorum => self.post(cx, Event::QuorumFail),
            State::Run => self.post(cx, Event::Shutdown),
            // What waits for jobs stands where others have a command to abort.
            State::Cleanup => {
                tracing::error!("cleanup: signal {signum}: jobs are not waited for");
                self.post(cx, Event::CleanupFail);
            }
            state => tracing::info!("ignored signal {signum} in {}", state.name()),
        }
    }
}

/// How long the broker waits for watchers of its shutdown, in seconds.
const GOODBYE_WAIT_S: u64 = 60;
