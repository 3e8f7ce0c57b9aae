//! `flux gc`: deletes blobs that nothing refers to, while the instance goes on
//! (doc/garbage-collection.md has the argument why nothing else goes).

use std::collections::HashSet;

use client::Call;
use proto::content_backing::{GcInfo, MARK_HASHES_MAX, Mark, Sweep};
use proto::data::{BlobRef, Tree};
use proto::kvs::{GetRoot, NamespaceList, PRIMARY};
use proto::{Errno, Method, Refusal};

use crate::limits::{
    CONTENT_REQUESTS_IN_FLIGHT_MAX, LOADS_IN_FLIGHT, SWEEP_DELETES, SWEEP_WINDOW_ROWS,
};
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use snapshot::blobs::Blobs;
use snapshot::progress::Progress;
use snapshot::source;
use snapshot::walk::{Values, Visit, Walk};

/// Delete unreferenced blobs from the content store
///
/// Blobs stored since the newest checkpoint are kept, and so are all blobs that a
/// checkpoint or a namespace refers to. The instance keeps running; blobs stored during
/// the collection are kept as well. Nothing is deleted unless every reference could be
/// followed. Do not restore an archive at the same time: nothing refers to its blobs
/// until the restore is complete.
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux gc
  flux gc --dry-run
  flux gc --no-cache --maxreqs=16")]
pub struct Gc {
    /// Print each step; twice, each root too
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Count the blobs that could be deleted, and delete none
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Bypass the cache and read from the backing store
    #[arg(long)]
    no_cache: bool,
    /// Send at most N requests at once to the content service
    #[arg(long, value_name = "N", default_value_t = LOADS_IN_FLIGHT as u32,
        value_parser = clap::value_parser!(u32).range(1..=CONTENT_REQUESTS_IN_FLIGHT_MAX as i64))]
    maxreqs: u32,
}

impl Run for Gc {
    const NAME: &'static str = "gc";
    const GROUP: Group = Group::Data;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut collection = Collection {
            blobs: Blobs::new(flux.connect()?, self.no_cache),
            progress: Progress::new(flux, false, false),
            walk: Walk::nowhere(Values::Skip, self.maxreqs as usize).once_each(),
            seen: HashSet::new(),
            unmarked: Vec::new(),
            n_marked: 0,
            horizon: 0,
            gc: &self,
        };
        let collected = collection.run(flux);
        if collected.is_err() {
            collection.progress.clear(flux)?;
        }
        collected
    }
}

struct Collection<'a> {
    gc: &'a Gc,
    blobs: Blobs,
    progress: Progress,
    walk: Walk,
    /// Blobs of values that were found.
    seen: HashSet<BlobRef>,
    /// Found and not sent to the store yet.
    unmarked: Vec<String>,
    n_marked: i64,
    /// Unmarked blobs with an epoch below this are deleted.
    horizon: i64,
}

impl Collection<'_> {
    fn run(&mut self, flux: &mut Flux) -> Result<(), CliError> {
        self.progress = Progress::moving(flux);
        let start = self.ask(GcInfo {
            epoch: 0,
            get_count: None,
        })?;
        self.horizon = start.current_epoch;
        if self.horizon == 0 {
            let text = "there is no checkpoint, so no blob is older than one";
            return Err(CliError::new(text).with_hint("'flux kvs sync' makes one"));
        }
        self.print(flux, 1, &format!("horizon epoch {}", self.horizon))?;
        self.mark_all(flux)?;
        let (horizon, n_marked) = (self.horizon, self.n_marked);
        let line = if self.gc.dry_run {
            let epoch = horizon;
            let get_count = Some(true);
            let counted = self.ask(GcInfo { epoch, get_count })?;
            let n = counted.candidates.unwrap_or(0);
            format!("gc dry run: marked {n_marked}, {n} blobs to reclaim (horizon epoch {horizon})")
        } else {
            let n = self.sweep(flux, start.high_water)?;
            format!("gc complete: marked {n_marked}, reclaimed {n} blobs (horizon epoch {horizon})")
        };
        self.progress.clear(flux)?;
        flux.note(format_args!("flux: {line}"))?;
        Ok(())
    }

    /// Marks all blobs that a root leads to. Primary is read last: keys that move into it
    /// from a namespace meanwhile are found in one or the other.
    fn mark_all(&mut self, flux: &mut Flux) -> Result<(), CliError> {
        for checkpoint in source::checkpoints(&mut self.blobs.handle, false)? {
            let name = format!("checkpoint {}", checkpoint.sequence);
            self.mark_root(flux, &name, &checkpoint.rootref)?;
        }
        let namespaces = self.ask(NamespaceList)?.namespaces;
        let names = namespaces.into_iter().map(|info| info.namespace);
        for namespace in names.filter(|name| name != PRIMARY) {
            let request = GetRoot {
                namespace: namespace.clone(),
            };
            match self.blobs.handle.call(Call::new(&request).to(0)) {
                Ok(root) => self.mark_root(flux, &namespace, &root.rootref)?,
                // It has been removed; what is left of it is in primary.
                Err(refusal) if refusal.errno == Errno::EOPNOTSUPP => {}
                Err(refusal) => return Err(failed(&namespace)(refusal)),
            }
        }
        let namespace = PRIMARY.to_owned();
        let root = self.ask(GetRoot { namespace })?;
        self.mark_root(flux, PRIMARY, &root.rootref)?;
        self.mark(flux)
    }

    fn mark_root(&mut self, flux: &mut Flux, name: &str, root: &str) -> Result<(), CliError> {
        self.print(flux, 2, &format!("marking {name}"))?;
        self.walk.add_root(source::blobref(root)?);
        while let Some(visit) = self.walk.next(&mut self.blobs) {
            match visit {
                Visit::Dir(_, blobref) => self.unmarked.push(blobref.to_string()),
                Visit::BadDir(key, refusal) => {
                    let error = CliError::from(refusal).about(key).about(name);
                    return Err(error.with_hint("nothing was deleted; see 'flux fsck'"));
                }
                Visit::Leaf(_, Tree::ValRef(blobrefs), _) => {
                    let seen = &mut self.seen;
                    let new = blobrefs.into_iter().filter(|blobref| seen.insert(*blobref));
                    self.unmarked.extend(new.map(|blobref| blobref.to_string()));
                }
                Visit::Leaf(..) => {}
            }
            if self.unmarked.len() >= MARK_HASHES_MAX {
                self.mark(flux)?;
            }
        }
        Ok(())
    }

    /// Sends the blobs found to the store.
    fn mark(&mut self, flux: &mut Flux) -> Result<(), CliError> {
        let unmarked = std::mem::take(&mut self.unmarked);
        for hashes in unmarked.chunks(MARK_HASHES_MAX) {
            let marked = self.ask(Mark {
                epoch: self.horizon,
                hashes: hashes.to_vec(),
            })?;
            self.n_marked += marked.marked;
            let n_marked = self.n_marked;
            self.progress
                .show(flux, || format!("marked {n_marked} blobs"))?;
        }
        Ok(())
    }

    /// Has the store delete the rest, a little at a time: jobs go on.
    fn sweep(&mut self, flux: &mut Flux, high_water: i64) -> Result<i64, CliError> {
        let (mut cursor, mut n_deleted) = (0, 0);
        while cursor < high_water {
            let swept = self.ask(Sweep {
                epoch: self.horizon,
                cursor,
                high_water,
                delete_cap: SWEEP_DELETES,
                window: SWEEP_WINDOW_ROWS,
            })?;
            n_deleted += swept.deleted;
            if swept.cursor <= cursor {
                return Err(CliError::new("the sweep of the store makes no progress"));
            }
            cursor = swept.cursor;
            self.progress
                .show(flux, || format!("reclaimed {n_deleted} blobs"))?;
        }
        Ok(n_deleted)
    }

    /// Asks rank 0, where roots are decided and blobs are kept.
    fn ask<M: Method>(&mut self, request: M) -> Result<M::Response, CliError> {
        let answer = self.blobs.handle.call(Call::new(&request).to(0));
        answer.map_err(failed(M::TOPIC))
    }

    fn print(&mut self, flux: &mut Flux, level: u8, text: &str) -> Result<(), CliError> {
        if self.gc.verbose < level {
            return Ok(());
        }
        self.progress.clear(flux)?;
        flux.warn(text)
    }
}

fn failed(what: &str) -> impl Fn(Refusal) -> CliError + '_ {
    move |refusal| CliError::from(refusal).about(what)
}
