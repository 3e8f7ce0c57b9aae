//! The time of the smallest command that talks to a broker.

use std::process::Command;

use anyhow::{Context, Result};

use super::row::{Row, Subject, median_ms, output_of};

/// How many commands make one figure.
const RUNS: usize = 200;

/// `flux getattr rank` within one instance against fork and exec of `true`.
pub const ROW: Row = Row {
    name: "getattr",
    what: "flux getattr rank (floor: true)",
    unit: "ms",
    measure,
    floor: || median_ms(RUNS, || output_of(&mut Command::new("true")).map(drop)),
};

/// A shell loop is timed as a whole from within the instance, so that starting and
/// stopping the instance are not in the figure.
fn measure(subject: &Subject) -> Result<f64> {
    let printed = subject.in_instance(
        r#"start=$(date +%s%N)
        for i in $(seq "$RUNS"); do "$FLUX" getattr rank >/dev/null || exit 1; done
        echo $(( $(date +%s%N) - start ))"#,
        RUNS,
    )?;
    let nanoseconds: f64 = printed
        .trim()
        .parse()
        .with_context(|| format!("{} printed '{printed}'", subject.path().display()))?;
    Ok(nanoseconds / 1e6 / RUNS as f64)
}
