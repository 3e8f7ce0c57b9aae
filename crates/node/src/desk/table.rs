//! The tasks of a server: who has which, under which fencing number. Pure. All changes are
//! records first, and the records are stored: read again, they give the same table.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use proto::worker::{Add, Complete, Listed, Renew, Take, Task, WorkerError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::state::{Move, State, next};
use crate::limits::{DESK_NAME_BYTES_MAX, DESK_TASKS_MAX, DESK_TEXT_BYTES_MAX};

/// Recorded event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Record {
    Add {
        name: String,
        text: String,
    },
    Take {
        name: String,
        worker: String,
        ticket: u64,
        fence: u64,
    },
    Back {
        name: String,
    },
    Done {
        name: String,
        fence: u64,
        result: Value,
    },
    /// Fencing numbers up to this one were given out.
    Fence(u64),
}

#[derive(Debug)]
struct Held {
    state: State,
    text: String,
    worker: String,
    fence: u64,
    /// Expiration of the lease.
    ends: Duration,
    result: Value,
}

/// Last request of a worker.
#[derive(Debug)]
struct Asked {
    ticket: u64,
    name: String,
    fence: u64,
}

/// All tasks.
#[derive(Debug, Default)]
pub struct Table {
    tasks: BTreeMap<String, Held>,
    waiting: VecDeque<String>,
    leased: BTreeSet<String>,
    workers: BTreeMap<String, Asked>,
    /// The last fencing number.
    fence: u64,
    refused: u64,
    lease: Duration,
    /// Records that are not stored yet, a line each.
    lines: String,
}

impl Table {
    /// A table without tasks, which gives leases of this length.
    pub fn new(lease: Duration) -> Table {
        Table {
            lease,
            ..Table::default()
        }
    }

    /// Restores the table from stored records. A line that was cut off is left out.
    /// Leases begin again.
    pub fn recall(&mut self, text: &str, now: Duration) {
        for line in text.lines() {
            match serde_json::from_str(line) {
                Ok(record) => self.apply(record, now),
                Err(error) => tracing::warn!("unreadable record: {error}"),
            }
        }
    }

    /// The records since the last time.
    pub fn take_lines(&mut self) -> String {
        std::mem::take(&mut self.lines)
    }

    /// True if there are some.
    pub fn has_lines(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Records from which the table as it is follows.
    pub fn whole(&self) -> String {
        let mut lines = line(&Record::Fence(self.fence));
        for (name, held) in &self.tasks {
            let name = name.clone();
            let text = held.text.clone();
            lines += &line(&Record::Add {
                name: name.clone(),
                text,
            });
            if held.state == State::Waiting {
                continue;
            }
            let asked = self.workers.get(&held.worker);
            lines += &line(&Record::Take {
                name: name.clone(),
                worker: held.worker.clone(),
                ticket: asked.map_or(0, |asked| asked.ticket),
                fence: held.fence,
            });
            if held.state == State::Done {
                let (fence, result) = (held.fence, held.result.clone());
                lines += &line(&Record::Done {
                    name,
                    fence,
                    result,
                });
            }
        }
        lines
    }

    /// Adds tasks.
    pub fn add(&mut self, add: Add, now: Duration) -> Result<(), WorkerError> {
        let is_long = |(name, text): (&String, &String)| {
            name.len() > DESK_NAME_BYTES_MAX || text.len() > DESK_TEXT_BYTES_MAX
        };
        if add.tasks.iter().any(is_long) {
            return Err(WorkerError::TooLong);
        }
        let fresh = add.tasks.into_iter();
        let fresh: Vec<_> = fresh
            .filter(|(name, _)| !self.tasks.contains_key(name))
            .collect();
        if self.tasks.len() + fresh.len() > DESK_TASKS_MAX {
            return Err(WorkerError::Full);
        }
        for (name, text) in fresh {
            self.note(Record::Add { name, text }, now);
        }
        Ok(())
    }

    /// Gives a worker a task, if there is one.
    pub fn take(&mut self, take: &Take, now: Duration) -> Result<Option<Task>, WorkerError> {
        if take.worker.len() > DESK_NAME_BYTES_MAX {
            return Err(WorkerError::TooLong);
        }
        if let Some(asked) = self.workers.get(&take.worker) {
            let (ticket, name, fence) = (asked.ticket, asked.name.clone(), asked.fence);
            if take.ticket < ticket {
                return Err(WorkerError::Replaced);
            }
            if self.is_leased(&name, fence) {
                if take.ticket == ticket {
                    return Ok(self.task(&name));
                }
                // The worker, or the process before it, is done with it without a word.
                self.note(Record::Back { name }, now);
            }
        }
        let Some(name) = self.waiting.front().cloned() else {
            return Ok(None);
        };
        let record = Record::Take {
            name: name.clone(),
            worker: take.worker.clone(),
            ticket: take.ticket,
            fence: self.fence + 1,
        };
        self.note(record, now);
        Ok(self.task(&name))
    }

    /// A worker is still at work.
    pub fn renew(&mut self, renew: &Renew, now: Duration) -> Result<(), WorkerError> {
        let lease = self.lease;
        let held = self.held(&renew.name)?;
        match next(held.state, Move::Renew) {
            Some(_) if held.fence == renew.fence => held.ends = now + lease,
            _ => return Err(WorkerError::TakenOver),
        }
        Ok(())
    }

    /// Records the result of a task. Said again, it changes nothing; said by one in whose
    /// place another was put, it is refused.
    pub fn complete(&mut self, complete: Complete, now: Duration) -> Result<(), WorkerError> {
        if complete.result.to_string().len() > DESK_TEXT_BYTES_MAX {
            return Err(WorkerError::TooLong);
        }
        let held = self.held(&complete.name)?;
        let step = match held.fence == complete.fence {
            true => Move::Complete,
            false => Move::CompleteLate,
        };
        let state = held.state;
        match next(state, step) {
            None => {
                self.refused += 1;
                return Err(WorkerError::TakenOver);
            }
            Some(_) if state == State::Done => {}
            Some(_) => self.note(
                Record::Done {
                    name: complete.name,
                    fence: complete.fence,
                    result: complete.result,
                },
                now,
            ),
        }
        Ok(())
    }

    /// Puts back tasks whose lease has expired.
    pub fn lapse(&mut self, now: Duration) {
        let leased = self.leased.iter();
        let is_over = |name: &&String| self.tasks.get(*name).is_some_and(|held| held.ends <= now);
        let over: Vec<String> = leased.filter(is_over).cloned().collect();
        for name in over {
            tracing::warn!("task {name}: its lease expired");
            self.note(Record::Back { name }, now);
        }
    }

    /// True if there is a lease that can expire.
    pub fn has_leases(&self) -> bool {
        !self.leased.is_empty()
    }

    /// State of the tasks.
    pub fn list(&self) -> Listed {
        let count = |state| {
            self.tasks
                .values()
                .filter(|held| held.state == state)
                .count() as u64
        };
        let done = self.tasks.iter();
        let done = done.filter(|(_, held)| held.state == State::Done);
        Listed {
            waiting: count(State::Waiting),
            leased: count(State::Leased),
            done: done
                .map(|(name, held)| (name.clone(), held.result.clone()))
                .collect(),
            refused: self.refused,
        }
    }

    fn held(&mut self, name: &str) -> Result<&mut Held, WorkerError> {
        self.tasks.get_mut(name).ok_or(WorkerError::Unknown)
    }

    fn is_leased(&self, name: &str, fence: u64) -> bool {
        let held = self.tasks.get(name);
        held.is_some_and(|held| held.state == State::Leased && held.fence == fence)
    }

    fn task(&self, name: &str) -> Option<Task> {
        let held = self.tasks.get(name)?;
        Some(Task {
            name: name.to_owned(),
            text: held.text.clone(),
            fence: held.fence,
            lease: self.lease.as_secs_f64(),
        })
    }

    fn note(&mut self, record: Record, now: Duration) {
        self.lines += &line(&record);
        self.apply(record, now);
    }

    fn apply(&mut self, record: Record, now: Duration) {
        let ends = now + self.lease;
        match record {
            Record::Fence(fence) => self.fence = self.fence.max(fence),
            Record::Add { name, text } => {
                self.waiting.push_back(name.clone());
                let held = Held {
                    state: State::Waiting,
                    text,
                    worker: String::new(),
                    fence: 0,
                    ends,
                    result: Value::Null,
                };
                self.tasks.insert(name, held);
            }
            Record::Take {
                name,
                worker,
                ticket,
                fence,
            } => {
                if self.step(&name, Move::Take) {
                    self.fence = self.fence.max(fence);
                    // Nearly always it is the first.
                    match self.waiting.front() == Some(&name) {
                        true => drop(self.waiting.pop_front()),
                        false => self.waiting.retain(|waiting| *waiting != name),
                    }
                    if let Some(held) = self.tasks.get_mut(&name) {
                        (held.worker, held.fence, held.ends) = (worker.clone(), fence, ends);
                    }
                    self.workers.insert(
                        worker,
                        Asked {
                            ticket,
                            name,
                            fence,
                        },
                    );
                }
            }
            Record::Back { name } => {
                if self.step(&name, Move::Lapse) {
                    self.waiting.push_back(name);
                }
            }
            Record::Done { name, result, .. } => {
                if self.step(&name, Move::Complete)
                    && let Some(held) = self.tasks.get_mut(&name)
                {
                    held.result = result;
                }
            }
        }
    }

    fn step(&mut self, name: &str, step: Move) -> bool {
        let Some(held) = self.tasks.get_mut(name) else {
            return false;
        };
        let to = next(held.state, step);
        held.state = to.unwrap_or(held.state);
        match held.state {
            State::Leased => self.leased.insert(name.to_owned()),
            State::Waiting | State::Done => self.leased.remove(name),
        };
        to.is_some()
    }
}

fn line(record: &Record) -> String {
    serde_json::to_string(record).map_or_else(|_| String::new(), |text| text + "\n")
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
