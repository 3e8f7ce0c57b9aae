//! The tables of `content.sqlite` and how the file is opened. `objects` and `checkpt_v2`
//! are as protocol/04 section 3 has them, so that other tools read our files and we
//! theirs; `ferroflux_records` and `ferroflux_journal` are ours, and others leave them
//! alone.

use std::path::Path;
use std::time::Duration;

use proto::config::Cache;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::config::FileSettings;
use crate::limits::{FILE_BUSY_MS, LOG_BYTES_MAX};
use crate::store::failure::Failure;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS objects(
        hash BLOB PRIMARY KEY, size INT, object BLOB, epoch INT DEFAULT 0);
    CREATE TABLE IF NOT EXISTS checkpt_v2(
        id INTEGER PRIMARY KEY AUTOINCREMENT, value TEXT);
    CREATE TABLE IF NOT EXISTS ferroflux_records(
        key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS ferroflux_journal(
        id INTEGER PRIMARY KEY, payload BLOB);
";

const TRUNCATE: &str = "
    DELETE FROM objects; DELETE FROM checkpt_v2; DELETE FROM ferroflux_records;
    DELETE FROM ferroflux_journal;
";

/// Opens the file, recovering the log of a killed predecessor. One that is not new must
/// have its tables.
pub fn open(settings: &FileSettings, is_new: bool) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    for_us_alone(&settings.path);
    let db = Connection::open_with_flags(&settings.path, flags)
        .map_err(|error| why_not_open(&settings.path, error))?;
    db.busy_timeout(Duration::from_millis(FILE_BUSY_MS))?;
    // Alone with the file: no shared memory, no lock calls, and no second service.
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    // Counts for a new file only, and before anything else is in it; in others it would
    // take room. They keep the space that becomes free, and use it again.
    if number(&db, "page_count")? == 0 {
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    set_mode(&db, "journal_mode", &settings.journal_mode)?;
    set_synchronous(&db, settings.synchronous())?;
    set_page_cache(&db, Cache::default().pages)?;
    // Upkeep copies it, when nobody waits for a commit.
    set_mode(&db, "wal_autocheckpoint", "0")?;
    set_mode(&db, "journal_size_limit", &LOG_BYTES_MAX.to_string())?;
    db.execute_batch("BEGIN IMMEDIATE")?;
    let tables = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN
        ('objects', 'checkpt_v2', 'ferroflux_records', 'ferroflux_journal')";
    if !is_new && db.query_row(tables, [], |row| row.get::<_, i64>(0))? < 4 {
        return Err(Failure::Damaged("tables are missing".to_owned()));
    }
    db.execute_batch(TABLES)?;
    add_epoch(&db)?;
    if settings.truncate {
        db.execute_batch(TRUNCATE)?;
    }
    db.execute_batch("COMMIT")?;
    db.set_prepared_statement_cache_capacity(32);
    Ok(db)
}

/// Releases that left the mode to the umask may have made the file. SQLite gives its other
/// files the mode of this one. Where there is no file yet, nothing is to be done.
fn for_us_alone(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    for end in ["", "-wal", "-shm"] {
        let mut path = path.as_os_str().to_owned();
        path.push(end);
        let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600));
    }
}

/// Sets the number of bytes of the file that SQLite may keep in memory.
pub fn set_page_cache(db: &Connection, bytes: usize) -> Result<(), Failure> {
    let kib = i64::try_from(bytes >> 10).unwrap_or(i64::MAX);
    Ok(db.pragma_update(None, "cache_size", -kib)?)
}

/// Sets the durability of the next transactions; must not be called within one.
pub fn set_synchronous(db: &Connection, mode: &str) -> Result<(), Failure> {
    Ok(db.pragma_update(None, "synchronous", mode)?)
}

/// Copies the write-ahead log into the file, all of it: nobody else has it open.
pub fn copy_log(db: &Connection) -> Result<(), Failure> {
    Ok(db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
}

/// A pragma that is a number.
pub fn number(db: &Connection, name: &str) -> Result<i64, Failure> {
    Ok(db.pragma_query_value(None, name, |row| row.get(0))?)
}

/// Sets a pragma that answers with a row.
fn set_mode(db: &Connection, name: &str, value: &str) -> Result<(), Failure> {
    Ok(db.pragma_update_and_check(None, name, value, |_| Ok(()))?)
}

/// Files of older releases have no epochs.
fn add_epoch(db: &Connection) -> Result<(), Failure> {
    let columns = "SELECT count(*) FROM pragma_table_info('objects') WHERE name = 'epoch'";
    let has_epoch: i64 = db.query_row(columns, [], |row| row.get(0))?;
    if has_epoch == 0 {
        db.execute_batch("ALTER TABLE objects ADD COLUMN epoch INT DEFAULT 0")?;
    }
    Ok(())
}

/// SQLite only returns that it cannot open a file; the kernel knows the reason.
fn why_not_open(path: &Path, error: rusqlite::Error) -> Failure {
    if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) {
        let opened = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path);
        if let Err(error) = opened {
            return Failure::Io(error);
        }
    }
    Failure::Sqlite(error)
}
