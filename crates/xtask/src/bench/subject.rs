//! The `flux` that is measured: its commands, its instances, what they print.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use client::{Handle, Options};

use super::row::{Measure, Row};

/// Cores of the instance that runs simulated jobs, on any machine.
const MOCK_CORES: u32 = 64;

/// A `flux` to measure.
pub struct Subject {
    flux: PathBuf,
    /// This program, compiled with optimisation: it is a part of what is measured.
    inside: PathBuf,
}

impl Subject {
    /// Measures the command `flux`, with `inside` as the program within instances.
    pub fn new(flux: PathBuf, inside: PathBuf) -> Self {
        Self { flux, inside }
    }

    /// `flux ARGS...`, without anything of a surrounding instance.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.flux);
        command
            .args(args)
            .stdin(Stdio::null())
            .env("FLUX", &self.flux);
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

    /// Seconds that the shell commands `work` take in a new instance that has run
    /// `setup`; starting and stopping the instance is not in the figure. `$FLUX` is the
    /// command under test.
    pub fn seconds(&self, options: &[&str], setup: &str, work: &str) -> Result<f64> {
        let script = format!(
            "set -e\n{setup}\nbegin=$(date +%s%N)\n{work}\n\
             echo \"figure $(( $(date +%s%N) - begin ))\""
        );
        Ok(self.figure(options, &["/bin/sh", "-c", &script])? / 1e9)
    }

    /// As [`Subject::seconds`], in an instance of many cores, for simulated jobs.
    pub fn seconds_with_mock_cores(&self, setup: &str, work: &str) -> Result<f64> {
        let folder = tempfile::tempdir()?;
        self.seconds(&[&self.mock_cores(folder.path())?], setup, work)
    }

    /// The option for an instance of many cores, whose configuration is put in `folder`.
    fn mock_cores(&self, folder: &Path) -> Result<String> {
        let config = folder.join("bench.toml");
        let host = output_of(Command::new("uname").arg("-n"))?;
        let text = format!(
            "[resource]\nnoverify = true\nnorestrict = true\n\
             [[resource.config]]\nhosts = \"{}\"\ncores = \"0-{}\"\n",
            host.trim(),
            MOCK_CORES - 1
        );
        std::fs::write(&config, text)?;
        Ok(format!("--config-path={}", config.display()))
    }

    /// The figure of a row that is measured from within: this program runs as the
    /// initial program.
    pub fn measure_inside(&self, row: &str) -> Result<f64> {
        self.measure_inside_with(&[], row)
    }

    /// The same in an instance with these options.
    pub fn measure_inside_with(&self, options: &[&str], row: &str) -> Result<f64> {
        self.figure(options, &[self.inside()?, "bench", "--inside", row])
    }

    /// As [`Subject::measure_inside`], in an instance of many cores after `setup`.
    pub fn measure_inside_after(&self, row: &str, setup: &str) -> Result<f64> {
        let folder = tempfile::tempdir()?;
        let option = self.mock_cores(folder.path())?;
        let script = format!(
            "set -e\n{setup}\nexec {} bench --inside {row}",
            self.inside()?
        );
        self.figure(&[&option], &["/bin/sh", "-c", &script])
    }

    fn inside(&self) -> Result<&str> {
        let inside = self.inside.to_str();
        inside.context("this program's path is no text")
    }

    /// Where the command is.
    pub fn path(&self) -> &Path {
        &self.flux
    }

    /// Runs the initial program in an instance; it prints a line `figure NUMBER`.
    fn figure(&self, options: &[&str], program: &[&str]) -> Result<f64> {
        let args = [&["start"], options, program].concat();
        let printed = output_of(&mut self.command(&args))?;
        let figure = printed
            .lines()
            .find_map(|line| line.strip_prefix("figure "));
        figure
            .and_then(|figure| figure.parse().ok())
            .with_context(|| format!("{} printed no figure: {printed}", self.path().display()))
    }
}

/// Measures `row` in the instance around us and prints its figure.
pub fn print_inside(row: &Row) -> Result<()> {
    let (Measure::Inside(measure) | Measure::InsideAfter(_, measure)) = row.measure else {
        bail!("{} is not measured from within", row.name);
    };
    let uri = std::env::var("FLUX_URI").context("no instance around us")?;
    let mut handle = Handle::open(Some(&uri), &Options::default()).with_context(|| uri.clone())?;
    println!("figure {}", measure(&mut handle)?);
    Ok(())
}

/// Runs a command to its end; what it printed, or an error with what it complained of.
pub fn output_of(command: &mut Command) -> Result<String> {
    let line = crate::run::line_of(command);
    let output = command.output().with_context(|| line.clone())?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{line}: {} {complaint}",
        output.status
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
