//! The head of the job log: that it is complete, its version, and since version 2 the
//! checksum of the rest.

use serde::{Deserialize, Serialize};

use super::Sum;

/// The version written.
const VERSION: u32 = 2;

/// The value of [`super::HEAD_KEY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    version: u32,
    /// Since version 2.
    #[serde(flatten)]
    pub sum: Option<Sum>,
}

impl Head {
    /// The head of a log that comes to this.
    pub fn of(sum: Sum) -> Head {
        let (version, sum) = (VERSION, Some(sum));
        Head { version, sum }
    }

    /// As it is stored.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The head with this text, or the error in it.
    pub fn decode(text: &[u8]) -> Result<Head, String> {
        let head: Head = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        match (head.version, head.sum) {
            (1, _) => Ok(Head { sum: None, ..head }),
            (VERSION, Some(_)) => Ok(head),
            (VERSION, None) => Err("it lacks what the log must come to".to_owned()),
            (version, _) => Err(format!(
                "version {version} of the job log is unknown: it was written by a later version"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_written() {
        let sum = Sum {
            hash: u64::MAX - 1,
            active: 1,
            inactive: 2,
            unwaited: 3,
            bytes: 4,
        };
        let text = Head::of(sum).encode();
        assert_eq!(
            text,
            r#"{"version":2,"hash":"fffffffffffffffe","active":1,"inactive":2,"unwaited":3,"bytes":4}"#
        );
        assert_eq!(Head::decode(text.as_bytes()), Ok(Head::of(sum)));
    }

    #[test]
    fn heads_of_other_versions_are_known_or_refused() {
        let check = |text: &str, expect: Result<Option<Sum>, &str>| {
            let head = Head::decode(text.as_bytes()).map(|head| head.sum);
            assert_eq!(head, expect.map_err(str::to_owned), "{text}");
        };
        check(r#"{"version":1}"#, Ok(None));
        check(
            r#"{"version":2}"#,
            Err("it lacks what the log must come to"),
        );
        check(
            r#"{"version":3}"#,
            Err("version 3 of the job log is unknown: it was written by a later version"),
        );
        assert!(Head::decode(b"garbage").is_err());
        assert!(Head::decode(b"").is_err());
    }
}
