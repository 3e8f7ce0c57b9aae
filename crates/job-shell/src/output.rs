//! Where output goes: to the job's log, to files, or to the leading shell, which has both.
//!
//! The log has a limit per stream; files have none. When the store is full, tasks wait: they
//! are not read until it has room. A file that all tasks share is the leading shell's; files
//! that differ between shells or tasks are each shell's own. A file that cannot be written
//! ends no task, but lets the job fail in the end.

use std::rc::Rc;

use bytes::Bytes;
use node::{Cx, StdioFd};
use proto::data::IdSet;
use proto::data::stdio::{Data, Redirect};

use crate::JobShell;
use crate::job::Job;
use crate::limits::{OUTPUT_BYTES_HIGH, OUTPUT_GUEST_MAX, OUTPUT_MAX, WORD_BYTES_MAX, WRITES_MAX};
use crate::log::Level;
use crate::messages::ShellMessage;
use crate::mustache::{JobTags, NodeTags, Tags, TaskTags, names_element, names_task};
use crate::options::Stream;
use crate::placement::Placement;
use crate::prepare::node_tags;
use crate::worker::{Files, OutputFile};

/// Exit code of a shell whose tasks ended well, but not all that they wrote is in their files.
const LOST_OUTPUT: u8 = 1;

/// Where both streams go, and how much of them went.
#[derive(Debug, Default)]
pub struct Output {
    stdout: Route,
    stderr: Route,
    limit: Limit,
    failed: bool,
}

/// Limit of each stream in the log.
#[derive(Debug, Clone, Default)]
struct Limit {
    bytes: u64,
    /// As the job, or nobody, has said it.
    given: String,
}

/// Destination of one stream of our tasks.
#[derive(Debug, Default)]
struct Route {
    to: Target,
    label: bool,
    /// Bytes that came for the log.
    bytes: u64,
    /// Of these, those that were not kept.
    dropped: u64,
}

/// Kind of destination.
#[derive(Debug, Default, PartialEq, Eq)]
enum Target {
    /// In the job's log, which the leading shell writes.
    #[default]
    Log,
    /// With the leading shell, which knows where from there.
    Leader,
    /// In files: their numbers by local task, one for a file that all share.
    Files(Vec<usize>),
    /// In a file of each element of an array.
    Element,
}

impl Target {
    /// The file of a task here, or of a task of another shell.
    fn file_of(&self, index: Option<usize>) -> Option<usize> {
        let Target::Files(files) = self else {
            return None;
        };
        let own = index.and_then(|index| files.get(index));
        own.or(files.last()).copied()
    }
}

/// Files to open, and the destinations once they are.
#[derive(Debug)]
pub struct Plan {
    /// Files, each named by its place.
    pub files: Vec<OutputFile>,
    stdout: (Route, Option<String>),
    stderr: (Route, Option<String>),
    limit: Limit,
}

impl Plan {
    /// The plan for a job, its templates filled in.
    pub fn new(job: &Job, tags: &JobTags, placement: &Placement) -> Plan {
        let mut files = Vec::new();
        let around = Around {
            job,
            has_elements: job.options.array.is_some(),
            tags,
            placement,
        };
        let stdout = around.route(&job.options.stdout, &mut files);
        let stderr = around.route(&job.options.stderr, &mut files);
        let (bytes, given) = job.options.output_limit.clone().unwrap_or_else(|| {
            let (bytes, given) = match job.is_owners() {
                true => OUTPUT_MAX,
                false => OUTPUT_GUEST_MAX,
            };
            (bytes, given.to_owned())
        });
        let bytes = bytes.min(OUTPUT_MAX.0);
        Plan {
            files,
            stdout,
            stderr,
            limit: Limit { bytes, given },
        }
    }
}

impl Output {
    fn route(&mut self, stream: StdioFd) -> &mut Route {
        match stream {
            StdioFd::Stderr => &mut self.stderr,
            StdioFd::Stdin | StdioFd::Stdout => &mut self.stdout,
        }
    }

    /// The file that receives the messages of the shell itself: that of standard error, if
    /// all tasks here share one that can be written.
    pub fn log_file(&self) -> Option<usize> {
        match &self.stderr.to {
            Target::Files(files) if files.len() == 1 && !self.failed => files.first().copied(),
            _ => None,
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

/// Parts of paths.
struct Around<'a> {
    job: &'a Job,
    has_elements: bool,
    tags: &'a JobTags,
    placement: &'a Placement,
}

impl Around<'_> {
    fn node(&self, shell_rank: u32) -> NodeTags {
        node_tags(self.job, self.placement, shell_rank)
    }

    fn render(&self, template: &str, node: Option<&NodeTags>, task: Option<TaskTags>) -> String {
        let job = self.tags;
        let element = None;
        Tags {
            job,
            node,
            task,
            element,
        }
        .render(template)
    }

    /// True if paths differ between tasks. An element of an array is one task by itself.
    fn names_task(&self, template: &str) -> bool {
        !self.has_elements && names_task(template)
    }

    /// True if every shell writes its own file: its path differs between shells or tasks.
    fn is_own(&self, template: &str) -> bool {
        if !self.job.has_others() || self.names_task(template) || template.contains("{{tmpdir}}") {
            return true;
        }
        let [first, second] = [0, 1].map(|shell| {
            let node = self.node(shell);
            self.render(template, Some(&node), None)
        });
        first != second
    }

    /// The route of one stream, and the path as the log has it.
    fn route(&self, stream: &Stream, files: &mut Vec<OutputFile>) -> (Route, Option<String>) {
        let to = |to: Target| Route {
            to,
            label: stream.label,
            ..Route::default()
        };
        let is_leader = self.job.is_leader();
        let path = stream.path.as_ref();
        if let Some(path) = path.filter(|path| self.has_elements && names_element(path)) {
            return (to(Target::Element), Some(path.clone()));
        }
        let Some(template) = path else {
            let target = if is_leader {
                Target::Log
            } else {
                Target::Leader
            };
            return (to(target), None);
        };
        let told = self.render(template, None, None);
        if !is_leader && !self.is_own(template) {
            return (to(Target::Leader), Some(told));
        }
        let mut open = |path: String| {
            let append = stream.append;
            let known = files.iter().position(|file| file.path == path);
            known.unwrap_or_else(|| {
                files.push(OutputFile { path, append });
                files.len() - 1
            })
        };
        let node = self.node(self.job.place.rank);
        let tasks = match self.names_task(template) {
            true => self.placement.ranks.len(),
            false => 1,
        };
        let ranks = self.placement.ranks.iter().copied();
        let ranks = ranks.map(|rank| if self.has_elements { 0 } else { rank });
        let ranks = (0..).zip(ranks);
        let mut numbers: Vec<usize> = ranks
            .take(tasks)
            .map(|(index, rank)| {
                let task = TaskTags { rank, index };
                open(self.render(template, Some(&node), Some(task)))
            })
            .collect();
        if numbers.is_empty() {
            // No task is here, but those of others may write there.
            let task = self.has_elements.then_some(TaskTags { rank: 0, index: 0 });
            numbers.push(open(self.render(template, Some(&node), task)));
        }
        (to(Target::Files(numbers)), Some(told))
    }
}

impl JobShell {
    /// Records for readers of the log where else to look: one shell for all.
    pub(crate) fn redirect(&mut self, cx: &Cx<Self>, job: &Rc<Job>, plan: &Plan) {
        if !job.is_leader() {
            return;
        }
        let last = u32::try_from(job.ntasks.saturating_sub(1)).unwrap_or(u32::MAX);
        let ranks = match &self.array {
            Some(array) => array.indices().bracketed(),
            None => IdSet::from_range(0, last).bracketed(),
        };
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

    /// Passes on output of a task here.
    pub(crate) fn pass_on(
        &mut self,
        cx: &mut Cx<Self>,
        index: usize,
        stream: StdioFd,
        data: &Bytes,
        eof: bool,
    ) {
        let rank = self.tasks[index].rank;
        if let Some(path) = self.element_file(index, stream) {
            let data = label(rank, data);
            return self.add_to_file(cx, path, data);
        }
        let route = self.output.route(stream);
        if let Some(file) = route.to.file_of(Some(index)) {
            let data = match route.label {
                true => label(rank, data),
                false => data.clone(),
            };
            return self.write_file(cx, file, data);
        }
        if data.is_empty() && !eof {
            return;
        }
        let is_told = route.to == Target::Leader;
        let (name, rank) = (stream.as_str(), rank.to_string());
        if !is_told {
            let bytes = (!data.is_empty()).then_some(&data[..]);
            let data = Data::new(name, &rank, bytes, eof);
            self.others.turns.wrote(data.n_bytes());
            return self.log_data(cx, stream, data);
        }
        let mut rest = data.clone();
        while rest.len() > WORD_BYTES_MAX {
            let piece = rest.split_to(piece_len(&rest));
            let data = Data::new(name, &rank, Some(&piece), false);
            self.send_to_leader(cx, &ShellMessage::Data(data));
        }
        let bytes = (!rest.is_empty()).then_some(&rest[..]);
        let data = Data::new(name, &rank, bytes, eof);
        self.send_to_leader(cx, &ShellMessage::Data(data));
    }

    /// Receives output of a task of another shell.
    pub(crate) fn take_data(&mut self, cx: &mut Cx<Self>, data: Data) {
        let stream = match data.stream.as_str() {
            "stderr" => StdioFd::Stderr,
            _ => StdioFd::Stdout,
        };
        let route = self.output.route(stream);
        let Some(file) = route.to.file_of(None) else {
            return self.log_data(cx, stream, data);
        };
        let (is_labelled, rank) = (route.label, data.rank.parse().unwrap_or(0));
        let bytes: Bytes = data.bytes().unwrap_or_default().into();
        let bytes = match is_labelled {
            true => label(rank, &bytes),
            false => bytes,
        };
        self.write_file(cx, file, bytes);
    }

    /// Adds a piece to the job's log, as far as its stream has not had too much.
    fn log_data(&mut self, cx: &mut Cx<Self>, stream: StdioFd, mut data: Data) {
        let limit = self.output.limit.clone();
        let route = self.output.route(stream);
        let len = data.n_bytes();
        let is_kept = route.count(len, limit.bytes);
        if !is_kept && route.dropped == len as u64 {
            let (name, given) = (stream.as_str(), &limit.given);
            let message = format!("{name} will be truncated, {given} limit exceeded");
            self.warn(cx, "output.kvs", &message);
        }
        if !is_kept {
            (data.data, data.encoding) = (None, None);
        }
        if data.data.is_some() || data.is_eof() {
            self.store.data(cx.now().wall, &data);
        }
    }

    /// Logs at the end the streams that were too much for the log, and that those of all
    /// elements have ended.
    pub(crate) fn sum_up_output(&mut self, cx: &mut Cx<Self>) {
        if let Some(array) = &self.array {
            let indices = array.indices().to_string();
            for stream in [StdioFd::Stdout, StdioFd::Stderr] {
                if self.output.route(stream).to == Target::Log {
                    let end = Data::new(stream.as_str(), &indices, None, true);
                    self.store.data(cx.now().wall, &end);
                }
            }
        }
        let Output { stdout, stderr, .. } = &self.output;
        let words = [("stdout", stdout), ("stderr", stderr)].map(|(name, route)| route.sum(name));
        for message in words.into_iter().flatten() {
            self.warn(cx, "output.kvs", &message);
        }
    }

    pub(crate) fn write_file(&mut self, cx: &mut Cx<Self>, file: usize, data: Bytes) {
        if data.is_empty() {
            return;
        }
        self.n_writes += 1;
        cx.work(
            move |files: &mut Files| files.write(file, &data),
            |core: &mut JobShell, cx, result| core.written(cx, result),
        );
    }

    /// Adds to a file that is one element's.
    fn add_to_file(&mut self, cx: &mut Cx<Self>, path: String, data: Bytes) {
        if data.is_empty() {
            return;
        }
        self.n_writes += 1;
        cx.work(
            move |files: &mut Files| files.add(&path, &data),
            |core: &mut JobShell, cx, result| core.written(cx, result),
        );
    }

    /// Something went into a file, or did not.
    pub(crate) fn written(&mut self, cx: &mut Cx<Self>, result: Result<(), String>) {
        self.n_writes -= 1;
        if let Err(why) = result
            && !std::mem::replace(&mut self.output.failed, true)
        {
            self.log(cx, Level::Error, None, &why);
            self.count_code(LOST_OUTPUT);
        }
        self.regulate(cx);
        self.leave_if_drained(cx);
    }

    /// Makes tasks wait while there is no room for their output, and lets them go on.
    pub(crate) fn regulate(&mut self, cx: &mut Cx<Self>) {
        let is_full = match self.place.is_leader() {
            true => self.store.is_full(),
            false => self.outbox.is_full(),
        };
        let is_full = is_full || self.n_writes >= WRITES_MAX;
        if !is_full {
            self.receive_from_shells(cx);
        }
        // The rest of the room is for those who are heard.
        let has_turn = self.others.are_complete()
            || !(self.store.is_half_full() || self.others.turns.is_over());
        let must_wait = is_full || !has_turn;
        if must_wait == self.paused {
            return;
        }
        self.paused = must_wait;
        if let Some(terminals) = &mut self.terminals {
            terminals.pause(cx, must_wait);
        }
        let others = self.children.keys().filter(|it| !self.has_terminal(**it));
        for child in others {
            cx.pause_child(*child, must_wait);
        }
    }
}

impl Route {
    /// Counts a piece for the log, and returns true if it is kept: a piece that does not
    /// fit is dropped whole, and all that follow it.
    fn count(&mut self, len: usize, limit: u64) -> bool {
        self.bytes = self.bytes.saturating_add(len as u64);
        let is_kept = len == 0 || self.bytes <= limit;
        if !is_kept {
            self.dropped = self.dropped.saturating_add(len as u64);
        }
        is_kept
    }

    /// Final message about a stream of this name.
    fn sum(&self, name: &str) -> Option<String> {
        let Route { bytes, dropped, .. } = self;
        if *dropped > 0 {
            return Some(format!("{name}: {dropped} of {bytes} bytes truncated"));
        }
        (*bytes > OUTPUT_BYTES_HIGH).then(|| {
            let size = in_megabytes(*bytes);
            format!(
                "high {name} volume ({size}), consider redirecting to a file next time \
                 (e.g. use --output=FILE)"
            )
        })
    }
}

/// Length of the next part of a long piece of output: whole lines, if they are short.
fn piece_len(data: &[u8]) -> usize {
    let front = &data[..WORD_BYTES_MAX];
    let end = front.iter().rposition(|byte| *byte == b'\n');
    end.map_or(WORD_BYTES_MAX, |end| end + 1)
}

fn in_megabytes(bytes: u64) -> String {
    format!("{:.1}M", bytes as f64 / f64::from(1 << 20))
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
    fn what_does_not_fit_is_dropped_whole_and_summed_up() {
        let check = |pieces: &[usize], limit, kept: &[bool], sum: Option<&str>| {
            let mut route = Route::default();
            let seen: Vec<bool> = pieces.iter().map(|len| route.count(*len, limit)).collect();
            assert_eq!(seen, kept);
            assert_eq!(route.sum("stdout").as_deref(), sum);
        };
        let truncated = |text| Some(text);
        check(&[10, 0], 10, &[true, true], None);
        check(
            &[10, 15, 0],
            10,
            &[true, false, true],
            truncated("stdout: 15 of 25 bytes truncated"),
        );
        check(
            &[11, 1],
            10,
            &[false, false],
            truncated("stdout: 12 of 12 bytes truncated"),
        );
        let much = 150 << 20;
        let high = "high stdout volume (150.0M), consider redirecting to a file next time (e.g. \
                    use --output=FILE)";
        check(&[much], 1 << 30, &[true], Some(high));
    }

    #[test]
    fn long_output_is_told_in_whole_lines() {
        let line = "x".repeat(WORD_BYTES_MAX / 2 - 1) + "\n";
        assert_eq!(piece_len(line.repeat(5).as_bytes()), WORD_BYTES_MAX);
        let half = format!("a\n{}", "x".repeat(WORD_BYTES_MAX));
        assert_eq!(piece_len(half.as_bytes()), 2);
        assert_eq!(piece_len(&[0; 2 * WORD_BYTES_MAX]), WORD_BYTES_MAX);
    }

    #[test]
    fn every_line_gets_its_label() {
        assert_eq!(label(3, b"a\nb"), "3: a\n3: b");
        assert_eq!(label(0, b"\n"), "0: \n");
        assert_eq!(label(0, b""), "");
    }
}
