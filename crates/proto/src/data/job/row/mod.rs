//! An inactive job as one packed row: the attributes in job-list, encoded once by the job
//! manager and read without parsing JSON. A row begins with its version and is complete in
//! itself; parts common to several jobs are bytes that can be stored once (`parts.rs`).

mod bytes;
mod parts;

pub use parts::{Asked, Given, Raised};

use super::{JobResult, State};
use bytes::{Reader, put_bytes, put_number, put_signed};

/// The version written, and the only one read.
const VERSION: u8 = 1;

/// The first byte of several rows, which distinguishes them from a JSON object.
const ROWS: u8 = 0;

/// An inactive job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<'a> {
    /// Id.
    pub id: u64,
    /// User id of its submitter.
    pub userid: u32,
    /// Last urgency.
    pub urgency: i32,
    /// Last priority.
    pub priority: u32,
    /// States it has been in, as bits.
    pub states_mask: u8,
    /// Result of the job.
    pub result: JobResult,
    /// Status of `finish`.
    pub waitstatus: Option<i32>,
    /// Times of submission and of first reaching DEPEND, PRIORITY, SCHED, RUN, CLEANUP
    /// and INACTIVE, in seconds since the epoch; 0 for never.
    pub times: [f64; 7],
    /// Time at which its resources expired; 0 for never.
    pub expiration: f64,
    /// An [`Asked`] as bytes.
    pub asked: &'a [u8],
    /// A [`Given`] as bytes, if it had an allocation.
    pub given: Option<&'a [u8]>,
    /// A [`Raised`] as bytes: the most severe exception, of those the first.
    pub raised: Option<&'a [u8]>,
    /// Annotations as JSON.
    pub annotations: Option<&'a str>,
    /// A JSON array of its outstanding dependencies, if it ever had any.
    pub dependencies: Option<&'a str>,
}

impl<'a> Row<'a> {
    /// Encodes the row.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.push(VERSION);
        put_number(&mut out, self.id);
        put_number(&mut out, self.userid.into());
        put_signed(&mut out, self.urgency.into());
        put_number(&mut out, self.priority.into());
        out.push(self.states_mask);
        out.push(self.result as u8);
        self.put_times(&mut out);
        out.push(self.presence());
        if let Some(status) = self.waitstatus {
            put_signed(&mut out, status.into());
        }
        if self.expiration != 0.0 {
            out.extend_from_slice(&self.expiration.to_bits().to_le_bytes());
        }
        put_bytes(&mut out, self.asked);
        let texts = [self.annotations, self.dependencies].map(|text| text.map(str::as_bytes));
        for part in [self.given, self.raised].into_iter().chain(texts).flatten() {
            put_bytes(&mut out, part);
        }
        out
    }

    /// The first time in full, the others as differences: times near each other have bits
    /// near each other.
    fn put_times(&self, out: &mut Vec<u8>) {
        let mut before = self.times[0].to_bits();
        out.extend_from_slice(&before.to_le_bytes());
        let set = self.times[1..].iter().enumerate();
        let set = set.fold(0, |bits, (at, time)| bits | u8::from(*time != 0.0) << at);
        out.push(set);
        for time in self.times[1..].iter().filter(|time| **time != 0.0) {
            put_signed(out, time.to_bits().wrapping_sub(before) as i64);
            before = time.to_bits();
        }
    }

    fn presence(&self) -> u8 {
        u8::from(self.waitstatus.is_some())
            | u8::from(self.expiration != 0.0) << 1
            | u8::from(self.given.is_some()) << 2
            | u8::from(self.raised.is_some()) << 3
            | u8::from(self.annotations.is_some()) << 4
            | u8::from(self.dependencies.is_some()) << 5
    }

    /// Decodes a row; `None` for another version, or for other data.
    pub fn decode(bytes: &'a [u8]) -> Option<Row<'a>> {
        let mut reader = Reader::new(bytes);
        if reader.byte()? != VERSION {
            return None;
        }
        let id = reader.number()?;
        let userid = reader.number()?.try_into().ok()?;
        let urgency = reader.signed()?.try_into().ok()?;
        let priority = reader.number()?.try_into().ok()?;
        let states_mask = reader
            .byte()
            .filter(|mask| u32::from(*mask) & State::Inactive.bit() != 0)?;
        let result = JobResult::from_bit(reader.byte()?.into())?;
        let times = times(&mut reader)?;
        let present = reader.byte()?;
        let has = |bit: u8| present & (1 << bit) != 0;
        let waitstatus = match has(0) {
            true => Some(reader.signed()?.try_into().ok()?),
            false => None,
        };
        let expiration = if has(1) {
            f64::from_bits(reader.bits()?)
        } else {
            0.0
        };
        let asked = reader.bytes()?;
        let mut part = |bit: u8| match has(bit) {
            true => reader.bytes().map(Some),
            false => Some(None),
        };
        let (given, raised) = (part(2)?, part(3)?);
        let (annotations, dependencies) = (part(4)?, part(5)?);
        let text = |bytes: Option<&'a [u8]>| match bytes {
            Some(bytes) => std::str::from_utf8(bytes).ok().map(Some),
            None => Some(None),
        };
        let (annotations, dependencies) = (text(annotations)?, text(dependencies)?);
        reader.is_empty().then_some(Row {
            id,
            userid,
            urgency,
            priority,
            states_mask,
            result,
            waitstatus,
            times,
            expiration,
            asked,
            given,
            raised,
            annotations,
            dependencies,
        })
    }
}

fn times(reader: &mut Reader<'_>) -> Option<[f64; 7]> {
    let mut before = reader.bits()?;
    let mut times = [0.0; 7];
    times[0] = f64::from_bits(before);
    let set = reader.byte()?;
    for (at, time) in times[1..].iter_mut().enumerate() {
        if set & (1 << at) != 0 {
            before = before.wrapping_add(reader.signed()? as u64);
            *time = f64::from_bits(before);
        }
    }
    Some(times)
}

/// Several rows in one payload.
#[derive(Debug, Default)]
pub struct RowsWriter(Vec<u8>);

impl RowsWriter {
    /// Adds a row as [`Row::encode`] has made it.
    pub fn push(&mut self, row: &[u8]) {
        if self.0.is_empty() {
            self.0.push(ROWS);
        }
        put_bytes(&mut self.0, row);
    }

    /// Bytes so far; none without a row.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The payload.
    pub fn finish(self) -> ::bytes::Bytes {
        self.0.into()
    }
}

/// The rows in a payload, each for [`Row::decode`]; `None` for a payload of another kind. A
/// row that is cut off is returned as an empty one, and is the last.
pub fn rows(payload: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let rest = payload.strip_prefix(&[ROWS])?;
    let mut reader = Reader::new(rest);
    let mut is_cut = false;
    Some(std::iter::from_fn(move || {
        if is_cut || reader.is_empty() {
            return None;
        }
        let row = reader.bytes();
        is_cut = row.is_none();
        Some(row.unwrap_or_default())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(asked: &[u8]) -> Row<'_> {
        Row {
            id: 31_591_498_218,
            userid: 1000,
            urgency: 16,
            priority: 16,
            states_mask: 127,
            result: JobResult::Failed,
            waitstatus: Some(256),
            times: [
                1763833055.526,
                1763833055.586,
                1763833055.596,
                1763833055.626,
                1763833055.636,
                1763833056.026,
                1763833056.036,
            ],
            expiration: 0.0,
            asked,
            given: Some(b"given"),
            raised: Some(b"raised"),
            annotations: Some("{}"),
            dependencies: Some("[]"),
        }
    }

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let whole = row(b"asked");
        assert_eq!(Row::decode(&whole.encode()), Some(whole));
        let bare = Row {
            waitstatus: None,
            times: [1.0, 0.0, 0.0, 0.0, 0.0, 0.5, 2.0],
            expiration: 5.5,
            given: None,
            raised: None,
            annotations: None,
            dependencies: None,
            ..whole
        };
        assert_eq!(Row::decode(&bare.encode()), Some(bare));
    }

    #[test]
    fn a_row_is_short() {
        let bytes = row(b"").encode();
        assert!(bytes.len() < 70, "{} bytes", bytes.len());
    }

    #[test]
    fn what_is_no_row_is_refused() {
        let good = row(b"asked").encode();
        for end in 0..good.len() {
            assert_eq!(Row::decode(&good[..end]), None, "{end}");
        }
        let mut later = good.clone();
        later[0] = VERSION + 1;
        assert_eq!(Row::decode(&later), None);
        later[0] = VERSION;
        later.push(0);
        assert_eq!(Row::decode(&later), None);
    }

    #[test]
    fn rows_follow_each_other() {
        let mut writer = RowsWriter::default();
        assert!(writer.is_empty());
        writer.push(b"one");
        writer.push(b"");
        writer.push(b"three");
        let payload = writer.finish();
        let all: Vec<&[u8]> = rows(&payload).unwrap().collect();
        assert_eq!(all, [&b"one"[..], b"", b"three"]);
        let cut: Vec<&[u8]> = rows(&payload[..payload.len() - 1]).unwrap().collect();
        assert_eq!(cut, [&b"one"[..], b"", b""]);
        assert!(rows(b"{\"id\":-1}\0").is_none());
        assert!(rows(b"").is_none());
    }
}
