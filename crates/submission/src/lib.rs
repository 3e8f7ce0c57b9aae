//! Submitting jobs: the options that `run` and `submit` share, and the jobspec that they
//! make.
//!
//! Read on in `options.rs` (the options), `jobspec.rs` and `resources.rs` (what becomes
//! of them), `values.rs`, `environment.rs` and `files.rs` (the small languages in them), `shape/` (that of
//! resources), and `request.rs`
//! (handing a job in).
//! `instance/` has what is different where the job is an instance, `directives/` the options in
//! batch scripts.

mod array;
pub mod directives;
mod environment;
mod files;
pub mod instance;
mod jobspec;
pub mod limits;
mod options;
mod plugins;
pub mod replace;
mod request;
mod resources;
mod rlimit;
pub mod shape;
pub mod values;

pub use array::ArrayOptions;
pub use options::Options;
pub use plugins::help_topic;
pub use request::{Request, answered, spaced, start_signed};
pub use resources::GivenResources;
