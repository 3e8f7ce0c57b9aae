//! The store, owned by the worker thread: batches of tasks in, what came of each out.
//!
//! Read on in `batch.rs` (how a batch is done), `backing.rs` (the steps that a store
//! provides for it), `sqlite/` (one file) and `failure.rs` (how failures are told).

mod backing;
mod batch;
mod clock;
mod failure;
mod sqlite;

use proto::{Errno, Refusal};

use crate::settings::FileSettings;
use crate::task::{Task, TaskResult};
use backing::Backing;
use clock::Clock;
use sqlite::Sqlite;

/// The worker: closed until the first job opens it.
#[derive(Debug, Default)]
pub struct Store {
    backing: Option<Box<dyn Backing>>,
    clock: Clock,
}

impl Store {
    /// Opens the store and makes what is missing in it.
    pub fn open(&mut self, settings: FileSettings) -> Result<(), Refusal> {
        let path = settings.path.clone();
        let opened = Sqlite::open(settings).map_err(|failure| failure.refusal(&path))?;
        self.backing = Some(Box::new(opened));
        Ok(())
    }

    /// Does all tasks of a batch. The results are in the order of the tasks.
    pub fn run(&mut self, tasks: &[Task]) -> Vec<TaskResult> {
        match &mut self.backing {
            Some(backing) => batch::run(backing.as_mut(), &mut self.clock, tasks),
            None => {
                let closed = Refusal::new(Errno::EIO, "the content store is not open");
                tasks.iter().map(|_| Err(closed.clone())).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests;
