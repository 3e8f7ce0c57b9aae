//! attr.*: named values of the broker (protocol/03 section 2).

use serde::{Deserialize, Serialize};

use crate::schema::JsonSchema;
use crate::{Empty, Never};

pub mod names;

pub use names::Attr;

/// Value of the attribute `version`: the flux-core release whose protocol is implemented.
/// Programs compare it with the version that they need.
pub const CORE_VERSION: &str = "0.88.0";

/// File with the URI of the broker of a rank, or of its successor: in the statedir on rank 0,
/// in the rundir on others, if that stays. Job shells that have lost their broker look there;
/// it is removed when the broker exits in order.
pub fn uri_file(rank: u32) -> String {
    format!("local-uri-{rank}")
}

/// `flags` of an attribute that cannot change any more; clients cache it.
pub const IMMUTABLE: u32 = 1;

/// Asks for the value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Get {
    /// Name.
    pub name: String,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Value {
    /// The value.
    pub value: String,
    /// [`IMMUTABLE`], or 0.
    pub flags: u32,
}

/// Sets an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Set {
    /// Name.
    pub name: String,
    /// The new value.
    pub value: String,
    /// True to set it even if it is read-only at run time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force: Option<bool>,
}

/// Removes an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rm {
    /// Name.
    pub name: String,
}

/// Asks for the names of all attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct List;

/// The names of all attributes, unset ones that are stored as null included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Names {
    /// In no particular order.
    pub names: Vec<String>,
}

crate::refusals! {
    /// Errors of getting an attribute.
    pub enum GetError {
        /// The attribute is unknown, not set, or null.
        NotSet => ENOENT "",
    }
}

crate::refusals! {
    /// Errors of setting an attribute.
    pub enum SetError {
        /// The name is not in the table.
        Unknown => ENOENT "unknown attribute",
        /// The attribute has a value and cannot be updated at run time.
        NotRuntime => EINVAL "attribute may not be updated",
        /// The attribute can never change.
        Immutable => EPERM "",
        /// The value has the wrong form.
        BadValue(String) => EINVAL "{0}",
        /// The attribute has no effect in this version.
        NotSupported => EINVAL "not supported in this version",
    }
}

crate::refusals! {
    /// Errors of removing an attribute.
    pub enum RmError {
        /// The attribute can never change.
        Immutable => EPERM "",
    }
}

crate::json_payloads!(Get, Value, Set, Rm, Names);
crate::no_payloads!(List);

crate::methods! {
    Get = "attr.get" (ALL) => Value, GetError, idempotent : "Returns the value of an attribute.";
    Set = "attr.set" (OWNER) => Empty, SetError, idempotent : "Sets an attribute.";
    Rm = "attr.rm" (OWNER) => Empty, RmError, idempotent : "Removes an attribute.";
    List = "attr.list" (ALL) => Names, Never, idempotent : "Lists the names of all attributes.";
}
