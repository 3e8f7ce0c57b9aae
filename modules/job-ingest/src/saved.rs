//! The ids of jobs whose submitters may not have been answered, kept in the KVS: a submission
//! that comes again after our death gets the id that it had (`node::Recall`).
//!
//! They are written in the commit that stores the jobs, so a start finds those of every
//! commit that was applied.

use node::{Cx, Recall};
use proto::data::JobId;
use proto::kvs::{Commit, Lookup, Op, PRIMARY};
use proto::{Errno, Refusal};
use serde::{Deserialize, Serialize};

use crate::JobIngest;

const KEY: &str = "checkpoint.job-ingest";
const VERSION: u32 = 1;

/// What is kept: numbers of requests with the ids of their jobs.
#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    jobs: Vec<(u64, u64)>,
}

/// What a commit writes besides its jobs, if there is something to remember.
pub(crate) fn write(recall: &Recall<JobId>) -> Option<Op> {
    let jobs: Vec<_> = recall.to_store().map(|(n, id)| (n, id.0)).collect();
    if jobs.is_empty() {
        return None;
    }
    let version = VERSION;
    let text = serde_json::to_string(&Saved { version, jobs }).ok()?;
    Some(Op::put(KEY, text))
}

/// Reads what a predecessor has written, after its last commit: one without operations goes
/// through the same queue.
pub(crate) fn read(
    cx: &mut Cx<JobIngest>,
    then: impl FnOnce(&mut JobIngest, &mut Cx<JobIngest>) + 'static,
) {
    cx.call(&Commit::new(PRIMARY), |_, cx, result| {
        if let Err(refusal) = result {
            return cx.started(Err(refusal));
        }
        cx.call(&Lookup::new(PRIMARY, KEY, 0), |core, cx, result| {
            let saved = match result {
                Ok(found) => decode(&found.bytes().unwrap_or_default()),
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
        });
    });
}

fn decode(text: &[u8]) -> Result<Recall<JobId>, Refusal> {
    match serde_json::from_slice(text) {
        Ok(Saved {
            version: VERSION,
            jobs,
        }) => Ok(Recall::of(jobs.into_iter().map(|(n, id)| (n, JobId(id))))),
        _ => {
            let text = format!("{KEY} has a form that is not known");
            Err(Refusal::new(Errno::ENOTRECOVERABLE, text))
        }
    }
}
