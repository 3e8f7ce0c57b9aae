//! The arguments of `flux module load content`, the attribute for the store behind it,
//! and `kvs.durability` (protocol/04 section 3, doc/durability.md).

use std::path::PathBuf;
use std::time::Duration;

use node::Cx;
use proto::attr::names;
use proto::config::{self, keys};
use proto::data::HashKind;
use proto::{Errno, Object, Refusal};

use crate::Content;
use crate::limits::{BATCH_TASKS_MAX, BLOB_BYTES_MAX, CACHE_AGE_MAX, CHECKPOINTS_MAX};

/// Store of the blobs: `content.backing-module`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// One SQLite file.
    Sqlite,
    /// A folder with a file for each blob.
    Files,
}

impl Backend {
    /// The name of the module that it stands in for.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "content-sqlite",
            Self::Files => "content-files",
        }
    }

    /// The file or folder in the state or run directory.
    const fn file(self) -> &'static str {
        match self {
            Self::Sqlite => "content.sqlite",
            Self::Files => "content.files",
        }
    }

    fn of(cx: &Cx<Content>) -> Result<Backend, Refusal> {
        let name = cx.attr(&names::CONTENT_BACKING_MODULE);
        let name = name.unwrap_or(Self::Sqlite.name());
        let known = [Self::Sqlite, Self::Files];
        let found = known.into_iter().find(|backend| backend.name() == name);
        found.ok_or_else(|| {
            let text =
                format!("content.backing-module={name}: must be content-sqlite or content-files");
            Refusal::new(Errno::EINVAL, text)
        })
    }
}

/// Durability of an acknowledged commit: `kvs.durability`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The end of any process.
    Process,
    /// A loss of power too.
    Power,
}

impl Durability {
    /// Reads `kvs.durability`.
    pub fn of(conf: &Object) -> Result<Durability, Refusal> {
        let value: Option<String> = keys::KVS_DURABILITY.read(conf)?;
        match value.as_deref() {
            Some("power") => Ok(Self::Power),
            _ => Ok(Self::Process),
        }
    }
}

/// Settings of the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Hash of blobrefs.
    pub hash: HashKind,
    /// Largest blob in bytes.
    pub blob_bytes_max: usize,
    /// Bytes of blobs kept in memory if an argument sets it. It comes before the configuration.
    pub cache_bytes_max: Option<usize>,
    /// Cache settings of the configuration.
    pub cache: config::Cache,
    /// Time that an unused blob stays in memory.
    pub cache_age_max: Duration,
    /// Tasks in one transaction.
    pub batch_tasks_max: usize,
    /// Store of the blobs.
    pub backend: Backend,
    /// Settings of the store.
    pub file: FileSettings,
}

/// Settings of the store; handed to the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSettings {
    /// Path of the store.
    pub path: PathBuf,
    /// SQLite's journal mode.
    pub journal_mode: String,
    /// SQLite's synchronous mode, if it was given. It comes before the durability.
    pub synchronous: Option<String>,
    /// Durability of a commit.
    pub durability: Durability,
    /// Checkpoints kept.
    pub checkpoints_max: usize,
    /// Begin with an empty store.
    pub truncate: bool,
}

impl FileSettings {
    /// Applies the table `[content-sqlite]`.
    fn configure(&mut self, conf: &Object) -> Result<(), Refusal> {
        if let Some(mode) = keys::CONTENT_SQLITE_JOURNAL_MODE.read(conf)? {
            self.journal_mode = mode;
        }
        self.synchronous = keys::CONTENT_SQLITE_SYNCHRONOUS.read(conf)?;
        Ok(())
    }

    /// The synchronous mode to run SQLite with. NORMAL survives the end of any process,
    /// FULL also a loss of power.
    pub fn synchronous(&self) -> &str {
        match (&self.synchronous, self.durability) {
            (Some(mode), _) => mode,
            (None, Durability::Process) => "NORMAL",
            (None, Durability::Power) => "FULL",
        }
    }
}

const JOURNAL_MODES: &[&str] = &["DELETE", "TRUNCATE", "PERSIST", "MEMORY", "WAL", "OFF"];
const SYNCHRONOUS_MODES: &[&str] = &["EXTRA", "FULL", "NORMAL", "OFF"];

impl Settings {
    /// Reads the arguments and the attributes `content.hash`, `statedir` and `rundir`.
    pub fn of(cx: &Cx<Content>) -> Result<Settings, Refusal> {
        let hash = cx.attr(&names::CONTENT_HASH).unwrap_or("sha1");
        let hash: HashKind = hash.parse().map_err(|_| {
            Refusal::new(
                Errno::EINVAL,
                format!("{hash}: unknown hash in content.hash"),
            )
        })?;
        let folder = cx.attr(&names::STATEDIR);
        let folder = folder.or_else(|| cx.attr(&names::RUNDIR));
        let folder = folder
            .ok_or_else(|| Refusal::new(Errno::EINVAL, "neither statedir nor rundir is set"))?;
        let backend = Backend::of(cx)?;
        let mut settings = Settings {
            hash,
            backend,
            blob_bytes_max: BLOB_BYTES_MAX,
            cache_bytes_max: None,
            cache: config::Cache::of(&cx.welcome().conf)?,
            cache_age_max: CACHE_AGE_MAX,
            batch_tasks_max: BATCH_TASKS_MAX,
            file: FileSettings {
                path: PathBuf::from(folder).join(backend.file()),
                journal_mode: "WAL".to_owned(),
                synchronous: None,
                durability: Durability::of(&cx.welcome().conf)?,
                checkpoints_max: CHECKPOINTS_MAX,
                truncate: false,
            },
        };
        if backend == Backend::Sqlite {
            settings.file.configure(&cx.welcome().conf)?;
        }
        for arg in cx.welcome().args.iter().flatten() {
            settings.apply(arg)?;
        }
        Ok(settings)
    }

    /// Bytes of blobs to keep in memory.
    pub fn cache_bytes(&self) -> usize {
        self.cache_bytes_max.unwrap_or(self.cache.blobs)
    }

    fn apply(&mut self, arg: &str) -> Result<(), Refusal> {
        let unknown = || Refusal::new(Errno::EINVAL, format!("unknown module option: {arg}"));
        if arg == "truncate" {
            self.file.truncate = true;
            return Ok(());
        }
        // For tests that talk to the store alone, which they can do here anyway.
        if arg == "testing" && self.backend == Backend::Files {
            return Ok(());
        }
        let (name, value) = arg.split_once('=').ok_or_else(unknown)?;
        match name {
            "journal_mode" | "synchronous" if self.backend != Backend::Sqlite => {
                return Err(unknown());
            }
            "journal_mode" => self.file.journal_mode = one_of(arg, value, JOURNAL_MODES)?,
            "synchronous" => {
                self.file.synchronous = Some(one_of(arg, value, SYNCHRONOUS_MODES)?);
            }
            "max-checkpoints" => self.file.checkpoints_max = positive(arg, value)?,
            "blob-size-limit" => self.blob_bytes_max = positive(arg, value)?,
            "purge-target-size" => self.cache_bytes_max = Some(positive(arg, value)?),
            "flush-batch-limit" => self.batch_tasks_max = positive(arg, value)?,
            "purge-old-entry" => {
                self.cache_age_max = Duration::from_secs(positive(arg, value)? as u64);
            }
            _ => return Err(unknown()),
        }
        Ok(())
    }
}

fn one_of(arg: &str, value: &str, known: &[&str]) -> Result<String, Refusal> {
    let value = value.to_ascii_uppercase();
    if known.contains(&value.as_str()) {
        return Ok(value);
    }
    Err(Refusal::new(
        Errno::EINVAL,
        format!("{arg}: must be one of {}", known.join(", ")),
    ))
}

fn positive(arg: &str, value: &str) -> Result<usize, Refusal> {
    match value.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(Refusal::new(
            Errno::EINVAL,
            format!("{arg}: must be a number above zero"),
        )),
    }
}
