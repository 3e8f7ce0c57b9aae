//! Passing on the messages of clients to a broker that they are not connected to: `flux
//! proxy` and `flux relay` (protocol/02 sections 5, 8 and 9).
//!
//! Read on in `table.rs` (which message goes where; no I/O), `peer.rs` (the bytes of one
//! client) and `hub.rs` (all of them, and the broker, in poll(2)).

mod hub;
mod peer;
mod table;

use wire::Identity;

pub use hub::{Ended, Hub, ask};
pub use peer::Peer;
pub use table::Who;

/// A name that nobody else has.
pub fn fresh_name() -> std::io::Result<Identity> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    Identity::new(text.trim()).ok_or_else(|| std::io::ErrorKind::InvalidData.into())
}
