//! `flux dump`: the key-value store as a tar archive (protocol/04 section 12).

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::mem;
use std::path::{Path, PathBuf};

use proto::Refusal;
use proto::data::{BlobRef, Tree};

use crate::limits::{CONTENT_REQUESTS_IN_FLIGHT_MAX, LOADS_IN_FLIGHT};
use command::clock;
use command::entry::{Group, Run, Style};
use command::error::{CliError, io_text};
use command::flux::Flux;
use snapshot::archive::{Compression, Writer};
use snapshot::blobs::Blobs;
use snapshot::names::Key;
use snapshot::progress::Progress;
use snapshot::source;
use snapshot::walk::{Values, Visit, Walk};

/// Bytes that are gathered before they are written to the archive's file.
const FILE_BYTES: usize = 256 * 1024;

/// Write the key-value store to an archive
///
/// The archive holds the primary namespace as it is now, or as it was at the last
/// checkpoint; later changes are not included. It is a tar archive, compressed according
/// to its suffix: .tar, .tgz, .tar.gz, .tbz, .tbz2, .tar.bz2, .txz or .tar.xz. FILE
/// appears only when the archive is complete.
///
/// A key a.b is the file a/b in it; links are symbolic links, and empty directories are
/// left out. A name that is not a valid path, such as one with a slash in it, is kept in
/// an extended header, which flux restore reads and other programs ignore.
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux dump kvs.tgz
  flux dump --checkpoint /var/backups/kvs.tar
  flux dump - | tar tvf -")]
pub struct Dump {
    /// List keys on standard error instead of counting them
    #[arg(short, long)]
    verbose: bool,
    /// Do not count keys on standard error
    #[arg(short, long)]
    quiet: bool,
    /// Archive the last checkpoint; this works without the kvs module
    #[arg(long)]
    checkpoint: bool,
    /// Bypass the cache and read from the backing store
    #[arg(long)]
    no_cache: bool,
    /// Leave out keys that cannot be read, and list them
    #[arg(long)]
    ignore_failed_read: bool,
    /// Send at most N requests at once to the content service
    #[arg(long, value_name = "N", default_value_t = LOADS_IN_FLIGHT as u32,
        value_parser = clap::value_parser!(u32).range(1..=CONTENT_REQUESTS_IN_FLIGHT_MAX as i64))]
    maxreqs: u32,
    /// Report progress to systemd
    #[arg(long)]
    sd_notify: bool,
    /// Archive to write; - is standard output
    #[arg(value_name = "FILE")]
    file: String,
}

impl Run for Dump {
    const NAME: &'static str = "dump";
    const GROUP: Group = Group::Data;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let compression = Writer::compression_for(&self.file).ok_or_else(|| {
            let text = format!("{}: unknown suffix of an archive", self.file);
            CliError::new(text).with_hint(format!("known are {}", Compression::suffixes()))
        })?;
        let mut blobs = Blobs::new(flux.connect()?, self.no_cache);
        let (root, mtime) = self.source(&mut blobs)?;
        let target = Target::open(flux, &self.file)?;
        let mut dumping = Dumping {
            progress: Progress::new(flux, !self.quiet && !self.verbose, self.sd_notify),
            walk: Walk::new(root, Values::Load, self.maxreqs as usize),
            blobs,
            mtime,
            n_keys: 0,
            dump: &self,
        };
        let (path, out) = (target.path, target.out);
        let writer = Writer::new(compression, out);
        let mut writer = writer.map_err(|error| self.failed(&error))?;
        let finished = match dumping.run(flux, &mut writer) {
            Ok(()) => writer.finish().map_err(|error| self.failed(&error)),
            Err(error) => {
                // Dropped, it would write the end, and who reads it from a pipe would take
                // it for whole.
                mem::forget(writer);
                Err(error)
            }
        };
        match (finished, path) {
            (Ok(out), None) => flux.out = out,
            (Ok(_), Some(path)) => path.keep().map_err(|error| self.failed(&error))?,
            (Err(error), path) => {
                dumping.progress.clear(flux)?;
                if let Some(path) = path {
                    path.discard();
                }
                return Err(error);
            }
        }
        let text = count(dumping.n_keys);
        dumping.progress.finish(flux, &text)
    }
}

impl Dump {
    /// The root, and the time of the archive's contents.
    fn source(&self, blobs: &mut Blobs) -> Result<(BlobRef, u64), CliError> {
        let (rootref, time) = if self.checkpoint {
            let checkpoint = source::last_checkpoint(&mut blobs.handle, self.no_cache)?;
            (checkpoint.rootref, checkpoint.timestamp)
        } else {
            (
                source::current_root(&mut blobs.handle)?.rootref,
                clock::now(),
            )
        };
        Ok((source::blobref(&rootref)?, time.max(0.0) as u64))
    }

    fn failed(&self, error: &io::Error) -> CliError {
        match error.kind() {
            io::ErrorKind::BrokenPipe => CliError::from(io::Error::from(error.kind())),
            _ => CliError::new(io_text(error)).about(&self.file),
        }
    }
}

struct Dumping<'a> {
    dump: &'a Dump,
    blobs: Blobs,
    walk: Walk,
    progress: Progress,
    /// Of values that have blobs.
    mtime: u64,
    n_keys: u64,
}

impl Dumping<'_> {
    fn run(&mut self, flux: &mut Flux, writer: &mut Writer) -> Result<(), CliError> {
        while let Some(visit) = self.walk.next(&mut self.blobs) {
            match visit {
                Visit::Dir(..) => {}
                Visit::BadDir(key, refusal) => self.pass_over(flux, &key, refusal)?,
                Visit::Leaf(key, tree, parts) => {
                    let parts: Result<Vec<_>, Refusal> = parts.into_iter().collect();
                    match parts {
                        Ok(parts) => {
                            let added = self.add(writer, &key, &tree, &parts);
                            added.map_err(|error| self.dump.failed(&error))?;
                            self.note(flux, &key)?;
                        }
                        Err(refusal) => self.pass_over(flux, &key, refusal)?,
                    }
                }
            }
        }
        Ok(())
    }

    fn add(
        &self,
        writer: &mut Writer,
        key: &Key,
        tree: &Tree,
        parts: &[bytes::Bytes],
    ) -> io::Result<()> {
        match (tree, parts) {
            (Tree::Val(value), _) => writer.add_value(key, value, 0),
            (Tree::Symlink { target, namespace }, _) => {
                writer.add_link(key, namespace.as_deref(), target, 0)
            }
            (_, [whole]) => writer.add_value(key, whole, self.mtime),
            (_, parts) => writer.add_value(key, &parts.concat(), self.mtime),
        }
    }

    fn note(&mut self, flux: &mut Flux, key: &Key) -> Result<(), CliError> {
        self.n_keys += 1;
        if self.dump.verbose {
            flux.note(key)?;
        }
        let n_keys = self.n_keys;
        self.progress.step(flux, || count(n_keys))
    }

    /// A key that cannot be read ends the dump, unless it is to be left out.
    fn pass_over(&mut self, flux: &mut Flux, key: &Key, why: Refusal) -> Result<(), CliError> {
        let error = CliError::from(why).about(key);
        if !self.dump.ignore_failed_read {
            return Err(error);
        }
        self.progress.clear(flux)?;
        flux.complain(&error)
    }
}

fn count(n_keys: u64) -> String {
    format!("archived {n_keys} keys")
}

/// Where the archive goes: standard output, or a file that appears when it is complete.
struct Target {
    out: Box<dyn Write>,
    path: Option<Pending>,
}

/// A file that is being written.
struct Pending {
    /// Current path.
    now: PathBuf,
    /// Final path.
    then: PathBuf,
    file: File,
}

impl Target {
    fn open(flux: &mut Flux, path: &str) -> Result<Target, CliError> {
        if path == "-" {
            let out = mem::replace(&mut flux.out, Box::new(io::sink()));
            return Ok(Target { out, path: None });
        }
        let opened = Pending::open(Path::new(path));
        let opened = opened.and_then(|pending| Ok((pending.file.try_clone()?, pending)));
        let (file, pending) = opened.map_err(|error| CliError::new(io_text(&error)).about(path))?;
        Ok(Target {
            out: Box::new(BufWriter::with_capacity(FILE_BYTES, file)),
            path: Some(pending),
        })
    }
}

impl Pending {
    fn open(path: &Path) -> io::Result<Pending> {
        // The target of a link is replaced, not the link; devices and pipes are used as
        // they are.
        let then = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let is_special = fs::metadata(&then).is_ok_and(|found| !found.is_file());
        let mut now = then.clone().into_os_string();
        if !is_special {
            now.push(format!(".{}.part", std::process::id()));
        }
        let now = PathBuf::from(now);
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&now)?;
        Ok(Pending { now, then, file })
    }

    fn keep(self) -> io::Result<()> {
        if self.now == self.then {
            return Ok(());
        }
        self.file.sync_all()?;
        fs::rename(&self.now, &self.then)
    }

    fn discard(self) {
        if self.now != self.then {
            // It is of no use; who finds it sees by its name what it is.
            let _ = fs::remove_file(&self.now);
        }
    }
}
