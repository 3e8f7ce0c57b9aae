//! What is asked of the plugins of the job manager (protocol/25 section 6.1).

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
    /// A name; `.so` behind it makes no difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<String>,
    /// An object for the one that is loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conf: Option<Value>,
}

/// The plugins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Plugins {
    /// Their names in the order of loading, when they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugins: Option<Vec<String>>,
}

/// What does a plugin tell of itself?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobtapQuery {
    /// Its name.
    pub name: String,
}

crate::json_payloads!(Jobtap, Plugins, JobtapQuery);
