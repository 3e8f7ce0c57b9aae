//! One function a method. The inventory is in one place: on ranks other than 0 all of
//! them refuse but those of `topology.rs`, and `resource.get`, which asks the parent.

pub mod acquire;
pub mod drain;
pub mod expiration;
pub mod journal;
pub mod monitor;
pub mod reload;
pub mod status;
pub mod topology;
