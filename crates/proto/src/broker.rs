//! broker.*: the broker's environment and built-in values (protocol/03 section 6).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::common::MessageStats;
use crate::orphans::Cause;
use crate::schema::JsonSchema;
use crate::{Empty, Never};

/// Asks for variables of the broker's environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Getenv {
    /// Names wanted.
    pub names: Vec<String>,
}

/// Variables that are set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// By name.
    pub env: BTreeMap<String, String>,
}

/// Sets variables of the broker's environment, which its children inherit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Setenv {
    /// By name; null unsets.
    pub env: BTreeMap<String, Option<String>>,
}

/// Asks for values fixed when the project was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfBuiltin {
    /// Names wanted.
    pub keys: Vec<String>,
}

/// Values fixed when the project was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Builtins {
    /// By name.
    pub values: BTreeMap<String, String>,
}

/// Asks for the counters of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// Counters of the broker: those that every module has, and more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Stats {
    /// Messages of its own services.
    #[serde(flatten)]
    pub messages: MessageStats,
    /// Open requests, which wait for an answer.
    pub open: u64,
    /// Messages that became orphans, by cause.
    pub orphans: BTreeMap<Cause, u64>,
}

crate::refusals! {
    /// Errors of `broker.conf-builtin`.
    pub enum ConfBuiltinError {
        /// There is no value of this name.
        InvalidKey(String) => EINVAL "{0}: invalid key",
    }
}

crate::json_payloads!(Getenv, Environment, Setenv, ConfBuiltin, Builtins, Stats);
crate::no_payloads!(StatsGet);

crate::methods! {
    Getenv = "broker.getenv" (OWNER) => Environment, Never, idempotent
        : "Returns variables of the broker's environment.";
    Setenv = "broker.setenv" (OWNER) => Empty, Never, idempotent
        : "Sets variables of the broker's environment.";
    ConfBuiltin = "broker.conf-builtin" (ALL) => Builtins, ConfBuiltinError, idempotent
        : "Returns values fixed when the project was built.";
    StatsGet = "broker.stats-get" (ALL) => Stats, Never, idempotent
        : "Counters of the broker: its messages, and the orphans by cause.";
}
