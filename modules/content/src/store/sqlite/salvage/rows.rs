//! Rows as they lie on a page (SQLite's file format, sections 1.6 and 2), known by their
//! form. Nothing here is believed: every length is checked against the bytes that exist.

use std::collections::BTreeSet;

use super::pages::Pages;

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing, or a number with a point: there is none of that kind in our tables.
    Null,
    /// A number.
    Int(i64),
    /// Bytes.
    Blob(Vec<u8>),
    /// Text, or bytes that are marked as text.
    Text(Vec<u8>),
}

/// A row: its number, 0 in a table without, and its values.
pub type Row = (i64, Vec<Value>);

const TABLE_LEAF: u8 = 0x0d;
const INDEX_LEAF: u8 = 0x0a;
const INDEX_INNER: u8 = 0x02;

/// All rows on a page that can be read.
pub fn rows_of(pages: &Pages, number: u32) -> Vec<Row> {
    let Some(page) = pages.page(number) else {
        return Vec::new();
    };
    // The first page begins with the head of the file.
    let head = if number == 1 { 100 } else { 0 };
    let kind = page[head];
    let cells_at = match kind {
        TABLE_LEAF | INDEX_LEAF => head + 8,
        INDEX_INNER => head + 12,
        _ => return Vec::new(),
    };
    let count = usize::from(u16::from_be_bytes([page[head + 3], page[head + 4]]));
    let cells = (0..count).map_while(|cell| {
        let at = cells_at + 2 * cell;
        let at = page.get(at..at + 2)?;
        Some(usize::from(u16::from_be_bytes([at[0], at[1]])))
    });
    cells
        .filter_map(|at| row_at(pages, &page, kind, at))
        .collect()
}

fn row_at(pages: &Pages, page: &[u8], kind: u8, at: usize) -> Option<Row> {
    let mut rest = page.get(at..)?;
    if kind == INDEX_INNER {
        rest = rest.get(4..)?;
    }
    let bytes = usize::try_from(varint(&mut rest)?).ok()?;
    if bytes > pages.bytes() {
        return None;
    }
    let id = match kind {
        TABLE_LEAF => varint(&mut rest)?,
        _ => 0,
    };
    let usable = pages.page_bytes();
    let most = match kind {
        TABLE_LEAF => usable - 35,
        _ => (usable - 12) * 64 / 255 - 23,
    };
    let payload = payload(pages, rest, bytes, most)?;
    Some((id, values(&payload)?))
}

/// Contents on the page, then those on its overflow pages.
fn payload(pages: &Pages, rest: &[u8], bytes: usize, most: usize) -> Option<Vec<u8>> {
    if bytes <= most {
        return Some(rest.get(..bytes)?.to_vec());
    }
    let usable = pages.page_bytes();
    let least = (usable - 12) * 32 / 255 - 23;
    let here = least + (bytes - least) % (usable - 4);
    let here = if here <= most { here } else { least };
    let mut payload = rest.get(..here)?.to_vec();
    let mut next = rest.get(here..here + 4)?.to_vec();
    let mut seen = BTreeSet::new();
    while payload.len() < bytes {
        let number = u32::from_be_bytes([next[0], next[1], next[2], next[3]]);
        if !seen.insert(number) {
            return None;
        }
        let page = pages.page(number)?;
        let left = bytes - payload.len();
        payload.extend_from_slice(&page[4..4 + left.min(usable - 4)]);
        next = page[..4].to_vec();
    }
    Some(payload)
}

fn values(payload: &[u8]) -> Option<Vec<Value>> {
    let mut rest = payload;
    let head_bytes = usize::try_from(varint(&mut rest)?).ok()?;
    let before = payload.len() - rest.len();
    let mut kinds = rest.get(..head_bytes.checked_sub(before)?)?;
    let mut body = payload.get(head_bytes..)?;
    let mut values = Vec::new();
    while !kinds.is_empty() {
        let kind = varint(&mut kinds)?;
        values.push(value(kind, &mut body)?);
    }
    Some(values)
}

fn value(kind: i64, body: &mut &[u8]) -> Option<Value> {
    let bytes = match kind {
        0 | 8 | 9 => 0,
        1..=4 => kind as usize,
        5 => 6,
        6 | 7 => 8,
        12.. => usize::try_from((kind - 12) / 2).ok()?,
        _ => return None,
    };
    let taken = body.get(..bytes)?;
    *body = &body[bytes..];
    Some(match kind {
        0 | 7 => Value::Null,
        8 => Value::Int(0),
        9 => Value::Int(1),
        1..=6 => {
            let is_negative = taken[0] & 0x80 != 0;
            let first = if is_negative { -1 } else { 0 };
            Value::Int(
                taken
                    .iter()
                    .fold(first, |int, byte| int << 8 | i64::from(*byte)),
            )
        }
        _ if kind % 2 == 0 => Value::Blob(taken.to_vec()),
        _ => Value::Text(taken.to_vec()),
    })
}

/// A number in one to nine bytes, seven bits each, the ninth eight.
fn varint(rest: &mut &[u8]) -> Option<i64> {
    let mut number = 0u64;
    for at in 0..9 {
        let byte = *rest.get(at)?;
        if at == 8 {
            number = number << 8 | u64::from(byte);
        } else {
            number = number << 7 | u64::from(byte & 0x7f);
        }
        if at == 8 || byte & 0x80 == 0 {
            *rest = &rest[at + 1..];
            return Some(number as i64);
        }
    }
    None
}
