use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use proto::content::{Checkpoint, Commit, Record};
use proto::data::{BlobRef, HashKind, Tree};
use proto::{Errno, Refusal};

use super::beside;
use crate::config::Backend;
use crate::store::Store;
use crate::store::damage::Damage;
use crate::store::tests::{noise, settings};
use crate::task::{Outcome, Task, TaskResult};

/// A tree of `count` directories with one long value each. Gives all blobs, the root last.
fn tree(count: usize, generation: u8) -> Vec<Vec<u8>> {
    let name = |blob: &[u8]| BlobRef::of(HashKind::Sha1, blob);
    let mut blobs = Vec::new();
    let mut root = BTreeMap::new();
    for at in 0..count {
        let mut value = noise(900);
        value.extend([generation, at as u8, (at >> 8) as u8]);
        let entries = [("value".into(), Tree::ValRef(vec![name(&value)]))];
        let dir = Tree::Dir(entries.into()).encode();
        root.insert(format!("d{at}").into(), Tree::DirRef(name(&dir)));
        blobs.extend([value, dir]);
    }
    blobs.push(Tree::Dir(root).encode());
    blobs
}

fn root_of(blobs: &[Vec<u8>]) -> String {
    BlobRef::of(HashKind::Sha1, &blobs[blobs.len() - 1]).to_string()
}

fn checkpoint(blobs: &[Vec<u8>], sequence: i64) -> Checkpoint {
    Checkpoint {
        version: 1,
        rootref: root_of(blobs),
        sequence,
        timestamp: 1.0,
    }
}

/// A commit as the kvs makes it.
fn commit(number: u64, blobs: &[Vec<u8>], checkpoint: Option<Checkpoint>) -> Task {
    let encoded = |row: Vec<serde_json::Value>| {
        Some(Bytes::from(rmp_serde::to_vec(&row).expect("plain values")))
    };
    let root = serde_json::json!([1, 100, 0, root_of(blobs), number]);
    let mut records = vec![Record {
        key: "ns/primary".to_owned(),
        value: encoded(root.as_array().cloned().unwrap_or_default()),
    }];
    if checkpoint.is_some() {
        let row = serde_json::json!([1, root_of(blobs), number, 1.0]);
        records.push(Record {
            key: "checkpoint".to_owned(),
            value: encoded(row.as_array().cloned().unwrap_or_default()),
        });
    }
    let digest = |blob: &[u8]| Bytes::copy_from_slice(BlobRef::of(HashKind::Sha1, blob).digest());
    Task::Commit(Commit {
        writer: "kvs".to_owned(),
        number,
        after: number - 1,
        blobs: blobs
            .iter()
            .map(|blob| (digest(blob), Bytes::from(blob.clone())))
            .collect(),
        records,
        checkpoint,
        ..Commit::default()
    })
}

fn run_one(store: &mut Store, task: Task) -> TaskResult {
    store.run(&[task]).remove(0)
}

fn open(folder: &Path) -> Result<Store, Refusal> {
    let mut store = Store::default();
    store.open(Backend::Sqlite, settings(folder))?;
    Ok(store)
}

/// The root that the kvs would go on from: of its record, else of the newest checkpoint.
fn root_after(store: &mut Store) -> Option<String> {
    let records = run_one(store, Task::Records("next".to_owned()));
    let records = records.and_then(Outcome::records).expect("records");
    let primary = records.iter().find(|record| record.key == "ns/primary");
    if let Some(value) = primary.and_then(|record| record.value.as_deref()) {
        let row: Vec<serde_json::Value> = rmp_serde::from_slice(value).expect("an array");
        return row[3].as_str().map(str::to_owned);
    }
    let checkpoints = run_one(store, Task::CheckpointGet).and_then(Outcome::checkpoints);
    let checkpoints = checkpoints.expect("checkpoints");
    checkpoints.first().map(|newest| newest.rootref.clone())
}

fn n_present(store: &mut Store, blobs: &[Vec<u8>]) -> usize {
    let has = |blob: &&Vec<u8>| {
        let name = BlobRef::of(HashKind::Sha1, blob);
        run_one(store, Task::Load(name)).is_ok()
    };
    blobs.iter().filter(has).count()
}

/// Two generations of a tree, the first with a checkpoint, in a file as it is after a kill.
fn two_generations(folder: &Path) -> [Vec<Vec<u8>>; 2] {
    let [old, new] = [tree(200, 1), tree(200, 2)];
    let first = tempfile::tempdir().unwrap();
    let mut store = open(first.path()).unwrap();
    run_one(&mut store, Task::Records("kvs".to_owned())).unwrap();
    run_one(&mut store, commit(1, &old, Some(checkpoint(&old, 1)))).unwrap();
    run_one(&mut store, commit(2, &new, None)).unwrap();
    for entry in std::fs::read_dir(first.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    // Opening it once brings the log into the file.
    drop(open(folder).unwrap());
    [old, new]
}

/// Writes over `page`, counted from 0, in pages of 4096 bytes.
fn damage(path: &Path, page: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = page * 4096 + 100;
    bytes[at..at + 3900].copy_from_slice(&noise(3900));
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_file_without_its_first_page_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("content.sqlite");
    let [old, new] = two_generations(folder.path());
    let whole = std::fs::read(&path).unwrap();
    for from in [0, 100] {
        let mut bytes = whole.clone();
        bytes[from..4096].fill(0xa5);
        std::fs::write(&path, &bytes).unwrap();
        let mut store = open(folder.path()).unwrap();
        assert_eq!(root_after(&mut store), Some(root_of(&new)));
        assert_eq!(n_present(&mut store, &new), new.len());
        assert_eq!(n_present(&mut store, &old), old.len());
        drop(store);
        let number = if from == 0 { 1 } else { 2 };
        let kept = beside(&path, &format!(".damaged-{number}"));
        assert_eq!(std::fs::read(kept).unwrap(), bytes);
    }
}

#[test]
fn one_page_anywhere_costs_what_is_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("content.sqlite");
    let [old, new] = two_generations(folder.path());
    let whole = std::fs::read(&path).unwrap();
    let mut n_salvaged = 0;
    for page in (0..whole.len() / 4096).step_by(11) {
        std::fs::write(&path, &whole).unwrap();
        damage(&path, page);
        let mut store = match open(folder.path()) {
            Ok(store) => store,
            Err(refusal) => panic!("page {page}: {refusal}"),
        };
        // Blobs that SQLite misses when it opens the file are found when it looks there.
        n_present(&mut store, &new);
        n_present(&mut store, &old);
        drop(store);
        let mut store = open(folder.path()).unwrap();
        let root = root_after(&mut store).expect("a root");
        assert!(
            [root_of(&old), root_of(&new)].contains(&root),
            "page {page}"
        );
        let blobs = if root == root_of(&new) { &new } else { &old };
        let present = n_present(&mut store, blobs);
        assert!(present + 40 > blobs.len(), "page {page}: {present}");
        drop(store);
        n_salvaged += usize::from(beside(&path, ".damaged-1").exists());
        std::fs::remove_file(beside(&path, ".damaged-1")).ok();
    }
    assert!(n_salvaged > 7, "{n_salvaged}");
}

/// Changes the name of a blob wherever it is in the file.
fn rename(path: &Path, blob: &[u8]) {
    let mut bytes = std::fs::read(path).unwrap();
    let name = BlobRef::of(HashKind::Sha1, blob);
    let digest = name.digest();
    let is_there = |at: &usize| bytes[*at..].starts_with(digest);
    let places: Vec<usize> = (0..bytes.len()).filter(is_there).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at] ^= 1;
    }
    std::fs::write(path, bytes).unwrap();
    super::want(path);
}

#[test]
fn a_root_whose_directories_are_not_whole_gives_way_to_an_older_one() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new] = two_generations(folder.path());
    let path = folder.path().join("content.sqlite");
    rename(&path, &new[1]);
    let mut store = open(folder.path()).unwrap();
    assert_eq!(root_after(&mut store), Some(root_of(&old)));
    assert_eq!(n_present(&mut store, &old), old.len());
    assert!(!super::is_wanted(&path));
}

#[test]
fn a_damaged_root_directory_is_seen_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("content.sqlite");
    let [old, new] = two_generations(folder.path());
    let db = rusqlite::Connection::open(&path).unwrap();
    let digest = BlobRef::of(HashKind::Sha1, &new[new.len() - 1]);
    let update = "UPDATE objects SET object = x'00', size = -1 WHERE hash = ?1";
    assert_eq!(db.execute(update, [digest.digest()]).unwrap(), 1);
    drop(db);
    let mut store = open(folder.path()).unwrap();
    // It came by way of the journal, and is there still.
    assert_eq!(root_after(&mut store), Some(root_of(&new)));
    assert_eq!(n_present(&mut store, &new), new.len());
    assert!(beside(&path, ".damaged-1").exists());
    drop(store);
    // So it is with one that is missing.
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute("DELETE FROM objects WHERE hash = ?1", [digest.digest()])
        .unwrap();
    drop(db);
    let mut store = open(folder.path()).unwrap();
    assert_eq!(root_after(&mut store), Some(root_of(&old)));
    assert!(beside(&path, ".damaged-2").exists());
}

#[test]
fn a_value_that_is_lost_costs_that_value_only() {
    let folder = tempfile::tempdir().unwrap();
    let [_, new] = two_generations(folder.path());
    let path = folder.path().join("content.sqlite");
    rename(&path, &new[0]);
    let mut store = open(folder.path()).unwrap();
    assert_eq!(root_after(&mut store), Some(root_of(&new)));
    assert_eq!(n_present(&mut store, &new), new.len() - 1);
}

#[test]
fn a_file_that_was_cut_short_opens_at_a_whole_root_or_says_why_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("content.sqlite");
    let [old, new] = two_generations(folder.path());
    let whole = std::fs::read(&path).unwrap();
    let (mut opened, mut refused) = (0, 0);
    for len in (1..whole.len()).step_by(whole.len() / 20) {
        std::fs::write(&path, &whole[..len]).unwrap();
        match open(folder.path()) {
            Ok(mut store) => {
                if let Some(root) = root_after(&mut store) {
                    assert!([root_of(&old), root_of(&new)].contains(&root), "{len}");
                    opened += 1;
                }
            }
            Err(refusal) => {
                assert_eq!(refusal.errno, Errno::ENOTRECOVERABLE);
                let text = refusal.to_string();
                assert!(text.starts_with(&path.display().to_string()), "{text}");
                assert_eq!(
                    std::fs::read(&path).unwrap().len(),
                    len,
                    "it is left as it is"
                );
                refused += 1;
            }
        }
        std::fs::remove_file(beside(&path, ".damaged-1")).ok();
    }
    assert!(opened > 2 && refused > 0, "{opened} {refused}");
}

#[test]
fn a_salvage_that_was_killed_is_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("content.sqlite");
    let [_, new] = two_generations(folder.path());
    damage(&path, 0);
    // Killed after the file was put aside, with half of a fresh one.
    std::fs::hard_link(&path, beside(&path, ".damaged-1")).unwrap();
    std::fs::write(beside(&path, ".fresh"), b"half").unwrap();
    let mut store = open(folder.path()).unwrap();
    assert_eq!(root_after(&mut store), Some(root_of(&new)));
    assert!(!beside(&path, ".damaged-2").exists());
    assert!(!beside(&path, ".fresh").exists());
}

#[test]
fn whatever_bytes_change_the_file_opens_or_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("content.sqlite");
    let [old, new] = two_generations(folder.path());
    let whole = std::fs::read(&path).unwrap();
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut opened, mut found) = (0, 0);
    for _ in 0..25 {
        let mut bytes = whole.clone();
        for _ in 0..rng.usize(1..=40) {
            let at = rng.usize(..bytes.len());
            let len = rng.usize(1..=64).min(bytes.len() - at);
            let with = rng.u8(..);
            bytes[at..at + len].fill(with);
        }
        std::fs::write(&path, &bytes).unwrap();
        super::want(&path);
        if let Ok(mut store) = open(folder.path()) {
            opened += 1;
            found += n_present(&mut store, &old) + n_present(&mut store, &new);
        }
        for number in 1..3 {
            std::fs::remove_file(beside(&path, &format!(".damaged-{number}"))).ok();
        }
        std::fs::remove_file(beside(&path, ".salvage")).ok();
    }
    assert!(opened > 15, "{opened}");
    assert!(found > opened * 300, "{found} in {opened}");
}

/// Paths and contents of the files.
type Kept = Vec<(PathBuf, Vec<u8>)>;

/// Files of a store as a kill leaves them, open and not closed, and its blobs.
fn killed(folder: &Path) -> (Kept, Vec<Vec<u8>>) {
    let mut store = open(folder).unwrap();
    run_one(&mut store, Task::Records("kvs".to_owned())).unwrap();
    let generations: Vec<Vec<Vec<u8>>> = (1..=40).map(|number| tree(1, number)).collect();
    for (number, blobs) in (1..).zip(&generations) {
        let kept = (number == 20).then(|| checkpoint(blobs, number));
        run_one(&mut store, commit(number as u64, blobs, kept)).unwrap();
    }
    let path = folder.join("content.sqlite");
    let files = ["", "-wal", ".witness"].map(|suffix| {
        let path = beside(&path, suffix);
        let bytes = std::fs::read(&path).unwrap();
        (path, bytes)
    });
    (files.into(), generations.concat())
}

/// True if a store that was damaged is as it was, or reports that it is not. Blobs are
/// never another's; of those that are missing it is the kvs who says that there should be
/// some.
fn is_honest(folder: &Path, root: &str) -> bool {
    let path = folder.join("content.sqlite");
    let Ok(mut store) = open(folder) else {
        return true;
    };
    let is_whole = root_after(&mut store).as_deref() == Some(root);
    drop(store);
    is_whole || !Damage::open(&path).findings().is_empty()
}

#[test]
fn no_damage_after_a_kill_is_silent() {
    let folder = tempfile::tempdir().unwrap();
    let (files, blobs) = killed(folder.path());
    let root = root_of(&blobs);
    let mut rng = fastrand::Rng::with_seed(11);
    for trial in 0..240 {
        for left in std::fs::read_dir(folder.path()).unwrap() {
            std::fs::remove_file(left.unwrap().path()).unwrap();
        }
        for (path, bytes) in &files {
            std::fs::write(path, bytes).unwrap();
        }
        let (path, bytes) = &files[trial % files.len()];
        let mut bytes = bytes.clone();
        let at = rng.usize(..bytes.len());
        match trial / files.len() % 4 {
            0 | 1 => bytes[at] ^= 1 << rng.u8(..8),
            2 => bytes.truncate(at),
            _ => {
                let end = bytes.len().min(at / 4096 * 4096 + 4096);
                bytes[at / 4096 * 4096..end].fill(0);
            }
        }
        std::fs::write(path, bytes).unwrap();
        assert!(
            is_honest(folder.path(), &root),
            "trial {trial}: {}, byte {at}",
            path.display()
        );
    }
}

#[test]
fn frames_behind_a_damaged_one_are_as_good_as_ever() {
    let folder = tempfile::tempdir().unwrap();
    let (files, blobs) = killed(folder.path());
    let (log, bytes) = &files[1];
    let mut bytes = bytes.clone();
    let third = bytes.len() / 3;
    bytes[third] ^= 1;
    for (path, bytes) in &files {
        std::fs::write(path, bytes).unwrap();
    }
    std::fs::write(log, bytes).unwrap();
    let mut store = open(folder.path()).unwrap();
    assert_eq!(root_after(&mut store), Some(root_of(&blobs)));
    let present = n_present(&mut store, &blobs);
    assert!(present + 4 >= blobs.len(), "{present} of {}", blobs.len());
    let found = Damage::open(&folder.path().join("content.sqlite"));
    let told = |what: &str| {
        found
            .findings()
            .iter()
            .any(|finding| finding.what.contains(what))
    };
    assert!(told("pages in the write-ahead log are damaged"));
}

#[test]
fn an_empty_file_beside_a_log_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (files, blobs) = killed(folder.path());
    for (path, bytes) in &files {
        std::fs::write(path, bytes).unwrap();
    }
    std::fs::write(&files[0].0, b"").unwrap();
    let mut store = open(folder.path()).unwrap();
    assert_eq!(root_after(&mut store), Some(root_of(&blobs)));
    assert!(!Damage::open(&files[0].0).findings().is_empty());
}
