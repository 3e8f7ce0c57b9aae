//! Random jobs on random nodes, from a seed: none starves, the promise to the first job is
//! kept, and nothing is given twice.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use proto::data::JobId;

use super::*;

const SEEDS: u64 = 12;
const STEPS: usize = 120;
/// Steps within which everything that waits must have run once nothing new comes.
const STEPS_TO_DRAIN: usize = 2_000;

struct Run<P: Program> {
    probe: Probe<Scheduler<P>>,
    rng: Rng,
    cores: Vec<u32>,
    next_id: u64,
    waiting: usize,
    /// R and end of the running jobs.
    running: BTreeMap<u64, (Rset, f64)>,
    priorities: BTreeMap<JobId, u32>,
    /// The first job and when it was to start at the latest.
    promised: Option<(JobId, f64)>,
    now: f64,
}

impl<P: Program> Run<P> {
    fn new(seed: u64) -> Run<P> {
        let mut rng = Rng::with_seed(seed);
        let cores: Vec<u32> = (0..rng.usize(1..6)).map(|_| rng.u32(1..9)).collect();
        Run {
            probe: ready_as(&["queue-depth=unlimited"], &cores),
            rng,
            cores,
            next_id: 1,
            waiting: 0,
            running: BTreeMap::new(),
            priorities: BTreeMap::new(),
            promised: None,
            now: 1000.0,
        }
    }

    fn submit(&mut self) {
        let most = *self.cores.iter().max().unwrap();
        let duration = match self.rng.u8(0..10) {
            0 => 0.0,
            _ => f64::from(self.rng.u32(1..200)),
        };
        let priority = if self.rng.u8(0..8) == 0 {
            self.rng.u32(10..20)
        } else {
            16
        };
        let wanted = self.rng.u32(1..=most);
        alloc(&mut self.probe, self.next_id, priority, wanted, duration);
        self.priorities.insert(JobId(self.next_id), priority);
        self.next_id += 1;
        self.waiting += 1;
    }

    /// A job that runs is done, in time.
    fn finish(&mut self, id: u64) {
        let Some((r, _)) = self.running.remove(&id) else {
            return;
        };
        let free = format!(r#"{{"id":{id},"R":{},"final":true}}"#, r.encode());
        from_manager(&mut self.probe, "sched.free", &free);
    }

    /// Time goes on; jobs that must end by then do.
    fn pass(&mut self) {
        let until = self.now + f64::from(self.rng.u32(1..40));
        loop {
            let ends = self.running.iter().filter(|(_, (_, end))| *end > 0.0);
            let next = ends.min_by(|a, b| a.1.1.total_cmp(&b.1.1));
            let Some((id, end)) = next.map(|(id, (_, end))| (*id, *end)) else {
                break;
            };
            if end > until {
                break;
            }
            self.go_to(end.max(self.now));
            self.finish(id);
            self.look();
        }
        self.go_to(until);
    }

    fn go_to(&mut self, time: f64) {
        self.probe.pass(Duration::from_secs_f64(time - self.now));
        self.now = time;
    }

    /// Lets the module decide, and checks its decisions.
    fn look(&mut self) {
        self.probe.settle();
        loop {
            let messages = self.probe.messages();
            if messages.is_empty() {
                break;
            }
            for message in messages {
                match message.topic() {
                    "kvs.commit" => {
                        let done = r#"{"rootref":"x","rootseq":1}"#;
                        self.probe
                            .answer("kvs.commit", message.matchtag(), Ok(done));
                    }
                    "sched.alloc" => self.hear(&message),
                    _ => {}
                }
            }
        }
        self.check_promise();
    }

    fn hear(&mut self, message: &Message) {
        let reply = sched::AllocReply::decode(message.payload()).unwrap();
        match reply.kind {
            sched::ALLOC_SUCCESS => {
                let r: Rset = reply.r.unwrap().parse().unwrap();
                for (other, _) in self.running.values() {
                    assert!(!r.overlaps(other), "{r} is given twice");
                }
                // One that is before the first job takes its place, and with it its promise.
                let rank = |id| (Reverse(self.priorities[&id]), id);
                if self
                    .promised
                    .is_some_and(|(id, _)| rank(reply.id) <= rank(id))
                {
                    self.promised = None;
                }
                let end = r.expiration();
                self.running.insert(reply.id.get(), (r, end));
                self.waiting -= 1;
            }
            sched::ALLOC_ANNOTATE => {}
            kind => panic!("a job that fits is answered {kind}"),
        }
    }

    /// The first job starts no later than was promised, as long as it is the first.
    fn check_promise(&mut self) {
        let core = &self.probe.actor.core;
        let first = core.queue.first().map(|job| job.id);
        let known = core.reservation.filter(|known| Some(known.id) == first);
        let start = known.and_then(|known| known.start);
        if let (Some((id, by)), Some(first)) = (self.promised, first)
            && id == first
        {
            assert!(
                self.now <= by,
                "{id} was to start by {by}, it is {}",
                self.now
            );
            let start = start.expect("what was known is known");
            assert!(start <= by, "{id} was to start by {by}, now by {start}");
        }
        self.promised = first.zip(start);
    }

    fn run(mut self) {
        for _ in 0..STEPS {
            match self.rng.u8(0..10) {
                0..5 => self.submit(),
                5..7 => {
                    let ids: Vec<u64> = self.running.keys().copied().collect();
                    if let Some(id) = self.rng.choice(ids) {
                        self.finish(id);
                    }
                }
                _ => self.pass(),
            }
            self.look();
        }
        for _ in 0..STEPS_TO_DRAIN {
            // A job without an end is ended.
            let endless = self.running.iter().find(|(_, (_, end))| *end == 0.0);
            if let Some(id) = endless.map(|(id, _)| *id) {
                self.finish(id);
                self.look();
            }
            self.pass();
            self.look();
            if self.waiting == 0 {
                return;
            }
        }
        panic!("{} jobs starve", self.waiting);
    }
}

#[test]
fn no_job_starves_and_no_promise_is_broken() {
    for seed in 0..SEEDS {
        Run::<Simple>::new(seed).run();
        Run::<Backfill>::new(seed).run();
    }
}
