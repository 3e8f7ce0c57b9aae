//! Transactions on any store: a batch of tasks is one transaction, and when it fails none
//! of it is stored and every writer in it is answered with the error.

use proto::content::{Commit, CommitError, LoadError};
use proto::content_backing::{Sweep, SweepError};
use proto::data::{BlobRef, HashKind, Tree};
use proto::{Errno, Refusal};

use super::backing::{Backing, Batch};
use super::clock::Clock;
use super::failure::Failure;
use super::mapped;
use crate::task::{Outcome, Task, TaskResult};

/// Does all tasks of a batch. The results are in the order of the tasks.
pub fn run(backing: &mut dyn Backing, clock: &mut Clock, tasks: &[Task]) -> Vec<TaskResult> {
    match try_run(backing, clock, tasks) {
        Ok(results) => results,
        Err(failure) => {
            let refusal = failure.refusal(backing.path());
            backing.undo();
            report(backing, &failure);
            answer_without_writing(backing, clock, tasks, &refusal)
        }
    }
}

/// Logs a failure, and records damage for the next process that opens the store.
pub fn report(backing: &mut dyn Backing, failure: &Failure) {
    let text = failure.refusal(backing.path()).to_string();
    if failure.is_damage() {
        backing.damaged(&text);
    } else {
        tracing::error!("{text}");
    }
}

/// A failure is of the store, not of one task, and undoes all.
fn try_run(
    backing: &mut dyn Backing,
    clock: &mut Clock,
    tasks: &[Task],
) -> Result<Vec<TaskResult>, Failure> {
    let batch = Batch {
        writes: tasks.iter().any(Task::writes),
        power_safe: tasks.iter().any(Task::is_checkpoint),
    };
    let began = Clock::now();
    backing.begin(batch)?;
    let results = tasks.iter().map(|task| run_one(backing, clock, task));
    let results = results.collect::<Result<Vec<_>, _>>()?;
    backing.end()?;
    if batch.writes {
        clock.store.add_since(began);
    }
    Ok(results)
}

fn run_one(
    backing: &mut dyn Backing,
    clock: &mut Clock,
    task: &Task,
) -> Result<TaskResult, Failure> {
    let result = match task {
        Task::Load(name) => load(backing, clock, name)?,
        Task::LoadMapped(name, places) => match mapped::load(name, places) {
            Some(blob) => Ok(Outcome::Blob(blob)),
            // It may have been stored as well.
            None => match load(backing, clock, name)? {
                Err(refusal) if refusal.errno == Errno::ENOENT => {
                    Err(LoadError::MappedChanged.into())
                }
                result => result,
            },
        },
        Task::Map(step) => mapped::look(step).map(|(parts, next)| Outcome::Parts(parts, next)),
        Task::Validate(name) => match backing.has(name)? {
            true => Ok(Outcome::Done),
            false => Err(Refusal::bare(Errno::ENOENT)),
        },
        Task::Store(name, blob) => {
            backing.store(name, blob)?;
            Ok(Outcome::Done)
        }
        Task::Commit(change) => commit(backing, change)?,
        Task::Records(writer) => Ok(Outcome::Records(backing.open_records(writer)?)),
        Task::CheckpointGet => Ok(Outcome::Checkpoints(backing.checkpoints()?)),
        Task::CheckpointPut(checkpoint) => {
            backing.put_checkpoint(checkpoint)?;
            Ok(Outcome::Done)
        }
        Task::GcInfo => Ok(Outcome::Gc(backing.gc_info()?)),
        Task::Count { epoch, after, end } => {
            Ok(Outcome::Number(backing.count_below(*epoch, *after, *end)?))
        }
        Task::Mark(epoch, names) => Ok(Outcome::Number(backing.mark(*epoch, names)?)),
        Task::Sweep(request) => sweep(backing, request)?,
        Task::Shrink => Ok(Outcome::Shrunk(backing.shrink()?)),
        Task::Stats => {
            let mut stats = backing.stats()?;
            stats.load_time = clock.load.summary();
            stats.store_time = clock.store.summary();
            Ok(Outcome::Stats(Box::new(stats)))
        }
        Task::Findings => Ok(Outcome::Findings(backing.damage().findings().to_vec())),
        Task::Accept => {
            backing.damage().accept()?;
            Ok(Outcome::Done)
        }
        Task::Barrier => Ok(Outcome::Done),
    };
    Ok(result)
}

fn load(
    backing: &mut dyn Backing,
    clock: &mut Clock,
    name: &BlobRef,
) -> Result<TaskResult, Failure> {
    let began = Clock::now();
    let loaded = backing.load(name)?;
    clock.load.add_since(began);
    Ok(match loaded {
        Some(Ok(blob)) => Ok(Outcome::Blob(blob)),
        Some(Err(damage)) => {
            let damaged = Failure::Damaged(format!("blob {name} is damaged: {damage}"));
            let refusal = damaged.refusal(backing.path());
            backing.damaged(&refusal.to_string());
            Err(refusal)
        }
        None => Err(Refusal::bare(Errno::ENOENT)),
    })
}

/// Blobs stored now have the current epoch: a sweep beyond it would delete them too.
///
/// New namespaces begin from the empty directory, whose name every client knows, so it
/// stays even while no directory refers to it.
fn sweep(backing: &mut dyn Backing, sweep: &Sweep) -> Result<TaskResult, Failure> {
    let current = backing.epoch();
    if sweep.epoch > current {
        return Ok(Err(SweepError::BeyondEpoch(current).into()));
    }
    let empty = Tree::empty_dir().encode();
    let kinds = [HashKind::Sha1, HashKind::Sha256];
    let names = kinds.map(|kind| BlobRef::of(kind, empty.as_ref()));
    backing.mark(sweep.epoch, &names)?;
    Ok(Ok(Outcome::Swept(backing.sweep(sweep)?)))
}

/// Only the one that opened the records last may change them. It may send a commit again
/// when the answer was lost, and one that builds on another before that is answered.
fn commit(backing: &mut dyn Backing, commit: &Commit) -> Result<TaskResult, Failure> {
    let writer = backing.writer()?;
    let Some(writer) = writer.filter(|writer| writer.uuid == commit.writer) else {
        return Ok(Err(CommitError::Replaced.into()));
    };
    if commit.number <= writer.number {
        return Ok(Ok(Outcome::Done));
    }
    if commit.after > writer.number {
        return Ok(Err(CommitError::Unfounded.into()));
    }
    let committed = backing.commit(commit)?;
    if let Err(refusal) = &committed {
        let text = format!("{}: {refusal}", backing.path().display());
        if refusal.errno == Errno::EIO {
            backing.damaged(&text);
        } else {
            tracing::error!("{text}");
        }
    }
    Ok(committed.map(|()| Outcome::Done))
}

/// After a failure: reads are still done, writes are refused. A kvs that starts when
/// nothing can be written can read too.
fn answer_without_writing(
    backing: &mut dyn Backing,
    clock: &mut Clock,
    tasks: &[Task],
    refusal: &Refusal,
) -> Vec<TaskResult> {
    let mut results = Vec::with_capacity(tasks.len());
    for task in tasks {
        results.push(match task {
            Task::Records(writer) if refusal.may_pass() => backing
                .open_records_unsaved(writer)
                .map(Outcome::Records)
                .map_err(|failure| failure.refusal(backing.path())),
            _ if task.writes() || *task == Task::Barrier => Err(refusal.clone()),
            _ => run_one(backing, clock, task)
                .unwrap_or_else(|failure| Err(failure.refusal(backing.path()))),
        });
    }
    results
}
