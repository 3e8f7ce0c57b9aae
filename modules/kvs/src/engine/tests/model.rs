//! Transactions against a model that is too simple to be wrong.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proto::data::{BlobRef, Tree};
use proto::kvs::{Op, READDIR, READLINK, TREEOBJ};
use proto::{Errno, Refusal};

use super::{World, memory};
use crate::limits::LINKS_MAX;

/// The tree as maps of names to nodes, done the obvious way.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model(BTreeMap<String, Node>);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Value(String),
    Dir(Model),
    Link(String),
}

type Path = Vec<String>;

fn path_of(key: &str) -> Path {
    let names = key.split('.').filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

impl Model {
    fn put(&mut self, path: &[String], node: Node) {
        match path {
            [name] => drop(self.0.insert(name.clone(), node)),
            [name, rest @ ..] => {
                let entry = self.0.entry(name.clone());
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

    fn unlink(&mut self, path: &[String]) {
        match path {
            [name] => drop(self.0.remove(name)),
            [name, rest @ ..] => {
                if let Some(Node::Dir(dir)) = self.0.get_mut(name) {
                    dir.unlink(rest);
                }
            }
            [] => {}
        }
    }

    /// Object at a path without links in it.
    fn get(&self, path: &[String]) -> Option<Node> {
        match path {
            [] => Some(Node::Dir(self.clone())),
            [name] => self.0.get(name).cloned(),
            [name, rest @ ..] => match self.0.get(name)? {
                Node::Dir(dir) => dir.get(rest),
                Node::Value(_) | Node::Link(_) => None,
            },
        }
    }

    /// The path with its links followed, the last one too if asked for.
    fn follow(&self, key: &str, last_too: bool) -> Result<Path, Errno> {
        let mut path = path_of(key);
        for _ in 0..=LINKS_MAX {
            let up_to = path.len() - usize::from(!last_too && !path.is_empty());
            let link = (1..=up_to).find_map(|len| match self.get(&path[..len]) {
                Some(Node::Link(target)) => Some((target, len)),
                _ => None,
            });
            let Some((target, len)) = link else {
                return Ok(path);
            };
            path = [path_of(&target), path[len..].to_vec()].concat();
        }
        Err(Errno::ELOOP)
    }

    fn look_up(&self, key: &str, last_too: bool) -> Result<Node, Errno> {
        let path = self.follow(key, last_too)?;
        self.get(&path).ok_or(Errno::ENOENT)
    }

    /// Does one act, or returns the error.
    fn act(&mut self, act: &Act) -> Result<(), Errno> {
        match act {
            Act::Put(key, node) => {
                let path = self.follow(key, false)?;
                self.put(&path, node.clone());
            }
            Act::Append(key, text) => {
                let path = self.follow(key, false)?;
                let old = match self.get(&path) {
                    Some(Node::Dir(_)) => return Err(Errno::EISDIR),
                    Some(Node::Link(_)) => return Err(Errno::EOPNOTSUPP),
                    Some(Node::Value(old)) => old,
                    None => String::new(),
                };
                self.put(&path, Node::Value(old + text));
            }
            Act::Unlink(key) => {
                let path = self.follow(key, false)?;
                self.unlink(&path);
            }
            Act::Copy(..) => unreachable!("made into a put before"),
        }
        Ok(())
    }

    /// Does all acts or none.
    fn transact(&mut self, acts: &[Act]) -> Result<(), Errno> {
        let mut after = self.clone();
        acts.iter().try_for_each(|act| after.act(act))?;
        *self = after;
        Ok(())
    }
}

#[derive(Debug, Clone)]
enum Act {
    Put(String, Node),
    Append(String, String),
    Unlink(String),
    /// The object that is at one key before the round, put at another.
    Copy(String, String),
}

fn acts() -> impl Strategy<Value = Act> {
    let key = || "[a-c](\\.[a-c]){0,3}";
    let text = || prop_oneof!["[a-z]{0,6}", "[a-z]{50,60}"];
    let leaf = prop_oneof![
        3 => text().prop_map(Node::Value),
        1 => prop_oneof![key().boxed(), Just(".".to_owned()).boxed()].prop_map(Node::Link),
    ];
    let tree = leaf.clone().prop_recursive(2, 6, 3, |inner| {
        prop::collection::btree_map("[a-c]", inner, 0..3).prop_map(|dir| Node::Dir(Model(dir)))
    });
    prop_oneof![
        4 => (key(), leaf).prop_map(|(key, node)| Act::Put(key, node)),
        2 => (key(), tree).prop_map(|(key, node)| Act::Put(key, node)),
        3 => (key(), text()).prop_map(|(key, text)| Act::Append(key, text)),
        2 => key().prop_map(Act::Unlink),
        1 => (key(), key()).prop_map(|(from, to)| Act::Copy(from, to)),
    ]
}

fn tree_of(node: &Node) -> Tree {
    match node {
        Node::Value(text) => Tree::Val(text.clone().into()),
        Node::Link(target) => Tree::symlink(target),
        Node::Dir(dir) => {
            let entries = dir.0.iter();
            let entries = entries.map(|(name, node)| (name.as_str().into(), tree_of(node)));
            Tree::Dir(entries.collect())
        }
    }
}

/// The operation for an act, and the act itself with copies made into puts. None for a
/// copy of a key that does not exist.
fn op_of(act: &Act, world: &mut World, model: &Model) -> Option<(Op, Act)> {
    let op = match act {
        Act::Put(key, node) => Op::put_tree(key, tree_of(node)),
        Act::Append(key, text) => Op::append(key, text.clone()),
        Act::Unlink(key) => Op::unlink(key),
        Act::Copy(from, to) => {
            let node = model.look_up(from, false).ok()?;
            let text = world.lookup(from, TREEOBJ).unwrap();
            let tree = Tree::decode(text.as_bytes()).unwrap();
            return Some((Op::put_tree(to, tree), Act::Put(to.clone(), node)));
        }
    };
    Some((op, act.clone()))
}

/// Result of a lookup according to the model.
fn expected(model: &Model, key: &str, flags: u32) -> Result<String, Errno> {
    let text = |node: &Node| String::from_utf8(tree_of(node).encode()).unwrap();
    match (model.look_up(key, flags != READLINK)?, flags) {
        (node @ Node::Value(_), 0) | (node @ Node::Link(_), READLINK) => Ok(text(&node)),
        (Node::Dir(dir), READDIR) => Ok(dir.0.keys().map(|name| format!("{name} ")).collect()),
        (Node::Dir(_), 0) => Err(Errno::EISDIR),
        (Node::Value(_), READDIR) => Err(Errno::ENOTDIR),
        _ => Err(Errno::EINVAL),
    }
}

/// The same of the engine.
fn found(world: &mut World, key: &str, flags: u32) -> Result<String, Errno> {
    let text = world.lookup(key, flags)?;
    match Tree::decode(text.as_bytes()) {
        Ok(Tree::Dir(entries)) => Ok(entries.keys().map(|name| format!("{name} ")).collect()),
        _ => Ok(text),
    }
}

fn assert_same(world: &mut World, prefix: &str, model: &Model) {
    let key = if prefix.is_empty() { "." } else { prefix };
    let names: String = model.0.keys().map(|name| format!("{name} ")).collect();
    assert_eq!(found(world, key, READDIR), Ok(names), "{key}");
    for (name, node) in &model.0 {
        let key = format!("{prefix}.{name}");
        match node {
            Node::Value(value) => assert_eq!(world.value(&key), Ok(value.clone()), "{key}"),
            Node::Dir(dir) => assert_same(world, &key, dir),
            Node::Link(_) => {
                let text = String::from_utf8(tree_of(node).encode()).unwrap();
                assert_eq!(world.lookup(&key, READLINK), Ok(text), "{key}");
            }
        }
    }
}

/// Commits as the module does: all in one, and if that fails one by one. Returns those
/// that were applied.
fn commit_merged(world: &mut World, transactions: Vec<Vec<Op>>) -> Vec<Result<(), Errno>> {
    if world.commit(transactions.concat()).is_ok() {
        return vec![Ok(()); transactions.len()];
    }
    let alone = transactions.into_iter();
    let errno = |refusal: Refusal| refusal.errno;
    alone
        .map(|ops| world.commit(ops).map(drop).map_err(errno))
        .collect()
}

proptest! {
    /// A round is several transactions that are merged. Every root keeps its contents for
    /// ever.
    #[test]
    fn transactions_do_what_the_naive_model_does(
        rounds in prop::collection::vec(
            prop::collection::vec(prop::collection::vec(acts(), 0..5), 1..4),
            1..7,
        ),
        keys in prop::collection::vec("[a-c](\\.[a-c]){0,4}", 4),
        forget in any::<bool>(),
    ) {
        let mut world = World::new();
        let mut model = Model::default();
        let mut history: Vec<(BlobRef, Model)> = Vec::new();
        for round in rounds {
            let (mut ops, mut expect) = (Vec::new(), Vec::new());
            let before = model.clone();
            for acts in &round {
                let pairs = acts.iter().filter_map(|act| op_of(act, &mut world, &before));
                let (wanted, acts): (Vec<Op>, Vec<Act>) = pairs.unzip();
                ops.push(wanted);
                expect.push(model.transact(&acts));
            }
            prop_assert_eq!(commit_merged(&mut world, ops), expect, "{:?}", round);
            if forget {
                world.memory = memory();
            }
            assert_same(&mut world, "", &model);
            for (key, flags) in keys.iter().flat_map(|key| [0, READDIR, READLINK].map(|f| (key, f))) {
                let expect = expected(&model, key, flags);
                prop_assert_eq!(found(&mut world, key, flags), expect, "{} {}", key, flags);
            }
            history.push((world.root, model.clone()));
        }
        world.memory = memory();
        for (root, model) in history {
            world.root = root;
            assert_same(&mut world, "", &model);
        }
    }
}
