//! `flux kvs dir`: keys with their values.

use std::collections::VecDeque;

use client::Pending;
use proto::data::Tree;
use proto::kvs::{Lookup, READDIR};
use serde_json::Value;

use super::at::{NamespaceArg, Store, about, columns, rootdir};
use super::ls::join;
use command::error::CliError;
use command::flux::Flux;

/// Values that are asked for before the first is printed.
const LOOKUPS_AHEAD: usize = 128;

/// Mark for the truncated rest of a value.
const ELLIPSIS: &str = "...";

/// List the keys in a directory and their values
#[derive(clap::Args)]
pub struct Dir {
    #[command(flatten)]
    namespace: NamespaceArg,
    /// List subdirectories too
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Leave out values
    #[arg(short, long)]
    directory: bool,
    /// Truncate lines to N columns (0 = no limit)
    #[arg(short, long, value_name = "COLUMNS")]
    width: Option<usize>,
    /// Look up the directory below this tree object
    #[arg(short, long, value_name = "TREEOBJ")]
    at: Option<String>,
    /// Directory to list
    #[arg(value_name = "KEY", default_value = ".", hide_default_value = true)]
    key: String,
}

/// One line to come.
enum Row {
    Ready(String),
    Value(String, Pending<Lookup>),
}

impl Dir {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let at = self.at.as_deref();
        let rootdir = at.map(|at| rootdir(at, &self.key)).transpose()?;
        let mut walk = Walk {
            store: self.namespace.connect(flux)?,
            rootdir,
            columns: columns(self.width, flux),
            rows: VecDeque::new(),
            dir: &self,
        };
        walk.run(flux)
    }
}

struct Walk<'a> {
    dir: &'a Dir,
    store: Store,
    rootdir: Option<Value>,
    columns: Option<usize>,
    /// Lines in order, some of which wait for a value.
    rows: VecDeque<Row>,
}

impl Walk<'_> {
    /// Depth first, without recursion: a tree may be deeper than our stack.
    fn run(&mut self, flux: &mut Flux) -> Result<(), CliError> {
        let mut stack = vec![(self.dir.key.clone(), Tree::empty_dir())];
        while let Some((key, tree)) = stack.pop() {
            let is_start = stack.is_empty() && key == self.dir.key && tree.is_dir();
            let is_walked = is_start || (tree.is_dir() && self.dir.recursive);
            if !is_walked {
                self.add_row(flux, key, &tree)?;
                continue;
            }
            let found = self.store.handle.rpc(&self.lookup(&key, READDIR));
            let Tree::Dir(entries) = found.map_err(about(&key))?.val else {
                continue;
            };
            if entries.is_empty() && !is_start {
                self.rows.push_back(Row::Ready(format!("{key}.")));
            }
            let below = entries.into_iter().rev();
            stack.extend(below.map(|(name, tree)| (join(&key, &name), tree)));
        }
        self.print_down_to(flux, 0)
    }

    fn lookup(&self, key: &str, flags: u32) -> Lookup {
        Lookup {
            rootdir: self.rootdir.clone(),
            ..Lookup::new(&self.store.namespace, key, flags)
        }
    }

    fn add_row(&mut self, flux: &mut Flux, key: String, tree: &Tree) -> Result<(), CliError> {
        let row = match tree {
            Tree::Dir(_) | Tree::DirRef(_) => Row::Ready(format!("{key}.")),
            Tree::Symlink {
                target,
                namespace: None,
            } => Row::Ready(format!("{key} -> {target}")),
            Tree::Symlink {
                target,
                namespace: Some(namespace),
            } => Row::Ready(format!("{key} -> {namespace}::{target}")),
            _ if self.dir.directory => Row::Ready(key),
            Tree::Val(bytes) => Row::Ready(self.value_line(flux, &key, bytes)),
            Tree::ValRef(_) => {
                let request = self.lookup(&key, 0);
                Row::Value(key, self.store.start_lookup(&request))
            }
        };
        self.rows.push_back(row);
        self.print_down_to(flux, LOOKUPS_AHEAD)
    }

    /// Prints until no more than `left` rows wait.
    fn print_down_to(&mut self, flux: &mut Flux, left: usize) -> Result<(), CliError> {
        while self.rows.len() > left
            && let Some(row) = self.rows.pop_front()
        {
            let line = match row {
                Row::Ready(line) => line,
                Row::Value(key, pending) => {
                    let found = self.store.handle.wait(pending).map_err(about(&key))?;
                    self.value_line(flux, &key, &found.bytes().unwrap_or_default())
                }
            };
            flux.line(&line)?;
        }
        Ok(())
    }

    fn value_line(&self, flux: &Flux, key: &str, value: &[u8]) -> String {
        let value = String::from_utf8_lossy(value);
        let (key, value) = (flux.plain().line(key), flux.plain().lines(&value));
        cut(format!("{key} = "), &value, self.columns)
    }
}

/// `head` and `value` as one line of at most N columns.
fn cut(head: String, value: &str, columns: Option<usize>) -> String {
    let (first, is_more) = match value.split_once('\n') {
        Some((first, rest)) => (first, !rest.is_empty()),
        None => (value, false),
    };
    let mut line = head + first;
    let is_long = columns.is_some_and(|columns| line.chars().count() > columns);
    if let (true, Some(columns)) = (is_long, columns) {
        line = line
            .chars()
            .take(columns.saturating_sub(ELLIPSIS.len()))
            .collect();
    }
    if is_long || is_more {
        line.push_str(ELLIPSIS);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, columns: Option<usize>, expect: &str) {
        assert_eq!(cut("k = ".to_owned(), value, columns), expect);
    }

    #[test]
    fn long_values_are_cut() {
        check("1234567890", Some(14), "k = 1234567890");
        check("1234567890", Some(13), "k = 123456...");
        check("1234567890", None, "k = 1234567890");
    }

    #[test]
    fn values_are_cut_at_their_first_newline() {
        check("one\ntwo", Some(80), "k = one...");
        check("one\n", Some(80), "k = one");
    }
}
