//! orphans.*: messages that came too late or had no receiver, or that were refused on the
//! way. Each leaves a record of its cause in the broker where it ended, within limits; so a
//! fault of a server can be distinguished from a message without one, and no log has to be
//! read for that.

use serde::{Deserialize, Serialize};

use crate::data::JobId;
use crate::schema::JsonSchema;
use crate::{Empty, Never, Refusal};

/// Cause of an orphaned message.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A request for a service that is not loaded, does not come back, or died with it.
    ServerDown,
    /// An answer whose way back was closed: its requester had disconnected, or was
    /// answered.
    AfterClose,
    /// A result of a worker that had been replaced.
    TakenOver,
    /// The deadline had passed.
    Expired,
    /// A message for an unknown rank or sender.
    NoPeer,
    /// There was no room for it, or it was best effort and had no receiver.
    Dropped,
    /// It answers no known request, or the sender had no right to send it.
    Unasked,
}

impl Cause {
    /// All causes.
    pub const ALL: [Cause; 7] = [
        Cause::ServerDown,
        Cause::AfterClose,
        Cause::TakenOver,
        Cause::Expired,
        Cause::NoPeer,
        Cause::Dropped,
        Cause::Unasked,
    ];

    /// Name, as in payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::ServerDown => "server-down",
            Cause::AfterClose => "after-close",
            Cause::TakenOver => "taken-over",
            Cause::Expired => "expired",
            Cause::NoPeer => "no-peer",
            Cause::Dropped => "dropped",
            Cause::Unasked => "unasked",
        }
    }
}

/// The record of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Orphan {
    /// Time at which it became one, in seconds since the epoch.
    pub timestamp: f64,
    /// The broker where it ended.
    pub rank: u32,
    /// Cause.
    pub cause: Cause,
    /// Sender: `module NAME`, `client pid=N uid=N`, `rank N`, or as reported.
    pub sender: String,
    /// The user in whose name it was sent.
    pub userid: u32,
    /// Topic.
    pub topic: String,
    /// The job that it is about, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// Seconds between the closing of its way back, or its deadline, and its own end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<f64>,
    /// Further details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Asks for the stored records, oldest first, and for later ones with `follow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct List {
    /// True to continue with new records until cancelled.
    #[serde(default)]
    pub follow: bool,
}

/// Some records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Batch {
    /// Oldest first.
    pub orphans: Vec<Orphan>,
}

/// Deletes the records. Counters are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clear;

/// Records an orphan that a module or a tool has found itself, such as a completion by a
/// replaced worker. Texts that are too long are cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Cause.
    pub cause: Cause,
    /// Topic of the message.
    pub topic: String,
    /// Sender; the reporter if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// The user in whose name it was sent; the reporter if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userid: Option<u32>,
    /// The job that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// Further details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

crate::json_payloads!(List, Batch, Report);
crate::no_payloads!(Clear);

crate::methods! {
    List = "orphans.list" (OWNER) => Batch, Refusal, idempotent, Stream
        : "Sends the records of late and undeliverable messages, in batches, and with `follow` \
            new ones.";
    Clear = "orphans.clear" (OWNER) => Empty, Never, idempotent
        : "Deletes the records.";
    Report = "orphans.report" (OWNER) => Empty, Never
        : "Records an orphan found by its receiver.";
}
