//! runat.*: commands that the broker runs at a point of its life cycle (protocol/03
//! section 10).

use serde::{Deserialize, Serialize};

use crate::Empty;
use crate::schema::JsonSchema;

/// Adds commands at the head of a list: the last pushed runs first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Push {
    /// Name of the list: `cleanup`.
    pub name: String,
    /// Shell command lines.
    pub commands: Vec<String>,
}

crate::refusals! {
    /// Errors of pushing commands.
    pub enum PushError {
        /// There are no commands.
        NoCommands => EPROTO "commands array is empty",
        /// A command is empty.
        EmptyCommand => EPROTO "cannot push an empty command line",
        /// The list is full.
        Full => ENOBUFS "",
    }
}

crate::json_payloads!(Push);

crate::methods! {
    Push = "runat.push" (OWNER) => Empty, PushError
        : "Adds commands to a list that the broker runs later.";
}
