//! content-backing.*: the store behind the content service (protocol/04 section 3). The
//! content module answers these itself from its `content.sqlite`.

use bytes::Bytes;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::content::{Blob, Checkpoint, CheckpointGetError, Checkpoints, Digest};
use crate::content::{LoadError, StoreError};
use crate::{BadPayload, Empty, Payload, Refusal};

/// Asks for the blob with this digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load(pub Bytes);

/// Stores a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store(pub Bytes);

/// Asks whether the blob with this digest is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validate(pub Bytes);

/// Asks for the checkpoints that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CheckpointGet;

/// Keeps a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckpointPut {
    /// Which.
    pub value: Checkpoint,
}

macro_rules! raw_payloads {
    ($($name:ident),*) => {
        $(impl Payload for $name {
            fn encode(&self) -> Bytes { self.0.clone() }
            fn decode(payload: Option<&Bytes>) -> Result<Self, BadPayload> {
                Ok($name(payload.cloned().unwrap_or_default()))
            }
            fn schema() -> Option<Schema> { None }
        })*
    };
}

raw_payloads!(Load, Store, Validate);
crate::json_payloads!(CheckpointPut);
crate::no_payloads!(CheckpointGet);

crate::methods! {
    Load = "content-backing.load" (OWNER) => Blob, LoadError, idempotent
        : "Gives the blob with a digest.";
    Store = "content-backing.store" (OWNER) => Digest, StoreError, idempotent
        : "Stores a blob and answers with its digest.";
    Validate = "content-backing.validate" (OWNER) => Empty, LoadError, idempotent
        : "Says whether a blob is there.";
    CheckpointGet = "content-backing.checkpoint-get" (OWNER)
        => Checkpoints, CheckpointGetError, idempotent
        : "Gives the checkpoints that are kept.";
    CheckpointPut = "content-backing.checkpoint-put" (OWNER) => Empty, Refusal, idempotent
        : "Keeps a checkpoint.";
}
