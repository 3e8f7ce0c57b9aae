//! The one ordered worker thread of a node that has slow work, such as SQLite.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use node::{Work, WorkId, WorkResult};
use rustix::event::{EventfdFlags, eventfd};

/// A worker thread and the way back from it.
pub struct WorkerThread<W> {
    jobs: Option<Sender<(WorkId, Work<W>)>>,
    results: Receiver<(WorkId, WorkResult)>,
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl<W: 'static> WorkerThread<W> {
    /// Starts the thread, which makes its `W` first.
    pub fn start(make: impl FnOnce() -> W + Send + 'static) -> std::io::Result<WorkerThread<W>> {
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (jobs, todo) = channel::<(WorkId, Work<W>)>();
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
    pub fn give(&self, work: WorkId, job: Work<W>) {
        if let Some(jobs) = &self.jobs
            && jobs.send((work, job)).is_err()
        {
            tracing::error!("the worker thread is gone");
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
    /// Leaves the thread to itself: nobody waits for what it does.
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
