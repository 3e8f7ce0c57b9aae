//! Transport of transactions from other ranks to rank 0, the only writer (protocol/21 section
//! 2).
//!
//! `kvs.relaycommit` is the protocol's: one transaction, without an answer. `kvs.relay` is
//! ours: transactions that have queued on a rank and below go up in one message, and its
//! answer has the result of each. A transaction is identified by the broker where it was made
//! and the number that this broker gave it, so that repetitions have no effect.

use serde::{Deserialize, Serialize};

use super::{NamespaceCreate, Op};
use crate::RawJson;
use crate::schema::JsonSchema;

/// Transactions of several ranks, to be applied in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Relay {
    /// Transactions by the rank at which they were made; there may be several blocks of
    /// one rank.
    pub blocks: Vec<RelayBlock>,
}

/// Transactions that were made on one rank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RelayBlock {
    /// Rank.
    pub rank: u32,
    /// UUID of its broker.
    pub origin: String,
    /// Transactions with lower numbers have been answered and will not come again; 0 when
    /// unknown.
    pub floor: u64,
    /// Transactions, in the order in which they were made.
    pub txns: Vec<RelayTxn>,
}

/// One transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RelayTxn {
    /// Number by which it is recognised; 0 for none.
    pub number: u64,
    /// Name of the transaction in events.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Flags of the commit.
    pub flags: u32,
    /// Operations of the commit; passed on as text.
    pub ops: RawJson,
    /// Value `once` of the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<String>,
}

/// Results of relayed transactions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Relayed {
    /// Result of each, in the order of the request.
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
    /// Error text if it was not applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Applies a transaction of another rank: the result is announced by an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RelayCommit {
    /// Operations, in this order.
    pub ops: Vec<Op>,
    /// Name of the transaction in events.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Flags of the commit.
    pub flags: u32,
}

/// Creates a namespace on behalf of a client of another rank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RelayCreate {
    /// Namespace to create.
    #[serde(flatten)]
    pub create: NamespaceCreate,
    /// The client's rank.
    pub rank: u32,
    /// UUID of its broker.
    pub origin: String,
    /// Number that this broker gave the request, 0 for none.
    pub number: u64,
}
