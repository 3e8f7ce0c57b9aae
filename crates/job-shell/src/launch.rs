//! Starting the tasks.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use node::{ChildEvent, ChildId, Cx, Spawn, Stdio};
use proto::data::IdSet;
use proto::{Errno, job_shell};
use serde_json::json;

use crate::JobShell;
use crate::environment::{self, Surroundings};
use crate::job::Job;
use crate::limits::{ARGUMENT_BYTES_MAX, STARTS_PER_TURN};
use crate::log::Level;
use crate::mustache::{JobTags, NodeTags, Tags, TaskTags};
use crate::options::Affinity;
use crate::prepare::{node_tags, task_map};
use crate::signals::SIGKILL;
use crate::state::Move;
use crate::tasks::Task;
use crate::worker::Prepared;

/// Variable that tells a task the number of its end of the PMI socket, and the name of
/// the socket.
pub(crate) const PMI_FD: &str = "PMI_FD";

/// The shortest wait that lets other work in: what is due now is done in this turn.
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
        let message = allocation(&job);
        self.log(cx, Level::Debug, None, &message);
        if job.options.pmi {
            self.debug(cx, "pmi-simple", "simple wire protocol is enabled");
            self.pmi = Some(pmi_server(&job, &tags));
        }
        self.starting = Some(Starting {
            shared: environment::of_job(&job.environment, &self.surroundings(&job, &tags)),
            prepared,
            tags,
            node: node_tags(&job),
            left: 0..usize::try_from(job.ntasks).unwrap_or(0),
        });
        self.announce(cx, &job);
        self.arm_warning(cx);
        self.start_some(cx);
    }

    /// Starts the next tasks. Those that follow get their turn after what has arrived.
    fn start_some(&mut self, cx: &mut Cx<Self>) {
        let (Some(job), Some(mut starting)) = (self.job.clone(), self.starting.take()) else {
            return;
        };
        let first = self.tasks.len();
        for _ in 0..STARTS_PER_TURN {
            let Some(index) = starting.left.next() else {
                break;
            };
            let rank = u32::try_from(index).unwrap_or(u32::MAX);
            let child = cx.spawn(spawn(&job, &starting, rank));
            self.tasks.push(Task::new(rank, child, &job.options));
            self.children.insert(child, index);
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
        let taskmap = json!({ "taskmap": task_map(&job) });
        self.store.event(cx.now().wall, "shell.start", &taskmap);
        self.arm_exit_timer(cx);
        self.end_if_idle(cx);
    }

    /// Starts no further task.
    pub(crate) fn stop_starting(&mut self, cx: &mut Cx<Self>, signum: i32) {
        if self.starting.take().is_some() {
            // What was to be started has ended as the others do.
            let code = u8::try_from(128 + signum).unwrap_or(u8::MAX);
            self.code = self.code.max(code);
            self.end_if_idle(cx);
        }
    }

    /// Writes down that tasks are about to be started.
    fn announce(&mut self, cx: &mut Cx<Self>, job: &Rc<Job>) {
        let now = cx.now().wall;
        let service = job_shell::service_name(job.userid, job.id);
        let init = json!({ "service": service, "leader-rank": job.rank, "size": job.nnodes });
        self.store.event(now, "shell.init", &init);
        self.store.output_header(now, job.ntasks);
        self.store.input_header(now, job.ntasks);
        if let Some(path) = &job.options.stdin_file {
            self.store.input_redirect(now, path);
        }
    }

    fn surroundings(&self, job: &Rc<Job>, tags: &JobTags) -> Surroundings {
        Surroundings {
            id: job.id,
            utf8: self.launch.utf8,
            parent_path: job.attr("jobid-path").unwrap_or("/").to_owned(),
            ntasks: job.ntasks,
            nnodes: job.nnodes,
            uri: job.attr("local-uri").unwrap_or_default().to_owned(),
            namespace: job.namespace.clone(),
            tmpdir: tags.tmpdir.clone(),
            hostname: job.host.clone(),
        }
    }

    /// Something happened to a task.
    pub(crate) fn child_event(&mut self, cx: &mut Cx<Self>, child: ChildId, event: ChildEvent) {
        let Some(index) = self.children.get(&child).copied() else {
            return;
        };
        match event {
            ChildEvent::Started { pid } => {
                self.tasks[index].pid = pid;
                let message = format!("task {} started: pid {pid}", self.tasks[index].rank);
                self.log(cx, Level::Trace, None, &message);
            }
            ChildEvent::Failed { errno } => self.task_failed(cx, index, errno),
            ChildEvent::Output { stream, data, eof } => {
                self.task_wrote(cx, index, stream, data, eof);
            }
            ChildEvent::InputTaken { bytes, closed } => {
                self.input_taken(cx, index, bytes, closed);
            }
            ChildEvent::Channel { data, eof, .. } => self.task_asks(cx, index, &data, eof),
            ChildEvent::Exited { status } => self.task_exited(cx, index, status),
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
            job.host
        );
        match self.raised {
            // One task that can not be started tells for all.
            true => self.code = self.code.max(code),
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
                self.raise(cx, &format!("PMI_Abort: {message}"), None);
            }
            Effect::Warn(text) => self.warn(cx, "pmi-simple", &text),
        }
    }
}

/// What runs where, as the log tells it.
fn allocation(job: &Job) -> String {
    let here = u32::try_from(job.ntasks).unwrap_or(u32::MAX);
    let tasks = IdSet::first_n(here);
    let word = if here == 1 { "task" } else { "tasks" };
    format!("0: {word} {tasks} on cores {}", job.cores)
}

/// How one task is started.
fn spawn(job: &Job, starting: &Starting, rank: u32) -> Spawn {
    let Starting {
        prepared,
        shared,
        tags,
        node,
        ..
    } = starting;
    let task = TaskTags { rank, index: rank };
    let tags = Tags {
        job: tags,
        node: Some(node),
        task: Some(task),
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
    let mut env = environment::of_task(shared, rank, rank, pmi_size, gpus(job, rank));
    environment::set_all(&mut env, own);
    Spawn {
        argv: job.command.iter().map(render).collect(),
        env: Some(env),
        cwd: Some(prepared.cwd.clone()),
        stdin: Stdio::Pipe,
        stdin_path: job.options.stdin_file.clone(),
        stdout: Stdio::Pipe,
        stderr: Stdio::Pipe,
        new_group: !job.options.nosetpgrp,
        end_with_us: Some(SIGKILL),
        socketpairs: pmi_size.map(|_| PMI_FD.to_owned()).into_iter().collect(),
        rlimits: job.options.rlimits.clone(),
        cpus: cpus(job, prepared, rank),
        ..Spawn::default()
    }
}

/// The CPUs that task `rank` is bound to.
fn cpus(job: &Job, prepared: &Prepared, rank: u32) -> Option<String> {
    let all = &prepared.cpus;
    let union = |cores: &[IdSet]| {
        let cpus = cores.iter().fold(IdSet::new(), |sum, core| sum.union(core));
        (!cpus.is_empty()).then(|| cpus.to_string())
    };
    match &job.options.affinity {
        Affinity::Off => None,
        Affinity::On => union(all),
        Affinity::PerTask => union(share(all, rank as usize, usize::try_from(job.ntasks).ok()?)),
        Affinity::Map(map) => map.get(rank as usize).or(map.last()).cloned(),
    }
}

/// The GPUs that task `rank` is to see; `-1` hides all of them.
fn gpus(job: &Job, rank: u32) -> Option<String> {
    let all: Vec<u32> = job.gpus.iter().collect();
    let mine = match &job.options.gpu_affinity {
        Affinity::Off => return None,
        Affinity::Map(map) => return map.get(rank as usize).or(map.last()).cloned(),
        Affinity::On => &all[..],
        Affinity::PerTask => share(&all, rank as usize, usize::try_from(job.ntasks).ok()?),
    };
    let mine: Vec<String> = mine.iter().map(u32::to_string).collect();
    Some(match mine.is_empty() {
        true => "-1".to_owned(),
        false => mine.join(","),
    })
}

/// The part of `all` that is for one of `n`: consecutive, as even as can be, and never
/// empty while there is anything.
fn share<T>(all: &[T], index: usize, n: usize) -> &[T] {
    if all.is_empty() || n == 0 {
        return &[];
    }
    if n >= all.len() {
        let one = index * all.len() / n;
        return &all[one.min(all.len() - 1)..][..1];
    }
    let (from, to) = (index * all.len() / n, (index + 1) * all.len() / n);
    all.get(from..to).unwrap_or_default()
}

fn pmi_server(job: &Job, tags: &JobTags) -> pmi::Server {
    let map = task_map(job);
    let level: u32 = job
        .attr("instance-level")
        .and_then(|level| level.parse().ok())
        .unwrap_or(0);
    let taskmap = json!(map).to_string();
    let mut preset = BTreeMap::from([
        ("flux.taskmap".to_owned(), taskmap),
        ("flux.instance-level".to_owned(), (level + 1).to_string()),
    ]);
    if let Some(hint) = job.attr("tbon.interface-hint") {
        preset.insert("flux.tbon-interface-hint".to_owned(), hint.to_owned());
    }
    let mapping = map.to_pmi();
    if !job.options.pmi_nomap {
        let fits = mapping.len() < pmi::limits::VALLEN_MAX;
        let mapping = if fits { mapping } else { String::new() };
        preset.insert("PMI_process_mapping".to_owned(), mapping);
    }
    let here = usize::try_from(job.ntasks).unwrap_or(0);
    let kvsname = Tags {
        job: tags,
        node: None,
        task: None,
    };
    pmi::Server::new(&kvsname.render("{{id}}"), here, preset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ncores: u32, n: usize, expect: &str) {
        let cores: Vec<u32> = (0..ncores).collect();
        let shares: Vec<String> = (0..n)
            .map(|index| format!("{:?}", share(&cores, index, n)))
            .collect();
        assert_eq!(shares.join(" "), expect);
    }

    #[test]
    fn cores_are_shared_evenly_and_nobody_goes_without() {
        check(4, 2, "[0, 1] [2, 3]");
        check(5, 2, "[0, 1] [2, 3, 4]");
        check(2, 4, "[0] [0] [1] [1]");
        check(0, 2, "[] []");
    }
}
