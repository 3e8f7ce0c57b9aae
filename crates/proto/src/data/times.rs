//! Histogram of durations, of fixed size with exponentially growing buckets, and its form in
//! the response to `stats-get`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::schema::JsonSchema;

/// Each power of two is cut into this many buckets, so that a time is known to a fifth.
const PARTS_BITS: u32 = 2;
const PARTS: usize = 1 << PARTS_BITS;
/// The first buckets are this wide, in powers of two of a nanosecond: about a quarter of a
/// microsecond.
const FIRST_BITS: u32 = 8;
/// The last bucket ends at 2 to the power of 36 nanoseconds, after a minute; it includes longer
/// times.
const BUCKETS: usize = 27 * PARTS;

/// Histogram of durations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    buckets: Box<[u32; BUCKETS]>,
    max: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            buckets: Box::new([0; BUCKETS]),
            max: Duration::ZERO,
        }
    }
}

impl Histogram {
    /// Counts `time`.
    pub fn add(&mut self, time: Duration) {
        let bucket = &mut self.buckets[bucket_of(time)];
        *bucket = bucket.saturating_add(1);
        self.max = self.max.max(time);
    }

    /// Adds the counts of another.
    pub fn add_all(&mut self, other: &Histogram) {
        for (bucket, more) in self.buckets.iter_mut().zip(other.buckets.iter()) {
            *bucket = bucket.saturating_add(*more);
        }
        self.max = self.max.max(other.max);
    }

    /// True if nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.buckets.iter().all(|n| *n == 0)
    }

    /// The form in responses.
    pub fn told(&self) -> Times {
        let filled = self.buckets.iter().enumerate().filter(|(_, n)| **n > 0);
        let buckets = filled.map(|(at, n)| (end_of(at).as_secs_f64(), u64::from(*n)));
        let buckets = buckets.collect();
        Times::new(buckets, self.max.as_secs_f64())
    }
}

fn bucket_of(time: Duration) -> usize {
    let units = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX) >> FIRST_BITS;
    let Some(power) = units.checked_ilog2().filter(|power| *power >= PARTS_BITS) else {
        return units as usize;
    };
    let part = (units >> (power - PARTS_BITS)) as usize & (PARTS - 1);
    ((power - PARTS_BITS + 1) as usize * PARTS + part).min(BUCKETS - 1)
}

/// The upper bound of a bucket.
fn end_of(bucket: usize) -> Duration {
    let (group, part) = ((bucket + 1) / PARTS, (bucket + 1) % PARTS);
    let units = match group {
        0 => part as u64,
        _ => ((PARTS + part) as u64) << (group - 1),
    };
    Duration::from_nanos(units << FIRST_BITS)
}

/// Histogram of durations in seconds. A value is the end of its bucket, up to a fifth too long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Times {
    /// Number of durations.
    pub count: u64,
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// Maximum.
    pub max: f64,
    /// Each bucket that is not empty: the time at which it ends, and its count.
    pub buckets: Vec<(f64, u64)>,
}

impl Times {
    /// Times with these buckets.
    pub fn new(buckets: Vec<(f64, u64)>, max: f64) -> Times {
        let count = buckets.iter().map(|(_, n)| n).sum();
        let mut times = Times {
            count,
            max,
            buckets,
            ..Times::default()
        };
        times.p50 = times.quantile(0.5);
        times.p99 = times.quantile(0.99);
        times.p999 = times.quantile(0.999);
        times
    }

    /// The time that this part of all did not exceed.
    pub fn quantile(&self, part: f64) -> f64 {
        let mut below = (self.count as f64 * part).ceil() as u64;
        for (end, n) in &self.buckets {
            if below <= *n {
                return end.min(self.max);
            }
            below -= n;
        }
        self.max
    }

    /// Number of durations certainly longer than `limit`: a bucket begins at four fifths of its
    /// end or later.
    pub fn above(&self, limit: f64) -> u64 {
        let is_above = |end: f64| end * 0.8 >= limit;
        let above = self.buckets.iter().filter(|(end, _)| is_above(*end));
        above.map(|(_, n)| n).sum()
    }

    /// Durations added since `before`. The maximum is that of the whole time, unless it
    /// was seen before.
    pub fn since(&self, before: &Times) -> Times {
        let had = |end: f64| {
            let same = before.buckets.iter().find(|(other, _)| *other == end);
            same.map_or(0, |(_, n)| *n)
        };
        let buckets: Vec<(f64, u64)> = self
            .buckets
            .iter()
            .map(|(end, n)| (*end, n.saturating_sub(had(*end))))
            .filter(|(_, n)| *n > 0)
            .collect();
        let longest = buckets.last().map_or(0.0, |(end, _)| *end);
        Times::new(buckets, longest.min(self.max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_in_the_bucket_that_ends_behind_it() {
        for exponent in 0..40 {
            for step in 0..7 {
                let nanos = (1u64 << exponent) + step * (1u64 << exponent) / 7;
                let time = Duration::from_nanos(nanos);
                let bucket = bucket_of(time);
                if bucket == BUCKETS - 1 {
                    continue;
                }
                assert!(time < end_of(bucket), "{time:?} in {bucket}");
                assert!(bucket == 0 || time >= end_of(bucket - 1), "{time:?}");
            }
        }
        assert_eq!(end_of(BUCKETS - 1), Duration::from_nanos(1 << 36));
        assert_eq!(bucket_of(Duration::from_secs(100)), BUCKETS - 1);
    }

    fn times(millis: &[(u64, u32)]) -> Times {
        let mut all = Histogram::default();
        for (ms, n) in millis {
            (0..*n).for_each(|_| all.add(Duration::from_millis(*ms)));
        }
        all.told()
    }

    #[test]
    fn quantiles_are_those_of_the_buckets() {
        let told = times(&[(1, 998), (10, 1), (100, 1)]);
        assert_eq!((told.count, told.max), (1000, 0.1));
        let near = |value: f64, want: f64| assert!(value >= want && value < want * 1.25, "{value}");
        near(told.p50, 0.001);
        near(told.p99, 0.001);
        near(told.p999, 0.01);
        assert_eq!(told.quantile(1.0), 0.1);
        assert_eq!(times(&[]), Times::default());
        assert_eq!(times(&[(7, 1)]).p50, 0.007, "no longer than the longest");
    }

    #[test]
    fn two_are_one() {
        let mut both = Histogram::default();
        assert!(both.is_empty());
        for micros in [3, 900] {
            let mut one = Histogram::default();
            one.add(Duration::from_micros(micros));
            both.add_all(&one);
        }
        assert!(!both.is_empty());
        assert_eq!((both.told().count, both.told().max), (2, 0.0009));
    }

    #[test]
    fn what_is_above_a_limit_is_counted() {
        let told = times(&[(1, 5), (7, 3), (40, 2)]);
        assert_eq!(told.above(0.005), 5);
        assert_eq!(told.above(0.02), 2);
        assert_eq!(told.above(1.0), 0);
        assert_eq!(told.above(0.0), 10);
    }

    #[test]
    fn what_has_come_since_is_told_apart() {
        let (before, after) = (times(&[(1, 5), (40, 1)]), times(&[(1, 7), (3, 1), (40, 1)]));
        let since = after.since(&before);
        assert_eq!(since.count, 3);
        assert!(since.max < 0.004, "{}", since.max);
        assert_eq!(after.since(&after), Times::default());
    }
}
