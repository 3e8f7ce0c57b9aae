//! `job-list.follow`: jobs, and then each change of one.

use node::{Cx, Peer, Stream};
use proto::job_list::{Follow, FollowTaken, ListError};
use proto::{Coded as _, Empty, Never};
use serde_json::Value;

use super::list::attr_names;
use super::{has_room, when_initialized};
use crate::JobList;
use crate::attrs::Attrs;
use crate::followers::Follower;
use crate::limits::{CHUNK_JOBS_MAX, FOLLOWERS_MAX, FOLLOWERS_OF_GUEST_MAX};
use crate::query;

pub fn follow(
    core: &mut JobList,
    cx: &mut Cx<JobList>,
    from: &Peer,
    request: Follow,
    stream: Stream<Follow>,
) {
    if !has_room(core) {
        return stream.end(cx, Err(ListError::TooManyWaits.refusal()));
    }
    let from = from.clone();
    when_initialized(core, cx, move |core, cx| {
        let (attrs, query) = match check(core, &from, &request) {
            Ok(checked) => checked,
            Err(error) => return stream.end(cx, Err(error.refusal())),
        };
        let chunk = request.chunk.unwrap_or(1).clamp(1, CHUNK_JOBS_MAX) as usize;
        let follower = Follower::new(stream, from, query, attrs, &request, chunk);
        core.followers.add(follower);
        core.serve_followers(cx);
    });
}

pub fn follow_taken(
    core: &mut JobList,
    cx: &mut Cx<JobList>,
    from: &Peer,
    request: FollowTaken,
) -> Result<Empty, Never> {
    core.followers.taken(from, &request);
    core.serve_followers(cx);
    Ok(Empty)
}

fn check(
    core: &JobList,
    from: &Peer,
    request: &Follow,
) -> Result<(Attrs, query::Query), ListError> {
    let of_user = core.followers.of_user(from.userid);
    let is_full = !from.is_owner() && of_user >= FOLLOWERS_OF_GUEST_MAX;
    if is_full || core.followers.len() >= FOLLOWERS_MAX {
        return Err(ListError::TooManyFollowers);
    }
    let bad = |text: &str| ListError::Payload(text.to_owned());
    if request.window == Some(0) {
        return Err(bad("window < 1 not allowed"));
    }
    if request.since.is_some_and(|since| since < 0.0) {
        return Err(bad("since < 0.0 not allowed"));
    }
    let attrs = Attrs::new(&attr_names(request.attrs.clone())?)?;
    let constraint = request.constraint.as_ref().unwrap_or(&Value::Null);
    let query = query::parse(constraint, &core.settings.instance);
    Ok((attrs, query.map_err(ListError::Constraint)?))
}
