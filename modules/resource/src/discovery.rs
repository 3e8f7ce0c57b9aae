//! Discovery on rank 0: reports of ranks are gathered into R when all have come or the time
//! limit has passed, compared with R once there is one, and added when R grows (protocol/21
//! section 6).

use node::{Cx, Reply, StreamId};
use proto::data::{IdSet, Rset};
use proto::resource::{QueryError, TopoReduce};
use proto::{Empty, Errno, Refusal};

use crate::core::Resource;
use crate::drains::Mode;
use crate::inventory::{DISCOVERED, Inventory, OF_JOB};
use crate::limits::GROWTH_DELAY;
use crate::verify;

/// State of discovery.
#[derive(Debug, Default)]
pub struct Discovery {
    found: Rset,
    /// The same ranks.
    ranks: IdSet,
    /// Ranks that are to be added to R in a moment.
    late: IdSet,
    /// R is made of these.
    makes_r: bool,
    /// Reports whose senders are answered when R is known: until then it may be asked
    /// again.
    waiting: Vec<Reply<TopoReduce>>,
}

impl Discovery {
    /// Resources found by all ranks that have reported.
    pub fn found(&self) -> &Rset {
        &self.found
    }

    /// A report was taken back.
    pub fn closed(&mut self, request: StreamId) {
        if let Some(at) = self.waiting.iter().position(|r| r.id() == request) {
            self.waiting.swap_remove(at).forget();
        }
    }

    /// Adds a report, but for ranks that are known; which are new.
    fn add(&mut self, report: &Rset) -> Rset {
        let mut fresh = report.clone();
        fresh.remove_ranks(&self.ranks);
        if let Err(error) = self.found.add(&fresh) {
            tracing::error!("report of ranks {}: {error}", fresh.ranks());
            return Rset::new();
        }
        self.ranks.add(&fresh.ranks());
        fresh
    }

    /// R of those that have found something.
    fn to_r(&self, ranks: &IdSet) -> Rset {
        let empty = self.found.nodes().filter(|(_, node)| node.is_empty());
        let empty: IdSet = empty.map(|(rank, _)| rank).collect();
        let mut set = self.found.clone();
        set.keep_ranks(&ranks.difference(&empty));
        set
    }
}

impl Resource {
    /// Ranks report the resources that they have found; `reply` is for the sender.
    pub(crate) fn report(
        &mut self,
        cx: &mut Cx<Self>,
        report: &Rset,
        reply: Option<Reply<TopoReduce>>,
    ) {
        let strange = report.ranks().difference(&IdSet::first_n(self.size));
        if !strange.is_empty() {
            let error = QueryError::StrangeRanks(strange);
            tracing::error!("{error}");
            if let Some(reply) = reply {
                reply.send(cx, Err(error));
            }
            return;
        }
        let fresh = self.discovery.add(report);
        if fresh.nnodes() < report.nnodes() {
            let known = report.ranks().difference(&fresh.ranks());
            tracing::debug!("ranks {known} have reported before");
        }
        self.discovery.waiting.extend(reply);
        if self.inventory.is_some() {
            self.reported_late(cx, &fresh.ranks());
            self.answer_reports(cx);
        } else if self.discovery.makes_r && self.discovery.ranks.count() >= u64::from(self.size) {
            self.make_r(cx);
        }
    }

    /// R is made of the resources that ranks find: waits for them, but not for ever.
    pub(crate) fn await_reports(&mut self, cx: &mut Cx<Self>) {
        self.discovery.makes_r = true;
        let Some(timeout) = self.settings.discovery_timeout else {
            return;
        };
        cx.timer(timeout, move |core: &mut Resource, cx| {
            if core.inventory.is_some() {
                return;
            }
            let missing = IdSet::first_n(core.size).difference(&core.discovery.ranks);
            tracing::error!(
                "discovery: no report of rank(s) {missing} ({}) within {}s: going on without \
                    them",
                core.hostlist.select(&missing),
                timeout.as_secs_f64()
            );
            core.make_r(cx);
        });
    }

    fn make_r(&mut self, cx: &mut Cx<Self>) {
        let set = self.discovery.to_r(&self.discovery.ranks);
        if set.is_empty() {
            let text = "resource discovery failed or interrupted";
            return cx.exit(Err(Refusal::new(Errno::ENOENT, text)));
        }
        self.define(cx, Inventory::new(set, DISCOVERED, DISCOVERED));
    }

    /// Answers those who have reported, now that R is known.
    pub(crate) fn answer_reports(&mut self, cx: &mut Cx<Self>) {
        for reply in std::mem::take(&mut self.discovery.waiting) {
            reply.send(cx, Ok(Empty));
        }
    }

    /// Ranks have reported when R was there: they are as in R, are added, or are drained.
    fn reported_late(&mut self, cx: &mut Cx<Self>, ranks: &IdSet) {
        let Some(inventory) = &self.inventory else {
            return;
        };
        let unknown = ranks.difference(&inventory.whole().ranks());
        if !inventory.grows() {
            return self.verify(cx, ranks);
        }
        self.verify(cx, &ranks.difference(&unknown));
        let is_first = self.discovery.late.is_empty();
        self.discovery.late.add(&unknown);
        if is_first && !unknown.is_empty() {
            cx.timer(GROWTH_DELAY, |core: &mut Resource, cx| core.grow(cx));
        }
    }

    fn grow(&mut self, cx: &mut Cx<Self>) {
        let late = std::mem::take(&mut self.discovery.late);
        let more = self.discovery.to_r(&late);
        let Some(inventory) = self.inventory.as_mut().filter(|_| !more.is_empty()) else {
            return;
        };
        tracing::info!("rank(s) {} are added to the resources", more.ranks());
        if let Err(error) = inventory.grow(&more) {
            return tracing::error!("rank(s) {}: {error}", more.ranks());
        }
        if let Some(inventory) = self.inventory.take() {
            self.define(cx, inventory);
        }
    }

    /// Drains the ranks, of those that have reported, that differ from R.
    pub(crate) fn verify(&mut self, cx: &mut Cx<Self>, ranks: &IdSet) {
        for rank in ranks.intersection(&self.discovery.ranks).iter() {
            let Some(inventory) = &self.inventory else {
                return;
            };
            if self.drains.ranks().contains(rank) {
                continue;
            }
            let (set, found) = (inventory.whole(), &self.discovery.found);
            let mut verify = self.settings.verify;
            if inventory.origin == OF_JOB {
                // The job's brokers are where the enclosing instance has put them. Of several
                // on one host one has what is there, and the others may have another name.
                if set.node(rank).is_none() {
                    continue;
                }
                verify = verify.without_hostname();
            }
            let reason = verify::complaint(&verify, set, rank, found);
            if let Some(reason) = reason {
                self.drain_unfit(cx, rank, reason);
            }
        }
    }

    fn drain_unfit(&mut self, cx: &mut Cx<Self>, rank: u32, reason: String) {
        tracing::error!("draining: {reason}");
        let (ranks, mode) = (IdSet::from(rank), Mode::Update);
        let event = self
            .drains
            .drain(ranks, &self.excluded, Some(reason), mode, &self.hosts);
        if let Ok(Some(event)) = event {
            self.post(cx, "drain", &event, None);
        }
    }
}
