//! A damaged file is put aside as it is, and what can be read of it becomes a fresh one
//! (doc/durability.md).
//!
//! SQLite gives up at the first page that is not what it should be. Here every page is
//! looked at on its own (`pages.rs`, `rows.rs`), what is whole is copied (`copy.rs`), and
//! then it is decided which root to go on from (`roots.rs`).
#![allow(clippy::disallowed_types, reason = "this is where files are kept")]

mod copy;
mod pages;
mod roots;
mod rows;

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{Sqlite, schema};
use crate::limits::DAMAGED_FILES_MAX;
use crate::settings::{Durability, FileSettings};
use crate::store::failure::Failure;
use pages::Pages;

/// Why a file that SQLite opens is to be salvaged, if it is.
pub fn reason(path: &Path, db: &Connection) -> Option<Failure> {
    if is_wanted(path) {
        return Some(Failure::Damaged("it was found damaged before".to_owned()));
    }
    match roots::damage_of_primary(db) {
        Ok(damage) => damage.map(Failure::Damaged),
        Err(failure) => failure.is_damage().then_some(failure),
    }
}

/// Whether the last one to have the file open found it damaged.
fn is_wanted(path: &Path) -> bool {
    beside(path, ".salvage").exists()
}

/// Notes that the file was found damaged, for the next one to open it.
pub fn want(path: &Path) {
    let note = beside(path, ".salvage");
    if let Err(error) = File::create(&note) {
        tracing::error!("{}: {error}", note.display());
    }
}

/// Puts a fresh file in the place of the one that is damaged in this way.
pub fn salvage(settings: &FileSettings, why: &Failure) -> Result<(), Failure> {
    let path = &settings.path;
    let aside = put_aside(path)?;
    let (shown, why) = (aside.display(), why.what());
    let path_shown = path.display();
    tracing::error!("{path_shown}: {why}; kept as {shown}, and what can be read is taken over");
    let fresh = beside(path, ".fresh");
    delete(&fresh)?;
    let rebuilt = rebuild(settings, &aside, &fresh);
    delete(&beside(&fresh, "-journal"))?;
    if let Ok(Ok(())) = rebuilt {
        // The log goes first: it must not be taken for that of the fresh file. If we are
        // killed between the two, the next one begins again with what is aside.
        delete(&beside(path, "-wal"))?;
        delete(&beside(path, "-shm"))?;
        rename(&fresh, path)?;
        delete(&beside(path, ".salvage"))?;
        return Ok(());
    }
    delete(&fresh)?;
    // The file keeps its own name, which is enough.
    delete(&aside)?;
    delete(&beside(&aside, "-wal"))?;
    match rebuilt? {
        Err(what) => Err(Failure::Lost(format!("{why}; {what}"))),
        Ok(()) => Ok(()),
    }
}

/// Makes the fresh file. An error in words means that there is nothing to go on from.
fn rebuild(
    settings: &FileSettings,
    aside: &Path,
    fresh: &Path,
) -> Result<Result<(), String>, Failure> {
    let pages = Pages::open(aside, &beside(aside, "-wal"))?;
    let settings = FileSettings {
        path: fresh.to_owned(),
        // Nobody else sees it before it is complete.
        journal_mode: "MEMORY".to_owned(),
        synchronous: Some("OFF".to_owned()),
        durability: Durability::Process,
        truncate: false,
        ..settings.clone()
    };
    let db = schema::open(&settings)?;
    let found = copy::copy(&pages, &db)?;
    drop(db);
    if found.blobs == 0 {
        return Ok(Err("nothing in it can be read".to_owned()));
    }
    tracing::warn!(
        "{}: took over {} blobs and dropped {}",
        fresh.display(),
        found.blobs,
        found.damaged
    );
    // Opening it puts what is in the journal in its place.
    let opened = match Sqlite::open_as_it_is(&settings) {
        Err(Failure::Damaged(what)) => {
            tracing::error!("commits since the last fold are dropped: {what}");
            without_journal(&settings)?;
            Sqlite::open_as_it_is(&settings)?
        }
        opened => opened?,
    };
    let chosen = roots::choose(&opened.db)?;
    drop(opened);
    let synced = File::open(fresh).and_then(|file| file.sync_all());
    synced.map_err(|error| Failure::File(fresh.to_owned(), error))?;
    Ok(chosen)
}

fn without_journal(settings: &FileSettings) -> Result<(), Failure> {
    let db: Connection = schema::open(settings)?;
    Ok(db.execute_batch("DELETE FROM ferroflux_journal")?)
}

/// Gives the file, and the log that belongs to it, a second name that nobody touches.
/// A salvage that was killed has done so already.
fn put_aside(path: &Path) -> Result<PathBuf, Failure> {
    let inode = |path: &Path| Some(std::fs::metadata(path).ok()?.ino());
    for number in 1..=DAMAGED_FILES_MAX {
        let aside = beside(path, &format!(".damaged-{number}"));
        match inode(&aside) {
            Some(found) if Some(found) == inode(path) => return Ok(aside),
            Some(_) => {}
            None => {
                // The log first, so that who finds the file finds the log too.
                let log = beside(path, "-wal");
                if log.exists() {
                    link(&log, &beside(&aside, "-wal"))?;
                }
                link(path, &aside)?;
                return Ok(aside);
            }
        }
    }
    let many = format!("there are {DAMAGED_FILES_MAX} damaged files beside it already");
    Err(Failure::Lost(many))
}

fn link(from: &Path, to: &Path) -> Result<(), Failure> {
    delete(to)?;
    let linked = std::fs::hard_link(from, to);
    let linked = linked.or_else(|_| std::fs::copy(from, to).map(|_| ()));
    linked.map_err(|error| Failure::File(to.to_owned(), error))
}

fn rename(from: &Path, to: &Path) -> Result<(), Failure> {
    let renamed = std::fs::rename(from, to);
    let synced = renamed.and_then(|()| match to.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    });
    synced.map_err(|error| Failure::File(to.to_owned(), error))
}

fn delete(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Failure::File(path.to_owned(), error))
        }
        _ => Ok(()),
    }
}

/// The path with `suffix` after it.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests;
