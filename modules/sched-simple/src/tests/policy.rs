//! Tests of each policy, step by step: requests, and the jobs that start.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;

/// A scheduler at work on one node, and the R of the running jobs.
struct Table<P: Program> {
    probe: Probe<Scheduler<P>>,
    running: BTreeMap<u64, String>,
    now: f64,
}

impl<P: Program> Table<P> {
    fn new(cores: &[u32]) -> Table<P> {
        Table {
            probe: ready_as(&[], cores),
            running: BTreeMap::new(),
            now: 1000.0,
        }
    }

    /// `+ID CORES DURATION[ PRIORITY]`, `-ID` (its job is done), `xID` (its request is taken back),
    /// `@S` (time is S seconds after the start), `^ID PRIORITY`, `~ID END` (0 for never).
    fn step(&mut self, step: &str) {
        let (verb, rest) = step.split_at(1);
        let words: Vec<f64> = rest.split(' ').map(|word| word.parse().unwrap()).collect();
        let (id, probe) = (words[0] as u64, &mut self.probe);
        match verb {
            "+" => {
                let priority = words.get(3).map_or(16, |priority| *priority as u32);
                alloc(probe, id, priority, words[1] as u32, words[2]);
            }
            "-" => {
                let r = self.running.remove(&id).expect("a job that runs");
                let free = format!(r#"{{"id":{id},"R":{r},"final":true}}"#);
                from_manager(probe, "sched.free", &free);
            }
            "x" => from_manager(probe, "sched.cancel", &format!(r#"{{"id":{id}}}"#)),
            "^" => {
                let jobs = format!(r#"{{"jobs":[[{id},{}]]}}"#, words[1]);
                from_manager(probe, "sched.prioritize", &jobs);
            }
            "~" => {
                let end = if words[1] == 0.0 {
                    0.0
                } else {
                    1000.0 + words[1]
                };
                let request = format!(r#"{{"id":{id},"expiration":{end:?}}}"#);
                from_manager(probe, "sched.expiration", &request);
            }
            _ => {
                let end = 1000.0 + words[0];
                probe.pass(Duration::from_secs_f64(end - self.now));
                self.now = end;
            }
        }
    }

    /// Messages about jobs: `ID` for one that starts, `ID<HEAD` for one that passes HEAD,
    /// `ID?ESTIMATE` in seconds after the start, `ID!` for one that is denied or cancelled.
    fn heard(&mut self) -> String {
        self.probe.settle();
        let mut heard = Vec::new();
        loop {
            let messages = self.probe.messages();
            if messages.is_empty() {
                return heard.join(" ");
            }
            for message in messages {
                match message.topic() {
                    "kvs.commit" => {
                        let done = r#"{"rootref":"x","rootseq":1}"#;
                        self.probe
                            .answer("kvs.commit", message.matchtag(), Ok(done));
                    }
                    "sched.alloc" => heard.extend(self.reply(&message)),
                    _ => {}
                }
            }
        }
    }

    fn reply(&mut self, message: &Message) -> Option<String> {
        let reply = sched::AllocReply::decode(message.payload()).unwrap();
        let id = reply.id.get();
        let notes = reply.annotations.unwrap_or_default().0;
        let note = |word: &str| {
            notes
                .get("sched")
                .and_then(|sched| sched.get(word).cloned())
        };
        match reply.kind {
            sched::ALLOC_SUCCESS => {
                let r = reply.r.unwrap();
                self.running.insert(id, r.as_str().to_owned());
                let passed = note("backfill").map(|head| {
                    let head: proto::data::JobId = head.as_str().unwrap().parse().unwrap();
                    format!("<{}", head.get())
                });
                Some(format!("{id}{}", passed.unwrap_or_default()))
            }
            sched::ALLOC_ANNOTATE => note("t_estimate").map(|time| {
                let time = time.as_f64().map(|time| (time - 1000.0).to_string());
                format!("{id}?{}", time.as_deref().unwrap_or("null"))
            }),
            _ => Some(format!("{id}!")),
        }
    }
}

/// Steps on nodes with these cores, and the messages after each.
fn check<P: Program>(cores: &[u32], steps: &[(&str, &str)]) {
    let mut table = Table::<P>::new(cores);
    for (n, (step, expect)) in steps.iter().enumerate() {
        table.step(step);
        assert_eq!(
            table.heard(),
            *expect,
            "{}: step {n}: {step}",
            P::TRAITS.name
        );
    }
}

#[test]
fn fifo_lets_nobody_pass() {
    let steps = [
        ("+1 3 30", "1"),
        ("+2 4 10", ""),
        ("+3 1 5", ""),
        ("-1", "2"),
        ("-2", "3"),
    ];
    check::<Simple>(&[4], &steps);
    check::<Fifo>(&[4], &steps);
}

#[test]
fn fifo_estimates_one_after_the_other() {
    check::<Simple>(
        &[4],
        &[
            ("+1 3 30", "1"),
            ("+2 4 10", ""),
            ("+3 1 5", ""),
            ("@1", "2?30 3?40"),
            // Nothing has changed, so nothing is said.
            ("+4 1 0", ""),
            ("@2", "4?40"),
            // The end of a job without a limit is not known: the next one has no estimate.
            ("+5 4 9", ""),
            ("@3", ""),
            ("x4", "4!"),
            ("@4", "5?45"),
            ("~1 50", ""),
            ("@5", "2?50 3?60 5?65"),
            ("~1 0", ""),
            ("@6", "2?null 3?null 5?null"),
        ],
    );
}

#[test]
fn backfill_lets_jobs_pass_that_are_done_in_time() {
    check::<Backfill>(
        &[4],
        &[
            ("+1 3 30", "1"),
            ("+2 4 10", ""),
            ("+3 1 31", ""),
            ("+4 1 0", ""),
            ("+5 1 30", "5<2"),
            ("-5", ""),
            ("@21", "2?30"),
            ("+6 1 10", ""),
            ("+7 1 9", "7<2"),
            ("-1", ""),
            ("-7", "2"),
            ("-2", "3 4 6"),
        ],
    );
}

#[test]
fn only_the_first_job_has_a_reservation() {
    check::<Backfill>(
        &[4],
        &[
            ("+1 3 30", "1"),
            ("+2 4 10", ""),
            ("@1", "2?30"),
            // One with a higher priority comes before it.
            ("+3 2 5 17", ""),
            ("@2", "3?30 2?null"),
            // Back again.
            ("^3 15", ""),
            ("@3", "2?30 3?null"),
            ("x2", "2!"),
            ("@4", "3?30"),
        ],
    );
}

#[test]
fn one_that_comes_first_moves_the_reservation() {
    check::<Backfill>(
        &[4],
        &[
            ("+1 2 50", "1"),
            ("+2 4 10", ""),
            ("+3 1 90 17", "3"),
            ("@1", "2?90"),
            ("+4 1 60", "4<2"),
        ],
    );
}

#[test]
fn while_no_end_is_known_jobs_that_end_may_pass() {
    check::<Backfill>(
        &[4],
        &[
            ("+1 3 0", "1"),
            ("+2 4 10", ""),
            ("+3 1 500", "3<2"),
            ("+4 1 0", ""),
            ("-3", ""),
            // Its end is known now, and with it the start of the first job.
            ("~1 60", ""),
            ("+5 1 61", ""),
            ("+6 1 60", "6<2"),
        ],
    );
}

#[test]
fn a_job_that_was_passed_over_starts_when_there_is_room() {
    check::<Backfill>(
        &[4],
        &[
            ("+1 2 100", "1"),
            ("+2 1 50", "2"),
            ("+3 4 10", ""),
            ("+4 2 20", ""),
            ("+5 1 20", "5<3"),
            ("-2", ""),
            ("-5", "4<3"),
        ],
    );
}
