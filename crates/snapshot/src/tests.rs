//! Trees against a content store made of one map: a tree that is grown is walked again,
//! for every window, and a hole is found where it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use client::fake::{FakeBroker, answer_raw, refuse};
use client::{Handle, Options};
use fastrand::Rng;
use proto::data::{BlobRef, HashKind, Tree};
use proto::{Errno, Refusal};

use crate::blobs::Blobs;
use crate::grow::Grow;
use crate::names::Key;
use crate::walk::{Values, Visit, Walk};

/// Values by key, as they should be.
type Model = BTreeMap<Vec<Box<str>>, Vec<u8>>;

/// Blobs by digest.
type Kept = Arc<Mutex<BTreeMap<Vec<u8>, Bytes>>>;

struct Store {
    blobs: Blobs,
    kept: Kept,
    _folder: tempfile::TempDir,
    _broker: FakeBroker,
}

fn store() -> Store {
    let kept = Kept::default();
    let inside = Arc::clone(&kept);
    let folder = tempfile::tempdir().unwrap();
    let broker = FakeBroker::listen(&folder.path().join("local"), move |request| {
        let payload = request.payload().cloned().unwrap_or_default();
        let mut kept = inside.lock().unwrap();
        vec![match (request.topic(), kept.get(&*payload)) {
            ("content.store", _) => {
                let digest = BlobRef::of(HashKind::Sha1, &payload).digest().to_vec();
                kept.insert(digest.clone(), payload);
                answer_raw(request, digest)
            }
            ("content.load", Some(blob)) => answer_raw(request, blob.clone()),
            ("content-backing.validate", Some(_)) => answer_raw(request, ""),
            _ => refuse(request, &Refusal::bare(Errno::ENOENT)),
        }]
    });
    let broker = broker.unwrap();
    let options = Options::from_env(|_| None).unwrap();
    let handle = Handle::open(Some(&broker.uri()), &options).unwrap();
    Store {
        blobs: Blobs::new(handle, false),
        kept,
        _folder: folder,
        _broker: broker,
    }
}

fn key(rng: &mut Rng) -> Vec<Box<str>> {
    let depth = rng.u32(..5);
    let mut names: Vec<Box<str>> = (0..depth)
        .map(|_| format!("d{}", rng.u32(..3)).into())
        .collect();
    names.push(format!("v{}", rng.u32(..6)).into());
    names
}

fn model(rng: &mut Rng) -> Model {
    let n_keys = rng.u32(..80);
    let value = |rng: &mut Rng| vec![rng.u8(..); rng.usize(..200)];
    (0..n_keys).map(|_| (key(rng), value(rng))).collect()
}

/// Grows the tree of some keys in this order.
fn grow(store: &mut Store, keys: &[&Vec<Box<str>>], model: &Model, window: usize) -> BlobRef {
    let mut grow = Grow::new(HashKind::Sha1, window);
    for names in keys {
        let value = model[*names].clone();
        let put = grow.put_value(&mut store.blobs, &Key::of((*names).clone()), value);
        put.unwrap();
    }
    grow.finish(&mut store.blobs).unwrap().0
}

/// Every leaf in the order of the walk.
fn walk(store: &mut Store, root: BlobRef, window: usize) -> Vec<(Vec<Box<str>>, Vec<u8>)> {
    let mut walk = Walk::new(root, Values::Load, window);
    let mut leaves = Vec::new();
    while let Some(visit) = walk.next(&mut store.blobs) {
        match visit {
            Visit::Dir(..) => {}
            Visit::Leaf(key, Tree::Val(value), _) => {
                leaves.push((key.names().to_vec(), value.to_vec()));
            }
            Visit::Leaf(key, _, parts) => {
                let parts: Result<Vec<Bytes>, Refusal> = parts.into_iter().collect();
                leaves.push((key.names().to_vec(), parts.unwrap().concat()));
            }
            Visit::BadDir(key, refusal) => panic!("{key}: {refusal}"),
        }
    }
    leaves
}

#[test]
fn what_is_grown_is_walked_whatever_the_order_and_the_window() {
    let mut rng = Rng::with_seed(1);
    for _ in 0..30 {
        let mut store = store();
        let model = model(&mut rng);
        let mut keys: Vec<&Vec<Box<str>>> = model.keys().collect();
        let root = grow(&mut store, &keys, &model, 4);
        for at in (1..keys.len()).rev() {
            keys.swap(at, rng.usize(..=at));
        }
        assert_eq!(grow(&mut store, &keys, &model, 1), root);
        let expect: Vec<_> = model.clone().into_iter().collect();
        let first = walk(&mut store, root, 1);
        for window in [2, 7, 100] {
            assert_eq!(walk(&mut store, root, window), first);
        }
        let mut sorted = first;
        sorted.sort();
        assert_eq!(sorted, expect);
    }
}

#[test]
fn in_each_directory_values_come_first() {
    let mut store = store();
    let mut model = Model::new();
    for path in ["a/x", "b", "a/d/y", "c", "a/e"] {
        model.insert(Key::of_path(path).names().to_vec(), b"1".to_vec());
    }
    let keys: Vec<_> = model.keys().collect();
    let root = grow(&mut store, &keys, &model, 2);
    let leaves = walk(&mut store, root, 2);
    let order: Vec<String> = leaves
        .into_iter()
        .map(|(names, _)| names.join("/"))
        .collect();
    assert_eq!(order, ["b", "c", "a/e", "a/x", "a/d/y"]);
}

#[test]
fn a_stored_tree_is_changed_in_places() {
    let mut rng = Rng::with_seed(2);
    for _ in 0..30 {
        let mut store = store();
        let mut model = model(&mut rng);
        let keys: Vec<_> = model.keys().collect();
        let root = grow(&mut store, &keys, &model, 4);
        let mut changed = Grow::from_root(&mut store.blobs, &root, 4).unwrap();
        for _ in 0..rng.u32(..20) {
            let names = key(&mut rng);
            let key = Key::of(names.clone());
            if rng.bool() {
                let taken = changed.take(&mut store.blobs, &key).unwrap();
                assert_eq!(taken.is_some(), model.remove(&names).is_some());
            } else {
                let put = changed.put_value(&mut store.blobs, &key, b"new".to_vec());
                put.unwrap();
                model.insert(names, b"new".to_vec());
            }
        }
        let root = changed.finish(&mut store.blobs).unwrap().0;
        let mut leaves = walk(&mut store, root, 4);
        leaves.sort();
        assert_eq!(leaves, model.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn holes_are_found_where_they_are() {
    let mut rng = Rng::with_seed(3);
    for _ in 0..30 {
        let mut store = store();
        let model = model(&mut rng);
        let keys: Vec<_> = model.keys().collect();
        let root = grow(&mut store, &keys, &model, 4);
        let digests: Vec<Vec<u8>> = store.kept.lock().unwrap().keys().cloned().collect();
        let lost = &digests[rng.usize(..digests.len())];
        store.kept.lock().unwrap().remove(lost);
        let mut walk = Walk::new(root, Values::Validate, 3);
        let mut found = BTreeSet::new();
        while let Some(visit) = walk.next(&mut store.blobs) {
            match visit {
                Visit::BadDir(key, refusal) => {
                    assert_eq!(refusal.errno, Errno::ENOENT);
                    found.insert(key.to_string());
                }
                Visit::Leaf(key, _, got) if got.iter().any(Result::is_err) => {
                    let value = &model[key.names()];
                    assert_eq!(BlobRef::of(HashKind::Sha1, value).digest(), lost.as_slice());
                    found.insert(key.to_string());
                }
                _ => {}
            }
        }
        assert!(!found.is_empty());
    }
}

#[test]
fn a_blob_that_is_another_is_found_by_reading_it() {
    let mut store = store();
    let mut model = Model::new();
    model.insert(vec!["good".into()], vec![b'1'; 100]);
    model.insert(vec!["bad".into()], vec![b'2'; 100]);
    let keys: Vec<_> = model.keys().collect();
    let root = grow(&mut store, &keys, &model, 2);
    let name = BlobRef::of(HashKind::Sha1, &[b'2'; 100]);
    let other = Bytes::from_static(b"other");
    store
        .kept
        .lock()
        .unwrap()
        .insert(name.digest().to_vec(), other);
    for (values, expect) in [(Values::Validate, ""), (Values::Read, "bad")] {
        let mut walk = Walk::new(root, values, 2);
        let mut found = String::new();
        while let Some(visit) = walk.next(&mut store.blobs) {
            match visit {
                Visit::Leaf(key, _, got) if got.iter().any(Result::is_err) => {
                    found += &key.to_string();
                }
                Visit::BadDir(key, refusal) => panic!("{key}: {refusal}"),
                _ => {}
            }
        }
        assert_eq!(found, expect);
    }
}

#[test]
fn equal_directories_are_visited_once_on_demand() {
    let mut store = store();
    let mut model = Model::new();
    for path in ["a/x", "b/x", "c/a/x"] {
        model.insert(Key::of_path(path).names().to_vec(), vec![b'1'; 100]);
    }
    let keys: Vec<_> = model.keys().collect();
    let root = grow(&mut store, &keys, &model, 2);
    let mut walk = Walk::nowhere(Values::Skip, 2).once_each();
    let mut visited = Vec::new();
    for _ in 0..2 {
        walk.add_root(root);
        while let Some(visit) = walk.next(&mut store.blobs) {
            match visit {
                Visit::Dir(key, _) | Visit::Leaf(key, ..) => visited.push(key.to_string()),
                Visit::BadDir(key, refusal) => panic!("{key}: {refusal}"),
            }
        }
    }
    assert_eq!(visited, [".", "a", "a.x", "c"]);
}
