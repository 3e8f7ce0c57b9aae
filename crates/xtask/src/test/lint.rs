//! Findings of `flux lint rfc9` in the instances that scripts ran in.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

/// An empty folder for findings.
pub fn folder(results: &Path) -> Result<PathBuf> {
    let folder = results.join("lint");
    // Of an earlier run.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

/// Prints the findings, script by script; returns their number. Breaches by programs are
/// printed as well, and count for nothing: scripts break rules for services on purpose.
pub fn report(folder: &Path) -> Result<usize> {
    let mut found = 0;
    let mut reports = Vec::new();
    for entry in fs::read_dir(folder).context("what flux lint has found")? {
        reports.push(entry?.path());
    }
    reports.sort();
    println!("flux lint rfc9 has watched {} scripts", reports.len());
    for path in reports {
        let text = fs::read_to_string(&path)?;
        let report: Value = serde_json::from_str(&text).context("what flux lint has found")?;
        let script = path.file_stem().unwrap_or_default().to_string_lossy();
        for finding in report["findings"].as_array().into_iter().flatten() {
            println!("{script}: {finding}");
            found += usize::from(is_of_module(finding));
        }
    }
    Ok(found)
}

fn is_of_module(finding: &Value) -> bool {
    let who = finding["who"].as_str().unwrap_or_default();
    !who.starts_with("client ")
}
