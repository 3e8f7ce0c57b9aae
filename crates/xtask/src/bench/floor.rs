//! Best figures of the machine, in the shapes that several rows share.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::row::median_ms;
use super::subject::output_of;
use crate::proc::{TICKS_PER_SECOND, cpu_ticks, ticks_of_the_ended};
use crate::run::cargo;
use crate::workspace::Metadata;

/// Milliseconds to run `true`: the floor of every command.
pub fn true_ms() -> Result<f64> {
    median_ms(200, || output_of(&mut Command::new("true")).map(drop))
}

/// Runs of `true` per second, one after the other: the floor of running jobs on one core.
pub fn true_per_s() -> Result<f64> {
    const RUNS: u32 = 1_000;
    let start = Instant::now();
    for _ in 0..RUNS {
        output_of(&mut Command::new("true"))?;
    }
    Ok(f64::from(RUNS) / start.elapsed().as_secs_f64())
}

/// Milliseconds of processor time to start `true` and wait for its end.
pub fn true_cpu_ms() -> Result<f64> {
    const RUNS: u32 = 2_000;
    let (child, own) = (ticks_of_the_ended()?, cpu_ticks(std::process::id())?);
    for _ in 0..RUNS {
        Command::new("true").status()?;
    }
    let ticks = ticks_of_the_ended()? - child + cpu_ticks(std::process::id())? - own;
    Ok(ticks as f64 / TICKS_PER_SECOND * 1e3 / f64::from(RUNS))
}

/// Microseconds of a round trip through a relay of bare ZeroMQ.
pub fn relay_us() -> Result<f64> {
    relay("latency_p50_us")
}

/// Round trips per second through that relay, 1,000 at a time.
pub fn relay_per_s() -> Result<f64> {
    relay("round_trips_per_s")
}

/// One figure of the program that measures the relay.
fn relay(key: &str) -> Result<f64> {
    static FIGURES: OnceLock<Value> = OnceLock::new();
    figure_of("relay_floor", &FIGURES, key)
}

/// Microseconds of a round trip over one link of bare ZeroMQ with CURVE, on one host.
pub fn curve_ipc_us() -> Result<f64> {
    link("ipc_us")
}

/// The same over TCP.
pub fn curve_tcp_us() -> Result<f64> {
    link("tcp_us")
}

/// The same over a UNIX socket, without ZeroMQ.
pub fn socket_us() -> Result<f64> {
    link("socket_us")
}

/// Messages per second that bare ZeroMQ with CURVE brings to each of 15 processes.
pub fn fan_out_per_s() -> Result<f64> {
    link("fan_out_per_s")
}

/// One figure of the program that measures links.
fn link(key: &str) -> Result<f64> {
    static FIGURES: OnceLock<Value> = OnceLock::new();
    figure_of("link_floor", &FIGURES, key)
}

static BUILT: OnceLock<PathBuf> = OnceLock::new();

/// Takes programs that measure from `folder` if they are there: they were built with the
/// programs that are measured.
pub fn look_in(folder: &Path) {
    BUILT.get_or_init(|| folder.join("examples"));
}

/// One figure of an example of `runtime`, which runs once.
fn figure_of(example: &str, figures: &OnceLock<Value>, key: &str) -> Result<f64> {
    if figures.get().is_none() {
        let program = self::example("runtime", example)?;
        let printed = output_of(&mut Command::new(program))?;
        let printed = serde_json::from_str(&printed).context("what it printed")?;
        figures.get_or_init(|| printed);
    }
    let figure = figures.get().and_then(|figures| figures[key].as_f64());
    figure.with_context(|| format!("{example} printed no {key}"))
}

/// An example of one of our packages, built with the measured programs or now.
pub fn example(package: &str, example: &str) -> Result<PathBuf> {
    let built = BUILT.get().map(|folder| folder.join(example));
    match built.filter(|program| program.exists()) {
        Some(program) => Ok(program),
        None => build(package, example),
    }
}

fn build(package: &str, example: &str) -> Result<PathBuf> {
    let mut build = cargo(["build", "--profile=dist", "--quiet", "-p", package]);
    if !crate::run::run(build.args(["--example", example]))? {
        bail!("{example} does not build");
    }
    let folder = Metadata::read()?.target_directory().join("dist/examples");
    Ok(folder.join(example))
}
