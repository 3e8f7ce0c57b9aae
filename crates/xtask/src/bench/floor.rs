//! What the machine can do at best, in the shapes that several rows share.

use std::process::Command;
use std::sync::OnceLock;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::row::median_ms;
use super::subject::output_of;
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

/// Microseconds of a round trip through a relay of bare ZeroMQ.
pub fn relay_us() -> Result<f64> {
    relay("latency_p50_us")
}

/// Round trips per second through that relay, 1,000 at a time.
pub fn relay_per_s() -> Result<f64> {
    relay("round_trips_per_s")
}

/// One figure of the program that measures the relay; it runs once.
fn relay(key: &str) -> Result<f64> {
    static FIGURES: OnceLock<Value> = OnceLock::new();
    if FIGURES.get().is_none() {
        let mut build = cargo(["build", "--profile=dist", "--quiet", "-p", "runtime"]);
        if !crate::run::run(build.args(["--example", "relay_floor"]))? {
            bail!("relay_floor does not build");
        }
        let program = Metadata::read()?
            .target_directory()
            .join("dist/examples/relay_floor");
        let printed = output_of(&mut Command::new(program))?;
        let figures = serde_json::from_str(&printed).context("relay_floor")?;
        FIGURES.get_or_init(|| figures);
    }
    let figure = FIGURES.get().and_then(|figures| figures[key].as_f64());
    figure.with_context(|| format!("relay_floor printed no {key}"))
}
