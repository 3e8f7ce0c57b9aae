//! Submitting jobs: the options that `run` and `submit` share, and the jobspec that they
//! make.
//!
//! The options are in `options.rs`, the jobspec made from them in `jobspec.rs` and `resources.rs`,
//! the small languages in them in `values.rs`, `environment.rs` and `files.rs`, that of resources
//! in `shape/`, and submission in `request.rs`. `instance/` has the differences of a job that is an
//! instance, `directives/` the options in batch scripts.

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
