//! The root of a namespace: `flux kvs getroot`, `version`, `wait`, `sync` and
//! `dropcache`.

use client::Call;
use proto::kvs::{SYNC, WaitVersion};

use super::at::{NamespaceArg, ShowRoot, about, dirref};
use command::error::CliError;
use command::flux::Flux;

/// Print the root of a namespace
#[derive(clap::Args)]
pub struct Getroot {
    #[command(flatten)]
    namespace: NamespaceArg,
    /// Print the user id of its owner
    #[arg(short, long)]
    owner: bool,
    /// Print its blobref
    #[arg(short, long, conflicts_with = "owner")]
    blobref: bool,
    /// Print its sequence number
    #[arg(short, long, conflicts_with_all = ["owner", "blobref"])]
    sequence: bool,
}

impl Getroot {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut store = self.namespace.connect(flux)?;
        let name = store.namespace.clone();
        let root = store.root().map_err(about(&name))?;
        if self.owner {
            flux.line(root.owner)?;
        } else if self.blobref {
            flux.line(&root.rootref)?;
        } else if self.sequence {
            flux.line(root.rootseq)?;
        } else {
            flux.line(dirref(&root.rootref)?)?;
        }
        Ok(())
    }
}

/// Print the version of a namespace
#[derive(clap::Args)]
pub struct Version {
    #[command(flatten)]
    namespace: NamespaceArg,
}

impl Version {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut store = self.namespace.connect(flux)?;
        let name = store.namespace.clone();
        let root = store.root().map_err(about(&name))?;
        flux.line(root.rootseq)?;
        Ok(())
    }
}

/// Wait until a namespace has reached a version
#[derive(clap::Args)]
pub struct Wait {
    #[command(flatten)]
    namespace: NamespaceArg,
    /// Version to wait for
    version: i64,
}

impl Wait {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut store = self.namespace.connect(flux)?;
        let namespace = store.namespace.clone();
        let request = WaitVersion {
            namespace: namespace.clone(),
            rootseq: self.version,
        };
        store.handle.rpc(&request).map_err(about(&namespace))?;
        Ok(())
    }
}

/// Return when all commits so far would survive a power failure
#[derive(clap::Args)]
pub struct Sync {
    #[command(flatten)]
    namespace: NamespaceArg,
    #[command(flatten)]
    show: ShowRoot,
}

impl Sync {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut store = self.namespace.connect(flux)?;
        let mut commit = store.transaction();
        commit.flags |= SYNC;
        let namespace = store.namespace.clone();
        let root = store.handle.rpc(&commit).map_err(about(&namespace))?;
        self.show.show(flux, &root)
    }
}

/// Drop everything from the kvs cache that can be loaded again
#[derive(clap::Args)]
pub struct Dropcache {
    /// Drop it on all ranks
    #[arg(short, long)]
    all: bool,
}

impl Dropcache {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let dropcache = proto::kvs::Dropcache;
        if !self.all {
            handle.rpc(&dropcache)?;
            return Ok(());
        }
        let mut asked = Vec::new();
        for rank in 0..handle.size()? {
            asked.push((rank, handle.start(Call::new(&dropcache).to(rank))));
        }
        for (rank, pending) in asked {
            let done = handle.wait(pending);
            done.map_err(|refusal| CliError::from(refusal).about(format_args!("rank {rank}")))?;
        }
        Ok(())
    }
}
