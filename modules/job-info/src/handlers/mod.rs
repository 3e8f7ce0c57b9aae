//! One file a kind of method.

pub mod lookup;
pub mod watch;

use node::{Cx, Peer};
use proto::Never;
use proto::job_info::{Stats, StatsGet};

use crate::JobInfo;

pub fn stats_get(
    core: &mut JobInfo,
    _: &mut Cx<JobInfo>,
    _: &Peer,
    _: StatsGet,
) -> Result<Stats, Never> {
    Ok(core.stats())
}
