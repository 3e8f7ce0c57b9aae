//! `flux kvs get`

use client::Call;
use proto::data::Tree;
use proto::kvs::{STREAM, TREEOBJ, WAITCREATE, WATCH, WATCH_APPEND, WATCH_FULL, WATCH_UNIQ};
use proto::kvs_watch;

use super::at::{NamespaceArg, Store, about, json};
use super::follow::Follow;
use command::error::CliError;
use command::flux::Flux;

/// Print the values of keys
#[derive(clap::Args)]
pub struct Get {
    #[command(flatten)]
    namespace: NamespaceArg,
    /// Print values unchanged, without a newline
    #[arg(short, long)]
    raw: bool,
    /// Print tree objects (RFC 11)
    #[arg(short, long, conflicts_with = "raw")]
    treeobj: bool,
    /// Look up keys below this tree object
    #[arg(short, long, value_name = "TREEOBJ")]
    at: Option<String>,
    /// Print KEY= in front of each value
    #[arg(short, long)]
    label: bool,
    /// Wait until the key exists
    #[arg(short = 'W', long)]
    waitcreate: bool,
    /// Print the value again after each change
    #[arg(short, long)]
    watch: bool,
    /// With --watch, print only values that differ from the last one
    #[arg(short, long, requires = "watch")]
    uniq: bool,
    /// With --watch, print only the appended part
    #[arg(short = 'A', long, requires = "watch")]
    append: bool,
    /// With --watch, also compare when a directory or link above the key changes
    #[arg(short, long, requires = "watch")]
    full: bool,
    /// With --watch, exit after N values
    #[arg(short, long, value_name = "N")]
    count: Option<u64>,
    /// Read the value in parts
    #[arg(short = 'S', long, conflicts_with_all = ["watch", "treeobj"])]
    stream: bool,
    /// Keys to print
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

impl Get {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut store = self.namespace.connect(flux)?;
        for key in &self.keys {
            if self.watch {
                self.watch(flux, &mut store, key)?;
            } else if self.stream {
                self.stream(flux, &mut store, key)?;
            } else {
                let tree = self.look_up(&mut store, key)?;
                self.print(flux, key, &tree)?;
            }
        }
        Ok(())
    }

    fn look_up(&self, store: &mut Store, key: &str) -> Result<Tree, CliError> {
        let flags = self.flags();
        if self.waitcreate {
            let request = kvs_watch::Lookup::new(&store.namespace, key, flags);
            let watched = store.handle.rpc(&request).map_err(about(key))?;
            // Without WATCH there is no mark that could come in place of a value.
            return watched
                .val
                .ok_or_else(|| CliError::new("no value").about(key));
        }
        store.lookup_at(self.at.as_deref(), key, flags)
    }

    fn flags(&self) -> u32 {
        let flags = [
            (self.treeobj, TREEOBJ),
            (self.waitcreate, WAITCREATE),
            (self.watch, WATCH),
            (self.uniq, WATCH_UNIQ),
            (self.append, WATCH_APPEND),
            (self.full, WATCH_FULL),
            (self.stream, STREAM),
        ];
        flags
            .iter()
            .filter(|(is_on, _)| *is_on)
            .fold(0, |all, (_, flag)| all | flag)
    }

    fn watch(&self, flux: &mut Flux, store: &mut Store, key: &str) -> Result<(), CliError> {
        let mut follow = Follow::start(store, key, self.flags());
        let mut left = self.count.unwrap_or(u64::MAX);
        while let Some(tree) = follow.next(store) {
            if left == 0 {
                // It was cancelled; what crossed that on its way is not wanted.
                continue;
            }
            self.print(flux, key, &tree.map_err(about(key))?)?;
            flux.out.flush()?;
            left -= 1;
            if left == 0 {
                follow.cancel(store);
            }
        }
        Ok(())
    }

    /// The parts of a value follow each other as if it had been read at once.
    fn stream(&self, flux: &mut Flux, store: &mut Store, key: &str) -> Result<(), CliError> {
        let request = kvs_watch::Lookup::new(&store.namespace, key, self.flags());
        let mut is_empty = true;
        for watched in store.handle.stream(Call::new(&request)) {
            let bytes = watched.map_err(about(key))?.bytes().unwrap_or_default();
            if is_empty && !bytes.is_empty() && self.label {
                write!(flux.out, "{}=", flux.plain().line(key))?;
            }
            is_empty &= bytes.is_empty();
            flux.out.write_all(&bytes)?;
        }
        if !is_empty && !self.raw {
            writeln!(flux.out)?;
        }
        Ok(())
    }

    fn print(&self, flux: &mut Flux, key: &str, tree: &Tree) -> Result<(), CliError> {
        if self.label {
            write!(flux.out, "{}=", flux.plain().line(key))?;
        }
        match tree {
            Tree::Val(bytes) if !self.treeobj => {
                flux.out.write_all(bytes)?;
                if !self.raw && (!bytes.is_empty() || self.label) {
                    writeln!(flux.out)?;
                }
            }
            tree => writeln!(flux.out, "{}", json(tree))?,
        }
        Ok(())
    }
}
