//! The raw payloads of `content.commit` and `content.records`: lengths, then bytes, all
//! numbers big-endian, so that a blob is a slice of the message and never copied.
//!
//! ```text
//! commit  = version:u8 writer:text16 number:u64 after:u64 count:u32 blob* count:u32 edit*
//!           count:u32 record* checkpoint:bytes32
//! blob    = digest:bytes8 data:bytes32
//! edit    = digest:bytes8 base:bytes8 count:u32 (own:bytes32 at:u32 len:u32)* tail:bytes32
//! record  = key:text16 present:u8 value:bytes32
//! records = version:u8 count:u32 record*
//! ```
//!
//! `bytes8`, `text16` and `bytes32` are a length of that number of bits, then that number of bytes.
//! The checkpoint is JSON, empty when there is none.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Checkpoint, Edit, Part};
use crate::{BadPayload, Payload};

const VERSION: u8 = 3;

/// A named value that the writer of the records stores beside the blobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Name; at most 65,535 bytes.
    pub key: String,
    /// Value, opaque to the service; `None` removes it.
    pub value: Option<Bytes>,
}

/// All records, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordList(pub Vec<Record>);

/// Blobs, records and optionally a checkpoint to be stored in one step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Commit {
    /// UUID of the caller, which must be the last to have opened the records.
    pub writer: String,
    /// Larger than that of each earlier commit of this writer. A commit that is stored
    /// already is answered again.
    pub number: u64,
    /// Number of the commit that this one builds on, 0 for none. If that one is not
    /// stored, this one is refused, so that the next may be sent before it is answered.
    pub after: u64,
    /// Digest and data of each blob. The digests are not verified.
    pub blobs: Vec<(Bytes, Bytes)>,
    /// Further blobs, as differences from others that are stored or precede them here.
    pub edits: Vec<Edit>,
    /// Records to change.
    pub records: Vec<Record>,
    /// With a checkpoint, the step also survives a power failure.
    pub checkpoint: Option<Checkpoint>,
}

impl Payload for Commit {
    fn encode(&self) -> Bytes {
        let checkpoint = self
            .checkpoint
            .as_ref()
            .and_then(|checkpoint| serde_json::to_vec(checkpoint).ok())
            .unwrap_or_default();
        let size = |at: usize, (digest, data): &(Bytes, Bytes)| at + digest.len() + data.len() + 8;
        let mut out = BytesMut::with_capacity(self.blobs.iter().fold(256, size));
        out.put_u8(VERSION);
        put_text16(&mut out, &self.writer);
        out.put_u64(self.number);
        out.put_u64(self.after);
        put_count(&mut out, self.blobs.len());
        for (digest, data) in &self.blobs {
            put_bytes8(&mut out, digest);
            put_bytes32(&mut out, data);
        }
        put_count(&mut out, self.edits.len());
        for edit in &self.edits {
            put_bytes8(&mut out, &edit.digest);
            put_bytes8(&mut out, &edit.base);
            put_count(&mut out, edit.parts.len());
            for Part { own, at, len } in &edit.parts {
                put_bytes32(&mut out, own);
                out.put_u32(*at);
                out.put_u32(*len);
            }
            put_bytes32(&mut out, &edit.tail);
        }
        put_records(&mut out, &self.records);
        put_bytes32(&mut out, &checkpoint);
        out.freeze()
    }

    fn decode(payload: Option<&Bytes>) -> Result<Self, BadPayload> {
        let mut input = Input::versioned(payload)?;
        let writer = input.text16()?;
        let (number, after) = (input.u64()?, input.u64()?);
        let mut blobs = Vec::new();
        for _ in 0..input.u32()? {
            blobs.push((input.bytes8()?, input.bytes32()?));
        }
        let mut edits = Vec::new();
        for _ in 0..input.u32()? {
            edits.push(input.edit()?);
        }
        let records = input.records()?;
        let checkpoint = input.bytes32()?;
        let checkpoint = match checkpoint.is_empty() {
            true => None,
            false => Some(
                serde_json::from_slice(&checkpoint)
                    .map_err(|error| BadPayload(format!("checkpoint: {error}")))?,
            ),
        };
        input.end()?;
        Ok(Commit {
            writer,
            number,
            after,
            blobs,
            edits,
            records,
            checkpoint,
        })
    }
}

impl Payload for RecordList {
    fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(256);
        out.put_u8(VERSION);
        put_records(&mut out, &self.0);
        out.freeze()
    }

    fn decode(payload: Option<&Bytes>) -> Result<Self, BadPayload> {
        let mut input = Input::versioned(payload)?;
        let records = input.records()?;
        input.end()?;
        Ok(RecordList(records))
    }
}

fn put_count(out: &mut BytesMut, count: usize) {
    out.put_u32(count as u32);
}

/// Longer text is cut: names are ours and far shorter.
fn put_text16(out: &mut BytesMut, text: &str) {
    let bytes = &text.as_bytes()[..text.len().min(usize::from(u16::MAX))];
    out.put_u16(bytes.len() as u16);
    out.put_slice(bytes);
}

/// Digests are far shorter than 256 bytes.
fn put_bytes8(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u8(bytes.len() as u8);
    out.put_slice(bytes);
}

fn put_bytes32(out: &mut BytesMut, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.put_slice(bytes);
}

fn put_records(out: &mut BytesMut, records: &[Record]) {
    put_count(out, records.len());
    for record in records {
        put_text16(out, &record.key);
        out.put_u8(u8::from(record.value.is_some()));
        put_bytes32(out, record.value.as_deref().unwrap_or_default());
    }
}

/// Bytes left to read. Counts are trusted only as far as bytes follow.
struct Input(Bytes);

impl Input {
    fn versioned(payload: Option<&Bytes>) -> Result<Input, BadPayload> {
        let mut input = Input(payload.cloned().unwrap_or_default());
        match input.u8()? {
            VERSION => Ok(input),
            other => Err(BadPayload(format!("unknown version {other}"))),
        }
    }

    fn take(&mut self, len: usize) -> Result<Bytes, BadPayload> {
        if self.0.len() < len {
            return Err(BadPayload("payload is cut short".to_owned()));
        }
        Ok(self.0.split_to(len))
    }

    fn u8(&mut self) -> Result<u8, BadPayload> {
        Ok(self.take(1)?[0])
    }

    fn u32(&mut self) -> Result<u32, BadPayload> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn u64(&mut self) -> Result<u64, BadPayload> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.take(8)?);
        Ok(u64::from_be_bytes(bytes))
    }

    fn text16(&mut self) -> Result<String, BadPayload> {
        let len = self.take(2)?;
        let bytes = self.take(usize::from(u16::from_be_bytes([len[0], len[1]])))?;
        String::from_utf8(bytes.into()).map_err(|_| BadPayload("a name is not UTF-8".to_owned()))
    }

    fn bytes8(&mut self) -> Result<Bytes, BadPayload> {
        let len = usize::from(self.u8()?);
        self.take(len)
    }

    fn bytes32(&mut self) -> Result<Bytes, BadPayload> {
        let len = self.u32()? as usize;
        self.take(len)
    }

    fn edit(&mut self) -> Result<Edit, BadPayload> {
        let (digest, base) = (self.bytes8()?, self.bytes8()?);
        let mut parts = Vec::new();
        for _ in 0..self.u32()? {
            let own = self.bytes32()?;
            let (at, len) = (self.u32()?, self.u32()?);
            parts.push(Part { own, at, len });
        }
        Ok(Edit {
            digest,
            base,
            parts,
            tail: self.bytes32()?,
        })
    }

    fn records(&mut self) -> Result<Vec<Record>, BadPayload> {
        let mut records = Vec::new();
        for _ in 0..self.u32()? {
            let key = self.text16()?;
            let present = self.u8()? != 0;
            let value = self.bytes32()?;
            let value = present.then_some(value);
            records.push(Record { key, value });
        }
        Ok(records)
    }

    fn end(&self) -> Result<(), BadPayload> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(BadPayload("payload is longer than announced".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Commit {
        Commit {
            writer: "kvs-uuid".to_owned(),
            number: 1 << 40,
            after: 3,
            blobs: vec![
                (Bytes::from_static(&[7; 20]), Bytes::from_static(b"data")),
                (Bytes::from_static(&[8; 20]), Bytes::new()),
            ],
            edits: vec![Edit {
                digest: Bytes::from_static(&[9; 20]),
                base: Bytes::from_static(&[7; 20]),
                parts: vec![Part {
                    own: Bytes::from_static(b"own"),
                    at: 3,
                    len: 1,
                }],
                tail: Bytes::from_static(b"tail"),
            }],
            records: vec![
                Record {
                    key: "ns/primary".to_owned(),
                    value: Some(Bytes::from_static(b"root")),
                },
                Record {
                    key: "ns/job-1".to_owned(),
                    value: None,
                },
            ],
            checkpoint: Some(Checkpoint {
                version: 1,
                rootref: "sha1-0".to_owned(),
                sequence: 3,
                timestamp: 1.5,
            }),
        }
    }

    #[test]
    fn a_commit_survives_the_wire() {
        for commit in [example(), Commit::default()] {
            assert_eq!(Commit::decode(Some(&commit.encode())), Ok(commit));
        }
    }

    #[test]
    fn records_survive_the_wire() {
        for list in [RecordList(example().records), RecordList::default()] {
            assert_eq!(RecordList::decode(Some(&list.encode())), Ok(list));
        }
    }

    #[test]
    fn a_commit_cut_anywhere_is_refused() {
        let whole = example().encode();
        for len in 0..whole.len() {
            let cut = whole.slice(..len);
            assert!(Commit::decode(Some(&cut)).is_err(), "cut at {len}");
        }
        let mut longer = whole.to_vec();
        longer.push(0);
        assert!(Commit::decode(Some(&longer.into())).is_err());
    }

    #[test]
    fn an_unknown_version_is_refused() {
        let mut bytes = example().encode().to_vec();
        bytes[0] = 9;
        assert!(Commit::decode(Some(&bytes.into())).is_err());
    }
}
