//! Parts of the workspace: its root, its members, its source files.

use std::path::{Path, PathBuf};

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

/// Output of `cargo metadata` about the workspace, dependencies not resolved.
pub struct Metadata(Value);

impl Metadata {
    /// Asks cargo.
    pub fn read() -> Result<Self> {
        let output = crate::run::cargo(["metadata", "--no-deps", "--format-version", "1"])
            .output()
            .context("cannot run cargo metadata")?;
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

    /// The folder that builds go to.
    pub fn target_directory(&self) -> PathBuf {
        PathBuf::from(self.0["target_directory"].as_str().unwrap_or("target"))
    }

    /// The members, as cargo describes them.
    #[cfg(test)]
    pub fn packages(&self) -> impl Iterator<Item = &Value> {
        self.0["packages"].as_array().into_iter().flatten()
    }
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
