//! `flux restore`: a tar archive as a tree of keys (protocol/04 section 12).

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

use proto::content::Checkpoint;
use proto::data::{BlobRef, HashKind, Tree};
use proto::kvs::Op;

use crate::commands::kvs::at::NamespaceArg;
use crate::limits::{CONTENT_REQUESTS_IN_FLIGHT_MAX, STORES_IN_FLIGHT};
use command::entry::{Group, Run, Style};
use command::error::{CliError, io_text};
use command::flux::Flux;
use snapshot::archive::{Member, Reader, What};
use snapshot::blobs::Blobs;
use snapshot::grow::Grow;
use snapshot::progress::Progress;
use snapshot::source;

/// Digits of a blobref that are shown.
const DIGITS_SHOWN: usize = 8;

/// Read an archive into the key-value store
///
/// The archive is one made by flux dump, or any other tar archive, compressed with gzip,
/// bzip2, xz or not at all: a file a/b in it is the key a.b, and a symbolic link is a
/// link.
///
/// Its tree replaces a key of the running instance, or becomes the checkpoint from which
/// the kvs module starts when it is next loaded. Do not collect garbage meanwhile:
/// nothing refers to the blobs until the restore is complete.
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux restore --key=old kvs.tgz
  flux restore --checkpoint /var/backups/kvs.tar")]
pub struct Restore {
    /// List keys on standard error instead of counting them
    #[arg(short, long)]
    verbose: bool,
    /// Do not count keys on standard error
    #[arg(short, long)]
    quiet: bool,
    /// Make the archive the checkpoint from which the kvs module starts; it must not be
    /// loaded
    #[arg(long, conflicts_with = "key")]
    checkpoint: bool,
    /// Restore it at this key
    #[arg(long)]
    key: Option<String>,
    /// Read the whole archive without storing anything
    #[arg(long, conflicts_with_all = ["checkpoint", "key"])]
    check: bool,
    /// Bypass the cache and write to the backing store
    #[arg(long)]
    no_cache: bool,
    /// Leave out values larger than this; k, M and G are powers of 1024
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    size_limit: Option<u64>,
    /// Send at most N requests at once to the content service
    #[arg(long, value_name = "N", default_value_t = STORES_IN_FLIGHT as u32,
        value_parser = clap::value_parser!(u32).range(1..=CONTENT_REQUESTS_IN_FLIGHT_MAX as i64))]
    maxreqs: u32,
    /// Report progress to systemd
    #[arg(long)]
    sd_notify: bool,
    /// Archive to read; - is standard input
    #[arg(value_name = "FILE")]
    file: String,
}

impl Run for Restore {
    const NAME: &'static str = "restore";
    const GROUP: Group = Group::Data;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        if self.check {
            return self.read_through(flux);
        }
        if !self.checkpoint && self.key.is_none() {
            let text = "Please specify a restore target with --checkpoint or --key";
            return Err(CliError::new(text));
        }
        let reader = self.open(flux)?;
        let mut blobs = Blobs::new(flux.connect()?, self.no_cache);
        if self.checkpoint {
            source::check_kvs_is_not_loaded(&mut blobs.handle, "--checkpoint")?;
        }
        let hash: HashKind = blobs
            .handle
            .attr("content.hash")?
            .parse()
            .map_err(|error| CliError::new(format!("{error}")).about("content.hash"))?;
        let mut restoring = Restoring {
            progress: Progress::new(flux, !self.quiet && !self.verbose, self.sd_notify),
            grow: Grow::new(hash, self.maxreqs as usize),
            blobs,
            n_keys: 0,
            newest: 0,
            restore: &self,
        };
        if let Err(error) = restoring.read(flux, reader) {
            restoring.progress.clear(flux)?;
            return Err(error);
        }
        restoring.finish(flux)
    }
}

impl Restore {
    /// Finds out whether the archive is whole.
    fn read_through(&self, flux: &mut Flux) -> Result<(), CliError> {
        let mut n_keys = 0_u64;
        let read = self.open(flux)?.read(u64::MAX, |member| {
            n_keys += 1;
            match self.verbose {
                true => flux.note(&member.key),
                false => Ok(()),
            }
        });
        read.map_err(|error| self.failed(&error))?;
        match self.quiet {
            true => Ok(()),
            false => flux.warn(format!("read {n_keys} keys")),
        }
    }

    fn open(&self, flux: &mut Flux) -> Result<Reader, CliError> {
        let input: Box<dyn Read> = match (self.file.as_str(), flux.input.descriptor()) {
            ("-", Some(stdin)) => Box::new(File::from(stdin.as_fd().try_clone_to_owned()?)),
            ("-", None) => Box::new(io::Cursor::new(flux.read_input()?)),
            (path, _) => Box::new(File::open(path).map_err(|error| self.failed(&error))?),
        };
        Reader::new(input).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> CliError {
        CliError::new(io_text(error)).about(&self.file)
    }
}

/// A failure on the way: of the archive, or of anything else.
struct Failed(CliError);

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Failed {
        Failed(CliError::new(io_text(&error)))
    }
}

struct Restoring<'a> {
    restore: &'a Restore,
    blobs: Blobs,
    grow: Grow,
    progress: Progress,
    n_keys: u64,
    /// Time of the newest member.
    newest: u64,
}

impl Restoring<'_> {
    fn read(&mut self, flux: &mut Flux, mut reader: Reader) -> Result<(), CliError> {
        let bytes_max = self.restore.size_limit.unwrap_or(u64::MAX);
        let file = &self.restore.file;
        reader
            .read(bytes_max, |member| self.take(flux, member).map_err(Failed))
            .map_err(|Failed(error)| error.about(file))
    }

    fn take(&mut self, flux: &mut Flux, member: Member) -> Result<(), CliError> {
        let key = member.key;
        let put = match member.what {
            What::Value(value) => self.grow.put_value(&mut self.blobs, &key, value),
            What::Link(link) => self.grow.put(&mut self.blobs, &key, link),
            What::Large(bytes) => {
                let limit = self.restore.size_limit.unwrap_or(0);
                let text = format!("{key} exceeds size limit of {limit} bytes: {bytes} bytes");
                return self.warn(flux, text);
            }
            What::Other => {
                return self.warn(flux, format!("{key} is neither a file nor a symbolic link"));
            }
        };
        put.map_err(|error| error.about(&key))?;
        self.n_keys += 1;
        self.newest = self.newest.max(member.mtime);
        if self.restore.verbose {
            flux.note(&key)?;
        }
        let (n_keys, n_blobs) = (self.n_keys, self.grow.n_blobs());
        self.progress.step(flux, || count(n_keys, n_blobs))
    }

    fn warn(&mut self, flux: &mut Flux, text: String) -> Result<(), CliError> {
        self.progress.clear(flux)?;
        flux.warn(format!("skipping: {text}"))
    }

    fn finish(mut self, flux: &mut Flux) -> Result<(), CliError> {
        let grow = std::mem::replace(&mut self.grow, Grow::new(HashKind::default(), 1));
        let (root, n_blobs) = grow.finish(&mut self.blobs)?;
        let text = count(self.n_keys, n_blobs);
        self.progress.finish(flux, &text)?;
        match &self.restore.key {
            Some(key) => self.commit(flux, key, root),
            None => self.write_checkpoint(flux, root),
        }
    }

    fn commit(&mut self, flux: &mut Flux, key: &str, root: BlobRef) -> Result<(), CliError> {
        if !self.restore.quiet {
            flux.warn(format!(
                "writing snapshot {} to KVS key '{key}'",
                short(root)
            ))?;
        }
        let namespace = NamespaceArg { namespace: None }.name(flux);
        let put = proto::kvs::Commit::new(&namespace).op(Op::put_tree(key, Tree::DirRef(root)));
        let committed = self.blobs.handle.rpc(&put);
        committed.map_err(|refusal| CliError::from(refusal).about(key))?;
        Ok(())
    }

    fn write_checkpoint(&mut self, flux: &mut Flux, root: BlobRef) -> Result<(), CliError> {
        if !self.restore.quiet {
            flux.warn(format!("writing snapshot {} to checkpoint", short(root)))?;
        }
        let value = Checkpoint {
            version: 1,
            rootref: root.to_string(),
            sequence: 0,
            timestamp: self.newest as f64,
        };
        source::write_checkpoint(&mut self.blobs.handle, value, self.restore.no_cache)
    }
}

fn count(n_keys: u64, n_blobs: u64) -> String {
    format!("restored {n_keys} keys ({n_blobs} blobs)")
}

/// The beginning of a blobref.
fn short(blobref: BlobRef) -> String {
    let text = blobref.to_string();
    let digits = text.find('-').map_or(0, |dash| dash + 1);
    text[..digits + DIGITS_SHOWN].to_owned()
}

/// A number of bytes, maybe with a fraction and a suffix.
fn parse_size(text: &str) -> Result<u64, String> {
    let (number, factor) = match text.char_indices().next_back() {
        Some((at, 'b')) => (&text[..at], 1.0),
        Some((at, 'k')) => (&text[..at], 1024.0),
        Some((at, 'M')) => (&text[..at], 1024.0 * 1024.0),
        Some((at, 'G')) => (&text[..at], 1024.0 * 1024.0 * 1024.0),
        _ => (text, 1.0),
    };
    match number.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok((number * factor) as u64),
        _ => Err("not a size: expected a number, optionally with b, k, M or G".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_suffixes() {
        for (text, size) in [
            ("0", Some(0)),
            ("100", Some(100)),
            ("100b", Some(100)),
            ("1.5k", Some(1536)),
            ("2M", Some(2 * 1024 * 1024)),
            ("1G", Some(1024 * 1024 * 1024)),
            ("", None),
            ("k", None),
            ("-1", None),
            ("1K", None),
            ("nan", None),
            ("inf", None),
        ] {
            assert_eq!(parse_size(text).ok(), size, "{text}");
        }
    }

    #[test]
    fn a_blobref_is_shown_by_its_beginning() {
        let blobref = BlobRef::of(HashKind::Sha256, b"");
        assert_eq!(short(blobref), "sha256-e3b0c442");
    }
}
