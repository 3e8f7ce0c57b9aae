//! Where the project's programs lie, and the search paths that follow from it.
//!
//! Installed, `flux` is in `PREFIX/bin` and the other programs are in
//! `PREFIX/libexec/flux`; in a build tree they are all in one folder.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use command::env::Env;

use crate::bindings::Bindings;

/// Variables that the command sets for the programs that it starts, in the order in which
/// `flux env` prints them.
pub const VARIABLES: &[&str] = &[
    "FLUX_EXEC_PATH",
    "FLUX_MODULE_PATH",
    "FLUX_CONNECTOR_PATH",
    "LUA_PATH",
    "LUA_CPATH",
    "MANPATH",
    "PATH",
    "PYTHONPATH",
    "FLUX_RC_EXTRA",
    "FLUX_SHELL_RC_PATH",
    "FLUX_KVS_NAMESPACE",
    "FLUX_URI",
];

/// End of a Lua search path: the interpreter's default.
const LUA_DEFAULT: &str = ";;;";

/// Paths of the installed programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The folder of `flux`.
    pub bin: PathBuf,
    /// The folder of `flux-broker`, of the modules and of external commands.
    pub exec: PathBuf,
    /// The folder above, in which `share` and `lib` are.
    pub prefix: PathBuf,
}

impl Layout {
    /// Layout of the running program.
    pub fn find() -> std::io::Result<Layout> {
        Ok(Layout::around(&std::env::current_exe()?))
    }

    /// Layout of the program `flux`.
    pub fn around(flux: &Path) -> Layout {
        let bin = flux.parent().unwrap_or(Path::new("/")).to_path_buf();
        let prefix = bin.parent().unwrap_or(Path::new("/")).to_path_buf();
        let libexec = prefix.join("libexec/flux");
        Layout {
            exec: if libexec.is_dir() {
                libexec
            } else {
                bin.clone()
            },
            bin,
            prefix,
        }
    }

    /// The path of one of the project's own programs, such as `flux-broker`.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        let places = [&self.exec, &self.bin];
        let mut paths = places.into_iter().map(|folder| folder.join(name));
        paths.find(|path| path.is_file())
    }

    /// The folder of manual pages.
    pub fn man(&self) -> PathBuf {
        self.prefix.join("share/man")
    }

    /// Sets in `env` the variables that programs started by `flux` expect (protocol/24
    /// section 20).
    pub fn apply(&self, env: &mut Env) {
        for name in ["FLUX_EXEC_PATH", "FLUX_MODULE_PATH", "FLUX_CONNECTOR_PATH"] {
            let first = env.get_os(&format!("{name}_PREPEND"));
            let parts = [first, Some(self.exec.as_os_str()), env.get_os(name)];
            let path = search_path(b':', parts);
            env.set(name, path);
        }
        for (name, builtin) in [
            ("LUA_PATH", "share/lua/5.1/?.lua"),
            ("LUA_CPATH", "lib/lua/5.1/?.so"),
        ] {
            let builtin = self.prefix.join(builtin);
            let first = env.get_os(&format!("FLUX_{name}_PREPEND"));
            let parts = [first, Some(builtin.as_os_str()), env.get_os(name)];
            let mut path = search_path(b';', parts);
            path.push(LUA_DEFAULT);
            env.set(name, path);
        }
        let path = self.man_path(env.get_os("MANPATH"));
        env.set("MANPATH", path);
        for name in ["FLUX_RC_EXTRA", "FLUX_SHELL_RC_PATH"] {
            if let Some(path) = env.get_os(name) {
                let path = search_path(b':', [Some(path), None, None]);
                env.set(name, path);
            }
        }
        if env.get_os("FLUX_PYTHONPATH_PREPEND").is_some() {
            self.apply_python(env);
        }
    }

    /// Sets in `env` the additional variables for programs in Python.
    pub fn apply_python(&self, env: &mut Env) {
        let bindings = Bindings::of(self).pop().map(|bindings| bindings.path);
        self.apply_bindings(env, bindings.as_deref());
    }

    /// The same with the bindings of one version.
    pub fn apply_bindings(&self, env: &mut Env, bindings: Option<&Path>) {
        let first = env.get_os("FLUX_PYTHONPATH_PREPEND");
        let parts = [
            first,
            bindings.map(Path::as_os_str),
            env.get_os("PYTHONPATH"),
        ];
        let path = search_path(b':', parts);
        if !path.is_empty() {
            env.set("PYTHONPATH", path);
        }
    }

    /// Puts the folder of `flux` first in PATH if it was called by a path and another `flux`,
    /// or none, would be found: its children are to find this one.
    pub fn lead_path(&self, env: &mut Env, called_as: &OsStr) {
        if !called_as.as_bytes().contains(&b'/') {
            return;
        }
        let path = env.get_os("PATH");
        let folders = path.into_iter().flat_map(std::env::split_paths);
        let first = folders
            .map(|folder| folder.join("flux"))
            .find(|flux| is_executable(flux));
        let own = self.bin.join("flux").canonicalize().ok();
        if own.is_some() && first.and_then(|first| first.canonicalize().ok()) == own {
            return;
        }
        let path = search_path(b':', [Some(self.bin.as_os_str()), path, None]);
        env.set("PATH", path);
    }

    /// Our pages first. An empty last entry stands for the system's own.
    fn man_path(&self, inherited: Option<&OsStr>) -> OsString {
        let own = self.man();
        let mut path = search_path(b':', [Some(own.as_os_str()), inherited, None]);
        if inherited.is_none_or(|path| path.is_empty() || path.as_bytes().ends_with(b":")) {
            path.push(":");
        }
        path
    }
}

/// True if a file is a program.
pub fn is_executable(path: &Path) -> bool {
    let Ok(metadata) = path.metadata() else {
        return false;
    };
    metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
}

/// Joins search paths, each entry once, where it comes first.
fn search_path(separator: u8, parts: [Option<&OsStr>; 3]) -> OsString {
    let mut entries: Vec<&[u8]> = Vec::new();
    for part in parts.into_iter().flatten() {
        for entry in part.as_bytes().split(|byte| *byte == separator) {
            if !entry.is_empty() && !entries.contains(&entry) {
                entries.push(entry);
            }
        }
    }
    OsString::from_vec(entries.join(&separator))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout {
            bin: "/p/bin".into(),
            exec: "/p/libexec/flux".into(),
            prefix: "/p".into(),
        }
    }

    /// Checks the value of `name` for programs, where the environment is `inherited`.
    fn check(name: &str, inherited: &[(&str, &str)], expect: Option<&str>) {
        let mut env: Env = inherited.iter().copied().collect();
        layout().apply(&mut env);
        assert_eq!(env.get(name), expect, "{name} of {inherited:?}");
        layout().apply(&mut env);
        assert_eq!(env.get(name), expect, "{name} again");
    }

    #[test]
    fn the_built_in_entry_is_between_what_is_prepended_and_inherited() {
        let exec = "FLUX_EXEC_PATH";
        check(exec, &[], Some("/p/libexec/flux"));
        let all = [
            (exec, "/mine:/p/libexec/flux:/mine::/x"),
            ("FLUX_EXEC_PATH_PREPEND", "/first:/x"),
        ];
        check(exec, &all, Some("/first:/x:/p/libexec/flux:/mine"));
        check("FLUX_MODULE_PATH", &all, Some("/p/libexec/flux"));
        let module = [
            ("FLUX_MODULE_PATH_PREPEND", "/m"),
            ("FLUX_MODULE_PATH", "/n"),
        ];
        check("FLUX_MODULE_PATH", &module, Some("/m:/p/libexec/flux:/n"));
        let connector = [("FLUX_CONNECTOR_PATH", "/n")];
        check(
            "FLUX_CONNECTOR_PATH",
            &connector,
            Some("/p/libexec/flux:/n"),
        );
    }

    #[test]
    fn lua_keeps_its_own_path_behind() {
        check("LUA_PATH", &[], Some("/p/share/lua/5.1/?.lua;;;"));
        check("LUA_CPATH", &[], Some("/p/lib/lua/5.1/?.so;;;"));
        let set = [
            ("LUA_PATH", "/l/?.lua;;"),
            ("FLUX_LUA_PATH_PREPEND", "/f/?.lua"),
        ];
        check(
            "LUA_PATH",
            &set,
            Some("/f/?.lua;/p/share/lua/5.1/?.lua;/l/?.lua;;;"),
        );
        let set = [("FLUX_LUA_CPATH_PREPEND", "/f/?.so")];
        check("LUA_CPATH", &set, Some("/f/?.so;/p/lib/lua/5.1/?.so;;;"));
    }

    #[test]
    fn the_pages_of_the_system_stay() {
        check("MANPATH", &[], Some("/p/share/man:"));
        check("MANPATH", &[("MANPATH", "")], Some("/p/share/man:"));
        check("MANPATH", &[("MANPATH", "/m")], Some("/p/share/man:/m"));
        check("MANPATH", &[("MANPATH", "/m:")], Some("/p/share/man:/m:"));
    }

    #[test]
    fn other_paths_lose_what_is_twice() {
        check(
            "FLUX_RC_EXTRA",
            &[("FLUX_RC_EXTRA", "/a:/b:/a")],
            Some("/a:/b"),
        );
        check(
            "FLUX_SHELL_RC_PATH",
            &[("FLUX_SHELL_RC_PATH", "/a:/a")],
            Some("/a"),
        );
        check("FLUX_RC_EXTRA", &[], None);
        check("PATH", &[("PATH", "/a:/a")], Some("/a:/a"));
    }

    #[test]
    fn the_path_of_python_is_only_set_where_it_was_asked_for() {
        check("PYTHONPATH", &[("PYTHONPATH", "/a")], Some("/a"));
        check("PYTHONPATH", &[], None);
        let set = [("PYTHONPATH", "/a:/f"), ("FLUX_PYTHONPATH_PREPEND", "/f")];
        check("PYTHONPATH", &set, Some("/f:/a"));
        let mut env = Env::from_iter([("PYTHONPATH", "/a")]);
        layout().apply_bindings(&mut env, Some(Path::new("/b")));
        assert_eq!(env.get("PYTHONPATH"), Some("/b:/a"));
    }

    /// Makes programs in folders of `base`.
    fn make_programs(base: &Path, paths: &[&str]) {
        for path in paths {
            let path = base.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        }
    }

    #[test]
    fn path_leads_to_the_flux_that_was_called() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path();
        make_programs(base, &["own/flux", "other/flux", "bin/ls"]);
        let layout = Layout::around(&base.join("own/flux"));
        let base = base.display().to_string();
        let check = |called: &str, path: &str, expect: &str| {
            let mut env = Env::from_iter([("PATH", path.replace('@', &base).as_str())]);
            layout.lead_path(&mut env, OsStr::new(called));
            assert_eq!(
                env.get("PATH"),
                Some(expect.replace('@', &base).as_str()),
                "{path}"
            );
        };
        check("flux", "@/other:@/own", "@/other:@/own");
        check("./flux", "@/own:@/other", "@/own:@/other");
        check("./flux", "@/bin:@/own", "@/bin:@/own");
        check("./flux", "@/other:@/own", "@/own:@/other");
        check("./flux", "@/bin", "@/own:@/bin");
        check("./flux", "", "@/own");
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
