//! The ids of jobs whose submitters may not have been answered, kept in the KVS: a submission
//! that comes again after our death gets the id that it had (`node::Recall`).
//!
//! They are written in the commit that stores the jobs, so a start finds those of every
//! commit that was applied.

use node::{Cx, Recall};
use proto::Errno;
use proto::data::JobId;
use proto::kvs::{Commit, Lookup, Op, PRIMARY};

use crate::JobIngest;

/// Each rank has its own: its broker gives the numbers.
fn key(rank: u32) -> String {
    match rank {
        0 => "checkpoint.job-ingest".to_owned(),
        rank => format!("checkpoint.job-ingest-{rank}"),
    }
}

/// Record that a batch writes besides its jobs, if there is something to remember.
pub(crate) fn write(recall: &Recall<JobId>, rank: u32, batch: u64) -> Option<Op> {
    recall.op(&key(rank), batch)
}

/// Reads the data of a predecessor, after its last commit: a commit without operations goes
/// through the same queue.
pub(crate) fn read(
    cx: &mut Cx<JobIngest>,
    then: impl FnOnce(&mut JobIngest, &mut Cx<JobIngest>) + 'static,
) {
    cx.call(&Commit::new(PRIMARY), |_, cx, result| {
        // One that is refused because there is no room has gone through it too.
        if let Err(refusal) = result
            && !refusal.may_pass()
        {
            return cx.started(Err(refusal));
        }
        cx.call(
            &Lookup::new(PRIMARY, &key(cx.rank()), 0),
            |core, cx, result| {
                let saved = match result {
                    Ok(found) => Recall::decode(&found.bytes().unwrap_or_default()),
                    Err(refusal) if refusal.errno == Errno::ENOENT => Ok(Recall::default()),
                    Err(refusal) => Err(refusal),
                };
                match saved {
                    Ok(recall) => {
                        core.recall = recall;
                        then(core, cx);
                    }
                    Err(refusal) => cx.started(Err(refusal)),
                }
            },
        );
    });
}
