//! One frame of the job log: some records, versioned and checksummed, in MessagePack.

use bytes::Bytes;
use proto::data::JobId;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The version written. A change of the dictionary of rows is another version.
const VERSION: u8 = 2;

/// Weight of an ordinary row, against the few bytes of a short record.
pub const ROW_WEIGHT: u64 = 32;

/// One record of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// This job is there.
    #[serde(rename = "s")]
    Submitted(u64),
    /// The job is inactive, with this row.
    #[serde(rename = "r")]
    Retired(Row),
    /// These jobs are forgotten.
    #[serde(rename = "p")]
    Purged(Vec<u64>),
    /// This waitable job has ended and nobody has waited for it: the response, as JSON.
    #[serde(rename = "u")]
    Unwaited(u64, Blob),
    /// The response was sent, or nobody will ask for it.
    #[serde(rename = "w")]
    Waited(u64),
    /// All jobs are in the log. Not written itself: from here on there is a head.
    #[serde(skip)]
    Complete,
}

/// An inactive job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Id.
    pub id: u64,
    /// User id of its submitter.
    pub userid: u32,
    /// When it became inactive, in seconds since the epoch.
    pub t_clean: f64,
    /// Bytes of its journal record.
    pub bytes: u32,
    /// The record, packed.
    pub packed: Blob,
    /// Outcome of the job, as bits. Since version 2.
    #[serde(default)]
    pub outcome: Option<u8>,
    /// Job-list row, so that a restart need not look for it in the record.
    #[serde(default)]
    pub listed: Option<Blob>,
}

impl Record {
    /// Approximate number of bytes that it takes.
    pub fn bytes(&self) -> usize {
        match self {
            Record::Submitted(_) | Record::Waited(_) => 12,
            Record::Unwaited(_, told) => told.0.len() + 16,
            Record::Retired(row) => {
                let listed = row.listed.as_ref().map_or(0, |row| row.0.len());
                row.packed.0.len() + listed + 40
            }
            Record::Purged(ids) => 8 + 9 * ids.len(),
            Record::Complete => 0,
        }
    }

    /// Weight in a segment, in units of a short record, by which the cleaning is paced.
    pub fn weight(&self) -> u64 {
        match self {
            Record::Submitted(_) | Record::Waited(_) => 1,
            Record::Retired(_) | Record::Unwaited(..) => ROW_WEIGHT,
            Record::Purged(ids) => ids.len() as u64,
            Record::Complete => 0,
        }
    }

    /// The job that it is about, if it is about one.
    pub fn id(&self) -> Option<JobId> {
        match self {
            Record::Submitted(id) | Record::Unwaited(id, _) | Record::Waited(id) => {
                Some(JobId(*id))
            }
            Record::Retired(row) => Some(JobId(row.id)),
            Record::Purged(_) | Record::Complete => None,
        }
    }
}

/// Bytes that are bytes in MessagePack too, not an array of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Blob(pub Bytes);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bin;

        impl Visitor<'_> for Bin {
            type Value = Blob;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(Bytes::copy_from_slice(bytes)))
            }
        }

        deserializer.deserialize_bytes(Bin)
    }
}

/// Reasons for which a part of the log is not read.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Damage {
    /// Another version's.
    #[error("version {0} of the job log is unknown")]
    Version(u8),
    /// The checksum does not fit.
    #[error("checksum mismatch")]
    Checksum,
    /// Not MessagePack, or not the expected form.
    #[error("{0}")]
    Malformed(String),
}

#[derive(Serialize, Deserialize)]
struct Frame {
    version: u8,
    checksum: u32,
    body: Blob,
}

/// Some records as one frame.
pub fn encode(records: &[Record]) -> Vec<u8> {
    let body = rmp_serde::to_vec(records).expect("records that are written have no maps");
    let frame = Frame {
        version: VERSION,
        checksum: crc32fast::hash(&body),
        body: Blob(body.into()),
    };
    rmp_serde::to_vec(&frame).expect("a frame is three plain values")
}

/// The records of each frame in `frames`, one after the other.
pub fn decode(frames: &[u8]) -> Result<Vec<Vec<Record>>, Damage> {
    let malformed = |error: rmp_serde::decode::Error| Damage::Malformed(error.to_string());
    let mut rest = frames;
    let mut all = Vec::new();
    while !rest.is_empty() {
        let mut deserializer = rmp_serde::Deserializer::new(&mut rest);
        let frame = Frame::deserialize(&mut deserializer).map_err(malformed)?;
        if !(1..=VERSION).contains(&frame.version) {
            return Err(Damage::Version(frame.version));
        }
        if crc32fast::hash(&frame.body.0) != frame.checksum {
            return Err(Damage::Checksum);
        }
        all.push(rmp_serde::from_slice(&frame.body.0).map_err(malformed)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Vec<Record> {
        vec![
            Record::Submitted(u64::MAX),
            Record::Retired(Row {
                id: 7,
                userid: 100,
                t_clean: 1.5,
                bytes: 3,
                packed: Blob(Bytes::from_static(b"\0\xff\x01")),
                outcome: Some(7),
                listed: Some(Blob(Bytes::from_static(b"l"))),
            }),
            Record::Purged(vec![1, 2]),
        ]
    }

    #[test]
    fn frames_are_read_one_after_the_other() {
        let mut frames = encode(&records());
        frames.extend(encode(&[]));
        frames.extend(encode(&records()));
        assert_eq!(decode(&frames), Ok(vec![records(), vec![], records()]));
        assert_eq!(decode(b""), Ok(vec![]));
    }

    #[test]
    fn frames_of_the_first_version_are_read() {
        // [1, checksum, body]: [{"s": 9}, {"r": [7, 100, 1.5, 3, 3 bytes]}]
        let body: &[u8] =
            b"\x92\x81\xa1s\x09\x81\xa1r\x95\x07\x64\xcb\x3f\xf8\0\0\0\0\0\0\x03\xc4\x03abc";
        let mut frame = vec![0x93, 1, 0xce];
        frame.extend(crc32fast::hash(body).to_be_bytes());
        frame.extend([0xc4, u8::try_from(body.len()).unwrap()]);
        frame.extend(body);
        let row = Row {
            id: 7,
            userid: 100,
            t_clean: 1.5,
            bytes: 3,
            packed: Blob(Bytes::from_static(b"abc")),
            outcome: None,
            listed: None,
        };
        let expect = vec![vec![Record::Submitted(9), Record::Retired(row)]];
        assert_eq!(decode(&frame), Ok(expect));
        frame[1] = 3;
        assert_eq!(decode(&frame), Err(Damage::Version(3)));
    }

    #[test]
    fn a_row_costs_few_bytes_besides_its_own() {
        let row = encode(&records()[1..2]);
        assert!(row.len() < 55, "{} bytes", row.len());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let good = encode(&records());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(decode(&bad).is_err(), "byte {at}");
            assert!(at == 0 || decode(&good[..at]).is_err(), "cut at {at}");
        }
    }
}
