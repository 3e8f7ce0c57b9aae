//! The records of messages that went nowhere: the last ones, within bounds of which guests have
//! their own, and the number for each cause.

use std::collections::{BTreeMap, VecDeque};

use node::Cx;
use proto::data::JobId;
use proto::orphans::{Batch, Cause, Orphan, Report};
use rustc_hash::FxHashMap;
use serde_json::Value;
use wire::{Message, Role, topic};

use crate::core::Broker;
use crate::limits::{
    ORPHAN_PAYLOAD_BYTES_MAX, ORPHAN_TEXT_BYTES_MAX, ORPHANS_IN_BATCH_MAX, ORPHANS_MAX,
    ORPHANS_OF_GUEST_MAX, ORPHANS_OF_GUESTS_MAX, ORPHANS_OF_ONE_MAX,
};
use crate::router::{Hop, Orphaned};

/// Owner of a share of the records: a guest has one for all its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// A link of the owner.
    Owner(Hop),
    /// A user.
    Guest(u32),
}

/// Records of the owner, or of guests.
#[derive(Debug)]
struct Share {
    records: BTreeMap<u64, (Source, Orphan)>,
    of_source: FxHashMap<Source, VecDeque<u64>>,
    max: usize,
    of_one_max: usize,
}

impl Share {
    fn new(max: usize, of_one_max: usize) -> Share {
        Share {
            records: BTreeMap::new(),
            of_source: FxHashMap::default(),
            max,
            of_one_max,
        }
    }

    fn add(&mut self, number: u64, source: Source, orphan: Orphan) {
        let of_source = self.of_source.entry(source).or_default();
        of_source.push_back(number);
        if of_source.len() > self.of_one_max
            && let Some(oldest) = of_source.pop_front()
        {
            self.records.remove(&oldest);
        }
        self.records.insert(number, (source, orphan));
        if self.records.len() > self.max
            && let Some((_, (source, _))) = self.records.pop_first()
            && let Some(of_source) = self.of_source.get_mut(&source)
        {
            of_source.pop_front();
            if of_source.is_empty() {
                self.of_source.remove(&source);
            }
        }
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Orphans {
    owner: Share,
    guests: Share,
    counts: BTreeMap<Cause, u64>,
    /// Numbers of records, in the order in which they were made.
    last: u64,
    /// Orphans that no follower has seen.
    fresh: VecDeque<Orphan>,
}

impl Default for Orphans {
    fn default() -> Orphans {
        Orphans {
            owner: Share::new(ORPHANS_MAX, ORPHANS_OF_ONE_MAX),
            guests: Share::new(ORPHANS_OF_GUESTS_MAX, ORPHANS_OF_GUEST_MAX),
            counts: BTreeMap::new(),
            last: 0,
            fresh: VecDeque::new(),
        }
    }
}

impl Orphans {
    /// Records one, and keeps it for those who follow if there are some.
    pub fn add(&mut self, source: Source, orphan: Orphan, is_followed: bool) {
        *self.counts.entry(orphan.cause).or_default() += 1;
        self.last += 1;
        if is_followed {
            if self.fresh.len() >= ORPHANS_IN_BATCH_MAX {
                self.fresh.pop_front();
            }
            self.fresh.push_back(orphan.clone());
        }
        match source {
            Source::Owner(_) => self.owner.add(self.last, source, orphan),
            Source::Guest(_) => self.guests.add(self.last, source, orphan),
        }
    }

    /// The records, oldest first, in batches.
    pub fn batches(&self) -> Vec<Batch> {
        let (owner, guests) = (&self.owner.records, &self.guests.records);
        let mut records: Vec<_> = owner.iter().chain(guests).collect();
        records.sort_unstable_by_key(|(number, _)| **number);
        let batches = records.chunks(ORPHANS_IN_BATCH_MAX);
        let orphans = batches.map(|batch| batch.iter().map(|(_, (_, orphan))| orphan.clone()));
        orphans
            .map(|orphans| Batch {
                orphans: orphans.collect(),
            })
            .collect()
    }

    /// Number of records of each cause.
    pub fn counts(&self) -> &BTreeMap<Cause, u64> {
        &self.counts
    }

    /// Forgets the records.
    pub fn clear(&mut self) {
        *self = Orphans {
            counts: std::mem::take(&mut self.counts),
            last: self.last,
            ..Orphans::default()
        };
    }
}

impl Broker {
    /// Records a message that went nowhere.
    pub(crate) fn record_orphan(&mut self, cx: &mut Cx<Broker>, orphaned: &Orphaned) {
        let message = &orphaned.message;
        let source = match message.rolemask.meets(Role::OWNER) {
            true => Source::Owner(orphaned.from),
            false => Source::Guest(message.userid),
        };
        let orphan = Orphan {
            timestamp: cx.now().wall,
            rank: self.router.rank(),
            cause: orphaned.cause,
            sender: self.name_of(orphaned.from),
            userid: message.userid,
            topic: cut(message.topic()),
            job: job_of(message),
            late: orphaned.late.map(|late| late.as_secs_f64()),
            note: orphaned.note.as_deref().map(cut),
        };
        self.add_orphan(source, orphan);
    }

    /// Records an orphan found by another component.
    pub(crate) fn report_orphan(
        &mut self,
        cx: &mut Cx<Broker>,
        reporter: Hop,
        userid: u32,
        report: Report,
    ) {
        let name = || self.name_of(reporter);
        let orphan = Orphan {
            timestamp: cx.now().wall,
            rank: self.router.rank(),
            cause: report.cause,
            sender: report.sender.as_deref().map_or_else(name, cut),
            userid: report.userid.unwrap_or(userid),
            topic: cut(&report.topic),
            job: report.job,
            late: None,
            note: report.note.as_deref().map(cut),
        };
        self.add_orphan(Source::Owner(reporter), orphan);
    }

    fn add_orphan(&mut self, source: Source, orphan: Orphan) {
        let is_followed = !self.orphan_followers.is_empty();
        self.orphans.add(source, orphan, is_followed);
    }

    /// Sends followers the records since the last ones.
    pub(crate) fn report_orphans(&mut self, cx: &mut Cx<Broker>) {
        if !self.orphans.fresh.is_empty() {
            let orphans = self.orphans.fresh.drain(..).collect();
            let batch = Batch { orphans };
            self.orphan_followers.notify_if(cx, &batch, |()| true);
        }
    }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(ORPHAN_TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// The job that a message is about: that of the shell which it is for, or that which it names.
fn job_of(message: &Message) -> Option<JobId> {
    let service = topic::service_of(message.topic());
    if let Some((_, id)) = service.split_once("-shell-") {
        return id.parse().ok();
    }
    if !service.starts_with("job-") && !service.starts_with("sched") {
        return None;
    }
    let payload = message.payload()?.strip_suffix(b"\0")?;
    if payload.len() > ORPHAN_PAYLOAD_BYTES_MAX {
        return None;
    }
    let value: Value = serde_json::from_slice(payload).ok()?;
    let id = ["id", "jobid"].into_iter().find_map(|key| value.get(key))?;
    Some(JobId(id.as_i64()?.cast_unsigned())).filter(|id| !id.is_any())
}

#[cfg(test)]
mod tests {
    use node::PeerId;

    use super::*;

    fn orphan(userid: u32) -> Orphan {
        Orphan {
            timestamp: 0.0,
            rank: 0,
            cause: Cause::Dropped,
            sender: String::new(),
            userid,
            topic: "a.b".to_owned(),
            job: None,
            late: None,
            note: None,
        }
    }

    fn source(userid: u32, link: u64) -> Source {
        match userid {
            0 => Source::Owner(Hop::Client(PeerId(link))),
            _ => Source::Guest(userid),
        }
    }

    fn n_of(orphans: &Orphans, is_counted: impl Fn(&Orphan) -> bool) -> usize {
        let batches = orphans.batches();
        let all = batches.iter().flat_map(|batch| &batch.orphans);
        all.filter(|orphan| is_counted(orphan)).count()
    }

    #[test]
    fn a_flood_pushes_out_what_is_of_its_own_kind() {
        let mut orphans = Orphans::default();
        for _ in 0..10 {
            orphans.add(source(0, 1), orphan(0), false);
        }
        for n in 0..10 * ORPHANS_MAX as u32 {
            orphans.add(source(7, 2), orphan(7), false);
            orphans.add(source(100 + n, 3), orphan(100 + n), false);
        }
        assert_eq!(n_of(&orphans, |orphan| orphan.userid == 0), 10);
        assert_eq!(n_of(&orphans, |_| true), 10 + ORPHANS_OF_GUESTS_MAX);
        for _ in 0..2 * ORPHANS_OF_ONE_MAX {
            orphans.add(source(0, 4), orphan(1), false);
        }
        assert_eq!(n_of(&orphans, |orphan| orphan.userid == 0), 10);
        let of_one = n_of(&orphans, |orphan| orphan.userid == 1);
        assert_eq!(of_one, ORPHANS_OF_ONE_MAX);
        for link in 0..10 {
            for _ in 0..ORPHANS_OF_ONE_MAX {
                orphans.add(source(0, 10 + link), orphan(2), false);
            }
        }
        let all = ORPHANS_MAX + ORPHANS_OF_GUESTS_MAX;
        assert_eq!(n_of(&orphans, |_| true), all);
        assert_eq!(
            orphans.owner.of_source.len(),
            ORPHANS_MAX / ORPHANS_OF_ONE_MAX
        );
        orphans.clear();
        assert_eq!(n_of(&orphans, |_| true), 0);
        assert!(orphans.counts[&Cause::Dropped] > 80_000);
    }

    #[test]
    fn one_guest_has_a_share_of_that_of_guests() {
        let mut orphans = Orphans::default();
        orphans.add(source(8, 2), orphan(8), false);
        for _ in 0..ORPHANS_OF_GUESTS_MAX {
            orphans.add(source(7, 1), orphan(7), false);
        }
        assert_eq!(n_of(&orphans, |orphan| orphan.userid == 8), 1);
        assert_eq!(n_of(&orphans, |_| true), 1 + ORPHANS_OF_GUEST_MAX);
    }

    fn check_job(topic: &str, payload: &str, expect: Option<u64>) {
        let mut message = Message::request(topic, 1);
        message.set_payload(format!("{payload}\0").into());
        assert_eq!(job_of(&message), expect.map(JobId), "{topic} {payload}");
    }

    #[test]
    fn the_job_is_that_of_a_shell_or_the_one_that_is_named() {
        check_job("100-shell-f5.stdin", "{}", Some(4));
        check_job("job-manager.raise", r#"{"id":5}"#, Some(5));
        check_job("job-exec.shell-exit", r#"{"jobid":6,"id":7}"#, Some(7));
        check_job("job-manager.wait", r#"{"id":-1}"#, None);
        check_job("kvs.lookup", r#"{"id":5}"#, None);
        check_job("job-manager.raise", "no JSON", None);
    }
}

#[cfg(test)]
#[path = "orphans_tests.rs"]
mod causes;
