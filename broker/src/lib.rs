//! The broker: routes messages between modules and programs, answers for itself,
//! starts modules and starts them again, and lives through its states.
//!
//! The state is in `core.rs`, routing in `router/`, other brokers in `tree/`, the life cycle
//! in `lifecycle.rs`, and the services in `services/`. `main.rs` and `setup.rs` are the
//! edge: arguments, folders, sockets. It must never look into a payload to route a message,
//! and never wait.

mod access;
mod archives;
pub mod attrs;
mod clients;
mod commands;
pub mod config;
pub mod core;
mod credit;
mod disconnect_notices;
mod expiry;
pub mod files;
mod followers;
mod groups;
mod ids;
mod life;
pub mod lifecycle;
mod lifecycle_actions;
pub mod limits;
mod log_rules;
mod logbook;
pub mod membership;
mod modules;
mod node;
mod orphans;
#[cfg(test)]
mod probe;
mod programs;
mod recovery;
mod rexec;
pub mod router;
mod routing;
mod services;
mod startlog;
mod strays;
mod systemd;
mod tree;

pub use crate::core::Setup;
pub use crate::ids::Ids;
pub use crate::node::BrokerNode;
pub use crate::services::routes;
pub use crate::tree::Links;
