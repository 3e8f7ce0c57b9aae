//! A server of a site's own, whose workers are test rigs: it keeps test runs until a rig takes
//! them, and the result of each.

use std::process::ExitCode;
use std::time::Duration;

use node::desk::{Bench, Desk};
use serde_json::Value;

#[derive(Default)]
struct Rigs;

impl Bench for Rigs {
    /// A rig that was silent for so long has lost its run to another one.
    const LEASE: Duration = Duration::from_secs(30);

    /// A run is a command for the shell.
    fn accepts(&mut self, _name: &str, text: &str) -> bool {
        !text.trim().is_empty()
    }

    /// Notes that the result of a run is stored by now.
    fn completed(&mut self, name: &str, result: &Value) {
        tracing::info!("run {name}: {result}");
    }
}

fn main() -> ExitCode {
    runtime::module_main::<Desk<Rigs>>(|| ())
}
