//! `flux kvs put`

use bytes::Bytes;
use proto::data::Tree;
use proto::kvs::{NO_MERGE, Op, SYNC};

use super::at::{NamespaceArg, ShowRoot, about_all};
use command::error::CliError;
use command::flux::Flux;

/// Set keys to values, all in one commit
#[derive(clap::Args)]
pub struct Put {
    #[command(flatten)]
    namespace: NamespaceArg,
    #[command(flatten)]
    show: ShowRoot,
    /// Store values unchanged; KEY=- reads one from standard input
    #[arg(short, long)]
    raw: bool,
    /// Store tree objects (RFC 11); KEY=- reads one from standard input
    #[arg(short, long, conflicts_with_all = ["raw", "append"])]
    treeobj: bool,
    /// Do not merge this commit with concurrent ones
    #[arg(short, long)]
    no_merge: bool,
    /// Append to the values
    #[arg(short = 'A', long)]
    append: bool,
    /// Return only when the commit would survive a power failure
    #[arg(short = 'S', long)]
    sync: bool,
    /// Keys and their values
    #[arg(required = true, value_name = "KEY=VALUE", allow_hyphen_values = true)]
    pairs: Vec<String>,
}

impl Put {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut ops = Vec::with_capacity(self.pairs.len());
        let mut keys = Vec::with_capacity(self.pairs.len());
        for pair in &self.pairs {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| CliError::new("put: you must specify a value as key=value"))?;
            ops.push(self.op(flux, key, value)?);
            keys.push(key.to_owned());
        }
        let mut store = self.namespace.connect(flux)?;
        let mut commit = store.transaction();
        commit.ops = ops;
        commit.flags |= if self.no_merge { NO_MERGE } else { 0 };
        commit.flags |= if self.sync { SYNC } else { 0 };
        let root = store.handle.rpc(&commit).map_err(about_all(&keys))?;
        self.show.show(flux, &root)
    }

    fn op(&self, flux: &mut Flux, key: &str, value: &str) -> Result<Op, CliError> {
        let value = match value {
            "-" if self.raw || self.treeobj => Bytes::from(flux.read_input()?),
            value => Bytes::copy_from_slice(value.as_bytes()),
        };
        if self.treeobj {
            let tree = Tree::decode(value.trim_ascii());
            let tree = tree.map_err(|error| CliError::new(error.to_string()).about(key))?;
            return Ok(Op::put_tree(key, tree));
        }
        Ok(match self.append {
            true => Op::append(key, value),
            false => Op::put(key, value),
        })
    }
}
