//! Small blobs in and out of the content store.

use anyhow::Result;
use client::Handle;
use proto::content::{Dropcache, Load, Store};
use proto::data::{BlobRef, HashKind};

use super::kvs::{per_s_in_window, per_s_of_clients};
use crate::bench::floor;
use crate::bench::row::{Measure, Row};

/// One blob after the other.
pub const STORE: Row = Row {
    name: "content-store",
    what: "blobs of 200 bytes stored, one client, waited for",
    unit: "1/s",
    measure: Measure::Inside(|_| per_s_of_clients(1, WAITED_FOR, |_, n| Store(blob(n).into()))),
    floor: None,
};

/// Many at once.
pub const STORES: Row = Row {
    name: "content-stores",
    what: "blobs of 200 bytes stored, 1,000 under way (floor: bare ZeroMQ relay)",
    unit: "1/s",
    measure: Measure::Inside(|handle| {
        per_s_in_window(handle, 1_000, BLOBS, |n| Store(blob(n).into()))
    }),
    floor: Some(floor::relay_per_s),
};

/// Reading from the file.
pub const LOADS: Row = Row {
    name: "content-loads",
    what: "blobs of 200 bytes loaded, 1,000 under way, none in memory (floor: bare ZeroMQ relay)",
    unit: "1/s",
    measure: Measure::Inside(loads_per_s),
    floor: Some(floor::relay_per_s),
};

const WAITED_FOR: usize = 5_000;
const BLOBS: usize = 50_000;

/// No two are the same.
fn blob(n: usize) -> String {
    format!("{n:0200}")
}

fn loads_per_s(handle: &mut Handle) -> Result<f64> {
    per_s_in_window(handle, 1_000, BLOBS, |n| Store(blob(n).into()))?;
    handle.rpc(&Dropcache)?;
    per_s_in_window(handle, 1_000, BLOBS, |n| {
        let name = BlobRef::of(HashKind::Sha1, blob(n).as_bytes());
        Load(name.digest().to_vec().into())
    })
}
