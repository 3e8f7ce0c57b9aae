//! `flux filemap`: the predecessor of `flux archive`, for scripts that still use it.

use std::path::PathBuf;

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

use super::create::Create;
use super::extract::Extract;
use super::list::List;
use super::remove::Remove;

/// Map files into an instance; 'flux archive' does more
#[derive(clap::Parser)]
#[command(
    hide = true,
    after_help = "Examples:
  flux archive create --mmap -C /project dataset1"
)]
pub struct Filemap {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Map(Map),
    Unmap(Unmap),
    List(ListMapped),
    Get(Get),
}

/// Selection of archives.
#[derive(clap::Args)]
struct Tags {
    /// Use these archives, separated by commas
    #[arg(
        short = 'T',
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "main"
    )]
    tags: Vec<String>,
}

/// Map files
#[derive(clap::Args)]
struct Map {
    #[command(flatten)]
    tags: Tags,
    /// List the files
    #[arg(short, long, value_name = "LEVEL", num_args = 0..=1, require_equals = true,
        default_missing_value = "1")]
    verbose: Vec<u8>,
    /// Map paths relative to this directory
    #[arg(short = 'C', long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Copy the contents of files into the store
    #[arg(long)]
    disable_mmap: bool,
    /// Files and directories to map; directories with all that is below them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Unmap files
#[derive(clap::Args)]
struct Unmap {
    #[command(flatten)]
    tags: Tags,
}

/// List files
#[derive(clap::Args)]
struct ListMapped {
    #[command(flatten)]
    tags: Tags,
    /// Show type, permissions and size
    #[arg(short, long)]
    long: bool,
    /// Print the objects of the files (RFC 37)
    #[arg(long)]
    raw: bool,
    /// List only files whose whole paths match
    pattern: Option<String>,
}

/// Extract files
#[derive(clap::Args)]
struct Get {
    #[command(flatten)]
    tags: Tags,
    /// List the files on standard error
    #[arg(short, long, value_name = "LEVEL", num_args = 0..=1, require_equals = true,
        default_missing_value = "1")]
    verbose: Vec<u8>,
    /// Extract to this directory
    #[arg(short = 'C', long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    overwrite: bool,
    /// List only files whose whole paths match
    pattern: Option<String>,
}

impl Run for Filemap {
    const NAME: &'static str = "filemap";
    const GROUP: Group = Group::Data;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        if !matches!(self.verb, Verb::List(_)) {
            flux.note("flux-filemap: deprecated, use flux-archive(1)")?;
        }
        flux.set_command("flux".to_owned(), Self::STYLE);
        match self.verb {
            Verb::Map(map) => map.run(flux),
            Verb::Unmap(unmap) => {
                let mut tags = unmap.tags.tags.iter();
                tags.try_for_each(|tag| Remove::mapped(tag).run(flux))
            }
            Verb::List(list) => {
                let mut tags = list.tags.tags.iter();
                tags.try_for_each(|tag| {
                    List::mapped(tag, list.long, list.raw, list.pattern.clone()).run(flux)
                })
            }
            Verb::Get(get) => {
                let mut tags = get.tags.tags.iter();
                tags.try_for_each(|tag| get.extract(tag).run(flux))
            }
        }
    }
}

impl Map {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let [tag] = self.tags.tags.as_slice() else {
            return Err(CliError::new("files are mapped under one tag"));
        };
        let mmap = !self.disable_mmap;
        Create::mapping(tag, mmap, self.verbose, self.directory, self.paths).run(flux)
    }
}

impl Get {
    fn extract(&self, tag: &str) -> Extract {
        Extract::mapped(
            tag,
            self.verbose.clone(),
            self.directory.clone(),
            self.overwrite,
            self.pattern.clone(),
        )
    }
}
