//! Payloads: JSON objects behind a NUL, raw bytes, or nothing (protocol/01 section 5).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::schema::{JsonSchema, Schema};

/// Type of the payload of a message.
pub trait Payload: Sized {
    /// The bytes; empty means no payload frame.
    fn encode(&self) -> Bytes;

    /// Reads a payload. The reason is for the log and, where a method says so,
    /// for the peer.
    fn decode(payload: Option<&Bytes>) -> Result<Self, BadPayload>;

    /// The JSON schema; `None` for raw bytes and nothing, and without the feature `schema`.
    fn schema() -> Option<Schema> {
        None
    }
}

/// Error of decoding a payload as that of the method. Travels as EPROTO.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadPayload(pub String);

/// No payload. Anything is accepted if it is NUL-terminated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Empty;

impl Payload for Empty {
    fn encode(&self) -> Bytes {
        Bytes::new()
    }
    fn decode(payload: Option<&Bytes>) -> Result<Self, BadPayload> {
        match payload {
            Some(bytes) if bytes.last() != Some(&0) => {
                Err(BadPayload("payload is not terminated".to_owned()))
            }
            _ => Ok(Empty),
        }
    }
}

/// Plain bytes without a NUL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Raw(pub Bytes);

impl Payload for Raw {
    fn encode(&self) -> Bytes {
        self.0.clone()
    }
    fn decode(payload: Option<&Bytes>) -> Result<Self, BadPayload> {
        Ok(Raw(payload.cloned().unwrap_or_default()))
    }
}

/// A JSON object that is passed on unread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(transparent)]
pub struct Object(pub serde_json::Map<String, serde_json::Value>);

/// A JSON object with its NUL, in compact form.
pub fn encode_json<T: Serialize>(value: &T) -> Bytes {
    let mut out = Vec::with_capacity(128);
    // Our payload types have string keys and no failing serializers.
    if serde_json::to_writer(&mut out, value).is_err() {
        return Bytes::from_static(b"{}\0");
    }
    out.push(0);
    out.into()
}

/// Reads a NUL-terminated JSON object. Trailing garbage and anything but an
/// object at top level are refused.
pub fn decode_json<'a, T: Deserialize<'a>>(payload: Option<&'a Bytes>) -> Result<T, BadPayload> {
    let bytes = payload.ok_or_else(|| BadPayload("payload is missing".to_owned()))?;
    let text = bytes
        .strip_suffix(b"\0")
        .ok_or_else(|| BadPayload("payload is not terminated".to_owned()))?;
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'{') {
        return Err(BadPayload("payload is not an object".to_owned()));
    }
    serde_json::from_slice(text).map_err(|error| BadPayload(error.to_string()))
}

/// Makes types JSON payloads.
#[macro_export]
macro_rules! json_payloads {
    ($($name:ty),* $(,)?) => {
        $(impl $crate::Payload for $name {
            fn encode(&self) -> ::bytes::Bytes { $crate::payload::encode_json(self) }
            fn decode(payload: Option<&::bytes::Bytes>) -> Result<Self, $crate::BadPayload> {
                $crate::payload::decode_json(payload)
            }
            fn schema() -> Option<$crate::schema::Schema> { $crate::schema::of::<$name>() }
        })*
    };
}

/// Makes unit structs requests without a payload.
#[macro_export]
macro_rules! no_payloads {
    ($($name:ident),* $(,)?) => {
        $(impl $crate::Payload for $name {
            fn encode(&self) -> ::bytes::Bytes { ::bytes::Bytes::new() }
            fn decode(payload: Option<&::bytes::Bytes>) -> Result<Self, $crate::BadPayload> {
                $crate::Empty::decode(payload).map(|_| $name)
            }
        })*
    };
}

json_payloads!(Object);
