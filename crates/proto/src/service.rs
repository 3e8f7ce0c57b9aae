//! service.*: registering names under which requests are answered (protocol/03 section 5).

use serde::{Deserialize, Serialize};

use crate::schema::JsonSchema;
use crate::{Empty, Refusal};

/// Registers a service name for the sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Add {
    /// The name: no dots; guests prefix it with their user id and a minus sign.
    pub service: String,
}

/// Unregisters a service name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remove {
    /// The name.
    pub service: String,
}

crate::json_payloads!(Add, Remove);

crate::methods! {
    Add = "service.add" (USER) => Empty, Refusal : "Registers a service name for the sender.";
    Remove = "service.remove" (USER) => Empty, Refusal : "Unregisters a service name.";
}
