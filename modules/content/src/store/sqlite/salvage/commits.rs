//! Commits that a damaged file still has in its journal: whole ones are put in their
//! places, the oldest first, and missing ones are reported.

use std::collections::BTreeSet;

use bytes::Bytes;
use proto::Payload;
use proto::content::{Commit, Edit, Record};
use proto::data::BlobRef;
use rusqlite::Connection;

use crate::store::damage::Damage;
use crate::store::failure::Failure;
use crate::store::sqlite::journal::commits_of;
use crate::store::sqlite::slots::Rows;
use crate::store::sqlite::{blobs, records, seals};

/// Puts all commits in their places; `told` is the number of the newest that was
/// acknowledged. Gives the roots of primary that they made, the oldest first.
pub fn replay(db: &Connection, told: u64, damage: &mut Damage) -> Result<Vec<Record>, Failure> {
    let folded = records::folded(db)?;
    let rows = Rows::read(db)?;
    let (mut whole, mut roots) = (BTreeSet::new(), Vec::new());
    let mut newest = folded;
    db.execute_batch("BEGIN IMMEDIATE")?;
    for found in rows.found {
        // A damaged row may say any number.
        let Some(commits) = found.text.and_then(|text| commits_of(&text).ok()) else {
            continue;
        };
        for commit in commits {
            let Ok(commit) = Commit::decode(Some(&commit)) else {
                continue;
            };
            take_blobs(db, &commit)?;
            // Blobs in their place already may have been changed since.
            if found.number > folded {
                records::write(db, commit.records.iter())?;
                let root = |record: &&Record| record.key == super::roots::PRIMARY;
                roots.extend(commit.records.iter().filter(root).cloned());
            }
        }
        whole.insert(found.number);
        newest = newest.max(found.number);
    }
    for (first, last) in gaps(&whole, folded + 1, newest.max(told)) {
        damage.note(&format!(
            "transactions {first} to {last} of the store are lost"
        ));
    }
    records::set_folded(db, newest.max(told))?;
    db.execute_batch("DELETE FROM ferroflux_journal")?;
    seals::seal(db)?;
    db.execute_batch("COMMIT")?;
    Ok(roots)
}

/// Blobs that came whole, and those that can be made from existing blobs.
fn take_blobs(db: &Connection, commit: &Commit) -> Result<(), Failure> {
    for (digest, blob) in &commit.blobs {
        if let Ok(name) = BlobRef::from_digest(digest)
            && BlobRef::of(name.kind(), blob) == name
        {
            blobs::store(db, digest, blob, 0)?;
        }
    }
    for edit in &commit.edits {
        if let Some((name, blob)) = make(db, edit)? {
            blobs::store(db, name.digest(), &blob, 0)?;
        }
    }
    Ok(())
}

fn make(db: &Connection, edit: &Edit) -> Result<Option<(BlobRef, Bytes)>, Failure> {
    let names = (
        BlobRef::from_digest(&edit.digest),
        BlobRef::from_digest(&edit.base),
    );
    let (Ok(name), Ok(base)) = names else {
        return Ok(None);
    };
    let base = blobs::load(db, &base)?.and_then(Result::ok);
    let blob = base.and_then(|base| edit.apply(&base));
    let blob = blob.filter(|blob| BlobRef::of(name.kind(), blob) == name);
    Ok(blob.map(|blob| (name, blob)))
}

/// Numbers from `first` to `last` that are not there, as ranges.
fn gaps(there: &BTreeSet<u64>, first: u64, last: u64) -> Vec<(u64, u64)> {
    let mut gaps = Vec::new();
    let mut next = first;
    for number in there
        .range(first..)
        .copied()
        .chain([last.saturating_add(1)])
    {
        if number > next {
            gaps.push((next, number - 1));
        }
        next = number.saturating_add(1);
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::gaps;

    #[test]
    fn what_is_missing_is_told_as_ranges() {
        let check = |there: &[u64], first, last, expect: &[(u64, u64)]| {
            assert_eq!(gaps(&there.iter().copied().collect(), first, last), expect);
        };
        check(&[], 1, 0, &[]);
        check(&[], 4, 3, &[]);
        check(&[1, 2, 3], 1, 3, &[]);
        check(&[1, 3], 1, 5, &[(2, 2), (4, 5)]);
        check(&[9], 7, 9, &[(7, 8)]);
        check(&[2, 9], 7, 9, &[(7, 8)]);
        check(&[], 1, 2, &[(1, 2)]);
    }
}
