//! config.*: the instance's configuration (protocol/03 section 8).

use serde::{Deserialize, Serialize};

use crate::schema::JsonSchema;
use crate::{Empty, Object, Refusal};

pub mod cache;
pub mod ingest;
pub mod keys;
pub mod policy;
pub mod queues;

mod check;
mod table;

pub use cache::Cache;
pub use check::{Complaint, check};
pub use ingest::Ingest;
pub use keys::Key;
pub use policy::Policy;
pub use queues::{QueueConf, Queues};

/// Asks for the configuration; as a stream, again after every change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Get;

/// Replaces the configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(transparent)]
pub struct Load(pub Object);

/// Reads the configuration files again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reload;

crate::json_payloads!(Load);
crate::no_payloads!(Get, Reload);

crate::methods! {
    Get = "config.get" (USER) => Object, Refusal, idempotent, Either
        : "Returns the whole configuration; as a stream, again after every change.";
    Load = "config.load" (OWNER) => Empty, Refusal, idempotent, Later : "Replaces the configuration.";
    Reload = "config.reload" (OWNER) => Empty, Refusal, idempotent, Later
        : "Reads the configuration files again.";
}
