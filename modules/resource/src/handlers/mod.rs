//! One function a method. On ranks other than 0 all of them refuse: the inventory is
//! in one place.

pub mod acquire;
pub mod drain;
pub mod expiration;
pub mod journal;
pub mod monitor;
pub mod reload;
pub mod status;
