//! More rows of the tables of protocol/04: objects that clients put as they are, objects
//! that others have stored, limits.

use bytes::Bytes;
use proto::data::{BlobRef, HashKind, Tree};
use proto::kvs::{APPEND, CommitError, Op, READDIR, TREEOBJ};
use proto::{Errno, Refusal};

use super::{World, check, check_refused, example};
use crate::limits::{LINKS_MAX, OBJECT_BYTES_MAX};

fn name_of(blob: &str) -> BlobRef {
    BlobRef::of(HashKind::Sha1, blob.as_bytes())
}

/// Puts blobs into the store as someone else may have.
fn store(world: &mut World, blobs: &[&str]) {
    for blob in blobs {
        world
            .store
            .insert(name_of(blob), Bytes::copy_from_slice(blob.as_bytes()));
    }
}

#[test]
fn a_value_of_more_than_72_characters_of_base64_becomes_a_blob() {
    for (len, kind) in [(0, "\"val\""), (54, "\"val\""), (55, "\"valref\"")] {
        let mut world = World::new();
        let tree = Tree::Dir([("b".into(), Tree::Val("x".repeat(len).into()))].into());
        let ops = vec![
            Op::put("put", "x".repeat(len)),
            Op::append("append", "x".repeat(len)),
            Op::put_tree("tree", tree),
        ];
        world.commit(ops).unwrap();
        for key in ["put", "append", "tree.b"] {
            let text = world.lookup(key, TREEOBJ).unwrap();
            assert!(text.contains(kind), "{len} bytes at {key}: {text}");
            assert_eq!(world.value(key), Ok("x".repeat(len)));
        }
    }
}

#[test]
fn a_value_that_is_cut_is_a_blob_a_part_and_reads_as_one() {
    let check = |cuts: &[u32], parts: &[&str]| {
        let mut world = World::new();
        let text = parts.concat();
        world
            .commit(vec![Op::put("a", text.clone()).cut(cuts.to_vec())])
            .unwrap();
        let names = parts.iter().map(|part| name_of(part)).collect();
        let expect = Tree::ValRef(names).encode();
        let stored = world.lookup("a", TREEOBJ).unwrap();
        assert_eq!(stored.as_bytes(), expect, "{cuts:?}");
        assert_eq!(world.value("a"), Ok(text.clone()));
        world.commit(vec![Op::append("a", "more")]).unwrap();
        assert_eq!(world.value("a"), Ok(text + "more"));
    };
    let (head, tail) = ("h".repeat(64), "t".repeat(64));
    check(&[], &[&head]);
    check(&[64], &[&head, &tail]);
    check(&[64, 67], &[&head, "mid", &tail]);
    check(&[1, 2, 3, 4], &["1", "2", "3", "4", "5"]);
}

#[test]
fn equal_parts_are_stored_once() {
    let mut world = World::new();
    let before = world.store.len();
    let (head, tail) = ("h".repeat(64), "t".repeat(64));
    let put = |key: &str, mid: &str| {
        let text = [&head, mid, &tail].concat();
        Op::put(key, text).cut(vec![64, 64 + mid.len() as u32])
    };
    world
        .commit(vec![put("a", "1"), put("b", "22"), put("c", "22")])
        .unwrap();
    // Head, tail, two middles, and a root.
    assert_eq!(world.store.len() - before, 5);
}

#[test]
fn cuts_that_cannot_be_made_are_refused() {
    let expect = || Refusal::new(Errno::EINVAL, CommitError::Cuts.to_string());
    check_refused(Op::put("a", "12").cut(vec![2]), expect());
    check_refused(Op::append("val", "12").cut(vec![1]), expect());
    check_refused(Op::mkdir("a").cut(vec![1]), expect());
}

#[test]
fn references_are_put_as_they_are() {
    let mut world = example();
    store(&mut world, &["12", "345"]);
    let valref = |blobs: &[&str]| Tree::ValRef(blobs.iter().map(|blob| name_of(blob)).collect());
    let dir = Tree::decode(world.lookup("dir", TREEOBJ).unwrap().as_bytes()).unwrap();
    let ops = vec![
        Op::put_tree("two", valref(&["12", "345"])),
        Op::put_tree("lost", valref(&["12", "lost"])),
        Op::put_tree("copy", dir.clone()),
        Op::put("copy.a", "changed"),
        Op::put_tree("nowhere", Tree::DirRef(name_of("lost"))),
    ];
    world
        .commit(ops)
        .expect("nobody looks whether blobs are there");
    assert_eq!(world.value("two"), Ok("12345".to_owned()));
    assert_eq!(world.value("copy.sub.b"), Ok("B".to_owned()));
    assert_eq!(world.value("copy.a"), Ok("changed".to_owned()));
    assert_eq!(world.value("dir.a"), Ok("A".to_owned()));
    // Only who needs the blob finds that it is not there.
    for (key, flags, expect) in [
        ("lost", 0, Err(Errno::ENOENT)),
        ("lost", READDIR, Err(Errno::ENOTDIR)),
        ("nowhere.a", 0, Err(Errno::ENOENT)),
        ("nowhere", READDIR, Err(Errno::ENOENT)),
        ("nowhere", 0, Err(Errno::EISDIR)),
    ] {
        assert_eq!(world.lookup(key, flags), expect, "{key}");
    }
    world
        .commit(vec![Op::append("lost", "x")])
        .expect("the new blob goes after the lost one");
    let refusal = world.commit(vec![Op::put("nowhere.a", "1")]).unwrap_err();
    assert_eq!(refusal.errno, Errno::ENOENT);
    world.commit(vec![Op::unlink("nowhere")]).unwrap();
}

#[test]
fn directories_that_others_have_stored_inline_are_read_and_changed() {
    let inner = r#"{"ver":1,"type":"dir","data":{"b":{"data":"Qg==","type":"val","ver":1}}}"#;
    let root = format!(r#"{{"type":"dir","ver":1,"data":{{"a":{inner}}}}}"#);
    let mut world = World::new();
    store(&mut world, &[&root]);
    world.root = name_of(&root);
    assert_eq!(world.value("a.b"), Ok("B".to_owned()));
    assert_eq!(world.lookup("a", 0), Err(Errno::EISDIR));
    assert_eq!(
        world.lookup("a", TREEOBJ),
        Ok(inner.to_owned()),
        "as it is stored"
    );
    assert!(world.lookup("a", READDIR).unwrap().contains("Qg=="));
    let refusal = world.commit(vec![Op::append("a", "x")]).unwrap_err();
    assert_eq!(refusal.errno, Errno::EISDIR);
    world.commit(vec![Op::put("a.c", "C")]).unwrap();
    assert_eq!(world.value("a.b"), Ok("B".to_owned()));
    assert_eq!(world.value("a.c"), Ok("C".to_owned()));
    assert!(world.lookup("a", TREEOBJ).unwrap().contains("dirref"));
}

#[test]
fn a_directory_is_listed_one_level_deep() {
    let mut world = example();
    let text = world.lookup("dir", READDIR).unwrap();
    let Ok(Tree::Dir(entries)) = Tree::decode(text.as_bytes()) else {
        panic!("{text}");
    };
    let kinds: Vec<(&str, &str)> = entries
        .iter()
        .map(|(name, tree)| (&**name, tree.kind()))
        .collect();
    assert_eq!(kinds, [("a", "val"), ("sub", "dirref")]);
}

#[test]
fn links_in_the_way_of_a_write_are_followed() {
    check(vec![Op::put("to-val.x", "1")], "val.x", 0, Ok("1"));
    check(vec![Op::unlink("to-val.x")], "val", 0, Ok("1"));
    check(
        vec![Op::unlink("nowhere.x")],
        "missing",
        0,
        Err(Errno::ENOENT),
    );
    check(
        vec![Op::put("to-root.to-dir.sub.b", "2")],
        "dir.sub.b",
        0,
        Ok("2"),
    );
    check(
        vec![Op::append("to-dir.sub.b", "2")],
        "dir.sub.b",
        0,
        Ok("B2"),
    );
    check(vec![Op::append("val.below", "1")], "val.below", 0, Ok("1"));
    let moved = vec![
        Op::symlink("to-dir", None, "dir.sub"),
        Op::put("to-dir.b", "2"),
    ];
    check(moved, "dir.sub.b", 0, Ok("2"));
    check_refused(Op::unlink("same.b"), Refusal::bare(Errno::EINVAL));
    check_refused(Op::append("same.b", "1"), Refusal::bare(Errno::EINVAL));
}

#[test]
fn a_write_follows_ten_links_and_not_eleven() {
    let mut world = World::new();
    let mut ops = vec![Op::mkdir("link0")];
    ops.extend(
        (1..=LINKS_MAX + 1)
            .map(|at| Op::symlink(format!("link{at}"), None, &format!("link{}", at - 1))),
    );
    world.commit(ops).unwrap();
    world.commit(vec![Op::put("link10.x", "1")]).unwrap();
    assert_eq!(world.value("link0.x"), Ok("1".to_owned()));
    let refusal = world.commit(vec![Op::put("link11.x", "2")]).unwrap_err();
    assert_eq!(refusal.errno, Errno::ELOOP);
}

#[test]
fn only_values_are_appended_and_only_to_values() {
    let append = |key: &str, tree: Tree| Op {
        flags: APPEND,
        ..Op::put_tree(key, tree)
    };
    let blob = name_of("x");
    for tree in [
        Tree::empty_dir(),
        Tree::DirRef(blob),
        Tree::ValRef(vec![blob]),
        Tree::symlink("a"),
    ] {
        check_refused(append("val", tree), Refusal::bare(Errno::EPROTO));
    }
    let mut world = example();
    let refusal = world
        .commit(vec![Op::mkdir("new"), Op::append("new", "1")])
        .unwrap_err();
    assert_eq!(refusal.errno, Errno::EISDIR);
    let made = vec![Op::symlink("new", None, "val"), Op::append("new", "1")];
    assert_eq!(world.commit(made).unwrap_err().errno, Errno::EOPNOTSUPP);
    let opened = vec![Op::put("dir.new", "1"), Op::append("dir", "1")];
    assert_eq!(world.commit(opened).unwrap_err().errno, Errno::EISDIR);
}

#[test]
fn what_is_larger_than_a_blob_may_be_is_refused() {
    // Pages of zeros that nobody reads or writes.
    let huge = Bytes::from(vec![0; OBJECT_BYTES_MAX + 1]);
    let mut world = example();
    let before = world.root;
    for op in [Op::put("a", huge.clone()), Op::append("new", huge.clone())] {
        let refusal = world.commit(vec![Op::put("other", "1"), op]).unwrap_err();
        assert_eq!(refusal, Refusal::bare(Errno::EFBIG));
        assert_eq!(world.root, before);
    }
}
