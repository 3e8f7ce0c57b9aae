//! Signed requests, "J" (protocol/11 section 1): `HEADER.PAYLOAD.SIGNATURE`.
//!
//! Supports the mechanism `none` only: it proves nothing, so a service accepts it from the
//! instance owner alone. The signer is named in the header; the caller must compare it with
//! the credential of the message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::kv::{KvError, KvValue, decode_kv, encode_kv};

/// The mechanism without a signature.
pub const MECHANISM_NONE: &str = "none";

/// Contents of a signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwrapped {
    /// User id claimed by the signer.
    pub userid: u32,
    /// Signed text: a jobspec.
    pub payload: Vec<u8>,
}

/// Errors of unwrapping a request. Services answer EINVAL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// Not three parts separated by dots.
    #[error("signed request must have three parts")]
    Parts,
    /// A part is not base64.
    #[error("signed request has invalid base64")]
    Base64,
    /// The header is not a key-value sequence.
    #[error("signed request header: {0}")]
    Header(#[from] KvError),
    /// The header has an unknown key.
    #[error("signed request header has unknown key '{0}'")]
    UnknownKey(String),
    /// The header's version is missing or not 1.
    #[error("signed request header version is not 1")]
    Version,
    /// The header's user id is missing or invalid.
    #[error("signed request header has no valid userid")]
    UserId,
    /// The mechanism is missing, unknown, or not that of the signature.
    #[error("signed request mechanism is not supported")]
    Mechanism,
}

/// Wraps a payload with the mechanism `none`.
pub fn wrap_none(userid: u32, payload: &[u8]) -> String {
    let header = encode_kv([
        ("version", KvValue::Int(1)),
        ("userid", KvValue::Int(i64::from(userid))),
        ("mechanism", KvValue::Text(MECHANISM_NONE.to_owned())),
    ])
    .expect("keys and values are not empty and have no NUL");
    format!(
        "{}.{}.{MECHANISM_NONE}",
        BASE64.encode(header),
        BASE64.encode(payload)
    )
}

/// The mechanism of a request, for refusing others with a service's own error.
pub fn mechanism(request: &str) -> Result<String, SignError> {
    let (header, _, _) = split(request)?;
    Ok(read_header(header)?.mechanism)
}

/// Unwraps a request with the mechanism `none`.
pub fn unwrap_none(request: &str) -> Result<Unwrapped, SignError> {
    let (header, payload, signature) = split(request)?;
    let header = read_header(header)?;
    if header.mechanism != MECHANISM_NONE || signature != MECHANISM_NONE {
        return Err(SignError::Mechanism);
    }
    let payload = BASE64.decode(payload).map_err(|_| SignError::Base64)?;
    Ok(Unwrapped {
        userid: header.userid,
        payload,
    })
}

struct Header {
    userid: u32,
    mechanism: String,
}

fn split(request: &str) -> Result<(&str, &str, &str), SignError> {
    let mut parts = request.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(payload), Some(signature), None) => Ok((header, payload, signature)),
        _ => Err(SignError::Parts),
    }
}

fn read_header(text: &str) -> Result<Header, SignError> {
    let bytes = BASE64.decode(text).map_err(|_| SignError::Base64)?;
    let (mut version, mut userid, mut mechanism) = (None, None, None);
    for (key, value) in decode_kv(&bytes)? {
        match key {
            "version" => version = Some(value),
            "userid" => userid = Some(value),
            "mechanism" => mechanism = Some(value),
            _ => return Err(SignError::UnknownKey(key.to_owned())),
        }
    }
    if version != Some(KvValue::Int(1)) {
        return Err(SignError::Version);
    }
    let userid = match userid {
        Some(KvValue::Int(userid)) => u32::try_from(userid).map_err(|_| SignError::UserId)?,
        _ => return Err(SignError::UserId),
    };
    match mechanism {
        Some(KvValue::Text(mechanism)) => Ok(Header { userid, mechanism }),
        _ => Err(SignError::Mechanism),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOT_HEADER: &str = "dmVyc2lvbgBpMQB1c2VyaWQAaTAAbWVjaGFuaXNtAHNub25lAA==";

    #[test]
    fn the_header_of_user_0_is_known() {
        assert_eq!(wrap_none(0, b"{}"), format!("{ROOT_HEADER}.e30=.none"));
    }

    #[test]
    fn a_request_is_unwrapped() {
        let unwrapped = unwrap_none(&wrap_none(1000, b"{\"a\":1}")).unwrap();
        assert_eq!(
            unwrapped,
            Unwrapped {
                userid: 1000,
                payload: b"{\"a\":1}".to_vec()
            }
        );
        assert_eq!(mechanism(&wrap_none(0, b"")), Ok("none".to_owned()));
    }

    fn check(header: &[u8], signature: &str, error: SignError) {
        let request = format!("{}.e30=.{signature}", BASE64.encode(header));
        assert_eq!(unwrap_none(&request), Err(error), "{request}");
    }

    #[test]
    fn bad_requests_are_refused_with_the_reason() {
        let good = b"version\0i1\0userid\0i0\0mechanism\0snone\0";
        check(good, "other", SignError::Mechanism);
        check(good, "none.x", SignError::Parts);
        check(
            b"version\0i1\0userid\0i0\0mechanism\0smunge\0",
            "none",
            SignError::Mechanism,
        );
        check(b"version\0i1\0userid\0i0\0", "none", SignError::Mechanism);
        check(
            b"version\0i2\0userid\0i0\0mechanism\0snone\0",
            "none",
            SignError::Version,
        );
        check(
            b"userid\0i0\0mechanism\0snone\0",
            "none",
            SignError::Version,
        );
        check(
            b"version\0i1\0mechanism\0snone\0",
            "none",
            SignError::UserId,
        );
        check(
            b"version\0i1\0userid\0i-1\0mechanism\0snone\0",
            "none",
            SignError::UserId,
        );
        check(
            b"version\0i1\0userid\0s0\0mechanism\0snone\0",
            "none",
            SignError::UserId,
        );
        check(
            b"version\0i1\0userid\0ix\0",
            "none",
            SignError::Header(KvError::Value),
        );
        check(b"x\0i1\0", "none", SignError::UnknownKey("x".to_owned()));
        assert_eq!(unwrap_none(""), Err(SignError::Parts));
        assert_eq!(unwrap_none("*.e30=.none"), Err(SignError::Base64));
        assert_eq!(
            unwrap_none(&format!("{ROOT_HEADER}.e30.none")),
            Err(SignError::Base64)
        );
    }

    proptest! {
        #[test]
        fn any_payload_survives(userid: u32, payload: Vec<u8>) {
            let unwrapped = unwrap_none(&wrap_none(userid, &payload)).unwrap();
            prop_assert_eq!(unwrapped, Unwrapped { userid, payload });
        }
    }
}
