//! What a row is, and how its figures are taken.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// One line of the table.
pub struct Row {
    /// One word, for the command line.
    pub name: &'static str,
    /// What is measured, for a reader of the table.
    pub what: &'static str,
    /// Of every figure of the row.
    pub unit: &'static str,
    /// Takes the figure of a `flux`.
    pub measure: fn(&Subject) -> Result<f64>,
    /// Takes the figure of the machine in the same shape, without any flux.
    pub floor: fn() -> Result<f64>,
}

/// A `flux` to measure.
pub struct Subject {
    flux: PathBuf,
}

impl Subject {
    /// Measures the command at this path.
    pub fn new(flux: PathBuf) -> Self {
        Self { flux }
    }

    /// `flux ARGS...`, without anything of a surrounding instance.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.flux);
        command.args(args).stdin(Stdio::null());
        for name in [
            "FLUX_URI",
            "FLUX_EXEC_PATH",
            "FLUX_MODULE_PATH",
            "FLUX_CONNECTOR_PATH",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// Runs a shell script as the initial program of an instance and returns what it
    /// printed. `$FLUX` is the command under test, `$RUNS` the number given.
    pub fn in_instance(&self, script: &str, runs: usize) -> Result<String> {
        let mut command = self.command(&["start", "/bin/sh", "-c", script]);
        command
            .env("FLUX", &self.flux)
            .env("RUNS", runs.to_string());
        output_of(&mut command)
    }

    /// Where the command is.
    pub fn path(&self) -> &Path {
        &self.flux
    }
}

/// Runs a command to its end; what it printed, or an error with what it complained of.
pub fn output_of(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| crate::run::line_of(command))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{}: {} {complaint}",
            crate::run::line_of(command),
            output.status
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
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
