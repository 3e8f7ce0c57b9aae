//! A run: brokers find each other, work under faults, come to rest, and stop.

use std::time::Duration;

use node::Input;
use proto::data::topology::Scheme;
use proto::overlay::control;
use wire::{Kind, Message};

use super::links::Way;
use super::{Brokers, Due};

/// Trees that runs are made of.
const SHAPES: [(Scheme, u32); 5] = [
    (Scheme::Kary(2), 7),
    (Scheme::Kary(1), 4),
    (Scheme::Kary(0), 6),
    (Scheme::Binomial, 9),
    (Scheme::Mincrit(2), 8),
];
/// SIGTERM.
const SIGTERM: i32 = 15;
/// Longest time between the first and the last start, in milliseconds.
const START_MS: usize = 3_000;
/// Most seconds until all run, until all is quiet after the faults, until all have ended.
const PATIENCE_S: u64 = 300;
/// Longest that a fault is felt: a pause, or a dead connection.
const AFTERMATH: Duration = Duration::from_secs(60);
/// Time that a message takes to be received everywhere.
const ECHO: Duration = Duration::from_secs(5);

/// Parameters of a run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The shape of the tree.
    pub scheme: Scheme,
    /// Number of brokers.
    pub size: u32,
    /// From which the run follows.
    pub seed: u64,
    /// In how many of 100 stretches of a few seconds something breaks.
    pub fault_percent: u64,
    /// True if brokers that have ended are restarted.
    pub restarts: bool,
    /// True if events are recorded.
    pub traced: bool,
}

/// Result of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeReport {
    /// Inputs of every broker, in order.
    pub trace: Vec<String>,
    /// Pings that got their answer.
    pub answered: u64,
    /// Of those, with an error.
    pub failed: u64,
    /// Things that went wrong.
    pub faults: u64,
}

/// Messages that brokers have taken in from each other.
#[derive(Debug, Clone)]
pub struct Counts {
    /// All but those that say no more than that one is there.
    by_rank: Vec<u64>,
    /// Those.
    pub pulses: u64,
    /// In how much time, as brokers see it.
    pub time: Duration,
    /// Ranks in the order in which their parents have received their goodbye.
    pub(super) goodbyes: Vec<usize>,
}

impl Counts {
    pub(super) fn new(size: usize) -> Counts {
        Counts {
            by_rank: vec![0; size],
            pulses: 0,
            time: Duration::ZERO,
            goodbyes: Vec::new(),
        }
    }

    pub(super) fn count(&mut self, rank: usize, message: &Message) {
        match message.kind {
            Kind::Control {
                control: control::HEARTBEAT,
                ..
            } => self.pulses += 1,
            _ => self.by_rank[rank] += 1,
        }
    }

    /// All, and the most that one broker has taken in.
    pub fn summary(&self) -> (u64, u64) {
        let most = self.by_rank.iter().max();
        (self.by_rank.iter().sum(), most.copied().unwrap_or(0))
    }
}

impl Plan {
    /// The plan that follows from a seed; the shape of the tree too.
    pub fn of_seed(seed: u64, fault_percent: u64, restarts: bool) -> Plan {
        let (scheme, size) = SHAPES[seed as usize % SHAPES.len()];
        Plan {
            scheme,
            size,
            seed,
            fault_percent,
            restarts,
            traced: true,
        }
    }

    /// Brokers that only start, work and stop, and print nothing of it.
    pub fn of_size(scheme: Scheme, size: u32) -> Plan {
        Plan {
            scheme,
            size,
            seed: 1,
            fault_percent: 0,
            restarts: true,
            traced: false,
        }
    }

    /// Runs it. Panics when a checker speaks.
    pub fn run(self) -> TreeReport {
        let mut brokers = Brokers::new(self.scheme, self.size, self.seed, self.traced);
        brokers.programs.is_prompt = true;
        brokers.start_all();
        brokers.restarts = self.restarts;
        for _ in 0..60 {
            brokers.work(self.fault_percent);
        }
        brokers.come_to_rest();
        brokers.check_routes();
        brokers.check_events();
        brokers.check_truth();
        brokers.stop_all();
        TreeReport {
            trace: brokers.trace.take().unwrap_or_default(),
            answered: brokers.programs.answered,
            failed: brokers.programs.failed,
            faults: brokers.faults,
        }
    }

    /// Starts all, passes events, cuts links, stops. Prints the messages of each part under
    /// its name.
    pub fn count(self, n_events: usize, n_cuts: usize, mut tell: impl FnMut(&str, &Counts)) {
        let mut brokers = Brokers::new(self.scheme, self.size, self.seed, self.traced);
        brokers.start_all();
        brokers.pass(ECHO);
        tell("start", &brokers.take_counts());
        for _ in 0..n_events {
            let rank = brokers.rng.below(brokers.sites.len());
            brokers.publish(rank);
            brokers.pass(Duration::from_millis(5));
        }
        brokers.pass(ECHO);
        for rank in 0..brokers.sites.len() {
            assert_eq!(brokers.programs.n_heard(rank), n_events, "rank {rank}");
        }
        tell("events", &brokers.take_counts());
        for _ in 0..n_cuts {
            let rank = 1 + brokers.rng.below(brokers.sites.len() - 1);
            brokers.cut(rank, &[Way::Up, Way::Down]);
        }
        brokers.come_to_rest();
        brokers.check_truth();
        tell("loss", &brokers.take_counts());
        brokers.stop_all();
        tell("stop", &brokers.take_counts());
    }
}

impl Brokers {
    /// Counts since the last call.
    fn take_counts(&mut self) -> Counts {
        let size = self.sites.len();
        let mut counts = std::mem::replace(&mut self.counts, Counts::new(size));
        counts.time = self.now.mono.saturating_sub(self.counted);
        self.counted = self.now.mono;
        counts
    }

    fn start_all(&mut self) {
        for rank in 0..self.sites.len() {
            let wait = self.up_to(START_MS);
            self.later(wait, Due::Start(rank));
        }
        self.pass(Duration::from_millis(START_MS as u64));
        self.wait_until("all run", |brokers| brokers.all_ready());
    }

    fn all_ready(&self) -> bool {
        let mut sites = self.sites.iter().enumerate();
        sites.all(|(rank, site)| {
            self.programs.is_ready(rank) || !self.restarts && !site.is_running && site.life > 0
        })
    }

    /// Passes time until something holds.
    fn wait_until(&mut self, what: &str, holds: impl Fn(&Brokers) -> bool) {
        for _ in 0..PATIENCE_S {
            if holds(self) {
                return;
            }
            self.pass(Duration::from_secs(1));
        }
        let waiting = self.programs.waiting();
        panic!("not so: {what}; {waiting:?}\n{}", self.last_lines());
    }

    /// Programs ask for some seconds, and something may break.
    fn work(&mut self, fault_percent: u64) {
        if self.rng.chance(fault_percent) {
            self.break_something();
        }
        for _ in 0..20 {
            let rank = self.rng.below(self.sites.len());
            if self.programs.is_ready(rank) {
                match self.rng.below(4) {
                    0 => self.publish(rank),
                    1 => self.ping_upstream(rank),
                    _ => {
                        // One more than there are: nobody is there.
                        let target = self.rng.below(self.sites.len() + 1);
                        self.ping(rank, target);
                    }
                }
            }
            let wait = self.up_to(200);
            self.pass(wait);
        }
    }

    /// Ends all faults, and lets everything recover.
    fn come_to_rest(&mut self) {
        self.heal();
        self.pass(AFTERMATH);
        self.wait_until("all run that should", |brokers| brokers.all_ready());
        self.pass(ECHO);
        let waiting = self.programs.waiting();
        assert!(waiting.is_empty(), "{waiting:?}\n{}", self.last_lines());
        self.programs.check_all_heard();
    }

    /// From every rank to every rank, and upstream.
    fn check_routes(&mut self) {
        let size = self.sites.len();
        for from in (0..size)
            .filter(|rank| self.programs.is_ready(*rank))
            .collect::<Vec<_>>()
        {
            let failed = self.programs.failed;
            self.ping_upstream(from);
            (0..size).for_each(|to| self.ping(from, to));
            self.pass(ECHO);
            let lost = self.sites.iter().filter(|site| !site.is_running).count();
            assert_eq!(
                self.programs.failed - failed,
                lost as u64,
                "from rank {from}"
            );
        }
        assert!(self.programs.waiting().is_empty());
    }

    /// Checks that everybody receives an event published now.
    fn check_events(&mut self) {
        let ready = |brokers: &Brokers| -> Vec<usize> {
            let ranks = 0..brokers.sites.len();
            ranks
                .filter(|rank| brokers.programs.is_ready(*rank))
                .collect()
        };
        let ranks = ready(self);
        let before: Vec<usize> = ranks
            .iter()
            .map(|rank| self.programs.n_heard(*rank))
            .collect();
        for rank in &ranks {
            self.publish(*rank);
        }
        self.pass(ECHO);
        for (rank, before) in ranks.iter().zip(before) {
            let heard = self.programs.n_heard(*rank) - before;
            assert_eq!(heard, ranks.len(), "rank {rank} does not hear all events");
        }
    }

    /// Rank 0 is stopped: leaves end first.
    fn stop_all(&mut self) {
        self.restarts = false;
        self.counts.goodbyes.clear();
        let running: Vec<usize> = (0..self.sites.len())
            .filter(|rank| self.sites[*rank].is_running)
            .collect();
        self.deliver(0, Input::Signal(SIGTERM));
        self.wait_until("all have ended", |brokers| {
            brokers.sites.iter().all(|site| !site.is_running)
        });
        let said: Vec<usize> = std::mem::take(&mut self.counts.goodbyes);
        assert_eq!(said.len(), running.len() - 1, "not all said goodbye");
        let mut when = vec![usize::MAX; self.sites.len()];
        for (at, rank) in said.iter().enumerate() {
            when[*rank] = at;
        }
        for rank in running {
            assert_eq!(self.sites[rank].exit_code, Some(0), "rank {rank}");
            let parent = self.parent(rank).unwrap_or(0);
            assert!(
                rank == 0 || when[rank] <= when[parent],
                "rank {rank} after {parent}"
            );
        }
    }
}
