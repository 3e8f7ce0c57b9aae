//! The rows of `ferroflux_journal`: slots of one size, so that a row that is written over
//! stays on its page, and the page is all that is written.
//!
//! ```text
//! slot = transaction:u64 part:u16 parts:u16 length:u16 data padding
//! ```

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use rusqlite::Connection;

use crate::limits::JOURNAL_SLOT_BYTES;
use crate::store::failure::Failure;

const HEAD_BYTES: usize = 14;
const DATA_BYTES: usize = JOURNAL_SLOT_BYTES - HEAD_BYTES;

/// Which rows there are, and which may be written over.
#[derive(Debug, Default)]
pub struct Slots {
    free: VecDeque<i64>,
    count: i64,
}

/// Rows, parts still missing and text of a transaction, by its number.
type Found = BTreeMap<u64, (Vec<i64>, u16, Vec<u8>)>;

impl Slots {
    /// Reads all transactions after `folded`, oldest first. The other slots are free.
    pub fn read(
        &mut self,
        db: &Connection,
        folded: u64,
    ) -> Result<Vec<(Vec<i64>, Bytes)>, Failure> {
        let mut parts = BTreeMap::<(u64, u16), (i64, u16, Vec<u8>)>::new();
        let mut select = db.prepare("SELECT id, payload FROM ferroflux_journal")?;
        let rows = select.query_map([], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
        })?;
        for row in rows {
            let (id, payload) = row?;
            self.count = self.count.max(id);
            let slot = Slot::read(&payload).ok_or_else(|| damaged(id))?;
            if slot.transaction <= folded {
                self.free.push_back(id);
            } else {
                let part = (id, slot.parts, slot.data.to_vec());
                parts.insert((slot.transaction, slot.part), part);
            }
        }
        let mut found = Found::new();
        for ((transaction, part), (id, parts, data)) in parts {
            let (ids, missing, text) = found.entry(transaction).or_insert((vec![], parts, vec![]));
            if ids.len() != usize::from(part) || *missing == 0 {
                return Err(damaged(id));
            }
            *missing -= 1;
            ids.push(id);
            text.extend_from_slice(&data);
        }
        let whole = found
            .into_values()
            .map(|(ids, missing, text)| match missing {
                0 => Ok((ids, text.into())),
                _ => Err(damaged(ids[0])),
            });
        whole.collect()
    }

    /// Writes a transaction, and says where it is.
    pub fn write(
        &mut self,
        db: &Connection,
        transaction: u64,
        text: &[u8],
        taken: &mut Vec<i64>,
    ) -> Result<(), Failure> {
        let parts = text.len().div_ceil(DATA_BYTES);
        for (part, data) in text.chunks(DATA_BYTES).enumerate() {
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

    /// These may be written over.
    pub fn free(&mut self, slots: Vec<i64>) {
        self.free.extend(slots);
    }

    /// These were taken in a transaction that is undone.
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
        payload.extend_from_slice(&self.transaction.to_be_bytes());
        payload.extend_from_slice(&self.part.to_be_bytes());
        payload.extend_from_slice(&self.parts.to_be_bytes());
        payload.extend_from_slice(&(self.data.len() as u16).to_be_bytes());
        payload.extend_from_slice(self.data);
        payload.resize(JOURNAL_SLOT_BYTES, 0);
        payload
    }

    fn read(payload: &[u8]) -> Option<Slot<'_>> {
        let (transaction, rest) = payload.split_first_chunk()?;
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

fn damaged(id: i64) -> Failure {
    Failure::Damaged(format!("row {id} of ferroflux_journal is damaged"))
}
