use std::path::Path;

use bytes::Bytes;
use proto::Errno;
use proto::content::Record;

use super::Files;
use crate::config::FileSettings;
use crate::store::batch;
use crate::store::clock::Clock;
use crate::store::tests::{checkpoint, commit_of, name, settings, store_of};
use crate::task::{Outcome, Task, TaskResult};

fn open(folder: &Path) -> Files {
    let settings = FileSettings {
        path: folder.join("content.files"),
        ..settings(folder)
    };
    Files::open(settings).expect("a good folder")
}

fn run(store: &mut Files, tasks: &[Task]) -> Vec<TaskResult> {
    batch::run(store, &mut Clock::default(), tasks)
}

fn run_one(store: &mut Files, task: Task) -> TaskResult {
    run(store, &[task]).remove(0)
}

fn records_of(store: &mut Files) -> Vec<Record> {
    let opened = run_one(store, Task::Records("kvs".to_owned()));
    opened.and_then(Outcome::records).unwrap()
}

fn record(key: &str, value: &'static [u8]) -> Record {
    Record {
        key: key.to_owned(),
        value: Some(Bytes::from_static(value)),
    }
}

#[test]
fn a_blob_is_a_file_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    run_one(&mut store, store_of(b"hello")).unwrap();
    let path = folder
        .path()
        .join("content.files")
        .join(name(b"hello").to_string());
    assert_eq!(std::fs::read(path).unwrap(), b"hello");
}

#[test]
fn a_batch_that_was_cut_off_was_never_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    records_of(&mut store);
    let tasks = [
        commit_of("kvs", 1, b"1", "a", Some(b"A")),
        commit_of("kvs", 2, b"2", "b", Some(b"B")),
    ];
    let path = folder.path().join("content.files/records");
    run(&mut store, &tasks[..1]);
    let whole = std::fs::metadata(&path).unwrap().len();
    let witness = folder.path().join("content.files.witness");
    let told = std::fs::read(&witness).unwrap();
    run(&mut store, &tasks[1..]);
    drop(store);
    let text = std::fs::read(&path).unwrap();
    for len in whole as usize..text.len() {
        std::fs::write(&path, &text[..len]).unwrap();
        std::fs::write(&witness, &told).unwrap();
        let mut store = open(folder.path());
        assert_eq!(records_of(&mut store), [record("a", b"A")], "cut at {len}");
        let again = commit_of("kvs", 1, b"3", "c", Some(b"C"));
        run_one(&mut store, again).unwrap();
        drop(store);
        let expect = [record("a", b"A"), record("c", b"C")];
        assert_eq!(records_of(&mut open(folder.path())), expect, "cut at {len}");
    }
}

#[test]
fn an_acknowledged_line_that_was_cut_off_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    records_of(&mut store);
    run_one(&mut store, commit_of("kvs", 1, b"1", "a", Some(b"A"))).unwrap();
    let path = folder.path().join("content.files/records");
    let whole = std::fs::metadata(&path).unwrap().len();
    run_one(&mut store, commit_of("kvs", 2, b"2", "b", Some(b"B"))).unwrap();
    drop(store);
    let text = std::fs::read(&path).unwrap();
    let damages = [whole as usize, text.len() - 1, 0].map(|len| text[..len].to_vec());
    let mut flipped = text.clone();
    flipped[text.len() - 9] ^= 1;
    for (number, damaged) in damages.into_iter().chain([flipped]).enumerate() {
        std::fs::write(&path, &damaged).unwrap();
        let mut store = open(folder.path());
        let findings = store.damage.findings().len();
        assert!(findings > 0, "damage {number}");
        store.damage.accept().unwrap();
        drop(store);
        let store = open(folder.path());
        assert!(store.damage.findings().iter().all(|found| found.accepted));
        drop(store);
        std::fs::write(&path, &text).unwrap();
    }
}

#[test]
fn a_damaged_line_costs_what_it_said_and_the_file_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    records_of(&mut store);
    for (number, key) in [(1, "a"), (2, "b"), (3, "c")] {
        run_one(&mut store, commit_of("kvs", number, b"1", key, Some(b"A"))).unwrap();
    }
    drop(store);
    let path = folder.path().join("content.files/records");
    let mut text = std::fs::read(&path).unwrap();
    let at = text.windows(3).position(|window| window == b"\"b\"");
    text[at.unwrap()] = b'x';
    std::fs::write(&path, &text).unwrap();
    for _ in 0..2 {
        let expect = [record("a", b"A"), record("c", b"A")];
        assert_eq!(records_of(&mut open(folder.path())), expect);
    }
    let kept = folder.path().join("content.files/records.damaged-1");
    assert_eq!(std::fs::read(kept).unwrap(), text);
    assert!(
        !folder
            .path()
            .join("content.files/records.damaged-2")
            .exists()
    );
}

#[test]
fn a_failure_undoes_the_whole_batch_and_the_service_goes_on_when_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    records_of(&mut store);
    run_one(&mut store, commit_of("kvs", 1, b"1", "a", Some(b"A"))).unwrap();
    // A folder is where the blob's file is to be.
    let obstacle = folder
        .path()
        .join("content.files")
        .join(name(b"bad").to_string());
    std::fs::create_dir(&obstacle).unwrap();
    let tasks = [
        store_of(b"small"),
        commit_of("kvs", 2, b"2", "a", Some(b"B")),
        Task::CheckpointPut(checkpoint(1)),
        store_of(b"bad"),
        Task::Load(name(b"1")),
    ];
    let results = run(&mut store, &tasks);
    for result in &results[..4] {
        let refusal = result.clone().unwrap_err();
        assert_eq!(refusal.errno, Errno::EISDIR);
        let text = refusal.to_string();
        assert!(text.contains(&obstacle.display().to_string()), "{text}");
    }
    assert_eq!(results[4], Ok(Outcome::Blob(Bytes::from_static(b"1"))));
    for blob in [&b"small"[..], b"2"] {
        assert!(run_one(&mut store, Task::Validate(name(blob))).is_err());
    }
    assert_eq!(
        run_one(&mut store, Task::CheckpointGet),
        Ok(Outcome::Checkpoints(vec![]))
    );
    std::fs::remove_dir(&obstacle).unwrap();
    assert!(run(&mut store, &tasks).iter().all(Result::is_ok));
    drop(store);
    assert_eq!(records_of(&mut open(folder.path())), [record("a", b"B")]);
}

#[test]
fn a_damaged_blob_is_refused_by_name_and_file_and_mended_by_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    run_one(&mut store, store_of(b"hello")).unwrap();
    let path = folder
        .path()
        .join("content.files")
        .join(name(b"hello").to_string());
    std::fs::write(&path, b"").unwrap();
    let refusal = run_one(&mut store, Task::Load(name(b"hello"))).unwrap_err();
    assert_eq!(refusal.errno, Errno::EIO);
    let text = refusal.to_string();
    assert!(text.contains("content.files: blob sha1-"), "{text}");
    run_one(&mut store, store_of(b"hello")).unwrap();
    let loaded = run_one(&mut store, Task::Load(name(b"hello")));
    assert_eq!(loaded, Ok(Outcome::Blob(Bytes::from_static(b"hello"))));
}

#[test]
fn records_that_change_often_do_not_fill_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    records_of(&mut store);
    static LARGE: [u8; 50_000] = [b'a'; 50_000];
    for number in 1..100 {
        let value: &[u8] = if number % 2 == 0 { &LARGE } else { b"small" };
        run_one(&mut store, commit_of("kvs", number, b"1", "a", Some(value))).unwrap();
    }
    let path = folder.path().join("content.files/records");
    assert!(std::fs::metadata(&path).unwrap().len() < 2 << 20);
    drop(store);
    assert_eq!(
        records_of(&mut open(folder.path())),
        [record("a", b"small")]
    );
}

#[test]
fn a_copy_without_times_is_collected_one_collection_later() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    run_one(&mut store, store_of(b"x")).unwrap();
    let path = folder
        .path()
        .join("content.files")
        .join(name(b"x").to_string());
    std::fs::write(&path, b"x").unwrap();
    for (sequence, deleted) in [(1, 0), (2, 1)] {
        run_one(&mut store, Task::CheckpointPut(checkpoint(sequence))).unwrap();
        let sweep = proto::content_backing::Sweep {
            epoch: sequence,
            cursor: 0,
            high_water: super::collect::HIGH_WATER,
            delete_cap: 10,
            window: super::collect::HIGH_WATER,
        };
        let swept = run_one(&mut store, Task::Sweep(sweep)).and_then(Outcome::swept);
        assert_eq!(swept.unwrap().deleted, deleted);
    }
}
