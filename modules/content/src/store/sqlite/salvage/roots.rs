//! Choice of the root to go on from: the newest whose directories are all stored. This is
//! the one place of the content store that looks into blobs, and it does so only when a
//! file was damaged.
//!
//! The kvs goes on from its records, and without any from the newest checkpoint. So a root
//! is chosen by removing the candidates that are not to be used.

use std::collections::BTreeSet;

use bytes::Bytes;
use proto::content::Record;
use proto::content_backing::KeptCheckpoint;
use proto::data::{BlobRef, Tree};
use rusqlite::Connection;

use crate::limits::{SALVAGE_LINES_MAX, SALVAGE_ROOTS_MAX};
use crate::store::damage::Damage;
use crate::store::failure::Failure;
use crate::store::sqlite::{blobs, checkpoints, records};

const NAMESPACE: &str = "ns/";
/// Key of the record that has the root of primary.
pub const PRIMARY: &str = "ns/primary";
const CHECKPOINT: &str = "checkpoint";

/// Blobs missing below a root.
#[derive(Debug, Default, PartialEq)]
pub struct Missing {
    /// The root directory itself.
    pub root: bool,
    /// Keys of directories below it.
    pub dirs: Vec<String>,
    /// Keys of values.
    pub values: Vec<String>,
}

/// Damage of the root directory of primary, if any. One look, whose cost does not depend on
/// how much there is.
pub fn damage_of_primary(db: &Connection) -> Result<Option<String>, Failure> {
    let value = records::value(db, PRIMARY)?;
    let Some(root) = value.as_deref().and_then(root_of) else {
        return Ok(None);
    };
    Ok(match blobs::load(db, &root)? {
        Some(Err(what)) => Some(format!("the root directory {root} is damaged: {what}")),
        // The kvs had it when it made a second version of it.
        None if value.as_deref().and_then(version_of) > Some(0) => {
            Some(format!("the root directory {root} is missing"))
        }
        Some(Ok(_)) | None => None,
    })
}

/// A root that one may go on from.
struct Candidate {
    root: BlobRef,
    /// Version of primary.
    version: i64,
    origin: Origin,
}

enum Origin {
    /// The record of primary, or a value that it had before.
    Record(Bytes),
    /// A checkpoint, by its place in the list.
    Checkpoint(usize),
}

/// Chooses; `made` are values of the record of primary, the oldest first. An error means
/// that there is no root directory left to go on from.
pub fn choose(
    db: &Connection,
    made: &[Record],
    damage: &mut Damage,
) -> Result<Result<(), String>, Failure> {
    let kept = records::all(db)?;
    let checkpoints = checkpoints::get(db)?;
    let candidates = candidates(&kept, &checkpoints, made);
    let Some(newest) = candidates.first() else {
        damage.note("there is neither a root nor a checkpoint: starting with an empty store");
        return Ok(Ok(()));
    };
    let (newest_version, mut second) = (newest.version, None);
    for candidate in candidates {
        let missing = missing_below(db, candidate.root)?;
        if candidate.version == newest_version {
            report(&format!("version {newest_version}"), &missing, damage);
        }
        if missing.is_whole() {
            take(db, &candidate, newest_version, &kept, &checkpoints, damage)?;
            return Ok(Ok(()));
        }
        if !missing.root && second.is_none() {
            second = Some(candidate);
        }
    }
    let Some(second) = second else {
        return Ok(Err("no root directory can be read".to_owned()));
    };
    take(db, &second, newest_version, &kept, &checkpoints, damage)?;
    Ok(Ok(()))
}

/// All roots, the newest first.
fn candidates(kept: &[Record], checkpoints: &[KeptCheckpoint], made: &[Record]) -> Vec<Candidate> {
    let primary = kept.iter().filter(|record| record.key == PRIMARY);
    let values = primary.chain(made.iter().rev());
    let of_records = values.filter_map(|record| {
        let value = record.value.clone()?;
        Some(Candidate {
            root: root_of(&value)?,
            version: version_of(&value)?,
            origin: Origin::Record(value),
        })
    });
    let of_checkpoints = checkpoints.iter().enumerate().filter_map(|(at, kept)| {
        Some(Candidate {
            root: kept.value.rootref.parse().ok()?,
            version: kept.value.sequence,
            origin: Origin::Checkpoint(at),
        })
    });
    of_records
        .take(SALVAGE_ROOTS_MAX)
        .chain(of_checkpoints)
        .collect()
}

/// Makes a candidate the root to go on from.
fn take(
    db: &Connection,
    candidate: &Candidate,
    newest: i64,
    kept: &[Record],
    checkpoints: &[KeptCheckpoint],
    damage: &mut Damage,
) -> Result<(), Failure> {
    let version = candidate.version;
    if version < newest {
        damage.note(&format!(
            "primary continues from version {version}: changes up to version {newest} are lost"
        ));
    }
    match &candidate.origin {
        Origin::Record(value) => {
            records::put(db, PRIMARY, value)?;
            drop_namespaces(db, kept, damage)?;
            if !kept.iter().any(|record| record.key == CHECKPOINT) {
                // They would be taken for newer than the records.
                drop_checkpoints(db, checkpoints, "the records do not contain it", damage)?;
            }
        }
        Origin::Checkpoint(at) => {
            let before = &checkpoints[..*at];
            drop_checkpoints(db, before, "something below it is lost", damage)?;
            for record in kept {
                damage.note(&format!(
                    "record {} is dropped: its tree is lost",
                    record.key
                ));
                remove(db, &record.key)?;
            }
        }
    }
    Ok(())
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

fn drop_namespaces(db: &Connection, kept: &[Record], damage: &mut Damage) -> Result<(), Failure> {
    for record in kept {
        let Some(name) = record.key.strip_prefix(NAMESPACE) else {
            continue;
        };
        if record.key == PRIMARY {
            continue;
        }
        let missing = match record.value.as_deref().and_then(root_of) {
            Some(root) => missing_below(db, root)?,
            None => Missing {
                root: true,
                ..Missing::default()
            },
        };
        report(&format!("namespace {name}"), &missing, damage);
        if !missing.is_whole() {
            damage.note(&format!(
                "namespace {name} is dropped: something below it is lost"
            ));
            remove(db, &record.key)?;
        }
    }
    Ok(())
}

fn drop_checkpoints(
    db: &Connection,
    checkpoints: &[KeptCheckpoint],
    why: &str,
    damage: &mut Damage,
) -> Result<(), Failure> {
    for KeptCheckpoint { id, value } in checkpoints {
        let sequence = value.sequence;
        damage.note(&format!(
            "checkpoint {id} of sequence {sequence} is dropped: {why}"
        ));
        db.execute("DELETE FROM checkpt_v2 WHERE id = ?1", [id])?;
    }
    Ok(())
}

fn remove(db: &Connection, key: &str) -> Result<(), Failure> {
    db.execute("DELETE FROM ferroflux_records WHERE key = ?1", [key])?;
    Ok(())
}

fn report(what: &str, missing: &Missing, damage: &mut Damage) {
    if missing.root {
        damage.note(&format!("{what}: the root directory is lost"));
    }
    let dirs = missing.dirs.iter().map(|key| ("directory", key));
    let values = missing.values.iter().map(|key| ("value of", key));
    for (kind, key) in dirs.chain(values).take(SALVAGE_LINES_MAX) {
        damage.note(&format!("{what}: the {kind} {key} is lost"));
    }
    let more = (missing.dirs.len() + missing.values.len()).saturating_sub(SALVAGE_LINES_MAX);
    if more > 0 {
        damage.note(&format!("{what}: {more} more are lost"));
    }
}

/// The root in the record of a namespace: a MessagePack array with the blobref in it.
fn root_of(value: &[u8]) -> Option<BlobRef> {
    let row: Vec<serde_json::Value> = rmp_serde::from_slice(value).ok()?;
    row.iter().find_map(|value| value.as_str()?.parse().ok())
}

/// The version in it, with which it ends.
fn version_of(value: &[u8]) -> Option<i64> {
    let row: Vec<serde_json::Value> = rmp_serde::from_slice(value).ok()?;
    row.last()?.as_i64()
}
