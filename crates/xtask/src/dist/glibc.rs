//! The oldest C library that the programs run with: the newest version of a symbol that they ask
//! for.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::parts::{COMMAND, HELPERS};

/// A version such as 2.34, as its numbers.
type Version = Vec<u32>;

/// What programs are asked for symbols, which every C compiler comes with.
const READELF: &str = "readelf";

/// How a version of a symbol of the C library begins.
const MARK: &str = "GLIBC_";

/// The version that the programs of a folder need.
pub fn needed(programs: &Path) -> Result<String> {
    let mut newest = Version::new();
    for name in std::iter::once(&COMMAND).chain(HELPERS) {
        let mut readelf = Command::new(READELF);
        readelf
            .args(["--version-info", "--wide"])
            .arg(programs.join(name));
        let output = readelf.env("LC_ALL", "C").output();
        let output = output.with_context(|| format!("cannot run {READELF}"))?;
        ensure!(
            output.status.success(),
            "{READELF} {name}: {}",
            output.status
        );
        newest = newest.max(newest_in(&String::from_utf8_lossy(&output.stdout)));
    }
    ensure!(!newest.is_empty(), "the programs name no version of glibc");
    let numbers: Vec<String> = newest.iter().map(u32::to_string).collect();
    Ok(numbers.join("."))
}

fn newest_in(text: &str) -> Version {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'));
    let versions = words
        .filter_map(|word| word.strip_prefix(MARK))
        .filter_map(version);
    versions.max().unwrap_or_default()
}

/// Not a number: GLIBC_PRIVATE, GLIBC_ABI_DT_RELR.
fn version(text: &str) -> Option<Version> {
    text.split('.').map(|number| number.parse().ok()).collect()
}

#[test]
fn versions_are_compared_as_numbers() {
    let text = "  0x0010: Name: GLIBC_2.9  Flags: none\n 2 (GLIBC_2.34) GLIBC_PRIVATE GLIBC_2.2.5";
    assert_eq!(newest_in(text), [2, 34]);
    assert!(newest_in("GLIBCXX_3.4").is_empty());
}
