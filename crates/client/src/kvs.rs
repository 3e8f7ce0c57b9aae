//! The key-value store: which version it has here, and waiting until it has one (RFC 9). Looking up,
//! committing and watching are calls as any others: `proto::kvs`, `proto::kvs_watch`.

use proto::Refusal;
use proto::kvs::{GetRoot, WaitVersion};

use crate::handle::Handle;

impl Handle {
    /// The version of `namespace` as the broker that we are connected to knows it. Blocks.
    pub fn kvs_get_version(&mut self, namespace: &str) -> Result<i64, Refusal> {
        let namespace = namespace.to_owned();
        Ok(self.rpc(&GetRoot { namespace })?.rootseq)
    }

    /// Blocks until the broker that we are connected to has `namespace` in this version, or a later
    /// one: then everything is there that was committed up to it, on any rank.
    pub fn kvs_wait_version(&mut self, namespace: &str, version: i64) -> Result<(), Refusal> {
        let wait = WaitVersion {
            namespace: namespace.to_owned(),
            rootseq: version,
        };
        self.rpc(&wait).map(drop)
    }
}
