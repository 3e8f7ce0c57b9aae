use std::path::Path;

use bytes::Bytes;
use proto::Errno;
use proto::content::{Commit, CommitError, Edit, Part, Record};
use proto::content_backing::Sweep;

use crate::limits::{FOLDED_TRANSACTIONS, JOURNALLED_BLOB_BYTES_MAX};
use crate::store::backing::{Backing, Upkeep};
use crate::store::batch;
use crate::store::clock::Clock;
use crate::store::sqlite::Sqlite;
use crate::store::sqlite::journal::Share;
use crate::store::tests::{checkpoint, name, settings};
use crate::task::{Outcome, Task, TaskResult};

fn open(folder: &Path) -> Sqlite {
    Sqlite::open(settings(folder)).expect("the folder is there")
}

fn run(store: &mut Sqlite, task: Task) -> TaskResult {
    batch::run(store, &mut Clock::default(), &[task]).remove(0)
}

/// Commit `number` with the blob `blobN` and the record `key` = `N`.
fn commit(number: u64) -> Commit {
    let blob = format!("blob{number}");
    Commit {
        writer: "kvs".to_owned(),
        number,
        after: number - 1,
        blobs: vec![(
            Bytes::copy_from_slice(name(blob.as_bytes()).digest()),
            blob.into(),
        )],
        edits: Vec::new(),
        records: vec![Record {
            key: "key".to_owned(),
            value: Some(number.to_string().into()),
        }],
        checkpoint: None,
    }
}

/// Commit `number` with version `number` of a directory, told by version `base`: the same
/// text with another number before it.
fn edit(number: u64, base: u64) -> Commit {
    let digest = |number| Bytes::copy_from_slice(name(&version(number)).digest());
    Commit {
        blobs: Vec::new(),
        edits: vec![Edit {
            digest: digest(number),
            base: digest(base),
            parts: vec![Part {
                own: format!("{number:8}").into(),
                at: 8,
                len: 1000,
            }],
            tail: Bytes::new(),
        }],
        after: 0,
        ..commit(number)
    }
}

fn version(number: u64) -> Vec<u8> {
    format!("{number:8}{}", "x".repeat(1000)).into_bytes()
}

fn has_version(store: &mut Sqlite, number: u64) -> bool {
    let blob = version(number);
    let loaded = run(store, Task::Load(name(&blob)));
    loaded == Ok(Outcome::Blob(blob.into()))
}

/// A store in which version 1 is there whole and those up to `last` are edits.
fn edited(folder: &Path, last: u64) -> Sqlite {
    let mut store = started(folder, 0);
    let first = version(1);
    let whole = Task::Store(name(&first), first.into());
    run(&mut store, whole).unwrap();
    for number in 2..=last {
        run(&mut store, Task::Commit(edit(number, number - 1))).unwrap();
    }
    store
}

fn has(store: &mut Sqlite, number: u64) -> bool {
    let blob = format!("blob{number}");
    let loaded = run(store, Task::Load(name(blob.as_bytes())));
    let is_there = run(store, Task::Validate(name(blob.as_bytes()))).is_ok();
    assert_eq!(loaded.is_ok(), is_there);
    loaded.is_ok_and(|loaded| loaded == Outcome::Blob(blob.into()))
}

/// The record, by opening all of them, as a successor would.
fn value(store: &mut Sqlite) -> Option<String> {
    let records = run(store, Task::Records("next".to_owned())).unwrap();
    let records = records.records().unwrap();
    let value = records.into_iter().find(|record| record.key == "key");
    value.map(|record| String::from_utf8(record.value.unwrap().into()).unwrap())
}

/// Rows of a table.
fn count(store: &Sqlite, table: &str) -> i64 {
    let query = format!("SELECT count(*) FROM {table}");
    store.db.query_row(&query, [], |row| row.get(0)).unwrap()
}

fn started(folder: &Path, commits: u64) -> Sqlite {
    let mut store = open(folder);
    run(&mut store, Task::Records("kvs".to_owned())).unwrap();
    for number in 1..=commits {
        run(&mut store, Task::Commit(commit(number))).unwrap();
    }
    store
}

#[test]
fn a_commit_is_one_row_and_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = started(folder.path(), 3);
    assert_eq!(count(&store, "ferroflux_journal"), 3);
    assert_eq!(count(&store, "objects"), 0);
    assert_eq!(store.journal.size().0, 3);
    assert!((1..=3).all(|number| has(&mut store, number)));
    assert!(!has(&mut store, 4));
}

#[test]
fn whoever_opens_the_file_after_a_kill_moves_commits_to_their_places() {
    let folder = tempfile::tempdir().unwrap();
    drop(started(folder.path(), 3));
    let mut store = open(folder.path());
    assert_eq!(store.journal.size().0, 0);
    assert_eq!(count(&store, "objects"), 3);
    assert!((1..=3).all(|number| has(&mut store, number)));
    assert_eq!(value(&mut store).as_deref(), Some("3"));
}

#[test]
fn the_writer_goes_on_where_it_was_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    drop(started(folder.path(), 3));
    let mut store = open(folder.path());
    // The answer to commit 3 was lost with the service.
    assert_eq!(run(&mut store, Task::Commit(commit(3))), Ok(Outcome::Done));
    assert_eq!(store.journal.size().0, 0, "it is there already");
    assert_eq!(run(&mut store, Task::Commit(commit(4))), Ok(Outcome::Done));
    assert_eq!(value(&mut store).as_deref(), Some("4"));
}

#[test]
fn a_commit_whose_predecessor_is_not_stored_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = started(folder.path(), 1);
    let unfounded = Err(CommitError::Unfounded.into());
    assert_eq!(run(&mut store, Task::Commit(commit(3))), unfounded);
    assert!(!has(&mut store, 3));
    let next = Commit {
        after: 1,
        ..commit(4)
    };
    assert_eq!(run(&mut store, Task::Commit(next)), Ok(Outcome::Done));
    assert!(has(&mut store, 4));
}

#[test]
fn a_checkpoint_and_a_clean_end_leave_nothing_in_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = started(folder.path(), 3);
    let last = Commit {
        checkpoint: Some(checkpoint(4)),
        ..commit(4)
    };
    run(&mut store, Task::Commit(last)).unwrap();
    assert_eq!(count(&store, "objects"), 4);
    assert_eq!(store.journal.size(), (0, 0));
    run(&mut store, Task::Commit(commit(5))).unwrap();
    assert_eq!(store.journal.size().0, 1);
    assert_eq!(count(&store, "ferroflux_journal"), 3, "a row is used again");
    store.close().unwrap();
    assert_eq!(store.journal.size(), (0, 0));
    assert_eq!(count(&store, "objects"), 5);
}

#[test]
fn what_comes_after_a_checkpoint_in_its_transaction_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = started(folder.path(), 1);
    let synced = Commit {
        checkpoint: Some(checkpoint(1)),
        ..commit(2)
    };
    let tasks = [synced, commit(3), commit(4)].map(Task::Commit);
    for result in batch::run(&mut store, &mut Clock::default(), &tasks) {
        assert_eq!(result, Ok(Outcome::Done));
    }
    assert!((1..=4).all(|number| has(&mut store, number)));
    run(&mut store, Task::Commit(commit(5))).unwrap();
    drop(store);
    let mut store = open(folder.path());
    assert!((1..=5).all(|number| has(&mut store, number)));
    assert_eq!(value(&mut store), Some("5".to_owned()));
}

#[test]
fn upkeep_moves_commits_in_steps() {
    let folder = tempfile::tempdir().unwrap();
    let commits = FOLDED_TRANSACTIONS as u64 * 2 + 1;
    let mut store = started(folder.path(), commits - 1);
    store.copy_log().unwrap();
    assert_eq!(store.upkeep_due(), Upkeep::WhenIdle);
    store.upkeep().unwrap();
    assert_eq!(store.journal.size().0, FOLDED_TRANSACTIONS);
    run(&mut store, Task::Commit(commit(commits))).unwrap();
    store.upkeep().unwrap();
    store.copy_log().unwrap();
    assert_eq!(store.upkeep_due(), Upkeep::Nothing);
    assert_eq!(store.journal.size().0, 1);
    assert!((1..=commits).all(|number| has(&mut store, number)));
    assert_eq!(value(&mut store), Some(commits.to_string()));
}

#[test]
fn a_failure_undoes_the_commits_of_its_batch_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = started(folder.path(), 2);
    store
        .db
        .execute_batch("PRAGMA max_page_count = 20")
        .unwrap();
    let noise: Vec<u8> = crate::store::tests::noise(JOURNALLED_BLOB_BYTES_MAX + 1);
    let large = Commit {
        blobs: vec![(
            Bytes::copy_from_slice(name(&noise).digest()),
            noise.clone().into(),
        )],
        ..commit(5)
    };
    // The third has the blob of the first again.
    let again = Commit {
        number: 4,
        after: 3,
        ..commit(1)
    };
    let tasks = [commit(3), again, Commit { after: 4, ..large }].map(Task::Commit);
    let results = batch::run(&mut store, &mut Clock::default(), &tasks);
    assert!(
        results
            .iter()
            .all(|result| result.as_ref().is_err_and(|it| it.errno == Errno::ENOSPC))
    );
    assert!(has(&mut store, 1) && has(&mut store, 2) && !has(&mut store, 3));
    assert_eq!(store.journal.size().0, 2);
    store
        .db
        .execute_batch("PRAGMA max_page_count = 1000")
        .unwrap();
    let results = batch::run(&mut store, &mut Clock::default(), &tasks);
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(count(&store, "objects"), 1, "the large one");
    assert!(run(&mut store, Task::Validate(name(&noise))).is_ok());
}

#[test]
fn a_transaction_may_have_many_commits_and_fill_many_rows() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = started(folder.path(), 0);
    let noise = crate::store::tests::noise(30_000);
    let large = Commit {
        blobs: vec![(
            Bytes::copy_from_slice(name(&noise).digest()),
            noise.clone().into(),
        )],
        ..commit(2)
    };
    let tasks = [commit(1), large, commit(3)].map(Task::Commit);
    let results = batch::run(&mut store, &mut Clock::default(), &tasks);
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(store.journal.size().0, 1);
    assert_eq!(count(&store, "ferroflux_journal"), 8);
    drop(store);
    let mut store = open(folder.path());
    assert!(has(&mut store, 1) && has(&mut store, 3));
    let loaded = run(&mut store, Task::Load(name(&noise)));
    assert_eq!(loaded, Ok(Outcome::Blob(noise.into())));
    assert_eq!(value(&mut store).as_deref(), Some("3"));
}

#[test]
fn a_row_that_is_missing_or_cut_is_told() {
    for damage in [
        "DELETE FROM ferroflux_journal WHERE id = 2",
        "UPDATE ferroflux_journal SET payload = substr(payload, 1, 100) WHERE id = 2",
        "UPDATE ferroflux_journal SET payload = x'00' WHERE id = 3",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut store = started(folder.path(), 0);
        let noise = crate::store::tests::noise(10_000);
        let large = Commit {
            blobs: vec![(Bytes::copy_from_slice(name(&noise).digest()), noise.into())],
            ..commit(1)
        };
        run(&mut store, Task::Commit(large)).unwrap();
        store.db.execute_batch(damage).unwrap();
        drop(store);
        let failure = Sqlite::open(settings(folder.path())).unwrap_err();
        let text = failure.refusal(folder.path()).to_string();
        assert!(text.contains("ferroflux_journal"), "{text}");
    }
}

#[test]
fn edits_are_read_folded_and_found_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = edited(folder.path(), 20);
    assert_eq!(count(&store, "objects"), 1);
    assert!((1..=20).all(|number| has_version(&mut store, number)));
    drop(store);
    let mut store = open(folder.path());
    assert_eq!(count(&store, "objects"), 20);
    assert!((1..=20).all(|number| has_version(&mut store, number)));
    run(&mut store, Task::Commit(edit(21, 20))).unwrap();
    store.close().unwrap();
    drop(store);
    let mut store = open(folder.path());
    assert!(has_version(&mut store, 21));
}

#[test]
fn an_edit_may_begin_from_a_blob_that_comes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = started(folder.path(), 0);
    let first = version(1);
    let both = Commit {
        blobs: vec![(Bytes::copy_from_slice(name(&first).digest()), first.into())],
        ..edit(2, 1)
    };
    run(&mut store, Task::Commit(both)).unwrap();
    assert!((1..=2).all(|number| has_version(&mut store, number)));
    drop(store);
    let mut store = open(folder.path());
    assert!((1..=2).all(|number| has_version(&mut store, number)));
}

#[test]
fn a_version_may_come_again_as_an_edit_of_what_was_made_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = edited(folder.path(), 3);
    // Back to version 2, then on to 5 from there.
    let back = Commit {
        edits: edit(2, 3).edits,
        blobs: Vec::new(),
        ..commit(4)
    };
    run(&mut store, Task::Commit(back)).unwrap();
    run(&mut store, Task::Commit(edit(5, 2))).unwrap();
    assert!(
        [1, 2, 3, 5]
            .iter()
            .all(|number| has_version(&mut store, *number))
    );
    // Regardless of what was folded before.
    store.fold(Share::All).unwrap();
    let again = Commit {
        edits: edit(3, 5).edits,
        blobs: Vec::new(),
        ..commit(6)
    };
    run(&mut store, Task::Commit(again)).unwrap();
    assert!(
        [1, 2, 3, 5]
            .iter()
            .all(|number| has_version(&mut store, *number))
    );
    drop(store);
    let mut store = open(folder.path());
    assert!(
        [1, 2, 3, 5]
            .iter()
            .all(|number| has_version(&mut store, *number))
    );
}

#[test]
fn an_edit_of_a_blob_that_is_missing_or_damaged_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = edited(folder.path(), 1);
    let missing = run(&mut store, Task::Commit(edit(3, 2))).unwrap_err();
    assert!(missing.to_string().contains("is missing"), "{missing}");
    let damage = "UPDATE objects SET object = x'00', size = -1";
    store.db.execute_batch(damage).unwrap();
    let damaged = run(&mut store, Task::Commit(edit(2, 1))).unwrap_err();
    assert!(damaged.to_string().contains("another hash"), "{damaged}");
    assert_eq!(store.journal.size(), (0, 0));
}

#[test]
fn a_sweep_takes_no_blob_of_which_another_is_still_to_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = edited(folder.path(), 3);
    let last = Commit {
        checkpoint: Some(checkpoint(4)),
        ..commit(4)
    };
    run(&mut store, Task::Commit(last)).unwrap();
    run(&mut store, Task::Commit(edit(5, 3))).unwrap();
    let sweep = Sweep {
        epoch: 1,
        cursor: 0,
        high_water: 100,
        delete_cap: 100,
        window: 100,
    };
    run(&mut store, Task::Sweep(sweep)).unwrap();
    assert!(!has_version(&mut store, 1) && has_version(&mut store, 5));
    drop(store);
    let mut store = open(folder.path());
    assert!(has_version(&mut store, 5));
}
