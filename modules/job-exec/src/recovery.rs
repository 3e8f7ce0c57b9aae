//! Jobs begun by an earlier job-exec.
//!
//! Its traces: the guest log, in a namespace or already in the primary one, and a shell
//! that greets. The log shows how far the job had come; the shell sends the rest.

use std::time::Duration;

use bytes::Bytes;
use node::Cx;
use proto::data::eventlog::decode_log;
use proto::data::{Entry, IdSet, JobId};
use proto::job_exec::{Ended, How};
use proto::job_manager::GetInfo;
use proto::kvs::{Commit, GetRoot, Lookup, NamespaceList, PRIMARY};
use proto::{Errno, Refusal};

use crate::begin::MOCK_FAILURE;
use crate::core::RETRY;
use crate::end::{STATUS_EXCEPTION, remove_namespace};
use crate::hand::Part;
use crate::job::{CRITICAL_RANKS, Home, Kind};
use crate::limits::{LEFTOVER_WAIT_S, LOOK_INTERVAL_MS, REATTACH_WAIT_S};
use crate::process::Process;
use crate::state::{Move, State};
use crate::{JobExec, Surroundings};

/// Progress of a job, by its guest log.
#[derive(Debug, Clone, PartialEq)]
enum Past {
    /// Nothing of it is there.
    Nothing,
    /// The job was about to start.
    Init,
    /// The shell was started then, in a way that a later job-exec can pick up.
    Started {
        at: f64,
        is_recoverable: bool,
        process: Option<Process>,
    },
    /// The job ended with this status.
    Complete { status: i32 },
    /// The job ended without its shell, if with a status at all: we had said why, but whether
    /// that was stored nobody knows.
    Failed { status: Option<i32> },
}

impl Past {
    fn of(entries: &[Entry], is_mock: bool) -> Past {
        // A job that was begun twice has the shell that was started last.
        let find = |name: &str| entries.iter().rfind(|entry| entry.name() == name);
        if let Some(complete) = find("complete") {
            let status = complete
                .get_i64("status")
                .and_then(|n| i32::try_from(n).ok());
            return match status.unwrap_or(0) {
                status if status != 0 && !is_mock && find("shell-exit").is_none() => Past::Failed {
                    status: Some(status),
                },
                status => Past::Complete { status },
            };
        }
        match (find("done"), find("starting"), find("init")) {
            (Some(_), ..) => Past::Failed { status: None },
            (None, Some(starting), _) => Past::Started {
                at: starting.timestamp(),
                is_recoverable: find("recoverable").is_some(),
                process: find("recoverable").and_then(Process::of),
            },
            (None, None, Some(_)) => Past::Init,
            (None, None, None) => Past::Nothing,
        }
    }
}

impl JobExec {
    /// Waits until the kvs has done all requests of the job-exec before us: else a log might
    /// be read that grows a moment later. A commit is answered after those before it.
    pub(crate) fn look_around(&mut self, cx: &mut Cx<Self>) {
        cx.call(&Commit::new(PRIMARY), |core: &mut JobExec, cx, result| {
            match result {
                Err(error) if JobExec::is_gone(&error) => core.look_around(cx),
                // Those before it are answered, even if there is no room for it.
                _ => core.list_namespaces(cx),
            }
        });
    }

    /// Asks which namespaces and which jobs there are, then says hello to the job manager:
    /// all of them may have been begun before.
    fn list_namespaces(&mut self, cx: &mut Cx<Self>) {
        cx.call(&NamespaceList, |core: &mut JobExec, cx, result| {
            let Ok(found) = result else {
                cx.timer(RETRY, JobExec::list_namespaces);
                return;
            };
            let ids = found.namespaces.iter().filter_map(|ns| {
                let id = ns.namespace.strip_prefix("job-")?;
                id.parse().ok().map(JobId)
            });
            core.leftovers = ids.collect();
            core.ask_for_last_job(cx);
        });
    }

    fn ask_for_last_job(&mut self, cx: &mut Cx<Self>) {
        cx.call(&GetInfo, |core: &mut JobExec, cx, result| match result {
            Ok(info) => {
                core.last_before = Some(info.max_jobid);
                core.recover_early(cx);
                core.send_hello(cx);
            }
            Err(error) => {
                tracing::debug!("job-manager.getinfo: {error}");
                cx.timer(RETRY, JobExec::ask_for_last_job);
            }
        });
    }

    /// Goes on with jobs that were asked for before we had looked around.
    fn recover_early(&mut self, cx: &mut Cx<Self>) {
        let early = self.jobs.values();
        let early = early.filter(|job| job.state() == State::Recovering);
        let early: Vec<JobId> = early.map(|job| job.id).collect();
        for id in early {
            self.recover(cx, id);
        }
    }

    /// Namespaces of jobs that the job manager does not ask for are tidied away.
    pub(crate) fn await_leftovers(&mut self, cx: &mut Cx<Self>) {
        if !self.leftovers.is_empty() || self.begun.has_old() {
            let wait = Duration::from_secs(LEFTOVER_WAIT_S);
            cx.timer(wait, Self::tidy_leftovers);
        }
    }

    fn tidy_leftovers(&mut self, cx: &mut Cx<Self>) {
        self.begun.forget_all_but(|id| self.jobs.contains_key(&id));
        for id in std::mem::take(&mut self.leftovers) {
            if self.jobs.contains_key(&id) {
                continue;
            }
            tracing::warn!(
                "job={id}: not requested by the job manager: its guest directory is \
                kept"
            );
            let namespace = id.guest_namespace();
            cx.call(&GetRoot { namespace }, move |core, cx, result| {
                if let Ok(root) = result {
                    core.store.graft(id, Some(root.rootref));
                    // Only the removal follows the graft: there is no such job.
                    remove_after_graft(core, cx, id);
                }
            });
        }
    }

    /// Reads the remains of a job: its guest log is in a namespace, to which there may be
    /// no link yet, or in the primary one.
    pub(crate) fn recover(&mut self, cx: &mut Cx<Self>, id: JobId) {
        if self.last_before.is_none() {
            return;
        }
        let lookup = Lookup::new(&id.guest_namespace(), "exec.eventlog", 0);
        self.read_log(cx, id, lookup, |core, cx, id, found| match found {
            Some(log) => core.recovered(cx, id, &log),
            None => {
                let lookup = Lookup::new(PRIMARY, &id.kvs_key("guest.exec.eventlog"), 0);
                core.read_log(cx, id, lookup, |core, cx, id, found| {
                    core.recovered(cx, id, &found.unwrap_or_default());
                });
            }
        });
    }

    /// Looks a log up, again until the answer is certain. A job whose fate is unknown is
    /// not run again.
    fn read_log(
        &mut self,
        cx: &mut Cx<Self>,
        id: JobId,
        lookup: Lookup,
        then: fn(&mut JobExec, &mut Cx<JobExec>, JobId, Option<Bytes>),
    ) {
        cx.call(
            &lookup.clone(),
            move |core: &mut JobExec, cx, result| match result {
                Ok(found) => then(core, cx, id, found.bytes()),
                Err(error) if is_absence(&error) => then(core, cx, id, None),
                Err(error) if error.errno == Errno::EIO => {
                    let note = format!("job is not recoverable: its log cannot be read: {error}");
                    core.fail_recovery(cx, id, &note);
                }
                Err(error) => {
                    tracing::debug!("job={id}: looking up its log again: {error}");
                    cx.timer(RETRY, move |core: &mut JobExec, cx| {
                        core.read_log(cx, id, lookup, then);
                    });
                }
            },
        );
    }

    fn recovered(&mut self, cx: &mut Cx<Self>, id: JobId, log: &[u8]) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let entries = decode_log(log).unwrap_or_default();
        if let Some(last) = entries.last() {
            job.log.stamps.note(last.timestamp());
        }
        let is_mock = job.is_mock();
        let past = Past::of(&entries, is_mock);
        let critical = job.critical_ranks.take();
        job.critical_ranks = critical.or_else(|| critical_ranks(&entries));
        job.log.has_word = entries.iter().any(|entry| entry.name() == "shell-exit");
        job.log.exists = past != Past::Nothing;
        if !is_mock && job.log.exists {
            job.log.home = Home::Namespace;
        }
        let begun = self.begun.take(id).filter(|_| !is_mock);
        match (past, begun) {
            (Past::Nothing | Past::Init, Some(process)) => self.await_unstored(cx, id, process),
            (past, _) => self.go_on(cx, id, past),
        }
    }

    /// Goes on with a job that had come so far.
    fn go_on(&mut self, cx: &mut Cx<Self>, id: JobId, past: Past) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let (is_mock, reattach) = (job.is_mock(), job.reattach);
        let has_failed = matches!(&job.kind, Kind::Mock(mock, _) if mock.fails_at_run);
        match past {
            Past::Complete { status } => {
                if has_failed {
                    // It was raised before, and may have been lost.
                    self.raise(cx, id, 0, MOCK_FAILURE);
                }
                self.finish_again(cx, id, status, true);
            }
            Past::Failed { status } => {
                self.raise(cx, id, 0, "job is not recoverable: it had failed before");
                let is_started = reattach || status.is_some();
                self.finish_again(cx, id, status.unwrap_or(STATUS_EXCEPTION), is_started);
            }
            Past::Started { at, .. } if is_mock => self.resume_mock(cx, id, at),
            Past::Started {
                is_recoverable: true,
                process,
                ..
            } => self.await_shell(cx, id, process),
            // Nothing is run twice of one that only pretends.
            Past::Nothing | Past::Init if !reattach || is_mock => {
                if job.step(Move::Again) {
                    self.begin(cx, id);
                    // A shell of ours is told nothing before it is in the log: one that
                    // greets now is of an earlier time, has begun nothing, and is sent away.
                    self.admit_stray(cx, id);
                }
            }
            _ => self.fail_recovery(cx, id, "job is not recoverable: no recoverable event"),
        }
    }

    /// The job had ended; only the answers to it are missing, and perhaps the graft. The
    /// contents of its guest directory stay: nothing is begun in its place.
    fn finish_again(&mut self, cx: &mut Cx<Self>, id: JobId, status: i32, is_started: bool) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if !job.step(Move::Complete) {
            return;
        }
        job.status = status;
        job.is_started = is_started;
        (job.log.is_begun, job.log.is_stored) = (true, true);
        job.send_start(cx);
        job.send_finish(cx);
        self.admit_stray(cx, id);
        self.graft_again(cx, id);
    }

    /// Puts the guest directory in its place, unless that was done.
    fn graft_again(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let namespace = id.guest_namespace();
        cx.call(
            &GetRoot { namespace },
            move |core: &mut JobExec, cx, result| match result {
                Ok(root) => core.store.graft(id, Some(root.rootref)),
                Err(error) if is_absence(&error) => {
                    if let Some(job) = core.jobs.get_mut(&id) {
                        job.log.home = Home::Primary;
                    }
                    core.grafted(cx, id);
                }
                Err(_) => {
                    cx.timer(RETRY, move |core: &mut JobExec, cx| {
                        core.graft_again(cx, id)
                    });
                }
            },
        );
    }

    /// The job's shell was started, and nothing of it was stored: the missing events are
    /// written again.
    fn await_unstored(&mut self, cx: &mut Cx<Self>, id: JobId, process: Option<Process>) {
        let now = cx.now().wall;
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.log(now, "init");
        job.log(now, "starting");
        job.log_recoverable(now, process.as_ref());
        self.create_namespace(cx, id);
        self.await_shell(cx, id, process);
    }

    /// The job's shell may be anywhere between its start and its last word.
    fn await_shell(&mut self, cx: &mut Cx<Self>, id: JobId, process: Option<Process>) {
        let now = cx.now().wall;
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if !job.step(Move::Adopt) {
            return;
        }
        job.log.is_begun = true;
        job.log.is_stored = job.log.home == Home::Namespace;
        job.log(now, "reattach");
        let ranks = job.rset.ranks();
        let mut part = Part {
            id,
            task: Some(job.task.clone()),
            all: ranks.clone(),
            ranks: ranks.clone(),
            awaited: ranks,
            begin: Some(job.log.stamps.last()),
            has_namespace: job.log.is_stored,
            expiration: job.expiration,
            ..Part::default()
        };
        part.shell.process = process;
        self.hand.parts.insert(id, part);
        let wait = Duration::from_secs(REATTACH_WAIT_S);
        let timer = cx.timer(wait, move |core: &mut JobExec, cx| {
            core.give_up_awaited(cx, id)
        });
        if let Some(job) = self.jobs.get_mut(&id) {
            job.waits.push(timer);
        }
        // The link may not have been stored.
        self.store.link(id);
        self.touch(id);
        let held = self.strays.get(&id).map(|stray| stray.held.values());
        let held = held.into_iter().flatten();
        let held = held.fold(IdSet::new(), |all, held| all.union(&held.ranks));
        self.admit_stray(cx, id);
        self.miss_of_links(cx, id, &held);
        self.unseen.insert(id);
    }

    /// Job-execs below that lived on while we did not, and do not have a shell, never will.
    fn miss_of_links(&mut self, cx: &mut Cx<Self>, id: JobId, held: &IdSet) {
        let links = self.hand.links.iter();
        let sure = links.filter(|(_, link)| !link.is_fresh);
        let sure = sure.map(|(rank, link)| (*rank, link.below.difference(held)));
        for (link, below) in sure.collect::<Vec<_>>() {
            self.miss(cx, id, link, &below, false);
        }
    }

    fn give_up_awaited(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return;
        };
        let ranks = part.awaited.clone();
        let how = How::NoContact;
        if part.note_end(Ended { ranks, how }) {
            self.news(cx, id);
        }
    }

    /// Looks whether shells that are waited for still run. One that does not will never
    /// report, and its job is not to keep its resources for the rest of the wait.
    pub(crate) fn look_for_shells(&mut self, cx: &mut Cx<Self>) {
        let unseen = std::mem::take(&mut self.unseen).into_iter();
        let waiting =
            unseen.filter_map(|id| Some((id, self.hand.parts.get(&id)?.process()?.clone())));
        let waiting: Vec<(JobId, Process)> = waiting.collect();
        if waiting.is_empty() {
            return;
        }
        let look = move |around: &mut Surroundings| -> Vec<JobId> {
            let gone = waiting
                .into_iter()
                .filter(|(_, process)| process.is_gone(&around.processes.look(process.pid)));
            gone.map(|(id, _)| id).collect()
        };
        cx.work(look, |core: &mut JobExec, cx, gone| {
            for id in gone {
                core.own_ended(cx, id, How::NoContact);
            }
            core.look_again(cx);
        });
    }

    fn look_again(&mut self, cx: &mut Cx<Self>) {
        if self.look.is_some()
            || self
                .hand
                .parts
                .values()
                .all(|part| part.process().is_none())
        {
            return;
        }
        let wait = Duration::from_millis(LOOK_INTERVAL_MS);
        let timer = cx.timer(wait, |core: &mut JobExec, _| {
            core.look = None;
            let parts = core.hand.parts.values();
            let waiting = parts.filter(|part| part.process().is_some());
            core.unseen = waiting.map(|part| part.id).collect();
        });
        self.look = Some(timer);
    }

    /// Shells of an earlier time do not report.
    pub(crate) fn shells_missing(&mut self, cx: &mut Cx<Self>, id: JobId, ranks: &IdSet) {
        let (hosts, which) = self.names(id, ranks);
        let note = format!("job is not recoverable: no job shell on {hosts} ({which})");
        self.fail_recovery(cx, id, &note);
    }

    fn fail_recovery(&mut self, cx: &mut Cx<Self>, id: JobId, note: &str) {
        if let Some(job) = self.jobs.get_mut(&id) {
            // A job manager that asks to reattach knows that the job had started.
            job.is_started = job.reattach;
            job.log.is_stored |= job.reattach;
        }
        self.fail(cx, id, note);
    }

    fn resume_mock(&mut self, cx: &mut Cx<Self>, id: JobId, began: f64) {
        let now = cx.now().wall;
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if !job.step(Move::Adopt) || !job.step(Move::Found) {
            return;
        }
        job.log(now, "reattach");
        job.is_started = true;
        let Kind::Mock(mock, _) = &job.kind else {
            return;
        };
        let left = mock.run_duration.map(|whole| {
            let gone = Duration::try_from_secs_f64((now - began).max(0.0)).unwrap_or_default();
            whole.saturating_sub(gone)
        });
        let left = match mock.reattach_finish {
            true => Some(Duration::ZERO),
            false => left,
        };
        let fails = mock.fails_at_run;
        job.send_start(cx);
        self.touch(id);
        self.arm_expiry(cx, id);
        self.run_mock(cx, id, left);
        if fails {
            // It was raised before, and may have been lost.
            self.fail_mock(cx, id);
        }
    }
}

impl Part {
    /// The process of the shell of an earlier time that is waited for, if it is known.
    fn process(&self) -> Option<&Process> {
        let process = self.shell.process.as_ref();
        process.filter(|_| !self.awaited.is_empty() && self.awaited.contains(0))
    }
}

/// The ranks that a job cannot do without, if it had said so last.
fn critical_ranks(entries: &[Entry]) -> Option<IdSet> {
    let said = entries
        .iter()
        .rfind(|entry| entry.name() == CRITICAL_RANKS)?;
    said.get_str("ranks")?.parse().ok()
}

/// True if the key certainly does not exist.
fn is_absence(error: &Refusal) -> bool {
    matches!(
        error.errno,
        Errno::ENOENT | Errno::EOPNOTSUPP | Errno::ENOTDIR
    )
}

/// Removes a namespace that no job of ours had, once the graft before it is stored. Both
/// go to the same service, which does one after the other.
fn remove_after_graft(core: &mut JobExec, cx: &mut Cx<JobExec>, id: JobId) {
    core.send_off(cx);
    remove_namespace(cx, id);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a log of these events, a blank between name and context.
    fn check(events: &[&str], expect: Past) {
        let lines = events.iter().enumerate().map(|(i, event)| {
            let (name, context) = event.split_once(' ').unwrap_or((event, "{}"));
            format!(
                r#"{{"timestamp":{},"name":"{name}","context":{context}}}"#,
                i + 1
            ) + "\n"
        });
        let entries = decode_log(lines.collect::<String>().as_bytes()).unwrap();
        assert_eq!(Past::of(&entries, false), expect);
    }

    #[test]
    fn a_log_says_how_far_a_job_had_come() {
        let started = |is_recoverable, process| Past::Started {
            at: 2.0,
            is_recoverable,
            process,
        };
        let process = Process {
            pid: 7,
            start: 100,
            boot: "a".to_owned(),
        };
        check(&[], Past::Nothing);
        check(&["init"], Past::Init);
        check(&["init", "starting"], started(false, None));
        check(
            &["init", "starting", "recoverable", "shell.init"],
            started(true, None),
        );
        let recoverable = r#"recoverable {"pid":7,"start":100,"boot":"a"}"#;
        check(
            &["init", "starting", recoverable],
            started(true, Some(process.clone())),
        );
        let earlier = r#"recoverable {"pid":6,"start":90,"boot":"a"}"#;
        check(
            &["init", earlier, "starting", recoverable],
            Past::Started {
                at: 3.0,
                is_recoverable: true,
                process: Some(process),
            },
        );
        let failed = |status| Past::Failed { status };
        check(&["init", "done"], failed(None));
        check(
            &["init", "starting", recoverable, "reattach", "done"],
            failed(None),
        );
        let complete = r#"complete {"status":256}"#;
        check(&["init", "starting", complete, "done"], failed(Some(256)));
        check(
            &["init", "starting", "shell-exit", complete, "done"],
            Past::Complete { status: 256 },
        );
        check(
            &["init", "starting", r#"complete {"status":0}"#],
            Past::Complete { status: 0 },
        );
    }
}
