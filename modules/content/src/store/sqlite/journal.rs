//! Table `ferroflux_journal`: the newest commits as they came, so that a commit writes one
//! page, not one in the index for each of its blobs. They are all in memory too, and
//! `fold` moves them to where they belong, many at a time and when there is time.
//!
//! The rows are slots of one page each, which are used again once what is in them has been
//! folded: a page that is written over costs nothing but itself. A transaction takes as
//! many slots as it needs; each says which part of which transaction it is.
//!
//! Other tools find everything in its place after a checkpoint and after a clean end:
//! both fold what is there. After a kill, opening the file does.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use proto::Payload;
use proto::content::{Commit, Record};
use proto::data::BlobRef;
use rusqlite::Connection;
use rustc_hash::FxHashMap;

use super::slots::Slots;
use super::{blobs, records};
use crate::limits::{JOURNALLED_BLOB_BYTES_MAX, JOURNALLED_TRANSACTION_BYTES_MAX};
use crate::store::backing::Writer;
use crate::store::failure::Failure;

/// What the table holds.
#[derive(Debug, Default)]
pub struct Journal {
    slots: Slots,
    transactions: VecDeque<Transaction>,
    /// The one under way.
    pending: Transaction,
    /// The blobs of all of them, and the newest transaction that each is in.
    blobs: FxHashMap<BlobRef, (u64, Bytes)>,
    bytes: usize,
    writer: Option<Writer>,
    /// The writer before the transaction under way.
    writer_before: Option<Writer>,
    /// Transactions up to this one are folded in the one under way.
    folding: u64,
}

/// The commits of one transaction of SQLite.
#[derive(Debug, Default)]
struct Transaction {
    /// One more than that of the one before.
    number: u64,
    commits: usize,
    blobs: Vec<(BlobRef, Bytes)>,
    records: Vec<Record>,
    bytes: usize,
    /// The commits as they came, until they are written.
    text: Vec<u8>,
    /// Where they are.
    slots: Vec<i64>,
}

impl Journal {
    /// Reads what a predecessor has left.
    pub fn read(db: &Connection) -> Result<Journal, Failure> {
        let mut journal = Journal {
            writer: records::writer(db)?,
            ..Journal::default()
        };
        let folded = records::folded(db)?;
        journal.pending.number = folded + 1;
        for (slots, text) in journal.slots.read(db, folded)? {
            journal.take_in_all(&text).map_err(|what| {
                Failure::Damaged(format!("ferroflux_journal, row {}: {what}", slots[0]))
            })?;
            journal.pending.slots = slots;
            journal.close_pending();
        }
        Ok(journal)
    }

    /// A transaction begins.
    pub fn begin(&mut self) {
        self.writer_before.clone_from(&self.writer);
        self.folding = 0;
    }

    /// Writes what the transaction under way has added; it is about to end.
    pub fn write(&mut self, db: &Connection, epoch: i64) -> Result<(), Failure> {
        if self.pending.commits == 0 {
            return Ok(());
        }
        // After a checkpoint in the middle of a transaction the rest of it counts as folded
        // too, because it has the same number.
        let is_folded = self.folding == self.pending.number && !self.pending.text.is_empty();
        if is_folded || self.pending.text.len() > JOURNALLED_TRANSACTION_BYTES_MAX {
            return self.fold(db, usize::MAX, epoch);
        }
        let (number, text) = (self.pending.number, &self.pending.text);
        self.slots.write(db, number, text, &mut self.pending.slots)
    }

    /// The transaction has ended well.
    pub fn end(&mut self) {
        if self.pending.commits > 0 {
            self.close_pending();
        }
        while let Some(first) = self.transactions.front()
            && first.number <= self.folding
            && let Some(first) = self.transactions.pop_front()
        {
            self.bytes -= first.bytes;
            self.slots.free(first.slots);
            for (name, _) in first.blobs {
                let newest = self.blobs.get(&name).map(|(number, _)| *number);
                if newest == Some(first.number) {
                    self.blobs.remove(&name);
                }
            }
        }
    }

    /// The transaction is undone.
    pub fn undo(&mut self) {
        self.writer.clone_from(&self.writer_before);
        self.slots.undo(std::mem::take(&mut self.pending.slots));
        if self.pending.commits == 0 {
            return;
        }
        self.pending = Transaction {
            number: self.pending.number,
            ..Transaction::default()
        };
        // Blobs that were in an earlier one too are that one's again.
        self.blobs.clear();
        for transaction in &self.transactions {
            let blobs = transaction.blobs.iter();
            self.blobs
                .extend(blobs.map(|(name, blob)| (*name, (transaction.number, blob.clone()))));
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

    /// Transactions that are not folded, and their bytes.
    pub fn size(&self) -> (usize, usize) {
        (self.transactions.len(), self.bytes)
    }

    /// Adds a commit. Large blobs go to their place at once.
    pub fn add(&mut self, db: &Connection, commit: &Commit, epoch: i64) -> Result<(), Failure> {
        let is_large = |(_, blob): &&(Bytes, Bytes)| blob.len() > JOURNALLED_BLOB_BYTES_MAX;
        for (digest, blob) in commit.blobs.iter().filter(is_large) {
            blobs::store(db, digest, blob, epoch)?;
        }
        let blobs = commit.blobs.iter().filter(|blob| !is_large(blob));
        let small = Commit {
            writer: String::new(),
            blobs: blobs.cloned().collect(),
            records: commit.records.clone(),
            checkpoint: None,
            ..*commit
        };
        let text = small.encode();
        // What is kept in memory are slices of this copy, not of the whole message.
        let copied = self.take_in(text.clone());
        copied.map_err(|what| Failure::Damaged(format!("commit {}: {what}", commit.number)))?;
        let len = text.len() as u32;
        self.pending.text.extend_from_slice(&len.to_be_bytes());
        self.pending.text.extend_from_slice(&text);
        Ok(())
    }

    /// Every commit of a transaction: a length, then the commit.
    fn take_in_all(&mut self, text: &Bytes) -> Result<(), String> {
        let mut rest = text.clone();
        while !rest.is_empty() {
            let len = rest.first_chunk().map(|len| u32::from_be_bytes(*len));
            let len = len.map_or(usize::MAX, |len| len as usize);
            let commit = rest.len().checked_sub(4).filter(|after| len <= *after);
            commit.ok_or("a commit is cut short")?;
            self.take_in(rest.slice(4..4 + len))?;
            rest = rest.slice(4 + len..);
        }
        Ok(())
    }

    fn take_in(&mut self, text: Bytes) -> Result<(), String> {
        let commit = Commit::decode(Some(&text)).map_err(|error| error.to_string())?;
        for (digest, blob) in commit.blobs {
            let name = BlobRef::from_digest(&digest).map_err(|error| error.to_string())?;
            self.pending.bytes += blob.len();
            self.blobs.insert(name, (self.pending.number, blob.clone()));
            self.pending.blobs.push((name, blob));
        }
        self.pending.records.extend(commit.records);
        self.pending.commits += 1;
        if let Some(writer) = &mut self.writer {
            writer.number = commit.number;
        }
        Ok(())
    }

    fn close_pending(&mut self) {
        let next = Transaction {
            number: self.pending.number + 1,
            ..Transaction::default()
        };
        let mut closed = std::mem::replace(&mut self.pending, next);
        closed.text = Vec::new();
        self.bytes += closed.bytes;
        self.transactions.push_back(closed);
    }

    /// Moves what the oldest `count` transactions have to where it belongs. What the one
    /// under way has added counts as the newest.
    pub fn fold(&mut self, db: &Connection, count: usize, epoch: i64) -> Result<(), Failure> {
        let all = self.transactions.iter().chain([&self.pending]);
        let folded: Vec<&Transaction> = all
            .filter(|transaction| transaction.commits > 0)
            .take(count)
            .collect();
        let Some(last) = folded.last() else {
            return Ok(());
        };
        let mut blobs: Vec<&(BlobRef, Bytes)> = folded
            .iter()
            .flat_map(|transaction| &transaction.blobs)
            .collect();
        // In the order of the index its pages are written once.
        blobs.sort_unstable_by_key(|(name, _)| *name);
        blobs.dedup_by_key(|(name, _)| *name);
        for (name, blob) in blobs {
            blobs::store(db, name.digest(), blob, epoch)?;
        }
        let records = folded.iter().flat_map(|transaction| &transaction.records);
        let newest: BTreeMap<&str, &Record> = records
            .map(|record| (record.key.as_str(), record))
            .collect();
        records::write(db, newest.into_values())?;
        records::set_folded(db, last.number)?;
        // Those that are not folded have their numbers with them.
        if last.number + u64::from(self.pending.commits == 0) == self.pending.number {
            let number = self.writer.as_ref().map_or(0, |writer| writer.number);
            records::set_number(db, number)?;
        }
        self.folding = last.number;
        self.pending.text.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
