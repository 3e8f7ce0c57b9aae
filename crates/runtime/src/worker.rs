//! The one ordered worker of a node that has slow work, such as SQLite: a thread, from the first
//! work on that is not quick.

use std::any::Any;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use node::{Work, WorkId, WorkResult};
use rustix::event::{EventfdFlags, eventfd};

/// The value that work is done on, by its type known to the node alone.
type Owned = Box<dyn Any + Send>;

/// Executor of work.
pub enum Worker {
    /// There is no work.
    None,
    /// Nobody yet.
    Unmade(Box<dyn FnOnce() -> Owned + Send>),
    /// The calling thread.
    Here(Owned),
    /// A thread.
    Thread(WorkerThread<Owned>),
}

impl Worker {
    /// State of the worker, unless a thread has it.
    pub fn here(&mut self) -> Option<&mut (dyn Any + Send)> {
        if let Worker::Unmade(_) = self
            && let Worker::Unmade(make) = std::mem::replace(self, Worker::None)
        {
            *self = Worker::Here(make());
        }
        match self {
            Worker::Here(worker) => Some(worker.as_mut()),
            _ => None,
        }
    }

    /// Starts the thread, if it is not there; returns the descriptor that is then to be
    /// watched.
    pub fn start(&mut self) -> Option<&OwnedFd> {
        let started = match std::mem::replace(self, Worker::None) {
            Worker::Unmade(make) => WorkerThread::start(make),
            Worker::Here(worker) => WorkerThread::start(move || worker),
            other => {
                *self = other;
                return None;
            }
        };
        match started {
            Ok(thread) => *self = Worker::Thread(thread),
            Err(error) => tracing::error!("cannot start the worker thread: {error}"),
        }
        match self {
            Worker::Thread(thread) => Some(thread.fd()),
            _ => None,
        }
    }

    /// Gives the thread one more piece of work.
    pub fn give(&self, work: WorkId, job: Work) {
        if let Worker::Thread(thread) = self {
            thread.give(work, Box::new(move |owned: &mut Owned| job(owned.as_mut())));
        }
    }

    /// Results of the thread that have come in.
    pub fn take(&self) -> Vec<(WorkId, WorkResult)> {
        match self {
            Worker::Thread(thread) => thread.take(),
            _ => Vec::new(),
        }
    }
}

/// A piece of work on a `W`.
type WorkOn<W> = Box<dyn FnOnce(&mut W) -> WorkResult + Send>;

/// A worker thread and the way back from it.
pub struct WorkerThread<W> {
    jobs: Option<Sender<(WorkId, WorkOn<W>)>>,
    results: Receiver<(WorkId, WorkResult)>,
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl<W: 'static> WorkerThread<W> {
    /// Starts the thread, which makes its `W` first.
    pub fn start(make: impl FnOnce() -> W + Send + 'static) -> std::io::Result<WorkerThread<W>> {
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (jobs, todo) = channel::<(WorkId, WorkOn<W>)>();
        let (done, results) = channel();
        let ring = wake.clone();
        let thread = std::thread::Builder::new()
            .name("worker".to_owned())
            .spawn(move || {
                let mut worker = make();
                for (id, job) in todo {
                    if done.send((id, job(&mut worker))).is_err() {
                        return;
                    }
                    let _ = rustix::io::write(&ring, &1u64.to_ne_bytes());
                }
            })?;
        Ok(WorkerThread {
            jobs: Some(jobs),
            results,
            wake,
            thread: Some(thread),
        })
    }

    /// The descriptor that is readable when results wait.
    pub fn fd(&self) -> &OwnedFd {
        &self.wake
    }

    /// Gives the thread one more piece of work.
    pub fn give(&self, work: WorkId, job: WorkOn<W>) {
        if let Some(jobs) = &self.jobs
            && jobs.send((work, job)).is_err()
        {
            tracing::error!("the worker thread has exited");
        }
    }

    /// Results that have come in.
    pub fn take(&self) -> Vec<(WorkId, WorkResult)> {
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.wake, &mut count);
        self.results.try_iter().collect()
    }
}

impl<W> WorkerThread<W> {
    /// Leaves the thread to itself: nobody waits for its results.
    pub fn abandon(mut self) {
        self.thread = None;
    }
}

impl<W> Drop for WorkerThread<W> {
    /// Everything given is done before the process ends.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
