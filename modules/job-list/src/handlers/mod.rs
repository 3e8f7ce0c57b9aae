//! One file a method, or several that belong together. All but `job-stats` wait until
//! the history is known.

pub mod follow;
pub mod list;
pub mod list_id;
pub mod stats;

use node::Cx;

use crate::JobList;
use crate::limits::DEFERRED_MAX;

/// Runs `then` now, or when the history is known. Returns `false` when too many wait.
pub(crate) fn when_initialized(
    core: &mut JobList,
    cx: &mut Cx<JobList>,
    then: impl FnOnce(&mut JobList, &mut Cx<JobList>) + 'static,
) {
    if core.feed.is_initialized() {
        then(core, cx);
    } else {
        core.deferred.push(Box::new(then));
    }
}

/// True if one more request may wait.
pub(crate) fn has_room(core: &JobList) -> bool {
    core.deferred.len() < DEFERRED_MAX
}
