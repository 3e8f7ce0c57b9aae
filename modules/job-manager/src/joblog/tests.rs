use std::collections::BTreeMap;

use bytes::Bytes;
use proto::data::Tree;
use proto::kvs::Dirent;

use super::*;

/// The keys of a KVS that only the log is written to.
#[derive(Default)]
struct Store(BTreeMap<String, Vec<u8>>);

impl Store {
    fn apply(&mut self, ops: Vec<Op>) {
        for op in ops {
            match op.dirent {
                Some(Dirent::Tree(Tree::Val(value))) if op.flags != 0 => {
                    self.0.entry(op.key).or_default().extend(value);
                }
                Some(Dirent::Tree(Tree::Val(value))) => drop(self.0.insert(op.key, value.into())),
                Some(other) => panic!("{other:?}"),
                None => drop(self.0.remove(&op.key).expect("what is removed is there")),
            }
        }
    }

    /// All records in the order in which a restart reads them, and the log that it has then.
    fn read(&self) -> (Vec<Record>, JobLog) {
        let mut log = JobLog::default();
        let mut all = Vec::new();
        let segments = self
            .0
            .iter()
            .filter_map(|(key, value)| Some((segment_of(key)?, value)));
        let segments: BTreeMap<u32, &Vec<u8>> = segments.collect();
        for (segment, value) in segments {
            let frames = decode(value).unwrap();
            log.read_segment(segment, &frames, value.len());
            all.extend(frames.into_iter().flatten());
        }
        for level in (0..LEVELS).rev() {
            if let Some(value) = self.0.get(&level_key(level)) {
                let frames = decode(value).unwrap();
                all.extend(frames.iter().flatten().cloned());
                log.read_level(level, frames, value.len());
            }
        }
        log.completed();
        (all, log)
    }

    /// Sum recorded in the head.
    fn head(&self) -> Sum {
        Head::decode(&self.0[HEAD_KEY]).unwrap().sum.unwrap()
    }

    /// True if a restart reads the log as it was written.
    fn is_whole(&self) -> bool {
        self.read().1.sum() == self.head()
    }

    /// Reads the oldest segments as long as they are to go.
    fn clean(&mut self, log: &mut JobLog) {
        while let Some(segment) = log.begin_cleaning() {
            log.clean(segment, &self.0[&segment_key(segment)]).unwrap();
            self.apply(log.write(Vec::new()));
        }
    }

    /// Bytes of all values.
    fn bytes(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// The jobs that a restart finds: active ones, inactive ones.
    fn jobs(&self) -> (Vec<u64>, Vec<u64>) {
        let (mut active, mut inactive) = (BTreeMap::new(), BTreeMap::new());
        for record in self.read().0 {
            match record {
                Record::Submitted(id) if !inactive.contains_key(&id) => {
                    active.insert(id, ());
                }
                Record::Submitted(_)
                | Record::Unwaited(..)
                | Record::Waited(_)
                | Record::Complete => {}
                Record::Retired(row) => {
                    active.remove(&row.id);
                    inactive.insert(row.id, ());
                }
                Record::Purged(ids) => ids.iter().for_each(|id| {
                    active.remove(id);
                    inactive.remove(id);
                }),
            }
        }
        (active.into_keys().collect(), inactive.into_keys().collect())
    }

    /// The jobs that a restart finds nobody to have waited for.
    fn unwaited(&self) -> Vec<u64> {
        let mut unwaited = BTreeMap::new();
        for record in self.read().0 {
            match record {
                Record::Unwaited(id, told) => drop(unwaited.insert(id, told)),
                Record::Waited(id) => drop(unwaited.remove(&id)),
                _ => {}
            }
        }
        unwaited.into_keys().collect()
    }
}

fn row(id: u64, bytes: usize) -> Record {
    Record::Retired(Row {
        id,
        userid: 0,
        t_clean: 1.0,
        bytes: 0,
        packed: Blob(Bytes::from(vec![0; bytes])),
        outcome: None,
        listed: None,
    })
}

/// An empty log that has its head.
fn begun() -> (Store, JobLog) {
    let (mut store, mut log) = (Store::default(), JobLog::default());
    store.apply(log.write(vec![Record::Complete]));
    (store, log)
}

/// Lets jobs come and go, ten active at a time, each step a commit, with a restart in
/// between; returns the numbers of keys and frames.
fn live(jobs: u64, row_bytes: usize, purge: bool) -> (Store, usize, usize) {
    let (mut store, mut log) = begun();
    let restart_every = jobs / 7 + 1;
    for id in 0..jobs {
        store.apply(log.write(vec![Record::Submitted(id)]));
        if id >= 10 {
            store.apply(log.write(vec![row(id - 10, row_bytes)]));
        }
        if purge && id >= 20 {
            store.apply(log.write(vec![Record::Purged(vec![id - 20])]));
        }
        store.clean(&mut log);
        if id % restart_every == restart_every - 1 {
            log = store.read().1;
            assert_eq!(log.sum(), store.head(), "after job {id}");
        }
    }
    let frames = store.0.values().filter_map(|value| decode(value).ok());
    let (n_keys, n_frames) = (store.0.len(), frames.map(|it| it.len()).sum());
    (store, n_keys, n_frames)
}

#[test]
fn a_restart_finds_every_job_where_it_was() {
    for jobs in [1, 15, 16, 17, 300, 2000] {
        let (store, ..) = live(jobs, 500, false);
        let (active, inactive) = store.jobs();
        let over = jobs.saturating_sub(10);
        assert_eq!(active, (over..jobs).collect::<Vec<_>>(), "{jobs} jobs");
        assert_eq!(inactive, (0..over).collect::<Vec<_>>(), "{jobs} jobs");
    }
}

#[test]
fn jobs_that_were_forgotten_do_not_come_back() {
    let (store, ..) = live(3000, 500, true);
    let (active, inactive) = store.jobs();
    assert_eq!(active, (2990..3000).collect::<Vec<_>>());
    assert_eq!(inactive, (2980..2990).collect::<Vec<_>>());
}

#[test]
fn a_job_that_was_waited_for_is_not_waited_for_again() {
    for told_bytes in [1, 100_000] {
        let (mut store, mut log) = (Store::default(), JobLog::default());
        for id in 0..300 {
            let told = Blob(Bytes::from(vec![0; told_bytes]));
            store.apply(log.write(vec![Record::Unwaited(id, told)]));
            if id >= 10 {
                store.apply(log.write(vec![Record::Waited(id - 10)]));
            }
        }
        assert_eq!(store.unwaited(), (290..300).collect::<Vec<_>>());
    }
}

#[test]
fn a_restart_reads_few_and_large_values() {
    let (_, n_keys, n_frames) = live(10_000, 500, false);
    assert!(n_keys < 12, "{n_keys} keys");
    assert!(n_frames < 300, "{n_frames} frames for 20,000 commits");
}

#[test]
fn large_batches_go_into_segments_at_once() {
    let (mut store, mut log) = begun();
    store.apply(log.write(vec![Record::Submitted(1)]));
    let rows = (2..5000).map(|id| row(id, 500)).collect();
    store.apply(log.write(rows));
    let keys = [
        "job-log.head",
        "job-log.seg.0.0",
        "job-log.seg.0.1",
        "job-log.seg.0.2",
    ];
    assert_eq!(store.0.keys().collect::<Vec<_>>(), keys);
    assert_eq!(store.jobs().0, [1]);
    assert!(store.is_whole());
}

#[test]
fn half_a_log_has_no_head() {
    let (mut store, mut log) = (Store::default(), JobLog::default());
    store.apply(log.write(vec![row(1, 1)]));
    assert!(!store.0.contains_key(HEAD_KEY));
    store.apply(log.write(vec![row(2, 1), Record::Complete]));
    assert!(store.is_whole());
}

/// The frames of a value, one by one.
fn frames_of(value: &[u8]) -> Vec<Vec<u8>> {
    let frames = decode(value).unwrap();
    frames.iter().map(|frame| record::encode(frame)).collect()
}

#[test]
fn frames_that_were_removed_doubled_or_swapped_are_found() {
    let (mut store, mut log) = begun();
    let told = || Blob(Bytes::from_static(b"{}"));
    for records in [
        vec![Record::Submitted(1)],
        vec![row(1, 9)],
        vec![Record::Purged(vec![1])],
        vec![Record::Submitted(2)],
        vec![Record::Unwaited(3, told())],
        vec![Record::Waited(3)],
    ] {
        store.apply(log.write(records));
    }
    assert!(store.is_whole());
    let key = level_key(0);
    let frames = frames_of(&store.0[&key]);
    let mut check = |what: &str, frames: &[Vec<u8>]| {
        store.0.insert(key.clone(), frames.concat());
        assert!(!store.is_whole(), "{what}");
    };
    for at in 0..frames.len() {
        let mut removed = frames.clone();
        removed.remove(at);
        check(&format!("frame {at} removed"), &removed);
        let mut doubled = frames.clone();
        doubled.insert(at, frames[at].clone());
        check(&format!("frame {at} doubled"), &doubled);
    }
    // Purged before it was there; waited for before there was anything to wait for.
    for at in [1, 4] {
        let mut swapped = frames.clone();
        swapped.swap(at, at + 1);
        check(&format!("frames {at} and {} swapped", at + 1), &swapped);
    }
    store.0.remove(&key);
    assert!(!store.is_whole(), "all of them removed");
}

#[test]
fn what_differs_is_named() {
    let table = |records: Vec<Record>| {
        let mut table = Table::default();
        records.iter().for_each(|it| table.apply(it, None));
        table
    };
    let log = table(vec![
        Record::Submitted(1),
        Record::Submitted(2),
        row(3, 1),
        row(4, 1),
        row(5, 1),
    ]);
    let keys = table(vec![
        Record::Submitted(1),
        row(2, 1),
        row(3, 2),
        row(5, 1),
        Record::Submitted(6),
    ]);
    let (n_all, some) = log.differences(&keys);
    assert_eq!(n_all, 4);
    let expect = [
        "ƒ3 is active in the log only",
        "ƒ4 has another row in the log",
        "ƒ5 is in the log only",
        "ƒ7 is not in the log",
    ];
    assert_eq!(some, expect);
    assert_eq!(log.differences(&log).0, 0);
}

#[test]
fn a_log_stays_short_while_jobs_come_and_are_purged_for_ever() {
    let (mut store, mut log) = begun();
    let mut most = 0;
    for id in 0..20_000 {
        store.apply(log.write(vec![Record::Submitted(id)]));
        store.apply(log.write(vec![row(id, 500)]));
        // One job in a thousand is kept.
        if id >= 100 && id % 1000 != 0 {
            store.apply(log.write(vec![Record::Purged(vec![id - 100])]));
        }
        store.clean(&mut log);
        most = most.max(store.bytes());
    }
    assert!(store.is_whole());
    assert!(store.jobs().1.len() > 100);
    // Live rows take 60 kB; a segment has a MiB.
    assert!(most < 3 << 20, "{most} bytes");
}

#[test]
fn what_is_purged_while_its_segment_is_cleaned_stays_purged() {
    let (mut store, mut log) = begun();
    store.apply(log.write((0..3000).map(|id| row(id, 500)).collect()));
    store.apply(log.write(vec![Record::Purged((0..2900).collect())]));
    let segment = log.begin_cleaning().expect("most of it is dead");
    let value = store.0[&segment_key(segment)].clone();
    store.apply(log.write(vec![Record::Purged(vec![2998, 2999])]));
    log.clean(segment, &value).unwrap();
    store.apply(log.write(vec![Record::Purged(vec![2997])]));
    store.clean(&mut log);
    assert_eq!(store.jobs().1, (2900..2997).collect::<Vec<_>>());
    assert!(store.is_whole());
    assert!(store.bytes() < 1 << 20);
}

#[test]
fn keys_of_segments_are_read_as_they_are_written() {
    for segment in [0, 63, 64, 100_000] {
        assert_eq!(segment_of(&segment_key(segment)), Some(segment));
    }
    for key in [
        "job-log.head",
        "job-log.seg",
        "job-log.seg.x.1",
        "job-log.seg.1",
        "",
    ] {
        assert_eq!(segment_of(key), None, "{key}");
    }
}
