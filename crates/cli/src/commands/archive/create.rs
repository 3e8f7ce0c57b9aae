//! `flux archive create`

use std::path::{Path, PathBuf};

use command::error::CliError;
use command::flux::Flux;
use filemap::{
    CHUNK_BYTES, Content, FileObject, Found, PackError, Packing, SMALL_FILE_BYTES, WalkError, pack,
    walk,
};
use proto::Errno;
use proto::data::Tree;
use proto::kvs::{Commit, Lookup, Op, READDIR};
use serde_json::Value;
use submission::values::bytes;

use super::bar::Bar;
use super::keep::Keep;
use super::{Name, Stored};
use crate::limits::ARCHIVE_REFS_A_COMMIT;

/// Store files
#[derive(clap::Args)]
pub struct Create {
    #[command(flatten)]
    name: Name,
    /// Replace the archive if it exists
    #[arg(long)]
    overwrite: bool,
    /// Add to the archive if it exists
    #[arg(long)]
    append: bool,
    /// Store paths relative to this directory
    #[arg(short = 'C', long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Protect the contents of large files from garbage collection
    #[arg(long)]
    preserve: bool,
    /// Serve large files from where they are (rank 0 only); they must not change
    #[arg(long)]
    mmap: bool,
    /// List the files
    #[arg(short, long, value_name = "LEVEL", num_args = 0..=1, require_equals = true,
        default_missing_value = "1")]
    verbose: Vec<u8>,
    /// Bytes of a blob at most; 0 for no limit. k, M and G stand for powers of 1024
    #[arg(long, value_name = "N", value_parser = bytes, default_value_t = CHUNK_BYTES, hide = true)]
    chunksize: u64,
    /// Bytes of the largest file that is not made a blob
    #[arg(long, value_name = "N", value_parser = bytes, default_value_t = SMALL_FILE_BYTES,
        hide = true)]
    small_file_threshold: u64,
    /// Files and directories to store; directories with all that is below them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Error of reading files.
struct Failed(CliError);

impl From<WalkError> for Failed {
    fn from(error: WalkError) -> Failed {
        Failed(CliError::new(error.to_string()))
    }
}

impl From<PackError> for Failed {
    fn from(error: PackError) -> Failed {
        Failed(CliError::new(error.to_string()))
    }
}

impl From<CliError> for Failed {
    fn from(error: CliError) -> Failed {
        Failed(error)
    }
}

impl Create {
    /// The request of `flux filemap map`.
    pub fn mapping(
        name: &str,
        mmap: bool,
        verbose: Vec<u8>,
        directory: Option<PathBuf>,
        paths: Vec<PathBuf>,
    ) -> Create {
        Create {
            name: Name::primary(name),
            overwrite: false,
            append: false,
            directory,
            preserve: false,
            mmap,
            verbose,
            chunksize: CHUNK_BYTES,
            small_file_threshold: SMALL_FILE_BYTES,
            paths,
        }
    }

    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        self.check()?;
        let mut stored = self.name.open(flux)?;
        if self.mmap && stored.handle.attr("rank")? != "0" {
            return Err(CliError::new("--mmap only works on the rank 0 broker"));
        }
        let mut objects = self.begin(&mut stored)?;
        match self.gather(flux, &mut stored, &mut objects) {
            Ok(keep) => self.commit(&mut stored, &objects, &keep),
            Err(Failed(error)) => {
                if self.mmap && !self.append {
                    // The first error is the one to tell.
                    let _ = stored.unmap();
                }
                Err(error)
            }
        }
    }

    fn check(&self) -> Result<(), CliError> {
        let refuse = |text: &str| Err(CliError::new(text));
        if self.overwrite && self.append {
            return refuse("--overwrite and --append cannot be used together");
        }
        if self.mmap && self.preserve {
            return refuse("--mmap cannot work with --preserve");
        }
        if self.mmap && self.name.no_force_primary {
            return refuse("--mmap cannot work with --no-force-primary");
        }
        Ok(())
    }

    /// Checks whether the archive exists: returns its contents, if they stay.
    fn begin(&self, stored: &mut Stored) -> Result<Vec<FileObject>, CliError> {
        match (stored.exists()?, self.append) {
            (true, true) => stored.objects(),
            (true, false) if !self.overwrite => {
                Err(CliError::new(format!("{}: key exists", stored.key)))
            }
            (true, false) => stored.remove().map(|()| Vec::new()),
            (false, _) => Ok(Vec::new()),
        }
    }

    /// Adds the objects of all files, and stores the contents that are not in them.
    fn gather(
        &self,
        flux: &mut Flux,
        stored: &mut Stored,
        objects: &mut Vec<FileObject>,
    ) -> Result<Keep, Failed> {
        let packing = Packing {
            chunk_bytes: self.chunksize,
            small_file_bytes: self.small_file_threshold,
        };
        let mut keep = Keep::new(&mut stored.handle, self.mmap)?;
        let is_verbose = self.verbose.iter().any(|level| *level > 0);
        let mut bar = Bar::new(flux, self.bytes()?, is_verbose);
        self.walk(&mut |found| {
            if is_verbose {
                flux.line(&found.name).map_err(CliError::from)?;
            }
            let object = pack::<Failed>(&found, &packing, &mut |chunk| {
                bar.add(chunk.bytes.len() as u64);
                Ok(keep.keep(&mut stored.handle, &chunk)?)
            })?;
            if self.mmap && matches!(object.content, Content::Blobs(_)) {
                keep.map(&mut stored.handle, &found.path, self.chunksize, &stored.tag)?;
            }
            objects.push(object);
            Ok(())
        })?;
        keep.finish(&mut stored.handle)?;
        Ok(keep)
    }

    /// Bytes of all files.
    fn bytes(&self) -> Result<u64, Failed> {
        let mut bytes = 0;
        self.walk(&mut |found| {
            bytes += found.metadata.len();
            Ok(())
        })?;
        Ok(bytes)
    }

    fn walk(&self, visit: &mut impl FnMut(Found) -> Result<(), Failed>) -> Result<(), Failed> {
        let base = self.directory.as_deref().unwrap_or(Path::new(""));
        self.paths
            .iter()
            .try_for_each(|path| walk(base, path, visit))
    }

    /// Stores the archive: last, so that everything that it refers to is there.
    fn commit(
        &self,
        stored: &mut Stored,
        objects: &[FileObject],
        keep: &Keep,
    ) -> Result<(), CliError> {
        if self.preserve {
            self.commit_references(stored, keep)?;
        }
        let json: Value = objects.iter().map(FileObject::to_json).collect();
        let commit = Commit::new(&stored.namespace).put(&stored.key, json.to_string());
        let done = stored.handle.rpc(&commit);
        done.map_err(|refusal| CliError::from(refusal).about(&stored.key))?;
        Ok(())
    }

    /// A key for each blob, behind those of an archive that is added to.
    fn commit_references(&self, stored: &mut Stored, keep: &Keep) -> Result<(), CliError> {
        let blobs_key = stored.blobs_key();
        let lookup = Lookup::new(&stored.namespace, &blobs_key, READDIR);
        let mut number = match stored.handle.rpc(&lookup) {
            Ok(found) => match found.val {
                Tree::Dir(entries) => entries.len(),
                _ => 0,
            },
            Err(refusal) if refusal.errno == Errno::ENOENT => 0,
            Err(refusal) => return Err(CliError::from(refusal).about(&blobs_key)),
        };
        for some in keep.kept.chunks(ARCHIVE_REFS_A_COMMIT) {
            let mut commit = Commit::new(&stored.namespace);
            for blobref in some {
                let key = format!("{blobs_key}.{number}");
                commit
                    .ops
                    .push(Op::put_tree(key, Tree::ValRef(vec![*blobref])));
                number += 1;
            }
            let done = stored.handle.rpc(&commit);
            done.map_err(|refusal| CliError::from(refusal).about(&blobs_key))?;
        }
        Ok(())
    }
}
