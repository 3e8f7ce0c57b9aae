//! Shells whose job nobody has asked for yet: of our own rank, and of those below. They wait,
//! and are sent away when nobody does.

use std::collections::btree_map::Entry;
use std::time::Duration;

use node::{Cx, Reply, Stream, StreamId};
use proto::Coded;
use proto::data::JobId;
use proto::job_exec::{Dismissal, Held, ShellError, ShellExit, ShellHello};

use crate::JobExec;
use crate::core::Stray;
use crate::limits::{STRAY_SHELLS_MAX, STRAY_WAIT_S};
use crate::state::{Move, State};

impl JobExec {
    /// All shells of a job that was started before us are there.
    pub(crate) fn found(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if job.state() != State::Waiting || !job.step(Move::Found) {
            return;
        }
        job.is_started = true;
        job.send_start(cx);
        self.arm_expiry(cx, id);
    }

    pub(crate) fn keep_stray(
        &mut self,
        cx: &mut Cx<Self>,
        hello: ShellHello,
        stream: Stream<ShellHello>,
    ) {
        let id = hello.id;
        if self.strays.len() >= STRAY_SHELLS_MAX && !self.strays.contains_key(&id) {
            return stream.end(cx, Err(ShellError::Busy.refusal()));
        }
        self.hand.streams.insert(stream.id(), id);
        let stray = self.stray(cx, id);
        if let Some((_, before)) = stray.hello.replace((hello, stream)) {
            self.hand.streams.remove(&before.id());
            before.end(cx, Err(ShellError::Replaced.refusal()));
        }
    }

    pub(crate) fn keep_stray_exit(
        &mut self,
        cx: &mut Cx<Self>,
        exit: ShellExit,
        reply: Reply<ShellExit>,
    ) {
        if self.strays.len() >= STRAY_SHELLS_MAX && !self.strays.contains_key(&exit.id) {
            return reply.send(cx, Err(ShellError::Busy));
        }
        let stray = self.stray(cx, exit.id);
        if let Some((_, before)) = stray.exit.replace((exit, reply)) {
            before.send(cx, Err(ShellError::Replaced));
        }
    }

    fn stray(&mut self, cx: &mut Cx<Self>, id: JobId) -> &mut Stray {
        let stray = self.strays.entry(id).or_default();
        if stray.timer.is_none() {
            let wait = Duration::from_secs(STRAY_WAIT_S);
            stray.timer = Some(cx.timer(wait, move |core, cx| core.send_stray_away(cx, id)));
        }
        stray
    }

    /// Nobody asks for the job of this shell: it is to end its tasks and go.
    fn send_stray_away(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(stray) = self.strays.remove(&id) else {
            return;
        };
        if let Some((_, stream)) = stray.hello {
            self.hand.streams.remove(&stream.id());
            stream.end(cx, Err(ShellError::Unknown.refusal()));
        }
        if let Some((_, reply)) = stray.exit {
            reply.send(cx, Err(ShellError::Unknown));
        }
        for (link, held) in stray.held {
            self.send_away(link, &held, Dismissal::Unknown);
        }
    }

    /// The job of a shell that had greeted before is known now.
    pub(crate) fn admit_stray(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(stray) = self.strays.remove(&id) else {
            return;
        };
        if let Some(timer) = stray.timer {
            cx.cancel_timer(timer);
        }
        if let Some((hello, stream)) = stray.hello {
            self.hand.streams.remove(&stream.id());
            self.greet(cx, hello, stream);
        }
        if let Some((exit, reply)) = stray.exit {
            self.last_word(cx, exit, reply);
        }
        for (link, held) in stray.held {
            self.take_held(cx, link, held, true);
        }
    }

    /// Keeps the part of a job, held by a job-exec below, that nobody has asked for yet.
    pub(crate) fn keep_stray_held(&mut self, cx: &mut Cx<Self>, link: u32, held: Held) {
        let id = held.id();
        if self.strays.len() >= STRAY_SHELLS_MAX && !self.strays.contains_key(&id) {
            // It says so again when it joins again: nobody is told that it is not wanted.
            return tracing::error!("job={id}: too many shells wait for their jobs");
        }
        match self.stray(cx, id).held.entry(link) {
            Entry::Vacant(free) => drop(free.insert(held)),
            Entry::Occupied(mut before) => add_news(before.get_mut(), held),
        }
    }

    /// Handles the end of a stray shell's stream.
    pub(crate) fn forget_stray_stream(&mut self, id: JobId, stream: StreamId) {
        if let Some(stray) = self.strays.get_mut(&id) {
            forget_if(&mut stray.hello, stream);
        }
    }
}

/// Drops a stray's stream that has ended.
fn forget_if(hello: &mut Option<(ShellHello, Stream<ShellHello>)>, stream: StreamId) {
    if let Some((_, over)) = hello.take_if(|(_, kept)| kept.id() == stream) {
        over.forget();
    }
}

/// Adds news to those that were kept.
fn add_news(kept: &mut Held, held: Held) {
    kept.ranks.add(&held.ranks);
    kept.knows &= held.knows;
    kept.pressed = kept.pressed.max(held.pressed);
    kept.news.running.add(&held.news.running);
    kept.news.ended.extend(held.news.ended);
    if held.news.barrier.is_some() {
        kept.news.barrier = held.news.barrier;
    }
}
