//! A damaged file is put aside as it is, and its readable parts become a fresh one
//! (doc/durability.md).
//!
//! SQLite gives up at the first malformed page. Here every page is looked at on its own
//! (`pages.rs`, `rows.rs`), whole rows are copied (`copy.rs`), commits that were not in
//! their places yet are put there (`commits.rs`), and then it is decided which root to go
//! on from (`roots.rs`).
#![allow(clippy::disallowed_types, reason = "this is where files are kept")]

mod commits;
mod copy;
mod pages;
mod roots;
mod rows;

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{schema, seals};
use crate::config::{Durability, FileSettings};
use crate::limits::DAMAGED_FILES_MAX;
use crate::store::damage::Damage;
use crate::store::failure::Failure;
use crate::store::files_beside::{beside, delete};
use crate::store::witness::{self, Acknowledged};
use pages::Pages;

pub use pages::page_bytes_of;

/// Reason for salvaging a file that SQLite opens, if there is one.
pub fn reason(path: &Path, db: &Connection) -> Option<Failure> {
    if is_wanted(path) {
        return Some(Failure::Damaged("it was found damaged before".to_owned()));
    }
    match roots::damage_of_primary(db) {
        Ok(damage) => damage.map(Failure::Damaged),
        Err(failure) => failure.is_damage().then_some(failure),
    }
}

/// True if the last process that opened the file found it damaged.
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

/// Puts a fresh file in the place of the one that is damaged in this way. It had
/// everything up to the state `told`.
pub fn salvage(
    settings: &FileSettings,
    why: &Failure,
    told: Option<Acknowledged>,
    damage: &mut Damage,
) -> Result<(), Failure> {
    let path = &settings.path;
    let aside = put_aside(path)?;
    let (shown, why) = (aside.display(), why.what());
    let path_shown = path.display();
    damage.note(&format!(
        "{path_shown}: {why}; kept as {shown}, and readable data are recovered"
    ));
    let fresh = beside(path, ".fresh");
    delete(&fresh)?;
    let rebuilt = rebuild(settings, &aside, &fresh, told.unwrap_or_default(), damage);
    delete(&beside(&fresh, "-journal"))?;
    if let Ok(Ok(())) = rebuilt {
        // The log goes first: it must not be taken for that of the fresh file. If we are
        // killed between the two, the next one begins again with what is aside. The
        // witness knows nothing of the fresh file.
        delete(&beside(path, "-wal"))?;
        delete(&beside(path, "-shm"))?;
        witness::remove(path)?;
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
    told: Acknowledged,
    damage: &mut Damage,
) -> Result<Result<(), String>, Failure> {
    let pages = Pages::open(aside, &beside(aside, "-wal"), told.log)?;
    let settings = FileSettings {
        path: fresh.to_owned(),
        // Nobody else sees it before it is complete.
        journal_mode: "MEMORY".to_owned(),
        synchronous: Some("OFF".to_owned()),
        durability: Durability::Process,
        truncate: false,
        ..settings.clone()
    };
    let db = schema::open(&settings, true)?;
    let found = copy::copy(&pages, &db, damage)?;
    let roots = commits::replay(&db, told.number, damage)?;
    if found.blobs == 0 && roots.is_empty() {
        return Ok(Err("nothing in it can be read".to_owned()));
    }
    tracing::warn!(
        "{}: recovered {} blobs and dropped {}",
        fresh.display(),
        found.blobs,
        found.damaged
    );
    let chosen = roots::choose(&db, &roots, damage)?;
    seals::adopt(&db, seals::State::Closed)?;
    drop(db);
    let synced = File::open(fresh).and_then(|file| file.sync_all());
    synced.map_err(|error| Failure::File(fresh.to_owned(), error))?;
    Ok(chosen)
}

/// Gives the file, and the log that belongs to it, a second name that nobody touches.
/// A salvage that was killed has done so already.
fn put_aside(path: &Path) -> Result<PathBuf, Failure> {
    // Of one that is missing the log may be left.
    let made = File::options().append(true).create(true).open(path);
    made.map_err(|error| Failure::File(path.to_owned(), error))?;
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
    let many = format!(
        "there are {DAMAGED_FILES_MAX} damaged files beside it already: move them \
        away"
    );
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

#[cfg(test)]
mod tests;
