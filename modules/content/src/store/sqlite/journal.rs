//! Table `ferroflux_journal`: the newest commits as they came, so that a commit writes one
//! page, not one in the index for each of its blobs. They are all in memory too, and
//! `fold` moves them to where they belong, many at a time and when there is time.
//!
//! The rows are slots of one page each, which are used again once their contents have been
//! folded: a page that is written over costs nothing but itself. A transaction takes as
//! many slots as it needs; each has the numbers of its part and its transaction.
//!
//! A blob may have come as an edit of another one. It is made when it is folded or asked
//! for: the commit waits only for a look whether the other one is there and good.
//!
//! Commits are kept in the form in which they travel (`proto/src/content/frame.rs`). A kill
//! may leave some to the next release: a change of the form must go on reading this one.
//!
//! Other tools find everything in its place after a checkpoint and after a clean end:
//! both fold the whole journal. After a kill, opening the file does.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use proto::Payload;
use proto::content::{Commit, Edit, Record};
use proto::data::BlobRef;
use proto::{Errno, Refusal};
use rusqlite::Connection;
use rustc_hash::{FxHashMap, FxHashSet};

use super::slots::Slots;
use super::texts::Texts;
use super::{blobs, records, seals};
use crate::limits::{
    FOLDED_BYTES, FOLDED_TRANSACTIONS, JOURNALLED_BLOB_BYTES_MAX, JOURNALLED_TRANSACTION_BYTES_MAX,
};
use crate::store::backing::Writer;
use crate::store::failure::Failure;

/// Contents of the table.
#[derive(Debug, Default)]
pub struct Journal {
    slots: Slots,
    transactions: VecDeque<Transaction>,
    /// The one under way.
    pending: Transaction,
    /// The blobs of all of them as they came first, and the newest transaction that each
    /// is in.
    blobs: FxHashMap<BlobRef, (u64, Held)>,
    /// Blobs that edits begin from.
    texts: Texts,
    bytes: usize,
    writer: Option<Writer>,
    /// The writer before the transaction under way.
    writer_before: Option<Writer>,
    /// Transactions up to this one are folded in the one under way.
    folding: u64,
}

/// A blob as it came.
#[derive(Debug, Clone)]
enum Held {
    Whole(Bytes),
    Edit(Arc<Edit>),
}

impl Held {
    /// Bytes of the blob.
    fn bytes(&self) -> usize {
        match self {
            Self::Whole(blob) => blob.len(),
            Self::Edit(edit) => edit.blob_bytes(),
        }
    }
}

/// Amount to fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// A few milliseconds' worth.
    Some,
    /// All.
    All,
}

/// The commits of one transaction of SQLite.
#[derive(Debug, Default)]
struct Transaction {
    /// One more than that of the one before.
    number: u64,
    /// Commits in it; one that has none counts as one.
    commits: usize,
    blobs: Vec<(BlobRef, Held)>,
    records: Vec<Record>,
    bytes: usize,
    /// The commits as they came, until they are written.
    text: Vec<u8>,
    /// Slots.
    slots: Vec<i64>,
}

impl Journal {
    /// Reads the journal of a predecessor.
    pub fn read(db: &Connection) -> Result<Journal, Failure> {
        let mut journal = Journal {
            writer: records::writer(db)?,
            ..Journal::default()
        };
        let folded = records::folded(db)?;
        journal.pending.number = folded + 1;
        for found in journal.slots.read(db, folded)? {
            let text = found.text.unwrap_or_default();
            journal.add_commits(&text).map_err(|what| {
                Failure::Damaged(format!("ferroflux_journal, row {}: {what}", found.slots[0]))
            })?;
            journal.pending.slots = found.slots;
            journal.pending.commits = journal.pending.commits.max(1);
            journal.close_pending();
        }
        Ok(journal)
    }

    /// Number of the newest transaction that has ended.
    pub fn last(&self) -> u64 {
        self.pending.number - 1
    }

    /// A transaction begins.
    pub fn begin(&mut self) {
        self.writer_before.clone_from(&self.writer);
        self.folding = 0;
    }

    /// Writes the additions of the transaction under way, which is about to end.
    pub fn write(&mut self, db: &Connection, epoch: i64) -> Result<(), Failure> {
        if self.pending.commits == 0 {
            return Ok(());
        }
        // After a checkpoint in the middle of a transaction the rest of it counts as folded
        // too, because it has the same number.
        let is_folded = self.folding == self.pending.number && !self.pending.text.is_empty();
        if is_folded || self.pending.text.len() > JOURNALLED_TRANSACTION_BYTES_MAX {
            return self.fold(db, Share::All, epoch);
        }
        if self.pending.text.is_empty() {
            return Ok(());
        }
        let (number, text) = (self.pending.number, &self.pending.text);
        self.slots.write(db, number, text, &mut self.pending.slots)
    }

    /// A transaction without commits takes a number too, so that it is known when it is
    /// missing.
    pub fn mark(&mut self, db: &Connection) -> Result<(), Failure> {
        if self.pending.commits > 0 {
            return Ok(());
        }
        self.pending.commits = 1;
        let number = self.pending.number;
        let open = self
            .transactions
            .iter()
            .filter(|open| open.number > self.folding);
        if open.count() == 0 {
            self.folding = number;
            records::set_folded(db, number)?;
            return seals::seal(db);
        }
        self.slots.write(db, number, &[], &mut self.pending.slots)
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
        self.forget_texts();
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
            for (name, held) in &transaction.blobs {
                hold(&mut self.blobs, transaction.number, *name, held);
            }
        }
    }

    /// Writer whose commits are accepted.
    pub fn writer(&self) -> Option<&Writer> {
        self.writer.as_ref()
    }

    /// From now on these are someone else's.
    pub fn set_writer(&mut self, writer: Writer) {
        self.writer = Some(writer);
    }

    /// Records of the file, replaced by newer ones that are not folded yet.
    pub fn over(&self, kept: Vec<Record>) -> Vec<Record> {
        let newer = self.transactions.iter().flat_map(|open| &open.records);
        let all = kept.iter().chain(newer);
        let newest: BTreeMap<&str, &Record> =
            all.map(|record| (record.key.as_str(), record)).collect();
        let there = newest.into_values().filter(|record| record.value.is_some());
        there.cloned().collect()
    }

    /// True if a blob is in a commit that is not folded.
    pub fn has(&self, name: &BlobRef) -> bool {
        self.blobs.contains_key(name)
    }

    /// A blob, from here or from its place; or the reason for which it is unreadable.
    pub fn load(&self, db: &Connection, name: &BlobRef) -> Loaded {
        let (mut edits, mut at) = (Vec::<&Edit>::new(), *name);
        let mut blob = loop {
            let held = self.blobs.get(&at).map(|(_, held)| held);
            if let Some(Held::Whole(blob)) = held {
                break blob.clone();
            }
            if let Some(blob) = self.texts.get(&at) {
                break blob.clone();
            }
            // First what is in its place: that may have been made of this edit's blob.
            match blobs::load(db, &at)? {
                Some(Ok(blob)) => break blob,
                Some(damage) => return Ok(Some(damage)),
                None => {}
            }
            match held {
                Some(Held::Edit(edit)) => {
                    edits.push(edit);
                    at = base_of(edit)?;
                }
                _ if edits.is_empty() => return Ok(None),
                _ => return Ok(Some(Err(format!("{at}, its base, is missing")))),
            }
        };
        while let Some(edit) = edits.pop() {
            match edit.apply(&blob) {
                Some(made) => blob = made,
                None => return Ok(Some(Err("it is based on another blob".to_owned()))),
            }
        }
        Ok(Some(Ok(blob)))
    }

    /// Checks that the base of an edit is stored and intact: once the edit is all that
    /// exists of a blob, it is too late to ask. Returns the error.
    fn check_base(&mut self, db: &Connection, edit: &Edit) -> Result<Result<(), Refusal>, Failure> {
        let base = base_of(edit)?;
        if self.blobs.contains_key(&base) || self.texts.get(&base).is_some() {
            return Ok(Ok(()));
        }
        Ok(match blobs::load(db, &base)? {
            Some(Ok(blob)) => {
                self.texts.put(base, blob);
                Ok(())
            }
            Some(Err(damage)) => Err(Refusal::new(
                Errno::EIO,
                format!("blob {base} is damaged: {damage}"),
            )),
            None => Err(Refusal::new(
                Errno::ENOENT,
                format!("blob {base} is missing, and another is based on it"),
            )),
        })
    }

    /// Sets the number of bytes kept of blobs that edits begin from.
    pub fn keep_texts(&mut self, bytes_max: usize) {
        self.texts.set_bytes_max(bytes_max);
    }

    /// Blobs may have been deleted: base blobs of edits are looked for in the file again.
    pub fn forget_texts(&mut self) {
        self.texts.clear();
    }

    /// Transactions that are not folded, and their bytes.
    pub fn size(&self) -> (usize, usize) {
        (self.transactions.len(), self.bytes)
    }

    /// Adds a commit, unless the base of one of its edits is missing. Large blobs go to
    /// their place at once.
    pub fn add(
        &mut self,
        db: &Connection,
        commit: &Commit,
        epoch: i64,
    ) -> Result<Result<(), Refusal>, Failure> {
        // Edits may build on what comes with them; the others must find their base.
        let mut made: FxHashSet<&Bytes> = commit.blobs.iter().map(|(digest, _)| digest).collect();
        for edit in &commit.edits {
            if !made.contains(&edit.base)
                && let Err(refusal) = self.check_base(db, edit)?
            {
                return Ok(Err(refusal));
            }
            made.insert(&edit.digest);
        }
        let is_large = |(_, blob): &&(Bytes, Bytes)| blob.len() > JOURNALLED_BLOB_BYTES_MAX;
        for (digest, blob) in commit.blobs.iter().filter(is_large) {
            blobs::store(db, digest, blob, epoch)?;
        }
        let blobs = commit.blobs.iter().filter(|blob| !is_large(blob));
        let small = Commit {
            writer: String::new(),
            blobs: blobs.cloned().collect(),
            edits: commit.edits.clone(),
            records: commit.records.clone(),
            checkpoint: None,
            ..*commit
        };
        let text = small.encode();
        // Slices kept in memory are of this copy, not of the whole message.
        let copied = self.add_commit(text.clone());
        copied.map_err(|what| Failure::Damaged(format!("commit {}: {what}", commit.number)))?;
        let len = text.len() as u32;
        self.pending.text.extend_from_slice(&len.to_be_bytes());
        self.pending.text.extend_from_slice(&text);
        Ok(Ok(()))
    }

    fn add_commits(&mut self, text: &Bytes) -> Result<(), String> {
        for commit in commits_of(text)? {
            self.add_commit(commit)?;
        }
        Ok(())
    }

    fn add_commit(&mut self, text: Bytes) -> Result<(), String> {
        let commit = Commit::decode(Some(&text)).map_err(|error| error.to_string())?;
        let blobs = commit.blobs.into_iter();
        let blobs = blobs.map(|(digest, blob)| (digest, Held::Whole(blob)));
        let edits = commit.edits.into_iter();
        let edits = edits.map(|edit| (edit.digest.clone(), Held::Edit(Arc::new(edit))));
        for (digest, held) in blobs.chain(edits) {
            let name = BlobRef::from_digest(&digest).map_err(|error| error.to_string())?;
            self.pending.bytes += held.bytes();
            hold(&mut self.blobs, self.pending.number, name, &held);
            self.pending.blobs.push((name, held));
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

    /// Moves the data of the oldest transactions to its place in the tables. Additions of
    /// the current one count as the newest.
    pub fn fold(&mut self, db: &Connection, share: Share, epoch: i64) -> Result<(), Failure> {
        let all = self.transactions.iter().chain([&self.pending]);
        let mut room = match share {
            Share::All => (usize::MAX, usize::MAX),
            Share::Some => (FOLDED_TRANSACTIONS, FOLDED_BYTES),
        };
        let mut folded = Vec::new();
        for transaction in all.filter(|transaction| transaction.commits > 0) {
            if room.0 == 0 || room.1 == 0 {
                break;
            }
            room = (room.0 - 1, room.1.saturating_sub(transaction.bytes));
            folded.push(transaction);
        }
        let Some(last) = folded.last() else {
            return Ok(());
        };
        let blobs = folded.iter().flat_map(|transaction| &transaction.blobs);
        fold_whole(db, blobs.clone(), epoch)?;
        for (name, held) in blobs {
            if let Held::Edit(edit) = held {
                let blob = make(db, &mut self.texts, name, edit)?;
                blobs::store(db, name.digest(), &blob, epoch)?;
                self.texts.replace(base_of(edit)?, *name, blob);
            }
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
        seals::seal(db)?;
        self.folding = last.number;
        self.pending.text.clear();
        Ok(())
    }
}

/// Every commit of a transaction: a length, then the commit.
pub fn commits_of(text: &Bytes) -> Result<Vec<Bytes>, String> {
    let (mut rest, mut commits) = (text.clone(), Vec::new());
    while !rest.is_empty() {
        let len = rest.first_chunk().map(|len| u32::from_be_bytes(*len));
        let len = len.map_or(usize::MAX, |len| len as usize);
        let commit = rest.len().checked_sub(4).filter(|after| len <= *after);
        commit.ok_or("a commit is cut short")?;
        commits.push(rest.slice(4..4 + len));
        rest = rest.slice(4 + len..);
    }
    Ok(commits)
}

/// A blob, if it is stored, or the damage found in it.
pub type Loaded = Result<Option<Result<Bytes, String>>, Failure>;

/// The first form of a blob stays: later blobs may be edits of it.
fn hold(blobs: &mut FxHashMap<BlobRef, (u64, Held)>, transaction: u64, name: BlobRef, held: &Held) {
    let entry = blobs.entry(name);
    entry.or_insert_with(|| (0, held.clone())).0 = transaction;
}

fn base_of(edit: &Edit) -> Result<BlobRef, Failure> {
    BlobRef::from_digest(&edit.base)
        .map_err(|error| Failure::Damaged(format!("digest in a commit: {error}")))
}

fn fold_whole<'a>(
    db: &Connection,
    blobs: impl Iterator<Item = &'a (BlobRef, Held)>,
    epoch: i64,
) -> Result<(), Failure> {
    let whole = blobs.filter_map(|(name, held)| match held {
        Held::Whole(blob) => Some((name, blob)),
        Held::Edit(_) => None,
    });
    let mut whole: Vec<(&BlobRef, &Bytes)> = whole.collect();
    // In the order of the index its pages are written once.
    whole.sort_unstable_by_key(|(name, _)| *name);
    whole.dedup_by_key(|(name, _)| *name);
    for (name, blob) in whole {
        blobs::store(db, name.digest(), blob, epoch)?;
    }
    Ok(())
}

/// Makes a blob of the one before it, which has been folded.
fn make(db: &Connection, texts: &mut Texts, name: &BlobRef, edit: &Edit) -> Result<Bytes, Failure> {
    let base = base_of(edit)?;
    let text = match texts.get(&base) {
        Some(text) => Some(text.clone()),
        None => blobs::load(db, &base)?.and_then(Result::ok),
    };
    let blob = text.and_then(|text| edit.apply(&text));
    let blob = blob.filter(|blob| BlobRef::of(name.kind(), blob) == *name);
    blob.ok_or_else(|| Failure::Damaged(format!("blob {base}, the base of {name}")))
}

#[cfg(test)]
mod tests;
