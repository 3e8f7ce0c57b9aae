//! Reads files while the broker runs, on its worker thread: the configuration, and the
//! paths of modules and scripts.

use std::collections::BTreeMap;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};

use proto::{Errno, Object, Refusal};

/// Paths of files.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// Modules whose place is known without looking, by name.
    pub known: BTreeMap<String, String>,
    /// Folders in which to look for module executables, after `FLUX_MODULE_PATH`.
    pub module_folders: Vec<PathBuf>,
    /// Configuration file or folder, if one was named.
    pub config: Option<PathBuf>,
    /// Overrides of the configuration: each `--conf` of the command line.
    pub config_arguments: Vec<String>,
    /// Socket of systemd, if it is to be notified.
    pub notify: Option<String>,
    /// Folders in which there may be `rc1.d` and `rc3.d`.
    pub rc_folders: Vec<PathBuf>,
}

/// Modules of other implementations that are part of one of ours.
const STORES: [&str; 2] = ["content-sqlite", "content-files"];

/// Prefix of the file of module NAME.
const MODULE_PREFIX: &str = "flux-module-";

/// The name that a module has because of its file.
pub fn module_name(path: &str) -> String {
    let file = Path::new(path)
        .file_name()
        .map_or(path.into(), |name| name.to_string_lossy());
    let stem = file.split('.').next().unwrap_or_default();
    stem.strip_prefix(MODULE_PREFIX).unwrap_or(stem).to_owned()
}

impl Files {
    /// The executable of a module that was asked for by name or path.
    pub fn find_module(&mut self, name: &str, search: Option<&str>) -> Result<String, Refusal> {
        if let Some(path) = self.known.get(name) {
            return Ok(path.clone());
        }
        if name.contains('/') {
            return match std::fs::canonicalize(name) {
                Ok(path) if path.is_dir() => {
                    let text = format!("{name}: is a directory, not a module");
                    Err(Refusal::new(Errno::EISDIR, text))
                }
                Ok(path) if path.extension().is_some_and(|extension| extension == "so") => {
                    let text = format!("{name}: modules are programs, not shared objects");
                    Err(Refusal::new(Errno::ENOEXEC, text))
                }
                Ok(path) => Ok(path.to_string_lossy().into_owned()),
                Err(error) => {
                    let errno = error.raw_os_error().and_then(|code| code.try_into().ok());
                    let errno = errno.map_or(Errno::ENOENT, Errno);
                    let text = format!("{name}: cannot open module: {errno}");
                    Err(Refusal::new(errno, text))
                }
            };
        }
        if STORES.contains(&name) {
            let text = format!("{name} is part of content, by content.backing-module={name}");
            return Err(Refusal::new(Errno::ENOENT, text));
        }
        let file = format!("{MODULE_PREFIX}{name}");
        let search = search
            .unwrap_or_default()
            .split(':')
            .filter(|folder| !folder.is_empty());
        let folders = search
            .map(PathBuf::from)
            .chain(self.module_folders.iter().cloned());
        let mut paths = folders.map(|folder| folder.join(&file));
        match paths.find(|path| path.is_file()) {
            Some(path) => Ok(path.to_string_lossy().into_owned()),
            None => Err(Refusal::new(
                Errno::ENOENT,
                "module not found in search path",
            )),
        }
    }

    /// Checks that there is a file at `path`.
    pub fn check_file(&mut self, path: &str) -> Result<(), Refusal> {
        let errno = match std::fs::metadata(path) {
            Ok(found) if found.is_file() => return Ok(()),
            Ok(_) => Errno::EINVAL,
            Err(error) => {
                let errno = error.raw_os_error().and_then(|code| code.try_into().ok());
                errno.map_or(Errno::ENOENT, Errno)
            }
        };
        Err(Refusal::new(errno, format!("{path}: {errno}")))
    }

    /// Reads the configuration again; `None` when none was named.
    pub fn read_config(&mut self) -> Result<Option<Object>, Refusal> {
        let Some(path) = &self.config else {
            return Ok(None);
        };
        match crate::config::read_all(Some(path), &self.config_arguments) {
            Ok(config) => Ok(Some(config)),
            Err(error) => Err(Refusal::new(
                Errno::EINVAL,
                format!("Config file error: {error:#}"),
            )),
        }
    }

    /// Sends systemd a text; a name that begins with `@` is an abstract one.
    pub fn notify(&mut self, text: &str) -> Result<(), Refusal> {
        let Some(name) = &self.notify else {
            return Ok(());
        };
        let sent = (|| {
            let address = match name.strip_prefix('@') {
                Some(name) => SocketAddr::from_abstract_name(name),
                None => SocketAddr::from_pathname(name),
            };
            UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), &address?)
        })();
        sent.map(|_| ()).map_err(|error| {
            let errno = error.raw_os_error().and_then(|code| code.try_into().ok());
            Refusal::new(
                errno.map_or(Errno::EINVAL, Errno),
                format!("{name}: {error}"),
            )
        })
    }

    /// The executable scripts of `rc1.d` or `rc3.d`: folder by folder, in the order of their
    /// names.
    pub fn rc_scripts(&mut self, which: &str) -> Vec<String> {
        let files = |folder: &PathBuf| files_in(&folder.join(which)).unwrap_or_default();
        let mut scripts: Vec<String> = Vec::new();
        for path in self.rc_folders.iter().flat_map(files) {
            let mode = std::fs::metadata(&path).map_or(0, |found| found.permissions().mode());
            let path = path.to_string_lossy().into_owned();
            if mode & 0o111 != 0 && !scripts.contains(&path) {
                scripts.push(path);
            }
        }
        scripts
    }

    /// The files of a folder with crontabs, in the order of their names.
    pub fn crontabs(&mut self, folder: &str) -> Result<Vec<String>, Refusal> {
        let files = files_in(Path::new(folder)).map_err(|error| {
            let errno = error.raw_os_error().and_then(|code| code.try_into().ok());
            let errno = errno.map_or(Errno::ENOENT, Errno);
            Refusal::new(errno, format!("{folder}: {errno}"))
        })?;
        let files = files.into_iter();
        Ok(files
            .map(|path| path.to_string_lossy().into_owned())
            .collect())
    }
}

/// The regular files of a folder, in the order of their names.
fn files_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.is_file()).collect();
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_named_after_its_file() {
        for (path, want) in [
            ("/usr/libexec/flux-module-kvs", "kvs"),
            ("./flux-module-job-list", "job-list"),
            ("/x/custom.py", "custom"),
        ] {
            assert_eq!(module_name(path), want);
        }
    }

    #[test]
    fn a_shared_object_is_refused_in_words() {
        let path = std::env::temp_dir().join(format!("module-{}.so", std::process::id()));
        std::fs::write(&path, "").unwrap();
        let name = path.to_string_lossy().into_owned();
        let error = Files::default().find_module(&name, None).unwrap_err();
        std::fs::remove_file(&path).unwrap();
        let expect = format!("{name}: modules are programs, not shared objects");
        assert_eq!(error.to_string(), expect);
    }

    #[test]
    fn executables_are_scripts_and_all_files_are_crontabs() {
        let folder = tempfile::tempdir().unwrap();
        let scripts = folder.path().join("rc1.d");
        std::fs::create_dir(&scripts).unwrap();
        for (name, mode) in [("2-b", 0o755), ("1-a", 0o700), ("0-none", 0o644)] {
            let path = scripts.join(name);
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        }
        let mut files = Files {
            // A folder that is named twice counts once.
            rc_folders: vec![
                "/nonexistent".into(),
                folder.path().into(),
                folder.path().into(),
            ],
            ..Files::default()
        };
        let names = |paths: Vec<String>| {
            let names = paths.iter().filter_map(|path| path.rsplit('/').next());
            names.map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(files.rc_scripts("rc1.d")), "1-a 2-b");
        assert_eq!(files.rc_scripts("rc3.d"), [""; 0]);
        let tabs = files.crontabs(&scripts.to_string_lossy()).unwrap();
        assert_eq!(names(tabs), "0-none 1-a 2-b");
        let error = files.crontabs("/nonexistent").unwrap_err();
        assert_eq!(error.to_string(), "/nonexistent: No such file or directory");
    }

    #[test]
    fn a_store_is_no_module_of_its_own() {
        let error = Files::default()
            .find_module("content-files", None)
            .unwrap_err();
        let text = "content-files is part of content, by content.backing-module=content-files";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn an_unknown_module_is_not_found_in_the_search_path() {
        let error = Files::default().find_module("nosuch", None).unwrap_err();
        assert_eq!(error.to_string(), "module not found in search path");
    }
}
