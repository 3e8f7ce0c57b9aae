//! Many brokers that form a tree, on one thread, one clock, one seed.
//!
//! Messages take time on links, and everything that will happen waits in one list by its
//! time: so the cost of a run of ten thousand brokers grows with their messages, not with
//! their number. Read on in `run.rs` (a run), `links.rs` (how messages travel and links
//! end), `faults.rs` (failures), `programs.rs` (programs that ask, and the checkers of
//! their answers) and `truth.rs` (checkers of the reports of brokers about each other).

use std::collections::BTreeMap;
use std::time::Duration;

use broker::BrokerNode;
use node::{Input, Now, Output, PeerId, PeerKind};
use proto::data::Topology;
use proto::data::topology::Scheme;

use crate::hosted::{AnyNode, Hosted};
use crate::rng::Rng;
use crate::stage;

mod faults;
mod links;
mod programs;
mod run;
mod truth;

use links::{Links, Way};
use programs::Programs;
pub use run::{Counts, Plan, TreeReport};

/// Time for which a connected program waits until it asks, and asks again, in
/// milliseconds.
const PATIENCE_MS: u64 = 200;
/// Lines of the trace that a checker shows.
const LAST_LINES: usize = 50;

/// A rank, and the broker that runs there, if one does.
struct Site {
    broker: Hosted<BrokerNode>,
    /// Number of brokers started here.
    life: u64,
    is_running: bool,
    is_paused: bool,
    /// Inputs that came while it was paused.
    missed: Vec<Input>,
    /// The next time it is woken up.
    wakes: Option<Duration>,
    /// With which it ended.
    exit_code: Option<i32>,
}

/// Future event.
enum Due {
    /// A timer of a broker goes off.
    Wake(usize, u64),
    /// A broker starts.
    Start(usize),
    /// A paused broker goes on.
    Resume(usize),
    /// A program connects to a broker of this life, or asks again whether it runs.
    Connect(usize, u64),
    /// A message arrives at the other end of a link.
    Arrive(PeerId, Way, Box<wire::Message>),
    /// Notifies the end of a link to which this way leads that the link has ended.
    LinkEnds(PeerId, Way),
}

/// All brokers and the links between them.
pub struct Brokers {
    scheme: Scheme,
    topology: Topology,
    seed: u64,
    rng: Rng,
    now: Now,
    sites: Vec<Site>,
    links: Links,
    programs: Programs,
    due: BTreeMap<(Duration, u64), Due>,
    n_due: u64,
    /// True if a broker that ends is restarted.
    restarts: bool,
    /// Ranks between which and the others nothing passes.
    island: Vec<usize>,
    faults: u64,
    counts: Counts,
    /// Time at which counting began.
    counted: Duration,
    trace: Option<Vec<String>>,
}

impl Brokers {
    /// Brokers of which none runs. Those of a `traced` run print all their inputs.
    fn new(scheme: Scheme, size: u32, seed: u64, traced: bool) -> Brokers {
        let topology = Topology::new(scheme, size);
        let site = |rank: usize| Site {
            broker: stage::broker_of_tree(rank, scheme, &topology, seed, traced),
            life: 0,
            is_running: false,
            is_paused: false,
            missed: Vec::new(),
            wakes: None,
            exit_code: None,
        };
        Brokers {
            sites: (0..size as usize).map(site).collect(),
            programs: Programs::new(size as usize),
            links: Links::default(),
            counts: Counts::new(size as usize),
            counted: Duration::from_secs(1),
            trace: traced.then(Vec::new),
            rng: Rng::new(seed),
            now: Now {
                mono: Duration::from_secs(1),
                wall: 1000.0,
            },
            due: BTreeMap::new(),
            n_due: 0,
            restarts: false,
            island: Vec::new(),
            faults: 0,
            scheme,
            topology,
            seed,
        }
    }

    fn parent(&self, rank: usize) -> Option<usize> {
        Some(self.topology.parent(rank as u32)? as usize)
    }

    fn later(&mut self, wait: Duration, due: Due) {
        self.n_due += 1;
        self.due.insert((self.now.mono + wait, self.n_due), due);
    }

    /// A time of up to this many milliseconds.
    fn up_to(&mut self, most_ms: usize) -> Duration {
        Duration::from_millis(self.rng.below(most_ms + 1) as u64)
    }

    /// Everything happens that is due until then.
    fn pass(&mut self, time: Duration) {
        let until = self.now.mono + time;
        while let Some((at, _)) = self.due.keys().next().copied()
            && at <= until
        {
            self.set_clock(at);
            if let Some((_, due)) = self.due.pop_first() {
                self.happen(due);
            }
        }
        self.set_clock(until);
    }

    fn set_clock(&mut self, at: Duration) {
        self.now.wall += at.saturating_sub(self.now.mono).as_secs_f64();
        self.now.mono = at;
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Wake(rank, life) if self.sites[rank].life == life => {
                self.sites[rank].wakes = None;
                self.deliver(rank, Input::Deadline);
                self.sites[rank].broker.check_invariants();
            }
            Due::Wake(..) => {}
            Due::Start(rank) => self.start(rank),
            Due::Resume(rank) => self.resume(rank),
            Due::Connect(rank, life) if self.sites[rank].life == life => self.connect(rank),
            Due::Connect(..) => {}
            Due::Arrive(link, way, message) => self.arrive(link, way, *message),
            Due::LinkEnds(link, way) => self.end_link(link, way),
        }
    }

    fn start(&mut self, rank: usize) {
        if self.sites[rank].is_running {
            return;
        }
        let life = self.sites[rank].life + 1;
        let traced = self.trace.is_some();
        if life > 1 {
            let seed = self.seed + life * 1_000_003;
            self.sites[rank].broker =
                stage::broker_of_tree(rank, self.scheme, &self.topology, seed, traced);
        }
        let site = &mut self.sites[rank];
        (site.life, site.is_running, site.is_paused) = (life, true, false);
        (site.wakes, site.exit_code) = (None, None);
        site.missed.clear();
        self.note(|| format!("broker {rank} starts"));
        if let Some(parent) = self.parent(rank) {
            self.links.open(rank, parent);
        }
        let (peer, kind) = (PeerId::BROKER, PeerKind::Broker);
        self.deliver(rank, Input::PeerUp { peer, kind });
        if rank != 0 {
            let (peer, kind) = (PeerId::PARENT, PeerKind::Parent);
            self.deliver(rank, Input::PeerUp { peer, kind });
        }
        let wait = Duration::from_millis(PATIENCE_MS);
        self.later(wait, Due::Connect(rank, life));
    }

    fn resume(&mut self, rank: usize) {
        if !std::mem::take(&mut self.sites[rank].is_paused) {
            return;
        }
        self.note(|| format!("broker {rank} goes on"));
        for input in std::mem::take(&mut self.sites[rank].missed) {
            self.deliver(rank, input);
        }
    }

    /// A broker has ended, by itself or not: those below notice.
    fn ended(&mut self, rank: usize, code: Option<i32>) {
        let site = &mut self.sites[rank];
        if !std::mem::take(&mut site.is_running) {
            return;
        }
        site.exit_code = code;
        site.missed.clear();
        self.note(|| format!("broker {rank} ends with {code:?}"));
        self.programs.broker_ended(rank);
        self.let_go(rank);
        if self.restarts {
            let wait = Duration::from_secs(1) + self.up_to(3000);
            self.later(wait, Due::Start(rank));
        }
    }

    /// A broker receives an input, and its results are carried out.
    fn deliver(&mut self, rank: usize, input: Input) {
        let site = &mut self.sites[rank];
        if !site.is_running {
            return;
        }
        if site.is_paused {
            site.missed.push(input);
            return;
        }
        let mut outputs = Vec::new();
        site.broker.handle(self.now, input);
        outputs.extend(std::iter::from_fn(|| site.broker.poll()));
        while let Some(result) = site.broker.take_result() {
            site.broker.handle(self.now, result);
            outputs.extend(std::iter::from_fn(|| site.broker.poll()));
        }
        site.broker.handle(self.now, Input::Settled);
        outputs.extend(std::iter::from_fn(|| site.broker.poll()));
        for output in outputs {
            self.carry_out(rank, output);
        }
        let site = &mut self.sites[rank];
        if let Some(deadline) = site.broker.deadline()
            && site.wakes.is_none_or(|wakes| wakes > deadline)
        {
            site.wakes = Some(deadline);
            let life = site.life;
            let wait = deadline.saturating_sub(self.now.mono);
            self.later(wait, Due::Wake(rank, life));
        }
    }

    fn carry_out(&mut self, rank: usize, output: Output) {
        match output {
            Output::Send { to, message } if to == PeerId::PARENT => {
                self.send_up(rank, message);
            }
            Output::Send { to, message } if self.links.has(to) => self.send_down(to, message),
            Output::Send { message, .. } => self.program_hears(rank, &message),
            Output::Close { peer } => self.close(rank, peer),
            Output::Exit { code } => self.ended(rank, Some(code)),
            _ => {}
        }
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        let now = self.now.mono.as_secs_f64();
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{now:.3} {}", line()));
        }
    }

    /// The end of the trace, for those who have to find out.
    fn last_lines(&self) -> String {
        let trace = self.trace.as_deref().unwrap_or_default();
        trace[trace.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}
