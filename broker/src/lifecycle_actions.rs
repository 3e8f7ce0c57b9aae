//! Actions of each state of the life cycle. The moves themselves are in `lifecycle.rs`;
//! commands run on the way are in `commands.rs`.

use std::time::Duration;

use node::{Cx, Output};
use proto::Refusal;
use proto::attr::names;
use proto::config::keys;
use proto::data::job;
use proto::job_manager::{Idle, QueueStart, RaiseAll, USERID_ANY};
use proto::module::Load;
use proto::rc::{self, Personality};

use crate::core::{Broker, seconds};
use crate::life::TooMany;
use crate::lifecycle::{Event, Next, State};
use crate::modules::{Removal, Waiter};

impl Broker {
    /// Begins to live.
    pub(crate) fn begin(&mut self, cx: &mut Cx<Broker>) {
        self.life.begin(cx.now().mono);
        self.begin_pulse(cx);
        self.post(cx, Event::BuiltinsSuccess);
    }

    /// Queues an event of the state machine; one is handled per turn of the loop.
    pub(crate) fn post(&mut self, cx: &mut Cx<Broker>, event: Event) {
        let name = event.name();
        match self.life.post(event) {
            Ok(()) => {
                cx.timer(Duration::ZERO, |core: &mut Broker, cx| core.step(cx));
            }
            Err(TooMany) => tracing::error!("{name}: too many events wait for the state machine"),
        }
    }

    fn step(&mut self, cx: &mut Cx<Broker>) {
        let Some(step) = self.life.step(cx.now().mono) else {
            return;
        };
        let (event, from) = (step.event.name(), step.from.name());
        match step.next {
            Next::To(to) => {
                let spent = step.spent.as_secs_f64();
                tracing::info!("{event}: {from}->{} {spent:.6}s", to.name());
                self.enter(cx, to);
                self.watchers.notify(cx, to);
                self.notify_systemd(cx);
            }
            Next::Stay => {}
            Next::Ignore => tracing::debug!("{event}: ignored in {from}"),
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
                self.print_early_lines(cx);
                let code = self.life.exit_code();
                cx.output(Output::Exit { code });
            }
        }
    }

    fn enter_init(&mut self, cx: &mut Cx<Broker>) {
        match self.attrs.value(&names::BROKER_RC1_PATH) {
            Some("") => self.post(cx, Event::Rc1None),
            Some(rc::RC1) if self.is_changed_by_site() => {
                self.loads_by_command = true;
                self.run_shell_commands(cx, "rc1", [LOAD_COMMAND.to_owned()].into());
            }
            None | Some(rc::RC1) => self.start_modules(cx),
            Some(command) => {
                let command = command.to_owned();
                self.run_shell_commands(cx, "rc1", [command].into());
            }
        }
    }

    /// True if the site adds to the module table: then a command loads the modules.
    fn is_changed_by_site(&self) -> bool {
        let is_set = |name: &&str| self.env.get(*name).is_some_and(|value| !value.is_empty());
        let changes = keys::MODULES_CHANGES.table(&self.config);
        let mut changes = changes.into_iter().flatten().map(|(name, _)| name);
        let mut alternatives = keys::MODULES_ALTERNATIVES.each(&self.config);
        let is_ours = |(service, module): (&str, &serde_json::Value)| {
            service == "sched" && module.as_str().is_some_and(rc::is_scheduler)
        };
        SITE_VARIABLES.iter().any(is_set)
            || changes.any(|name| name != "alternatives")
            || !alternatives.all(is_ours)
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
        let mut chosen = keys::MODULES_ALTERNATIVES.each(&self.config);
        let chosen = chosen.find(|(service, _)| *service == "sched");
        let chosen = chosen.and_then(|(_, name)| name.as_str());
        let scheduler = chosen.unwrap_or(rc::SCHEDULER);
        let is_wanted = |name: &str| match rc::is_scheduler(name) {
            true => name == scheduler && !no_sched,
            false => true,
        };
        rc::modules(self.personality(), self.router.rank())
            .filter(|entry| is_wanted(entry.name))
            .collect()
    }

    /// Starts every default module whose needs run, and goes on when all do.
    pub(crate) fn start_modules(&mut self, cx: &mut Cx<Broker>) {
        let has_failed = self.life.start_failed();
        if self.life.state() != State::Init || has_failed && self.commands.is_some() {
            return;
        }
        if has_failed {
            let event = self.rc1_event(1);
            return self.post(cx, event);
        }
        let wanted = self.wanted_modules();
        let settled =
            |entry: &&rc::Entry| self.modules.runs(entry.name) || self.is_given_up(entry.name);
        if wanted.iter().all(settled) {
            return self.modules_started(cx);
        }
        self.welcome_early(cx);
        let at_once = self.starts_at_once();
        for entry in wanted {
            // On other ranks than 0 they wait for each other when they are asked something.
            let rank = self.router.rank();
            let has_all = || entry.after.iter().all(|name| self.modules.runs(name));
            let ready = rank != 0 || at_once || has_all();
            if ready && !self.life.has_begun(entry.name) && !self.waits_for_restore(cx, entry.name)
            {
                self.life.begin_module(entry.name);
                let path = entry.name.to_owned();
                let mut args = self.archives.module_args(entry.name);
                args.extend(entry.args.iter().map(|arg| (*arg).to_owned()));
                let load = Load {
                    path,
                    args,
                    name: None,
                    loader: None,
                    exec: None,
                };
                self.load(cx, load, Waiter::Stage(entry.name));
            }
        }
    }

    /// All modules run: the scripts of the start are next.
    fn modules_started(&mut self, cx: &mut Cx<Broker>) {
        self.note_start(cx, |core, cx| {
            if core.life.state() == State::Init {
                core.run_scripts(cx, "rc1");
            }
        });
    }

    /// True if the processes of all default modules of rank 0 are started at once: not when an
    /// archive is restored in between, nor in recovery, where some may be missing for good.
    pub(crate) fn starts_at_once(&self) -> bool {
        let restore = self
            .attrs
            .value(&names::CONTENT_RESTORE)
            .unwrap_or_default();
        self.router.rank() == 0 && restore.is_empty() && !self.is_recovering()
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
            Err(error) if self.life.start_failed() => {
                tracing::debug!("rc1: module {name}: {error}")
            }
            Err(error) => {
                tracing::error!("rc1: module {name} failed to load: {error}");
                self.miss_module(name);
            }
        }
        self.start_modules(cx);
    }

    fn enter_run(&mut self, cx: &mut Cx<Broker>) {
        if self.router.rank() != 0 {
            // The parent may be further already.
            return self.parent_moved(cx);
        }
        if self.attrs.is_present(&names::BROKER_RC2_NONE) || self.program.is_empty() {
            return self.post(cx, Event::Rc2None);
        }
        let program = self.program.clone();
        self.run_program(cx, program);
    }

    /// Commands of a stage have ended with this exit code.
    pub(crate) fn commands_done(&mut self, cx: &mut Cx<Broker>, name: &str, code: i32) {
        let ok = code == 0;
        let event = match (name, self.life.state()) {
            ("rc1", State::Init) if self.archives.is_restoring() => {
                return self.restored(cx, code);
            }
            ("rc1", State::Init) if std::mem::take(&mut self.loads_by_command) && ok => {
                return self.modules_started(cx);
            }
            ("rc1", State::Init) => self.rc1_event(code),
            ("rc2", State::Run) => self.life.program_ended(code),
            ("cleanup", State::Cleanup) => {
                self.life.note_exit(code);
                return self.clean_up_jobs(cx, ok);
            }
            ("rc3", State::Finalize) => {
                self.life.note_exit(code);
                self.life.end_ran(ok);
                return match self.archives.is_dumping() {
                    true => self.dumped(cx, code),
                    false => self.stop_modules(cx),
                };
            }
            _ => return,
        };
        self.post(cx, event);
    }

    /// The instance cannot go on.
    pub(crate) fn panic(&mut self, cx: &mut Cx<Broker>) {
        self.life.note_exit(1);
        self.abort_commands(cx);
        self.post(cx, Event::Panic);
    }

    /// State of the broker's life cycle.
    pub(crate) fn life_state(&self) -> State {
        self.life.state()
    }

    /// The broker ends with a failure, regardless of its initial program.
    pub(crate) fn fail(&mut self) {
        self.life.note_exit(1);
    }

    /// The same, and to start it again would not help.
    pub(crate) fn fail_for_good(&mut self) {
        let code = self.attrs.value(&names::BROKER_EXIT_NORESTART);
        self.life
            .note_exit(code.and_then(|code| code.parse().ok()).unwrap_or(1));
    }

    fn enter_cleanup(&mut self, cx: &mut Cx<Broker>) {
        if let Some(timeout) = self.attrs.duration(&names::BROKER_CLEANUP_TIMEOUT) {
            cx.timer(timeout, |core: &mut Broker, cx| core.give_up_cleanup(cx));
        }
        let commands = self.runat.take("cleanup");
        match commands.is_empty() {
            true => self.clean_up_jobs(cx, true),
            false => self.run_shell_commands(cx, "cleanup", commands),
        }
    }

    /// Handles the timeout of `broker.cleanup-timeout`.
    fn give_up_cleanup(&mut self, cx: &mut Cx<Broker>) {
        if self.life.state() == State::Cleanup {
            tracing::error!("cleanup timeout");
            self.abort_commands(cx);
            self.post(cx, Event::CleanupFail);
        }
    }

    /// Stops the queue, cancels running jobs, and waits until none is left.
    fn clean_up_jobs(&mut self, cx: &mut Cx<Broker>, ok: bool) {
        let done = if ok {
            Event::CleanupSuccess
        } else {
            Event::CleanupFail
        };
        let manager = self.modules.named("job-manager");
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
            None | Some(rc::RC3) => self.run_scripts(cx, "rc3"),
            Some(command) => {
                let command = command.to_owned();
                self.run_shell_commands(cx, "rc3", [command].into());
            }
        }
    }

    /// Runs the scripts of `rc1.d` or `rc3.d`; before the first ones, crontab files are read.
    fn run_scripts(&mut self, cx: &mut Cx<Broker>, which: &'static str) {
        let crontabs = self.attrs.value(&names::CRON_DIRECTORY);
        let crontabs = crontabs.filter(|_| which == "rc1" && self.router.rank() == 0);
        let crontabs = crontabs.map(str::to_owned);
        cx.work(
            move |files| {
                let scripts = files.rc_scripts(&format!("{which}.d"));
                let crontabs = crontabs.map_or(Ok(Vec::new()), |folder| files.crontabs(&folder));
                crontabs.map(|crontabs| (crontabs, scripts))
            },
            move |core: &mut Broker, cx, found| match found {
                Err(error) => {
                    tracing::error!("{which}: cron.directory: {error}");
                    core.commands_done(cx, which, 1);
                }
                Ok((crontabs, scripts)) if crontabs.is_empty() && scripts.is_empty() => {
                    core.commands_done(cx, which, 0);
                }
                Ok((crontabs, scripts)) => core.run_rc(cx, which, &crontabs, scripts),
            },
        );
    }

    /// Stops all modules: those that nothing needs first.
    fn stop_modules(&mut self, cx: &mut Cx<Broker>) {
        if self.modules.is_empty() {
            return self.post(cx, self.life.end_event());
        }
        self.watch_unloading(cx);
        self.stop_next_modules(cx);
    }

    pub(crate) fn stop_next_modules(&mut self, cx: &mut Cx<Broker>) {
        let loaded = || self.modules.names();
        let is_needed = |name: &str| {
            rc::MODULES.iter().any(|entry| {
                entry.after.contains(&name) && loaded().any(|(_, other)| other == entry.name)
            })
        };
        let is_default = |name: &str| rc::MODULES.iter().any(|entry| entry.name == name);
        let has_extras = loaded().any(|(_, name)| !is_default(name));
        let stoppable = loaded()
            .filter(|(id, _)| !self.modules.stops(*id))
            .filter(|(_, name)| !is_needed(name))
            .filter(|(_, name)| !has_extras || !is_default(name));
        let stoppable: Vec<_> = stoppable
            .map(|(id, name)| (id, name == "content"))
            .collect();
        for (id, is_content) in stoppable {
            if is_content && self.waits_for_dump(cx) {
                continue;
            }
            self.remove(cx, id, Removal::default(), None);
        }
    }

    /// A module is unloaded.
    pub(crate) fn stage_module_gone(&mut self, cx: &mut Cx<Broker>, name: &str) {
        let missed = self.life.misses(name);
        if let Some(missed) = missed.filter(|name| !self.is_given_up(name)) {
            self.miss_module(missed);
            return self.start_modules(cx);
        }
        if self.life.state() != State::Finalize {
            return;
        }
        if self.modules.is_empty() {
            self.post(cx, self.life.end_event());
        } else {
            self.stop_next_modules(cx);
        }
    }

    fn enter_goodbye(&mut self, cx: &mut Cx<Broker>) {
        if self.send_goodbye(cx) {
            return;
        }
        // A watcher leaves when it has read the end; we leave after it.
        if !self.shutdown.end(cx) {
            return self.post(cx, Event::Goodbye);
        }
        cx.timer(seconds(GOODBYE_WAIT_S), |core: &mut Broker, cx| {
            if core.life.state() == State::Goodbye {
                tracing::error!("goodbye timeout after {GOODBYE_WAIT_S}.0s");
                core.post(cx, Event::Goodbye);
            }
        });
    }

    /// The client that watched the shutdown has gone: the broker may go too.
    pub(crate) fn watcher_left(&mut self, cx: &mut Cx<Broker>, gone: &node::Peer) {
        if self.life.state() == State::Goodbye && self.shutdown.is_watched_by(gone) {
            self.post(cx, Event::Goodbye);
        }
    }

    /// A signal to the broker ends its current activity (protocol/03 section 9).
    pub(crate) fn take_signal(&mut self, cx: &mut Cx<Broker>, signum: i32) {
        tracing::info!("signal {signum}");
        if self.abort_commands(cx) {
            return;
        }
        match self.life.state() {
            State::Join => self.post(cx, Event::ParentFail),
            State::ConfigSync => self.post(cx, Event::SyncFail),
            State::Init => {
                self.life.fail_start();
                self.start_modules(cx);
            }
            State::Quorum => self.post(cx, Event::QuorumFail),
            State::Run => self.post(cx, Event::Shutdown),
            // The wait for jobs stands where other states have a command to abort.
            State::Cleanup => {
                tracing::error!("cleanup: signal {signum}: jobs are not waited for");
                self.post(cx, Event::CleanupFail);
            }
            state => tracing::info!("ignored signal {signum} in {}", state.name()),
        }
    }
}

/// Loads the modules of an instance of which a site knows more than the table.
const LOAD_COMMAND: &str = "flux modprobe rc1 --only-modules";

/// Variables by which a site adds settings of modules.
const SITE_VARIABLES: [&str; 3] = [
    "FLUX_MODPROBE_DISABLE",
    "FLUX_MODPROBE_PATH",
    "FLUX_MODPROBE_PATH_APPEND",
];

/// Time that the broker waits for watchers of its shutdown, in seconds.
const GOODBYE_WAIT_S: u64 = 60;
