//! The launcher: starts several brokers on one host as one instance, for tests (`flux start
//! --test-size`; protocol/20 section 11.1).
//!
//! It is the parent of all of them, gives them PMI, answers `start.*` on a socket of its
//! own, and ends when they have ended. Must never speak for a broker. The plan is in
//! `plan.rs`, its execution in `core.rs`, and its clients in `node.rs`.

mod core;
mod node;
mod plan;

pub use node::LauncherNode;
pub use plan::{ExitMode, Plan, StartMode};
