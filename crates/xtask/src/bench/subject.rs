//! The measured `flux`: its commands, its instances, their output.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use client::{Handle, Options};

use super::row::{Measure, Measured, Row};

/// Cores of the instance that runs simulated jobs, on any machine.
pub const MOCK_CORES: usize = 64;

/// Shell commands that make the instance take all its nodes for being there.
const PRETEND: &str = "\"$FLUX\" module remove sched-simple
\"$FLUX\" module reload resource monitor-force-up
\"$FLUX\" module load sched-simple";

/// A `flux` to measure.
pub struct Subject {
    flux: PathBuf,
    /// This program, compiled with optimisation: it is a part of the measurement.
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
        Ok(self.figure(options, &["/bin/sh", "-c", &script])?.figure / 1e9)
    }

    /// As [`Subject::seconds`], in an instance of many cores, for simulated jobs.
    pub fn seconds_with_mock_cores(&self, setup: &str, work: &str) -> Result<f64> {
        let folder = tempfile::tempdir()?;
        self.seconds(&[&self.mock_cores(folder.path())?], setup, work)
    }

    /// As [`Subject::seconds`], in an instance of one broker with this many cores.
    pub fn seconds_with_cores(&self, cores: usize, work: &str) -> Result<f64> {
        let folder = tempfile::tempdir()?;
        let option = self.mock_nodes(folder.path(), 1, cores)?;
        self.seconds(&[&option], "", work)
    }

    /// The figures that the shell commands `script` print in an instance of one broker with
    /// these options and this many cores.
    pub fn figures_with_cores(
        &self,
        options: &[&str],
        cores: usize,
        script: &str,
    ) -> Result<Measured> {
        let folder = tempfile::tempdir()?;
        let nodes = self.mock_nodes(folder.path(), 1, cores)?;
        let options = [options, &[&nodes]].concat();
        self.figure(&options, &["/bin/sh", "-c", &format!("set -e\n{script}")])
    }

    /// As [`Subject::seconds_with_mock_cores`], on this many nodes of as many cores each.
    /// All but the first are invented, and taken for being there.
    pub fn seconds_with_nodes(&self, nodes: u32, setup: &str, work: &str) -> Result<f64> {
        let folder = tempfile::tempdir()?;
        let option = self.mock_nodes(folder.path(), nodes, MOCK_CORES)?;
        let setup = format!("{PRETEND}\n{setup}");
        self.seconds(&[&option], &setup, work)
    }

    /// The option for an instance of many cores, whose configuration is put in `folder`.
    fn mock_cores(&self, folder: &Path) -> Result<String> {
        self.mock_nodes(folder, 1, MOCK_CORES)
    }

    /// The same for an instance of many nodes with this many cores each.
    fn mock_nodes(&self, folder: &Path, nodes: u32, cores: usize) -> Result<String> {
        let config = folder.join("bench.toml");
        let host = output_of(Command::new("uname").arg("-n"))?;
        let mut hosts = host.trim().to_owned();
        if nodes > 1 {
            hosts += &format!(",fake[1-{}]", nodes - 1);
        }
        let text = format!(
            "[resource]\nnoverify = true\nnorestrict = true\n\
             [[resource.config]]\nhosts = \"{hosts}\"\ncores = \"0-{}\"\n",
            cores - 1
        );
        std::fs::write(&config, text)?;
        Ok(format!("--config-path={}", config.display()))
    }

    /// The figure of a row that is measured from within: this program runs as the
    /// initial program.
    pub fn measure_inside(&self, row: &str) -> Result<f64> {
        Ok(self.measure_inside_of(&[], row)?.figure)
    }

    /// The same in an instance with these options.
    pub fn measure_inside_of(&self, options: &[&str], row: &str) -> Result<Measured> {
        self.figure(options, &[self.inside()?, "bench", "--inside", row])
    }

    /// As [`Subject::measure_inside`], in an instance of this many nodes of many cores after
    /// `setup`.
    pub fn measure_inside_after(&self, row: &str, nodes: u32, setup: &str) -> Result<f64> {
        let folder = tempfile::tempdir()?;
        let option = self.mock_nodes(folder.path(), nodes, MOCK_CORES)?;
        let pretend = if nodes > 1 { PRETEND } else { "" };
        let script = format!(
            "set -e\n{pretend}\n{setup}\nexec {} bench --inside {row}",
            self.inside()?
        );
        Ok(self.figure(&[&option], &["/bin/sh", "-c", &script])?.figure)
    }

    fn inside(&self) -> Result<&str> {
        let inside = self.inside.to_str();
        inside.context("this program's path is no text")
    }

    /// Path of the command.
    pub fn path(&self) -> &Path {
        &self.flux
    }

    /// Runs the initial program in an instance; it prints a line `figure NUMBER`, and
    /// `beside NUMBER` if it knows the figure to compare.
    fn figure(&self, options: &[&str], program: &[&str]) -> Result<Measured> {
        let args = [&["start"], options, program].concat();
        let printed = output_of(&mut self.command(&args))?;
        let number = |name: &str| {
            let mut lines = printed.lines();
            let text = lines.find_map(|line| line.strip_prefix(name));
            text.and_then(|text| text.trim().parse::<f64>().ok())
        };
        let figure = number("figure")
            .with_context(|| format!("{} printed no figure: {printed}", self.path().display()))?;
        let beside = number("beside");
        Ok(Measured { figure, beside })
    }
}

/// Measures `row` in the instance around us and prints its figure.
pub fn print_inside(row: &Row) -> Result<()> {
    let uri = std::env::var("FLUX_URI").context("no instance around us")?;
    let mut handle = Handle::open(Some(&uri), &Options::default()).with_context(|| uri.clone())?;
    let measured = match row.measure {
        Measure::Inside(measure)
        | Measure::InsideAfter(_, measure)
        | Measure::InsideNodes(_, _, measure) => measure(&mut handle)?.into(),
        Measure::InsideOf(_, measure) => measure(&mut handle)?,
        Measure::Outside(_) | Measure::Beside(_) => {
            bail!("{} is not measured from within", row.name)
        }
    };
    println!("figure {}", measured.figure);
    if let Some(beside) = measured.beside {
        println!("beside {beside}");
    }
    Ok(())
}

/// Runs a command to its end; returns its output, or an error with its message.
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
