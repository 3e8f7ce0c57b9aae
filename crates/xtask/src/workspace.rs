//! Parts of the workspace: its root, its members, its source files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The folder that holds the workspace's `Cargo.toml`.
pub fn root() -> PathBuf {
    // The run-time value is right even when two clones share one target folder.
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    match here.ancestors().nth(2) {
        Some(root) => root.to_path_buf(),
        None => here,
    }
}

/// The folder of a profile's build.
pub fn folder_of_profile(profile: &str) -> &str {
    match profile {
        "dev" => "debug",
        other => other,
    }
}

/// Output of `cargo metadata` about the workspace, dependencies resolved or not.
pub struct Metadata(Value);

impl Metadata {
    /// Asks cargo.
    pub fn read() -> Result<Self> {
        Self::ask(&mut crate::run::cargo([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
        ]))
    }

    fn ask(command: &mut Command) -> Result<Self> {
        let output = command.output().context("cannot run cargo metadata")?;
        if !output.status.success() {
            bail!(
                "cargo metadata: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(Self(
            serde_json::from_slice(&output.stdout).context("cargo metadata")?,
        ))
    }

    /// Asks cargo about the tree at `root`, with the dependencies that are used on this machine.
    pub fn resolved(root: &Path) -> Result<Self> {
        let manifest = root.join("Cargo.toml");
        let mut command = crate::run::cargo(["metadata", "--format-version", "1", "--locked"]);
        command.arg("--manifest-path").arg(manifest);
        command.args(["--filter-platform", &crate::rustc::host()?]);
        Self::ask(&mut command)
    }

    /// The folder that builds go to.
    pub fn target_directory(&self) -> PathBuf {
        PathBuf::from(self.0["target_directory"].as_str().unwrap_or("target"))
    }

    /// The version that all members share.
    pub fn version(&self) -> &str {
        let package = self.packages().find(|package| package["name"] == "cli");
        package
            .and_then(|package| package["version"].as_str())
            .unwrap_or_default()
    }

    /// The crates of others that are in the default members and in members of the names `more`,
    /// in order of name; with what [`Metadata::resolved`] has found out.
    pub fn shipped(&self, more: &[&str]) -> Vec<&Value> {
        let nodes = self.0["resolve"]["nodes"].as_array();
        let nodes: BTreeMap<&str, &Value> = nodes
            .into_iter()
            .flatten()
            .filter_map(|node| Some((node["id"].as_str()?, node)))
            .collect();
        let packages: BTreeMap<&str, &Value> = self
            .packages()
            .filter_map(|package| Some((package["id"].as_str()?, package)))
            .collect();
        let default = self.0["workspace_default_members"].as_array();
        let default = default.into_iter().flatten().filter_map(Value::as_str);
        let is_more = |package: &Value| {
            package["source"].is_null() && more.iter().any(|name| package["name"] == *name)
        };
        let more = packages.iter().filter(|(_, package)| is_more(package));
        let mut due: Vec<&str> = default.chain(more.map(|(id, _)| *id)).collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = due.pop() {
            // A macro runs in the compiler and is in no program.
            if packages.get(id).is_none_or(|package| is_macro(package)) || !seen.insert(id) {
                continue;
            }
            let dependencies = nodes.get(id).and_then(|node| node["deps"].as_array());
            let dependencies = dependencies.into_iter().flatten();
            due.extend(
                dependencies
                    .filter(|dep| is_normal(dep))
                    .filter_map(|dep| dep["pkg"].as_str()),
            );
        }
        let mut found: Vec<&Value> = packages
            .into_iter()
            .filter(|(id, package)| seen.contains(id) && package["source"].is_string())
            .map(|(_, package)| package)
            .collect();
        found.sort_by_key(|package| (package["name"].as_str(), package["version"].as_str()));
        found
    }

    /// The members, as cargo describes them, or all packages if it has resolved them.
    pub fn packages(&self) -> impl Iterator<Item = &Value> {
        self.0["packages"].as_array().into_iter().flatten()
    }
}

/// True if a dependency is more than one of tests or of the build.
fn is_normal(dependency: &Value) -> bool {
    let kinds = dependency["dep_kinds"].as_array();
    kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
}

fn is_macro(package: &Value) -> bool {
    let targets = package["targets"].as_array().into_iter().flatten();
    let mut kinds = targets
        .filter_map(|target| target["kind"].as_array())
        .flatten();
    kinds.any(|kind| kind == "proc-macro")
}

/// Every file below `folder` with this extension, in order of path. Hidden folders
/// and build output are left out.
pub fn files_below(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = folder
            .read_dir()
            .with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && !name.starts_with("target") && name != "test-results" {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
