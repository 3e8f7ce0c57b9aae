//! The messages of Ferroflux: what RFC 3 puts on the wire, and nothing else.
//!
//! Read on in `message.rs` (what a message is), `frames.rs` (its parts and their
//! flattened form), `header.rs` (the 20 bytes of PROTO), `stream.rs` (framing on
//! a byte stream), `zmtp.rs` (framing on a ZeroMQ connection), `topic.rs` (services and
//! subscriptions) and `limits.rs`.
//!
//! This crate is pure. It must never know a socket, a payload's meaning, or allocate by a
//! length that a message only claims.

mod errno;
mod frames;
mod header;
mod inbox;
pub mod limits;
mod message;
mod stream;
pub mod topic;
mod zmtp;

pub use errno::Errno;
pub use frames::{decode, encode, encode_tail, encoded_len};
pub use header::{DecodeError, Flags, Kind, Role};
pub use inbox::NoMemory;
pub use message::{Identity, Message, NODEID_ANY, USERID_UNKNOWN};
pub use stream::{StreamDecoder, StreamError, encode_stream, encode_stream_head};
pub use zmtp::{
    Arrived, Socket, ZmtpDecoder, ZmtpError, encode_hello, encode_pong, encode_zmtp,
    encode_zmtp_head,
};
