//! A folder belongs to one broker at a time: two on one statedir would write to one store,
//! and two on one rundir would take each other's sockets.
//!
//! The lock is on a file in the folder, and the kernel lets go of it when the broker ends in
//! any way. No child inherits it.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the edge: waits before there is a loop"
)]

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use broker::limits::FOLDER_WAIT_S;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// As long as this lives, no other broker uses the folder.
#[derive(Debug)]
pub struct Alone {
    _file: Flock<File>,
}

/// Interval of checks whether a broker that is shutting down has exited.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Takes the folder, once a broker that is ending has left it. `None` on a file system
/// without locks, where this cannot be seen to.
pub fn in_folder(what: &str, folder: &Path) -> anyhow::Result<Option<Alone>> {
    let path = folder.join(format!("{what}.lock"));
    let open = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(&path);
    let mut file =
        open.with_context(|| format!("{what} {}: cannot be locked", folder.display()))?;
    let give_up = Instant::now() + Duration::from_secs(FOLDER_WAIT_S);
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut locked) => {
                // For those who are refused. Without it they are refused all the same.
                let _ = locked.set_len(0);
                let _ = writeln!(locked, "{}", std::process::id());
                return Ok(Some(Alone { _file: locked }));
            }
            Err((mut theirs, Errno::EWOULDBLOCK)) if Instant::now() >= give_up => {
                bail!(
                    "{what} {}: in use by {}",
                    folder.display(),
                    user(&mut theirs)
                );
            }
            Err((back, Errno::EWOULDBLOCK)) => {
                file = back;
                std::thread::sleep(LOOK_EVERY);
            }
            Err((_, error)) => {
                let folder = folder.display();
                eprintln!(
                    "flux-broker: {what} {folder}: cannot be locked: {}",
                    error.desc()
                );
                return Ok(None);
            }
        }
    }
}

/// Holder of the lock, as the file says.
fn user(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.take(32).read_to_string(&mut text);
    match text.trim().parse::<u32>() {
        Ok(pid) => format!("the broker with pid {pid}"),
        Err(_) => "another broker".to_owned(),
    }
}
