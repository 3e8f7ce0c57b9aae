//! Which root to go on from: the newest whose directories are all there. This is the one
//! place of the content store that looks into blobs, and it does so only when a file was
//! damaged.
//!
//! The kvs goes on from its records, and without any from the newest checkpoint. So a root
//! is chosen by taking away what is not to be gone on from.

use std::collections::BTreeSet;

use proto::content::Record;
use proto::content_backing::KeptCheckpoint;
use proto::data::{BlobRef, Tree};
use rusqlite::Connection;

use crate::limits::SALVAGE_LINES_MAX;
use crate::store::failure::Failure;
use crate::store::sqlite::{blobs, checkpoints, records};

const NAMESPACE: &str = "ns/";
const PRIMARY: &str = "ns/primary";
const CHECKPOINT: &str = "checkpoint";

/// What is missing below a root.
#[derive(Debug, Default, PartialEq)]
pub struct Missing {
    /// The root directory itself.
    pub root: bool,
    /// Keys of directories below it.
    pub dirs: Vec<String>,
    /// Keys of values.
    pub values: Vec<String>,
}

/// What is wrong with the root directory of primary, if it is damaged. One look, whose cost
/// does not depend on how much there is.
pub fn damage_of_primary(db: &Connection) -> Result<Option<String>, Failure> {
    let record = records::one(db, PRIMARY)?;
    let Some(root) = record.as_ref().and_then(root_of) else {
        return Ok(None);
    };
    Ok(match blobs::load(db, &root)? {
        Some(Err(what)) => Some(format!("the root directory {root} is damaged: {what}")),
        Some(Ok(_)) | None => None,
    })
}

/// Chooses. An error means that there is no root directory left to go on from.
pub fn choose(db: &Connection) -> Result<Result<(), String>, Failure> {
    let kept = records::all(db)?;
    let checkpoints = checkpoints::get(db)?;
    let primary = kept.iter().find(|record| record.key == PRIMARY);
    let primary = primary.and_then(root_of);
    let missing = match primary {
        Some(root) => Some(missing_below(db, root)?),
        None => None,
    };
    if let Some(missing) = missing.as_ref().filter(|missing| missing.is_whole()) {
        tell("primary", missing);
        drop_namespaces(db, &kept)?;
        if !kept.iter().any(|record| record.key == CHECKPOINT) {
            // They would be taken for newer than the records.
            drop_checkpoints(db, &checkpoints, "the records do not know of it")?;
        }
        return Ok(Ok(()));
    }
    if primary.is_none() && checkpoints.is_empty() {
        return Ok(Ok(()));
    }
    if let Some(missing) = &missing {
        tell("primary", missing);
    }
    choose_checkpoint(db, &kept, &checkpoints, missing)
}

/// The newest checkpoint that is whole; else primary, else the newest checkpoint with a
/// root directory.
fn choose_checkpoint(
    db: &Connection,
    kept: &[Record],
    checkpoints: &[KeptCheckpoint],
    primary: Option<Missing>,
) -> Result<Result<(), String>, Failure> {
    let mut best = None;
    for (at, kept) in checkpoints.iter().enumerate() {
        let missing = match kept.value.rootref.parse() {
            Ok(root) => missing_below(db, root)?,
            Err(_) => continue,
        };
        tell(&format!("checkpoint {}", kept.id), &missing);
        if missing.is_whole() {
            best = Some(at);
            break;
        }
        if !missing.root && best.is_none() {
            best = Some(at);
        }
        if at + 1 == checkpoints.len() && primary.as_ref().is_some_and(|primary| !primary.root) {
            drop_checkpoints(db, checkpoints, "primary is as whole and newer")?;
            return Ok(Ok(()));
        }
    }
    match best {
        Some(best) => {
            drop_checkpoints(db, &checkpoints[..best], "something below it is lost")?;
            for record in kept {
                tracing::error!("record {} is dropped: its tree is lost", record.key);
                remove(db, &record.key)?;
            }
            Ok(Ok(()))
        }
        None if primary.is_some_and(|primary| !primary.root) => Ok(Ok(())),
        None => Ok(Err("no root directory can be read".to_owned())),
    }
}

impl Missing {
    fn is_whole(&self) -> bool {
        !self.root && self.dirs.is_empty()
    }
}

/// Walks all directories below a root.
fn missing_below(db: &Connection, root: BlobRef) -> Result<Missing, Failure> {
    let mut missing = Missing::default();
    let mut seen = BTreeSet::new();
    let mut left = vec![(String::new(), root)];
    while let Some((key, name)) = left.pop() {
        if !seen.insert(name) {
            continue;
        }
        let blob = blobs::load(db, &name)?.and_then(Result::ok);
        match blob.and_then(|blob| Tree::decode(&blob).ok()) {
            Some(Tree::Dir(entries)) => {
                for (entry, tree) in entries {
                    visit(db, format!("{key}.{entry}"), tree, &mut left, &mut missing)?;
                }
            }
            _ if key.is_empty() => missing.root = true,
            _ => missing.dirs.push(key[1..].to_owned()),
        }
    }
    Ok(missing)
}

fn visit(
    db: &Connection,
    key: String,
    tree: Tree,
    left: &mut Vec<(String, BlobRef)>,
    missing: &mut Missing,
) -> Result<(), Failure> {
    match tree {
        Tree::DirRef(name) => left.push((key, name)),
        Tree::ValRef(names) => {
            for name in names {
                if !blobs::exists(db, &name)? {
                    missing.values.push(key[1..].to_owned());
                    break;
                }
            }
        }
        Tree::Val(_) | Tree::Dir(_) | Tree::Symlink { .. } => {}
    }
    Ok(())
}

fn drop_namespaces(db: &Connection, kept: &[Record]) -> Result<(), Failure> {
    for record in kept {
        let Some(name) = record.key.strip_prefix(NAMESPACE) else {
            continue;
        };
        let missing = match root_of(record) {
            Some(root) => missing_below(db, root)?,
            None => Missing {
                root: true,
                ..Missing::default()
            },
        };
        if record.key == PRIMARY {
            continue;
        }
        tell(name, &missing);
        if !missing.is_whole() {
            tracing::error!("namespace {name} is dropped: something below it is lost");
            remove(db, &record.key)?;
        }
    }
    Ok(())
}

fn drop_checkpoints(
    db: &Connection,
    checkpoints: &[KeptCheckpoint],
    why: &str,
) -> Result<(), Failure> {
    for KeptCheckpoint { id, value } in checkpoints {
        let sequence = value.sequence;
        tracing::error!("checkpoint {id} of sequence {sequence} is dropped: {why}");
        db.execute("DELETE FROM checkpt_v2 WHERE id = ?1", [id])?;
    }
    Ok(())
}

fn remove(db: &Connection, key: &str) -> Result<(), Failure> {
    db.execute("DELETE FROM ferroflux_records WHERE key = ?1", [key])?;
    Ok(())
}

fn tell(what: &str, missing: &Missing) {
    if missing.root {
        tracing::error!("{what}: the root directory is lost");
    }
    let dirs = missing.dirs.iter().map(|key| ("directory", key));
    let values = missing.values.iter().map(|key| ("value of", key));
    for (kind, key) in dirs.chain(values).take(SALVAGE_LINES_MAX) {
        tracing::error!("{what}: the {kind} {key} is lost");
    }
    let more = (missing.dirs.len() + missing.values.len()).saturating_sub(SALVAGE_LINES_MAX);
    if more > 0 {
        tracing::error!("{what}: {more} more are lost");
    }
}

/// The root in the record of a namespace: a MessagePack array with the blobref in it.
fn root_of(record: &Record) -> Option<BlobRef> {
    let row: Vec<serde_json::Value> = rmp_serde::from_slice(record.value.as_deref()?).ok()?;
    row.iter().find_map(|value| value.as_str()?.parse().ok())
}
