use std::path::Path;

use bytes::Bytes;
use proto::Errno;
use proto::content_backing::Sweep;

use super::Sqlite;
use crate::config::Backend;
use crate::store::clock::Clock;
use crate::store::tests::{checkpoint, commit_of, name, noise, settings, store_of};
use crate::store::{Store, batch};
use crate::task::{Outcome, Task, TaskResult};

fn open(folder: &Path) -> Sqlite {
    Sqlite::open(settings(folder)).expect("a fresh folder")
}

fn run(store: &mut Sqlite, tasks: &[Task]) -> Vec<TaskResult> {
    batch::run(store, &mut Clock::default(), tasks)
}

fn run_one(store: &mut Sqlite, task: Task) -> TaskResult {
    run(store, &[task]).remove(0)
}

/// Runs SQL behind the store's back.
fn sql(store: &Sqlite, text: &str) {
    store.db.execute_batch(text).expect("good SQL");
}

fn row_of(store: &Sqlite, blob: &[u8]) -> (i64, Vec<u8>, i64) {
    store
        .db
        .query_row(
            "SELECT size, object, epoch FROM objects WHERE hash = ?1",
            [name(blob).digest()],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .expect("the blob's row")
}

#[test]
fn rows_are_in_the_form_that_other_tools_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    static LARGE: [u8; 1000] = [b'a'; 1000];
    run(&mut store, &[store_of(b"small"), store_of(&LARGE)]);
    assert_eq!(row_of(&store, b"small"), (-1, b"small".to_vec(), 0));
    let (size, object, _) = row_of(&store, &LARGE);
    assert_eq!(size, 1000);
    assert_eq!(lz4_flex::block::decompress(&object, 1000).unwrap(), LARGE);
}

#[test]
fn a_full_disk_undoes_the_whole_batch_and_the_service_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    run_one(&mut store, store_of(b"before")).unwrap();
    run_one(&mut store, Task::Records("kvs-1".to_owned())).unwrap();
    sql(&store, "PRAGMA max_page_count = 12");
    let noise = noise(100_000);
    let tasks = [
        store_of(b"small"),
        Task::Load(name(b"before")),
        commit_of("kvs-1", 1, b"blob", "ns/primary", Some(b"root")),
        Task::Store(name(&noise), noise.clone().into()),
        Task::Barrier,
    ];
    let results = run(&mut store, &tasks);
    for at in [0, 2, 3, 4] {
        let refusal = results[at].clone().unwrap_err();
        assert_eq!(refusal.errno, Errno::ENOSPC);
        let text = refusal.to_string();
        assert!(
            text.contains("content.sqlite: database or disk is full"),
            "{text}"
        );
    }
    assert_eq!(results[1], Ok(Outcome::Blob(Bytes::from_static(b"before"))));
    for blob in [&b"small"[..], b"blob", &noise] {
        assert!(run_one(&mut store, Task::Validate(name(blob))).is_err());
    }

    sql(&store, "PRAGMA max_page_count = 100000");
    assert!(run(&mut store, &tasks).iter().all(Result::is_ok));
}

#[test]
fn a_file_that_can_not_be_written_refuses_commits_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    run_one(&mut store, store_of(b"before")).unwrap();
    run_one(&mut store, Task::Records("kvs-1".to_owned())).unwrap();
    sql(&store, "PRAGMA query_only = 1");
    let tasks = [
        commit_of("kvs-1", 1, b"blob", "ns/primary", Some(b"root")),
        Task::Load(name(b"before")),
    ];
    let results = run(&mut store, &tasks);
    let refusal = results[0].clone().unwrap_err();
    assert_eq!(refusal.errno, Errno::EROFS);
    let text = refusal.to_string();
    assert!(
        text.contains("content.sqlite: attempt to write a readonly"),
        "{text}"
    );
    assert_eq!(results[1], Ok(Outcome::Blob(Bytes::from_static(b"before"))));

    sql(&store, "PRAGMA query_only = 0");
    assert!(run(&mut store, &tasks).iter().all(Result::is_ok));
}

#[test]
fn a_new_writer_reads_where_nothing_can_be_written_and_is_noted_later() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    run_one(&mut store, Task::Records("kvs-1".to_owned())).unwrap();
    for number in 1..=3 {
        let commit = commit_of("kvs-1", number, b"blob", "ns/primary", Some(b"root"));
        run_one(&mut store, commit).unwrap();
    }
    sql(&store, "PRAGMA query_only = 1");
    let opened = run_one(&mut store, Task::Records("kvs-2".to_owned()));
    let record = crate::store::tests::record("ns/primary", Some(b"root"));
    assert_eq!(opened, Ok(Outcome::Records(vec![record])));
    let second = || commit_of("kvs-2", 1, b"second", "ns/primary", Some(b"next"));
    let refusal = run_one(&mut store, second()).unwrap_err();
    assert_eq!(refusal.errno, Errno::EROFS);
    sql(&store, "PRAGMA query_only = 0");
    run_one(&mut store, second()).unwrap();
    let late = commit_of("kvs-1", 4, b"late", "ns/primary", Some(b"late"));
    assert_eq!(
        run_one(&mut store, late.clone()).unwrap_err().errno,
        Errno::EPERM
    );
    drop(store);
    let mut store = open(folder.path());
    assert_eq!(run_one(&mut store, late).unwrap_err().errno, Errno::EPERM);
    let third = commit_of("kvs-2", 2, b"third", "ns/primary", Some(b"third"));
    run_one(&mut store, third).unwrap();
    assert!(run_one(&mut store, Task::Validate(name(b"third"))).is_ok());
}

#[test]
fn a_damaged_blob_is_refused_by_name_and_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    static LARGE: [u8; 1000] = [b'a'; 1000];
    run(&mut store, &[store_of(b"small"), store_of(&LARGE)]);
    sql(&store, "UPDATE objects SET object = x'00' WHERE size = -1");
    sql(
        &store,
        "UPDATE objects SET size = 1 << 40 WHERE size = 1000",
    );
    for blob in [&b"small"[..], &LARGE] {
        let refusal = run_one(&mut store, Task::Load(name(blob))).unwrap_err();
        assert_eq!(refusal.errno, Errno::EIO);
        let text = refusal.to_string();
        assert!(text.contains("content.sqlite: blob sha1-"), "{text}");
    }
}

#[test]
fn a_blob_that_the_index_has_lost_is_found_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    run_one(&mut store, store_of(b"hello")).unwrap();
    let absent = run_one(&mut store, Task::Load(name(b"absent")));
    assert_eq!(absent.unwrap_err().errno, Errno::ENOENT);
    assert!(store.damage.findings().is_empty());
    let index = "PRAGMA writable_schema = 1;
        UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master
            WHERE name = 'sqlite_autoindex_ferroflux_records_1' OR name = 'ferroflux_records')
        WHERE name = 'sqlite_autoindex_objects_1';
        PRAGMA writable_schema = RESET;";
    sql(&store, index);
    let loaded = run_one(&mut store, Task::Load(name(b"hello")));
    assert_eq!(loaded, Ok(Outcome::Blob(Bytes::from_static(b"hello"))));
    assert!(
        store.damage.findings()[0]
            .what
            .contains("the index of blobs is damaged")
    );
}

#[test]
fn a_file_that_can_not_be_used_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("content.sqlite");
    std::fs::write(&path, [b'x'; 4096]).unwrap();
    let refusal = Store::default()
        .open(Backend::Sqlite, settings(folder.path()))
        .unwrap_err();
    assert_eq!(refusal.errno, Errno::ENOTRECOVERABLE);
    assert_eq!(
        refusal.to_string(),
        format!(
            "{}: file is not a database; nothing in it can be read",
            path.display()
        )
    );
    let missing = folder.path().join("missing");
    let refusal = Store::default()
        .open(Backend::Sqlite, settings(&missing))
        .unwrap_err();
    assert_eq!(refusal.errno, Errno::ENOENT);
    assert!(
        refusal
            .to_string()
            .starts_with(&missing.display().to_string())
    );
}

#[test]
fn a_second_service_on_the_same_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path());
    // The second does not wait for the first to go in a test.
    let db = rusqlite::Connection::open(folder.path().join("content.sqlite")).unwrap();
    db.busy_timeout(std::time::Duration::ZERO).unwrap();
    let error = db.execute_batch("BEGIN IMMEDIATE").unwrap_err();
    let refusal = crate::store::failure::Failure::from(error).refusal(folder.path());
    assert_eq!(refusal.errno, Errno::EBUSY);
}

#[test]
fn the_newest_checkpoints_are_kept_and_mark_what_is_stored_after_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    assert_eq!(
        run_one(&mut store, Task::CheckpointGet),
        Ok(Outcome::Checkpoints(vec![]))
    );
    for sequence in 1..=3 {
        run_one(&mut store, Task::CheckpointPut(checkpoint(sequence))).unwrap();
    }
    let kept = Outcome::Checkpoints(vec![checkpoint(3), checkpoint(2)]);
    assert_eq!(run_one(&mut store, Task::CheckpointGet), Ok(kept));
    run_one(&mut store, store_of(b"x")).unwrap();
    assert_eq!(row_of(&store, b"x").2, 3);
    drop(store);
    let mut store = open(folder.path());
    run_one(&mut store, store_of(b"y")).unwrap();
    assert_eq!(row_of(&store, b"y").2, 3);
    run_one(&mut store, Task::CheckpointPut(checkpoint(4))).unwrap();
    run_one(&mut store, store_of(b"x")).unwrap();
    assert_eq!(row_of(&store, b"x").2, 4, "storing it again marks it again");
}

#[test]
fn a_file_without_epochs_gets_them() {
    let folder = tempfile::tempdir().unwrap();
    let db = rusqlite::Connection::open(folder.path().join("content.sqlite")).unwrap();
    db.execute_batch("CREATE TABLE objects(hash BLOB PRIMARY KEY, size INT, object BLOB)")
        .unwrap();
    db.execute(
        "INSERT INTO objects VALUES(?1, -1, ?2)",
        (name(b"old").digest(), &b"old"[..]),
    )
    .unwrap();
    drop(db);
    let mut store = open(folder.path());
    let loaded = run_one(&mut store, Task::Load(name(b"old")));
    assert_eq!(loaded, Ok(Outcome::Blob(Bytes::from_static(b"old"))));
    assert_eq!(row_of(&store, b"old").2, 0);
}

#[test]
fn a_sweep_leaves_no_gaps_between_what_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let blobs: Vec<Bytes> = (0..3000u32)
        .map(|n| noise(200).into_iter().chain(n.to_le_bytes()).collect())
        .collect();
    let tasks: Vec<Task> = blobs
        .iter()
        .map(|blob| Task::Store(name(blob), blob.clone()))
        .collect();
    run(&mut store, &tasks);
    run_one(&mut store, Task::CheckpointPut(checkpoint(1))).unwrap();
    let kept: Vec<&Bytes> = blobs.chunks(5).flat_map(|five| &five[..3]).collect();
    let names = kept.iter().map(|blob| name(blob)).collect();
    run_one(&mut store, Task::Mark(1, names)).unwrap();
    let (mut cursor, high_water) = (0, 3000);
    while cursor < high_water {
        let step = Sweep {
            epoch: 1,
            cursor,
            high_water,
            delete_cap: 500,
            window: 1000,
        };
        let swept = run_one(&mut store, Task::Sweep(step)).and_then(Outcome::swept);
        cursor = swept.unwrap().cursor;
    }
    while run_one(&mut store, Task::Shrink) == Ok(Outcome::Shrunk(true)) {}
    let Ok(Outcome::Stats(stats)) = run_one(&mut store, Task::Stats) else {
        panic!("no statistics");
    };
    assert_eq!(stats.object_count, 1800);
    // A row of 204 bytes of noise takes about 240, and its entry in the index 35.
    assert!(stats.dbfile_size < 1800 * 300 + 60_000, "{stats:?}");
    for blob in kept {
        let loaded = run_one(&mut store, Task::Load(name(blob)));
        assert_eq!(loaded, Ok(Outcome::Blob(blob.clone())));
    }
}
