//! Table `ferroflux_journal`: the newest commits as they came, one row each, so that a
//! commit writes a page or two at the end of one table instead of one in the index for
//! each of its blobs. They are all in memory too, and `fold` moves them to where they
//! belong, many at a time and when there is time.
//!
//! Other tools find everything in its place after a checkpoint and after a clean end:
//! both fold what is there. After a kill, opening the file does.

use std::collections::VecDeque;

use bytes::Bytes;
use proto::Payload;
use proto::content::{Commit, Record};
use proto::data::BlobRef;
use rusqlite::Connection;
use rustc_hash::FxHashMap;

use super::{blobs, records};
use crate::limits::JOURNALLED_BLOB_BYTES_MAX;
use crate::store::backing::Writer;
use crate::store::failure::Failure;

/// What the table holds.
#[derive(Debug, Default)]
pub struct Journal {
    entries: VecDeque<Entry>,
    /// The blobs of all entries, and the newest entry that each is in.
    blobs: FxHashMap<BlobRef, (i64, Bytes)>,
    bytes: usize,
    writer: Option<Writer>,
    last_id: i64,
    /// What is undone when the transaction fails.
    before: Before,
}

/// One commit.
#[derive(Debug)]
struct Entry {
    id: i64,
    number: u64,
    blobs: Vec<(BlobRef, Bytes)>,
    records: Vec<Record>,
    bytes: usize,
}

/// How things were before the transaction under way, and what leaves with its end.
#[derive(Debug, Default)]
struct Before {
    writer: Option<Writer>,
    last_id: i64,
    /// Entries up to this one are folded in it.
    folded: i64,
}

impl Journal {
    /// Reads what a predecessor has left.
    pub fn read(db: &Connection) -> Result<Journal, Failure> {
        let mut journal = Journal {
            writer: records::writer(db)?,
            ..Journal::default()
        };
        let mut select = db.prepare("SELECT id, payload FROM ferroflux_journal ORDER BY id")?;
        let rows = select.query_map([], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
        })?;
        for row in rows {
            let (id, payload) = row?;
            let commit = Commit::decode(Some(&payload.into())).map_err(|error| {
                Failure::Damaged(format!("row {id} of ferroflux_journal: {error}"))
            })?;
            journal.take_in(id, &commit)?;
        }
        Ok(journal)
    }

    /// A transaction begins.
    pub fn begin(&mut self) {
        self.before = Before {
            writer: self.writer.clone(),
            last_id: self.last_id,
            folded: 0,
        };
    }

    /// The transaction has ended well.
    pub fn end(&mut self) {
        while let Some(entry) = self.entries.front()
            && entry.id <= self.before.folded
            && let Some(entry) = self.entries.pop_front()
        {
            self.bytes -= entry.bytes;
            for (name, _) in entry.blobs {
                if self.blobs.get(&name).is_some_and(|(id, _)| *id == entry.id) {
                    self.blobs.remove(&name);
                }
            }
        }
    }

    /// The transaction is undone.
    pub fn undo(&mut self) {
        self.writer = self.before.writer.clone();
        self.last_id = self.before.last_id;
        if self
            .entries
            .back()
            .is_none_or(|last| last.id <= self.last_id)
        {
            return;
        }
        self.entries.retain(|entry| entry.id <= self.last_id);
        self.bytes = self.entries.iter().map(|entry| entry.bytes).sum();
        self.blobs.clear();
        for entry in &self.entries {
            let blobs = entry.blobs.iter();
            self.blobs
                .extend(blobs.map(|(name, blob)| (*name, (entry.id, blob.clone()))));
        }
    }

    /// Whose commits are taken.
    pub fn writer(&self) -> Option<&Writer> {
        self.writer.as_ref()
    }

    /// From now on these are someone else's.
    pub fn set_writer(&mut self, writer: Writer) {
        self.writer = Some(writer);
    }

    /// A blob of a commit that is not folded.
    pub fn blob(&self, name: &BlobRef) -> Option<&Bytes> {
        self.blobs.get(name).map(|(_, blob)| blob)
    }

    /// Commits that are not folded, and their bytes.
    pub fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes)
    }

    /// Adds a commit. Large blobs go to their place at once.
    pub fn add(&mut self, db: &Connection, commit: &Commit, epoch: i64) -> Result<(), Failure> {
        let is_large = |(_, blob): &&(Bytes, Bytes)| blob.len() > JOURNALLED_BLOB_BYTES_MAX;
        for (digest, blob) in commit.blobs.iter().filter(is_large) {
            blobs::store(db, digest, blob, epoch)?;
        }
        let small = Commit {
            writer: commit.writer.clone(),
            number: commit.number,
            after: commit.after,
            blobs: commit
                .blobs
                .iter()
                .filter(|blob| !is_large(blob))
                .cloned()
                .collect(),
            records: commit.records.clone(),
            checkpoint: None,
        };
        let payload = small.encode();
        let id = self.last_id + 1;
        db.prepare_cached("INSERT INTO ferroflux_journal(id, payload) VALUES(?1, ?2)")?
            .execute((id, &payload[..]))?;
        // What is kept in memory are slices of this one copy, not of the whole message.
        let copy = Commit::decode(Some(&payload))
            .map_err(|error| Failure::Damaged(format!("a commit can not be read back: {error}")))?;
        self.take_in(id, &copy)
    }

    fn take_in(&mut self, id: i64, commit: &Commit) -> Result<(), Failure> {
        let mut entry = Entry {
            id,
            number: commit.number,
            blobs: Vec::with_capacity(commit.blobs.len()),
            records: commit.records.clone(),
            bytes: 0,
        };
        for (digest, blob) in &commit.blobs {
            let name = BlobRef::from_digest(digest)
                .map_err(|error| Failure::Damaged(format!("commit {id}: {error}")))?;
            entry.bytes += blob.len();
            self.blobs.insert(name, (id, blob.clone()));
            entry.blobs.push((name, blob.clone()));
        }
        if let Some(writer) = &mut self.writer {
            writer.number = commit.number;
        }
        self.last_id = id;
        self.bytes += entry.bytes;
        self.entries.push_back(entry);
        Ok(())
    }

    /// Moves the oldest `count` commits to where they belong, within a transaction.
    pub fn fold(&mut self, db: &Connection, count: usize, epoch: i64) -> Result<(), Failure> {
        let folded: Vec<&Entry> = self.entries.iter().take(count).collect();
        let Some(last) = folded.last() else {
            return Ok(());
        };
        let mut blobs: Vec<(&BlobRef, &Bytes)> = folded
            .iter()
            .flat_map(|entry| entry.blobs.iter().map(|(name, blob)| (name, blob)))
            .collect();
        // In the order of the index its pages are written once.
        blobs.sort_unstable_by_key(|(name, _)| *name);
        blobs.dedup_by_key(|(name, _)| *name);
        for (name, blob) in blobs {
            blobs::store(db, name.digest(), blob, epoch)?;
        }
        let mut changes = std::collections::BTreeMap::new();
        for record in folded.iter().flat_map(|entry| &entry.records) {
            changes.insert(&record.key, record);
        }
        records::write(db, changes.into_values())?;
        records::set_number(db, last.number)?;
        db.prepare_cached("DELETE FROM ferroflux_journal WHERE id <= ?1")?
            .execute([last.id])?;
        self.before.folded = last.id;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
