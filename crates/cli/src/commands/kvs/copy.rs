//! `flux kvs copy` and `flux kvs move`: tree objects are put elsewhere, values stay where
//! they are stored.

use proto::Refusal;
use proto::data::Key;
use proto::kvs::{Commit, Lookup, Op, TREEOBJ};

use super::at::{NamespaceArg, Store, why};
use command::error::CliError;
use command::flux::Flux;

/// Arguments of both commands.
#[derive(clap::Args)]
struct Ends {
    #[command(flatten)]
    namespace: NamespaceArg,
    /// Read SOURCE from this namespace
    #[arg(short = 'S', long, value_name = "NAME")]
    src_namespace: Option<String>,
    /// Write DESTINATION to this namespace
    #[arg(short = 'D', long, value_name = "NAME")]
    dst_namespace: Option<String>,
    /// Key to copy
    source: String,
    /// New key
    destination: String,
}

/// Copy a key, with all that is below it
#[derive(clap::Args)]
pub struct Copy {
    #[command(flatten)]
    ends: Ends,
}

/// Move a key, with all that is below it
#[derive(clap::Args)]
pub struct Move {
    #[command(flatten)]
    ends: Ends,
}

impl Copy {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut store = self.ends.namespace.connect(flux)?;
        let copied = self.ends.copy(&mut store);
        copied.map_err(|refusal| self.ends.failed("flux_kvs_copy", &refusal))
    }
}

impl Move {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut store = self.ends.namespace.connect(flux)?;
        let moved = self.ends.copy(&mut store).and_then(|()| {
            let source = self.ends.source_namespace(&store);
            let unlink = Commit::new(source).unlink(&self.ends.source);
            store.handle.rpc(&unlink).map(|_| ())
        });
        moved.map_err(|refusal| self.ends.failed("flux_kvs_move", &refusal))
    }
}

impl Ends {
    fn source_namespace<'a>(&'a self, store: &'a Store) -> &'a str {
        self.src_namespace.as_deref().unwrap_or(&store.namespace)
    }

    fn copy(&self, store: &mut Store) -> Result<(), Refusal> {
        let source = Lookup::new(self.source_namespace(store), &self.source, TREEOBJ);
        let tree = store.handle.rpc(&source)?.val;
        let namespace = self.dst_namespace.as_deref().unwrap_or(&store.namespace);
        let put = Commit::new(namespace).op(Op::put_tree(&self.destination, tree));
        store.handle.rpc(&put).map(|_| ())
    }

    fn failed(&self, what: &str, refusal: &Refusal) -> CliError {
        let key = match Key::new(&self.source) {
            Err(_) => &self.source,
            Ok(_) => &self.destination,
        };
        CliError::new(why(key, refusal)).about(what)
    }
}
