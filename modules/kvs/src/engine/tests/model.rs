//! Transactions against a model that is too simple to be wrong.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proto::data::Tree;
use proto::kvs::{Op, READDIR};

use super::{World, memory};

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
