//! Every program of the workspace is in the list of installed files, and each page that is
//! listed is there.

use std::collections::BTreeSet;

use crate::parts::{COMMAND, HELPERS};
use crate::workspace::Metadata;

/// Programs that are for work on the tree itself.
const NOT_INSTALLED: &[&str] = &["xtask"];

#[test]
fn every_program_is_installed() {
    let metadata = Metadata::read().expect("cargo metadata");
    let targets = metadata
        .packages()
        .filter_map(|package| package["targets"].as_array());
    let programs = targets.flatten().filter(|target| {
        let kinds = target["kind"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "bin"))
    });
    let built: BTreeSet<&str> = programs
        .filter_map(|target| target["name"].as_str())
        .filter(|name| !NOT_INSTALLED.contains(name))
        .collect();
    let listed: BTreeSet<&str> = HELPERS.iter().copied().chain([COMMAND]).collect();
    assert_eq!(
        built, listed,
        "crates/xtask/src/parts.rs lists what is installed"
    );
}
