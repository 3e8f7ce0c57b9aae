//! `flux kvs unlink`

use proto::data::Tree;
use proto::kvs::{READDIR, TREEOBJ};
use proto::{Errno, Refusal};

use super::at::{NamespaceArg, ShowRoot, Store, about_all, why};
use command::error::CliError;
use command::flux::Flux;

/// Remove keys, all in one commit
#[derive(clap::Args)]
pub struct Unlink {
    #[command(flatten)]
    namespace: NamespaceArg,
    #[command(flatten)]
    show: ShowRoot,
    /// Remove directories with all that is below them
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Ignore keys that do not exist
    #[arg(short, long)]
    force: bool,
    /// Keys to remove
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

impl Unlink {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut store = self.namespace.connect(flux)?;
        let mut commit = store.transaction();
        for key in &self.keys {
            match self.objection(&mut store, key)? {
                Some(errno) => {
                    let why = why(key, &Refusal::bare(errno));
                    return Err(CliError::new(format!("cannot unlink '{key}': {why}")));
                }
                None => commit = commit.unlink(key),
            }
        }
        let root = store.handle.rpc(&commit).map_err(about_all(&self.keys))?;
        self.show.show(flux, &root)
    }

    /// Reason for not removing a key, if there is one.
    fn objection(&self, store: &mut Store, key: &str) -> Result<Option<Errno>, CliError> {
        let tree = match store.lookup(key, TREEOBJ) {
            Ok(tree) => tree,
            Err(refusal) if refusal.errno == Errno::ENOENT => {
                return Ok((!self.force).then_some(Errno::ENOENT));
            }
            Err(refusal) => return Ok(Some(refusal.errno)),
        };
        if self.recursive || !tree.is_dir() {
            return Ok(None);
        }
        let is_empty = match store.lookup(key, READDIR) {
            Ok(Tree::Dir(entries)) => entries.is_empty(),
            Ok(_) => true,
            Err(refusal) => return Ok(Some(refusal.errno)),
        };
        Ok((!is_empty).then_some(Errno::ENOTEMPTY))
    }
}
