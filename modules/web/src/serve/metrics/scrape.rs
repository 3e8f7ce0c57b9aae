//! The values of one scrape, and their text.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use proto::data::times::Times;

use super::figures::{ALL, Figure};

/// The first bucket of histograms ends here; each following one is four times as long. These are ends
/// of buckets of [`Times`] too, so that counts are exact.
const FIRST_BUCKET: f64 = 4096e-9;
const BUCKETS: i32 = 11;

/// Values of labels, in the order of their names.
type Labels = Vec<(&'static str, String)>;

/// Figures collected for one answer.
#[derive(Debug, Default)]
pub struct Scrape {
    values: BTreeMap<&'static str, Vec<(Labels, Value)>>,
}

#[derive(Debug)]
enum Value {
    Number(f64),
    Times {
        sum: f64,
        count: u64,
        buckets: Vec<(f64, u64)>,
    },
}

impl Scrape {
    /// A value of a figure, for these values of its labels.
    pub fn add(&mut self, figure: &Figure, labels: &[&str], value: f64) {
        self.put(figure, labels, Value::Number(value));
    }

    /// The same of a number of things.
    pub fn count(&mut self, figure: &Figure, labels: &[&str], n: u64) {
        self.add(figure, labels, n as f64);
    }

    /// Adds a histogram of durations.
    pub fn times(&mut self, figure: &Figure, labels: &[&str], times: &Times) {
        let (count, sum) = (times.count, seconds(times));
        let buckets = buckets(times);
        self.put(
            figure,
            labels,
            Value::Times {
                sum,
                count,
                buckets,
            },
        );
    }

    fn put(&mut self, figure: &Figure, labels: &[&str], value: Value) {
        debug_assert_eq!(figure.labels.len(), labels.len(), "{}", figure.name);
        let labels = figure.labels.iter().zip(labels);
        let labels = labels.map(|(name, value)| (*name, (*value).to_owned()));
        let values = self.values.entry(figure.name).or_default();
        values.push((labels.collect(), value));
    }

    /// All of it, with the rank of the broker at each value.
    pub fn text(self, rank: u32) -> Result<String, fmt::Error> {
        let rank = [("rank".into(), rank.to_string().into())];
        let mut registry = Registry::with_labels(rank.into_iter());
        registry.register_collector(Box::new(self));
        let mut written = String::new();
        text::encode(&mut written, &registry)?;
        Ok(written)
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        for figure in ALL {
            let Some(values) = self.values.get(figure.name) else {
                continue;
            };
            let (name, kind) = (figure.name, figure.kind);
            let mut family = encoder.encode_descriptor(name, figure.help, None, kind)?;
            for (labels, value) in values {
                let mut one = family.encode_family(labels)?;
                match (value, kind) {
                    (
                        Value::Times {
                            sum,
                            count,
                            buckets,
                        },
                        _,
                    ) => {
                        one.encode_histogram::<NoLabelSet>(*sum, *count, buckets, None)?;
                    }
                    (Value::Number(n), MetricType::Counter) => {
                        one.encode_counter::<NoLabelSet, f64, f64>(n, None)?;
                    }
                    (Value::Number(n), _) => one.encode_gauge(n)?,
                }
            }
        }
        Ok(())
    }
}

/// Sum of the durations, by the ends of the buckets.
pub fn seconds(times: &Times) -> f64 {
    times.buckets.iter().map(|(end, n)| end * *n as f64).sum()
}

/// The times in our few buckets.
fn buckets(times: &Times) -> Vec<(f64, u64)> {
    let ends = (0..BUCKETS).map(|n| FIRST_BUCKET * 4f64.powi(n));
    let mut buckets: Vec<(f64, u64)> = ends.map(|end| (end, 0)).collect();
    buckets.push((f64::INFINITY, 0));
    for (end, n) in &times.buckets {
        // What is written as a number of seconds may be a little too large.
        let fits = |bucket: &&mut (f64, u64)| *end <= bucket.0 * (1.0 + 1e-9);
        if let Some(bucket) = buckets.iter_mut().find(fits) {
            bucket.1 += n;
        }
    }
    buckets
}
