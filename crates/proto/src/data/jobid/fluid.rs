//! Generator of job ids (RFC 19): unique without communication, roughly in order of time.
//!
//! A pure counter: the caller passes monotonic milliseconds and decides how to handle a
//! millisecond that is used up (wait for the next one).

use super::JobId;

/// Bits of the generator id.
const GENERATOR_BITS: u32 = 14;
/// Ids that one generator can make in one millisecond.
const SEQUENCE_END: u32 = 1 << 10;
/// First timestamp that no longer fits its 40 bits.
const TIMESTAMP_END: u64 = 1 << 40;

/// Default of `max-fluid-generator-id`: sixteen generators stay reserved.
pub const GENERATOR_DEFAULT_MAX: u32 = (1 << GENERATOR_BITS) - 16 - 1;

/// Errors of generating an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FluidError {
    /// The generator id has more than 14 bits.
    #[error("job id generator {0} is out of range")]
    GeneratorRange(u32),
    /// All ids of this millisecond are taken; ask again in the next one.
    #[error("all job ids of this millisecond are used")]
    Exhausted,
    /// The 40-bit clock has run out.
    #[error("job id timestamp overflow")]
    TimestampRange,
}

/// Makes the ids of one generator, each higher than the one before.
#[derive(Debug, Clone)]
pub struct FluidGenerator {
    generator: u32,
    /// Timestamp that ids made at `epoch_ms` carry.
    start: u64,
    /// The caller's clock when the generator was made, milliseconds.
    epoch_ms: u64,
    /// Timestamp of the newest id.
    last: u64,
    /// Ids already made with that timestamp.
    used: u32,
}

impl FluidGenerator {
    /// A generator whose ids begin at timestamp `start`, at the moment `now_ms` of the caller's
    /// monotonic clock (milliseconds).
    pub fn new(generator: u32, start: u64, now_ms: u64) -> Result<Self, FluidError> {
        if generator >> GENERATOR_BITS != 0 {
            return Err(FluidError::GeneratorRange(generator));
        }
        if start >= TIMESTAMP_END {
            return Err(FluidError::TimestampRange);
        }
        Ok(Self {
            generator,
            start,
            epoch_ms: now_ms,
            last: start,
            used: 0,
        })
    }

    /// A generator whose ids are all above `max`, the highest id known (rank 0 at start).
    pub fn after(generator: u32, max: JobId, now_ms: u64) -> Result<Self, FluidError> {
        Self::new(generator, max.timestamp_ms() + 1, now_ms)
    }

    /// The timestamp of an id made now: the answer of `job-ingest.getinfo`, in milliseconds.
    pub fn timestamp(&self, now_ms: u64) -> u64 {
        let passed = now_ms.saturating_sub(self.epoch_ms);
        self.start.saturating_add(passed).max(self.last)
    }

    /// The next id, or the reason why there is none at `now_ms`.
    pub fn next(&mut self, now_ms: u64) -> Result<JobId, FluidError> {
        let timestamp = self.timestamp(now_ms);
        if timestamp >= TIMESTAMP_END {
            return Err(FluidError::TimestampRange);
        }
        if timestamp > self.last {
            self.last = timestamp;
            self.used = 0;
        }
        if self.used == SEQUENCE_END {
            return Err(FluidError::Exhausted);
        }
        let id = timestamp << 24 | u64::from(self.generator) << 10 | u64::from(self.used);
        self.used += 1;
        Ok(JobId(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_millisecond_holds_1024_ids_and_then_is_exhausted() {
        let mut fluid = FluidGenerator::new(3, 7, 1_000).unwrap();
        for sequence in 0..1024 {
            let id = fluid.next(1_000).unwrap();
            assert_eq!(
                (id.timestamp_ms(), id.generator(), id.sequence()),
                (7, 3, sequence)
            );
        }
        assert_eq!(fluid.next(1_000), Err(FluidError::Exhausted));
        assert_eq!(
            fluid
                .next(1_001)
                .map(|id| (id.timestamp_ms(), id.sequence())),
            Ok((8, 0))
        );
    }

    #[test]
    fn a_clock_that_steps_back_makes_no_id_twice() {
        let mut fluid = FluidGenerator::new(0, 0, 100).unwrap();
        let first = fluid.next(150).unwrap();
        let second = fluid.next(120).unwrap();
        assert!(second > first);
        assert_eq!(fluid.timestamp(90), 50);
    }

    #[test]
    fn ids_after_a_restart_are_above_the_highest_known() {
        let max = JobId(6731191091817518);
        let mut fluid = FluidGenerator::after(0, max, 0).unwrap();
        assert!(fluid.next(0).unwrap() > max);
        assert_eq!(fluid.timestamp(5), (max.0 >> 24) + 6);
    }

    #[test]
    fn generator_and_clock_are_bounded() {
        assert_eq!(GENERATOR_DEFAULT_MAX, 16367);
        assert_eq!(
            FluidGenerator::new(16384, 0, 0).unwrap_err(),
            FluidError::GeneratorRange(16384)
        );
        assert_eq!(
            FluidGenerator::after(0, JobId::ANY, 0).unwrap_err(),
            FluidError::TimestampRange
        );
        let mut fluid = FluidGenerator::new(16383, TIMESTAMP_END - 1, 0).unwrap();
        assert!(fluid.next(0).is_ok());
        assert_eq!(fluid.next(1), Err(FluidError::TimestampRange));
        assert_eq!(fluid.next(u64::MAX), Err(FluidError::TimestampRange));
    }
}
