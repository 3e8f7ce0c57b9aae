//! Load while processes are killed: writers, a reader that walks whole versions, and a
//! watch of a log. Each notes the answers that it received; `verify.rs` compares them
//! with the data after a restart.

use std::sync::atomic::{AtomicBool, Ordering};

use client::{Call, Handle};
use proto::data::{BlobRef, Tree};
use proto::kvs::{Commit, GetRoot, Lookup, PRIMARY, READDIR, WAITCREATE, WATCH, WATCH_APPEND};
use proto::{Errno, Refusal, kvs_watch};
use serde_json::Value;

use crate::site::Site;

/// Answers to a writer.
#[derive(Debug, Default)]
pub struct Told {
    /// Numbers of the commits that were acknowledged.
    pub acknowledged: Vec<u64>,
    /// Number of transactions not answered, which ended with the broker.
    pub ended: u64,
    /// Commits that failed although only modules were killed.
    pub failed: Vec<String>,
    /// Number of the next commit.
    pub next: u64,
}

/// Observations of readers.
#[derive(Debug, Default)]
pub struct Seen {
    /// Versions walked to the end.
    pub walks: u64,
    /// Watches begun.
    pub watches: u64,
    /// The longest text of the log that a watch has sent.
    pub log: String,
    /// Errors found.
    pub wrong: Vec<String>,
}

/// The key of one commit.
pub fn key_of(writer: usize, n: u64) -> String {
    format!("crash.w{writer}.d{}.k{n}", n / 256)
}

/// The log of a writer.
pub fn log_of(writer: usize) -> String {
    format!("crash.w{writer}.eventlog")
}

/// The entry of one commit in it (RFC 18).
fn entry_of(n: u64) -> String {
    format!("{{\"timestamp\":1.0,\"name\":\"commit\",\"context\":{{\"n\":{n}}}}}\n")
}

/// The commits in a log, or the error in it.
pub fn numbers_of(log: &str) -> Result<Vec<u64>, String> {
    let entries = log.split_inclusive('\n').map(|line| {
        let entry: Value = serde_json::from_str(line).map_err(|_| format!("no entry: {line}"))?;
        let number = entry["context"]["n"].as_u64();
        number.ok_or_else(|| format!("no entry of ours: {line}"))
    });
    let numbers = entries.collect::<Result<Vec<u64>, String>>()?;
    match numbers
        .iter()
        .zip(numbers.iter().skip(1))
        .find(|(a, b)| a >= b)
    {
        Some((a, b)) => Err(format!("{b} comes after {a}")),
        None => Ok(numbers),
    }
}

/// Commits a key and an entry of the log, one after the other. No commit fails until the
/// broker `is_killed` too.
pub fn write(
    site: &Site,
    writer: usize,
    told: &mut Told,
    is_killed: &AtomicBool,
    stop: &AtomicBool,
) {
    let Ok(mut handle) = site.open() else {
        return;
    };
    while !stop.load(Ordering::Relaxed) {
        let n = told.next;
        told.next += 1;
        let commit = Commit::new(PRIMARY)
            .put(key_of(writer, n), n.to_string())
            .append(log_of(writer), entry_of(n));
        match handle.rpc(&commit) {
            Ok(_) => told.acknowledged.push(n),
            Err(_) if is_killed.load(Ordering::Relaxed) => told.ended += 1,
            Err(refusal) => told.failed.push(format!("commit {n}: {refusal}")),
        }
    }
}

/// Takes the current root and looks up all that is below it, again and again.
pub fn read(site: &Site, seen: &mut Seen, stop: &AtomicBool) {
    let Ok(mut handle) = site.open() else {
        return;
    };
    let mut newest = -1;
    while !stop.load(Ordering::Relaxed) {
        let namespace = PRIMARY.to_owned();
        let Ok(root) = handle.rpc(&GetRoot { namespace }) else {
            continue;
        };
        if root.rootseq < newest {
            seen.wrong
                .push(format!("version {} after {newest}", root.rootseq));
        }
        newest = root.rootseq;
        let Ok(name) = root.rootref.parse() else {
            seen.wrong.push(format!("version {newest} has no root"));
            continue;
        };
        match walk(&mut handle, name, ".") {
            Ok(()) => seen.walks += 1,
            // A module that was killed twice under one lookup.
            Err((_, refusal)) if is_absence(&refusal) => {}
            Err((key, refusal)) => seen
                .wrong
                .push(format!("version {newest}: {key}: {refusal}")),
        }
    }
}

fn is_absence(refusal: &Refusal) -> bool {
    matches!(
        refusal.errno,
        Errno::EHOSTUNREACH | Errno::ENOSYS | Errno::ECONNRESET
    )
}

/// Looks up everything below `key` in one version.
fn walk(handle: &mut Handle, root: BlobRef, key: &str) -> Result<(), (String, Refusal)> {
    let lookup = |key: &str, flags| Lookup {
        key: key.to_owned(),
        flags,
        rootdir: serde_json::to_value(Tree::DirRef(root)).ok(),
        ..Lookup::default()
    };
    let wrong = |refusal| (key.to_owned(), refusal);
    let found = handle.rpc(&lookup(key, READDIR)).map_err(wrong)?;
    let Tree::Dir(entries) = found.val else {
        return Err(wrong(Refusal::bare(Errno::ENOTRECOVERABLE)));
    };
    for (name, tree) in entries {
        let key = format!("{key}.{name}");
        match tree {
            Tree::DirRef(_) => walk(handle, root, &key)?,
            Tree::ValRef(_) => {
                let found = handle.rpc(&lookup(&key, 0));
                found.map_err(|refusal| (key, refusal))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Watches a log. A watch that ends with its module is begun again.
pub fn watch(site: &Site, writer: usize, seen: &mut Seen, stop: &AtomicBool) {
    let Ok(mut handle) = site.open() else {
        return;
    };
    let flags = WATCH | WATCH_APPEND | WAITCREATE;
    let request = kvs_watch::Lookup::new(PRIMARY, &log_of(writer), flags);
    while !stop.load(Ordering::Relaxed) {
        seen.watches += 1;
        let mut text = String::new();
        for answer in handle.stream(Call::new(&request)) {
            match answer {
                Ok(watched) => {
                    let bytes = watched.bytes().unwrap_or_default();
                    text.push_str(&String::from_utf8_lossy(&bytes));
                }
                Err(refusal) if is_absence(&refusal) => {}
                Err(refusal) => seen.wrong.push(format!("a watch ended: {refusal}")),
            }
        }
        seen.compare(&text);
    }
}

impl Seen {
    /// Compares the responses of one watch with those of others: one begins with the
    /// other.
    pub fn compare(&mut self, text: &str) {
        let len = text.len().min(self.log.len());
        if text.as_bytes()[..len] != self.log.as_bytes()[..len] {
            self.wrong.push("two watches saw different logs".to_owned());
        } else if text.len() > len {
            text.clone_into(&mut self.log);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_tells_which_commits_it_has() {
        let log = |numbers: &[u64]| numbers.iter().map(|n| entry_of(*n)).collect::<String>();
        assert_eq!(numbers_of(""), Ok(vec![]));
        assert_eq!(numbers_of(&log(&[1, 2, 5])), Ok(vec![1, 2, 5]));
        for (text, expect) in [
            (log(&[1, 1]), "1 comes after 1"),
            (log(&[3, 2]), "2 comes after 3"),
            ("half".to_owned(), "no entry: half"),
            ("{}\n".to_owned(), "no entry of ours: {}\n"),
        ] {
            assert_eq!(numbers_of(&text), Err(expect.to_owned()));
        }
    }

    #[test]
    fn watches_agree_when_one_begins_with_the_other() {
        let mut seen = Seen::default();
        for text in ["ab", "", "abc", "a"] {
            seen.compare(text);
        }
        assert_eq!((seen.log.as_str(), seen.wrong.len()), ("abc", 0));
        seen.compare("abd");
        assert_eq!((seen.log.as_str(), seen.wrong.len()), ("abc", 1));
    }
}
