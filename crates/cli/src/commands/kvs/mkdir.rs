//! `flux kvs mkdir`

use proto::kvs::Op;

use super::at::{NamespaceArg, ShowRoot, about_all};
use command::error::CliError;
use command::flux::Flux;

/// Make empty directories
#[derive(clap::Args)]
pub struct Mkdir {
    #[command(flatten)]
    namespace: NamespaceArg,
    #[command(flatten)]
    show: ShowRoot,
    /// Directories to make
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

impl Mkdir {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut store = self.namespace.connect(flux)?;
        let mut commit = store.transaction();
        commit.ops.extend(self.keys.iter().map(Op::mkdir));
        let root = store.handle.rpc(&commit).map_err(about_all(&self.keys))?;
        self.show.show(flux, &root)
    }
}
