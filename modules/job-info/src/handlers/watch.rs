//! `eventlog-watch` and `update-watch`: the request is checked here, the rest is in
//! `watch.rs` and `update.rs` of the crate.

use node::{Cx, Peer, Stream};
use proto::Coded as _;
use proto::job_info::{EventlogWatch, INITIAL_SENTINEL, JobInfoError, UpdateWatch, WAITCREATE};

use crate::JobInfo;
use crate::limits::WATCHES_MAX;
use crate::log::Updated;
use crate::update::UpdateWatcher;
use crate::watch::Watcher;

pub fn eventlog_watch(
    core: &mut JobInfo,
    cx: &mut Cx<JobInfo>,
    from: &Peer,
    request: EventlogWatch,
    stream: Stream<EventlogWatch>,
) {
    let is_known = request.path == "eventlog" || request.path.starts_with("guest.");
    let error = if request.flags & !(WAITCREATE | INITIAL_SENTINEL) != 0 {
        JobInfoError::WatchFlag
    } else if !is_known {
        JobInfoError::KeyNotFound(request.path.clone())
    } else if core.watchers.len() >= WATCHES_MAX {
        JobInfoError::TooMany
    } else {
        return core.watch(cx, Watcher::new(from.clone(), request, stream));
    };
    stream.end(cx, Err(error.refusal()));
}

pub fn update_watch(
    core: &mut JobInfo,
    cx: &mut Cx<JobInfo>,
    from: &Peer,
    request: UpdateWatch,
    stream: Stream<UpdateWatch>,
) {
    let error = match Updated::of(&request.key) {
        _ if request.flags != 0 => JobInfoError::UpdateFlag,
        None => JobInfoError::UpdateKey,
        Some(_) if core.updates.len() >= WATCHES_MAX => JobInfoError::TooMany,
        Some(key) => {
            let watcher = UpdateWatcher::new(from.clone(), request.id, key, stream);
            return core.watch_updates(cx, watcher);
        }
    };
    stream.end(cx, Err(error.refusal()));
}
