//! Sources of module definitions: those compiled in, and the files of a site.

use std::path::{Path, PathBuf};

use command::env::Env;
use command::error::{CliError, io_text};
use command::flux::Flux;
use serde_json::{Map, Value};

use super::known::Known;
use crate::layout::Layout;

const PATH: &str = "FLUX_MODPROBE_PATH";
const APPEND: &str = "FLUX_MODPROBE_PATH_APPEND";

/// The directories of an installation: those of its packages, and those of its site.
pub(super) struct Folders {
    data: PathBuf,
    /// Configuration.
    pub conf: PathBuf,
}

impl Folders {
    /// Folders of the program that runs.
    pub fn find() -> Result<Folders, CliError> {
        let bin = Layout::find()?.bin;
        let prefix = bin.parent().unwrap_or(Path::new("/"));
        let conf = match prefix.to_str() {
            Some("/usr") => PathBuf::from("/etc/flux"),
            _ => prefix.join("etc/flux"),
        };
        let data = prefix.join("share/flux");
        Ok(Folders { data, conf })
    }

    /// Where files of a site may be, each folder once.
    fn search(&self, env: &Env) -> Vec<PathBuf> {
        let default = || vec![self.data.join("modprobe"), self.conf.join("modprobe")];
        let split = |name| {
            env.get_os(name)
                .map(|path| std::env::split_paths(path).collect())
        };
        let mut all: Vec<PathBuf> = split(PATH).unwrap_or_else(default);
        all.extend(
            split(APPEND)
                .into_iter()
                .flat_map(|more: Vec<PathBuf>| more),
        );
        let mut folders: Vec<PathBuf> = Vec::new();
        for folder in all {
            if !folder.as_os_str().is_empty() && !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        folders
    }
}

/// All that is known, before the instance is asked for anything.
pub(super) fn read(flux: &mut Flux, is_verbose: bool) -> Result<Known, CliError> {
    let mut known = Known::stock();
    for folder in Folders::find()?.search(&flux.env) {
        let folder = folder.join("modprobe.d");
        if is_verbose {
            flux.note(format_args!("checking {}", folder.display()))?;
        }
        for file in toml_files(&folder) {
            if is_verbose {
                flux.note(format_args!("loading {}", file.display()))?;
            }
            let added = read_file(&file).and_then(|tables| known.add_file(&tables));
            added.map_err(|text| CliError::new(text).about(file.display()))?;
        }
    }
    Ok(known)
}

fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let is_toml = |path: &PathBuf| path.extension().is_some_and(|end| end == "toml");
    let mut files: Vec<PathBuf> = paths.filter(is_toml).collect();
    files.sort();
    files
}

fn read_file(file: &Path) -> Result<Map<String, Value>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| io_text(&error))?;
    toml::from_str(&text).map_err(|error| error.to_string())
}
