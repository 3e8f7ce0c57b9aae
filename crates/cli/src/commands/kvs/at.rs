//! Shared by all kvs commands: the namespace, lookups in it, and commits to it.

use client::{Call, Handle};
use proto::data::{Key, Tree};
use proto::kvs::{Commit, Committed, Lookup, PRIMARY};
use proto::{Errno, Refusal, kvs};

use command::error::CliError;
use command::flux::Flux;

/// The option that names the namespace.
#[derive(clap::Args)]
pub struct NamespaceArg {
    /// Use this namespace instead of FLUX_KVS_NAMESPACE or 'primary'
    #[arg(short = 'N', long, value_name = "NAME")]
    pub namespace: Option<String>,
}

impl NamespaceArg {
    /// The namespace meant.
    pub fn name(&self, flux: &Flux) -> String {
        let named = self.namespace.as_deref();
        let named = named.or_else(|| flux.env.get("FLUX_KVS_NAMESPACE"));
        named.unwrap_or(PRIMARY).to_owned()
    }

    /// A connection that works in it.
    pub fn connect(&self, flux: &Flux) -> Result<Store, CliError> {
        Ok(Store {
            namespace: self.name(flux),
            handle: flux.connect()?,
        })
    }
}

/// A namespace and a way to it.
pub struct Store {
    /// Namespace.
    pub namespace: String,
    /// The connection.
    pub handle: Handle,
}

impl Store {
    /// Looks a key up.
    pub fn lookup(&mut self, key: &str, flags: u32) -> Result<Tree, Refusal> {
        let request = Lookup::new(&self.namespace, key, flags);
        self.handle.rpc(&request).map(|found| found.val)
    }

    /// Looks a key up below a tree object, or below the root when there is none.
    pub fn lookup_at(&mut self, at: Option<&str>, key: &str, flags: u32) -> Result<Tree, CliError> {
        let request = Lookup {
            rootdir: at.map(|at| rootdir(at, key)).transpose()?,
            ..Lookup::new(&self.namespace, key, flags)
        };
        Ok(self.handle.rpc(&request).map_err(about(key))?.val)
    }

    /// A transaction without operations yet.
    pub fn transaction(&self) -> Commit {
        Commit::new(&self.namespace)
    }

    /// The namespace's root.
    pub fn root(&mut self) -> Result<kvs::Root, Refusal> {
        let namespace = self.namespace.clone();
        self.handle.rpc(&kvs::GetRoot { namespace })
    }

    /// Sends the lookup of a key whose value is taken later.
    pub fn start_lookup(&mut self, request: &Lookup) -> client::Pending<Lookup> {
        self.handle.start(Call::new(request))
    }
}

/// Output of a command that commits.
#[derive(clap::Args)]
pub struct ShowRoot {
    /// Print the new root as a tree object
    #[arg(short = 'O', long)]
    treeobj_root: bool,
    /// Print the blobref of the new root
    #[arg(short, long, conflicts_with = "treeobj_root")]
    blobref: bool,
    /// Print the sequence number of the new root
    #[arg(short, long, conflicts_with_all = ["treeobj_root", "blobref"])]
    sequence: bool,
}

impl ShowRoot {
    /// Prints it.
    pub fn show(&self, flux: &mut Flux, root: &Committed) -> Result<(), CliError> {
        if self.treeobj_root {
            flux.line(dirref(&root.rootref)?)?;
        } else if self.blobref {
            flux.line(&root.rootref)?;
        } else if self.sequence {
            flux.line(root.rootseq)?;
        }
        Ok(())
    }
}

/// The tree object that `--at` names, for a lookup of `key`.
pub fn rootdir(at: &str, key: &str) -> Result<serde_json::Value, CliError> {
    serde_json::from_str(at).map_err(|_| CliError::new("--at is not a tree object").about(key))
}

/// A refusal of a commit, with the key that it is about where there is just one.
pub fn about_all(keys: &[String]) -> impl Fn(Refusal) -> CliError + '_ {
    move |refusal| match keys {
        [key] => about(key)(refusal),
        keys => match keys.iter().find(|key| Key::new(key).is_err()) {
            Some(key) => about(key)(refusal),
            None => refusal.into(),
        },
    }
}

/// The tree object of a root directory, as JSON.
pub fn dirref(rootref: &str) -> Result<String, CliError> {
    let blobref = rootref
        .parse()
        .map_err(|error| CliError::new(format!("{error}")))?;
    Ok(json(&Tree::DirRef(blobref)))
}

/// A tree object as JSON.
pub fn json(tree: &Tree) -> String {
    String::from_utf8_lossy(&tree.encode()).into_owned()
}

/// A refusal with the key that it is about. The service only answers that it is invalid.
pub fn about(key: &str) -> impl Fn(Refusal) -> CliError + '_ {
    move |refusal| CliError::new(why(key, &refusal)).about(key)
}

/// Error text of a request about a key.
pub fn why(key: &str, refusal: &Refusal) -> String {
    match Key::new(key) {
        Err(error) if refusal.errno == Errno::EINVAL => error.to_string(),
        _ => refusal.to_string(),
    }
}

/// Columns of the output: as asked for, else the terminal's, else COLUMNS, else 80. 0 for
/// no limit becomes `None`.
pub fn columns(asked: Option<usize>, flux: &Flux) -> Option<usize> {
    let of_env = || {
        flux.env
            .get("COLUMNS")
            .and_then(|columns| columns.parse().ok())
    };
    let columns = asked.or_else(|| flux.terminal_columns()).or_else(of_env);
    Some(columns.unwrap_or(80)).filter(|columns| *columns > 0)
}
