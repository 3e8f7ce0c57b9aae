//! Between knowing the job and running it: directories, files, templates.

use std::path::Path;
use std::rc::Rc;

use node::Cx;
use proto::data::taskmap::Scheme;
use serde_json::Value;

use crate::JobShell;
use crate::barrier::{Gate, Keys};
use crate::job::{Job, JobError};
use crate::log::Level;
use crate::mustache::{JobTags, NodeTags, names_element};
use crate::options::Affinity;
use crate::output::{Output, Plan};
use crate::placement::Placement;
use crate::scripts::script_request;
use crate::state::Move;
use crate::worker::{FALLBACK, Files, Prepared, Wanted};

/// Variable with the place of temporary files.
pub(crate) const TMPDIR: &str = "TMPDIR";

impl JobShell {
    /// Has the worker make everything ready.
    pub(crate) fn prepare(&mut self, cx: &mut Cx<Self>) {
        let Some(job) = self.job.clone() else {
            return;
        };
        let scripts = Some(script_request(&job));
        let wanted = Wanted {
            scripts,
            ..self.wanted(&job)
        };
        cx.quick_work(
            move |files: &mut Files| files.prepare(wanted),
            |core: &mut JobShell, cx, prepared| core.prepared(cx, prepared),
        );
    }

    /// Has the worker look up facts that depend on options, which scripts have changed.
    pub(crate) fn look(&mut self, cx: &mut Cx<Self>, prepared: Prepared) {
        let Some(job) = self.job.clone() else {
            return;
        };
        let wanted = self.wanted(&job);
        cx.work(
            move |files: &mut Files| files.look(wanted, prepared),
            |core: &mut JobShell, cx, prepared| core.settle(cx, prepared),
        );
    }

    fn wanted(&self, job: &Rc<Job>) -> Wanted {
        let rundir = job.attr("rundir").map(str::to_owned);
        // A directory that is removed with the broker is no place for tasks that outlive
        // it.
        let lasting = Path::new(&self.launch.uri_file).parent();
        let lasting = lasting.map(|folder| folder.to_string_lossy().into_owned());
        let is_lasting = !self.launch.uri_file.is_empty();
        let goes = is_lasting && job.attr("rundir-cleanup") == Some("1");
        let rundir = rundir.filter(|_| !goes).or(lasting.filter(|_| goes));
        Wanted {
            tmp_parents: rundir
                .into_iter()
                .chain([self.launch.tmpdir.clone(), "/tmp".to_owned()])
                .filter(|parent| !parent.is_empty())
                .collect(),
            tmp_name: format!("jobtmp-{}-{}", job.place.rank, job.id.f58_plain()),
            cwd: job.cwd.clone(),
            tasks_tmpdir: job.environment.get(TMPDIR).and_then(tmpdir),
            files: job.files.clone(),
            cores: (job.options.affinity.mode != Affinity::Off).then(|| job.node().cores.clone()),
            hostfile: match &job.options.taskmap {
                Scheme::Hostfile(path) => Some(path.clone()),
                _ => None,
            },
            rlimits: job.options.rlimits.clone(),
            measures: job.options.sysmon.is_some(),
            program: self.array.as_ref().and_then(|_| program(job)),
            scripts: None,
        }
    }

    fn prepared(&mut self, cx: &mut Cx<Self>, mut prepared: Prepared) {
        let Some(job) = self.job.clone() else {
            return;
        };
        if let Some(why) = &prepared.failure {
            return self.fatal(cx, 1, why);
        }
        if let Some(why) = &prepared.cwd_error {
            let message = format!("host {}: {why}. Going to /tmp instead", job.node().host);
            self.log(cx, Level::Error, None, &message);
        }
        match prepared.script.take() {
            Some(script) => self.run_scripts(cx, script, prepared),
            None => self.settle(cx, prepared),
        }
    }

    /// Everything is known: makes use of it.
    fn settle(&mut self, cx: &mut Cx<Self>, prepared: Prepared) {
        let Some(job) = self.job.clone() else {
            return;
        };
        if let Some(failure) = &job.failure {
            return self.refuse(cx, &JobError::Option(failure.clone()));
        }
        if job.is_leader() {
            self.remark(cx, &job.options.remarks);
        }
        for message in &job.adjusted {
            self.log(cx, Level::Warn, None, message);
        }
        if let Some(tmpdir) = &prepared.lost_tmpdir {
            let message = format!("Unable to create TMPDIR={tmpdir}, resetting TMPDIR={FALLBACK}");
            self.warn(cx, "tmpdir", &message);
        }
        for name in &prepared.rlimits_above {
            let message = format!("{name} exceeds current max, raising value to hard limit");
            self.warn(cx, "rlimit", &message);
        }
        match Placement::new(&job, &prepared) {
            Ok((placement, remarks)) => {
                self.remark(cx, &remarks);
                self.placement = placement;
                self.notify_scripts();
            }
            Err(failure) => {
                self.remark(cx, &failure.remarks);
                return self.fatal(cx, 1, &failure.fatal);
            }
        }
        let plan = Plan::new(&job, &self.tags(&job, &prepared), &self.placement);
        self.prepared = Some(prepared);
        self.redirect(cx, &job, &plan);
        let files = plan.files.clone();
        self.output = plan.into();
        let input = job.options.stdin_file.clone();
        let input = input.filter(|path| !names_element(path));
        if files.is_empty() && input.is_none() {
            return self.stage_in(cx);
        }
        let open = move |worker: &mut Files| {
            let opened = worker.open_outputs(&files);
            opened.map_err(|why| (None, why))?;
            let checked = input.map_or(Ok(()), |path| worker.check_input(&path));
            checked.map_err(|why| (Some("input.file"), why))
        };
        cx.work(open, |core: &mut JobShell, cx, opened| match opened {
            Ok(()) => core.stage_in(cx),
            Err((component, why)) => {
                // Nothing can be written there, also not why.
                core.output = Output::default();
                core.fatal_to(cx, 1, component, &why);
            }
        });
    }

    /// Waits for the other shells of the job.
    pub(crate) fn meet(&mut self, cx: &mut Cx<Self>) {
        if !self.topic(cx, "shell.init", "shell_init") {
            return;
        }
        if self.step(Move::Ready) {
            self.enter(cx, Gate::Init, Keys::new());
        }
    }

    /// Template tags of this job.
    pub(crate) fn tags(&self, job: &Rc<Job>, prepared: &Prepared) -> JobTags {
        JobTags {
            id: job.id,
            utf8: self.launch.utf8,
            name: job.name.clone(),
            tmpdir: prepared.tmpdir.clone(),
            nnodes: job.nnodes(),
            ntasks: job.ntasks,
            own: self.own_tags.clone(),
        }
    }
}

/// The program of an array and where it is looked for, if that is not said.
fn program(job: &Job) -> Option<(String, String)> {
    let name = job.command.first()?;
    if name.contains('/') || names_element(name) {
        return None;
    }
    let path = job.environment.get("PATH").and_then(Value::as_str);
    Some((name.clone(), path.unwrap_or("/bin:/usr/bin").to_owned()))
}

/// The value of TMPDIR, if it names something.
fn tmpdir(value: &Value) -> Option<String> {
    let path = value.as_str().filter(|path| !path.is_empty());
    path.map(str::to_owned)
}

/// Template tags of the node of a shell.
pub(crate) fn node_tags(job: &Job, placement: &Placement, shell_rank: u32) -> NodeTags {
    let Some(node) = job.nodes.get(shell_rank as usize) else {
        return NodeTags::default();
    };
    let tasks = match shell_rank == job.place.rank {
        true => placement.task_ids(),
        false => placement.taskmap.tasks_on(shell_rank),
    };
    NodeTags {
        id: shell_rank,
        name: node.host.clone(),
        broker_rank: node.rank,
        cores: node.cores.to_string(),
        gpus: node.gpus.to_string(),
        ncores: node.cores.count(),
        ntasks: tasks.count(),
        taskids: tasks.to_string(),
    }
}
