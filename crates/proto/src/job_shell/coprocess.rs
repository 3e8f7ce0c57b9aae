//! Messages between the shells of a job about its coprocesses.

use serde::{Deserialize, Serialize};

use crate::schema::JsonSchema;

/// A shell hands the leading one what a helper has written, for the file that they share; or says
/// that nothing more comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CoprocessWrite {
    /// The helper's name.
    pub name: String,
    /// Its output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// `base64` if that is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// The rank of a shell whose helper has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eof_rank: Option<u32>,
}

crate::refusals! {
    /// Errors of writing to a coprocess.
    pub enum CoprocessError {
        /// The job is another user's.
        NotYours => EPERM "",
        /// No helper of this name shares a file.
        Unknown => ENOENT "no such coprocess",
        /// Its output cannot be parsed.
        Malformed => EPROTO "",
    }
}
