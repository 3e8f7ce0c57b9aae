//! Where the project's programs lie, and the search paths that follow from it.
//!
//! Installed, `flux` is in `PREFIX/bin` and the other programs are in
//! `PREFIX/libexec/flux`; in a build tree they are all in one folder.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use command::env::Env;

/// Where the programs lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The folder of `flux`.
    pub bin: PathBuf,
    /// The folder of `flux-broker`, of the modules and of external commands.
    pub exec: PathBuf,
    /// The folder of manual pages, if it exists.
    pub man: Option<PathBuf>,
}

impl Layout {
    /// That of the program that runs.
    pub fn find() -> std::io::Result<Layout> {
        Ok(Layout::around(&std::env::current_exe()?))
    }

    /// That of the program `flux`.
    pub fn around(flux: &Path) -> Layout {
        let bin = flux.parent().unwrap_or(Path::new("/")).to_path_buf();
        let prefix = bin.parent().unwrap_or(Path::new("/"));
        let libexec = prefix.join("libexec/flux");
        let man = prefix.join("share/man");
        Layout {
            exec: if libexec.is_dir() {
                libexec
            } else {
                bin.clone()
            },
            man: man.is_dir().then_some(man),
            bin,
        }
    }

    /// The path of one of the project's own programs, such as `flux-broker`.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        let places = [&self.exec, &self.bin];
        let mut paths = places.into_iter().map(|folder| folder.join(name));
        paths.find(|path| path.is_file())
    }

    /// Sets in `env` what programs that `flux` starts expect (protocol/03 section 16).
    pub fn apply(&self, env: &mut Env) {
        for name in ["FLUX_EXEC_PATH", "FLUX_MODULE_PATH", "FLUX_CONNECTOR_PATH"] {
            let first = env.get_os(&format!("{name}_PREPEND"));
            let path = search_path([first, Some(self.exec.as_os_str()), env.get_os(name)]);
            env.set(name, path);
        }
        let path = search_path([env.get_os("PATH"), Some(self.bin.as_os_str()), None]);
        env.set("PATH", path);
        if let Some(man) = &self.man {
            let mut path = search_path([Some(man.as_os_str()), env.get_os("MANPATH"), None]);
            // An empty last entry stands for the system's own pages.
            path.push(":");
            env.set("MANPATH", path);
        }
    }
}

/// Joins search paths, each folder once, where it comes first.
fn search_path(parts: [Option<&OsStr>; 3]) -> OsString {
    let mut folders: Vec<PathBuf> = Vec::new();
    for part in parts.into_iter().flatten() {
        for folder in std::env::split_paths(part) {
            if !folder.as_os_str().is_empty() && !folders.contains(&folder) {
                folders.push(folder);
            }
        }
    }
    // Only a folder with a colon in its name cannot be joined, and split folders have none.
    std::env::join_paths(folders).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_folder_comes_before_what_is_inherited() {
        let layout = Layout {
            bin: "/p/bin".into(),
            exec: "/p/libexec/flux".into(),
            man: Some("/p/share/man".into()),
        };
        let mut env = Env::from_iter([
            ("FLUX_EXEC_PATH", "/mine:/p/libexec/flux"),
            ("FLUX_EXEC_PATH_PREPEND", "/first"),
            ("PATH", "/usr/bin"),
        ]);
        layout.apply(&mut env);
        let exec = env.get("FLUX_EXEC_PATH");
        assert_eq!(exec, Some("/first:/p/libexec/flux:/mine"));
        assert_eq!(env.get("FLUX_MODULE_PATH"), Some("/p/libexec/flux"));
        assert_eq!(env.get("PATH"), Some("/usr/bin:/p/bin"));
        assert_eq!(env.get("MANPATH"), Some("/p/share/man:"));
    }

    #[test]
    fn programs_of_a_build_tree_lie_together() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("debug");
        std::fs::create_dir(&bin).unwrap();
        std::fs::write(bin.join("flux-broker"), "").unwrap();
        let layout = Layout::around(&bin.join("flux"));
        assert_eq!(layout.program("flux-broker"), Some(bin.join("flux-broker")));
        assert_eq!(layout.program("flux-nosuch"), None);
    }

    #[test]
    fn programs_of_an_installation_lie_in_libexec() {
        let folder = tempfile::tempdir().unwrap();
        let libexec = folder.path().join("libexec/flux");
        std::fs::create_dir_all(&libexec).unwrap();
        std::fs::write(libexec.join("flux-broker"), "").unwrap();
        let layout = Layout::around(&folder.path().join("bin/flux"));
        let broker = layout.program("flux-broker");
        assert_eq!(broker, Some(libexec.join("flux-broker")));
    }
}
