//! An element in its slot, from its start to its end.

use std::time::Duration;

use node::{Cx, StdioFd};
use proto::Errno;
use proto::data::IdSet;
use proto::data::array::{Ended, How};
use proto::data::job::WaitStatus;

use super::book::Item;
use super::{Cause, Part, Running};
use crate::JobShell;
use crate::limits::ARRAY_KILL_S;
use crate::mustache::names_element;
use crate::signals::{SIGKILL, SIGTERM};
use crate::tasks::Task;
use crate::worker::Files;

impl JobShell {
    /// Starts elements in the slots that are free, as far as there are any.
    pub(crate) fn fill_slots(&mut self, cx: &mut Cx<Self>) {
        while let Some((slot, item)) = self.next_element() {
            self.start_element(cx, slot, item);
        }
        self.ask_for_supply(cx);
        self.serve_shells(cx);
        self.end_if_idle(cx);
    }

    /// A slot, and the element that is to run there.
    fn next_element(&mut self) -> Option<(usize, Item)> {
        let array = self.array.as_mut().filter(|array| array.mold.is_some())?;
        let slot = *array.free.last()?;
        let item = match &mut array.part {
            Part::Lead(lead) => lead.book.hand_out(0, 1, 1, 1).first().copied(),
            Part::Follow(supply) => supply.next(),
        }?;
        array.free.pop();
        Some((slot, item))
    }

    fn start_element(&mut self, cx: &mut Cx<Self>, slot: usize, item: Item) {
        let places = (self.placement.cpus_of(slot), self.placement.gpus_of(slot));
        let (Some(job), Some(array)) = (self.job.clone(), &mut self.array) else {
            return;
        };
        let Some(mold) = &array.mold else {
            return;
        };
        let spawn = mold.spawn(&job, item, places);
        let is_piped = spawn.out_paths.each_ref().map(Option::is_none);
        for stream in [&job.options.stdout, &job.options.stderr] {
            // A file that names the element is there though nothing is written.
            if let Some(path) = stream.path.as_ref()
                && stream.label
                && names_element(path)
            {
                let (path, append) = (mold.render(path, item.index), stream.append);
                self.n_writes += 1;
                cx.work(
                    move |files: &mut Files| files.create(&path, append),
                    |core: &mut JobShell, cx, result| core.written(cx, result),
                );
            }
        }
        let child = cx.spawn(spawn);
        let now = cx.now();
        let timer = array.spec.timeout.map(|timeout| {
            cx.timer(timeout, move |core: &mut JobShell, cx| {
                core.end_element(cx, slot, Cause::TimedOut);
            })
        });
        array.running[slot] = Some(Running {
            item,
            start: now.wall,
            since: now.mono,
            until: None,
            timer,
            cause: None,
        });
        self.tasks[slot] = Task::of_element(item.index, child, &job.options, is_piped);
        self.children.insert(child, slot);
        if self.paused {
            cx.pause_child(child, true);
        }
    }

    /// Ends an element, for this reason: gently, then for certain.
    fn end_element(&mut self, cx: &mut Cx<Self>, slot: usize, cause: Cause) {
        let Some(running) = self.running_in(slot) else {
            return;
        };
        if running.until.is_some() || running.cause.is_some() {
            return;
        }
        running.cause = Some(cause);
        if let Some(timer) = running.timer.take() {
            cx.cancel_timer(timer);
        }
        let wait = Duration::from_secs(ARRAY_KILL_S);
        let kill = cx.timer(wait, move |core: &mut JobShell, cx| {
            core.signal_element(cx, slot, SIGKILL);
        });
        if let Some(running) = self.running_in(slot) {
            running.timer = Some(kill);
        }
        self.signal_element(cx, slot, SIGTERM);
    }

    fn signal_element(&mut self, cx: &mut Cx<Self>, slot: usize, signum: i32) {
        let group = self.job.as_ref().is_none_or(|job| !job.options.nosetpgrp);
        if let Some(child) = self.tasks.get(slot).and_then(|task| task.child) {
            cx.kill_child(child, signum, group);
        }
    }

    fn running_in(&mut self, slot: usize) -> Option<&mut Running> {
        self.array.as_mut()?.running.get_mut(slot)?.as_mut()
    }

    /// Ends elements that run here, among these.
    pub(super) fn cancel_running(&mut self, cx: &mut Cx<Self>, set: &IdSet) {
        let Some(array) = &self.array else {
            return;
        };
        let slots = array.running.iter().enumerate();
        let meant = slots.filter(|(_, running)| {
            let index = running.as_ref().map(|running| running.item.index);
            index.is_some_and(|index| set.contains(index))
        });
        let meant: Vec<usize> = meant.map(|(slot, _)| slot).collect();
        for slot in meant {
            self.end_element(cx, slot, Cause::Canceled);
        }
    }

    /// The process of an element has ended. Its remaining output may still follow.
    pub(crate) fn element_exited(&mut self, cx: &mut Cx<Self>, slot: usize, status: i32) {
        let now = cx.now().mono;
        if let Some(running) = self.running_in(slot) {
            running.until = Some(now);
        }
        self.tasks[slot].status = Some(WaitStatus(status));
        self.element_over(cx, slot);
    }

    /// Records that an element could not be started.
    pub(crate) fn element_failed(&mut self, cx: &mut Cx<Self>, slot: usize, errno: Errno) {
        let Some(job) = self.job.clone() else {
            return;
        };
        if let Some(child) = self.tasks[slot].never_ran() {
            self.children.remove(&child);
        }
        let Some(running) = self.running_in(slot) else {
            return;
        };
        let index = running.item.index;
        let command = job.command.first().map_or("", String::as_str);
        let files = [&job.options.stdout, &job.options.stderr].map(|stream| &stream.path);
        let files = files.into_iter().chain([&job.options.stdin_file]).flatten();
        let has_own = names_element(command) || files.into_iter().any(|path| names_element(path));
        let why = errno
            .text()
            .map_or_else(|| errno.to_string(), str::to_owned);
        let how = How::NotStarted(errno.0);
        let host = &job.node().host;
        let note = format!("element {index} (host {host}): start failed: {command}: {why}");
        if !has_own && !self.raised {
            // The result for one applies to all.
            self.element_ended(cx, slot, how);
            return self.fatal(cx, how.code(), &note);
        }
        let note = match has_own {
            true => format!("{note} (or one of its files)"),
            false => note,
        };
        self.log(cx, crate::log::Level::Error, None, &note);
        self.element_ended(cx, slot, how);
        self.fill_slots(cx);
    }

    /// An element whose process has ended and whose streams are closed is done with.
    pub(crate) fn element_over(&mut self, cx: &mut Cx<Self>, slot: usize) {
        if !self.tasks[slot].is_over() {
            return;
        }
        if let Some(child) = self.tasks[slot].child.take() {
            self.children.remove(&child);
        }
        let status = self.tasks[slot].status.unwrap_or(WaitStatus(0));
        let how = match self.running_in(slot).and_then(|running| running.cause) {
            None => How::Exited(status),
            Some(Cause::TimedOut) => How::TimedOut(status),
            Some(Cause::Canceled) => How::Canceled(status),
        };
        self.element_ended(cx, slot, how);
        self.fill_slots(cx);
    }

    /// Frees the slot, and has the end written down.
    fn element_ended(&mut self, cx: &mut Cx<Self>, slot: usize, how: How) {
        let shell = self.place.rank;
        let Some(array) = &mut self.array else {
            return;
        };
        let Some(running) = array.running.get_mut(slot).and_then(Option::take) else {
            return;
        };
        if let Some(timer) = running.timer {
            cx.cancel_timer(timer);
        }
        array.free.push(slot);
        array.n_ended += 1;
        let until = running.until.unwrap_or(running.since);
        let ended = Ended {
            index: running.item.index,
            shell,
            tries: running.item.tries + 1,
            start: running.start,
            runtime: until.saturating_sub(running.since).as_secs_f64(),
            how,
        };
        match &mut array.part {
            Part::Lead(_) => self.receive_end(cx, ended),
            Part::Follow(supply) => supply.ended.push(ended),
        }
    }

    /// The file for the output of an element, if it has one of its own with labels.
    pub(crate) fn element_file(&self, slot: usize, stream: StdioFd) -> Option<String> {
        let array = self.array.as_ref()?;
        let options = &self.job.as_ref()?.options;
        let stream = match stream {
            StdioFd::Stderr => &options.stderr,
            StdioFd::Stdin | StdioFd::Stdout => &options.stdout,
        };
        let path = stream.path.as_ref().filter(|path| names_element(path))?;
        let index = self.tasks.get(slot)?.rank;
        Some(array.mold.as_ref()?.render(path, index))
    }
}
