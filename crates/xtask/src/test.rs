//! `cargo xtask test`: everything. The Rust tests, a release build, and then the
//! scripts of `t/` and short trials against that build, or the scripts alone against
//! another installed `flux`.
//!
//! Read on in `test/rust.rs` (the Rust tests and their counts), `test/pool.rs` (which
//! scripts, how many at once), `test/script.rs` (one script), `test/tap.rs` (what
//! its output means) and `test/trials.rs` (what looks for the unexpected).

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::parts::MORE;
use crate::run::{cargo, run};
use crate::workspace::{self, Metadata};

mod lint;
mod marked;
mod pool;
mod rust;
mod script;
mod tally;
mod tap;
mod trials;

use pool::Pool;
use script::Surroundings;
use tally::Tally;

/// Run all tests: Rust, then the scripts of t/ against a fresh build
#[derive(clap::Args)]
pub struct TestArgs {
    /// Run only the scripts whose name contains PATTERN, and no Rust tests
    #[arg(short = 'k', value_name = "PATTERN")]
    select: Option<String>,
    /// Run only the scripts, against this flux: nothing is built
    #[arg(long, value_name = "PATH")]
    flux: Option<PathBuf>,
    /// Scripts to run at once
    #[arg(short, long, value_name = "N", default_value_t = 2)]
    jobs: usize,
    /// Build to test: release or dev
    #[arg(long, default_value = "release")]
    profile: String,
    /// Seconds until a script is given up
    #[arg(long, value_name = "N", default_value_t = 300)]
    timeout: u64,
    /// Watch the instances that scripts run in with `flux lint rfc9`; modules must keep its rules
    #[arg(long)]
    lint: bool,
    /// Options for the scripts, such as --long or --verbose
    #[arg(last = true)]
    script_args: Vec<String>,
}

/// Runs the requested tests; true when nothing failed. The last line counts tests.
pub fn test(args: &TestArgs) -> Result<bool> {
    let mut tally = Tally::default();
    if args.select.is_none() && args.flux.is_none() {
        tally += rust::run_tests()?;
    }
    let (flux, peer) = flux_under_test(args)?;
    let programs = flux.parent().map(Path::to_path_buf);
    let results = workspace::root().join("t/test-results");
    let lint = args.lint.then(|| lint::folder(&results)).transpose()?;
    let pool = Pool {
        scripts: scripts(args.select.as_deref())?,
        jobs: args.jobs.max(1),
        surroundings: Surroundings {
            flux,
            peer,
            results,
            lint: lint.clone(),
            args: args.script_args.clone(),
            timeout: Duration::from_secs(args.timeout),
        },
    };
    tally += pool.run()?;
    if let Some(folder) = lint {
        tally.failed += lint::report(&folder)?;
    }
    if let Some(programs) = programs.filter(|_| args.select.is_none() && args.flux.is_none()) {
        tally += trials::run(&programs);
    }
    println!("{tally}");
    Ok(tally.failed == 0)
}

/// The command to test, and whether it is another implementation.
fn flux_under_test(args: &TestArgs) -> Result<(PathBuf, bool)> {
    let target = Metadata::read()?.target_directory();
    if let Some(path) = &args.flux {
        let path = path
            .canonicalize()
            .with_context(|| format!("no {}", path.display()))?;
        let peer = !path.starts_with(&target);
        return Ok((path, peer));
    }
    let folder = workspace::folder_of_profile(&args.profile);
    let profile = format!("--profile={}", args.profile);
    let build = [
        "build",
        "--quiet",
        &profile,
        "--lib",
        "--bins",
        "--examples",
    ];
    // Together, since a crate is compiled once for each set of features that others ask it for.
    let more = MORE.iter().chain(&["client", "runtime"]);
    let more: Vec<&str> = more.flat_map(|name| ["-p", name]).collect();
    if !run(&mut cargo(build))? || !run(cargo(build).args(more))? {
        bail!("the {} build failed", args.profile);
    }
    Ok((target.join(folder).join("flux"), false))
}

fn scripts(select: Option<&str>) -> Result<Vec<PathBuf>> {
    let mut scripts = workspace::files_below(&workspace::root().join("t"), "t")?;
    if let Some(pattern) = select {
        scripts.retain(|script| name_of(script).contains(pattern));
        if scripts.is_empty() {
            bail!("no script in t/ has a name with '{pattern}' in it");
        }
    }
    Ok(scripts)
}

/// A script's file name.
fn name_of(script: &Path) -> String {
    script
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
