//! State of the module: blobs in memory, and tasks that wait for the file.
//!
//! Tasks leave for the worker in batches, one batch at a time. Tasks that arrive while
//! one batch is under way are the next; a lone task waits for nothing.

use std::collections::VecDeque;

use bytes::Bytes;
use node::{Cx, Host, Module, Routes};
use proto::config;
use proto::data::BlobRef;
use proto::{Object, Refusal};
use rustc_hash::FxHashMap;

use crate::above::Above;
use crate::cache::Cache;
use crate::config::{Durability, Settings};
use crate::limits::{BATCH_BYTES_MAX, QUEUED_BYTES_MAX};
use crate::mapped::Mapped;
use crate::store::{Store, Upkeep};
use crate::task::{Task, TaskResult};

/// Continuation after a task.
type Done = Box<dyn FnOnce(&mut Content, &mut Cx<Content>, TaskResult)>;

/// The module.
pub struct Content {
    pub(crate) settings: Settings,
    pub(crate) cache: Cache,
    /// The way to the parent, which other ranks have in place of a file.
    pub(crate) above: Option<Above>,
    /// Blobs on their way to the file, or to the parent, and the number of stores under way for
    /// each.
    pub(crate) storing: FxHashMap<BlobRef, (Bytes, usize)>,
    /// Files of this host whose parts are blobs, on rank 0.
    pub(crate) mapped: Mapped,
    queue: VecDeque<(Task, Done)>,
    queued_bytes: usize,
    /// Continuations of the worker's current batch.
    under_way: Option<Vec<Done>>,
    pub(crate) stopping: bool,
    /// Free space is being given back.
    pub(crate) shrinking: bool,
}

impl Host for Content {
    const NAME: &'static str = "content";
    type Worker = Store;

    fn settled(&mut self, cx: &mut Cx<Self>) {
        self.send_batch(cx);
    }

    /// The durability and the size of the cache may change; the table's other keys are the
    /// business of the kvs.
    fn configure(&mut self, cx: &mut Cx<Self>, conf: &Object) -> Result<(), Refusal> {
        let durability = Durability::of(conf)?;
        let cache = config::Cache::of(conf)?;
        if self.settings.cache != cache {
            self.settings.cache = cache;
            self.cache.set_bytes_max(self.settings.cache_bytes());
            self.tidy_memory(cx, move |store| store.set_cache(cache));
        }
        if self.above.is_none() && self.settings.file.durability != durability {
            self.settings.file.durability = durability;
            cx.work(
                move |store: &mut Store| store.set_durability(durability),
                |_, _, ()| {},
            );
        }
        Ok(())
    }

    /// Stores accepted blobs before the exit.
    fn stop(&mut self, cx: &mut Cx<Self>) {
        self.stopping = true;
        match self.above {
            Some(_) => self.leave_when_idle(cx),
            None => self.leave_when_done(cx),
        }
    }

    fn check_invariants(&self) {
        self.cache.check();
        let queued: usize = self.queue.iter().map(|(task, _)| task.bytes()).sum();
        assert_eq!(queued, self.queued_bytes);
        if let Some(above) = &self.above {
            above.check();
            assert!(self.queue.is_empty(), "a follower has no file");
        }
    }
}

impl Module for Content {
    fn routes() -> Routes<Self> {
        crate::routes()
    }

    fn start(cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        let settings = Settings::of(cx)?;
        let rank = cx.rank();
        match rank {
            0 => open(cx, &settings),
            _ => tracing::debug!("blobs are stored by the parent of rank {rank}"),
        }
        Ok(Content {
            above: (rank != 0).then(|| Above::new(rank)),
            cache: Cache::new(settings.cache_bytes()),
            settings,
            storing: FxHashMap::default(),
            mapped: Mapped::default(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            under_way: None,
            stopping: false,
            shrinking: false,
        })
    }
}

/// Opens the store, behind which there are services of its own: on other ranks requests to
/// them climb.
fn open(cx: &mut Cx<Content>, settings: &Settings) {
    // There is no module of the backend's name, but there are those who ask for its
    // statistics.
    for service in ["content-backing", settings.backend.name()] {
        let service = service.to_owned();
        cx.call(&proto::service::Add { service }, |_, cx, result| {
            if let Err(error) = result {
                cx.exit(Err(error));
            }
        });
    }
    let (backend, file, cache) = (settings.backend, settings.file.clone(), settings.cache);
    cx.hold_start();
    cx.work(
        move |store: &mut Store| {
            store.open(backend, file)?;
            store.set_cache(cache);
            Ok(())
        },
        |_, cx, result| cx.started(result),
    );
}

impl Content {
    /// Has `task` done by the worker, after everything before it, and goes on in `done`.
    pub(crate) fn enqueue(
        &mut self,
        task: Task,
        done: impl FnOnce(&mut Content, &mut Cx<Content>, TaskResult) + 'static,
    ) {
        self.queued_bytes += task.bytes();
        self.queue.push_back((task, Box::new(done)));
    }

    /// True if `bytes` more may wait for the file.
    pub(crate) fn has_room_for(&self, bytes: usize) -> bool {
        self.queued_bytes + bytes <= QUEUED_BYTES_MAX
    }

    /// Tasks that the worker has.
    pub(crate) fn n_under_way(&self) -> usize {
        self.under_way.as_ref().map_or(0, Vec::len)
    }

    /// Gives the worker the queued tasks, unless it is busy.
    fn send_batch(&mut self, cx: &mut Cx<Self>) {
        if self.under_way.is_some() || self.queue.is_empty() {
            return;
        }
        let (mut tasks, mut under_way, mut bytes) = (Vec::new(), Vec::new(), 0);
        while let Some((task, _)) = self.queue.front()
            && tasks.len() < self.settings.batch_tasks_max
            && (tasks.is_empty() || bytes + task.bytes() <= BATCH_BYTES_MAX)
            && let Some((task, done)) = self.queue.pop_front()
        {
            bytes += task.bytes();
            tasks.push(task);
            under_way.push(done);
        }
        self.queued_bytes -= bytes;
        self.under_way = Some(under_way);
        cx.work(
            move |store: &mut Store| (store.run(&tasks), store.upkeep_due()),
            Content::batch_done,
        );
    }

    fn batch_done(&mut self, cx: &mut Cx<Self>, (results, due): (Vec<TaskResult>, Upkeep)) {
        let under_way = self.under_way.take().unwrap_or_default();
        assert_eq!(under_way.len(), results.len(), "every task has a result");
        for (done, result) in under_way.into_iter().zip(results) {
            done(self, cx, result);
        }
        self.go_on(cx, due);
    }

    /// Does the next work: urgent upkeep, queued tasks, other upkeep.
    fn go_on(&mut self, cx: &mut Cx<Self>, due: Upkeep) {
        if due == Upkeep::Now || (due == Upkeep::WhenIdle && self.queue.is_empty()) {
            self.under_way = Some(Vec::new());
            return cx.work(Store::upkeep, |core: &mut Content, cx, due| {
                core.under_way = None;
                core.go_on(cx, due);
            });
        }
        self.send_batch(cx);
        self.leave_when_done(cx);
    }

    /// Has the worker do something about its memory, if there is one, and returns free
    /// memory to the system.
    pub(crate) fn tidy_memory(
        &mut self,
        cx: &mut Cx<Self>,
        tidy: impl FnOnce(&mut Store) + Send + 'static,
    ) {
        match self.above {
            Some(_) => cx.give_back_memory(),
            None => cx.work(tidy, |_, cx, ()| cx.give_back_memory()),
        }
    }

    fn leave_when_done(&mut self, cx: &mut Cx<Self>) {
        if self.stopping && self.under_way.is_none() && self.queue.is_empty() {
            self.stopping = false;
            cx.work(Store::close, |_, cx, ()| cx.exit(Ok(())));
        }
    }
}
