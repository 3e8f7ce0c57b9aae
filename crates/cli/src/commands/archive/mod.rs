//! `flux archive`: files in the key-value store (RFC 37, protocol/24 section 16).
//!
//! Read on in `create.rs` and `keep.rs` (where the contents of large files go), `extract.rs`,
//! `list.rs` and `remove.rs`. `mapped.rs` is the command that was there before.

mod bar;
mod create;
mod extract;
mod keep;
mod list;
mod mapped;
mod remove;

use client::{Call, Handle};
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use filemap::FileObject;
use proto::content::MmapRemove;
use proto::kvs::{Commit, Lookup, PRIMARY, TREEOBJ};
use proto::{Errno, Refusal};
use serde_json::Value;

pub use mapped::Filemap;

/// Store files under a key, and extract them on any node
///
/// Each broker asks only its parent for a file, so the file is read once for any number of
/// nodes. Only the instance owner may use archives.
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux archive create -C /project dataset1
  flux exec -r all flux archive extract --waitcreate -C /tmp/project
  flux archive remove")]
pub struct Archive {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Create(create::Create),
    List(list::List),
    Extract(extract::Extract),
    Remove(remove::Remove),
}

impl Run for Archive {
    const NAME: &'static str = "archive";
    const GROUP: Group = Group::Data;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::Create(create) => create.run(flux),
            Verb::List(list) => list.run(flux),
            Verb::Extract(extract) => extract.run(flux),
            Verb::Remove(remove) => remove.run(flux),
        }
    }
}

/// Selection of an archive.
#[derive(clap::Args, Clone)]
struct Name {
    /// Use this archive name
    #[arg(short, long, value_name = "NAME", default_value = "main")]
    name: String,
    /// Use the namespace of FLUX_KVS_NAMESPACE instead of the primary one
    #[arg(long)]
    no_force_primary: bool,
}

impl Name {
    /// The archive of this name in the primary namespace.
    fn primary(name: &str) -> Name {
        Name {
            name: name.to_owned(),
            no_force_primary: false,
        }
    }

    /// Connects to where the archive is.
    fn open(&self, flux: &Flux) -> Result<Stored, CliError> {
        let named = flux
            .env
            .get("FLUX_KVS_NAMESPACE")
            .filter(|_| self.no_force_primary);
        Ok(Stored {
            handle: flux.connect()?,
            namespace: named.unwrap_or(PRIMARY).to_owned(),
            key: format!("archive.{}", self.name),
            tag: self.name.clone(),
        })
    }
}

/// An archive in the store.
struct Stored {
    handle: Handle,
    namespace: String,
    key: String,
    /// Tag that its mapped files share.
    tag: String,
}

impl Stored {
    /// The key below which references to its blobs are kept.
    fn blobs_key(&self) -> String {
        format!("{}_blobs", self.key)
    }

    fn exists(&mut self) -> Result<bool, CliError> {
        let lookup = Lookup::new(&self.namespace, &self.key, TREEOBJ);
        match self.handle.rpc(&lookup) {
            Ok(_) => Ok(true),
            Err(refusal) if refusal.errno == Errno::ENOENT => Ok(false),
            Err(refusal) => Err(self.failed(refusal)),
        }
    }

    /// The objects of its files; none if it does not exist.
    fn objects(&mut self) -> Result<Vec<FileObject>, CliError> {
        let lookup = Lookup::new(&self.namespace, &self.key, 0);
        let found = self.handle.rpc(&lookup);
        let found = found.map_err(|refusal| self.failed(refusal))?;
        self.decode(&found.bytes().unwrap_or_default())
    }

    fn decode(&self, json: &[u8]) -> Result<Vec<FileObject>, CliError> {
        let about =
            |error: &dyn std::fmt::Display| CliError::new(error.to_string()).about(&self.key);
        let objects: Vec<Value> = serde_json::from_slice(json).map_err(|error| about(&error))?;
        let objects = objects.into_iter().map(FileObject::from_json);
        objects
            .collect::<Result<_, _>>()
            .map_err(|error| about(&error))
    }

    fn failed(&self, refusal: Refusal) -> CliError {
        CliError::from(refusal).about(format_args!("KVS lookup {}", self.key))
    }

    /// Removes the archive and the maps of its files.
    fn remove(&mut self) -> Result<(), CliError> {
        let commit = Commit::new(&self.namespace)
            .unlink(&self.key)
            .unlink(self.blobs_key());
        self.handle
            .rpc(&commit)
            .map_err(|refusal| CliError::from(refusal).about(&self.key))?;
        self.unmap()
    }

    fn unmap(&mut self) -> Result<(), CliError> {
        let tag = self.tag.clone();
        self.handle.call(Call::new(&MmapRemove { tag }).to(0))?;
        Ok(())
    }
}

/// True if a file is selected. `*` matches slashes too.
fn is_meant(pattern: Option<&str>, object: &FileObject) -> bool {
    pattern.is_none_or(|pattern| wire::topic::glob_matches(pattern, &object.path))
}
