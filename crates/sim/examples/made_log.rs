//! Writes a job log of N inactive jobs of the user who runs this, a file a key, into a
//! folder: `made_log N FOLDER`. `cargo xtask bench` puts them into a state directory.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a program beside the simulator, not a part of it"
)]

use std::error::Error;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let jobs = args.next().ok_or("how many jobs?")?.parse()?;
    let folder = args.next().ok_or("into which folder?")?;
    let folder = Path::new(&folder);
    let userid = std::fs::metadata(folder)?.uid();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    for (key, value) in job_manager::made_log(jobs, userid, now.as_secs()) {
        std::fs::write(folder.join(key), value)?;
    }
    Ok(())
}
