//! Every topic, request, response, event and error, and the data formats in them.
//! Pure: no I/O, no clock.
//!
//! Methods are defined in `method.rs` and events in `bus.rs`; each service file lists its service
//! whole; `data/` holds the formats (job ids, idsets, jobspec, R, event logs, tree objects).
//! Modules know each other only through this crate.

#![forbid(unsafe_code)]

pub mod data;
pub mod form;
pub mod payload;
pub mod schema;

pub mod attr;
pub mod broker;
pub mod common;
pub mod config;
pub mod connector_local;
pub mod content;
pub mod content_backing;
pub mod content_files;
pub mod content_sqlite;
pub mod cron;
pub mod event;
pub mod feasibility;
pub mod groups;
pub mod heartbeat;
pub mod job_exec;
pub mod job_info;
pub mod job_ingest;
pub mod job_list;
pub mod job_manager;
pub mod job_policy;
pub mod job_shell;
pub mod kvs;
pub mod kvs_watch;
pub mod log;
pub mod module;
pub mod orphans;
pub mod overlay;
pub mod rc;
pub mod resource;
pub mod rexec;
pub mod runat;
pub mod sched;
pub mod service;
pub mod shutdown;
pub mod start;
pub mod state_machine;
pub mod terminus;
pub mod web;
pub mod worker;

mod bus;
mod delivery;
mod method;
mod raw_json;
mod refusal;
mod registry;

pub use bus::{DeclaredEvent, Event, name_in};
pub use delivery::{Delivery, Outcome, Stopped, UnknownOutcome};
pub use method::{Answer, Declared, Method};
pub use payload::{BadPayload, Empty, Object, Payload, Raw};
pub use raw_json::RawJson;
pub use refusal::{Coded, DeclaredError, Errno, Never, Refusal};
pub use registry::{Service, events, method, services};
pub use wire::Role;
