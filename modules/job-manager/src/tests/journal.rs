//! A consumer that follows the journal by number. It is killed again and again, stalls, and
//! outlives job managers; in the end it knows the state in the KVS.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::stage::Stage;
use crate::limits::{HISTORY_SLICE_BYTES, JOURNAL_EVENTS_MAX, LISTENERS_OF_GUEST_MAX};

const TOPIC: &str = "job-manager.events-journal";

/// Records of the stream with this tag.
pub fn records(said: &[String], tag: u32) -> Vec<Value> {
    let prefix = format!("response {TOPIC} #{tag} {{");
    let ours = said.iter().filter_map(|line| line.strip_prefix(&prefix));
    let whole = ours.map(|rest| {
        let text = format!("{{{rest}").replace(":JOBSPEC", ":{}");
        serde_json::from_str(&text).expect("a record")
    });
    whole.collect()
}

fn names(record: &Value) -> Vec<String> {
    let events = record["events"].as_array().expect("events");
    let name = |event: &Value| event["name"].as_str().expect("a name").to_owned();
    events.iter().map(name).collect()
}

/// A program that keeps the news that it receives, and its position.
#[derive(Default)]
struct Consumer {
    tag: u32,
    window: Option<u64>,
    since: Option<f64>,
    /// Events of each job.
    jobs: BTreeMap<u64, Vec<String>>,
    /// A snapshot until it is whole.
    snapshot: BTreeMap<u64, Vec<String>>,
    /// Responses that came and were not taken.
    inbox: Vec<Value>,
    taken: u64,
    snapshots: usize,
    resumed: usize,
}

impl Consumer {
    fn open(&mut self, stage: &mut Stage, window: u64) {
        let mut request = serde_json::json!({"full": true, "window": window});
        if let Some(since) = self.since {
            request["since"] = since.into();
        }
        (self.taken, self.window) = (0, Some(window));
        self.inbox.clear();
        self.snapshot.clear();
        let (tag, said) = stage.stream(TOPIC, &request.to_string());
        self.tag = tag;
        self.hear(&said);
    }

    fn hear(&mut self, said: &[String]) {
        self.inbox.extend(records(said, self.tag));
        let out = self.inbox.len() as u64;
        assert!(self.window.is_none_or(|window| out <= window), "{out} out");
    }

    /// Takes at most N responses.
    fn take(&mut self, stage: &mut Stage, most: usize) {
        let most = most.min(self.inbox.len());
        for record in self.inbox.drain(..most).collect::<Vec<_>>() {
            self.taken += 1;
            self.record(&record);
        }
        let (tag, taken) = (self.tag, self.taken);
        let json = format!(r#"{{"matchtag":{tag},"taken":{taken}}}"#);
        let said = stage.play(&format!("request {TOPIC}-taken {json}"));
        self.hear(&said);
    }

    fn record(&mut self, record: &Value) {
        let seq = record["seq"].as_f64().expect("each has a number");
        let is_snapshot = record["snapshot"] == true;
        let Some(id) = record["id"].as_u64() else {
            match is_snapshot {
                true => {
                    self.jobs = std::mem::take(&mut self.snapshot);
                    self.snapshots += 1;
                }
                false => self.resumed += 1,
            }
            self.since = Some(seq);
            return;
        };
        if is_snapshot {
            let before = self.snapshot.insert(id, names(record));
            assert!(before.is_none(), "job {id} twice in a snapshot");
            return;
        }
        assert!(self.since < Some(seq), "{seq} after {:?}", self.since);
        self.since = Some(seq);
        self.jobs.entry(id).or_default().extend(names(record));
    }
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % n
    }
}

/// The events of each job as they are stored.
fn stored(stage: &mut Stage) -> BTreeMap<u64, Vec<String>> {
    let mut jobs = BTreeMap::new();
    for line in stage.play("dump") {
        if let Some((key, names)) = line.split_once(".eventlog: ") {
            let id: proto::data::JobId = key.parse().expect("a job's key");
            let names = names.split(' ').map(str::to_owned);
            jobs.insert(id.0, names.collect());
        }
    }
    jobs
}

/// A job manager, a consumer, and their fate.
struct Play {
    stage: Stage,
    consumer: Consumer,
    dice: Dice,
    newest: u64,
    purged: BTreeSet<u64>,
}

impl Play {
    fn memo(&mut self, job: u64) -> Vec<String> {
        let memo = format!(r#"{{"id":{job},"memo":{{"a":1}}}}"#);
        self.stage.play(&format!("request job-manager.memo {memo}"))
    }

    /// Goes on while the consumer is away.
    fn go_on(&mut self, job: u64, n: u64) {
        for _ in 0..n {
            self.memo(job);
            if self.stage.waits_to_store() {
                self.stage.play("store");
            }
        }
        let window = 1 + self.dice.below(8);
        self.consumer.open(&mut self.stage, window);
    }

    /// One thing happens.
    fn step(&mut self) {
        let job = 1 + self.dice.below(self.newest + 1);
        let said = match self.dice.below(20) {
            0 => {
                self.newest += 1;
                self.stage.play(&format!("submit {}", self.newest))
            }
            1..8 => self.memo(job),
            8 => {
                let json = format!(r#"{{"id":{job},"severity":0,"type":"cancel"}}"#);
                self.stage
                    .play(&format!("request job-manager.raise {json}"))
            }
            9..15 => self.stage.play("store"),
            15 if self.dice.below(4) == 0 => {
                self.purged.insert(job);
                let json = format!(r#"{{"id":{job},"force":1}}"#);
                self.stage
                    .play(&format!("request job-manager.purge-id {json}"))
            }
            16 => {
                let tag = self.consumer.tag;
                self.stage
                    .play(&format!("request {TOPIC}-cancel {{\"matchtag\":{tag}}}"));
                // After a long time all that it can be told is a snapshot.
                let n = self.dice.below(9).saturating_sub(7) * 300;
                self.go_on(job, n);
                Vec::new()
            }
            17 if self.dice.below(3) == 0 => {
                // Its pending commit is lost with it, or not.
                if self.dice.below(2) == 0 && self.stage.waits_to_store() {
                    self.stage.play("lose-kvs applied");
                }
                self.stage.play("restart");
                let n = self.dice.below(6);
                self.go_on(job, n);
                Vec::new()
            }
            _ => self.stage.play("pass 0.001"),
        };
        self.consumer.hear(&said);
        if self.dice.below(3) > 0 {
            let most = self.dice.below(6) as usize;
            self.consumer.take(&mut self.stage, most);
        }
    }

    /// Lets the consumer take all that there is.
    fn end(&mut self) {
        while self.stage.waits_to_store() || !self.consumer.inbox.is_empty() {
            let said = match self.stage.waits_to_store() {
                true => self.stage.play("store"),
                false => self.stage.play("pass 0.001"),
            };
            self.consumer.hear(&said);
            self.consumer.take(&mut self.stage, 3);
        }
    }
}

fn play(seed: u64, keeps_rows: bool) -> Consumer {
    let mut stage = Stage::new();
    if !keeps_rows {
        stage.keep_no_rows();
        stage.play("restart");
    }
    let mut play = Play {
        stage,
        consumer: Consumer::default(),
        dice: Dice(seed),
        newest: 0,
        purged: BTreeSet::new(),
    };
    play.go_on(0, 0);
    for _ in 0..400 {
        play.step();
    }
    play.end();
    let stored = stored(&mut play.stage);
    for (id, names) in &stored {
        let told = play.consumer.jobs.get(id);
        assert_eq!(told, Some(names), "seed {seed} job {id}");
    }
    let all = play.consumer.jobs.iter();
    for (id, names) in all.filter(|(id, _)| !stored.contains_key(id)) {
        // Of a job that is forgotten the end is known, or nothing.
        let end = names.last().map(String::as_str);
        assert_eq!(end, Some("clean"), "seed {seed} job {id}: {names:?}");
        assert!(play.purged.contains(id), "seed {seed} job {id}");
    }
    if !keeps_rows {
        let n_away = play.stage.n_away();
        assert!(n_away > 0 || stored.len() < 8, "seed {seed}");
    }
    play.consumer
}

#[test]
fn a_consumer_that_dies_at_any_time_misses_nothing_and_hears_nothing_twice() {
    let (mut snapshots, mut resumed) = (0, 0);
    for seed in 0..25 {
        let consumer = play(seed, true);
        snapshots += consumer.snapshots;
        resumed += consumer.resumed;
    }
    assert!(resumed > 200, "resumed {resumed} times");
    assert!(snapshots > 25, "{snapshots} snapshots");
}

#[test]
fn a_consumer_hears_the_same_of_jobs_whose_rows_are_not_in_memory() {
    let resumed: usize = (100..125).map(|seed| play(seed, false).resumed).sum();
    assert!(resumed > 200, "resumed {resumed} times");
}

#[test]
fn a_consumer_that_takes_nothing_is_sent_its_window_and_no_more() {
    let mut stage = Stage::new();
    let (tag, said) = stage.stream(TOPIC, r#"{"since":0,"window":3}"#);
    let mut heard = records(&said, tag);
    for id in 1..=2 * JOURNAL_EVENTS_MAX {
        let said = stage.play(&format!("submit {id}"));
        heard.extend(records(&said, tag));
        while stage.waits_to_store() {
            heard.extend(records(&stage.play("store"), tag));
        }
    }
    assert_eq!(heard.len(), 3);
    // It was too far behind: it goes on with a snapshot, of all at once that its window lets.
    let json = format!(r#"{{"matchtag":{tag},"taken":3}}"#);
    let said = stage.play(&format!("request {TOPIC}-taken {json}"));
    let more = records(&said, tag);
    assert_eq!(more.len(), 3);
    assert!(more.iter().all(|record| record["snapshot"] == true));
    // Nobody takes more than he was sent.
    let json = format!(r#"{{"matchtag":{tag},"taken":1000}}"#);
    let said = stage.play(&format!("request {TOPIC}-taken {json}"));
    assert_eq!(records(&said, tag).len(), 3);
}

#[test]
fn a_long_snapshot_goes_out_in_slices() {
    let mut stage = Stage::new();
    let jobspec = format!("{{\"x\":\"{}\"}}", "y".repeat(3000));
    for id in 1..=600 {
        stage.put_job(id, &jobspec, &["submit", "validate", "memo"]);
    }
    stage.play("restart");
    let (tag, said) = stage.stream(TOPIC, r#"{"since":-1}"#);
    let mut said = said;
    let mut jobs = 0;
    loop {
        let bytes: usize = said.iter().map(String::len).sum();
        assert!(
            bytes < HISTORY_SLICE_BYTES + 8 * 1024,
            "{bytes} in one turn"
        );
        let heard = records(&said, tag);
        jobs += heard.iter().filter(|record| record["id"] != -1).count();
        if heard.iter().any(|record| record["id"] == -1) {
            break;
        }
        assert!(!stage.play("request job-manager.ping {}").is_empty());
        said = stage.play("pass 0.001");
    }
    assert_eq!(jobs, 600);
}

#[test]
fn a_guest_has_only_so_many_streams() {
    let mut stage = Stage::new();
    let command = format!(r#"guest-stream 5 {TOPIC} {{"userid":5}}"#);
    for _ in 0..LISTENERS_OF_GUEST_MAX {
        assert!(stage.play(&command)[0].contains(r#""snapshot":true"#));
    }
    assert!(stage.play(&command)[0].contains("ENOBUFS"));
    let other = stage.play(&command.replace('5', "6"));
    assert!(other[0].contains(r#""snapshot":true"#));
}
