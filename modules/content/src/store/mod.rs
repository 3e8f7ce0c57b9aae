//! The store, owned by the worker thread: batches of tasks in, the result of each out.
//!
//! Read on in `batch.rs` (how a batch is done), `backing.rs` (the steps that a store provides for
//! it), `sqlite/` (one file), `files/` (a folder), `failure.rs` (errors), `mapped.rs` (files of the
//! host), `witness.rs` and `damage.rs` (how it is known, and kept in mind, that something is
//! missing).

mod backing;
mod batch;
mod clock;
mod damage;
mod failure;
mod files;
mod files_beside;
mod mapped;
mod sqlite;
mod witness;

use proto::config::Cache;
use proto::{Errno, Refusal};

use crate::config::{Backend, Durability, FileSettings};
use crate::task::{Task, TaskResult};
pub use backing::Upkeep;

use backing::Backing;
use clock::Clock;
use failure::Failure;
use files::Files;
use sqlite::Sqlite;

/// The worker: closed until the first job opens it.
#[derive(Debug, Default)]
pub struct Store {
    backing: Option<Box<dyn Backing>>,
    clock: Clock,
}

impl Store {
    /// Opens the store and makes missing parts of it.
    pub fn open(&mut self, backend: Backend, settings: FileSettings) -> Result<(), Refusal> {
        let path = settings.path.clone();
        let opened = match backend {
            Backend::Sqlite => Sqlite::open(settings).map(|store| Box::new(store) as _),
            Backend::Files => Files::open(settings).map(|store| Box::new(store) as _),
        };
        self.backing = Some(opened.map_err(|failure| failure.refusal(&path))?);
        Ok(())
    }

    /// Sets the durability of commits.
    pub fn set_durability(&mut self, durability: Durability) {
        self.with(|backing| backing.set_durability(durability));
    }

    /// Sets the amount kept in memory.
    pub fn set_cache(&mut self, cache: Cache) {
        self.with(|backing| backing.set_cache(cache));
    }

    /// Forgets the caches in memory and in the store.
    pub fn drop_cache(&mut self) {
        self.with(|backing| backing.drop_cache());
    }

    fn with(&mut self, run: impl FnOnce(&mut dyn Backing) -> Result<(), Failure>) {
        if let Some(backing) = &mut self.backing
            && let Err(failure) = run(backing.as_mut())
        {
            tracing::error!("{}", failure.refusal(backing.path()));
        }
    }

    /// Upkeep needed now.
    pub fn upkeep_due(&self) -> Upkeep {
        let backing = self.backing.as_ref();
        backing.map_or(Upkeep::Nothing, |backing| backing.upkeep_due())
    }

    /// Tidies up for a few milliseconds. Returns true if there is more to do; after a
    /// failure there is not, until something else was done.
    pub fn upkeep(&mut self) -> Upkeep {
        let Some(backing) = &mut self.backing else {
            return Upkeep::Nothing;
        };
        match backing.upkeep() {
            Ok(()) => backing.upkeep_due(),
            Err(failure) => {
                batch::report(backing.as_mut(), &failure);
                Upkeep::Nothing
            }
        }
    }

    /// Tidies everything up before the end.
    pub fn close(&mut self) {
        if let Some(mut backing) = self.backing.take()
            && let Err(failure) = backing.close()
        {
            // Nothing is lost: the next to open the store does it.
            batch::report(backing.as_mut(), &failure);
        }
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
