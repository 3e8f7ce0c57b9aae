//! The rows of `ferroflux_journal`: slots of one size, so that a row that is written over
//! stays on its page, and the page is all that is written.
//!
//! ```text
//! slot = form:u8 check:8 transaction:u64 part:u16 parts:u16 length:u16 data padding
//! ```
//!
//! The check is the beginning of the hash of all after it. Slots of older releases begin
//! with the transaction, whose first byte is 0, and have none.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use rusqlite::Connection;

use super::seals::check;
use crate::limits::JOURNAL_SLOT_BYTES;
use crate::store::failure::Failure;

/// Slots with a check.
const FORM: u8 = 1;
const CHECK_BYTES: usize = 8;
const HEAD_BYTES: usize = 1 + CHECK_BYTES + 14;
const DATA_BYTES: usize = JOURNAL_SLOT_BYTES - HEAD_BYTES;

/// Rows that exist, and rows that may be overwritten.
#[derive(Debug, Default)]
pub struct Slots {
    free: VecDeque<i64>,
    count: i64,
}

/// A transaction as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Number.
    pub number: u64,
    /// The rows that it is in.
    pub slots: Vec<i64>,
    /// Commits. `None` when a part is missing.
    pub text: Option<Bytes>,
}

/// Contents of all rows.
#[derive(Debug, Default)]
pub struct Rows {
    /// Transactions, the oldest first.
    pub found: Vec<Found>,
    /// Rows that are damaged.
    pub damaged: Vec<i64>,
}

impl Rows {
    /// Reads all rows of the table.
    pub fn read(db: &Connection) -> Result<Rows, Failure> {
        let mut parts = BTreeMap::<(u64, u16), (i64, u16, Vec<u8>)>::new();
        let mut all = Rows::default();
        let mut select = db.prepare("SELECT id, payload FROM ferroflux_journal")?;
        let rows = select.query_map([], |row| {
            let payload: Option<Vec<u8>> = row.get(1)?;
            Ok((row.get::<_, i64>(0)?, payload.unwrap_or_default()))
        })?;
        for row in rows {
            let (id, payload) = row?;
            match Slot::read(&payload) {
                Some(slot) => {
                    let part = (id, slot.parts, slot.data.to_vec());
                    parts.insert((slot.transaction, slot.part), part);
                }
                None => all.damaged.push(id),
            }
        }
        let (mut texts, mut left) = (Vec::new(), 0_u16);
        for ((number, part), (id, parts, data)) in parts {
            if all.found.last().is_none_or(|last| last.number != number) {
                (texts, left) = (Vec::new(), parts);
                all.found.push(Found {
                    number,
                    slots: Vec::new(),
                    text: None,
                });
            }
            let Some(found) = all.found.last_mut() else {
                continue;
            };
            let is_next = found.slots.len() == usize::from(part);
            found.slots.push(id);
            texts.extend(is_next.then_some(data).into_iter().flatten());
            left = left.wrapping_sub(1);
            if left == 0 && is_next {
                found.text = Some(std::mem::take(&mut texts).into());
            }
        }
        Ok(all)
    }
}

impl Slots {
    /// Reads all transactions after `folded`, oldest first. The other slots are free.
    pub fn read(&mut self, db: &Connection, folded: u64) -> Result<Vec<Found>, Failure> {
        let rows = Rows::read(db)?;
        if let Some(id) = rows.damaged.first() {
            return Err(Failure::Damaged(format!(
                "row {id} of ferroflux_journal is damaged"
            )));
        }
        let (old, new): (Vec<Found>, Vec<Found>) = rows
            .found
            .into_iter()
            .partition(|found| found.number <= folded);
        self.free = old.into_iter().flat_map(|found| found.slots).collect();
        let used = new.iter().flat_map(|found| &found.slots);
        self.count = self.free.iter().chain(used).copied().max().unwrap_or(0);
        for (found, number) in new.iter().zip(folded + 1..) {
            if found.number != number || found.text.is_none() {
                let text = format!("transaction {number} in ferroflux_journal is missing");
                return Err(Failure::Damaged(text));
            }
        }
        Ok(new)
    }

    /// Writes a transaction, which may be empty, and returns its place.
    pub fn write(
        &mut self,
        db: &Connection,
        transaction: u64,
        text: &[u8],
        taken: &mut Vec<i64>,
    ) -> Result<(), Failure> {
        let parts = text.len().div_ceil(DATA_BYTES).max(1);
        for part in 0..parts {
            let data = &text[part * DATA_BYTES..text.len().min((part + 1) * DATA_BYTES)];
            let slot = Slot {
                transaction,
                part: part as u16,
                parts: parts as u16,
                data,
            };
            let id = self.free.pop_front().unwrap_or_else(|| {
                self.count += 1;
                self.count
            });
            taken.push(id);
            let payload = slot.payload();
            let update = "UPDATE ferroflux_journal SET payload = ?2 WHERE id = ?1";
            if db.prepare_cached(update)?.execute((id, &payload))? == 0 {
                let insert = "INSERT INTO ferroflux_journal(id, payload) VALUES(?1, ?2)";
                db.prepare_cached(insert)?.execute((id, &payload))?;
            }
        }
        Ok(())
    }

    /// Frees slots, which may be written over.
    pub fn free(&mut self, slots: Vec<i64>) {
        self.free.extend(slots);
    }

    /// Returns slots that were taken in a transaction that is undone.
    pub fn undo(&mut self, taken: Vec<i64>) {
        for id in taken.into_iter().rev() {
            self.free.push_front(id);
        }
    }
}

struct Slot<'a> {
    transaction: u64,
    part: u16,
    parts: u16,
    data: &'a [u8],
}

impl Slot<'_> {
    fn payload(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(JOURNAL_SLOT_BYTES);
        payload.extend_from_slice(&[FORM; 1 + CHECK_BYTES]);
        payload.extend_from_slice(&self.transaction.to_be_bytes());
        payload.extend_from_slice(&self.part.to_be_bytes());
        payload.extend_from_slice(&self.parts.to_be_bytes());
        payload.extend_from_slice(&(self.data.len() as u16).to_be_bytes());
        payload.extend_from_slice(self.data);
        payload.resize(JOURNAL_SLOT_BYTES, 0);
        let (head, body) = payload.split_at_mut(1 + CHECK_BYTES);
        head[1..].copy_from_slice(&check(&[body]));
        payload
    }

    fn read(payload: &[u8]) -> Option<Slot<'_>> {
        let body = match payload.first()? {
            0 => payload,
            &FORM => {
                let (found, body) = payload[1..].split_first_chunk()?;
                (check(&[body]) == *found).then_some(body)?
            }
            _ => return None,
        };
        let (transaction, rest) = body.split_first_chunk()?;
        let (part, rest) = rest.split_first_chunk()?;
        let (parts, rest) = rest.split_first_chunk()?;
        let (len, rest) = rest.split_first_chunk()?;
        Some(Slot {
            transaction: u64::from_be_bytes(*transaction),
            part: u16::from_be_bytes(*part),
            parts: u16::from_be_bytes(*parts),
            data: rest.get(..usize::from(u16::from_be_bytes(*len)))?,
        })
    }
}
