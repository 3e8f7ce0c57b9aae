//! The way to the job-exec above, on every rank but 0: we join it, take its orders, and
//! report news to it, one report at a time. News that come meanwhile go with the next.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use node::Cx;
use proto::attr::names;
use proto::data::JobId;
use proto::job_exec::{Held, Join, Orders, Report};
use proto::{Method, Payload, Refusal};
use wire::{Flags, Kind, Message};

use crate::JobExec;
use crate::limits::{JOIN_FIRST_MS, JOIN_LAST_MS, REATTACH_WAIT_S};
use crate::mail::bytes_of;

/// State of the link to the job-exec above.
#[derive(Default)]
pub struct Uplink {
    /// Jobs of which something is new.
    pub dirty: BTreeSet<JobId>,
    /// Number of attempts to join: messages of an earlier one are ignored.
    times: u64,
    is_joined: bool,
    is_telling: bool,
    /// True if we may not know all of our shells yet.
    is_fresh: bool,
    /// The wait before the next attempt, in milliseconds; 0 for the first.
    wait_ms: u64,
}

impl JobExec {
    /// Begins to look for the job-exec above. The start is finished when it was found or
    /// not.
    pub(crate) fn look_up(&mut self, cx: &mut Cx<Self>) {
        self.hand.up.is_fresh = true;
        let wait = Duration::from_secs(REATTACH_WAIT_S);
        cx.timer(wait, |core: &mut JobExec, _| core.hand.up.is_fresh = false);
        self.join(cx);
    }

    /// Joins the job-exec above, with all that we have.
    fn join(&mut self, cx: &mut Cx<Self>) {
        let up = &mut self.hand.up;
        up.times += 1;
        (up.is_joined, up.is_telling) = (false, false);
        up.dirty.clear();
        let times = up.times;
        let fresh = up.is_fresh;
        let parts = self.hand.parts.values_mut().map(|part| part.take_all());
        let parts: Vec<Held> = parts.collect();
        (self.hand.transit_bytes, self.hand.wrote_bytes) = (0, 0);
        let rank = cx.rank();
        let join = Join {
            rank,
            broker: cx.attr(&names::BROKER_UUID).unwrap_or_default().to_owned(),
            fresh,
            parts,
        };
        let request = upstream(cx, Join::TOPIC, join.encode());
        cx.stream_raw(request, move |core: &mut JobExec, cx, answer| {
            if core.hand.up.times != times {
                return;
            }
            let orders = answer.map(|answer| Orders::decode(answer.payload()));
            match orders {
                Ok(Ok(orders)) => core.ordered(cx, orders),
                Ok(Err(bad)) => tracing::error!("malformed orders: {bad}"),
                Err(error) => core.join_again(cx, &error),
            }
        });
    }

    fn ordered(&mut self, cx: &mut Cx<Self>, orders: Orders) {
        let up = &mut self.hand.up;
        (up.is_joined, up.wait_ms) = (true, 0);
        self.is_up(cx);
        for order in orders.orders {
            self.obey(cx, order);
        }
    }

    /// Finishes the start.
    fn is_up(&mut self, cx: &mut Cx<Self>) {
        if !std::mem::replace(&mut self.has_started, true) {
            cx.started(Ok(()));
        }
    }

    fn join_again(&mut self, cx: &mut Cx<Self>, error: &Refusal) {
        self.is_up(cx);
        let up = &mut self.hand.up;
        if up.wait_ms == 0 {
            tracing::debug!("no job-exec above: {error}");
        }
        (up.is_joined, up.is_telling) = (false, false);
        up.wait_ms = (up.wait_ms * 2).clamp(JOIN_FIRST_MS, JOIN_LAST_MS);
        let (times, wait) = (up.times, Duration::from_millis(up.wait_ms));
        cx.timer(wait, move |core: &mut JobExec, cx| {
            if core.hand.up.times == times {
                core.join(cx);
            }
        });
    }

    /// The job-exec of rank 0 can be joined.
    pub(crate) fn head_is_ready(&mut self, cx: &mut Cx<Self>) {
        if cx.rank() != 0 && self.has_started && !self.hand.up.is_joined {
            self.join(cx);
        }
    }

    /// Sends news to the job-exec above: called when everything that had arrived was
    /// handled.
    pub(crate) fn report(&mut self, cx: &mut Cx<Self>) {
        let up = &mut self.hand.up;
        if cx.rank() == 0 || !up.is_joined || up.is_telling || up.dirty.is_empty() {
            return;
        }
        let dirty = std::mem::take(&mut up.dirty);
        let parts = dirty.into_iter();
        let parts = parts.filter_map(|id| self.hand.parts.get_mut(&id)?.take_news());
        let parts: Vec<Held> = parts.collect();
        for held in &parts {
            let letters = held.news.letters.iter();
            self.hand.transit_bytes -= letters.map(|letter| bytes_of(&letter.told)).sum::<usize>();
            let wrote = held.news.wrote.iter();
            self.hand.wrote_bytes -= wrote.map(|wrote| wrote.data.len()).sum::<usize>();
        }
        if parts.is_empty() {
            return;
        }
        let rank = cx.rank();
        let up = &mut self.hand.up;
        up.is_telling = true;
        let times = up.times;
        let request = upstream(cx, Report::TOPIC, Report { rank, parts }.encode());
        cx.call_raw(request, move |core: &mut JobExec, cx, answer| {
            if core.hand.up.times != times {
                return;
            }
            core.hand.up.is_telling = false;
            match answer {
                Ok(_) => core.report(cx),
                // All is told again.
                Err(error) => core.join_again(cx, &error),
            }
        });
    }
}

/// A request to the service above ours.
fn upstream(cx: &Cx<JobExec>, topic: &str, payload: Bytes) -> Message {
    let mut request = Message::request(topic, 0);
    request.kind = Kind::Request {
        nodeid: cx.rank(),
        matchtag: 0,
    };
    request.set_flag(Flags::UPSTREAM, true);
    request.set_payload(payload);
    request
}
