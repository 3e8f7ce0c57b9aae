//! Transport of transactions from other ranks to rank 0, the only writer (protocol/21 section
//! 2).
//!
//! `kvs.relaycommit` is the protocol's: one transaction, without an answer. `kvs.relay` is
//! ours: what has queued on a rank and below goes up in one message, and its answer says what
//! became of each. A transaction is known by the broker where it was made and the number that
//! this broker gave it, so that it is done once however often it is sent.

use serde::{Deserialize, Serialize};

use super::{NamespaceCreate, Op};
use crate::RawJson;
use crate::schema::JsonSchema;

/// Transactions of several ranks, to be applied in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Relay {
    /// By where they were made; of one rank there may be several.
    pub blocks: Vec<RelayBlock>,
}

/// Transactions that were made on one rank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RelayBlock {
    /// Rank.
    pub rank: u32,
    /// UUID of its broker.
    pub origin: String,
    /// Those with lower numbers have been answered and will not come again; 0 when that is
    /// not known.
    pub floor: u64,
    /// In the order in which they were made.
    pub txns: Vec<RelayTxn>,
}

/// One transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RelayTxn {
    /// By which it is recognised; 0 for one that is not.
    pub number: u64,
    /// By which events tell of it.
    pub name: String,
    /// In which namespace.
    pub namespace: String,
    /// As of the commit.
    pub flags: u32,
    /// As of the commit; passed on as text.
    pub ops: RawJson,
    /// As of the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<String>,
}

/// Results of relayed transactions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Relayed {
    /// Of each, in the order of the request.
    pub results: Vec<RelayResult>,
}

/// Result of one transaction: a version, or an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct RelayResult {
    /// Root directory of the version that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rootref: Option<String>,
    /// Number of that version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rootseq: Option<i64>,
    /// Error number if it was not applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errnum: Option<u32>,
    /// The same as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Applies a transaction of another rank: the end is told by an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RelayCommit {
    /// Operations, in this order.
    pub ops: Vec<Op>,
    /// By which events tell of it.
    pub name: String,
    /// In which namespace.
    pub namespace: String,
    /// As of a commit.
    pub flags: u32,
}

/// Makes a namespace on behalf of a client of another rank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RelayCreate {
    /// Namespace to create.
    #[serde(flatten)]
    pub create: NamespaceCreate,
    /// The client's rank.
    pub rank: u32,
    /// UUID of its broker.
    pub origin: String,
    /// The number that this broker gave the request, 0 for none.
    pub number: u64,
}
