//! Lookups and transactions as tables. `model.rs` has them against a naive model.

mod model;
mod rows;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use proto::config::Cache;
use proto::data::limits::KEY_COMPONENTS_MAX;
use proto::data::{BlobRef, HashKind, Tree};
use proto::kvs::{APPEND, Dirent, LookupError, Op, READDIR, READLINK, TREEOBJ};
use proto::{Errno, Refusal};

use super::dir::Dir;
use super::lookup::lookup;
use super::txn::{Step, apply};
use super::view::{Memory, Stop, Supply, View, Want};

/// A tree whose blobs are in a store that the engine has to ask.
struct World {
    memory: Memory,
    store: BTreeMap<BlobRef, Bytes>,
    root: BlobRef,
    /// Committed blobs stay in memory, as in the module.
    keeps_blobs: bool,
    /// Blobs asked for.
    asked: RefCell<usize>,
}

impl World {
    fn new() -> World {
        let empty = Dir::empty();
        let root = BlobRef::of(HashKind::Sha1, empty.text());
        World {
            memory: memory(),
            store: BTreeMap::from([(root, empty.text().clone())]),
            root,
            keeps_blobs: true,
            asked: RefCell::default(),
        }
    }

    /// Calls the engine, fetching the blobs it needs, until it is done.
    fn run<T>(
        &mut self,
        mut call: impl FnMut(&mut View<'_>) -> Result<T, Stop>,
    ) -> Result<T, Refusal> {
        let mut supply = Supply::default();
        loop {
            let mut view = View {
                memory: &mut self.memory,
                supply: &supply,
            };
            match call(&mut view) {
                Ok(done) => return Ok(done),
                Err(Stop::Failed(refusal)) => return Err(refusal),
                Err(Stop::Namespace(name)) => panic!("{name} is not asked for"),
                Err(Stop::Need(wants)) => {
                    assert!(!wants.is_empty(), "a stall says what is missing");
                    for want in wants {
                        *self.asked.borrow_mut() += 1;
                        let blob = self.store.get(&want.name()).cloned();
                        let blob = blob.ok_or(Refusal::bare(Errno::ENOENT));
                        match want {
                            Want::Blob(name) => supply.put_blob(name, blob),
                            Want::Dir(name) => supply.put_dir(name, blob.and_then(read_dir)),
                        }
                    }
                }
            }
        }
    }

    fn commit(&mut self, ops: Vec<Op>) -> Result<Vec<String>, Refusal> {
        let steps: Vec<Step> = ops.into_iter().map(Step::of).collect();
        let root = self.root;
        let applied = self.run(|view| apply(view, HashKind::Sha1, root, steps.iter()))?;
        for (name, dir) in &applied.made.dirs {
            assert_stored_form(dir.text());
            if let Some(edit) = applied.made.edits.get(name) {
                let base = BlobRef::from_digest(&edit.base).unwrap();
                assert_eq!(edit.apply(&self.store[&base]).as_ref(), Some(dir.text()));
            }
            self.store.insert(*name, dir.text().clone());
        }
        for (name, blob) in &applied.made.blobs {
            self.store.insert(*name, blob.clone());
            if self.keeps_blobs {
                self.memory.blobs.insert(*name, blob.clone(), blob.len());
            }
        }
        self.root = applied.root;
        Ok(applied.keys.iter().map(|key| key.to_string()).collect())
    }

    fn lookup(&mut self, key: &str, flags: u32) -> Result<String, Errno> {
        let root = self.root;
        let other = |namespace: &str| match namespace {
            "same" => Ok(root),
            "theirs" => Err(LookupError::NotYours.into()),
            _ => Err(LookupError::UnknownNamespace.into()),
        };
        self.run(|view| lookup(view, root, key, flags, &other))
            .map(|text| String::from_utf8(text.to_vec()).unwrap())
            .map_err(|refusal| refusal.errno)
    }

    /// The bytes at a key.
    fn value(&mut self, key: &str) -> Result<String, Errno> {
        let text = self.lookup(key, 0)?;
        match Tree::decode(text.as_bytes()) {
            Ok(Tree::Val(bytes)) => Ok(String::from_utf8(bytes.to_vec()).unwrap()),
            other => panic!("{other:?}"),
        }
    }
}

/// Asserts that stored objects are canonical, and hold no directory inline and no long
/// value (RFC 11).
fn assert_stored_form(text: &Bytes) {
    let tree = Tree::decode(text).unwrap();
    assert_eq!(text, &Bytes::from(tree.encode()), "it is canonical");
    let Tree::Dir(entries) = tree else {
        panic!("{text:?} is no directory");
    };
    for (name, tree) in entries {
        let fits = match &tree {
            Tree::Val(bytes) => bytes.len() <= 54,
            tree => tree.kind() != "dir",
        };
        assert!(fits, "{name} must not be held inline: {tree:?}");
    }
}

fn read_dir(text: Bytes) -> Result<Rc<Dir>, Refusal> {
    Ok(Rc::new(Dir::parse(text)?))
}

fn memory() -> Memory {
    Memory::new(&Cache::default())
}

fn long(letter: &str) -> String {
    letter.repeat(100)
}

/// A tree with one of everything.
fn example() -> World {
    let mut world = World::new();
    let ops = vec![
        Op::put("val", "1"),
        Op::put("empty", ""),
        Op::put("long", long("x")),
        Op::put("dir.a", "A"),
        Op::put("dir.sub.b", "B"),
        Op::mkdir("nothing"),
        Op::symlink("to-val", None, "val"),
        Op::symlink("to-dir", None, "dir"),
        Op::symlink("to-root", None, "."),
        Op::symlink("nowhere", None, "missing.key"),
        Op::symlink("same", Some("same"), "dir.sub"),
        Op::symlink("theirs", Some("theirs"), "val"),
        Op::symlink("unknown", Some("nope"), "val"),
        Op::symlink("loop", None, "loop"),
    ];
    world.commit(ops).unwrap();
    world
}

#[test]
fn a_lookup_answers_as_the_table_says() {
    let mut world = example();
    let val = Tree::Val("1".into()).encode();
    let val = std::str::from_utf8(&val).unwrap();
    let found = |text: &str| Ok(text.to_owned());
    let dirref = world.lookup("nothing", TREEOBJ).unwrap();
    let valref = world.lookup("long", TREEOBJ).unwrap();
    assert!(dirref.contains("dirref") && valref.contains("valref"));
    let link = r#"{"data":{"target":"val"},"type":"symlink","ver":1}"#;
    let root = String::from_utf8(super::entry::dirref(world.root)).unwrap();
    let whole = |world: &mut World, key| Ok(world.lookup(key, READDIR).unwrap());
    let top = whole(&mut world, ".");
    use Errno as E;
    let missing = || [(); 4].map(|()| Err(E::ENOENT));
    let value = || {
        let (no_dir, no_link) = (Err(E::ENOTDIR), Err(E::EINVAL));
        [found(val), no_dir, no_link, found(val)]
    };
    let link = || [found(val), Err(E::ENOTDIR), found(link), found(link)];
    let dir = |whole, stored| [Err(E::EISDIR), whole, Err(E::EINVAL), found(stored)];
    let empty = found(r#"{"data":{},"type":"dir","ver":1}"#);
    for (key, [plain, readdir, readlink, treeobj]) in [
        ("missing", missing()),
        ("", missing()),
        ("val", value()),
        ("..val..", value()),
        ("val.below", missing()),
        ("nothing", dir(empty, &dirref)),
        ("to-val", link()),
        (".", dir(top.clone(), &root)),
        ("to-root.val", value()),
        ("to-root.to-root.to-val", link()),
    ] {
        assert_eq!(world.lookup(key, 0), plain, "{key}");
        assert_eq!(world.lookup(key, READDIR), readdir, "{key} READDIR");
        assert_eq!(world.lookup(key, READLINK), readlink, "{key} READLINK");
        assert_eq!(world.lookup(key, TREEOBJ), treeobj, "{key} TREEOBJ");
    }
    assert_eq!(world.lookup("to-dir", 0), Err(E::EISDIR));
    assert_eq!(world.lookup("to-root", READDIR), top);
}

#[test]
fn values_come_in_one_piece_however_they_are_stored() {
    let mut world = example();
    for (key, value) in [
        ("val", "1"),
        ("empty", ""),
        ("long", &*long("x")),
        ("dir.a", "A"),
        ("to-dir.sub.b", "B"),
        ("same.b", "B"),
    ] {
        assert_eq!(world.value(key), Ok(value.to_owned()), "{key}");
    }
}

#[test]
fn links_are_refused_as_the_protocol_says() {
    let mut world = example();
    for (key, errno) in [
        ("nowhere", Errno::ENOENT),
        ("nowhere.below", Errno::ENOENT),
        ("theirs", Errno::EPERM),
        ("unknown", Errno::EOPNOTSUPP),
        ("loop", Errno::ELOOP),
        ("loop.below", Errno::ELOOP),
    ] {
        assert_eq!(world.lookup(key, 0), Err(errno), "{key}");
    }
}

#[test]
fn ten_links_are_followed_and_eleven_are_not() {
    let mut world = World::new();
    let mut ops = vec![Op::put("link0", "end")];
    for at in 1..=11 {
        ops.push(Op::symlink(
            format!("link{at}"),
            None,
            &format!("link{}", at - 1),
        ));
    }
    world.commit(ops).unwrap();
    assert_eq!(world.value("link10"), Ok("end".to_owned()));
    assert_eq!(world.lookup("link11", 0), Err(Errno::ELOOP));
}

#[test]
fn a_missing_blob_is_enoent_and_a_wrong_one_is_not_recoverable() {
    let mut world = example();
    let Ok(Tree::DirRef(dir)) = Tree::decode(world.lookup("dir", TREEOBJ).unwrap().as_bytes())
    else {
        panic!("dir is a dirref");
    };
    world.store.insert(dir, "no tree object".into());
    assert_eq!(world.lookup("dir.a", 0), Err(Errno::ENOTRECOVERABLE));
    let refusal = world.commit(vec![Op::put("dir.a", "2")]).unwrap_err();
    assert_eq!(refusal.errno, Errno::ENOTRECOVERABLE);
    world.store.remove(&dir);
    assert_eq!(world.lookup("dir.a", 0), Err(Errno::ENOENT));
    let refusal = world.commit(vec![Op::put("dir.a", "2")]).unwrap_err();
    assert_eq!(refusal.errno, Errno::ENOENT);
    world
        .commit(vec![Op::mkdir("dir")])
        .expect("replacing it needs no blob");
}

/// Applies `ops` to the example; then `key` is looked up with `flags`.
fn check(ops: Vec<Op>, key: &str, flags: u32, expect: Result<&str, Errno>) {
    let mut world = example();
    world.commit(ops.clone()).unwrap();
    let found = match flags {
        0 => world.value(key),
        _ => world.lookup(key, flags),
    };
    assert_eq!(found, expect.map(str::to_owned), "{ops:?}");
}

#[test]
fn writes_do_as_the_table_says() {
    let empty = Ok(r#"{"data":{},"type":"dir","ver":1}"#);
    check(vec![Op::put("a.b.c", "1")], "a.b.c", 0, Ok("1"));
    check(vec![Op::put("val.below", "1")], "val.below", 0, Ok("1"));
    check(vec![Op::put("long.below", "1")], "long.below", 0, Ok("1"));
    check(vec![Op::put("dir", "1")], "dir", 0, Ok("1"));
    check(vec![Op::mkdir("dir")], "dir", READDIR, empty);
    check(vec![Op::mkdir("val")], "val", READDIR, empty);
    check(vec![Op::unlink("dir")], "dir.a", 0, Err(Errno::ENOENT));
    check(vec![Op::unlink("val.below")], "val", 0, Ok("1"));
    check(
        vec![Op::unlink("missing.key")],
        "missing",
        0,
        Err(Errno::ENOENT),
    );
    check(vec![Op::put("to-dir.a", "2")], "dir.a", 0, Ok("2"));
    check(vec![Op::unlink("to-dir.a")], "dir.a", 0, Err(Errno::ENOENT));
    check(vec![Op::put("to-dir", "2")], "dir.a", 0, Ok("A"));
    check(vec![Op::put("to-dir", "2")], "to-dir", 0, Ok("2"));
    check(vec![Op::unlink("to-val")], "val", 0, Ok("1"));
    check(
        vec![Op::put("nowhere.below", "1")],
        "missing.key.below",
        0,
        Ok("1"),
    );
    check(vec![Op::put("to-root.new", "1")], "new", 0, Ok("1"));
    check(
        vec![Op::mkdir("val"), Op::put("val.a", "1")],
        "val.a",
        0,
        Ok("1"),
    );
    check(
        vec![Op::unlink("dir"), Op::put("dir.c", "1")],
        "dir.a",
        0,
        Err(Errno::ENOENT),
    );
    check(
        vec![Op::put("dir.new.x", "1"), Op::unlink("dir.new.x")],
        "dir.new",
        READDIR,
        empty,
    );
    let within = Tree::Dir(
        [(
            "x".into(),
            Tree::Dir([("y".into(), Tree::Val(long("z").into()))].into()),
        )]
        .into(),
    );
    check(
        vec![Op::put_tree("tree", within.clone())],
        "tree.x.y",
        0,
        Ok(&long("z")),
    );
    check(
        vec![Op::put_tree("tree", within), Op::put("tree.x.w", "1")],
        "tree.x.y",
        0,
        Ok(&long("z")),
    );
}

#[test]
fn appends_do_as_the_table_says() {
    let append = |key: &str, text: &str| Op::append(key, text.to_owned());
    check(vec![append("new", "1")], "new", 0, Ok("1"));
    check(vec![append("new.dir", "1")], "new.dir", 0, Ok("1"));
    check(vec![append("val", "2")], "val", 0, Ok("12"));
    check(
        vec![append("val", "2"), append("val", "3")],
        "val",
        0,
        Ok("123"),
    );
    check(vec![append("empty", "2")], "empty", 0, Ok("2"));
    check(vec![append("long", "2")], "long", 0, Ok(&(long("x") + "2")));
    check(vec![append("to-dir.a", "2")], "dir.a", 0, Ok("A2"));
    check(
        vec![Op::put("val", "9"), append("val", "2")],
        "val",
        0,
        Ok("92"),
    );
    let a = |text: &str| BlobRef::of(HashKind::Sha1, text.as_bytes()).to_string();
    let valref = format!(
        r#"{{"data":["{}","{}"],"type":"valref","ver":1}}"#,
        a("1"),
        a("2")
    );
    check(vec![append("val", "2")], "val", TREEOBJ, Ok(&valref));
}

/// The blobs at a key.
fn blobs_of(world: &mut World, key: &str) -> Vec<BlobRef> {
    match Tree::decode(world.lookup(key, TREEOBJ).unwrap().as_bytes()) {
        Ok(Tree::ValRef(names)) => names,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_log_of_many_appends_has_few_blobs() {
    let mut world = World::new();
    let mut expect = String::new();
    let mut longest = 0;
    for at in 0..2000 {
        let line = format!("line {at} of a log that grows\n");
        expect.push_str(&line);
        world.commit(vec![Op::append("log", line)]).unwrap();
        if at > 0 {
            longest = longest.max(blobs_of(&mut world, "log").len());
        }
    }
    assert_eq!(world.value("log"), Ok(expect));
    assert!((60..=64).contains(&longest), "{longest} blobs");
}

#[test]
fn blobs_that_are_not_in_memory_or_large_are_left_alone() {
    let mut world = World::new();
    for at in 0..200 {
        world.keeps_blobs = at > 100;
        world
            .commit(vec![Op::append("cold", at.to_string())])
            .unwrap();
    }
    // The first 101 stay; 64 of the others have become one.
    assert_eq!(blobs_of(&mut world, "cold").len(), 101 + 99 - 63);
    for _ in 0..100 {
        world
            .commit(vec![Op::append("large", "x".repeat(2000))])
            .unwrap();
    }
    assert_eq!(blobs_of(&mut world, "large").len(), 100);
}

#[test]
fn appends_of_one_transaction_are_one_blob() {
    let mut world = example();
    let append = |text: &'static str| Op::append("log", text);
    world.commit(vec![append("1"), append("2")]).unwrap();
    assert_eq!(world.value("log"), Ok("12".to_owned()));
    assert!(world.lookup("log", TREEOBJ).unwrap().contains("\"val\""));
    world.commit(vec![append("3"), append("4")]).unwrap();
    world
        .commit(vec![append("5"), append("6"), append("7")])
        .unwrap();
    let names = ["12", "34", "567"].map(|text| BlobRef::of(HashKind::Sha1, text.as_bytes()));
    assert_eq!(blobs_of(&mut world, "log"), names);
}

/// `op` is refused, and nothing changes.
fn check_refused(op: Op, expect: Refusal) {
    let mut world = example();
    let before = world.root;
    let ops = vec![Op::put("other", "1"), op.clone()];
    assert_eq!(world.commit(ops), Err(expect), "{op:?}");
    assert_eq!(world.root, before);
}

#[test]
fn bad_operations_are_refused_as_the_table_says() {
    let bare = Refusal::bare;
    let malformed = Op {
        dirent: Some(Dirent::Malformed("{}".to_owned())),
        ..Op::put("a", "1")
    };
    let append_dir = Op {
        flags: APPEND,
        ..Op::mkdir("new")
    };
    check_refused(Op::put(".", "1"), bare(Errno::EINVAL));
    check_refused(Op::put("", "1"), bare(Errno::EINVAL));
    check_refused(Op::unlink("."), bare(Errno::EINVAL));
    check_refused(malformed, bare(Errno::EINVAL));
    check_refused(append_dir, bare(Errno::EPROTO));
    check_refused(Op::append("dir", "1"), bare(Errno::EISDIR));
    check_refused(Op::append("nothing", "1"), bare(Errno::EISDIR));
    check_refused(Op::append("to-val", "1"), bare(Errno::EOPNOTSUPP));
    check_refused(Op::put("same.b", "1"), bare(Errno::EINVAL));
    check_refused(Op::put("loop.b", "1"), bare(Errno::ELOOP));
    let too_deep = "a.".repeat(KEY_COMPONENTS_MAX + 1);
    check_refused(Op::put(too_deep, "1"), bare(Errno::EINVAL));
}

#[test]
fn an_empty_transaction_keeps_the_root() {
    let mut world = example();
    let before = world.root;
    assert_eq!(world.commit(vec![]), Ok(vec![]));
    let keys = world.commit(vec![Op::unlink("..no.such..key.")]);
    assert_eq!(keys, Ok(vec!["no.such.key".to_owned()]));
    world.commit(vec![Op::put("dir.sub.b", "B")]).unwrap();
    assert_eq!(world.root, before);
}

#[test]
fn the_root_is_the_same_however_the_tree_came_about() {
    let mut one = World::new();
    one.commit(vec![Op::put("a.b", "1"), Op::put("a.c", "2")])
        .unwrap();
    let mut other = World::new();
    other.commit(vec![Op::put("a.c", "3")]).unwrap();
    other
        .commit(vec![Op::put("x", "1"), Op::put("a.b", "1")])
        .unwrap();
    other
        .commit(vec![Op::unlink("x"), Op::put("a.c", "2")])
        .unwrap();
    assert_eq!(one.root, other.root);
}

#[test]
fn a_large_transaction_asks_for_each_level_once() {
    let mut world = World::new();
    let keys: Vec<String> = (0..100)
        .map(|at| format!("a.b{}.c{at}.d", at % 10))
        .collect();
    world
        .commit(keys.iter().map(|key| Op::put(key, key.clone())).collect())
        .unwrap();
    *world.asked.borrow_mut() = 0;
    world.memory = memory();
    world
        .commit(keys.iter().map(|key| Op::put(key, "2")).collect())
        .unwrap();
    // Root, a, ten b and a hundred c.
    assert_eq!(*world.asked.borrow(), 1 + 1 + 10 + 100);
}

#[test]
fn keys_of_a_directory_of_thousands_stay_in_order() {
    let mut world = World::new();
    let ops = (0..3000).map(|at| Op::put(format!("dir.k{}", at * 7919 % 3000), at.to_string()));
    world.commit(ops.collect()).unwrap();
    world
        .commit(vec![Op::put("dir.k1500x", "1"), Op::unlink("dir.k7")])
        .unwrap();
    let text = world.lookup("dir", READDIR).unwrap();
    let dir = Dir::parse(text.clone().into()).unwrap();
    assert_eq!(dir.n_entries(), 3000);
    assert_eq!(dir.text(), &Bytes::from(text), "it is canonical");
}

#[test]
fn what_was_fetched_is_shared() {
    let mut world = example();
    let dir = Rc::new(Dir::parse(world.store[&world.root].clone()).unwrap());
    world.memory.dirs.insert(world.root, dir, 100);
    *world.asked.borrow_mut() = 0;
    world.value("val").unwrap();
    assert_eq!(*world.asked.borrow(), 0);
}
