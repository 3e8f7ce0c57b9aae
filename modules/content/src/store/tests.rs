use std::path::Path;

use bytes::Bytes;
use proto::content::{Checkpoint, Commit, Record};
use proto::data::{BlobRef, HashKind};
use proto::{Errno, Refusal};

use super::Store;
use crate::settings::FileSettings;
use crate::task::{Outcome, Task, TaskResult};

pub(in crate::store) fn settings(folder: &Path) -> FileSettings {
    FileSettings {
        path: folder.join("content.sqlite"),
        journal_mode: "WAL".to_owned(),
        synchronous: "NORMAL".to_owned(),
        checkpoints_max: 2,
        truncate: false,
    }
}

fn open(folder: &Path) -> Store {
    let mut store = Store::default();
    store.open(settings(folder)).expect("a fresh folder");
    store
}

pub(in crate::store) fn name(blob: &[u8]) -> BlobRef {
    BlobRef::of(HashKind::Sha1, blob)
}

pub(in crate::store) fn store_of(blob: &'static [u8]) -> Task {
    Task::Store(name(blob), Bytes::from_static(blob))
}

fn run_one(store: &mut Store, task: Task) -> TaskResult {
    store.run(&[task]).remove(0)
}

pub(in crate::store) fn commit_of(
    writer: &str,
    blob: &'static [u8],
    key: &str,
    value: Option<&'static [u8]>,
) -> Task {
    Task::Commit(Commit {
        writer: writer.to_owned(),
        blobs: vec![(
            Bytes::copy_from_slice(name(blob).digest()),
            Bytes::from_static(blob),
        )],
        records: vec![Record {
            key: key.to_owned(),
            value: value.map(Bytes::from_static),
        }],
        ..Commit::default()
    })
}

pub(in crate::store) fn checkpoint(sequence: i64) -> Checkpoint {
    Checkpoint {
        version: 1,
        rootref: name(b"").to_string(),
        sequence,
        timestamp: 1.0,
    }
}

/// Bytes that can not be compressed.
pub(in crate::store) fn noise(len: usize) -> Vec<u8> {
    let mut state = 1u64;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

#[test]
fn blobs_of_every_size_are_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let noise = noise(5000);
    let blobs = [
        vec![],
        b"x".to_vec(),
        vec![7; 255],
        vec![7; 256],
        vec![7; 1 << 20],
        noise,
    ];
    let mut store = open(folder.path());
    for blob in &blobs {
        let task = Task::Store(name(blob), Bytes::from(blob.clone()));
        assert_eq!(run_one(&mut store, task), Ok(Outcome::Done));
    }
    drop(store);
    let mut store = open(folder.path());
    for blob in blobs {
        let loaded = run_one(&mut store, Task::Load(name(&blob)));
        assert_eq!(loaded, Ok(Outcome::Blob(blob.into())));
    }
}

#[test]
fn a_missing_blob_is_told_without_a_text() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let missing = Err(Refusal::bare(Errno::ENOENT));
    assert_eq!(run_one(&mut store, Task::Load(name(b"x"))), missing);
    assert_eq!(run_one(&mut store, Task::Validate(name(b"x"))), missing);
    run_one(&mut store, store_of(b"x")).unwrap();
    assert_eq!(
        run_one(&mut store, Task::Validate(name(b"x"))),
        Ok(Outcome::Done)
    );
}

#[test]
fn records_have_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let opened = run_one(&mut store, Task::Records("kvs-1".to_owned()));
    assert_eq!(opened, Ok(Outcome::Records(vec![])));
    run_one(&mut store, commit_of("kvs-1", b"1", "a", Some(b"A"))).unwrap();
    run_one(&mut store, commit_of("kvs-1", b"2", "b", Some(b"B"))).unwrap();
    run_one(&mut store, commit_of("kvs-1", b"3", "a", None)).unwrap();
    drop(store);

    let mut store = open(folder.path());
    let opened = run_one(&mut store, Task::Records("kvs-2".to_owned()));
    let b = Record {
        key: "b".to_owned(),
        value: Some(Bytes::from_static(b"B")),
    };
    assert_eq!(opened, Ok(Outcome::Records(vec![b])));
    let late = run_one(&mut store, commit_of("kvs-1", b"4", "b", Some(b"C")));
    assert_eq!(late.unwrap_err().errno, Errno::EPERM);
    assert!(run_one(&mut store, Task::Validate(name(b"4"))).is_err());
}

#[test]
fn truncate_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    run_one(&mut open(folder.path()), store_of(b"x")).unwrap();
    let mut store = Store::default();
    let truncate = FileSettings {
        truncate: true,
        ..settings(folder.path())
    };
    store.open(truncate).unwrap();
    assert!(run_one(&mut store, Task::Validate(name(b"x"))).is_err());
}
