//! Events of standard input and output logs (RFC 24): `guest.output` and `guest.input`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::schema::JsonSchema;

use super::eventlog::{Entry, EventlogError};

/// The first event of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// Version of the format, 1.
    pub version: u32,
    /// Encoding of each stream, `UTF-8`.
    pub encoding: BTreeMap<String, String>,
    /// Number of tasks that write each stream.
    pub count: BTreeMap<String, u64>,
    /// Reserved.
    #[serde(default)]
    pub options: Map<String, Value>,
}

/// A piece of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Data {
    /// `stdin`, `stdout` or `stderr`.
    pub stream: String,
    /// Task ranks: an idset, or `all`.
    pub rank: String,
    /// The text, or the base64 of the bytes. Absent if only the end is reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// `base64` if the bytes are not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// True at the end of the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eof: Option<bool>,
    /// Number of repetitions of the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u64>,
}

/// A stream is redirected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Redirect {
    /// `stdout` or `stderr`, or `stdin`.
    pub stream: String,
    /// Task ranks, an idset in brackets; `all` for stdin.
    pub rank: String,
    /// The file it is written to, or read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// A message of the job shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Log {
    /// Severity, 0 to 7.
    pub level: i32,
    /// Text.
    pub message: String,
    /// Rank of the shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<i64>,
    /// Part of the shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// Source file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Source line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<i64>,
    /// Name of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
}

/// Any event of a standard input or output log.
#[derive(Debug, Clone, PartialEq)]
pub enum StdioEvent {
    /// The first event.
    Header(Header),
    /// A piece of a stream.
    Data(Data),
    /// A stream is redirected.
    Redirect(Redirect),
    /// A message of the job shell.
    Log(Log),
    /// An event of another name, which readers skip.
    Other,
}

/// Data that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// An encoding other than `base64` and `UTF-8`.
    #[error("unknown encoding '{0}' in data event")]
    Encoding(String),
    /// Text that is not base64.
    #[error("invalid base64 in data event")]
    Base64,
}

impl Header {
    /// The header of an output log of `ntasks` tasks.
    pub fn output(ntasks: u64) -> Self {
        Self::of(&["stdout", "stderr"], ntasks)
    }

    /// The header of an input log of `ntasks` tasks.
    pub fn input(ntasks: u64) -> Self {
        Self::of(&["stdin"], ntasks)
    }

    fn of(streams: &[&str], ntasks: u64) -> Self {
        Self {
            version: 1,
            encoding: streams
                .iter()
                .map(|s| ((*s).to_owned(), "UTF-8".to_owned()))
                .collect(),
            count: streams.iter().map(|s| ((*s).to_owned(), ntasks)).collect(),
            options: Map::new(),
        }
    }
}

impl Data {
    /// A piece of a stream: as text if it is UTF-8, else as base64. `None` data needs `eof`.
    pub fn new(stream: &str, rank: &str, bytes: Option<&[u8]>, eof: bool) -> Self {
        let (data, encoding) = match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
            None => (None, None),
            Some((_, Ok(text))) => (Some(text.to_owned()), None),
            Some((bytes, Err(_))) => (Some(BASE64.encode(bytes)), Some("base64".to_owned())),
        };
        let (stream, rank) = (stream.to_owned(), rank.to_owned());
        Self {
            stream,
            rank,
            data,
            encoding,
            eof: eof.then_some(true),
            repeat: None,
        }
    }

    /// Number of bytes, without repetitions; see `repeat`. Counted without decoding.
    pub fn n_bytes(&self) -> usize {
        let text = self.data.as_deref().unwrap_or_default();
        match self.encoding.as_deref() {
            Some("base64") => text.trim_end_matches('=').len() * 3 / 4,
            _ => text.len(),
        }
    }

    /// The bytes, once; see `repeat`. Empty if there are none.
    pub fn bytes(&self) -> Result<Vec<u8>, DataError> {
        let text = self.data.as_deref().unwrap_or_default();
        match self.encoding.as_deref() {
            None | Some("UTF-8") => Ok(text.as_bytes().to_vec()),
            Some("base64") => BASE64.decode(text).map_err(|_| DataError::Base64),
            Some(other) => Err(DataError::Encoding(other.to_owned())),
        }
    }

    /// True at the end of the stream.
    pub fn is_eof(&self) -> bool {
        self.eof == Some(true)
    }
}

impl StdioEvent {
    /// Reads an entry of the log.
    pub fn from_entry(entry: &Entry) -> Result<Self, EventlogError> {
        match entry.name() {
            "header" => entry.context_as().map(Self::Header),
            "data" => entry.context_as().map(Self::Data),
            "redirect" => entry.context_as().map(Self::Redirect),
            "log" => entry.context_as().map(Self::Log),
            _ => Ok(Self::Other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(data: &Data, json: &str) {
        assert_eq!(serde_json::to_string(data).unwrap(), json);
        assert_eq!(&serde_json::from_str::<Data>(json).unwrap(), data);
        assert_eq!(data.n_bytes(), data.bytes().unwrap().len());
    }

    #[test]
    fn data_is_text_where_it_can_be() {
        check(
            &Data::new("stdout", "0", Some("ü\n".as_bytes()), false),
            r#"{"stream":"stdout","rank":"0","data":"ü\n"}"#,
        );
        check(
            &Data::new("stderr", "1-2", Some(b"\xff"), true),
            r#"{"stream":"stderr","rank":"1-2","data":"/w==","encoding":"base64","eof":true}"#,
        );
        check(
            &Data::new("stdin", "all", None, true),
            r#"{"stream":"stdin","rank":"all","eof":true}"#,
        );
    }

    #[test]
    fn the_header_counts_the_streams() {
        assert_eq!(
            serde_json::to_string(&Header::output(2)).unwrap(),
            r#"{"version":1,"encoding":{"stderr":"UTF-8","stdout":"UTF-8"},"count":{"stderr":2,"stdout":2},"options":{}}"#
        );
        assert_eq!(
            serde_json::to_string(&Header::input(1)).unwrap(),
            r#"{"version":1,"encoding":{"stdin":"UTF-8"},"count":{"stdin":1},"options":{}}"#
        );
    }

    #[test]
    fn entries_become_events() {
        let redirect = Redirect {
            stream: "stdout".into(),
            rank: "[0-3]".into(),
            path: None,
        };
        let log = Log {
            level: 3,
            message: "no".into(),
            rank: Some(0),
            component: None,
            file: None,
            line: None,
            program: None,
        };
        let entry = |name: &'static str| Entry::new(1.0, name).unwrap();
        let read = |entry: Entry| StdioEvent::from_entry(&entry);
        assert_eq!(
            read(entry("redirect").with(&redirect).unwrap()),
            Ok(StdioEvent::Redirect(redirect))
        );
        assert_eq!(
            read(entry("log").with(&log).unwrap()),
            Ok(StdioEvent::Log(log))
        );
        assert_eq!(
            read(entry("header").with(&Header::input(1)).unwrap()),
            Ok(StdioEvent::Header(Header::input(1)))
        );
        assert_eq!(read(entry("else")), Ok(StdioEvent::Other));
        assert!(read(entry("data")).is_err());
    }

    #[test]
    fn data_in_an_unknown_encoding_is_refused() {
        let mut data = Data::new("stdout", "0", Some(b"*"), false);
        data.encoding = Some("base64".to_owned());
        assert_eq!(data.bytes(), Err(DataError::Base64));
        data.encoding = Some("rot13".to_owned());
        assert_eq!(
            data.bytes().unwrap_err().to_string(),
            "unknown encoding 'rot13' in data event"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_survive(bytes: Vec<u8>) {
            prop_assert_eq!(Data::new("stdout", "0", Some(&bytes), false).bytes(), Ok(bytes));
        }
    }
}
