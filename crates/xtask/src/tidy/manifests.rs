//! Every member is set up alike: shared version and lints, and in core crates the
//! compiler's ban on all that would make two runs differ.

use std::fs;
use std::path::Path;

use super::members::members;
use super::{assert_none, short};
use crate::workspace::root;

const INHERITED: &[&str] = &[
    "version.workspace = true",
    "edition.workspace = true",
    "rust-version.workspace = true",
    "license.workspace = true",
    "publish.workspace = true",
    "[lints]\nworkspace = true",
];

/// Takes the place of a crate of the registry, and with it that crate's version.
const VERSION_OF_ITS_OWN: &str = "zmq-sys";

/// Folders whose code is a core: no clock, socket, thread, environment or unordered map.
const PURE: &[&str] = &[
    "crates/wire",
    "crates/proto",
    "crates/node",
    "crates/sim",
    "broker",
    "modules",
];

/// Items that the `clippy.toml` of a core must ban.
const BANNED: &[&str] = &[
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::thread::sleep",
    "std::thread::spawn",
    "std::env::var",
    "std::net::TcpStream",
    "std::os::unix::net::UnixStream",
];

#[test]
fn every_member_inherits_version_and_lints() {
    let mut breaches = Vec::new();
    for (name, folder) in members() {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("the manifest");
        for line in INHERITED {
            let exempt = name == VERSION_OF_ITS_OWN && line.starts_with("version");
            // With its line break, or `rust-version` would do for `version`.
            if !exempt && !manifest.contains(&format!("\n{line}")) {
                breaches.push(format!(
                    "{name}: Cargo.toml lacks {}",
                    line.replace('\n', " ")
                ));
            }
        }
        if folder
            .file_name()
            .is_none_or(|folder| folder != name.as_str())
        {
            breaches.push(format!("{name}: its folder is {}", short(&folder)));
        }
    }
    assert_none(&breaches);
}

#[test]
fn core_crates_cannot_reach_clocks_threads_or_the_environment() {
    let mut breaches = Vec::new();
    for (name, folder) in members() {
        let path = short(&folder);
        if !PURE.iter().any(|pure| Path::new(&path).starts_with(pure)) {
            continue;
        }
        // Clippy takes the nearest clippy.toml at or above the crate.
        let config = folder
            .ancestors()
            .take_while(|above| *above != root())
            .find_map(|above| fs::read_to_string(above.join("clippy.toml")).ok())
            .unwrap_or_default();
        for banned in BANNED {
            if !config.contains(&format!("\"{banned}\"")) {
                breaches.push(format!("{name}: its clippy.toml does not ban {banned}"));
            }
        }
    }
    assert_none(&breaches);
}
