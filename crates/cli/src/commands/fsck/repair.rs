//! Repair of damaged keys: the rest of their values is moved to `lost+found`.

use std::collections::BTreeSet;

use bytes::Bytes;
use proto::data::{BlobRef, Tree};

use super::{Damage, Fsck};
use command::error::CliError;
use command::flux::Flux;
use snapshot::blobs::Blobs;
use snapshot::grow::Grow;
use snapshot::names::Key;

/// Directory of the rest of damaged keys.
const LOST_AND_FOUND: &str = "lost+found";

/// Names in the key of a job's directory: `job` and four groups of digits (protocol/10).
const JOB_KEY_NAMES: usize = 5;

impl Fsck {
    /// Repairs the tree at `root`; gives the new root.
    pub(super) fn repair(
        &self,
        flux: &mut Flux,
        blobs: &mut Blobs,
        root: BlobRef,
        damages: &[Damage],
    ) -> Result<BlobRef, CliError> {
        let mut grow = Grow::from_root(blobs, &root, self.maxreqs as usize)?;
        let (mut aside, mut jobs) = (Vec::new(), BTreeSet::new());
        for damage in damages {
            let (key, left) = match damage {
                Damage::Dir(key) => (key, None),
                Damage::Value(key, left) => (key, Some(value_of(left))),
            };
            let job = job_of(key).filter(|_| self.job_aware);
            let stays = job.is_some() || is_lost(key);
            grow.take(blobs, key)?;
            match left {
                None => print(flux, key, "unlinked")?,
                Some(left) if stays => {
                    grow.put(blobs, key, left)?;
                    print(flux, key, "cut")?;
                }
                Some(left) => aside.push((key.clone(), left)),
            }
            jobs.extend(job.map(|job| job.names().to_vec()));
        }
        for job in jobs {
            let job = Key::of(job);
            if let Some(tree) = grow.take(blobs, &job)? {
                aside.push((job, tree));
            }
        }
        // Only now, so that every directory is read and written once.
        for (key, tree) in aside {
            grow.put(blobs, &lost(&key), tree)?;
            print(flux, &key, "moved to lost+found")?;
        }
        Ok(grow.finish(blobs)?.0)
    }
}

fn print(flux: &mut Flux, key: &Key, what: &str) -> Result<(), CliError> {
    flux.warn(format!("{key}: {what}"))
}

/// Rest of a value.
fn value_of(left: &[BlobRef]) -> Tree {
    match left {
        [] => Tree::Val(Bytes::new()),
        left => Tree::ValRef(left.to_vec()),
    }
}

fn is_lost(key: &Key) -> bool {
    key.names()
        .first()
        .is_some_and(|name| **name == *LOST_AND_FOUND)
}

/// The same key below `lost+found`.
fn lost(key: &Key) -> Key {
    let names = std::iter::once(Box::from(LOST_AND_FOUND));
    Key::of(names.chain(key.names().iter().cloned()).collect())
}

/// The directory of the job that a key is about, if the key is below one.
fn job_of(key: &Key) -> Option<Key> {
    let names = key.names().get(..JOB_KEY_NAMES)?;
    let (first, groups) = names.split_first()?;
    let is_group = |name: &str| name.len() == 4 && name.bytes().all(|b| b.is_ascii_hexdigit());
    let is_job = &**first == "job" && groups.iter().all(|name| is_group(name));
    let is_below = key.names().len() > JOB_KEY_NAMES;
    (is_job && is_below).then(|| Key::of(names.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, job: Option<&str>) {
        let job_found = job_of(&Key::of_path(key)).map(|job| job.to_string());
        assert_eq!(job_found.as_deref(), job, "{key}");
    }

    #[test]
    fn a_job_is_known_by_its_key() {
        let job = "job.0000.1a2b.0300.0000";
        check(&format!("{job}.R"), Some(job));
        check(&format!("{job}.guest.exec.eventlog"), Some(job));
        check(job, None);
        check("job.0000.1a2b.0300", None);
        check("job.0000.1a2b.0300.000x.R", None);
        check("a.0000.1a2b.0300.0000.R", None);
    }

    #[test]
    fn what_is_lost_keeps_its_key() {
        let key = Key::of_path("a/b");
        assert_eq!(lost(&key).to_string(), "lost+found.a.b");
        assert!(is_lost(&lost(&key)) && !is_lost(&key));
    }
}
