//! Part of one job in a job-exec: the shells of its own rank and of those below it, and their
//! reports. Pure but for the tokens that it holds.

use std::rc::Rc;

use proto::data::{IdSet, JobId};
use proto::job_exec::{Ended, Held, How, Letter, LostShells, News, Pressure, Receipt, Task, Wrote};

use super::barrier::Barrier;
use super::shell::Shell;

/// The part of one job that is here and below.
#[derive(Default)]
pub struct Part {
    /// The job.
    pub id: JobId,
    /// The number that its shells were started under; empty until one of them reports, when
    /// the job was started before us.
    pub lease: String,
    /// The job, if it is known.
    pub task: Option<Rc<Task>>,
    /// Ranks of all brokers that have part in it, if they are known.
    pub all: IdSet,
    /// Ranks of the job that are here and below.
    pub ranks: IdSet,
    /// Ranks where a shell is to be started, and the order was not sent yet.
    pub unsent: IdSet,
    /// Ranks on which a shell is being started.
    pub starting: IdSet,
    /// Ranks on which a shell runs.
    pub running: IdSet,
    /// Ranks that should have a shell which has not reported since one of us was started.
    pub awaited: IdSet,
    /// Ends of the other shells.
    pub ended: Vec<Ended>,
    /// Time since when shells may receive their job.
    pub begin: Option<f64>,
    /// True if the job's namespace exists.
    pub has_namespace: bool,
    /// Current step of kill escalation.
    pub press: Option<Pressure>,
    /// The last signal for its tasks, or 0.
    pub signal: i32,
    /// Expiration.
    pub expiration: f64,
    /// Barrier of its shells.
    pub barrier: Barrier,
    /// Losses to report to the leading shell.
    pub lost: Vec<LostShells>,
    /// The shell of our own rank.
    pub shell: Shell,
    /// News for the job-exec above.
    pub fresh: Unsaid,
    /// True if it wants to be notified at once.
    pub hurry: bool,
}

/// News not yet sent to the job-exec above, besides those that follow from the part.
#[derive(Default)]
pub struct Unsaid {
    /// Number of ends that it knows.
    pub n_ended: usize,
    /// Shells that it knows to be running.
    pub running: IdSet,
    /// Words on their way to the leading shell.
    pub letters: Vec<Letter>,
    /// Answers on their way back.
    pub receipts: Vec<Receipt>,
    /// Output of shells.
    pub wrote: Vec<Wrote>,
}

impl Part {
    /// Where a shell runs, or may.
    pub fn active(&self) -> IdSet {
        let begun = self.running.union(&self.starting);
        begun.union(&self.unsent).union(&self.awaited)
    }

    /// True if the shell of a rank of ours has ended.
    pub fn has_ended(&self, rank: u32) -> bool {
        let mut active = [&self.running, &self.starting, &self.unsent, &self.awaited].into_iter();
        self.ranks.contains(rank) && !active.any(|ranks| ranks.contains(rank))
    }

    /// True if every shell is known to be running, or to have ended.
    pub fn is_settled(&self) -> bool {
        self.unsent.is_empty() && self.starting.is_empty() && self.awaited.is_empty()
    }

    /// Rank of the broker where the leading shell is.
    pub fn leader(&self) -> Option<u32> {
        self.all.first()
    }

    /// Ranks among the shells of the job, of brokers.
    pub fn shell_ranks(&self, brokers: &IdSet) -> IdSet {
        let ranks = brokers.iter().map(|rank| self.shell_rank(rank));
        ranks.collect()
    }

    /// Rank among the shells of the job, of one broker.
    pub fn shell_rank(&self, broker: u32) -> u32 {
        u32::try_from(self.all.position(broker)).unwrap_or(u32::MAX)
    }

    /// True if a shell of this rank belongs not to our own broker but to one below, whose
    /// job-exec is offline just now: it is to ask again.
    pub fn is_others(&self, own: u32, shell: u32) -> bool {
        !self.all.is_empty() && self.shell_rank(own) != shell
    }

    /// Shells run. Those that have ended stay so. True if this was new.
    pub fn note_running(&mut self, ranks: &IdSet) -> bool {
        let fresh = ranks.intersection(&self.active()).difference(&self.running);
        for set in [&mut self.unsent, &mut self.starting, &mut self.awaited] {
            set.subtract(&fresh);
        }
        self.running.add(&fresh);
        !fresh.is_empty()
    }

    /// Shells have ended. An end counts once. True if this was new.
    pub fn note_end(&mut self, end: Ended) -> bool {
        let ranks = end.ranks.intersection(&self.active());
        if ranks.is_empty() {
            return false;
        }
        for set in [
            &mut self.unsent,
            &mut self.starting,
            &mut self.awaited,
            &mut self.running,
        ] {
            set.subtract(&ranks);
        }
        self.ended.push(Ended { ranks, ..end });
        true
    }

    /// News for the job-exec above: none as long as more of the same kind is expected soon.
    pub fn take_news(&mut self) -> Option<Held> {
        let mut news = News::default();
        if self.is_settled() || self.hurry {
            news.running = self.running.difference(&self.fresh.running);
            self.fresh.running.add(&news.running);
        }
        if self.are_ends_due() {
            news.ended = self.ended[self.fresh.n_ended..].to_vec();
            self.fresh.n_ended = self.ended.len();
        }
        news.barrier = self.barrier_news();
        news.letters = std::mem::take(&mut self.fresh.letters);
        news.receipts = std::mem::take(&mut self.fresh.receipts);
        news.wrote = std::mem::take(&mut self.fresh.wrote);
        (news != News::default()).then(|| self.held(news))
    }

    /// All data for a job-exec above that knows nothing.
    pub fn take_all(&mut self) -> Held {
        self.fresh.running = IdSet::new();
        self.fresh.n_ended = 0;
        self.barrier.is_told = false;
        let hurry = std::mem::replace(&mut self.hurry, true);
        let news = self.take_news().map(|held| held.news).unwrap_or_default();
        self.hurry = hurry;
        let opened = self.barrier.opened.clone();
        Held {
            opened,
            ..self.held(news)
        }
    }

    fn held(&self, mut news: News) -> Held {
        news.id = self.id;
        news.lease.clone_from(&self.lease);
        Held {
            ranks: self.ranks.clone(),
            knows: self.task.is_some(),
            pressed: self.press.map_or(0, |press| press.n),
            opened: None,
            news,
        }
    }

    /// True if ends are to be reported: those of shells that exited with success only with
    /// the last one.
    fn are_ends_due(&self) -> bool {
        let unsaid = &self.ended[self.fresh.n_ended..];
        let leader = self.leader();
        let is_urgent = |end: &Ended| match &end.how {
            How::Word { status, .. } => {
                *status != 0 || leader.is_none_or(|rank| end.ranks.contains(rank))
            }
            _ => true,
        };
        !unsaid.is_empty()
            && (self.hurry || self.active().is_empty() || unsaid.iter().any(is_urgent))
    }
}
