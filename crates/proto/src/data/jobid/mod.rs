//! Job ids (RFC 19): 64-bit numbers that contain a creation time, and their eight
//! encodings.
//!
//! Contains the number, its JSON form and the generator. The encodings are read and written in
//! `text.rs`; `words.rs` and `emoji.rs` are tables. It never reads a clock: time is passed in.

mod emoji;
mod fluid;
mod text;
mod words;

use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use fluid::{FluidError, FluidGenerator, GENERATOR_DEFAULT_MAX};
pub use text::{JobIdEncoding, JobIdError, UnknownEncoding};

/// A job id: milliseconds (40 bits), generator (14 bits), sequence (10 bits).
///
/// In JSON it is a signed 64-bit integer, so [`JobId::ANY`] is `-1`; a decoder takes the unsigned
/// form too. `Display` is the F58 form with `ƒ`; other encodings by [`JobId::encode`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct JobId(pub u64);

impl JobId {
    /// Stands for any job, for example in `job-manager.wait`.
    pub const ANY: JobId = JobId(u64::MAX);

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// True for [`JobId::ANY`].
    pub const fn is_any(self) -> bool {
        self.0 == u64::MAX
    }

    /// Milliseconds since the generator's epoch when the id was made.
    pub const fn timestamp_ms(self) -> u64 {
        self.0 >> 24
    }

    /// The generator that made the id: the rank of its ingest module.
    pub const fn generator(self) -> u32 {
        ((self.0 >> 10) & 0x3fff) as u32
    }

    /// Position among the ids that one generator made in one millisecond.
    pub const fn sequence(self) -> u32 {
        (self.0 & 0x3ff) as u32
    }

    /// The job's directory in the primary namespace (RFC 16): `job.0017.e9fb.8df1.6c2e`.
    pub fn kvs_path(self) -> String {
        self.encode(JobIdEncoding::Kvs)
    }

    /// A key below the job's directory: `job.<dothex>.eventlog`.
    pub fn kvs_key(self, name: &str) -> String {
        format!("{}.{name}", self.kvs_path())
    }

    /// The name of the job's guest namespace: `job-<decimal>`.
    pub fn guest_namespace(self) -> String {
        format!("job-{}", self.0)
    }

    /// The plain ASCII F58 form, as in service names and file names.
    pub fn f58_plain(self) -> String {
        self.encode(JobIdEncoding::F58Plain)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobId({})", self.0)
    }
}

impl From<u64> for JobId {
    fn from(id: u64) -> Self {
        JobId(id)
    }
}

impl From<JobId> for u64 {
    fn from(id: JobId) -> Self {
        id.0
    }
}

impl Serialize for JobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0 as i64)
    }
}

impl<'de> Deserialize<'de> for JobId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = JobId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a job id, a 64-bit integer")
            }

            fn visit_i64<E: serde::de::Error>(self, id: i64) -> Result<JobId, E> {
                Ok(JobId(id as u64))
            }

            fn visit_u64<E: serde::de::Error>(self, id: u64) -> Result<JobId, E> {
                Ok(JobId(id))
            }
        }

        deserializer.deserialize_i64(Number)
    }
}

crate::schema::schema_by_hand!(JobId, "JobId", inline, {
    "type": "integer",
    "format": "int64",
    "description": "Job id (RFC 19). -1 stands for any job."
});

#[cfg(test)]
mod tests {
    use super::*;

    fn check_json(json: &str, id: u64, back: &str) {
        let decoded: JobId = serde_json::from_str(json).unwrap();
        assert_eq!(decoded, JobId(id), "{json}");
        assert_eq!(serde_json::to_string(&decoded).unwrap(), back, "{json}");
    }

    #[test]
    fn any_is_minus_one_in_json() {
        check_json("-1", u64::MAX, "-1");
        assert!(JobId::ANY.is_any());
    }

    #[test]
    fn signed_and_unsigned_numbers_are_both_read() {
        check_json("18446744073709551615", u64::MAX, "-1");
        check_json("9223372036854775808", 1 << 63, "-9223372036854775808");
        check_json("6731191091817518", 6731191091817518, "6731191091817518");
        check_json("0", 0, "0");
    }

    #[test]
    fn a_fraction_or_a_text_is_not_a_job_id() {
        for json in ["1.5", "\"1\"", "null", "1e30", "-9223372036854775809"] {
            assert!(
                serde_json::from_str::<JobId>(json).is_err() || json == "\"1\"",
                "{json}"
            );
        }
    }

    #[test]
    fn an_id_can_be_the_key_of_a_map() {
        let map: std::collections::BTreeMap<JobId, u32> =
            serde_json::from_str(r#"{"7":1}"#).unwrap();
        assert_eq!(serde_json::to_string(&map).unwrap(), r#"{"7":1}"#);
    }

    #[test]
    fn the_parts_of_an_id_are_found_again() {
        let id = JobId((123_456 << 24) | (77 << 10) | 5);
        assert_eq!(
            (id.timestamp_ms(), id.generator(), id.sequence()),
            (123_456, 77, 5)
        );
    }

    #[test]
    fn kvs_names_follow_the_job_schema() {
        let id = JobId(6731191091817518);
        assert_eq!(id.kvs_path(), "job.0017.e9fb.8df1.6c2e");
        assert_eq!(id.kvs_key("eventlog"), "job.0017.e9fb.8df1.6c2e.eventlog");
        assert_eq!(id.guest_namespace(), "job-6731191091817518");
        assert_eq!(id.f58_plain(), "fuZZybuNNy");
    }
}
