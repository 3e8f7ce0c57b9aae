//! How a batch of tasks is done, with whichever store: one transaction, and when it
//! fails nothing of it is there and every writer in it is told.

use proto::content::{Commit, CommitError};
use proto::{Errno, Refusal};

use super::backing::{Backing, Batch};
use super::failure::Failure;
use crate::task::{Outcome, Task, TaskResult};

/// Does all tasks of a batch. The results are in the order of the tasks.
pub fn run(backing: &mut dyn Backing, tasks: &[Task]) -> Vec<TaskResult> {
    match try_run(backing, tasks) {
        Ok(results) => results,
        Err(failure) => {
            let refusal = failure.refusal(backing.path());
            tracing::error!("{refusal}");
            backing.undo();
            answer_without_writing(backing, tasks, &refusal)
        }
    }
}

/// A failure is of the store, not of one task, and undoes all.
fn try_run(backing: &mut dyn Backing, tasks: &[Task]) -> Result<Vec<TaskResult>, Failure> {
    let batch = Batch {
        writes: tasks.iter().any(Task::writes),
        power_safe: tasks.iter().any(Task::is_checkpoint),
    };
    backing.begin(batch)?;
    let results = tasks.iter().map(|task| run_one(backing, task));
    let results = results.collect::<Result<Vec<_>, _>>()?;
    backing.end()?;
    Ok(results)
}

fn run_one(backing: &mut dyn Backing, task: &Task) -> Result<TaskResult, Failure> {
    let result = match task {
        Task::Load(name) => match backing.load(name)? {
            Some(Ok(blob)) => Ok(Outcome::Blob(blob)),
            Some(Err(damage)) => {
                let damaged = Failure::Damaged(format!("blob {name} is damaged: {damage}"));
                let refusal = damaged.refusal(backing.path());
                tracing::error!("{refusal}");
                Err(refusal)
            }
            None => Err(Refusal::bare(Errno::ENOENT)),
        },
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
        Task::Barrier => Ok(Outcome::Done),
    };
    Ok(result)
}

/// Only the one that opened the records last may change them.
fn commit(backing: &mut dyn Backing, commit: &Commit) -> Result<TaskResult, Failure> {
    if backing.writer()?.as_deref() != Some(commit.writer.as_str()) {
        return Ok(Err(CommitError::Replaced.into()));
    }
    backing.commit(commit)?;
    Ok(Ok(Outcome::Done))
}

/// After a failure: what only reads is still done, what writes is refused.
fn answer_without_writing(
    backing: &mut dyn Backing,
    tasks: &[Task],
    refusal: &Refusal,
) -> Vec<TaskResult> {
    let mut results = Vec::with_capacity(tasks.len());
    for task in tasks {
        results.push(match task.writes() || *task == Task::Barrier {
            true => Err(refusal.clone()),
            false => run_one(backing, task)
                .unwrap_or_else(|failure| Err(failure.refusal(backing.path()))),
        });
    }
    results
}
