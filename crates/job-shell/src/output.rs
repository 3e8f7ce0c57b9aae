//! Where output goes: to the job's log, or to files.
//!
//! The log has a limit per stream; files have none. What a full store can not take makes
//! tasks wait: they are not read until it has room.

use std::rc::Rc;

use bytes::Bytes;
use node::{Cx, StdioFd};
use proto::data::stdio::{Data, Redirect};
use proto::data::{IdSet, IdSetStyle};

use crate::JobShell;
use crate::core::level;
use crate::job::Job;
use crate::limits::{OUTPUT_BYTES_GUEST_MAX, OUTPUT_BYTES_MAX};
use crate::mustache::{JobTags, NodeTags, Tags, TaskTags, is_per_task};
use crate::options::Stream;
use crate::worker::{Files, OutputFile};

/// Where both streams go, and how much of them went.
#[derive(Debug, Default)]
pub struct Output {
    stdout: Route,
    stderr: Route,
    limit: u64,
    failed: bool,
}

/// Where one stream of all tasks goes.
#[derive(Debug, Default)]
struct Route {
    /// Numbers of the files by task; empty for the log, one for a file that all share.
    files: Vec<usize>,
    label: bool,
    bytes: u64,
}

/// What is to be opened, and where streams go once it is.
#[derive(Debug)]
pub struct Plan {
    /// Files, each named by its place.
    pub files: Vec<OutputFile>,
    stdout: (Route, Option<String>),
    stderr: (Route, Option<String>),
    limit: u64,
}

impl Plan {
    /// The plan for a job, its templates filled in.
    pub fn new(job: &Job, tags: &JobTags, node: &NodeTags) -> Plan {
        let mut files = Vec::new();
        let stdout = route(&job.options.stdout, job, tags, node, &mut files);
        let stderr = route(&job.options.stderr, job, tags, node, &mut files);
        let default = match job.is_owners() {
            true => OUTPUT_BYTES_MAX,
            false => OUTPUT_BYTES_GUEST_MAX,
        };
        let limit = job.options.output_limit.unwrap_or(default);
        Plan {
            files,
            stdout,
            stderr,
            limit: limit.min(OUTPUT_BYTES_MAX),
        }
    }
}

impl From<Plan> for Output {
    fn from(plan: Plan) -> Output {
        Output {
            stdout: plan.stdout.0,
            stderr: plan.stderr.0,
            limit: plan.limit,
            failed: false,
        }
    }
}

/// The route of one stream, and the path as the log tells it.
fn route(
    stream: &Stream,
    job: &Job,
    tags: &JobTags,
    node: &NodeTags,
    files: &mut Vec<OutputFile>,
) -> (Route, Option<String>) {
    let Some(template) = &stream.path else {
        return (Route::default(), None);
    };
    let render = |task: Option<TaskTags>| {
        let node = task.map(|_| node);
        let tags = Tags {
            job: tags,
            node,
            task,
        };
        tags.render(template)
    };
    let tasks = match is_per_task(template) {
        true => job.ntasks,
        false => 1,
    };
    let mut open = |path: String| {
        let append = stream.append;
        let known = files.iter().position(|file| file.path == path);
        known.unwrap_or_else(|| {
            files.push(OutputFile { path, append });
            files.len() - 1
        })
    };
    let ranks = (0..tasks).filter_map(|rank| u32::try_from(rank).ok());
    let numbers = ranks.map(|rank| open(render(Some(TaskTags { rank, index: rank }))));
    let route = Route {
        files: numbers.collect(),
        label: stream.label,
        bytes: 0,
    };
    (route, Some(render(None)))
}

impl JobShell {
    /// Tells readers of the log where else to look.
    pub(crate) fn redirect(&mut self, cx: &Cx<Self>, job: &Rc<Job>, plan: &Plan) {
        let last = u32::try_from(job.ntasks.saturating_sub(1)).unwrap_or(u32::MAX);
        let ranks = IdSet::from_range(0, last).encode(IdSetStyle::RangesInBrackets);
        let ranks = ranks.unwrap_or_default();
        for (stream, (_, path)) in [("stdout", &plan.stdout), ("stderr", &plan.stderr)] {
            if let Some(path) = path {
                let redirect = Redirect {
                    stream: stream.to_owned(),
                    rank: ranks.clone(),
                    path: Some(path.clone()),
                };
                self.store.redirect(cx.now().wall, &redirect);
            }
        }
    }

    /// Passes on what a task wrote.
    pub(crate) fn pass_on(
        &mut self,
        cx: &mut Cx<Self>,
        rank: u32,
        stream: StdioFd,
        data: &Bytes,
        eof: bool,
    ) {
        let limit = self.output.limit;
        let route = match stream {
            StdioFd::Stderr => &mut self.output.stderr,
            StdioFd::Stdin | StdioFd::Stdout => &mut self.output.stdout,
        };
        let file = route
            .files
            .get(rank as usize)
            .or(route.files.last())
            .copied();
        if let Some(file) = file {
            let data = match route.label {
                true => label(rank, data),
                false => data.clone(),
            };
            return self.write_file(cx, file, data);
        }
        let before = route.bytes;
        route.bytes = before.saturating_add(data.len() as u64);
        let is_over = route.bytes > limit;
        let room = usize::try_from(limit.saturating_sub(before)).unwrap_or(usize::MAX);
        let kept = data.slice(..data.len().min(room));
        if is_over && before <= limit {
            let message = format!(
                "{} will be truncated: limit of {limit} bytes reached",
                stream.as_str()
            );
            self.say(cx, level::WARN, &message);
        }
        if !kept.is_empty() || eof {
            let bytes = (!kept.is_empty()).then_some(&kept[..]);
            let data = Data::new(stream.as_str(), &rank.to_string(), bytes, eof);
            self.store.data(cx.now().wall, &data);
        }
    }

    fn write_file(&mut self, cx: &mut Cx<Self>, file: usize, data: Bytes) {
        if data.is_empty() {
            return;
        }
        self.n_writes += 1;
        cx.work(
            move |files: &mut Files| files.write(file, &data),
            |core: &mut JobShell, cx, result| {
                core.n_writes -= 1;
                if let Err(why) = result
                    && !std::mem::replace(&mut core.output.failed, true)
                {
                    core.say(
                        cx,
                        level::ERROR,
                        &format!("error writing output file: {why}"),
                    );
                }
                core.regulate(cx);
                core.leave_if_drained(cx);
            },
        );
    }

    /// Makes tasks wait while there is no room for what they write, and lets them go on.
    pub(crate) fn regulate(&mut self, cx: &mut Cx<Self>) {
        let is_full = self.store.is_full() || self.n_writes >= crate::limits::WRITES_MAX;
        if is_full == self.paused {
            return;
        }
        self.paused = is_full;
        for child in self.children.keys() {
            cx.pause_child(*child, is_full);
        }
    }
}

/// Puts the rank before every line.
fn label(rank: u32, data: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(data.len() + 16);
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        out.extend_from_slice(format!("{rank}: ").as_bytes());
        out.extend_from_slice(line);
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_gets_its_label() {
        assert_eq!(label(3, b"a\nb"), "3: a\n3: b");
        assert_eq!(label(0, b"\n"), "0: \n");
        assert_eq!(label(0, b""), "");
    }
}
