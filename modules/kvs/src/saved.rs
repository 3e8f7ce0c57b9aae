//! Records that survive a restart: one for each namespace, one for each writer of `once`
//! tokens, one for the checkpoint that they belong to, one for the requests whose answers
//! may be lost, and for each other rank one of its transactions that it may send again.
//! All are kept by the content store in the transaction that stores the blobs.
//!
//! Values are MessagePack arrays that begin with a version.

use std::collections::BTreeMap;

use proto::content::{Checkpoint, Record};
use proto::data::BlobRef;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::namespace::Version;

const VERSION: u8 = 1;
const NAMESPACE_PREFIX: &str = "ns/";
const ONCE_PREFIX: &str = "once/";
const CHECKPOINT: &str = "checkpoint";
const DONE: &str = "done";
const ORIGIN_PREFIX: &str = "relayed/";

/// A namespace as it is saved.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedNamespace {
    /// User id of its owner.
    pub owner: u32,
    /// As it was created.
    pub flags: u32,
    /// Root.
    pub version: Version,
    /// Last SEQ of each writer of `once` tokens, and the version that it was in.
    pub once: BTreeMap<String, (u64, i64)>,
}

/// Everything that was saved.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Saved {
    /// Namespaces by name.
    pub namespaces: BTreeMap<String, SavedNamespace>,
    /// The newest checkpoint when they were saved.
    pub checkpoint: Option<Checkpoint>,
    /// Requests that were done, by number, and the version that each was answered with.
    pub done: Vec<(u64, Version)>,
    /// Transactions of other ranks that were done.
    pub origins: BTreeMap<u32, SavedOrigin>,
}

/// Transactions of another rank that were done.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedOrigin {
    /// UUID of its broker.
    pub broker: String,
    /// By number, and the version that each has made.
    pub done: Vec<(u64, Version)>,
}

#[derive(Serialize, Deserialize)]
struct NamespaceRow(u8, u32, u32, String, i64);
#[derive(Serialize, Deserialize)]
struct OnceRow(u8, u64, i64);
#[derive(Serialize, Deserialize)]
struct CheckpointRow(u8, String, i64, f64);
/// Requests that have one answer follow each other in one group.
#[derive(Serialize, Deserialize)]
struct DoneRow(u8, Vec<(String, i64, Vec<u64>)>);
/// The same of the rank whose broker has this UUID.
#[derive(Serialize, Deserialize)]
struct OriginRow(u8, String, Vec<(String, i64, Vec<u64>)>);

/// The record of a namespace.
pub fn namespace_record(name: &str, owner: u32, flags: u32, version: Version) -> Record {
    let root = version.root.to_string();
    let row = NamespaceRow(VERSION, owner, flags, root, version.seq);
    record(namespace_key(name), Some(&row))
}

/// The removal of a namespace.
pub fn no_namespace(name: &str) -> Record {
    record::<()>(namespace_key(name), None)
}

/// The record of a writer of tokens.
pub fn once_record(namespace: &str, writer: &str, seq: u64, rootseq: i64) -> Record {
    let row = OnceRow(VERSION, seq, rootseq);
    record(once_key(namespace, writer), Some(&row))
}

/// The removal of a writer.
pub fn no_once(namespace: &str, writer: &str) -> Record {
    record::<()>(once_key(namespace, writer), None)
}

/// The record of the newest checkpoint.
pub fn checkpoint_record(checkpoint: &Checkpoint) -> Record {
    let row = CheckpointRow(
        VERSION,
        checkpoint.rootref.clone(),
        checkpoint.sequence,
        checkpoint.timestamp,
    );
    record(CHECKPOINT.to_owned(), Some(&row))
}

/// The record of requests that were done, `None` when there are none to remember.
pub fn done_record<'a>(done: impl Iterator<Item = (u64, &'a Version)>) -> Option<Record> {
    let row = DoneRow(VERSION, groups_of(done));
    (!row.1.is_empty()).then(|| record(DONE.to_owned(), Some(&row)))
}

/// The record of the transactions of another rank that were done.
pub fn origin_record<'a>(
    rank: u32,
    broker: &str,
    done: impl Iterator<Item = (u64, &'a Version)>,
) -> Record {
    let row = OriginRow(VERSION, broker.to_owned(), groups_of(done));
    record(format!("{ORIGIN_PREFIX}{rank}"), Some(&row))
}

fn groups_of<'a>(done: impl Iterator<Item = (u64, &'a Version)>) -> Vec<(String, i64, Vec<u64>)> {
    let mut groups = Vec::<(Version, Vec<u64>)>::new();
    for (number, version) in done {
        match groups.last_mut() {
            Some((last, numbers)) if last == version => numbers.push(number),
            _ => groups.push((*version, vec![number])),
        }
    }
    let groups = groups.into_iter();
    groups
        .map(|(version, numbers)| (version.root.to_string(), version.seq, numbers))
        .collect()
}

fn namespace_key(name: &str) -> String {
    format!("{NAMESPACE_PREFIX}{name}")
}

/// A writer's name has no slash, a namespace's may have.
fn once_key(namespace: &str, writer: &str) -> String {
    format!("{ONCE_PREFIX}{writer}/{namespace}")
}

fn record<T: Serialize>(key: String, row: Option<&T>) -> Record {
    // Rows of numbers and strings always encode.
    let value = row.map(|row| rmp_serde::to_vec(row).unwrap_or_default().into());
    Record { key, value }
}

impl Saved {
    /// Reads the saved records. A record that cannot be read is an error: to go on
    /// without it would lose acknowledged data.
    pub fn read(records: &[Record]) -> Result<Saved, String> {
        let mut saved = Saved::default();
        let mut once = Vec::new();
        for Record { key, value } in records {
            let value = value.as_deref().unwrap_or_default();
            if let Some(name) = key.strip_prefix(NAMESPACE_PREFIX) {
                let namespace = read_namespace(key, value)?;
                saved.namespaces.insert(name.to_owned(), namespace);
            } else if let Some(rest) = key.strip_prefix(ONCE_PREFIX) {
                let OnceRow(_, seq, rootseq) = row(key, value)?;
                let (writer, namespace) = rest
                    .split_once('/')
                    .ok_or_else(|| format!("record {key} has no namespace"))?;
                once.push((namespace.to_owned(), writer.to_owned(), seq, rootseq));
            } else if key == CHECKPOINT {
                let CheckpointRow(_, rootref, sequence, timestamp) = row(key, value)?;
                saved.checkpoint = Some(Checkpoint {
                    version: 1,
                    rootref,
                    sequence,
                    timestamp,
                });
            } else if key == DONE {
                let DoneRow(_, groups) = row(key, value)?;
                saved.done = read_groups(key, groups)?;
            } else if let Some(rank) = key.strip_prefix(ORIGIN_PREFIX) {
                let rank = rank
                    .parse()
                    .map_err(|_| format!("record {key} has no rank"))?;
                let OriginRow(_, broker, groups) = row(key, value)?;
                let done = read_groups(key, groups)?;
                saved.origins.insert(rank, SavedOrigin { broker, done });
            }
        }
        for (namespace, writer, seq, rootseq) in once {
            if let Some(namespace) = saved.namespaces.get_mut(&namespace) {
                namespace.once.insert(writer, (seq, rootseq));
            }
        }
        Ok(saved)
    }
}

fn read_namespace(key: &str, value: &[u8]) -> Result<SavedNamespace, String> {
    let NamespaceRow(_, owner, flags, root, seq) = row(key, value)?;
    let root: BlobRef = root
        .parse()
        .map_err(|error| format!("record {key}: {error}"))?;
    Ok(SavedNamespace {
        owner,
        flags,
        version: Version { root, seq },
        once: BTreeMap::new(),
    })
}

fn read_groups(
    key: &str,
    groups: Vec<(String, i64, Vec<u64>)>,
) -> Result<Vec<(u64, Version)>, String> {
    let mut done = Vec::new();
    for (root, seq, numbers) in groups {
        let root: BlobRef = root
            .parse()
            .map_err(|error| format!("record {key}: {error}"))?;
        let version = Version { root, seq };
        done.extend(numbers.into_iter().map(|number| (number, version)));
    }
    Ok(done)
}

fn row<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, String> {
    // An array of up to fifteen begins with one byte, then the version.
    match value.get(1) {
        Some(&VERSION) => {
            rmp_serde::from_slice(value).map_err(|error| format!("record {key}: {error}"))
        }
        _ => Err(format!("record {key} has an unknown format")),
    }
}

#[cfg(test)]
mod tests {
    use proto::data::HashKind;

    use super::*;

    fn version(seq: i64) -> Version {
        let root = BlobRef::of(HashKind::Sha1, &seq.to_be_bytes());
        Version { root, seq }
    }

    #[test]
    fn records_say_what_was_saved() {
        let checkpoint = Checkpoint {
            version: 1,
            rootref: version(3).root.to_string(),
            sequence: 3,
            timestamp: 1.5,
        };
        let done = [(3, version(6)), (1 << 40, version(6)), (4, version(7))];
        let records = [
            namespace_record("primary", 100, 0, version(7)),
            namespace_record("a/b", u32::MAX, 3, version(0)),
            once_record("primary", "writer", 5, 6),
            once_record("a/b", "writer", u64::MAX, 1),
            once_record("gone", "writer", 1, 1),
            checkpoint_record(&checkpoint),
            done_record(done.iter().map(|(n, version)| (*n, version))).unwrap(),
            origin_record(3, "uuid", done.iter().map(|(n, version)| (*n, version))),
        ];
        let saved = Saved::read(&records).unwrap();
        assert_eq!(saved.checkpoint, Some(checkpoint));
        assert_eq!(saved.done, done);
        let origin = SavedOrigin {
            broker: "uuid".to_owned(),
            done: done.to_vec(),
        };
        assert_eq!(saved.origins, [(3, origin)].into());
        assert_eq!(saved.namespaces.len(), 2);
        let primary = &saved.namespaces["primary"];
        assert_eq!((primary.owner, primary.flags), (100, 0));
        assert_eq!(primary.version, version(7));
        assert_eq!(primary.once, [("writer".to_owned(), (5, 6))].into());
        let other = &saved.namespaces["a/b"];
        assert_eq!((other.owner, other.flags), (u32::MAX, 3));
        assert_eq!(other.once, [("writer".to_owned(), (u64::MAX, 1))].into());
    }

    #[test]
    fn removals_have_the_keys_of_what_they_remove() {
        assert_eq!(
            no_namespace("a").key,
            namespace_record("a", 0, 0, version(0)).key
        );
        assert_eq!(no_once("a", "w").key, once_record("a", "w", 0, 0).key);
        assert_eq!(
            (no_namespace("a").value, no_once("a", "w").value),
            (None, None)
        );
    }

    #[test]
    fn a_record_that_can_not_be_read_is_an_error() {
        let mut record = namespace_record("primary", 100, 0, version(7));
        let whole = record.value.clone().unwrap();
        for len in 0..whole.len() {
            record.value = Some(whole.slice(..len));
            assert!(
                Saved::read(std::slice::from_ref(&record)).is_err(),
                "{len} bytes"
            );
        }
        record.value = Some([&[0x95, 9], &whole[2..]].concat().into());
        assert!(Saved::read(&[record]).is_err(), "another version");
    }
}
