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
            log.read_segment(segment, frames.len(), value.len());
            all.extend(frames.into_iter().flatten());
        }
        for level in (0..LEVELS).rev() {
            if let Some(value) = self.0.get(&level_key(level)) {
                let frames = decode(value).unwrap();
                all.extend(frames.iter().flatten().cloned());
                log.read_level(level, frames);
            }
        }
        (all, log)
    }

    /// The jobs that a restart finds: active ones, inactive ones.
    fn jobs(&self) -> (Vec<u64>, Vec<u64>) {
        let (mut active, mut inactive) = (BTreeMap::new(), BTreeMap::new());
        for record in self.read().0 {
            match record {
                Record::Submitted(id) if !inactive.contains_key(&id) => {
                    active.insert(id, ());
                }
                Record::Submitted(_) | Record::Unwaited(..) | Record::Waited(_) => {}
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
    })
}

/// Lets jobs come and go, ten active at a time, each step a commit, with a restart in
/// between; says how many keys and how many frames there are.
fn live(jobs: u64, row_bytes: usize, purge: bool) -> (Store, usize, usize) {
    let (mut store, mut log) = (Store::default(), JobLog::default());
    let restart_every = jobs / 7 + 1;
    for id in 0..jobs {
        store.apply(log.write(vec![Record::Submitted(id)]));
        if id >= 10 {
            store.apply(log.write(vec![row(id - 10, row_bytes)]));
        }
        if purge && id >= 20 {
            store.apply(log.write(vec![Record::Purged(vec![id - 20])]));
        }
        if id % restart_every == restart_every - 1 {
            log = store.read().1;
        }
    }
    let frames = store.0.values().map(|value| decode(value).unwrap().len());
    let (n_keys, n_frames) = (store.0.len(), frames.sum());
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
    assert!(n_keys < 10, "{n_keys} keys");
    assert!(n_frames < 300, "{n_frames} frames for 20,000 commits");
}

#[test]
fn large_batches_go_into_segments_at_once() {
    let (mut store, mut log) = (Store::default(), JobLog::default());
    store.apply(log.write(vec![Record::Submitted(1)]));
    let rows = (2..5000).map(|id| row(id, 500)).collect();
    store.apply(log.write(rows));
    assert_eq!(store.0.keys().collect::<Vec<_>>(), ["job-log.seg.0.0"]);
    assert_eq!(store.jobs().0, [1]);
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
