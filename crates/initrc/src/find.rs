//! Choice of the script that a job begins with, and whether there is anything to run at
//! all.

use crate::Disk;

/// The name under which messages show the script that runs where a site has none of its own.
pub const BUILT_IN_NAME: &str = "built-in initrc.lua";

/// Default script of a site.
const BUILT_IN: &str = include_str!("default.lua");
/// Default directory of a site's script.
const FOLDER: &str = "/etc/flux/shell";
/// The file in that folder.
const FILE: &str = "initrc.lua";
/// A file that is there and empty, by which jobs do without any.
const NOTHING: &str = "/dev/null";
/// Files that are part of the shell, below the folders that are searched.
const SHIPPED: &[(&str, &str)] = &[("mpi/spectrum.lua", include_str!("spectrum.lua"))];

/// Script settings of a job and its instance.
#[derive(Debug, Clone, Default)]
pub struct ScriptRequest {
    /// Option `initrc`.
    pub initrc: Option<String>,
    /// Attribute `conf.shell_initrc`.
    pub system: Option<String>,
    /// FLUX_SHELL_RC_PATH of the job.
    pub rc_path: String,
    /// True if option `userrc` is set.
    pub has_userrc: bool,
    /// Option `mpi`, without the version.
    pub mpi: Option<String>,
}

/// A script to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Name in messages: its path.
    pub name: String,
    /// Contents.
    pub text: Vec<u8>,
    /// The folder that it is in, `shell.rcpath`.
    pub folder: String,
    /// The folders in which its files are looked for.
    pub rcpath: Vec<String>,
}

/// The script that a job begins with, or none if nothing would come of it. A file that the job names
/// must be there.
pub fn find(disk: &dyn Disk, request: &ScriptRequest) -> Result<Option<Script>, String> {
    if let Some(path) = &request.initrc {
        if path == NOTHING {
            return Ok(None);
        }
        let text = disk.read(path);
        let text = text.map_err(|why| format!("loading rc file {path}: {why}"))?;
        return Ok(Some(script(path, text, folder_of(path), request)));
    }
    let standard = format!("{FOLDER}/{FILE}");
    let path = request.system.as_deref().unwrap_or(&standard);
    if let Ok(text) = disk.read(path) {
        return Ok(Some(script(path, text, folder_of(path), request)));
    }
    let script = script(BUILT_IN_NAME, BUILT_IN.into(), folder_of(path), request);
    Ok(has_work(disk, request, &script.rcpath).then_some(script))
}

fn script(name: &str, text: Vec<u8>, folder: &str, request: &ScriptRequest) -> Script {
    let more = request.rc_path.split(':').filter(|path| !path.is_empty());
    let own = format!("{folder}/lua.d");
    Script {
        name: name.to_owned(),
        text,
        folder: folder.to_owned(),
        rcpath: [own].into_iter().chain(more.map(str::to_owned)).collect(),
    }
}

fn folder_of(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((folder, _)) => folder,
        None => ".",
    }
}

/// True if our own script would find anything to do.
fn has_work(disk: &dyn Disk, request: &ScriptRequest, rcpath: &[String]) -> bool {
    if request.has_userrc {
        return true;
    }
    let has = |folder: &String, name: &str| !disk.glob(&format!("{folder}/{name}")).is_empty();
    if rcpath.iter().any(|folder| has(folder, "*.lua")) {
        return true;
    }
    let Some(mpi) = request.mpi.as_deref().filter(|mpi| *mpi != "none") else {
        return false;
    };
    let is_shipped = shipped(&format!("mpi/{mpi}.lua")).is_some();
    let here =
        |folder| has(folder, &format!("mpi/{mpi}.lua")) || has(folder, &format!("mpi/{mpi}@*.lua"));
    is_shipped || rcpath.iter().any(here)
}

/// A file that is part of the shell.
pub(crate) fn shipped(name: &str) -> Option<&'static str> {
    let found = SHIPPED.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files that are there and empty.
    struct Shelf(&'static [&'static str]);

    impl Disk for Shelf {
        fn glob(&self, pattern: &str) -> Vec<String> {
            let depth = |path: &str| path.matches('/').count();
            let files = self.0.iter().filter(|file| depth(file) == depth(pattern));
            let files = files.filter(|file| wire::topic::glob_matches(pattern, file));
            files.map(|file| (*file).to_owned()).collect()
        }

        fn read(&self, path: &str) -> Result<Vec<u8>, String> {
            match self.0.contains(&path) {
                true => Ok(Vec::new()),
                false => Err("No such file or directory".to_owned()),
            }
        }
    }

    fn check(files: &'static [&'static str], request: ScriptRequest, expect: &str) {
        let found = match find(&Shelf(files), &request) {
            Ok(Some(script)) => format!("{} {}", script.name, script.rcpath.join(":")),
            Ok(None) => "nothing".to_owned(),
            Err(why) => why,
        };
        assert_eq!(found, expect, "{files:?} {request:?}");
    }

    #[test]
    fn a_job_without_files_has_nothing_to_run() {
        check(&[], ScriptRequest::default(), "nothing");
        let mpi = |mpi: &str| ScriptRequest {
            mpi: Some(mpi.to_owned()),
            ..ScriptRequest::default()
        };
        check(&[], mpi("openmpi"), "nothing");
        check(&[], mpi("none"), "nothing");
        let built_in = "built-in initrc.lua /etc/flux/shell/lua.d";
        check(&[], mpi("spectrum"), built_in);
        check(
            &["/etc/flux/shell/lua.d/mpi/foo@7.lua"],
            mpi("foo"),
            built_in,
        );
        check(
            &["/etc/flux/shell/lua.d/a.lua"],
            ScriptRequest::default(),
            built_in,
        );
        let user = ScriptRequest {
            has_userrc: true,
            rc_path: "/a::/b".to_owned(),
            ..ScriptRequest::default()
        };
        check(&[], user, "built-in initrc.lua /etc/flux/shell/lua.d:/a:/b");
    }

    #[test]
    fn the_system_has_a_file_and_a_job_may_have_its_own() {
        let file = "/etc/flux/shell/initrc.lua";
        let expect = "/etc/flux/shell/initrc.lua /etc/flux/shell/lua.d";
        check(
            &["/etc/flux/shell/initrc.lua"],
            ScriptRequest::default(),
            expect,
        );
        let elsewhere = || ScriptRequest {
            system: Some("/opt/rc.lua".to_owned()),
            ..ScriptRequest::default()
        };
        check(&["/opt/rc.lua"], elsewhere(), "/opt/rc.lua /opt/lua.d");
        check(&["/etc/flux/shell/initrc.lua"], elsewhere(), "nothing");
        let own = |path: &str| ScriptRequest {
            initrc: Some(path.to_owned()),
            ..ScriptRequest::default()
        };
        check(&["my.lua"], own("my.lua"), "my.lua ./lua.d");
        check(&["/my.lua"], own("/my.lua"), "/my.lua //lua.d");
        check(&["/etc/flux/shell/initrc.lua"], own("/dev/null"), "nothing");
        let missing = "loading rc file no.lua: No such file or directory";
        check(&["/etc/flux/shell/initrc.lua"], own("no.lua"), missing);
        assert!(file.ends_with(FILE));
    }
}
