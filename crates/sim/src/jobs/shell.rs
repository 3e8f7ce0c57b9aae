//! A job shell without tasks: it greets job-exec, takes orders, stores lines of output in the
//! job's namespace once that is there, and says its last word until it is answered, as `crates/job-shell` does
//! (protocol/13 sections 5 to 8). It outlives job-exec.

use proto::data::{JobId, Jobspec};
use proto::job_exec::{GuestLines, ShellExit, ShellHello, ShellJob, ShellOrder};
use proto::kvs::Commit;
use proto::{Errno, Payload};
use serde_json::json;
use wire::{Flags, Message};

use super::Shared;
use super::history::cores_of;
use super::task::of_command;
use crate::rng::Rng;
use crate::store::{ask, outcome_of};

/// The exit code of one that is not wanted.
const UNWANTED: u8 = 1;

/// A job shell.
pub(super) struct Shell {
    pub id: JobId,
    lease: String,
    /// Rank of its broker.
    broker: usize,
    pid: i32,
    ledger: Shared,
    tag: u32,
    hello: Option<u32>,
    exit: Option<u32>,
    commit: Option<(u32, Commit, Vec<String>)>,
    /// A commit that may or may not have been done.
    again: Option<(Commit, Vec<String>)>,
    job: Option<Job>,
    /// True if the job's namespace exists.
    is_open: bool,
    /// Lines that wait for it, or for the last message.
    waiting: GuestLines,
    seq: u64,
    at: At,
}

/// Job to run.
struct Job {
    /// Rank of the shell among those of the job.
    rank: u32,
    steps: u8,
    code: u8,
    n_lines: u8,
    t: f64,
    /// Last line, which goes with its last word.
    last: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Without a job.
    Greeting,
    /// Tasks would be running.
    Running,
    /// The tasks have ended with this code, which nobody has taken yet.
    Leaving(u8),
    /// Nothing is left to do.
    Gone(u8),
}

impl Shell {
    /// A shell that was just started.
    pub fn new(id: JobId, lease: String, (broker, pid): (usize, i32), ledger: Shared) -> Shell {
        Shell {
            id,
            lease,
            broker,
            pid,
            ledger,
            tag: 0,
            hello: None,
            exit: None,
            commit: None,
            again: None,
            job: None,
            is_open: false,
            waiting: GuestLines::default(),
            seq: 0,
            at: At::Greeting,
        }
    }

    /// The exit code, once it has ended.
    pub fn ended(&self) -> Option<u8> {
        match self.at {
            At::Gone(code) => Some(code),
            _ => None,
        }
    }

    /// True if it would do something in its turn.
    pub fn has_work(&self) -> bool {
        let is_leaving = matches!(self.at, At::Leaving(_));
        match self.at {
            At::Gone(_) => false,
            _ if self.hello.is_none() && !is_leaving => true,
            At::Greeting => false,
            At::Running => self.commit.is_none(),
            At::Leaving(_) => self.commit.is_none() && self.exit.is_none(),
        }
    }

    /// Turn.
    pub fn tick(&mut self, now: f64, rng: &mut Rng) -> Option<Message> {
        if matches!(self.at, At::Gone(_)) {
            return None;
        }
        if self.hello.is_none() && !matches!(self.at, At::Leaving(_)) {
            return Some(self.greet());
        }
        if let Some((commit, lines)) = self.again.take() {
            return Some(self.store(commit, lines));
        }
        let is_running = self.at == At::Running && rng.chance(50);
        match self.at {
            _ if self.commit.is_some() => None,
            At::Running if self.is_open && !self.waiting.is_empty() => Some(self.catch_up()),
            At::Running if is_running => self.run(now),
            At::Leaving(code) if self.exit.is_none() => Some(self.leave(code, now)),
            _ => None,
        }
    }

    /// Rank among the shells of the job, 0 until it knows the job.
    fn rank(&self) -> u32 {
        self.job.as_ref().map_or(0, |job| job.rank)
    }

    fn greet(&mut self) -> Message {
        self.tag += 1;
        self.hello = Some(self.tag);
        let hello = ShellHello {
            id: self.id,
            rank: self.rank(),
            pid: self.pid,
            lease: self.lease.clone(),
            again: self.job.is_some(),
        };
        ask(self.tag, &hello, Flags::STREAMING)
    }

    /// Stores a line, or has no more.
    fn run(&mut self, now: f64) -> Option<Message> {
        let job = self.job.as_mut()?;
        if job.n_lines == job.steps {
            self.stop(self.job.as_ref()?.code);
            return None;
        }
        job.t = job.t.max(now);
        let line = line(job.t, job.n_lines);
        let (mut log, mut output) = (String::new(), String::new());
        if job.n_lines == 0 {
            let t = job.t;
            output = format!(r#"{{"timestamp":{t:.6},"name":"header","context":{{}}}}"#) + "\n";
            log = format!(r#"{{"timestamp":{t:.6},"name":"shell.start"}}"#) + "\n";
        }
        job.n_lines += 1;
        if job.rank > 0 {
            // The leading one alone has something to say.
            return None;
        }
        self.ledger
            .borrow_mut()
            .run(self.id)
            .open
            .push(line.clone());
        self.waiting.log += &log;
        self.waiting.output += &(output + &line + "\n");
        self.is_open.then(|| self.catch_up())
    }

    /// Stores the data that waited for the namespace.
    fn catch_up(&mut self) -> Message {
        let GuestLines { log, output, .. } = std::mem::take(&mut self.waiting);
        let is_data = |line: &&str| line.contains("\"data\"");
        let lines = output.lines().filter(is_data).map(str::to_owned).collect();
        let namespace = self.id.guest_namespace();
        let mut commit = Commit::new(&namespace).append("output", output);
        if !log.is_empty() {
            commit = commit.append("exec.eventlog", log);
        }
        self.seq += 1;
        let commit = commit.once(&self.lease, self.seq);
        self.store(commit, lines)
    }

    fn store(&mut self, commit: Commit, lines: Vec<String>) -> Message {
        self.tag += 1;
        let message = ask(self.tag, &commit, 0);
        self.commit = Some((self.tag, commit, lines));
        message
    }

    fn leave(&mut self, code: u8, now: f64) -> Message {
        let mut output = String::new();
        if let Some(job) = self.job.as_mut().filter(|job| job.rank == 0) {
            let t = job.t.max(now);
            let is_first = job.last.is_none();
            let last = job.last.get_or_insert_with(|| line(t, u8::MAX));
            if is_first {
                let mut ledger = self.ledger.borrow_mut();
                ledger.run(self.id).open.push(last.clone());
            }
            output = format!("{}{last}\n", self.waiting.output);
        }
        self.tag += 1;
        self.exit = Some(self.tag);
        let exit = ShellExit {
            id: self.id,
            rank: self.rank(),
            lease: self.lease.clone(),
            code,
            lines: GuestLines {
                log: self.waiting.log.clone(),
                output,
                ..GuestLines::default()
            },
        };
        ask(self.tag, &exit, 0)
    }

    /// The tasks end.
    fn stop(&mut self, code: u8) {
        match self.at {
            At::Greeting | At::Running => {
                self.ledger.borrow_mut().end(self.id, self.broker);
                self.at = At::Leaving(code);
            }
            At::Leaving(_) | At::Gone(_) => {}
        }
    }

    /// A signal arrives at the process or comes as an order.
    pub fn signal(&mut self, signum: i32) {
        let code = u8::try_from(128 + signum).unwrap_or(u8::MAX);
        self.stop(code);
    }

    /// Receives a response.
    pub fn take(&mut self, message: &Message, now: f64) {
        let (tag, result) = outcome_of(message).expect("a response");
        if Some(tag) == self.hello {
            return self.ordered(result, message, now);
        }
        if Some(tag) == self.exit {
            self.exit = None;
            return self.dismissed(result);
        }
        if let Some((_, commit, lines)) = self.commit.take_if(|(commit, ..)| *commit == tag) {
            self.stored(result, commit, lines);
        }
    }

    fn ordered(&mut self, result: Result<(), Errno>, message: &Message, now: f64) {
        if let Err(errno) = result {
            self.hello = None;
            if is_final(errno) && !matches!(self.at, At::Leaving(_)) {
                self.abandon();
            }
            return;
        }
        let order = ShellOrder::decode(message.payload()).expect("an order");
        if let Some(job) = order.job
            && self.at == At::Greeting
        {
            self.begin(&job, now);
        }
        self.is_open |= order.namespace;
        if let Some(signum) = order.signal {
            self.signal(signum);
        }
    }

    fn begin(&mut self, told: &ShellJob, now: f64) {
        let spec = Jobspec::decode(&told.jobspec.to_string()).expect("a jobspec");
        let (steps, code) = of_command(&spec.command()).expect("our command");
        let cores = cores_of(&told.r.to_string());
        let mut ranks: Vec<u32> = cores.iter().map(|(rank, _)| *rank).collect();
        ranks.dedup();
        let own = |rank: u32| rank == self.broker as u32;
        let rank = ranks
            .iter()
            .position(|rank| own(*rank))
            .expect("it has part in the job");
        let rank = rank as u32;
        let cores: Vec<_> = cores.into_iter().filter(|(rank, _)| own(*rank)).collect();
        self.ledger.borrow_mut().begin(self.id, rank, &cores);
        self.job = Some(Job {
            rank,
            steps,
            code,
            n_lines: 0,
            last: None,
            t: now.max(told.t_log),
        });
        self.at = At::Running;
    }

    fn stored(&mut self, result: Result<(), Errno>, commit: Commit, lines: Vec<String>) {
        match result {
            Ok(()) => {
                let mut ledger = self.ledger.borrow_mut();
                let run = ledger.run(self.id);
                run.open.retain(|line| !lines.contains(line));
                run.stored.extend(lines);
            }
            // It may be done or not; it is not done twice. Or there is no kvs for now.
            Err(Errno::EHOSTUNREACH | Errno::ENOSYS) => self.again = Some((commit, lines)),
            // The namespace was removed with the job: nobody waits for our messages.
            Err(_) => {}
        }
    }

    fn dismissed(&mut self, result: Result<(), Errno>) {
        let At::Leaving(code) = self.at else {
            return;
        };
        match result {
            Ok(()) => {
                let mut ledger = self.ledger.borrow_mut();
                let run = ledger.run(self.id);
                run.outcome = Some(code);
                let rest = std::mem::take(&mut run.open);
                run.stored.extend(rest);
                drop(ledger);
                self.at = At::Gone(code);
            }
            Err(errno) if is_final(errno) => self.abandon(),
            // Said again in its next turn.
            Err(_) => {}
        }
    }

    /// job-exec does not want it.
    fn abandon(&mut self) {
        let mut ledger = self.ledger.borrow_mut();
        ledger.end(self.id, self.broker);
        ledger.run(self.id).is_sent_away |= self.at == At::Running;
        drop(ledger);
        self.at = At::Gone(UNWANTED);
    }

    /// The process is killed, and its tasks with it.
    pub fn kill(&mut self) {
        let mut ledger = self.ledger.borrow_mut();
        ledger.end(self.id, self.broker);
        ledger.run(self.id).is_killed = true;
    }

    /// Handles the loss of its node.
    pub fn lose(&self) {
        let mut ledger = self.ledger.borrow_mut();
        let run = ledger.run(self.id);
        run.is_killed = true;
        run.lost.insert(self.broker);
    }
}

/// A line of output of a number.
fn line(t: f64, n: u8) -> String {
    let data = json!({"stream": "stdout", "rank": "0", "data": marker(n)});
    format!(r#"{{"timestamp":{t:.6},"name":"data","context":{data}}}"#)
}

fn marker(n: u8) -> String {
    format!("line {n};")
}

/// True if job-exec will not change its mind.
fn is_final(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::ESRCH | Errno::ECANCELED | Errno::EPERM | Errno::EPROTO
    )
}
