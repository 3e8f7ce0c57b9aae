//! Tests common to both stores.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use proto::content::{Checkpoint, Commit, Edit, Part, Record};
use proto::content_backing::{Sweep, Swept};
use proto::data::{BlobRef, HashKind, Tree};
use proto::{Errno, Refusal};

use super::Store;
use crate::config::{Backend, Durability, FileSettings};
use crate::task::{Outcome, Task, TaskResult};

pub(in crate::store) fn settings(folder: &Path) -> FileSettings {
    FileSettings {
        path: folder.join("content.sqlite"),
        journal_mode: "WAL".to_owned(),
        synchronous: None,
        durability: Durability::Process,
        checkpoints_max: 2,
        truncate: false,
    }
}

pub(in crate::store) fn name(blob: &[u8]) -> BlobRef {
    BlobRef::of(HashKind::Sha1, blob)
}

pub(in crate::store) fn store_of(blob: &'static [u8]) -> Task {
    Task::Store(name(blob), Bytes::from_static(blob))
}

pub(in crate::store) fn commit_of(
    writer: &str,
    number: u64,
    blob: &'static [u8],
    key: &str,
    value: Option<&'static [u8]>,
) -> Task {
    Task::Commit(Commit {
        writer: writer.to_owned(),
        number,
        after: number.saturating_sub(1),
        blobs: vec![(
            Bytes::copy_from_slice(name(blob).digest()),
            Bytes::from_static(blob),
        )],
        records: vec![record(key, value)],
        ..Commit::default()
    })
}

pub(in crate::store) fn record(key: &str, value: Option<&'static [u8]>) -> Record {
    Record {
        key: key.to_owned(),
        value: value.map(Bytes::from_static),
    }
}

pub(in crate::store) fn checkpoint(sequence: i64) -> Checkpoint {
    Checkpoint {
        version: 1,
        rootref: name(b"").to_string(),
        sequence,
        timestamp: 1.0,
    }
}

/// Bytes that cannot be compressed.
pub(in crate::store) fn noise(len: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(1);
    std::iter::repeat_with(|| rng.u8(..)).take(len).collect()
}

/// Where a store is, and which.
struct Site {
    folder: PathBuf,
    backend: Backend,
}

impl Site {
    fn open_with(&self, change: fn(&mut FileSettings)) -> Store {
        let mut settings = settings(&self.folder);
        change(&mut settings);
        let mut store = Store::default();
        store.open(self.backend, settings).expect("a good folder");
        store
    }

    fn open(&self) -> Store {
        self.open_with(|_| ())
    }
}

fn on_both(check: fn(&Site)) {
    for backend in [Backend::Sqlite, Backend::Files] {
        let folder = tempfile::tempdir().unwrap();
        check(&Site {
            folder: folder.path().to_owned(),
            backend,
        });
    }
}

fn run_one(store: &mut Store, task: Task) -> TaskResult {
    store.run(&[task]).remove(0)
}

/// Returns true for each of these that is stored.
fn present(store: &mut Store, blobs: &[&[u8]]) -> Vec<bool> {
    let mut has = |blob: &&[u8]| run_one(store, Task::Validate(name(blob))).is_ok();
    blobs.iter().map(&mut has).collect()
}

fn records_of(store: &mut Store, writer: &str) -> Vec<Record> {
    let opened = run_one(store, Task::Records(writer.to_owned()));
    opened.and_then(Outcome::records).unwrap()
}

#[test]
fn blobs_of_every_size_are_there_after_reopening() {
    on_both(|site| {
        let blobs = [
            vec![],
            b"x".to_vec(),
            vec![7; 255],
            vec![7; 256],
            vec![7; 1 << 20],
            noise(5000),
        ];
        let mut store = site.open();
        for blob in &blobs {
            let task = Task::Store(name(blob), Bytes::from(blob.clone()));
            assert_eq!(run_one(&mut store, task), Ok(Outcome::Done));
        }
        drop(store);
        let mut store = site.open();
        for blob in blobs {
            let loaded = run_one(&mut store, Task::Load(name(&blob)));
            assert_eq!(loaded, Ok(Outcome::Blob(blob.into())));
        }
    });
}

#[test]
fn a_missing_blob_is_told_without_a_text() {
    on_both(|site| {
        let mut store = site.open();
        let missing = Err(Refusal::bare(Errno::ENOENT));
        assert_eq!(run_one(&mut store, Task::Load(name(b"x"))), missing);
        assert_eq!(run_one(&mut store, Task::Validate(name(b"x"))), missing);
        run_one(&mut store, store_of(b"x")).unwrap();
        assert_eq!(present(&mut store, &[b"x"]), [true]);
    });
}

#[test]
fn records_have_one_writer() {
    on_both(|site| {
        let mut store = site.open();
        assert_eq!(records_of(&mut store, "kvs-1"), []);
        run_one(&mut store, commit_of("kvs-1", 1, b"1", "a", Some(b"A"))).unwrap();
        run_one(&mut store, commit_of("kvs-1", 2, b"2", "b", Some(b"B"))).unwrap();
        run_one(&mut store, commit_of("kvs-1", 3, b"3", "a", None)).unwrap();
        drop(store);

        let mut store = site.open();
        assert_eq!(records_of(&mut store, "kvs-2"), [record("b", Some(b"B"))]);
        assert_eq!(present(&mut store, &[b"1", b"2", b"3"]), [true; 3]);
        let late = run_one(&mut store, commit_of("kvs-1", 4, b"4", "b", Some(b"C")));
        assert_eq!(late.unwrap_err().errno, Errno::EPERM);
        assert_eq!(present(&mut store, &[b"4"]), [false]);
    });
}

#[test]
fn a_commit_that_is_sent_again_changes_nothing_and_one_without_its_predecessor_is_refused() {
    on_both(|site| {
        let mut store = site.open();
        records_of(&mut store, "kvs-1");
        run_one(&mut store, commit_of("kvs-1", 1, b"1", "a", Some(b"A"))).unwrap();
        run_one(&mut store, commit_of("kvs-1", 2, b"2", "a", Some(b"B"))).unwrap();
        drop(store);
        let mut store = site.open();
        let again = commit_of("kvs-1", 1, b"1", "a", Some(b"A"));
        assert_eq!(run_one(&mut store, again), Ok(Outcome::Done));
        let unfounded = run_one(&mut store, commit_of("kvs-1", 4, b"4", "a", Some(b"D")));
        assert_eq!(unfounded.unwrap_err().errno, Errno::ECANCELED);
        assert_eq!(records_of(&mut store, "kvs-2"), [record("a", Some(b"B"))]);
    });
}

#[test]
fn the_newest_checkpoints_are_kept() {
    on_both(|site| {
        let mut store = site.open();
        assert_eq!(
            run_one(&mut store, Task::CheckpointGet),
            Ok(Outcome::Checkpoints(vec![]))
        );
        for sequence in 1..=3 {
            run_one(&mut store, Task::CheckpointPut(checkpoint(sequence))).unwrap();
        }
        let kept = Outcome::Checkpoints(vec![checkpoint(3), checkpoint(2)]);
        assert_eq!(run_one(&mut store, Task::CheckpointGet), Ok(kept.clone()));
        drop(store);
        assert_eq!(run_one(&mut site.open(), Task::CheckpointGet), Ok(kept));
    });
}

#[test]
fn truncate_begins_anew() {
    on_both(|site| {
        let mut store = site.open();
        records_of(&mut store, "kvs");
        run_one(&mut store, commit_of("kvs", 1, b"x", "a", Some(b"A"))).unwrap();
        run_one(&mut store, Task::CheckpointPut(checkpoint(1))).unwrap();
        drop(store);
        let mut store = site.open_with(|settings| settings.truncate = true);
        assert_eq!(present(&mut store, &[b"x"]), [false]);
        assert_eq!(records_of(&mut store, "kvs"), []);
        assert_eq!(
            run_one(&mut store, Task::CheckpointGet),
            Ok(Outcome::Checkpoints(vec![]))
        );
    });
}

/// A commit of a blob that is made of `base` by adding `tail`.
fn edit_of(number: u64, base: &[u8], tail: &'static [u8]) -> Task {
    let digest = |blob: &[u8]| Bytes::copy_from_slice(name(blob).digest());
    let whole = Part {
        own: Bytes::new(),
        at: 0,
        len: base.len() as u32,
    };
    Task::Commit(Commit {
        writer: "kvs".to_owned(),
        number,
        after: 0,
        edits: vec![Edit {
            digest: digest(&[base, tail].concat()),
            base: digest(base),
            parts: vec![whole],
            tail: Bytes::from_static(tail),
        }],
        records: vec![record("edited", Some(tail))],
        ..Commit::default()
    })
}

#[test]
fn a_blob_made_of_one_that_is_missing_is_refused_and_nothing_else_is() {
    on_both(|site| {
        let mut store = site.open();
        records_of(&mut store, "kvs");
        let tasks = [
            store_of(b"base"),
            edit_of(1, b"missing", b" 1"),
            edit_of(2, b"base", b" 2"),
        ];
        let results = store.run(&tasks);
        assert!(results[0].is_ok() && results[2].is_ok());
        assert_eq!(results[1].clone().unwrap_err().errno, Errno::ENOENT);

        // A base that is collected is missing, however well it was known before.
        run_one(&mut store, edit_of(3, b"base 2", b" 3")).unwrap();
        run_one(&mut store, Task::CheckpointPut(checkpoint(1))).unwrap();
        mark(&mut store, 1, &[b"base"]);
        let (_, high_water, _) = gc_info(&mut store, 1);
        sweep(&mut store, 1, high_water, 100, high_water);
        let collected = run_one(&mut store, edit_of(4, b"base 2 3", b" 4"));
        assert_eq!(collected.unwrap_err().errno, Errno::ENOENT);
        run_one(&mut store, edit_of(5, b"base", b" 5")).unwrap();
        drop(store);
        let mut store = site.open();
        assert_eq!(
            records_of(&mut store, "next"),
            [record("edited", Some(b" 5"))]
        );
        assert_eq!(
            present(&mut store, &[b"base 5", b"base 2", b"missing 1"]),
            [true, false, false]
        );
    });
}

fn gc_info(store: &mut Store, below: i64) -> (i64, i64, i64) {
    let info = run_one(store, Task::GcInfo).and_then(Outcome::gc).unwrap();
    let middle = info.high_water / 2;
    let mut count = |after, end| {
        let count = Task::Count {
            epoch: below,
            after,
            end,
        };
        run_one(store, count).and_then(Outcome::number).unwrap()
    };
    let candidates = count(0, middle) + count(middle, info.high_water);
    (info.current_epoch, info.high_water, candidates)
}

fn mark(store: &mut Store, epoch: i64, blobs: &[&[u8]]) -> i64 {
    let names = blobs.iter().map(|blob| name(blob)).collect();
    let marked = run_one(store, Task::Mark(epoch, names));
    marked.and_then(Outcome::number).unwrap()
}

/// A whole sweep in steps of this many blobs and rows. Returns the number of deleted
/// ones.
fn sweep(store: &mut Store, epoch: i64, high_water: i64, cap: i64, window: i64) -> i64 {
    let (mut cursor, mut all) = (0, 0);
    while cursor < high_water {
        let step = Sweep {
            epoch,
            cursor,
            high_water,
            delete_cap: cap,
            window,
        };
        let swept = run_one(store, Task::Sweep(step)).and_then(Outcome::swept);
        let swept: Swept = swept.unwrap();
        assert!(swept.deleted <= cap);
        assert!(swept.deleted > 0 || swept.cursor > cursor, "no progress");
        (cursor, all) = (swept.cursor, all + swept.deleted);
    }
    all
}

#[test]
fn a_sweep_deletes_what_is_old_and_neither_marked_nor_stored_since() {
    on_both(|site| {
        let mut store = site.open();
        records_of(&mut store, "kvs");
        for blob in [&b"marked"[..], b"again", b"by commit", b"old 1", b"old 2"] {
            let task = Task::Store(name(blob), Bytes::from_static(blob));
            run_one(&mut store, task).unwrap();
        }
        let (epoch, _, candidates) = gc_info(&mut store, 1);
        assert_eq!((epoch, candidates), (0, 5), "no checkpoint, no epoch");
        run_one(&mut store, Task::CheckpointPut(checkpoint(1))).unwrap();

        let (epoch, high_water, candidates) = gc_info(&mut store, 1);
        assert_eq!((epoch, candidates), (1, 5));
        assert_eq!(mark(&mut store, 1, &[b"marked", b"missing"]), 1);
        assert_eq!(mark(&mut store, 1, &[b"marked"]), 0);
        run_one(&mut store, store_of(b"again")).unwrap();
        run_one(&mut store, store_of(b"new")).unwrap();
        run_one(
            &mut store,
            commit_of("kvs", 1, b"by commit", "a", Some(b"A")),
        )
        .unwrap();
        assert_eq!(sweep(&mut store, 1, high_water, 1, high_water), 2);

        let kept: [&[u8]; 4] = [b"marked", b"again", b"by commit", b"new"];
        assert_eq!(present(&mut store, &kept), [true; 4]);
        assert_eq!(present(&mut store, &[b"old 1", b"old 2"]), [false; 2]);
        run_one(&mut store, store_of(b"old 1")).unwrap();
        drop(store);
        let mut store = site.open();
        assert_eq!(present(&mut store, &kept), [true; 4]);
        assert_eq!(present(&mut store, &[b"old 1"]), [true]);
        assert_eq!(sweep(&mut store, 1, high_water, 100, high_water), 0);
    });
}

#[test]
fn small_windows_sweep_as_much_as_large_ones() {
    on_both(|site| {
        for (cap, windows) in [(1, 1), (7, 3), (1000, 1), (3, 40)] {
            let mut store = site.open_with(|settings| settings.truncate = true);
            let blobs: Vec<Vec<u8>> = (0..50u8).map(|byte| vec![byte; 3]).collect();
            for blob in &blobs {
                run_one(&mut store, Task::Store(name(blob), blob.clone().into())).unwrap();
            }
            run_one(&mut store, Task::CheckpointPut(checkpoint(1))).unwrap();
            let (epoch, high_water, candidates) = gc_info(&mut store, i64::MAX);
            assert_eq!(candidates, 50);
            mark(&mut store, epoch, &[&blobs[7], &blobs[49]]);
            let window = (high_water / windows).max(1);
            assert_eq!(sweep(&mut store, epoch, high_water, cap, window), 48);
            assert_eq!(present(&mut store, &[&blobs[7], &blobs[49]]), [true; 2]);
        }
    });
}

#[test]
fn a_sweep_beyond_the_epoch_is_refused_and_the_empty_directory_stays() {
    on_both(|site| {
        let mut store = site.open();
        let empty = Tree::empty_dir().encode();
        let task = Task::Store(name(empty.as_ref()), Bytes::from(empty.clone()));
        run_one(&mut store, task).unwrap();
        run_one(&mut store, Task::CheckpointPut(checkpoint(1))).unwrap();
        let beyond = Sweep {
            epoch: 2,
            cursor: 0,
            high_water: 100,
            delete_cap: 100,
            window: 100,
        };
        let refusal = run_one(&mut store, Task::Sweep(beyond)).unwrap_err();
        assert_eq!(refusal.errno, Errno::EINVAL);
        let (_, high_water, _) = gc_info(&mut store, 1);
        assert_eq!(sweep(&mut store, 1, high_water, 10, high_water), 0);
        assert_eq!(present(&mut store, &[empty.as_ref()]), [true]);
    });
}

#[test]
fn stats_say_what_is_there() {
    on_both(|site| {
        let mut store = site.open_with(|settings| settings.durability = Durability::Power);
        store.run(&[store_of(b"x"), store_of(b"y")]);
        run_one(&mut store, Task::CheckpointPut(checkpoint(4))).unwrap();
        run_one(&mut store, Task::Load(name(b"x"))).unwrap();
        let stats = run_one(&mut store, Task::Stats)
            .and_then(Outcome::stats)
            .unwrap();
        assert_eq!((stats.object_count, stats.current_epoch), (2, 1));
        assert_eq!((stats.load_time.count, stats.store_time.count), (1, 2));
        assert_eq!(stats.config.synchronous, "FULL");
        assert!(stats.dbfile_size > 0);
        assert_eq!(stats.checkpoints.len(), 1);
        assert_eq!(stats.checkpoints[0].value, checkpoint(4));
        store.set_durability(Durability::Process);
        let stats = run_one(&mut store, Task::Stats)
            .and_then(Outcome::stats)
            .unwrap();
        assert_eq!(stats.config.synchronous, "NORMAL");
    });
}
