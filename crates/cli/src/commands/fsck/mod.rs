//! `flux fsck`: finds keys whose blobs are missing or damaged, and moves the rest of
//! their values aside (protocol/04 section 9).
//!
//! Their repair is in `repair.rs`.

mod repair;

use proto::content::{Checkpoint, DamageAccept, Dropcache};
use proto::data::{BlobRef, Tree};
use proto::{Errno, Refusal};

use crate::limits::{CONTENT_REQUESTS_IN_FLIGHT_MAX, VALIDATES_IN_FLIGHT};
use command::clock;
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use snapshot::blobs::Blobs;
use snapshot::names::Key;
use snapshot::progress::Progress;
use snapshot::source;
use snapshot::walk::{Values, Visit, Walk};

/// Check the integrity of the key-value store
///
/// Follows every reference from the newest checkpoint, or from the current root if there
/// is no checkpoint yet, reads every directory, and checks that every value is stored;
/// with --data it reads the values too. Exits with 1 if anything is missing or damaged.
/// It works without the kvs module.
///
/// Damage found earlier, when the store was opened or read, is listed too, and counts as
/// an error until acknowledged by --accept.
///
/// With --repair, the readable part of a damaged value is moved to the same key below
/// lost+found, and a directory that cannot be read is unlinked; a new checkpoint refers
/// to the rest. The kvs module must not be loaded. Its writes since the last checkpoint
/// are in the checkpoint only if the module was removed in order: after a crash, load and
/// remove it first.
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux fsck
  flux fsck --repair --job-aware")]
pub struct Fsck {
    /// List keys on standard error as they are checked
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    /// Print only errors
    #[arg(short, long)]
    quiet: bool,
    /// Start at this root directory
    #[arg(short, long, value_name = "BLOBREF")]
    rootref: Option<String>,
    /// Move damaged values aside and make a new checkpoint
    #[arg(short = 'R', long)]
    repair: bool,
    /// Read values too, and verify their hashes
    #[arg(short, long)]
    data: bool,
    /// With --repair, move all keys of a job aside if any is damaged
    #[arg(short, long)]
    job_aware: bool,
    /// Acknowledge damage that was found earlier
    #[arg(short, long)]
    accept: bool,
    /// Send at most N requests at once to the content service
    #[arg(long, value_name = "N", default_value_t = VALIDATES_IN_FLIGHT as u32,
        value_parser = clap::value_parser!(u32).range(1..=CONTENT_REQUESTS_IN_FLIGHT_MAX as i64))]
    maxreqs: u32,
}

/// A key that is not whole.
#[derive(Debug)]
pub enum Damage {
    /// A value, of which these blobs are left.
    Value(Key, Vec<BlobRef>),
    /// A directory.
    Dir(Key),
}

impl Run for Fsck {
    const NAME: &'static str = "fsck";
    const GROUP: Group = Group::Data;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut blobs = Blobs::new(flux.connect()?, true);
        let n_findings = self.findings(flux, &mut blobs)?;
        if self.repair {
            source::check_kvs_is_not_loaded(&mut blobs.handle, "--repair")?;
        }
        let (root, sequence) = self.root(flux, &mut blobs)?;
        let (damages, n_errors) = self.check(flux, &mut blobs, root)?;
        if self.repair && !damages.is_empty() {
            let repaired = self.repair(flux, &mut blobs, root, &damages)?;
            self.write_checkpoint(flux, &mut blobs, repaired, sequence)?;
        }
        if n_errors + n_findings == 0 {
            return Ok(());
        }
        flux.warn(format!("Total errors: {}", n_errors + n_findings))?;
        Err(CliError::exit(1))
    }
}

impl Fsck {
    /// Lists damage found before and returns the number of findings not acknowledged.
    fn findings(&self, flux: &mut Flux, blobs: &mut Blobs) -> Result<u64, CliError> {
        let zone = clock::zone(&flux.env);
        let mut n_findings = 0;
        for finding in source::findings(&mut blobs.handle)? {
            if !finding.accepted {
                n_findings += 1;
                let time = clock::iso(&zone, finding.timestamp);
                flux.warn(format!("damage found {time}: {}", finding.what))?;
            }
        }
        if self.accept && n_findings > 0 {
            blobs.handle.rpc(&DamageAccept)?;
            return Ok(0);
        }
        Ok(n_findings)
    }

    /// The root to begin at, and its version.
    fn root(&self, flux: &mut Flux, blobs: &mut Blobs) -> Result<(BlobRef, i64), CliError> {
        let newest = source::checkpoints(&mut blobs.handle, false)?;
        let newest = newest.into_iter().next();
        let sequence = newest.as_ref().map_or(0, |checkpoint| checkpoint.sequence);
        let (rootref, what) = match (&self.rootref, newest) {
            (Some(rootref), _) => (rootref.clone(), rootref.clone()),
            (None, Some(checkpoint)) => {
                let time = clock::iso(&clock::zone(&flux.env), checkpoint.timestamp);
                (checkpoint.rootref, format!("checkpoint from {time}"))
            }
            (None, None) => {
                let root = source::current_root(&mut blobs.handle)?;
                (root.rootref, "the current root".to_owned())
            }
        };
        if !self.quiet {
            flux.warn(format!("Checking integrity of {what}"))?;
        }
        Ok((source::blobref(&rootref)?, sequence))
    }

    /// Checks every key. A root that cannot be read ends it.
    fn check(
        &self,
        flux: &mut Flux,
        blobs: &mut Blobs,
        root: BlobRef,
    ) -> Result<(Vec<Damage>, u64), CliError> {
        let values = match self.data {
            true => Values::Read,
            false => Values::Validate,
        };
        if self.data {
            // The cache of the service says nothing about the stored blobs.
            blobs.handle.rpc(&Dropcache)?;
        }
        let mut walk = Walk::new(root, values, self.maxreqs as usize);
        let mut progress = Progress::new(flux, !self.quiet && !self.verbose, false);
        let (mut damages, mut n_keys, mut n_errors) = (Vec::new(), 0_u64, 0);
        while let Some(visit) = walk.next(blobs) {
            let (key, damage) = judge(visit);
            n_keys += 1;
            if self.verbose {
                flux.note(&key)?;
            }
            progress.step(flux, || format!("checked {n_keys} keys"))?;
            let Some((text, damage)) = damage else {
                continue;
            };
            n_errors += 1;
            progress.clear(flux)?;
            if key.names().is_empty() {
                let hint = "an older checkpoint may be intact: see 'flux content checkpoint \
                    list', and --rootref";
                return Err(CliError::new(text).about("root directory").with_hint(hint));
            }
            flux.warn(format!("{key}: {text}"))?;
            damages.push(damage);
        }
        progress.finish(flux, &format!("checked {n_keys} keys"))?;
        Ok((damages, n_errors))
    }

    fn write_checkpoint(
        &self,
        flux: &mut Flux,
        blobs: &mut Blobs,
        root: BlobRef,
        sequence: i64,
    ) -> Result<(), CliError> {
        let checkpoint = Checkpoint {
            version: 1,
            rootref: root.to_string(),
            // Another version than the damaged one, so that nobody takes it for that.
            sequence: sequence + 1,
            timestamp: clock::now(),
        };
        source::write_checkpoint(&mut blobs.handle, checkpoint, false)?;
        match self.quiet {
            true => Ok(()),
            false => flux.warn(format!("checkpoint updated to {root}")),
        }
    }
}

/// The key visited, and its damage.
fn judge(visit: Visit) -> (Key, Option<(String, Damage)>) {
    let text = |refusal: &Refusal, missing: &str| match refusal.errno {
        Errno::ENOENT => missing.to_owned(),
        _ => format!("damaged blobref: {refusal}"),
    };
    match visit {
        Visit::Dir(key, _) => (key, None),
        Visit::BadDir(key, refusal) => {
            let text = text(&refusal, "missing dirref blobref");
            (key.clone(), Some((text, Damage::Dir(key))))
        }
        Visit::Leaf(key, Tree::ValRef(blobrefs), got) => {
            let Some(refusal) = got.iter().find_map(|got| got.as_ref().err()) else {
                return (key, None);
            };
            let text = text(refusal, "missing blobref(s)");
            let pairs = blobrefs.into_iter().zip(&got);
            let left = pairs.filter(|(_, got)| got.is_ok()).map(|(name, _)| name);
            let damage = Damage::Value(key.clone(), left.collect());
            (key, Some((text, damage)))
        }
        Visit::Leaf(key, ..) => (key, None),
    }
}
