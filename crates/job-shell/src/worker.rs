//! Everything that touches files, done by the worker thread in the order given: the job's
//! temporary directory, the files that came with the job, output files, the host's
//! topology. The core only sends requests and receives results.
#![allow(
    clippy::disallowed_types,
    reason = "the worker is where the shell touches files"
)]

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use initrc::{Script, ScriptRequest};
use proto::data::IdSet;
use serde_json::{Map, Value};

use crate::attributes;
use crate::cgroup::{Cgroup, Usage};
use crate::disk::Disk;
use crate::limits::{ADMIT_WAIT_S, HOSTFILE_BYTES_MAX};
use crate::topology::{self, Cores};
use crate::unpack::Unpacking;

/// Where a task starts when its own directory cannot be entered, and where its temporary
/// files go when their directory cannot be made.
pub(crate) const FALLBACK: &str = "/tmp";

/// State of the worker thread.
#[derive(Default)]
pub struct Files {
    /// Output files with their paths.
    outputs: Vec<(String, File)>,
    tmpdir: Option<PathBuf>,
    /// Where files of archives go, while they do.
    pub(crate) unpacking: Option<Unpacking>,
    /// Our control group, if the kernel counts its usage.
    cgroup: Option<Cgroup>,
}

/// Preparations needed before tasks can start.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Directories to make the temporary one in, in order of preference.
    pub tmp_parents: Vec<String>,
    /// Name.
    pub tmp_name: String,
    /// Working directory wanted for tasks.
    pub cwd: Option<String>,
    /// TMPDIR of the tasks, which may not be there on this node.
    pub tasks_tmpdir: Option<String>,
    /// Files to write into the temporary directory.
    pub files: Map<String, Value>,
    /// Cores to bind to, if tasks are to be bound.
    pub cores: Option<IdSet>,
    /// File of hosts to read, relative to the tasks' directory.
    pub hostfile: Option<String>,
    /// Resource limits that tasks are to have.
    pub rlimits: Vec<(String, i64)>,
    /// True if all usage counted by the kernel is wanted.
    pub measures: bool,
    /// A program to look for, and the folders to do so in, as PATH has them.
    pub program: Option<(String, String)>,
    /// Scripts that may be there, if they were not looked for yet.
    pub scripts: Option<(ScriptRequest, Disk)>,
}

/// Results of the preparations.
#[derive(Debug)]
pub struct Prepared {
    /// The temporary directory.
    pub tmpdir: String,
    /// Working directory of tasks.
    pub cwd: String,
    /// Error that prevented the wanted one.
    pub cwd_error: Option<String>,
    /// TMPDIR of the tasks if it is not there and cannot be made.
    pub lost_tmpdir: Option<String>,
    /// Error for which the job cannot go on.
    pub failure: Option<String>,
    /// CPUs of the job's cores, if they were asked for.
    pub cores: Cores,
    /// Contents of the host file, or the error of reading it.
    pub hostfile: Result<String, String>,
    /// Usage of our control group so far, if counted.
    pub usage: Option<Usage>,
    /// Limits above our hard limits.
    pub rlimits_above: Vec<String>,
    /// Where the program is, if it was found.
    pub program: Option<String>,
    /// A script that is to be run before anything more is looked for.
    pub script: Option<Script>,
}

/// An output file to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    /// Where, relative to the tasks' directory.
    pub path: String,
    /// True to keep its contents.
    pub append: bool,
}

impl Prepared {
    /// Nothing is ready yet.
    fn new() -> Prepared {
        Prepared {
            tmpdir: String::new(),
            cwd: String::new(),
            cwd_error: None,
            lost_tmpdir: None,
            failure: None,
            cores: Cores::default(),
            hostfile: Ok(String::new()),
            usage: None,
            rlimits_above: Vec::new(),
            program: None,
            script: None,
        }
    }
}

impl Files {
    /// Looks for a broker where `file` says it is. Once it is removed, the last broker has
    /// exited and expects no job to go on, or the instance has ended.
    pub fn find_broker(&mut self, file: &str) -> Found {
        let told = match fs::read_to_string(file) {
            Ok(told) => told,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::Never,
            Err(_) => return Found::NotYet,
        };
        let path = told.trim().strip_prefix("local://").map(Path::new);
        match path.map(connect) {
            Some(Ok(stream)) => Found::Broker(stream.into()),
            Some(Err(_)) | None => Found::NotYet,
        }
    }

    /// Makes everything ready for tasks, or for scripts if there are any.
    pub fn prepare(&mut self, wanted: Wanted) -> Prepared {
        let mut prepared = Prepared::new();
        match self.make_tmpdir(&wanted) {
            Ok(tmpdir) => prepared.tmpdir = tmpdir,
            Err(error) => {
                prepared.failure = Some(format!("failed to create job tmpdir: {error}"));
                return prepared;
            }
        }
        for (name, file) in &wanted.files {
            if let Err(error) = extract(Path::new(&prepared.tmpdir), name, file) {
                prepared.failure = Some(format!("failed to extract file {name}: {error}"));
            }
        }
        let cwd = wanted.cwd.clone().unwrap_or_else(|| FALLBACK.to_owned());
        match std::env::set_current_dir(&cwd) {
            Ok(()) => prepared.cwd = cwd,
            Err(error) => {
                prepared.cwd_error = Some(format!(
                    "Could not change dir to {cwd}: {}",
                    text_of(&error)
                ));
                FALLBACK.clone_into(&mut prepared.cwd);
                // Without a place to be we stay where we are.
                let _ = std::env::set_current_dir(FALLBACK);
            }
        }
        if let Some((request, disk)) = &wanted.scripts {
            match initrc::find(disk, request) {
                Ok(None) => {}
                Ok(script) => {
                    prepared.script = script;
                    return prepared;
                }
                Err(why) => prepared.failure = Some(why),
            }
        }
        self.look(wanted, prepared)
    }

    /// Gathers facts about this node.
    pub fn look(&mut self, wanted: Wanted, mut prepared: Prepared) -> Prepared {
        // A relative one is meant from where the tasks start.
        prepared.lost_tmpdir = wanted.tasks_tmpdir.filter(|path| !can_be_made(path));
        if let Some(cores) = wanted.cores {
            prepared.cores = topology::cpus_of_cores(&cores);
        }
        if let Some(path) = wanted.hostfile {
            prepared.hostfile = read_hostfile(&path).map_err(|error| text_of(&error));
        }
        let limits = wanted.rlimits.into_iter();
        let above = limits.filter(|(name, soft)| attributes::is_above_hard_limit(name, *soft));
        prepared.rlimits_above = above.map(|(name, _)| name).collect();
        self.cgroup = Cgroup::own();
        prepared.usage = self.cgroup.as_ref().map(|cgroup| match wanted.measures {
            true => cgroup.usage(),
            false => Usage {
                oom_kills: cgroup.oom_kills(),
                ..Usage::default()
            },
        });
        prepared.program = wanted.program.and_then(|(name, path)| find(&name, &path));
        prepared
    }

    fn make_tmpdir(&mut self, wanted: &Wanted) -> io::Result<String> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for parent in &wanted.tmp_parents {
            let path = Path::new(parent).join(&wanted.tmp_name);
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    self.tmpdir = Some(path.clone());
                    return Ok(path.to_string_lossy().into_owned());
                }
                // A shell of the same job that was replaced may have left it.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_private(&path) => {
                    self.tmpdir = Some(path.clone());
                    return Ok(path.to_string_lossy().into_owned());
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Opens output files; they are named by their place in the list from then on.
    pub fn open_outputs(&mut self, files: &[OutputFile]) -> Result<(), String> {
        for file in files {
            let opened = OpenOptions::new()
                .create(true)
                .write(!file.append)
                .append(file.append)
                .truncate(!file.append)
                .mode(0o666)
                .open(&file.path);
            match opened {
                Ok(opened) => self.outputs.push((file.path.clone(), opened)),
                Err(error) => {
                    let why = text_of(&error);
                    return Err(format!("error opening output file {}: {why}", file.path));
                }
            }
        }
        Ok(())
    }

    /// Checks that standard input can be read from a file.
    pub fn check_input(&self, path: &str) -> Result<(), String> {
        match File::open(path) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!(
                "error opening input file '{path}': {}",
                text_of(&error)
            )),
        }
    }

    /// Writes to output file number `file`.
    pub fn write(&mut self, file: usize, data: &[u8]) -> Result<(), String> {
        let (path, output) = match self.outputs.get_mut(file) {
            Some((path, output)) => (path, output),
            None => return Err("no such output file".to_owned()),
        };
        let written = output.write_all(data);
        written.map_err(|error| format!("error writing output file {path}: {}", text_of(&error)))
    }

    /// Makes a file that is written to piece by piece, and not kept open.
    pub fn create(&mut self, path: &str, append: bool) -> Result<(), String> {
        let mut options = OpenOptions::new();
        options
            .create(true)
            .write(true)
            .truncate(!append)
            .mode(0o666);
        let made = options.open(path).map(drop);
        made.map_err(|error| format!("error opening output file {path}: {}", text_of(&error)))
    }

    /// Makes a file that is only for its owner, and empties it if it is there.
    pub fn create_private(&mut self, path: &str) -> Result<(), String> {
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(true).mode(0o600);
        let made = options.open(path).map(drop);
        made.map_err(|error| format!("error opening output file {path}: {}", text_of(&error)))
    }

    /// Adds to such a file.
    pub fn add(&mut self, path: &str, data: &[u8]) -> Result<(), String> {
        let file = OpenOptions::new().append(true).open(path);
        let added = file.and_then(|mut file| file.write_all(data));
        added.map_err(|error| format!("error writing output file {path}: {}", text_of(&error)))
    }

    /// Makes a file for tasks that must not be there yet.
    pub fn create_new(&self, path: &str, data: &[u8]) -> Result<(), String> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o640).open(path);
        let written = file.and_then(|mut file| file.write_all(data));
        written.map_err(|error| format!("error creating {path}: {}", text_of(&error)))
    }

    /// Usage of our control group so far.
    pub fn usage(&mut self) -> Option<Usage> {
        self.cgroup.as_ref().map(Cgroup::usage)
    }

    /// Leaves nothing behind but output.
    pub fn tidy(&mut self) {
        self.outputs.clear();
        if let Some(tmpdir) = self.tmpdir.take() {
            // Most jobs leave it empty.
            let left = fs::remove_dir(&tmpdir).or_else(|_| fs::remove_dir_all(&tmpdir));
            if let Err(error) = left {
                tracing::warn!("{}: {error}", tmpdir.display());
            }
        }
    }
}

/// Result of a search for a broker.
#[derive(Debug)]
pub enum Found {
    /// A connection that it has let in.
    Broker(OwnedFd),
    /// There is none at the moment.
    NotYet,
    /// There will be none.
    Never,
}

/// Connects to a broker and takes the one byte with which it lets us in (protocol/02 section 2).
fn connect(path: &Path) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(Duration::from_secs(ADMIT_WAIT_S)))?;
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    match byte[0] {
        0 => Ok(stream),
        errno => Err(io::Error::from_raw_os_error(i32::from(errno))),
    }
}

/// The first file of this name that may be run, in the folders of `path`.
fn find(name: &str, path: &str) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let files = path.split(':').map(|folder| match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    });
    let mut files = files.filter(|file| {
        let found = fs::metadata(file);
        found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    });
    files.next()
}

/// The beginning of a file of hosts, as much as one may have.
fn read_hostfile(path: &str) -> io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        // One that has no end, or waits for a writer.
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
    }
    file.take(HOSTFILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// True if a directory exists, or can be made because its parent exists.
fn can_be_made(path: &str) -> bool {
    let path = Path::new(path);
    path.is_dir() || fs::create_dir(path).is_ok() || path.is_dir()
}

/// The text of an error without the number that Rust adds.
pub fn text_of(error: &io::Error) -> String {
    let errno = error
        .raw_os_error()
        .and_then(|errno| u32::try_from(errno).ok());
    let text = errno.and_then(|errno| proto::Errno(errno).text());
    text.map_or_else(|| error.to_string(), str::to_owned)
}

/// True if a path is a directory of our user that nobody else can enter: anybody may have
/// made one of a predictable name.
fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let found = fs::symlink_metadata(path);
    let ours = rustix::process::geteuid().as_raw();
    found.is_ok_and(|found| found.is_dir() && found.uid() == ours && found.mode() & 0o077 == 0)
}

/// Writes one file that came with the job (RFC 37).
fn extract(tmpdir: &Path, name: &str, file: &Value) -> io::Result<()> {
    let path = within(tmpdir, name)?;
    let invalid = |why: &'static str| io::Error::new(io::ErrorKind::InvalidInput, why);
    let mode = file
        .get("mode")
        .and_then(Value::as_u64)
        .unwrap_or(0o100_600);
    let mode = u32::try_from(mode).map_err(|_| invalid("invalid mode"))?;
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let text = file.get("data").and_then(Value::as_str);
    match (mode & 0o170_000, text) {
        (0o040_000, _) => DirBuilder::new().mode(mode & 0o7777).create(path),
        (0o120_000, Some(target)) => symlink(target, path),
        (0o120_000, None) => Err(invalid("a link without a target")),
        _ => {
            let data = contents(file).ok_or_else(|| invalid("invalid data"))?;
            let mut options = OpenOptions::new();
            options
                .create(true)
                .write(true)
                .truncate(true)
                .mode(mode & 0o7777);
            options.open(path)?.write_all(&data)
        }
    }
}

fn contents(file: &Value) -> Option<Vec<u8>> {
    let encoding = file.get("encoding").and_then(Value::as_str);
    match (file.get("data"), encoding) {
        (None, _) => Some(Vec::new()),
        (Some(Value::String(text)), Some("base64")) => STANDARD.decode(text).ok(),
        (Some(Value::String(text)), _) => Some(text.clone().into_bytes()),
        (Some(json), None) => serde_json::to_vec(json).ok(),
        (Some(_), Some(_)) => None,
    }
}

/// A path below `dir` that cannot lead out of it.
fn within(dir: &Path, name: &str) -> io::Result<PathBuf> {
    let is_plain = |part: Component| matches!(part, Component::Normal(_) | Component::CurDir);
    match !name.is_empty() && Path::new(name).components().all(is_plain) {
        true => Ok(dir.join(name)),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "invalid path")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wanted(dir: &Path) -> Wanted {
        Wanted {
            tmp_parents: vec![
                "/nonexistent".to_owned(),
                dir.to_string_lossy().into_owned(),
            ],
            tmp_name: "jobtmp-0-fNH".to_owned(),
            ..Wanted::default()
        }
    }

    #[test]
    fn the_temporary_directory_is_made_where_it_can_be_and_goes_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = Files::default();
        let prepared = files.prepare(wanted(dir.path()));
        let tmpdir = PathBuf::from(&prepared.tmpdir);
        assert_eq!(tmpdir, dir.path().join("jobtmp-0-fNH"));
        fs::write(tmpdir.join("left"), "x").unwrap();
        files.tidy();
        assert!(!tmpdir.exists());
    }

    #[test]
    fn a_temporary_directory_that_somebody_else_has_made_is_not_taken() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("jobtmp-0-fNH");
        let is_taken = || {
            let mut files = Files::default();
            let taken = files.make_tmpdir(&wanted(dir.path())).is_ok();
            files.tmpdir = None;
            taken
        };
        symlink(dir.path(), &path).unwrap();
        assert!(!is_taken(), "a link");
        fs::remove_file(&path).unwrap();
        assert!(is_taken() && is_taken(), "a shell that was replaced");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(!is_taken(), "open to all");
    }

    #[test]
    fn a_directory_that_is_not_there_is_replaced_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut wanted = wanted(dir.path());
        wanted.cwd = Some("/nonexistent/dir".to_owned());
        let prepared = Files::default().prepare(wanted);
        assert_eq!(prepared.cwd, "/tmp");
        let why = "Could not change dir to /nonexistent/dir: No such file or directory";
        assert_eq!(prepared.cwd_error.as_deref(), Some(why));
    }

    #[test]
    fn the_tmpdir_of_tasks_is_made_where_its_parent_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
        fs::write(path("file"), "").unwrap();
        for (name, is_lost) in [
            (".", false),
            ("new", false),
            ("none/such", true),
            ("file", true),
        ] {
            let mut wanted = wanted(dir.path());
            wanted.tasks_tmpdir = Some(path(name));
            let lost = Files::default().prepare(wanted).lost_tmpdir;
            assert_eq!(lost, is_lost.then(|| path(name)));
            assert_eq!(Path::new(&path(name)).is_dir(), !is_lost, "{name}");
        }
    }

    #[test]
    fn files_of_the_job_are_written_with_their_modes() {
        let dir = tempfile::tempdir().unwrap();
        let mut wanted = wanted(dir.path());
        let files = json!({
            "script": {"mode": 33216, "data": "#!/bin/sh\n", "encoding": "utf-8"},
            "conf.json": {"mode": 33152, "data": {"a": 1}},
            "sub/raw": {"mode": 33188, "data": "AP8=", "encoding": "base64"},
            "link": {"mode": 0o120_777, "data": "script"},
        });
        wanted.files = files.as_object().unwrap().clone();
        let prepared = Files::default().prepare(wanted);
        assert_eq!(prepared.failure, None);
        let path = |name: &str| Path::new(&prepared.tmpdir).join(name);
        assert_eq!(fs::read_to_string(path("link")).unwrap(), "#!/bin/sh\n");
        assert_eq!(fs::read_to_string(path("conf.json")).unwrap(), r#"{"a":1}"#);
        assert_eq!(fs::read(path("sub/raw")).unwrap(), [0, 0xff]);
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &fs::metadata(path("script")).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_file_can_not_lead_out_of_the_directory() {
        for name in ["../x", "/etc/x", "a/../../x", ""] {
            assert!(within(Path::new("/t"), name).is_err(), "{name}");
        }
        assert_eq!(within(Path::new("/t"), "a/b").unwrap(), Path::new("/t/a/b"));
    }

    #[test]
    fn output_is_truncated_or_appended_and_a_bad_path_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out").to_string_lossy().into_owned();
        fs::write(&path, "old\n").unwrap();
        let write = |append| {
            let mut files = Files::default();
            let file = OutputFile {
                path: path.clone(),
                append,
            };
            files.open_outputs(&[file]).unwrap();
            files.write(0, b"new\n").unwrap();
            fs::read_to_string(&path).unwrap()
        };
        assert_eq!(write(true), "old\nnew\n");
        assert_eq!(write(false), "new\n");
        let bad = OutputFile {
            path: "/nonexistent/out".to_owned(),
            append: false,
        };
        assert_eq!(
            Files::default().open_outputs(&[bad]).unwrap_err(),
            "error opening output file /nonexistent/out: No such file or directory"
        );
    }
}
