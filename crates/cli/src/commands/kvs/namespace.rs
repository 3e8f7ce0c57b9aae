//! `flux kvs namespace`

use client::Call;
use proto::data::{HashKind, Tree};
use proto::kvs::{NamespaceCreate, NamespaceList, NamespaceRemove};

use super::at::about;
use command::error::CliError;
use command::flux::Flux;

/// Create, remove and list namespaces
#[derive(clap::Args)]
pub struct Namespace {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Create(Create),
    Remove(Remove),
    List(List),
}

impl Namespace {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::Create(create) => create.run(flux),
            Verb::Remove(remove) => remove.run(flux),
            Verb::List(list) => list.run(flux),
        }
    }
}

/// Create namespaces
#[derive(clap::Args)]
struct Create {
    /// Set the owner's user id; default: the instance owner
    #[arg(short, long, value_name = "UID", default_value_t = -1, hide_default_value = true)]
    owner: i64,
    /// Start with this root directory instead of an empty one
    #[arg(short, long, value_name = "BLOBREF")]
    rootref: Option<String>,
    /// Names of namespaces
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

impl Create {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let rootref = match self.rootref {
            Some(rootref) => rootref,
            None => {
                let hash: HashKind = handle
                    .attr("content.hash")?
                    .parse()
                    .map_err(|error| CliError::new(format!("{error}")).about("content.hash"))?;
                Tree::empty_dir().blobref(hash).to_string()
            }
        };
        for name in &self.names {
            let request = NamespaceCreate {
                namespace: name.clone(),
                rootref: rootref.clone(),
                owner: self.owner,
                flags: 0,
            };
            // Rank 0 keeps the namespaces.
            handle
                .call(Call::new(&request).to(0))
                .map_err(about(name))?;
        }
        Ok(())
    }
}

/// Remove namespaces
#[derive(clap::Args)]
struct Remove {
    /// Names of namespaces; unknown ones are ignored
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

impl Remove {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        for name in &self.names {
            let namespace = name.clone();
            let request = NamespaceRemove { namespace };
            handle
                .call(Call::new(&request).to(0))
                .map_err(about(name))?;
        }
        Ok(())
    }
}

/// List the namespaces
#[derive(clap::Args)]
struct List {}

impl List {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let mut namespaces = handle.rpc(&NamespaceList)?.namespaces;
        namespaces.sort_by(|a, b| a.namespace.cmp(&b.namespace));
        flux.line("NAMESPACE                                 OWNER      FLAGS")?;
        for info in namespaces {
            let (name, owner, flags) = (info.namespace, info.owner, info.flags);
            flux.line(format_args!("{name:<36} {owner:>10} 0x{flags:08X}"))?;
        }
        Ok(())
    }
}
