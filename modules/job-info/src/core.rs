//! State of the module: only requests under way. Everything else is in the KVS.

use std::collections::BTreeMap;

use node::{CallId, Cx, Peer, StreamId};
use proto::data::JobId;
use proto::job_info::{JobInfoError, Stats};
use proto::kvs::{Found, Lookup, PRIMARY};
use proto::{Coded as _, Errno, Refusal};

use crate::log::check_access;
use crate::update::UpdateWatcher;
use crate::watch::Watcher;

/// Requests under way.
#[derive(Debug, Default)]
pub struct JobInfo {
    pub(crate) watchers: BTreeMap<StreamId, Watcher>,
    pub(crate) updates: BTreeMap<StreamId, UpdateWatcher>,
    pub(crate) n_lookups: u64,
    pub(crate) n_update_lookups: u64,
}

impl JobInfo {
    /// Number of open requests of each kind.
    pub(crate) fn stats(&self) -> Stats {
        let guests = self.watchers.values().filter(|w| w.is_guest()).count();
        Stats {
            lookups: self.n_lookups,
            watchers: (self.watchers.len() - guests) as u64,
            guest_watchers: guests as u64,
            update_lookups: self.n_update_lookups,
            update_watchers: self.updates.len() as u64,
        }
    }

    /// Handles the end of a stream: its requests to others are cancelled.
    pub(crate) fn closed(&mut self, cx: &mut Cx<Self>, stream: StreamId) {
        if let Some(mut watcher) = self.watchers.remove(&stream) {
            watcher.drop_calls(cx);
            watcher.forget();
        }
        if let Some(watcher) = self.updates.remove(&stream) {
            watcher.forget(cx);
        }
    }
}

/// Checks whether `peer` may read the job of this log. In private mode a job that it may
/// not read is answered as one that is not there.
pub(crate) fn admit(cx: &Cx<JobInfo>, log: &str, peer: &Peer) -> Result<(), Refusal> {
    check_access(log, peer).map_err(|error| match error {
        JobInfoError::Restricted if cx.is_private_to(peer) => JobInfoError::InvalidId.refusal(),
        error => error.refusal(),
    })
}

/// Ends a watch in the KVS; later responses to it are dropped.
pub(crate) fn drop_watch(cx: &mut Cx<JobInfo>, call: CallId) {
    cx.cancel_call(call, "kvs-watch.cancel");
    cx.forget_call(call);
}

/// Looks up a key below a job's directory; a missing one is `Ok(None)`.
pub(crate) fn lookup(
    cx: &mut Cx<JobInfo>,
    id: JobId,
    key: &str,
    then: impl FnOnce(&mut JobInfo, &mut Cx<JobInfo>, Result<Option<String>, Refusal>) + 'static,
) {
    let request = Lookup::new(PRIMARY, &id.kvs_key(key), 0);
    let key = key.to_owned();
    cx.call(&request.clone(), move |core, cx, result| match result {
        // The guest directory was a link to a namespace that has gone. The job has ended,
        // and what the namespace had has come into the place of the link before that.
        Err(refusal) if refusal.errno == Errno::EOPNOTSUPP => {
            cx.call(&request, move |core, cx, result| {
                then(core, cx, value_of(key, result));
            });
        }
        result => then(core, cx, value_of(key, result)),
    });
}

fn value_of(key: String, result: Result<Found, Refusal>) -> Result<Option<String>, Refusal> {
    match result {
        Ok(found) => {
            let bytes = found.bytes().map(|bytes| bytes.to_vec());
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            text.map(Some)
                .ok_or_else(|| JobInfoError::BadValue(key).refusal())
        }
        // A link to a namespace that nobody has copied: its job-exec died.
        Err(refusal) if refusal.errno == Errno::EOPNOTSUPP => Ok(None),
        Err(refusal) if refusal.errno == Errno::ENOENT => Ok(None),
        Err(refusal) => Err(refusal),
    }
}
