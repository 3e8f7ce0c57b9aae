//! Messages between the shells of a job about its coprocesses.

use serde::{Deserialize, Serialize};

use crate::schema::JsonSchema;

/// Sends output of a coprocess to the leading shell, for the file that they share; or reports its
/// end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CoprocessWrite {
    /// Name of the coprocess.
    pub name: String,
    /// Output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// `base64` if that is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Shell rank of a coprocess that has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eof_rank: Option<u32>,
}

crate::refusals! {
    /// Errors of writing to a coprocess.
    pub enum CoprocessError {
        /// The job belongs to another user.
        NotYours => EPERM "",
        /// No coprocess of this name shares a file.
        Unknown => ENOENT "no such coprocess",
        /// The output cannot be parsed.
        Malformed => EPROTO "",
    }
}
