//! Before the first element: shared settings are prepared, and the records of elements that
//! were run before are read.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::rc::Rc;
use std::sync::Arc;

use node::{Alike, Cx, OutPath, Spawn, Stdio};
use proto::data::array::{History, KEY, before_line};
use proto::job_info;
use proto::kvs::{Found, Lookup};
use proto::{Errno, Refusal};

use super::Part;
use super::book::Item;
use crate::JobShell;
use crate::barrier::{Gate, Keys};
use crate::environment;
use crate::job::Job;
use crate::limits::{ARGUMENT_BYTES_MAX, STORE_RETRY};
use crate::mustache::{JobTags, NodeTags, Tags, TaskTags, names_element};
use crate::options::Stream;
use crate::signals::SIGKILL;
use crate::worker::Prepared;

/// Variables with the identity of an element.
const INDEX: &str = "FLUX_ARRAY_INDEX";
const TRY: &str = "FLUX_ARRAY_TRY";
const COUNT: &str = "FLUX_ARRAY_COUNT";
const CC: &str = "FLUX_JOB_CC";
const GPUS: &str = "CUDA_VISIBLE_DEVICES";

/// A file that gives nothing.
const NOTHING: &str = "/dev/null";

/// Settings shared by the elements here, and those that differ.
#[derive(Debug)]
pub(crate) struct Mold {
    alike: Arc<Alike>,
    tags: JobTags,
    node: NodeTags,
    /// The words of the command, if they name the element.
    words: Option<Vec<String>>,
    /// Variables whose values name it.
    templates: Vec<(String, String)>,
    /// Standard input of all, or of each if it names the element.
    input: Option<String>,
    /// Output files that name it, and are written without us.
    outputs: [Option<OutPath>; 2],
}

/// Task tags of an element.
const ITS_TASK: TaskTags = TaskTags { rank: 0, index: 0 };

impl Mold {
    fn new(job: &Job, prepared: &Prepared, around: Around) -> Mold {
        let Around {
            shared,
            tags,
            node,
            indices,
            has_gpus,
        } = around;
        let render = |text: &String| {
            let tags = Tags {
                job: &tags,
                node: Some(&node),
                task: Some(ITS_TASK),
                element: None,
            };
            tags.render(text)
        };
        let mut env = environment::of_task(&shared, 0, 0, None, has_gpus.then(String::new));
        let mut templates = job.options.env_templates.clone();
        let own = templates.extract_if(.., |(_, template)| !names_element(template));
        let own: Vec<_> = own.map(|(name, text)| (name, render(&text))).collect();
        environment::set_all(&mut env, own.into_iter());
        env.retain(|(name, _)| {
            let is_own = [INDEX, TRY, COUNT, CC, GPUS].contains(&name.as_str());
            (!is_own || (name == GPUS && !has_gpus))
                && !templates.iter().any(|(own, _)| own == name)
        });
        env.push((COUNT.to_owned(), indices.to_string()));
        let env = env.iter().map(|(name, value)| format!("{name}={value}"));
        let words = job.command.iter().map(&render);
        let program = prepared.program.clone();
        let program = program.or_else(|| job.command.first().cloned());
        let alike = Alike {
            program: c_string(&program.unwrap_or_default()),
            argv: words.map(|word| c_string(&word)).collect(),
            env: env.map(|var| c_string(&var)).collect(),
        };
        let is_templated = job.command.iter().any(|word| names_element(word));
        let input = job.options.stdin_file.clone();
        Mold {
            alike: Arc::new(alike),
            words: is_templated.then(|| job.command.clone()),
            templates,
            input: input.filter(|path| path != NOTHING),
            outputs: [own_file(&job.options.stdout), own_file(&job.options.stderr)],
            tags,
            node,
        }
    }

    /// Renders a template for an element.
    pub(super) fn render(&self, template: &str, index: u32) -> String {
        let tags = Tags {
            job: &self.tags,
            node: Some(&self.node),
            task: Some(ITS_TASK),
            element: Some(index),
        };
        let rendered = tags.render(template);
        match rendered.len() <= ARGUMENT_BYTES_MAX {
            true => rendered,
            false => template.to_owned(),
        }
    }

    /// Starts an element in a slot.
    pub(super) fn spawn(
        &self,
        job: &Job,
        item: Item,
        (cpus, gpus): (Option<String>, Option<String>),
    ) -> Spawn {
        let render = |text: &str| self.render(text, item.index);
        let index = item.index.to_string();
        let mut own = vec![
            (CC.to_owned(), index.clone()),
            (INDEX.to_owned(), index),
            (TRY.to_owned(), (item.tries + 1).to_string()),
        ];
        own.extend(gpus.map(|gpus| (GPUS.to_owned(), gpus)));
        let templates = self.templates.iter();
        own.extend(templates.map(|(name, text)| (name.clone(), render(text))));
        let words = self.words.as_deref().unwrap_or_default();
        let out_paths = self.outputs.clone().map(|file| {
            file.map(|file| OutPath {
                path: render(&file.path),
                ..file
            })
        });
        Spawn {
            argv: words.iter().map(|word| render(word)).collect(),
            env_add: own,
            stdin_path: self.input.as_deref().map(render),
            stdout: Stdio::Pipe,
            stderr: Stdio::Pipe,
            out_paths,
            new_group: !job.options.nosetpgrp,
            end_with_us: Some(SIGKILL),
            rlimits: job.options.rlimits.clone(),
            cpus,
            alike: Some(self.alike.clone()),
            ..Spawn::default()
        }
    }
}

/// Parts of a mold besides the job.
struct Around {
    shared: BTreeMap<String, String>,
    tags: JobTags,
    node: NodeTags,
    indices: u64,
    has_gpus: bool,
}

/// A file that an element writes to by itself: one that names it, without labels.
fn own_file(stream: &Stream) -> Option<OutPath> {
    let path = stream.path.as_ref();
    let path = path.filter(|path| names_element(path) && !stream.label)?;
    Some(OutPath {
        path: path.clone(),
        append: stream.append,
    })
}

/// True if the kvs is overloaded, or is being restarted.
fn is_for_now(error: &Refusal) -> bool {
    let is_gone = matches!(error.errno, Errno::EHOSTUNREACH | Errno::EBUSY);
    is_gone || error.may_pass() || error.is_absence_of_service()
}

/// A zero byte, which nothing that execve(2) takes can have, ends the text.
fn c_string(text: &str) -> CString {
    let text = text.split('\0').next().unwrap_or_default();
    CString::new(text).unwrap_or_default()
}

impl JobShell {
    /// Reads the records of elements that were run before, then goes on to meet the other
    /// shells.
    pub(crate) fn recall_array(&mut self, cx: &mut Cx<Self>) {
        let lookup = self.job.as_ref().filter(|job| job.is_leader());
        let lookup = lookup.map(|job| Lookup::new(&job.namespace, KEY, 0));
        let Some(lookup) = lookup.filter(|_| self.array.is_some()) else {
            return self.meet(cx);
        };
        cx.call(&lookup, |core: &mut JobShell, cx, found| {
            core.recalled(cx, found);
        });
    }

    /// Handles the log of an earlier shell of this very job.
    fn recalled(&mut self, cx: &mut Cx<Self>, found: Result<Found, Refusal>) {
        let bytes = match found.map(|found| found.bytes()) {
            Ok(bytes) => bytes.unwrap_or_default(),
            // No shell of the job has written any, or none has had a namespace.
            Err(error) if matches!(error.errno, Errno::ENOENT | Errno::EOPNOTSUPP) => {
                Default::default()
            }
            Err(error) if is_for_now(&error) => {
                tracing::debug!("{KEY}: retrying the lookup: {error}");
                cx.timer(STORE_RETRY, JobShell::recall_array);
                return;
            }
            Err(error) => return self.fatal(cx, 1, &format!("{KEY}: {error}")),
        };
        let history = History::read(&String::from_utf8_lossy(&bytes));
        self.report_damage(cx, &history, "");
        let Some((Part::Lead(lead), spec)) = self.array_parts() else {
            return;
        };
        lead.book.recall(&history);
        let Some(id) = spec.resume else {
            return self.meet(cx);
        };
        let lookup = job_info::Lookup {
            id,
            keys: vec![format!("guest.{KEY}")],
            flags: 0,
        };
        cx.call(&lookup, move |core: &mut JobShell, cx, reply| {
            let log = reply.map(|mut reply| reply.values.shift_remove(&format!("guest.{KEY}")));
            match log {
                Ok(log) => {
                    let log = log.as_ref().and_then(|log| log.as_str());
                    core.resume(cx, &History::read(log.unwrap_or_default()));
                }
                Err(error) => {
                    let why = format!("array.resume: the log of job {id} cannot be read: {error}");
                    core.fatal(cx, 1, &why);
                }
            }
        });
    }

    /// Handles the log of an earlier job.
    fn resume(&mut self, cx: &mut Cx<Self>, history: &History) {
        self.report_damage(cx, history, "array.resume: ");
        let good = history.good();
        let Some((Part::Lead(lead), spec)) = self.array_parts() else {
            return;
        };
        let good = good.intersection(&spec.indices);
        lead.book.leave_out(&good);
        if !good.is_empty() {
            self.store.array += &before_line(&good);
        }
        self.meet(cx);
    }

    fn report_damage(&mut self, cx: &mut Cx<Self>, history: &History, of: &str) {
        if history.n_damaged > 0 {
            let n = history.n_damaged;
            let text = format!("{of}{n} damaged line(s) of {KEY}: their elements are run again");
            self.warn(cx, "array", &text);
        }
    }

    /// Begins to run elements.
    pub(crate) fn launch_array(
        &mut self,
        cx: &mut Cx<Self>,
        job: &Rc<Job>,
        prepared: &Prepared,
        (tags, node): (JobTags, NodeTags),
    ) {
        let slots = self.placement.ranks.len();
        // An element is a job of one task to its program.
        for name in ["FLUX_JOB_SIZE", "FLUX_JOB_NNODES"] {
            self.task_env.insert(name.to_owned(), "1".to_owned());
        }
        let Some(array) = &mut self.array else {
            return;
        };
        let around = Around {
            shared: self.task_env.clone(),
            tags,
            node,
            indices: array.spec.indices.count(),
            has_gpus: self.placement.gpus_of(0).is_some(),
        };
        array.mold = Some(Mold::new(job, prepared, around));
        array.running.resize_with(slots, || None);
        array.free = (0..slots).rev().collect();
        self.tasks = (0..slots).map(|_| crate::tasks::Task::none()).collect();
        if self.raised {
            // The job is to end before it has begun.
            self.stop_array();
        }
        // There was nothing that could have got them.
        self.early_signals.clear();
        if !self.topic(cx, "shell.start", "shell.start callback(s) failed") {
            return;
        }
        self.start_coprocesses(cx);
        self.enter(cx, Gate::Start, Keys::new());
        self.fill_slots(cx);
    }
}
