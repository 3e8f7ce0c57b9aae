//! Orders: the part for our own rank is done, the rest goes down to the ranks that it
//! concerns. An order that comes again changes nothing.

use std::rc::Rc;
use std::time::Duration;

use node::{Call, Cx};
use proto::Errno;
use proto::common::Ping;
use proto::data::{IdSet, JobId};
use proto::job_exec::{Dismissal, Ended, How, Launch, LostShells, Order, Pressure, Task};
use proto::state_machine::{Monitor, RUN};

use super::Part;
use crate::JobExec;
use crate::limits::LINK_WAIT_S;

impl JobExec {
    /// Carries out an order.
    pub(crate) fn obey(&mut self, cx: &mut Cx<Self>, mut order: Order) {
        let id = order.id;
        if let Some(launch) = order.launch.take() {
            self.take_part(cx, id, &order.lease, &launch);
        }
        let is_ours = |part: &Part| part.lease == order.lease;
        if !self.hand.parts.get(&id).is_some_and(is_ours) {
            return;
        }
        let letters = std::mem::take(&mut order.letters);
        let receipts = std::mem::take(&mut order.receipts);
        let lost = std::mem::take(&mut order.lost);
        self.pass_on(cx, &order);
        if let Some(part) = self.hand.parts.get_mut(&id) {
            part.begin = order.begin.or(part.begin);
            if order.namespace && !std::mem::replace(&mut part.has_namespace, true) {
                part.shell.send_namespace(cx);
            }
            if let Some(expiration) = order.expiration.filter(|time| *time != part.expiration) {
                part.expiration = expiration;
                part.shell.send_expiration(cx, expiration);
            }
        }
        if let Some(press) = order.press {
            self.press_shell(cx, id, press);
        }
        if let Some(open) = &order.open {
            self.barrier_open(cx, id, open);
        }
        if !lost.is_empty() {
            self.send_lost(cx, id, lost);
        }
        for letter in letters {
            self.carry(cx, id, letter);
        }
        for receipt in receipts {
            self.bring_back(cx, id, receipt);
        }
        if order.hurry || order.press.is_some() {
            self.hurry(id);
        }
        if order.begin.is_some() {
            self.serve(cx, id);
        }
        if let Some(why) = order.dismiss {
            self.dismiss(cx, id, why);
        }
    }

    /// Sends those below the part of an order that is for all ranks of a job.
    fn pass_on(&mut self, cx: &Cx<Self>, order: &Order) {
        if order.is_empty() {
            return;
        }
        let Some(part) = self.hand.parts.get(&order.id) else {
            return;
        };
        let (links, _) = self.hand.split(cx.rank(), &part.ranks);
        for link in links.into_keys() {
            self.queue(order.id, link, |queued| {
                queued.begin = order.begin.or(queued.begin);
                queued.press = order.press.or(queued.press);
                queued.expiration = order.expiration.or(queued.expiration);
                queued.hurry |= order.hurry;
                queued.namespace |= order.namespace;
                queued.dismiss = order.dismiss.or(queued.dismiss);
                if let Some(open) = &order.open {
                    queued.open = Some(open.clone());
                }
            });
        }
    }

    /// Takes part in a job: starts the shell of our own rank, and has those below start
    /// theirs.
    fn take_part(&mut self, cx: &mut Cx<Self>, id: JobId, lease: &str, launch: &Launch) {
        let Ok(task) = launch.job.parse::<Task>() else {
            return tracing::error!("job={id}: malformed: not started");
        };
        if self
            .hand
            .parts
            .get(&id)
            .is_some_and(|part| part.lease != lease)
        {
            // Nobody has told these shells their job: others take their place.
            self.dismiss_all(cx, id, Dismissal::Replaced);
        }
        self.launch_part(cx, id, lease, Rc::new(task), &launch.ranks, &launch.start);
    }

    /// The same for a job that is known.
    pub(crate) fn launch_part(
        &mut self,
        cx: &mut Cx<Self>,
        id: JobId,
        lease: &str,
        task: Rc<Task>,
        ranks: &IdSet,
        start: &IdSet,
    ) {
        let part = self.hand.parts.entry(id).or_default();
        part.id = id;
        lease.clone_into(&mut part.lease);
        part.all = crate::job::ranks_of(&task.r);
        let is_news = part.task.replace(task).is_none();
        let known = part.ranks.clone();
        part.ranks.add(ranks);
        part.unsent.add(&start.difference(&known));
        let awaited = ranks.difference(&known).difference(start);
        if !awaited.is_empty() {
            // They were started before us. Those above count their time.
            part.hurry = true;
            part.awaited.add(&awaited);
        }
        if is_news {
            self.make_known(cx, id);
        }
        self.send_launches(cx, id);
        self.serve(cx, id);
    }

    /// Makes a job known to those below that have part in it: one that was started again, as we
    /// were, has asked in vain so far.
    fn make_known(&mut self, cx: &Cx<Self>, id: JobId) {
        let Some(part) = self.hand.parts.get(&id) else {
            return;
        };
        let known = part.ranks.difference(&part.unsent);
        let (links, _) = self.hand.split(cx.rank(), &known);
        for link in links.into_keys() {
            self.send_launch(id, link, &IdSet::new());
        }
    }

    /// Starts those shells that can be started now.
    pub(crate) fn send_launches(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let own = cx.rank();
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return;
        };
        let unsent = part.unsent.clone();
        if unsent.contains(own) {
            part.unsent.remove(own);
            part.starting.insert(own);
            self.launch_own(cx, id);
        }
        let (links, others) = self.hand.split(own, &unsent);
        for (link, start) in links {
            self.send_launch(id, link, &start);
        }
        self.look_for(cx, id, &others);
    }

    /// Has those below start their shells. None of them is to start if the job is only to be
    /// made known.
    pub(crate) fn send_launch(&mut self, id: JobId, link: u32, start: &IdSet) {
        let Some(below) = self.hand.links.get(&link).map(|link| link.below.clone()) else {
            return;
        };
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return;
        };
        let Some(job) = part.task.as_ref().and_then(|task| task.text().ok()) else {
            return;
        };
        part.unsent.subtract(start);
        part.starting.add(start);
        let ranks = part.ranks.intersection(&below);
        let expiration = part.expiration;
        let start = start.clone();
        self.queue(id, link, |order| {
            let before = order.launch.take().map(|launch| launch.start);
            let start = before.unwrap_or_default().union(&start);
            order.launch = Some(Launch { ranks, start, job });
            order.expiration = Some(expiration);
        });
    }

    /// There is no way to these ranks: finds out why not. One whose job-exec is there will
    /// join soon.
    fn look_for(&mut self, cx: &mut Cx<Self>, id: JobId, ranks: &IdSet) {
        for rank in ranks.iter() {
            if self
                .hand
                .gone
                .values()
                .any(|gone| gone.below.contains(rank))
            {
                // It is being looked for, or may come again.
                continue;
            }
            self.look_at(cx, rank, move |core, cx, how| match how {
                Some(how) => core.give_up_unsent(cx, id, rank, how),
                None => {
                    let wait = Duration::from_secs(LINK_WAIT_S);
                    cx.timer(wait, move |core: &mut JobExec, cx| {
                        core.give_up_unsent(cx, id, rank, How::NoContact);
                    });
                }
            });
        }
    }

    fn give_up_unsent(&mut self, cx: &mut Cx<Self>, id: JobId, rank: u32, how: How) {
        let ranks = IdSet::from_range(rank, rank);
        let part = self.hand.parts.get_mut(&id);
        if part
            .is_some_and(|part| part.unsent.contains(rank) && part.note_end(Ended { ranks, how }))
        {
            self.news(cx, id);
        }
    }

    /// Asks whether there is a job-exec on a rank, and if not, why.
    pub(crate) fn look_at(
        &mut self,
        cx: &mut Cx<Self>,
        rank: u32,
        then: impl FnOnce(&mut JobExec, &mut Cx<JobExec>, Option<How>) + 'static,
    ) {
        let ping = Ping(proto::Object::default());
        let call = Call::new(&ping).to(rank).topic("job-exec.ping");
        cx.call_with(call, move |core, cx, result| match result {
            Ok(_) => then(core, cx, None),
            Err(error) if error.errno == Errno::ENOSYS => look_at_broker(cx, rank, then),
            Err(_) => then(core, cx, Some(How::NodeLost)),
        });
    }

    /// The leading shell of a job is notified of lost shells: it may be here, or below.
    fn send_lost(&mut self, cx: &mut Cx<Self>, id: JobId, lost: Vec<LostShells>) {
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return;
        };
        let Some(leader) = part.leader() else {
            return;
        };
        if leader == cx.rank() {
            for lost in lost {
                if !part.lost.contains(&lost) {
                    part.shell.send_lost(cx, &lost);
                    part.lost.push(lost);
                }
            }
            return;
        }
        let fresh = lost.iter().filter(|lost| !part.lost.contains(lost));
        let fresh: Vec<LostShells> = fresh.cloned().collect();
        part.lost.extend(fresh.clone());
        if let Some(link) = self.hand.link_to(leader) {
            self.queue(id, link, |order| order.lost.extend(fresh));
        }
    }

    fn hurry(&mut self, id: JobId) {
        if let Some(part) = self.hand.parts.get_mut(&id) {
            part.hurry = true;
            self.hand.up.dirty.insert(id);
        }
    }

    fn press_shell(&mut self, cx: &mut Cx<Self>, id: JobId, press: Pressure) {
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return;
        };
        if part.press.is_some_and(|last| last.n >= press.n) {
            return;
        }
        part.press = Some(press);
        if !press.shells {
            part.signal = press.signum;
        }
        part.shell.press(cx, press);
    }

    /// Nothing more is wanted of a job: its shells are notified, here and below.
    pub(crate) fn dismiss_all(&mut self, cx: &mut Cx<Self>, id: JobId, why: Dismissal) {
        self.order_all(cx, id, |order| order.dismiss = Some(why));
    }
}

/// Asks a broker without a job-exec whether that is because it ends.
fn look_at_broker(
    cx: &mut Cx<JobExec>,
    rank: u32,
    then: impl FnOnce(&mut JobExec, &mut Cx<JobExec>, Option<How>) + 'static,
) {
    let call = Call::new(&Monitor::default()).to(rank);
    cx.call_with(call, move |core: &mut JobExec, cx, result| {
        let how = match result {
            Ok(now) if now.state > RUN => How::Ending,
            Ok(_) => How::NotLoaded,
            Err(_) => How::NodeLost,
        };
        then(core, cx, Some(how));
    });
}
