//! `flux content`: the blobs under the key-value store.

mod checkpoint;

use client::Call;
use proto::data::BlobRef;
use proto::{Errno, content, content_backing};

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Store and load blobs
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux content store <file
  flux content load sha1-d64ddd19390bcec2c8ed4cdd3ce01e6dc3e46d8e")]
pub struct Content {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Store(Store),
    Load(Load),
    Flush(Flush),
    Dropcache(Dropcache),
    Checkpoint(checkpoint::Checkpoint),
}

impl Run for Content {
    const NAME: &'static str = "content";
    const GROUP: Group = Group::Data;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::Store(store) => store.run(flux),
            Verb::Load(load) => load.run(flux),
            Verb::Flush(flush) => flush.run(flux),
            Verb::Dropcache(dropcache) => dropcache.run(flux),
            Verb::Checkpoint(checkpoint) => checkpoint.run(flux),
        }
    }
}

/// Store a blob and print its blobref
#[derive(clap::Args)]
struct Store {
    /// Bypass the cache and use the backing store
    #[arg(short, long)]
    bypass_cache: bool,
    /// Store each line of standard input, split at this text, as a separate blob
    #[arg(long, value_name = "CHARACTER")]
    delim: Option<char>,
}

impl Store {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let input = flux.read_input()?;
        let mut handle = flux.connect()?;
        let blobs: Vec<&[u8]> = match self.delim.and_then(|delim| u8::try_from(delim).ok()) {
            Some(delim) => {
                let whole = input.strip_suffix(&[delim]).unwrap_or(&input);
                whole.split(|byte| *byte == delim).collect()
            }
            None => vec![&input],
        };
        for blob in blobs {
            let blob = bytes::Bytes::copy_from_slice(blob);
            let digest = match self.bypass_cache {
                true => handle
                    .rpc(&content_backing::Store(blob))
                    .map(|digest| digest.0),
                false => handle.rpc(&content::Store(blob)).map(|digest| digest.0),
            };
            let digest = digest.map_err(|refusal| failed("storing", refusal))?;
            let blobref = BlobRef::from_digest(&digest);
            let blobref = blobref.map_err(|error| CliError::new(error.to_string()))?;
            writeln!(flux.out, "{blobref}")?;
        }
        Ok(())
    }
}

/// Print blobs
#[derive(clap::Args)]
struct Load {
    /// Bypass the cache and use the backing store
    #[arg(short, long)]
    bypass_cache: bool,
    /// Blobrefs; read from standard input if there are none
    #[arg(value_name = "BLOBREF")]
    blobrefs: Vec<String>,
}

impl Load {
    fn run(mut self, flux: &mut Flux) -> Result<(), CliError> {
        if self.blobrefs.is_empty() {
            let input = flux.read_input()?;
            let lines = String::from_utf8_lossy(&input).into_owned();
            self.blobrefs
                .extend(lines.split_whitespace().map(str::to_owned));
        }
        let mut handle = flux.connect()?;
        for text in &self.blobrefs {
            let blobref: Result<BlobRef, _> = text.parse();
            let blobref =
                blobref.map_err(|_| failed("loading", proto::Refusal::bare(Errno::EINVAL)))?;
            let digest = bytes::Bytes::copy_from_slice(blobref.digest());
            let blob = match self.bypass_cache {
                true => handle
                    .call(Call::new(&content_backing::Load(digest)))
                    .map(|blob| blob.0),
                false => handle
                    .call(Call::new(&content::Load(digest)))
                    .map(|blob| blob.0),
            };
            let blob = blob.map_err(|refusal| failed("loading", refusal))?;
            flux.out.write_all(&blob)?;
        }
        Ok(())
    }
}

/// Wait until all stored blobs are in the backing store
#[derive(clap::Args)]
struct Flush {}

impl Flush {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        flux.connect()?.rpc(&content::Flush)?;
        Ok(())
    }
}

/// Drop the blobs from the cache that are in the backing store too
#[derive(clap::Args)]
struct Dropcache {}

impl Dropcache {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        flux.connect()?.rpc(&content::Dropcache)?;
        Ok(())
    }
}

fn failed(verb: &str, refusal: proto::Refusal) -> CliError {
    CliError::from(refusal).about(format!("error {verb} blob"))
}
