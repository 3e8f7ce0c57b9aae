//! Part of the module on ranks other than 0: reports the resources of its host, adds
//! those found below, and sends all of them to its parent (protocol/21 section 6). A
//! report is answered when rank 0 has made R of it; until then its sender may have to
//! repeat it, because a module above was started again.

use std::collections::BTreeMap;

use node::{Call, Cx, Reply, StreamId};
use proto::data::{IdSet, Rset};
use proto::resource::TopoReduce;
use proto::state_machine::{Monitor, QUORUM};
use proto::{Empty, Errno, Refusal};

use crate::core::Resource;
use crate::limits::{REDUCE_HOLD, REDUCE_RETRY};

type Senders = Vec<Reply<TopoReduce>>;

/// Resources to send up.
#[derive(Debug, Default)]
pub struct Reduce {
    /// Ranks below this one.
    n_below: u64,
    /// All ranks that have reported, this rank included.
    heard: IdSet,
    /// Resources not sent yet, and their senders.
    pending: Rset,
    senders: Senders,
    /// Senders of resources on their way, by number.
    on_its_way: BTreeMap<u64, Senders>,
    last: u64,
    /// True if rank 0 accepts reports.
    is_open: bool,
    /// True if missing reports are not waited for any more.
    is_over: bool,
}

impl Reduce {
    /// With N ranks below this one.
    pub fn new(n_below: u64) -> Reduce {
        Reduce {
            n_below,
            ..Reduce::default()
        }
    }

    /// A report was taken back.
    pub fn closed(&mut self, request: StreamId) {
        let on_its_way = self.on_its_way.values_mut();
        for senders in on_its_way.chain([&mut self.senders]) {
            if let Some(at) = senders.iter().position(|r| r.id() == request) {
                senders.swap_remove(at).forget();
            }
        }
    }

    /// Adds a report. A repeated report of a rank counts: the rank was restarted.
    pub fn add(&mut self, report: &Rset, sender: Option<Reply<TopoReduce>>) {
        if let Err(error) = self.pending.add(report) {
            tracing::error!("report of ranks {}: {error}", report.ranks());
        }
        self.heard.add(&report.ranks());
        self.senders.extend(sender);
    }

    fn is_due(&self) -> bool {
        let is_complete = self.heard.count() > self.n_below;
        self.is_open && (self.is_over || is_complete) && !self.pending.is_empty()
    }

    /// Takes the resources to report, under a number.
    fn take(&mut self) -> (u64, Rset) {
        self.last += 1;
        let senders = std::mem::take(&mut self.senders);
        self.on_its_way.insert(self.last, senders);
        (self.last, std::mem::take(&mut self.pending))
    }
}

/// This rank has looked at its machine: those below have a while to report theirs.
/// Without any, its report is on its way before the broker reports that it is online. All
/// brokers start at once: a report waits until rank 0 has loaded its modules.
pub fn begin(core: &mut Resource, cx: &mut Cx<Resource>, own: &Rset) {
    core.reduce.add(own, None);
    cx.timer(REDUCE_HOLD, |core: &mut Resource, _| {
        core.reduce.is_over = true;
    });
    let request = Monitor { last: Some(QUORUM) };
    let call = Call::new(&request).to(0);
    cx.stream_with(call, |core: &mut Resource, cx, result| match result {
        Ok(now) if now.state < QUORUM => {}
        // It has, or it will not.
        _ => open(core, cx),
    });
}

fn open(core: &mut Resource, cx: &mut Cx<Resource>) {
    if !std::mem::replace(&mut core.reduce.is_open, true) {
        send_due(core, cx);
        cx.started(Ok(()));
    }
}

/// Sends the resources to report: everything that has queued in one message.
pub fn send_due(core: &mut Resource, cx: &mut Cx<Resource>) {
    if core.reduce.is_due() {
        let (number, report) = core.reduce.take();
        send(cx, number, report);
    }
}

fn send(cx: &mut Cx<Resource>, number: u64, report: Rset) {
    let request = TopoReduce {
        count: u32::try_from(report.nnodes()).unwrap_or(u32::MAX),
        resource: report.clone(),
    };
    let call = Call::new(&request).upstream(cx.rank());
    cx.call_with(call, move |core: &mut Resource, cx, result| {
        let is_absent = |e: &Refusal| matches!(e.errno, Errno::ENOSYS | Errno::EHOSTUNREACH);
        match result {
            Err(error) if is_absent(&error) => {
                cx.timer(REDUCE_RETRY, move |_: &mut Resource, cx| {
                    send(cx, number, report);
                });
            }
            result => sent(core, cx, number, result),
        }
    });
}

/// Rank 0 has it, or will not have it.
fn sent(core: &mut Resource, cx: &mut Cx<Resource>, number: u64, result: Result<Empty, Refusal>) {
    if let Err(error) = &result {
        tracing::error!("the report of this rank was refused above: {error}");
    }
    for sender in core.reduce.on_its_way.remove(&number).unwrap_or_default() {
        sender.send_refusal(cx, result.clone());
    }
}
