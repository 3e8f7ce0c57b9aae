//! Handlers that hold their loop too long, by the histograms that modules keep.

use proto::common::HandlerTimes;
use proto::data::times::Times;

use super::{Findings, Place};

/// Limit of a duration.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// A handler that takes longer, in seconds, ...
    pub seconds: f64,
    /// ... this many times is slow, if these are more than one of a thousand. Actions that
    /// occur once, such as reading existing data at the start, are no breach.
    pub times: u64,
}

/// Checks the times of the handlers of `who` between two answers to `stats-get`.
pub fn slow(
    who: &str,
    before: Option<&HandlerTimes>,
    after: &HandlerTimes,
    limit: Limit,
    found: &mut Findings,
) {
    for (name, times) in &after.each {
        let had = before.and_then(|before| before.each.get(name));
        let times = had.map_or_else(|| times.clone(), |had| times.since(had));
        let n_slow = times.above(limit.seconds);
        if is_slow(&times, n_slow, limit) {
            let place = Place {
                rule: "slow-handler",
                who: who.to_owned(),
                topic: name.clone(),
                key: None,
            };
            let why = || {
                format!(
                    "held the loop for more than {:.0} ms, {:.0} ms at most, {n_slow} times of {}",
                    limit.seconds * 1e3,
                    times.max * 1e3,
                    times.count
                )
            };
            found.add_times(place, n_slow, why);
        }
    }
}

fn is_slow(times: &Times, n_slow: u64, limit: Limit) -> bool {
    n_slow >= limit.times.max(1) && n_slow * 1000 > times.count
}
