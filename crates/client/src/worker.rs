//! Workers of a site: take tasks from a server, work, report the results. A worker survives any
//! number of deaths of its server and of the broker: it asks again, and the server knows the
//! acknowledged results (doc/howto/write-a-worker.md).

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use proto::worker::{Complete, Renew, Take, Task};
use proto::{Delivery, Errno, Method, Refusal};
use serde_json::Value;

use crate::limits::{WORKER_DELAY_MAX, WORKER_DELAY_MIN, WORKER_PATIENCE};
use crate::{Answered, Call, Handle, OpenError, Options};

/// One worker.
pub struct Worker {
    handle: Handle,
    server: String,
    name: String,
    ticket: u64,
    delivery: Delivery,
    /// Time at which our task was last taken or renewed.
    renewed: Instant,
}

impl Worker {
    /// A worker of this name at the server that is loaded under the name `server`. It waits for
    /// its broker as long as it takes, but for the first time.
    ///
    /// # Errors
    /// There is no broker.
    pub fn open(server: &str, name: &str, options: &Options) -> Result<Worker, OpenError> {
        let options = Options {
            reconnect: Some(options.reconnect.unwrap_or(WORKER_PATIENCE)),
            ..options.clone()
        };
        // Larger than those of a process of this name before us.
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok(Worker {
            handle: Handle::open(None, &options)?,
            server: server.to_owned(),
            name: name.to_owned(),
            ticket: since.map_or(0, |since| since.as_micros() as u64),
            delivery: Delivery::WAIT,
            renewed: Instant::now(),
        })
    }

    /// Sets the delivery policy when the server is away: wait, for ever or until a deadline;
    /// fail at once; or best effort.
    pub fn deliver(mut self, delivery: Delivery) -> Worker {
        self.delivery = delivery;
        self
    }

    /// The next task. Blocks until there is one.
    ///
    /// # Errors
    /// As the server says; that it was not there in time.
    pub fn take(&mut self) -> Result<Task, Refusal> {
        self.ticket += 1;
        let (worker, ticket) = (self.name.clone(), self.ticket);
        let taken = self.ask(&Take { worker, ticket });
        self.renewed = Instant::now();
        taken
    }

    /// Reports that we are still at work on a task: to be sent within its lease.
    ///
    /// # Errors
    /// EEXIST when another worker has it; the task need not be finished then.
    pub fn renew(&mut self, task: &Task) -> Result<(), Refusal> {
        let (name, fence) = (task.name.clone(), task.fence);
        self.ask(&Renew { name, fence }).map(drop)
    }

    /// Renews the lease if a third of it has passed: may be called at any rate.
    ///
    /// # Errors
    /// As of [`Worker::renew`].
    pub fn renew_in_time(&mut self, task: &Task) -> Result<(), Refusal> {
        let third = Duration::try_from_secs_f64(task.lease / 3.0);
        if third.is_ok_and(|third| self.renewed.elapsed() >= third) {
            self.renew(task)?;
            self.renewed = Instant::now();
        }
        Ok(())
    }

    /// Reports the result of a task. It is stored when this returns.
    ///
    /// # Errors
    /// EEXIST when another worker has it: our result does not count.
    pub fn complete(&mut self, task: &Task, result: Value) -> Result<(), Refusal> {
        let (name, fence) = (task.name.clone(), task.fence);
        let complete = Complete {
            name,
            fence,
            result,
        };
        if self.delivery == Delivery::BestEffort {
            let call = Call::new(&complete).topic(&self.topic(Complete::TOPIC));
            self.handle.notify(call);
            return self.handle.flush();
        }
        self.ask(&complete).map(drop)
    }

    fn topic(&self, topic: &str) -> String {
        topic.replacen("worker", &self.server, 1)
    }

    /// Asks until there is an answer of the server itself, as far as the delivery says.
    fn ask<M>(&mut self, request: &M) -> Result<<M as Answered>::Answer, Refusal>
    where
        M: Method + Answered,
    {
        let topic = self.topic(M::TOPIC);
        let patience = match self.delivery {
            Delivery::Wait { deadline } => deadline.unwrap_or(Duration::MAX),
            Delivery::Now => Duration::ZERO,
            // Only the last word can do without an answer.
            Delivery::BestEffort => Duration::MAX,
        };
        let end = Instant::now().checked_add(patience);
        let mut delay = WORKER_DELAY_MIN;
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            let delivery = match self.delivery {
                Delivery::Now => Delivery::Now,
                _ => Delivery::Wait { deadline: left },
            };
            let call = Call::<M>::new(request).topic(&topic).delivery(delivery);
            match self.handle.call(call) {
                Err(error) if is_away(&error) && left.is_none_or(|left| !left.is_zero()) => {
                    std::thread::sleep(delay.min(left.unwrap_or(delay)));
                    delay = (delay * 2).min(WORKER_DELAY_MAX);
                }
                answer => return answer,
            }
        }
    }
}

/// True if there was no answer, but may be later.
fn is_away(error: &Refusal) -> bool {
    let away = [
        Errno::EHOSTUNREACH,
        Errno::ENOSYS,
        Errno::ECONNRESET,
        Errno::EIO,
    ];
    away.contains(&error.errno)
}
