//! Several jobs at once: `flux submit --watch` and `--wait`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use client::{Arrival, CallId, Handle};
use proto::data::JobId;

use crate::follower::{Follower, News, Show};
use crate::progress::Progress;
use command::error::CliError;
use command::flux::Flux;
use crate::limits::FOLLOWED_JOBS_MAX;
use command::streams::Streams;

/// One job that is to be followed.
#[derive(Debug)]
pub struct Watched {
    /// Which.
    pub id: JobId,
    /// What is wanted of it.
    pub show: Show,
    /// Where that goes.
    pub streams: Streams,
}

/// One job that is followed, and where what it says goes.
struct Followed {
    follower: Follower,
    streams: Streams,
    is_running: bool,
}

/// All jobs: those that are followed and those that wait for their turn.
struct Many<'p> {
    waiting: VecDeque<Watched>,
    followed: BTreeMap<JobId, Followed>,
    by_call: BTreeMap<CallId, JobId>,
    progress: Option<&'p mut Progress>,
    worst: u8,
}

/// Follows jobs until each has come to its event, and gives back the largest exit code.
pub fn follow_all(
    flux: &mut Flux,
    handle: &mut Handle,
    jobs: Vec<Watched>,
    progress: Option<&mut Progress>,
) -> Result<u8, CliError> {
    let mut many = Many {
        waiting: jobs.into(),
        followed: BTreeMap::new(),
        by_call: BTreeMap::new(),
        progress,
        worst: 0,
    };
    loop {
        many.start(handle);
        if many.followed.is_empty() {
            return Ok(many.worst);
        }
        if let Some((call, answer)) = many.next_answer(flux, handle)? {
            many.take(flux, handle, call, answer)?;
        }
    }
}

/// An answer, and what it answers.
type Answered = (CallId, Result<wire::Message, client::Refusal>);

impl Many<'_> {
    /// Begins to follow as many as may be followed at once.
    fn start(&mut self, handle: &mut Handle) {
        while self.followed.len() < FOLLOWED_JOBS_MAX
            && let Some(Watched { id, show, streams }) = self.waiting.pop_front()
        {
            let follower = Follower::start(handle, id, show);
            let calls = follower.calls();
            self.by_call.extend(calls.map(|call| (call, id)));
            let followed = Followed {
                follower,
                streams,
                is_running: false,
            };
            self.followed.insert(id, followed);
        }
    }

    fn take(
        &mut self,
        flux: &mut Flux,
        handle: &mut Handle,
        call: CallId,
        answer: Result<wire::Message, client::Refusal>,
    ) -> Result<(), CliError> {
        let Some(id) = self.by_call.get(&call).copied() else {
            return Ok(());
        };
        let Some(followed) = self.followed.get_mut(&id) else {
            return Ok(());
        };
        if answer.is_err() {
            self.by_call.remove(&call);
        }
        if let Some(progress) = &mut self.progress {
            progress.hide(flux)?;
        }
        let Followed {
            follower, streams, ..
        } = followed;
        let news = streams.with(flux, |flux| {
            let news = follower.take(flux, handle, call, answer);
            if follower.is_done() {
                follower.print_end(flux)?;
            }
            news
        });
        match news {
            Ok(news) => followed.count(&news, self.progress.as_deref_mut()),
            Err(error) => {
                flux.complain(&error.about(id))?;
                self.worst = self.worst.max(1);
            }
        }
        let calls = followed.follower.calls();
        self.by_call.extend(calls.map(|call| (call, id)));
        if followed.follower.is_done() {
            self.end(handle, id);
        }
        Ok(())
    }

    /// Lets go of a job that has come to its event.
    fn end(&mut self, handle: &mut Handle, id: JobId) {
        let Some(mut followed) = self.followed.remove(&id) else {
            return;
        };
        let code = followed.follower.code();
        self.worst = self.worst.max(code);
        for call in followed.follower.calls() {
            self.by_call.remove(&call);
        }
        followed.follower.stop(handle);
        if let Some(progress) = &mut self.progress {
            let counts = &mut progress.counts;
            counts.running -= u64::from(followed.is_running);
            match code {
                0 => counts.done += 1,
                _ => counts.failed += 1,
            }
        }
    }

    /// The next answer, after what was printed has gone out if there is none yet.
    fn next_answer(
        &mut self,
        flux: &mut Flux,
        handle: &mut Handle,
    ) -> Result<Option<Answered>, CliError> {
        let mut arrival = handle.next(&[], Some(Instant::now()))?;
        if let Arrival::Deadline = arrival {
            if let Some(progress) = &mut self.progress {
                progress.show(flux)?;
            }
            flux.out.flush()?;
            arrival = handle.next(&[], None)?;
        }
        Ok(match arrival {
            Arrival::Answer(call, answer) => Some((call, answer)),
            _ => None,
        })
    }
}

impl Followed {
    /// A job counts as running from the start of its shells to its end.
    fn count(&mut self, news: &News, progress: Option<&mut Progress>) {
        if let (News::Event(entry), Some(progress)) = (news, progress)
            && entry.name() == "start"
            && !self.is_running
        {
            self.is_running = true;
            progress.counts.running += 1;
        }
    }
}
