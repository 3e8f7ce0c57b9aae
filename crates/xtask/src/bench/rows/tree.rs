//! Trees of brokers on one host: how fast they start, the memory they take, and how far it
//! is from one broker to another. `cargo xtask bench tree` measures all of this, `bench
//! tree-hop` and the like a part.

use anyhow::{Context, Result};
use client::{Handle, Options};

pub mod commits;
pub mod events;
pub mod hops;
pub mod jobs;
pub mod memory;
pub mod start;

/// Connections to the brokers of these ranks of the instance around us, once they run.
fn handles(ranks: std::ops::Range<u32>) -> Result<Vec<Handle>> {
    let own = std::env::var("FLUX_URI").context("no instance around us")?;
    let stem = own.strip_suffix('0').context("we are not on rank 0")?;
    let open = |rank: u32| {
        let uri = format!("{stem}{rank}");
        let mut handle = Handle::open(Some(&uri), &Options::default()).context(uri)?;
        handle.rpc_json("state-machine.wait", &serde_json::json!({}))?;
        Ok(handle)
    };
    ranks.map(open).collect()
}
