//! Lookups and transactions as tables, then against a naive model.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use proptest::prelude::*;
use proto::data::{BlobRef, HashKind, Tree};
use proto::kvs::{APPEND, Dirent, LookupError, Op, READDIR, READLINK, TREEOBJ};
use proto::{Errno, Refusal};

use super::dir::Dir;
use super::lookup::lookup;
use super::txn::{Step, apply};
use super::view::{Memory, Stop, Supply, View, Want};
use crate::lru::Lru;

/// A tree whose blobs are in a store that the engine has to ask.
struct World {
    memory: Memory,
    store: BTreeMap<BlobRef, Bytes>,
    root: BlobRef,
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
            asked: RefCell::default(),
        }
    }

    /// Calls the engine, fetching what it needs, until it is done.
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
            self.store.insert(*name, dir.text().clone());
        }
        for (name, blob) in &applied.made.blobs {
            self.store.insert(*name, blob.clone());
        }
        self.root = applied.root;
        Ok(applied.keys.iter().map(|key| key.to_string()).collect())
    }

    fn lookup(&mut self, key: &str, flags: u32) -> Result<String, Errno> {
        let root = self.root;
        let other = |namespace: &str| match namespace {
            "same" => Ok(root),
            "theirs" => Err(LookupError::NotYours),
            _ => Err(LookupError::UnknownNamespace),
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

fn read_dir(text: Bytes) -> Result<Rc<Dir>, Refusal> {
    Ok(Rc::new(Dir::parse(text)?))
}

fn memory() -> Memory {
    Memory {
        dirs: Lru::new(1 << 20),
        blobs: Lru::new(1 << 20),
    }
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
    for (key, plain, readdir, readlink, treeobj) in [
        (
            "missing",
            Err(E::ENOENT),
            Err(E::ENOENT),
            Err(E::ENOENT),
            Err(E::ENOENT),
        ),
        (
            "",
            Err(E::ENOENT),
            Err(E::ENOENT),
            Err(E::ENOENT),
            Err(E::ENOENT),
        ),
        (
            "val",
            found(val),
            Err(E::ENOTDIR),
            Err(E::EINVAL),
            found(val),
        ),
        (
            "..val..",
            found(val),
            Err(E::ENOTDIR),
            Err(E::EINVAL),
            found(val),
        ),
        (
            "val.below",
            Err(E::ENOENT),
            Err(E::ENOENT),
            Err(E::ENOENT),
            Err(E::ENOENT),
        ),
        (
            "nothing",
            Err(E::EISDIR),
            found(r#"{"data":{},"type":"dir","ver":1}"#),
            Err(E::EINVAL),
            found(&dirref),
        ),
        (
            "to-val",
            found(val),
            Err(E::ENOTDIR),
            found(link),
            found(link),
        ),
        (
            ".",
            Err(E::EISDIR),
            top.clone(),
            Err(E::EINVAL),
            found(&root),
        ),
        (
            "to-root.val",
            found(val),
            Err(E::ENOTDIR),
            Err(E::EINVAL),
            found(val),
        ),
        (
            "to-root.to-root.to-val",
            found(val),
            Err(E::ENOTDIR),
            found(link),
            found(link),
        ),
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
    check_refused(Op::put("a.".repeat(300), "1"), bare(Errno::EINVAL));
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
    assert_eq!(dir.len(), 3000);
    assert_eq!(dir.text(), &Bytes::from(text), "it is canonical");
}

/// The tree as a map of keys to values, done the obvious way.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model(BTreeMap<String, Node>);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Value(String),
    Dir(Model),
}

impl Model {
    fn put(&mut self, path: &[&str], node: Node) {
        match path {
            [name] => drop(self.0.insert((*name).to_owned(), node)),
            [name, rest @ ..] => {
                let entry = self.0.entry((*name).to_owned());
                let below = entry.or_insert(Node::Dir(Model::default()));
                if !matches!(below, Node::Dir(_)) {
                    *below = Node::Dir(Model::default());
                }
                if let Node::Dir(dir) = below {
                    dir.put(rest, node);
                }
            }
            [] => {}
        }
    }

    fn unlink(&mut self, path: &[&str]) {
        match path {
            [name] => drop(self.0.remove(*name)),
            [name, rest @ ..] => {
                if let Some(Node::Dir(dir)) = self.0.get_mut(*name) {
                    dir.unlink(rest);
                }
            }
            [] => {}
        }
    }

    fn get(&self, path: &[&str]) -> Option<&Node> {
        match path {
            [name] => self.0.get(*name),
            [name, rest @ ..] => match self.0.get(*name)? {
                Node::Dir(dir) => dir.get(rest),
                Node::Value(_) => None,
            },
            [] => None,
        }
    }

    /// False when the append is refused.
    fn append(&mut self, path: &[&str], text: &str) -> bool {
        let old = match self.get(path) {
            Some(Node::Dir(_)) => return false,
            Some(Node::Value(old)) => old.clone(),
            None => String::new(),
        };
        self.put(path, Node::Value(old + text));
        true
    }
}

#[derive(Debug, Clone)]
enum Act {
    Put(String, String),
    Append(String, String),
    Unlink(String),
    Mkdir(String),
}

fn acts() -> impl Strategy<Value = Act> {
    let key = || "[a-c](\\.[a-c]){0,3}";
    let value = || prop_oneof!["[a-z]{0,6}", "[a-z]{50,60}"];
    prop_oneof![
        3 => (key(), value()).prop_map(|(key, value)| Act::Put(key, value)),
        3 => (key(), value()).prop_map(|(key, value)| Act::Append(key, value)),
        2 => key().prop_map(Act::Unlink),
        1 => key().prop_map(Act::Mkdir),
    ]
}

fn op_of(act: &Act) -> Op {
    match act.clone() {
        Act::Put(key, value) => Op::put(key, value),
        Act::Append(key, value) => Op::append(key, value),
        Act::Unlink(key) => Op::unlink(key),
        Act::Mkdir(key) => Op::mkdir(key),
    }
}

/// Does all acts, or tells that one is refused.
fn model_after(model: &Model, acts: &[Act]) -> Option<Model> {
    let mut model = model.clone();
    for act in acts {
        match act {
            Act::Put(key, value) => {
                model.put(
                    &key.split('.').collect::<Vec<_>>(),
                    Node::Value(value.clone()),
                );
            }
            Act::Append(key, value) => {
                if !model.append(&key.split('.').collect::<Vec<_>>(), value) {
                    return None;
                }
            }
            Act::Unlink(key) => model.unlink(&key.split('.').collect::<Vec<_>>()),
            Act::Mkdir(key) => model.put(
                &key.split('.').collect::<Vec<_>>(),
                Node::Dir(Model::default()),
            ),
        }
    }
    Some(model)
}

fn assert_same(world: &mut World, prefix: &str, model: &Model) {
    let text = world
        .lookup(if prefix.is_empty() { "." } else { prefix }, READDIR)
        .unwrap();
    let Ok(Tree::Dir(entries)) = Tree::decode(text.as_bytes()) else {
        panic!("{prefix} is no directory");
    };
    let names: Vec<&str> = entries.keys().map(|name| &**name).collect();
    assert_eq!(
        names,
        model.0.keys().map(String::as_str).collect::<Vec<_>>()
    );
    for (name, node) in &model.0 {
        let key = format!("{prefix}.{name}");
        match node {
            Node::Value(value) => assert_eq!(world.value(&key), Ok(value.clone()), "{key}"),
            Node::Dir(dir) => assert_same(world, &key, dir),
        }
    }
}

proptest! {
    #[test]
    fn transactions_do_what_the_naive_model_does(
        rounds in prop::collection::vec(prop::collection::vec(acts(), 0..8), 1..8),
        forget in any::<bool>(),
    ) {
        let mut world = World::new();
        let mut model = Model::default();
        for round in rounds {
            let committed = world.commit(round.iter().map(op_of).collect()).is_ok();
            let after = model_after(&model, &round);
            prop_assert_eq!(committed, after.is_some(), "{:?}", round);
            model = after.unwrap_or(model);
            if forget {
                world.memory = memory();
            }
            assert_same(&mut world, "", &model);
        }
    }
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
