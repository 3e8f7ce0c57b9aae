//! Requests about the plugins of the job manager (protocol/25 section 6.1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema::JsonSchema;

/// Lists the plugins, or removes some and then loads one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Jobtap {
    /// Only list them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_only: Option<bool>,
    /// A name, a pattern of the shell, or `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove: Option<String>,
    /// Plugin to load; a suffix `.so` is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<String>,
    /// Settings of the loaded plugin, as an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conf: Option<Value>,
}

/// The plugins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Plugins {
    /// The names in the order of loading, if requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugins: Option<Vec<String>>,
}

/// Asks for the data of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobtapQuery {
    /// Name.
    pub name: String,
}

/// Asks the policies again for the priority of all pending jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reprioritize;

/// Changes factors of the policy `priority-factor`, until its next start or change of the
/// configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct UpdateFactors {
    /// By user id, or `default`; null removes one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub users: BTreeMap<String, Option<i64>>,
    /// By bank, or `default`; null removes one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub banks: BTreeMap<String, Option<i64>>,
}

crate::refusals! {
    /// Errors of changing factors.
    pub enum UpdateFactorsError {
        /// The policy is not loaded, so nothing would use them.
        NotLoaded => ENOENT "priority-factor: plugin not found",
        /// A factor is invalid.
        Malformed(String) => EINVAL "{0}",
    }
}

crate::json_payloads!(Jobtap, Plugins, JobtapQuery, UpdateFactors);
crate::no_payloads!(Reprioritize);
