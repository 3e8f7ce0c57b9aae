//! The file, owned by the worker thread: batches of tasks in, what came of each out.
//!
//! Read on in `schema.rs` (the tables and how the file is opened), `blobs.rs`,
//! `checkpoints.rs`, `records.rs` (one file a table) and `failure.rs` (how SQLite's
//! errors are told). A batch is one transaction: when it fails, nothing of it is there
//! and every writer in it is told.

mod blobs;
mod checkpoints;
mod failure;
mod records;
mod schema;

use proto::{Errno, Refusal};
use rusqlite::Connection;

use crate::settings::FileSettings;
use crate::task::{Outcome, Task, TaskResult};
use failure::Failure;

/// The worker: closed until the first job opens it.
#[derive(Debug, Default)]
pub struct Store(Option<Open>);

/// An open file.
#[derive(Debug)]
struct Open {
    db: Connection,
    settings: FileSettings,
    /// Id of the newest checkpoint, 0 without one; every blob stored is marked with it.
    epoch: i64,
}

impl Store {
    /// Opens the file and makes what is missing in it.
    pub fn open(&mut self, settings: FileSettings) -> Result<(), Refusal> {
        let opened = schema::open(&settings).and_then(|db| {
            let epoch = checkpoints::newest_id(&db)?;
            Ok((db, epoch))
        });
        let (db, epoch) = opened.map_err(|failure| failure.refusal(&settings.path))?;
        self.0 = Some(Open {
            db,
            settings,
            epoch,
        });
        Ok(())
    }

    /// Does all tasks of a batch. The results are in the order of the tasks.
    pub fn run(&mut self, tasks: &[Task]) -> Vec<TaskResult> {
        match &mut self.0 {
            Some(open) => open.run(tasks),
            None => {
                let closed = Refusal::new(Errno::EIO, "the content store is not open");
                tasks.iter().map(|_| Err(closed.clone())).collect()
            }
        }
    }
}

impl Open {
    fn run(&mut self, tasks: &[Task]) -> Vec<TaskResult> {
        let before = self.epoch;
        match self.try_run(tasks) {
            Ok(results) => results,
            Err(failure) => {
                self.epoch = before;
                let refusal = failure.refusal(&self.settings.path);
                tracing::error!("{refusal}");
                self.roll_back();
                self.answer_without_writing(tasks, &refusal)
            }
        }
    }

    /// A failure is of the file, not of one task, and undoes all.
    fn try_run(&mut self, tasks: &[Task]) -> Result<Vec<TaskResult>, Failure> {
        let writes = tasks.iter().any(Task::writes);
        let power_safe = tasks.iter().any(Task::is_checkpoint);
        if power_safe {
            schema::set_synchronous(&self.db, "FULL")?;
        }
        if writes {
            self.db.execute_batch("BEGIN IMMEDIATE")?;
        }
        let results = tasks.iter().map(|task| self.run_one(task));
        let results = results.collect::<Result<Vec<_>, _>>()?;
        if writes {
            self.db.execute_batch("COMMIT")?;
        }
        if power_safe {
            schema::set_synchronous(&self.db, &self.settings.synchronous)?;
        }
        Ok(results)
    }

    fn run_one(&mut self, task: &Task) -> Result<TaskResult, Failure> {
        let (db, settings) = (&self.db, &self.settings);
        let result = match task {
            Task::Load(name) => match blobs::load(db, name)? {
                Some(Ok(blob)) => Ok(Outcome::Blob(blob)),
                Some(Err(damage)) => {
                    let damaged = Failure::Damaged(format!("blob {name} is damaged: {damage}"));
                    let refusal = damaged.refusal(&settings.path);
                    tracing::error!("{refusal}");
                    Err(refusal)
                }
                None => Err(Refusal::bare(Errno::ENOENT)),
            },
            Task::Validate(name) => match blobs::exists(db, name)? {
                true => Ok(Outcome::Done),
                false => Err(Refusal::bare(Errno::ENOENT)),
            },
            Task::Store(name, blob) => {
                blobs::store(db, name.digest(), blob, self.epoch)?;
                Ok(Outcome::Done)
            }
            Task::Commit(commit) => self.commit(commit)?,
            Task::Records(writer) => Ok(Outcome::Records(records::open(db, writer)?)),
            Task::CheckpointGet => Ok(Outcome::Checkpoints(checkpoints::get(db)?)),
            Task::CheckpointPut(checkpoint) => {
                self.epoch = checkpoints::put(db, checkpoint, settings.checkpoints_max)?;
                Ok(Outcome::Done)
            }
            Task::Barrier => Ok(Outcome::Done),
        };
        Ok(result)
    }

    fn commit(&mut self, commit: &proto::content::Commit) -> Result<TaskResult, Failure> {
        if records::writer(&self.db)?.as_deref() != Some(commit.writer.as_str()) {
            return Ok(Err(proto::content::CommitError::Replaced.into()));
        }
        for (digest, blob) in &commit.blobs {
            blobs::store(&self.db, digest, blob, self.epoch)?;
        }
        records::write(&self.db, &commit.records)?;
        if let Some(checkpoint) = &commit.checkpoint {
            self.epoch = checkpoints::put(&self.db, checkpoint, self.settings.checkpoints_max)?;
        }
        Ok(Ok(Outcome::Done))
    }

    /// SQLite has rolled back by itself after some errors and not after others.
    fn roll_back(&self) {
        if !self.db.is_autocommit()
            && let Err(error) = self.db.execute_batch("ROLLBACK")
        {
            tracing::error!("{}: {error}", self.settings.path.display());
        }
        if let Err(failure) = schema::set_synchronous(&self.db, &self.settings.synchronous) {
            tracing::error!("{}", failure.refusal(&self.settings.path));
        }
    }

    /// After a failure: what only reads is still done, what writes is refused.
    fn answer_without_writing(&mut self, tasks: &[Task], refusal: &Refusal) -> Vec<TaskResult> {
        let mut results = Vec::with_capacity(tasks.len());
        for task in tasks {
            results.push(match task.writes() || *task == Task::Barrier {
                true => Err(refusal.clone()),
                false => self
                    .run_one(task)
                    .unwrap_or_else(|failure| Err(failure.refusal(&self.settings.path))),
            });
        }
        results
    }
}

#[cfg(test)]
mod tests;
