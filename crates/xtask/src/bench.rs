//! `cargo xtask bench`: measures the promises of the project, on real instances.
//!
//! Each row of the table is one figure with a floor measured in the same run (the best
//! that the machine can do in that shape) and their ratio, because a figure alone says
//! more about the machine than about the code. With `--peer PATH` another installed
//! `flux` does the same work between our own runs.
//!
//! Read on in `row.rs` (a row), `rows.rs` (all of them) and `subject.rs` (the measured
//! `flux`). To add a row: a constant in a file of `rows/`, and its name in `rows.rs`.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::run::{cargo, run};
use crate::workspace::Metadata;

mod floor;
mod report;
mod row;
mod rows;
mod subject;

use report::Figures;
use row::Row;
use rows::ROWS;
use subject::Subject;

/// Measure the promises of the project
#[derive(clap::Args)]
pub struct BenchArgs {
    /// Measure only the rows whose name contains NAME
    name: Option<String>,
    /// Another flux to measure side by side
    #[arg(long, value_name = "PATH")]
    peer: Option<PathBuf>,
    /// Take our programs from here instead of building them
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// List the rows and measure nothing
    #[arg(long)]
    list: bool,
    /// Measure one row in the instance around us: how rows that call services are run
    #[arg(long, hide = true, value_name = "ROW")]
    inside: Option<String>,
}

/// Measures the rows asked for and prints them; false when one could not be measured.
pub fn bench(args: &BenchArgs) -> Result<bool> {
    if let Some(name) = &args.inside {
        let row = ROWS
            .iter()
            .find(|row| row.name == name)
            .context("no such row")?;
        return subject::print_inside(row).map(|()| true);
    }
    let wanted = |row: &&Row| {
        args.name
            .as_ref()
            .is_none_or(|name| row.name.contains(name))
    };
    let rows: Vec<&Row> = ROWS.iter().filter(wanted).collect();
    if rows.is_empty() {
        bail!(
            "no row has a name with '{}' in it",
            args.name.as_deref().unwrap_or_default()
        );
    }
    if args.list {
        for row in rows {
            println!("{:<16} {}", row.name, row.what);
        }
        return Ok(true);
    }
    let (programs, inside) = match &args.programs {
        Some(folder) => {
            let folder = folder.canonicalize().context("the programs")?;
            floor::look_in(&folder);
            (folder, std::env::current_exe()?)
        }
        None => build("dist").map(|folder| (folder.clone(), folder.join("xtask")))?,
    };
    let ours = Subject::new(programs.join("flux"), inside.clone());
    let peer = args
        .peer
        .as_ref()
        .map(|path| path.canonicalize())
        .transpose();
    let peer = peer
        .context("the peer")?
        .map(|path| Subject::new(path, inside));

    let bar = progress(rows.len());
    let mut all = Vec::new();
    let mut complete = true;
    for row in rows {
        bar.set_message(row.name);
        match Figures::measure(row, &ours, peer.as_ref()) {
            Ok(figures) => all.push(figures),
            Err(error) => {
                complete = false;
                bar.suspend(|| eprintln!("{}: {error:#}", row.name));
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if args.json {
        println!("{}", report::json(&all));
    } else {
        println!("{}", report::table(&all, peer.is_some()));
    }
    Ok(complete)
}

/// Builds all programs with a profile that has a folder of its own name; the folder.
pub fn build(profile: &str) -> Result<PathBuf> {
    let profile_option = format!("--profile={profile}");
    if !run(&mut cargo(["build", &profile_option, "--quiet"]))? {
        bail!("the {profile} build failed");
    }
    Ok(Metadata::read()?.target_directory().join(profile))
}

fn progress(rows: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {bar:30} {pos}/{len} {msg} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(rows as u64).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
