//! `flux kvs eventlog get`

use client::Call;
use proto::data::Tree;
use proto::kvs::{STREAM, WAITCREATE, WATCH, WATCH_APPEND};
use proto::kvs_watch;

use super::{Form, Printer, entries};
use crate::commands::kvs::at::{NamespaceArg, Store, about};
use crate::commands::kvs::follow::Follow;
use command::error::CliError;
use command::flux::Flux;

/// Print an event log
#[derive(clap::Args)]
pub struct Get {
    #[command(flatten)]
    namespace: NamespaceArg,
    #[command(flatten)]
    form: Form,
    /// Follow the log as entries are added
    #[arg(short, long)]
    watch: bool,
    /// Wait until the log exists
    #[arg(short = 'W', long)]
    waitcreate: bool,
    /// Exit after N entries
    #[arg(short, long, value_name = "N")]
    count: Option<u64>,
    /// Read the log in parts
    #[arg(short = 'S', long, conflicts_with = "watch")]
    stream: bool,
    /// Key of the log
    key: String,
}

impl Get {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut store = self.namespace.connect(flux)?;
        let mut output = Output {
            printer: self.form.printer(flux),
            left: self.count.unwrap_or(u64::MAX),
        };
        if self.watch {
            return self.watch(flux, &mut store, &mut output);
        }
        let key = &self.key;
        if self.stream {
            let request = kvs_watch::Lookup::new(&store.namespace, key, STREAM | self.waiting());
            for watched in store.handle.stream(Call::new(&request)) {
                let bytes = watched.map_err(about(key))?.bytes().unwrap_or_default();
                output.print(flux, &bytes)?;
            }
            return Ok(());
        }
        let tree = match self.waitcreate {
            false => store.lookup(key, 0).map_err(about(key))?,
            true => {
                let request = kvs_watch::Lookup::new(&store.namespace, key, WAITCREATE);
                let watched = store.handle.rpc(&request).map_err(about(key))?;
                watched.val.unwrap_or(Tree::Val(Default::default()))
            }
        };
        match tree {
            Tree::Val(bytes) => output.print(flux, &bytes),
            _ => Ok(()),
        }
    }

    fn waiting(&self) -> u32 {
        if self.waitcreate { WAITCREATE } else { 0 }
    }

    fn watch(
        &self,
        flux: &mut Flux,
        store: &mut Store,
        output: &mut Output,
    ) -> Result<(), CliError> {
        let flags = WATCH | WATCH_APPEND | self.waiting();
        let mut follow = Follow::start(store, &self.key, flags);
        while output.left > 0
            && let Some(tree) = follow.next(store)
        {
            if let Tree::Val(bytes) = tree.map_err(about(&self.key))? {
                output.print(flux, &bytes)?;
                flux.out.flush()?;
            }
        }
        Ok(())
    }
}

struct Output {
    printer: Printer,
    left: u64,
}

impl Output {
    fn print(&mut self, flux: &mut Flux, log: &[u8]) -> Result<(), CliError> {
        for entry in entries(log)? {
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            self.printer.print(flux, &entry)?;
        }
        Ok(())
    }
}
