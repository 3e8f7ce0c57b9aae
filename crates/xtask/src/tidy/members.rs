//! The workspace members and their dependencies, as cargo sees them.

use std::path::{Path, PathBuf};

use crate::workspace::Metadata;

/// One dependency of one member on another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The member whose `Cargo.toml` has the line.
    pub from: String,
    /// The member it names.
    pub to: String,
    /// Only tests, benches and examples use it.
    pub dev: bool,
}

/// Name and folder of each member, in order of name.
pub fn members() -> Vec<(String, PathBuf)> {
    let metadata = Metadata::read().expect("cargo metadata");
    let mut members: Vec<_> = metadata
        .packages()
        .filter_map(|package| {
            let manifest = Path::new(package["manifest_path"].as_str()?);
            Some((
                package["name"].as_str()?.to_owned(),
                manifest.parent()?.to_path_buf(),
            ))
        })
        .collect();
    members.sort();
    members
}

/// Every dependency of a member on a member.
pub fn edges() -> Vec<Edge> {
    let metadata = Metadata::read().expect("cargo metadata");
    let members: Vec<String> = members().into_iter().map(|(name, _)| name).collect();
    let mut edges = Vec::new();
    for package in metadata.packages() {
        let from = package["name"].as_str().unwrap_or_default();
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let to = dependency["name"].as_str().unwrap_or_default();
            if dependency["path"].is_string() && members.iter().any(|name| name == to) {
                let dev = dependency["kind"] == "dev";
                edges.push(Edge {
                    from: from.to_owned(),
                    to: to.to_owned(),
                    dev,
                });
            }
        }
    }
    edges.sort();
    edges
}
