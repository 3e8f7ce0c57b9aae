//! `flux kvs link` and `flux kvs readlink`

use proto::data::Tree;
use proto::kvs::{Op, READLINK};

use super::at::{NamespaceArg, ShowRoot, about};
use command::error::CliError;
use command::flux::Flux;

/// Make a link to a key
#[derive(clap::Args)]
pub struct Link {
    #[command(flatten)]
    namespace: NamespaceArg,
    #[command(flatten)]
    show: ShowRoot,
    /// Use this namespace for TARGET
    #[arg(short = 'T', long, value_name = "NAME")]
    target_namespace: Option<String>,
    /// Key that the link points to; it need not exist
    target: String,
    /// Key of the link
    linkname: String,
}

impl Link {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut store = self.namespace.connect(flux)?;
        let link = Op::symlink(
            &self.linkname,
            self.target_namespace.as_deref(),
            &self.target,
        );
        let commit = store.transaction().op(link);
        let root = store.handle.rpc(&commit).map_err(about(&self.linkname))?;
        self.show.show(flux, &root)
    }
}

/// Print the targets of links
#[derive(clap::Args)]
pub struct Readlink {
    #[command(flatten)]
    namespace: NamespaceArg,
    /// Look up keys below this tree object
    #[arg(short, long, value_name = "TREEOBJ")]
    at: Option<String>,
    /// Print only the namespace
    #[arg(short = 'o', long, conflicts_with = "key_only")]
    namespace_only: bool,
    /// Print only the key
    #[arg(short, long)]
    key_only: bool,
    /// Links to read
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

impl Readlink {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut store = self.namespace.connect(flux)?;
        for key in &self.keys {
            let tree = store.lookup_at(self.at.as_deref(), key, READLINK)?;
            let Tree::Symlink { target, namespace } = tree else {
                return Err(CliError::new("Invalid argument").about(key));
            };
            match namespace {
                Some(namespace) if self.namespace_only => writeln!(flux.out, "{namespace}")?,
                None if self.namespace_only => {}
                Some(namespace) if !self.key_only => writeln!(flux.out, "{namespace}::{target}")?,
                _ => writeln!(flux.out, "{target}")?,
            }
        }
        Ok(())
    }
}
