//! The arguments of `flux module load content` (protocol/04 section 3).

use std::path::PathBuf;

use node::Cx;
use proto::data::HashKind;
use proto::{Errno, Refusal};

use crate::Content;
use crate::limits::{BATCH_TASKS_MAX, BLOB_BYTES_MAX, CACHE_BYTES_MAX, CHECKPOINTS_MAX};

/// File of the store in the state or run directory.
const FILE: &str = "content.sqlite";

/// How the module was asked to work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Which hash names blobs.
    pub hash: HashKind,
    /// Largest blob in bytes.
    pub blob_bytes_max: usize,
    /// Bytes of blobs kept in memory.
    pub cache_bytes_max: usize,
    /// Tasks in one transaction.
    pub batch_tasks_max: usize,
    /// How the file is kept.
    pub file: FileSettings,
}

/// How the file is kept; handed to the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSettings {
    /// Where it is.
    pub path: PathBuf,
    /// SQLite's journal mode.
    pub journal_mode: String,
    /// SQLite's synchronous mode: NORMAL survives the end of any process, FULL also a loss
    /// of power.
    pub synchronous: String,
    /// Checkpoints kept.
    pub checkpoints_max: usize,
    /// Begin with an empty store.
    pub truncate: bool,
}

const JOURNAL_MODES: &[&str] = &["DELETE", "TRUNCATE", "PERSIST", "MEMORY", "WAL", "OFF"];
const SYNCHRONOUS_MODES: &[&str] = &["EXTRA", "FULL", "NORMAL", "OFF"];

impl Settings {
    /// Reads the arguments and the attributes `content.hash`, `statedir` and `rundir`.
    pub fn of(cx: &Cx<Content>) -> Result<Settings, Refusal> {
        let hash = cx.attr("content.hash").unwrap_or("sha1");
        let hash: HashKind = hash.parse().map_err(|_| {
            Refusal::new(
                Errno::EINVAL,
                format!("{hash}: unknown hash in content.hash"),
            )
        })?;
        let folder = cx.attr("statedir").or_else(|| cx.attr("rundir"));
        let folder = folder
            .ok_or_else(|| Refusal::new(Errno::EINVAL, "neither statedir nor rundir is set"))?;
        let mut settings = Settings {
            hash,
            blob_bytes_max: BLOB_BYTES_MAX,
            cache_bytes_max: CACHE_BYTES_MAX,
            batch_tasks_max: BATCH_TASKS_MAX,
            file: FileSettings {
                path: PathBuf::from(folder).join(FILE),
                journal_mode: "WAL".to_owned(),
                synchronous: "NORMAL".to_owned(),
                checkpoints_max: CHECKPOINTS_MAX,
                truncate: false,
            },
        };
        for arg in cx.welcome().args.iter().flatten() {
            settings.apply(arg)?;
        }
        Ok(settings)
    }

    fn apply(&mut self, arg: &str) -> Result<(), Refusal> {
        let unknown = || Refusal::new(Errno::EINVAL, format!("{arg}: unknown option"));
        if arg == "truncate" {
            self.file.truncate = true;
            return Ok(());
        }
        let (name, value) = arg.split_once('=').ok_or_else(unknown)?;
        match name {
            "journal_mode" => self.file.journal_mode = one_of(arg, value, JOURNAL_MODES)?,
            "synchronous" => self.file.synchronous = one_of(arg, value, SYNCHRONOUS_MODES)?,
            "max-checkpoints" => self.file.checkpoints_max = positive(arg, value)?,
            "blob-size-limit" => self.blob_bytes_max = positive(arg, value)?,
            "purge-target-size" => self.cache_bytes_max = positive(arg, value)?,
            "flush-batch-limit" => self.batch_tasks_max = positive(arg, value)?,
            // Blobs leave memory by their size, not by their age.
            "purge-old-entry" => drop(positive(arg, value)?),
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
