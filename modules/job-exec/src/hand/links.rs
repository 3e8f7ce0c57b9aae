//! The job-execs below: they join, report news, and may be lost. A link that breaks is no
//! loss yet: the job-exec may have been started again. Its broker knows.

use std::collections::BTreeMap;
use std::time::Duration;

use node::{Cx, Peer, Reply, Stream, StreamId};
use proto::data::{IdSet, JobId};
use proto::job_exec::{Dismissal, Ended, Held, How, Join, JoinError, Open, Order, Orders, Report};
use proto::overlay::{RankOf, Tree};
use proto::{Coded, Empty, Payload};

use super::{Gone, Link, Part};
use crate::JobExec;
use crate::job::Job;
use crate::limits::{LINK_WAIT_S, REATTACH_WAIT_S};

impl Link {
    /// Sends off the orders that have gathered for it.
    fn send_orders(&mut self, cx: &mut Cx<JobExec>) {
        if self.queue.is_empty() && !self.is_new {
            return;
        }
        self.is_new = false;
        let queue = std::mem::take(&mut self.queue).into_values();
        let orders = queue.flatten().collect();
        self.stream.send_bytes(cx, Orders { orders }.encode());
    }
}

impl JobExec {
    /// A job-exec below joins. From where it speaks our broker knows.
    pub(crate) fn joins(
        &mut self,
        cx: &mut Cx<Self>,
        peer: &Peer,
        request: Join,
        stream: Stream<Join>,
    ) {
        let Some(sender) = peer.sender.clone() else {
            return stream.end(cx, Err(JoinError::NotBelow.refusal()));
        };
        if self.hand.tree.is_none() {
            return stream.end(cx, Err(JoinError::NotBelow.refusal()));
        }
        let id = stream.id();
        let uuid = sender.as_str().to_owned();
        self.hand.joining.insert(id, (request, stream));
        cx.call(&RankOf { uuid }, move |core: &mut JobExec, cx, result| {
            let Some((request, stream)) = core.hand.joining.remove(&id) else {
                return;
            };
            let child = result.ok().map(|reply| reply.rank);
            let below = core.below(child, request.rank);
            let is_below = |below: &IdSet| {
                let mut parts = request.parts.iter();
                parts.all(|held| held.ranks.is_subset(below))
            };
            match below.filter(is_below) {
                None => {
                    let rank = request.rank;
                    tracing::error!("rank {rank} is not below this broker: its join is refused");
                    stream.end(cx, Err(JoinError::NotBelow.refusal()));
                }
                Some(below) => {
                    let link = Link {
                        below,
                        sender: Some(sender),
                        broker: request.broker.clone(),
                        stream,
                        queue: BTreeMap::new(),
                        is_new: true,
                        is_fresh: request.fresh,
                    };
                    core.link_up(cx, link, request);
                }
            }
        });
    }

    /// The ranks for which a job-exec speaks that is reached through a child.
    fn below(&self, child: Option<u32>, rank: u32) -> Option<IdSet> {
        let tree = self.hand.tree.as_ref()?;
        let children = tree.children.iter();
        let child = children.clone().find(|tree| Some(tree.rank) == child)?;
        child.find(rank).map(Tree::ranks)
    }

    fn link_up(&mut self, cx: &mut Cx<Self>, link: Link, request: Join) {
        let rank = request.rank;
        self.replace_broker(cx, rank, &link.broker);
        self.hand.joined.insert(link.stream.id(), rank);
        if let Some(gone) = self.hand.gone.remove(&rank)
            && let Some(timer) = gone.timer
        {
            cx.cancel_timer(timer);
        }
        let (below, is_fresh) = (link.below.clone(), link.is_fresh);
        if let Some(before) = self.hand.links.insert(rank, link) {
            self.hand.joined.remove(&before.stream.id());
            before.stream.end(cx, Err(JoinError::Replaced.refusal()));
        }
        let moved = self.hand_over(cx, rank, &below);
        let held = request.parts.iter();
        let held: BTreeMap<JobId, IdSet> =
            held.map(|held| (held.id(), held.ranks.clone())).collect();
        for part in request.parts {
            self.take_held(cx, rank, part, true);
        }
        let ids: Vec<JobId> = self.hand.parts.keys().copied().collect();
        for id in ids {
            let known = held.get(&id).cloned().unwrap_or_default();
            let missing = below.difference(&known);
            self.miss(cx, id, rank, &missing.difference(&moved), is_fresh);
            self.miss(cx, id, rank, &missing.intersection(&moved), true);
            let Some(part) = self.hand.parts.get(&id) else {
                continue;
            };
            let unsent = part.unsent.intersection(&below);
            if !unsent.is_empty() {
                self.send_launch(id, rank, &unsent);
                self.send_whole(id, rank);
            }
        }
    }

    /// Another broker has taken the place of one whose loss was not noticed, or not looked at,
    /// yet: its processes are not waited for.
    fn replace_broker(&mut self, cx: &mut Cx<Self>, rank: u32, broker: &str) {
        let link = self.hand.links.get(&rank).map(|link| &link.broker);
        let gone = self.hand.gone.get(&rank).map(|gone| &gone.broker);
        if link.or(gone).is_none_or(|known| known == broker) {
            return;
        }
        if let Some(link) = self.hand.links.remove(&rank) {
            self.hand.joined.remove(&link.stream.id());
            self.hand.gone.insert(rank, Gone::of(&link));
            link.stream.end(cx, Err(JoinError::Replaced.refusal()));
        } else if let Some(gone) = self.hand.gone.get_mut(&rank)
            && let Some(timer) = gone.timer.take()
        {
            cx.cancel_timer(timer);
        }
        self.give_up(cx, rank, &How::NodeLost);
    }

    /// A job-exec has joined that lies between us and others, which had joined us while it was
    /// not there. Their messages go to it from now on, so they are to join it, and we send
    /// them theirs through it. Gives the ranks for which they spoke.
    fn hand_over(&mut self, cx: &mut Cx<Self>, to: u32, below: &IdSet) -> IdSet {
        let is_between = |(rank, link): &(&u32, &Link)| {
            **rank != to && below.contains(**rank) && link.below.is_subset(below)
        };
        let farther = self.hand.links.iter().filter(is_between);
        let farther: Vec<u32> = farther.map(|(rank, _)| *rank).collect();
        let mut moved = IdSet::new();
        for rank in farther {
            if let Some(mut link) = self.hand.links.remove(&rank) {
                self.hand.joined.remove(&link.stream.id());
                // Earlier orders must reach them first.
                link.send_orders(cx);
                link.stream.end(cx, Err(JoinError::Replaced.refusal()));
                moved.add(&link.below);
            }
        }
        moved
    }

    /// A job-exec that has just joined does not have these shells. If it was just started, it
    /// may find them soon.
    pub(crate) fn miss(
        &mut self,
        cx: &mut Cx<Self>,
        id: JobId,
        link: u32,
        ranks: &IdSet,
        is_fresh: bool,
    ) {
        let nearest = |rank: &u32| self.hand.link_to(*rank) == Some(link);
        let Some(part) = self.hand.parts.get(&id) else {
            return;
        };
        let missing = part.active().difference(&part.unsent).intersection(ranks);
        let missing: IdSet = missing.iter().filter(nearest).collect();
        let Some(part) = self.hand.parts.get_mut(&id).filter(|_| !missing.is_empty()) else {
            return;
        };
        if !is_fresh {
            let how = How::NoContact;
            part.note_end(Ended {
                ranks: missing,
                how,
            });
            return self.news(cx, id);
        }
        part.running.subtract(&missing);
        part.starting.subtract(&missing);
        part.awaited.add(&missing);
        let wait = Duration::from_secs(REATTACH_WAIT_S);
        cx.timer(wait, move |core: &mut JobExec, cx| {
            let Some(part) = core.hand.parts.get_mut(&id) else {
                return;
            };
            let ranks = part.awaited.intersection(&missing);
            let how = How::NoContact;
            if part.note_end(Ended { ranks, how }) {
                core.news(cx, id);
            }
        });
    }

    /// Takes over the part of a job held by a job-exec below.
    pub(crate) fn take_held(&mut self, cx: &mut Cx<Self>, link: u32, held: Held, is_joining: bool) {
        let id = held.id();
        if !self.hand.parts.contains_key(&id) {
            if cx.rank() == 0 && self.jobs.get(&id).is_some_and(Job::has_ended) {
                return self.send_away(link, &held, Dismissal::Stored);
            } else if cx.rank() == 0 {
                return self.keep_stray_held(cx, link, held);
            }
            let part = Part {
                id,
                lease: held.news.lease.clone(),
                ranks: held.ranks.clone(),
                awaited: held.ranks.clone(),
                ..Part::default()
            };
            self.hand.parts.insert(id, part);
            self.news(cx, id);
        }
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return;
        };
        if part.lease.is_empty() {
            part.lease.clone_from(&held.news.lease);
        }
        if part.lease != held.news.lease {
            return self.send_away(link, &held, Dismissal::Replaced);
        }
        if part.all.is_empty() {
            part.awaited.add(&held.ranks.difference(&part.ranks));
            part.ranks.add(&held.ranks);
        } else if !held.ranks.is_subset(&part.ranks) {
            return self.send_away(link, &held, Dismissal::Replaced);
        }
        let (knows, pressed) = (held.knows, held.pressed);
        let is_news = |open: &Open| open.errnum != 0 || open.seq >= part.barrier.next();
        let opened = held.opened.clone().filter(is_news);
        self.pressed_before(id, pressed);
        if let Some(open) = opened {
            // It opened before we were started.
            self.order_all(cx, id, |order| order.open = Some(open));
        }
        self.receive_news(cx, id, held);
        if !knows {
            self.send_launch(id, link, &IdSet::new());
        }
        if is_joining || !knows {
            self.send_whole(id, link);
        }
    }

    /// Notifies a job-exec below that nobody wants its shells of a job.
    pub(crate) fn send_away(&mut self, link: u32, held: &Held, why: Dismissal) {
        if let Some(link) = self.hand.links.get_mut(&link) {
            let order = Order {
                dismiss: Some(why),
                ..Order::of(held.id(), &held.news.lease)
            };
            link.queue.entry(held.id()).or_default().push(order);
        }
    }

    /// Sends a job-exec below the whole state of a job.
    fn send_whole(&mut self, id: JobId, link: u32) {
        let Some(order) = self.whole_order(id) else {
            return;
        };
        let leader = self.hand.parts.get(&id).and_then(Part::leader);
        let leads = leader.and_then(|leader| self.hand.link_to(leader)) == Some(link);
        let lost = match (leads, self.hand.parts.get(&id)) {
            (true, Some(part)) => part.lost.clone(),
            _ => Vec::new(),
        };
        self.queue(id, link, |queued| {
            let launch = queued.launch.take();
            *queued = order;
            queued.launch = launch;
            queued.lost = lost;
        });
    }

    /// Processes news of a job from below.
    fn receive_news(&mut self, cx: &mut Cx<Self>, id: JobId, held: Held) {
        let news = held.news;
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return;
        };
        part.note_running(&news.running.intersection(&held.ranks));
        for end in news.ended {
            let ranks = end.ranks.intersection(&held.ranks);
            part.note_end(Ended { ranks, ..end });
        }
        if let Some(mut here) = news.barrier {
            here.ranks = here.ranks.intersection(&held.ranks);
            self.at_barrier(id, here);
        }
        for letter in news.letters {
            if held.ranks.contains(letter.from) {
                self.carry(cx, id, letter);
            }
        }
        for receipt in news.receipts {
            self.bring_back(cx, id, receipt);
        }
        for wrote in news.wrote {
            if held.ranks.contains(wrote.rank) {
                self.pass_wrote(cx, id, wrote);
            }
        }
        self.news(cx, id);
    }

    /// A job-exec below reports news.
    pub(crate) fn reported(
        &mut self,
        cx: &mut Cx<Self>,
        peer: &Peer,
        request: Report,
        reply: Reply<Report>,
    ) {
        let rank = request.rank;
        let link = self.hand.links.get(&rank);
        let Some(link) = link.filter(|link| link.sender == peer.sender) else {
            return reply.send(cx, Err(JoinError::NotJoined));
        };
        let below = &link.below;
        if !request.parts.iter().all(|held| held.ranks.is_subset(below)) {
            tracing::error!("rank {rank} reports ranks that are not below it: refused");
            return reply.send(cx, Err(JoinError::NotBelow));
        }
        for held in request.parts {
            self.take_held(cx, rank, held, false);
        }
        reply.send(cx, Ok(Empty));
    }

    /// Sends off the orders that have gathered: called when everything that had arrived was
    /// handled.
    pub(crate) fn send_orders(&mut self, cx: &mut Cx<Self>) {
        for link in self.hand.links.values_mut() {
            link.send_orders(cx);
        }
    }

    /// Handles the end of the stream of a job-exec below: it, or its broker, is lost.
    pub(crate) fn link_lost(&mut self, cx: &mut Cx<Self>, stream: StreamId) {
        if let Some((_, stream)) = self.hand.joining.remove(&stream) {
            return stream.forget();
        }
        let Some(rank) = self.hand.joined.remove(&stream) else {
            return;
        };
        let Some(link) = self.hand.links.remove(&rank) else {
            return;
        };
        self.hand.gone.insert(rank, Gone::of(&link));
        link.stream.forget();
        self.look_at(cx, rank, move |core, cx, how| {
            let how = how.unwrap_or(How::NoContact);
            if how == How::NodeLost {
                return core.give_up(cx, rank, &how);
            }
            // It may be loaded again, or is about to join.
            let wait = Duration::from_secs(LINK_WAIT_S);
            let timer = cx.timer(wait, move |core: &mut JobExec, cx| {
                core.give_up(cx, rank, &how);
            });
            match core.hand.gone.get_mut(&rank) {
                Some(gone) => gone.timer = Some(timer),
                None => cx.cancel_timer(timer),
            }
        });
    }

    /// A job-exec below does not come again: nothing is known of the shells there, but of
    /// those whose own job-exec has found another way to us.
    fn give_up(&mut self, cx: &mut Cx<Self>, rank: u32, how: &How) {
        let Some(gone) = self.hand.gone.remove(&rank) else {
            return;
        };
        // Its reports of jobs that are not known yet do not count any more.
        for stray in self.strays.values_mut() {
            stray.held.remove(&rank);
        }
        let mut below = gone.below;
        let lower = |link: &&super::Link| link.below.is_subset(&below);
        let found: Vec<IdSet> = self
            .hand
            .links
            .values()
            .filter(lower)
            .map(|link| link.below.clone())
            .collect();
        for ranks in &found {
            below.subtract(ranks);
        }
        let ids: Vec<JobId> = self.hand.parts.keys().copied().collect();
        for id in ids {
            let Some(part) = self.hand.parts.get_mut(&id) else {
                continue;
            };
            let ranks = part.active().intersection(&below);
            let how = how.clone();
            if part.note_end(Ended { ranks, how }) {
                self.news(cx, id);
            }
        }
    }
}
