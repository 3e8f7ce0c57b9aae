//! Rows of the table, and the way their figures are taken.

use std::time::Instant;

use anyhow::Result;
use client::Handle;

use super::subject::Subject;

/// One line of the table.
pub struct Row {
    /// One word, for the command line.
    pub name: &'static str,
    /// Description of the figure and its floor, for a reader of the table.
    pub what: &'static str,
    /// Of every figure of the row.
    pub unit: &'static str,
    /// Takes the figure of a `flux`.
    pub measure: Measure,
    /// Takes the figure of the machine in the same shape, without any flux; `None` where
    /// there is nothing of the same shape without one.
    pub floor: Option<fn() -> Result<f64>>,
}

/// A figure, and its comparison where that is part of the same run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The figure.
    pub figure: f64,
    /// Stands in the place of a floor.
    pub beside: Option<f64>,
}

impl From<f64> for Measured {
    fn from(figure: f64) -> Measured {
        Measured {
            figure,
            beside: None,
        }
    }
}

/// From where a figure is taken.
pub enum Measure {
    /// From outside: by running commands.
    Outside(fn(&Subject) -> Result<f64>),
    /// The same, with its comparison.
    Beside(fn(&Subject) -> Result<Measured>),
    /// From within an instance: by calling its services. This program is started again
    /// as the instance's initial program.
    Inside(fn(&mut Handle) -> Result<f64>),
    /// The same in an instance with these options of `flux start`, such as its size.
    InsideOf(&'static [&'static str], fn(&mut Handle) -> Result<Measured>),
    /// The same, in an instance of many cores that has run these shell commands before;
    /// `$FLUX` is the command under test.
    InsideAfter(fn() -> String, fn(&mut Handle) -> Result<f64>),
    /// The same on this many nodes, all but one of which are invented.
    InsideNodes(u32, fn() -> String, fn(&mut Handle) -> Result<f64>),
}

impl Row {
    /// The figure of `subject`.
    pub fn measure(&self, subject: &Subject) -> Result<Measured> {
        let figure = match self.measure {
            Measure::Outside(measure) => measure(subject)?,
            Measure::Beside(measure) => return measure(subject),
            Measure::Inside(_) => subject.measure_inside(self.name)?,
            Measure::InsideOf(options, _) => return subject.measure_inside_of(options, self.name),
            Measure::InsideAfter(setup, _) => {
                subject.measure_inside_after(self.name, 1, &setup())?
            }
            Measure::InsideNodes(nodes, setup, _) => {
                subject.measure_inside_after(self.name, nodes, &setup())?
            }
        };
        Ok(figure.into())
    }
}

/// The median of the milliseconds that `runs` runs of `work` take, after one that is
/// not counted.
pub fn median_ms(runs: usize, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    let mut samples = Vec::with_capacity(runs);
    for _ in 0..runs {
        let start = Instant::now();
        work()?;
        samples.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(samples))
}

/// The middle sample, or the mean of the two in the middle; 0 of none.
pub fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    let middle = samples.len() / 2;
    match samples.len() {
        0 => 0.0,
        n if n % 2 == 1 => samples[middle],
        _ => f64::midpoint(samples[middle - 1], samples[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), 3.0);
        assert_eq!(median(Vec::new()), 0.0);
    }
}
