//! Counters, and summaries of samples that are not kept.

use proto::kvs::Summary;

/// Counters of the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// Operations in each transaction.
    pub op_counts: Samples,
    /// Blobs asked of content.
    pub faults: u64,
}

/// Count, extremes, mean and variance of samples (Welford's method).
#[derive(Debug, Clone, Copy, Default)]
pub struct Samples {
    count: u64,
    min: f64,
    max: f64,
    mean: f64,
    squares: f64,
}

impl Samples {
    /// Takes one sample in.
    pub fn add(&mut self, sample: f64) {
        self.min = if self.count == 0 {
            sample
        } else {
            self.min.min(sample)
        };
        self.max = if self.count == 0 {
            sample
        } else {
            self.max.max(sample)
        };
        self.count += 1;
        let before = sample - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (sample - self.mean);
    }

    /// Response to `stats-get`.
    pub fn summary(&self) -> Summary {
        let variance = match self.count {
            0 | 1 => 0.0,
            count => self.squares / (count - 1) as f64,
        };
        Summary {
            count: self.count,
            min: self.min,
            mean: self.mean,
            stddev: variance.sqrt(),
            max: self.max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Samples;

    #[test]
    fn a_summary_tells_of_all_samples() {
        let mut samples = Samples::default();
        assert_eq!(samples.summary(), proto::kvs::Summary::default());
        for sample in [2.0, 4.0, 6.0] {
            samples.add(sample);
        }
        let summary = samples.summary();
        assert_eq!((summary.count, summary.min, summary.max), (3, 2.0, 6.0));
        assert_eq!((summary.mean, summary.stddev), (4.0, 2.0));
    }
}
