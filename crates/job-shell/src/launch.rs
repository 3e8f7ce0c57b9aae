//! Starting the tasks.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use node::{ChildEvent, ChildId, Cx, Spawn, Stdio};
use proto::{Errno, job_shell};
use serde_json::json;

use crate::JobShell;
use crate::attributes::adjust_oom;
use crate::barrier::{Gate, Keys};
use crate::environment::{self, Surroundings};
use crate::job::{Job, Slots};
use crate::limits::{ARGUMENT_BYTES_MAX, STARTS_PER_TURN};
use crate::log::Level;
use crate::mustache::{JobTags, NodeTags, Tags, TaskTags};
use crate::placement::Placement;
use crate::prepare::{TMPDIR, node_tags};
use crate::pty::{INIT_KEY, terminal_of};
use crate::signals::SIGKILL;
use crate::state::{Move, State};
use crate::tasks::Task;
use crate::worker::{FALLBACK, Files, Prepared};

/// Variable with the number of a task's end of the PMI socket, and the name of the
/// socket.
pub(crate) const PMI_FD: &str = "PMI_FD";

/// The part of the shell that serves PMI.
const PMI_SIMPLE: &str = "pmi-simple";

/// The shortest wait that lets other work in: work that is due now is done in this turn.
const NEXT_TURN: Duration = Duration::from_nanos(1);

/// Tasks being started, some at a time: there is other work in between.
pub(crate) struct Starting {
    prepared: Prepared,
    shared: BTreeMap<String, String>,
    tags: JobTags,
    node: NodeTags,
    left: Range<usize>,
}

impl JobShell {
    /// Begins to start the tasks.
    pub(crate) fn launch(&mut self, cx: &mut Cx<Self>) {
        let (Some(job), Some(prepared)) = (self.job.clone(), self.prepared.take()) else {
            return;
        };
        if !self.step(Move::Launched) {
            return;
        }
        let tags = self.tags(&job, &prepared);
        self.job_tags = Some(tags.clone());
        for message in allocation(&job, &self.placement) {
            self.log(cx, Level::Debug, None, &message);
        }
        self.begin_meter(cx, prepared.usage);
        let is_array = self.array.is_some();
        if job.is_leader() {
            self.announce(cx, &job);
        } else {
            self.follow_input(cx, &job);
        }
        if !self.topic(cx, "shell.post-init", "shell_post_init") {
            return;
        }
        if job.options.pmi && !is_array {
            self.announce_pmi(cx, &job);
            self.pmi = Some(pmi_server(&job, &tags, &self.placement));
        }
        let mut shared = self.shared_env(&job, &tags);
        if prepared.lost_tmpdir.is_some() {
            shared.insert(TMPDIR.to_owned(), FALLBACK.to_owned());
        }
        self.announce_topology(&mut shared);
        self.task_env = shared.clone();
        let node = node_tags(&job, &self.placement, job.place.rank);
        self.arm_warning(cx);
        if is_array {
            return self.launch_array(cx, &job, &prepared, (tags, node));
        }
        self.starting = Some(Starting {
            shared,
            prepared,
            tags,
            node,
            left: 0..self.placement.ranks.len(),
        });
        self.start_some(cx);
    }

    /// Starts the next tasks. Later ones get their turn after messages that have arrived.
    fn start_some(&mut self, cx: &mut Cx<Self>) {
        let (Some(job), Some(mut starting)) = (self.job.clone(), self.starting.take()) else {
            return;
        };
        let first = self.tasks.len();
        for _ in 0..STARTS_PER_TURN {
            let Some(index) = starting.left.next() else {
                break;
            };
            let rank = self.placement.ranks[index];
            let mut spawn = spawn(&job, &starting, &self.placement, index);
            if !self.init_task(cx, index, &mut spawn) {
                return;
            }
            let child = cx.spawn(spawn);
            self.tasks.push(Task::new(rank, child, &job.options));
            self.children.insert(child, index);
            self.open_terminal(cx, &job, rank, child);
            self.pump(cx, index);
        }
        for signum in self.early_signals.clone() {
            self.kill_tasks_from(cx, first, signum);
        }
        if !starting.left.is_empty() {
            self.starting = Some(starting);
            cx.timer(NEXT_TURN, JobShell::start_some);
            return;
        }
        self.early_signals.clear();
        self.waits_for_forks = true;
        self.begin_if_forked(cx);
        self.arm_exit_timer(cx);
        self.end_if_idle(cx);
    }

    /// Every shell has started its tasks.
    pub(crate) fn all_started(&mut self, cx: &mut Cx<Self>) {
        self.is_started = true;
        if self.place.is_leader() {
            let mut context = json!({ "taskmap": self.placement.taskmap });
            if self.job.as_ref().is_some_and(|job| job.options.stop_tasks) {
                context["sync"] = json!(true);
            }
            self.store.event(cx.now().wall, "shell.start", &context);
            self.log_exit(cx);
        }
    }

    /// Starts no further task.
    pub(crate) fn stop_starting(&mut self, cx: &mut Cx<Self>, signum: i32) {
        let is_meeting = self.state() == State::Meeting;
        if self.is_array_open() {
            self.stop_array();
            self.count_stop(signum);
            if is_meeting || self.state() == State::Running {
                // Shells that have something to tell do so, those that wait hear the end.
                self.fill_slots(cx);
            }
            return;
        }
        if self.starting.take().is_some() || is_meeting {
            self.count_stop(signum);
            self.end_if_idle(cx);
        }
    }

    /// Counts a task that will not be started as ended by the signal, like the others.
    fn count_stop(&mut self, signum: i32) {
        let code = u8::try_from(128 + signum).unwrap_or(u8::MAX);
        self.count_code(code);
    }

    /// Logs the way in which PMI is served.
    fn announce_pmi(&mut self, cx: &mut Cx<Self>, job: &Rc<Job>) {
        self.debug(cx, PMI_SIMPLE, "simple wire protocol is enabled");
        if !job.is_leader() {
            return;
        }
        // Keys travel along the tree of brokers, regardless of the fanout that is asked for.
        match job.options.pmi_fanout {
            None => {}
            Some(k) if u64::try_from(k).is_ok_and(|k| k > job.nnodes()) => {
                let k = job.nnodes();
                let text = format!("requested exchange fanout too large, using k={k}");
                self.warn(cx, PMI_SIMPLE, &text);
            }
            Some(k) => self.warn(cx, PMI_SIMPLE, &format!("using k={k}")),
        }
        let mapping = self.placement.taskmap.to_pmi();
        if !job.options.pmi_nomap && mapping.len() >= pmi::limits::VALLEN_MAX {
            let text = "PMI_process_mapping overflows PMI max value.";
            self.warn(cx, PMI_SIMPLE, text);
        }
    }

    /// Writes down that tasks are about to be started.
    fn announce(&mut self, cx: &mut Cx<Self>, job: &Rc<Job>) {
        let now = cx.now().wall;
        let service = job_shell::service_name(job.userid, job.id);
        let mut init =
            json!({ "service": service, "leader-rank": job.node().rank, "size": job.nnodes() });
        if let Some(pty) = job.options.pty.as_ref().filter(|pty| pty.interactive) {
            let (key, session) = INIT_KEY;
            init[key] = json!(session);
            if pty.capture {
                init["capture"] = json!(1);
            }
        }
        self.store.event(now, "shell.init", &init);
        self.store.output_header(now, self.n_writers(job));
        self.store.input_header(now, job.ntasks);
        if let Some(path) = &job.options.stdin_file {
            self.store.input_redirect(now, path);
        }
    }

    /// The environment that all tasks share.
    fn shared_env(&self, job: &Rc<Job>, tags: &JobTags) -> BTreeMap<String, String> {
        let around = self.surroundings(job, tags);
        match self.env_of_scripts() {
            None => environment::of_job(&job.environment, &around),
            Some(mut env) => {
                environment::prepare_for_mpi(&mut env, &around);
                env
            }
        }
    }

    pub(crate) fn surroundings(&self, job: &Rc<Job>, tags: &JobTags) -> Surroundings {
        Surroundings {
            id: job.id,
            utf8: self.launch.utf8,
            parent_path: job.attr("jobid-path").unwrap_or("/").to_owned(),
            ntasks: job.ntasks,
            nnodes: job.nnodes(),
            uri: job.attr("local-uri").unwrap_or_default().to_owned(),
            namespace: job.namespace.clone(),
            tmpdir: tags.tmpdir.clone(),
            hostname: job.node().host.clone(),
            openmpi: job.options.openmpi,
            pmi_library: Some(self.launch.pmi_library.clone())
                .filter(|path| job.options.pmi && self.array.is_none() && !path.is_empty()),
        }
    }

    /// Something happened to a task.
    pub(crate) fn child_event(&mut self, cx: &mut Cx<Self>, child: ChildId, event: ChildEvent) {
        let Some(index) = self.children.get(&child).copied() else {
            return;
        };
        if self.array.is_some() {
            match event {
                ChildEvent::Started { pid } => return self.tasks[index].pid = pid,
                ChildEvent::Failed { errno } => return self.element_failed(cx, index, errno),
                ChildEvent::Exited { status } => return self.element_exited(cx, index, status),
                _ => {}
            }
        }
        match event {
            ChildEvent::Started { pid } => self.task_started(cx, index, pid),
            ChildEvent::Failed { errno } => self.task_failed(cx, index, errno),
            ChildEvent::Output { stream, data, eof } => {
                self.task_wrote(cx, index, stream, data, eof);
            }
            ChildEvent::InputTaken { bytes, closed } => {
                self.input_taken(cx, index, bytes, closed);
            }
            ChildEvent::Channel { data, eof, .. } => self.task_asks(cx, index, &data, eof),
            ChildEvent::ChannelTaken { .. } | ChildEvent::Stopped => {}
            ChildEvent::Exited { status } => self.task_exited(cx, index, status),
        }
    }

    fn task_started(&mut self, cx: &mut Cx<Self>, index: usize, pid: i32) {
        self.tasks[index].pid = pid;
        let message = format!("task {} started: pid {pid}", self.tasks[index].rank);
        self.log(cx, Level::Trace, None, &message);
        if !self.task_topic(cx, index, "task.fork", "shell_task_forked") {
            return;
        }
        self.begin_if_forked(cx);
        let adjust = self.job.as_ref().and_then(|job| job.options.oom_adjust);
        if let Some(to) = adjust {
            cx.quick_work(
                move |_: &mut Files| adjust_oom(pid, to),
                |core: &mut JobShell, cx, adjusted| {
                    if let Err(why) = adjusted {
                        core.debug(cx, "oom", &why);
                    }
                },
            );
        }
    }

    fn task_failed(&mut self, cx: &mut Cx<Self>, index: usize, errno: Errno) {
        let Some(job) = self.job.clone() else {
            return;
        };
        if let Some(child) = self.tasks[index].never_ran() {
            self.children.remove(&child);
        }
        self.close_input(cx, index);
        self.begin_if_forked(cx);
        if job.options.stop_tasks && errno == Errno::ECHILD {
            let failure = [
                "task unexpectedly exited",
                "plugin 'ptrace': task.fork failed",
            ];
            self.log(cx, Level::Error, Some("ptrace"), failure[0]);
            self.log(cx, Level::Error, None, failure[1]);
            return self.fatal(cx, 1, "shell_task_forked");
        }
        let code = match errno {
            Errno::EPERM | Errno::EACCES => 126,
            Errno::ENOENT => 127,
            _ => 1,
        };
        let command = job.command.first().map_or("", String::as_str);
        let why = errno
            .text()
            .map_or_else(|| errno.to_string(), str::to_owned);
        let rank = self.tasks[index].rank;
        let note = format!(
            "task {rank} (host {}): start failed: {command}: {why}",
            job.node().host
        );
        match self.raised {
            // One task that cannot be started tells for all.
            true => self.count_code(code),
            false => return self.fatal(cx, code, &note),
        }
        self.end_if_idle(cx);
    }

    /// A task said something to the PMI server.
    fn task_asks(&mut self, cx: &mut Cx<Self>, index: usize, data: &Bytes, eof: bool) {
        let Some(pmi) = &mut self.pmi else {
            return;
        };
        let mut effects = pmi.receive(index, data);
        if eof {
            effects.extend(pmi.hang_up(index));
        }
        for effect in effects {
            self.pmi_effect(cx, effect);
        }
    }

    /// The tasks of all shells are in a barrier, with these keys; `None` if some will not come.
    pub(crate) fn exchanged(&mut self, cx: &mut Cx<Self>, keys: Option<Keys>) {
        let Some(pmi) = &mut self.pmi else {
            return;
        };
        for effect in pmi.exchanged(keys) {
            self.pmi_effect(cx, effect);
        }
    }

    fn pmi_effect(&mut self, cx: &mut Cx<Self>, effect: pmi::Effect) {
        use pmi::Effect;
        match effect {
            Effect::Reply { task, line, close } => {
                if let Some(child) = self.tasks.get(task).and_then(|task| task.child) {
                    cx.child_channel(child, PMI_FD, line.into(), close);
                }
            }
            Effect::Abort { message, .. } => {
                let message = message.as_deref().unwrap_or("aborted");
                let is_settled = self.is_settled;
                self.raise(cx, &format!("PMI_Abort: {message}"), None);
                // It makes no difference whether its exit or its message comes first.
                self.is_settled = is_settled;
            }
            Effect::Exchange(keys) => self.enter(cx, Gate::Exchange, keys),
            // One speaks for all.
            Effect::Version2 { task } => {
                if self.tasks.get(task).is_some_and(|task| task.rank == 0) {
                    self.warn(cx, PMI_SIMPLE, pmi::VERSION_2);
                }
            }
            Effect::Malformed { task, line } => {
                self.debug(cx, PMI_SIMPLE, &format!("local task {task} said: {line}"));
                if !self.raised {
                    let text = "PMI-1 wire protocol error";
                    self.fatal_to(cx, 1, Some(PMI_SIMPLE), text);
                }
            }
            Effect::Warn(text) => self.warn(cx, PMI_SIMPLE, &text),
        }
    }
}

/// Placement of tasks, as logged.
fn allocation(job: &Job, placement: &Placement) -> Vec<String> {
    let (shell, tasks) = (job.place.rank, placement.task_ids());
    let word = if tasks.count() == 1 { "task" } else { "tasks" };
    let own = format!("{shell}: {word} {tasks} on cores {}", job.node().cores);
    let Slots { count, cores, .. } = job.slots;
    let per_node = job
        .slots
        .per_node
        .map_or("-1".to_owned(), |n| n.to_string());
    let ntasks = job.ntasks;
    let all = format!(
        "0: task_count={ntasks} slot_count={count} cores_per_slot={cores} slots_per_node={per_node}"
    );
    let all = job.is_leader().then_some(all);
    all.into_iter().chain([own]).collect()
}

/// Starts one task.
fn spawn(job: &Job, starting: &Starting, placement: &Placement, index: usize) -> Spawn {
    let Starting {
        prepared,
        shared,
        tags,
        node,
        ..
    } = starting;
    let rank = placement.ranks[index];
    let local_id = u32::try_from(index).unwrap_or(u32::MAX);
    let task = TaskTags {
        rank,
        index: local_id,
    };
    let tags = Tags {
        job: tags,
        node: Some(node),
        task: Some(task),
        element: None,
    };
    let render = |template: &String| {
        let rendered = tags.render(template);
        match rendered.len() <= ARGUMENT_BYTES_MAX {
            true => rendered,
            false => template.clone(),
        }
    };
    let pmi_size = job.options.pmi.then_some(job.ntasks);
    let templates = job.options.env_templates.iter();
    let own = templates.map(|(name, template)| (name.clone(), render(template)));
    let mut env = environment::of_task(shared, rank, local_id, pmi_size, placement.gpus_of(index));
    environment::set_all(&mut env, own);
    Spawn {
        argv: job.command.iter().map(render).collect(),
        env: Some(env),
        cwd: Some(prepared.cwd.clone()),
        stdin: Stdio::Pipe,
        stdin_path: job.options.stdin_file.clone(),
        stdout: Stdio::Pipe,
        stderr: Stdio::Pipe,
        terminal: terminal_of(job, rank),
        new_group: !job.options.nosetpgrp,
        stop_at_exec: job.options.stop_tasks,
        end_with_us: Some(SIGKILL),
        socketpairs: pmi_size.map(|_| PMI_FD.to_owned()).into_iter().collect(),
        rlimits: job.options.rlimits.clone(),
        cpus: placement.cpus_of(index),
        ..Spawn::default()
    }
}

fn pmi_server(job: &Job, tags: &JobTags, placement: &Placement) -> pmi::Server {
    let map = &placement.taskmap;
    let level: u32 = job
        .attr("instance-level")
        .and_then(|level| level.parse().ok())
        .unwrap_or(0);
    let level = ("flux.instance-level".to_owned(), (level + 1).to_string());
    let mut preset = BTreeMap::from([level]);
    if let Some(hint) = job.attr("tbon.interface-hint") {
        preset.insert("flux.tbon-interface-hint".to_owned(), hint.to_owned());
    }
    if !job.options.pmi_nomap {
        preset.insert("flux.taskmap".to_owned(), json!(map).to_string());
        let mapping = map.to_pmi();
        if mapping.len() < pmi::limits::VALLEN_MAX {
            preset.insert("PMI_process_mapping".to_owned(), mapping);
        }
    }
    let here = placement.ranks.len();
    let kvsname = Tags {
        job: tags,
        node: None,
        task: None,
        element: None,
    };
    let kvsname = kvsname.render("{{id}}");
    match job.has_others() {
        true => {
            let total = usize::try_from(job.ntasks).unwrap_or(0);
            pmi::Server::among(&kvsname, (here, total), preset)
        }
        false => pmi::Server::new(&kvsname, here, preset),
    }
}
