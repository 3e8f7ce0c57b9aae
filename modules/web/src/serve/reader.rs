//! The thread that follows the instance for all browsers. It reads changes of jobs at a pace that
//! browsers can follow: of several changes in a short time, only the last state is told.

use std::collections::BTreeMap;
use std::os::fd::AsFd as _;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use client::{Answered, Arrival, Call, CallId, Handle, Options};
use proto::Refusal;
use proto::job_list::{Follow, FollowTaken, JobStats};
use proto::resource::Journal;
use serde_json::json;
use wire::Message;

use super::api::{LISTED, shown};
use super::live::Shared;
use crate::limits::{LIVE_CHUNK_JOBS, LIVE_PERIOD, LIVE_RETRY, LIVE_WINDOW};

/// A stream that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Jobs,
    Counts,
    Nodes,
}

const SOURCES: [Source; 3] = [Source::Jobs, Source::Counts, Source::Nodes];

/// Reads until there is no viewer, or the broker has disconnected.
pub fn read(shared: &Shared) {
    match Handle::open(Some(&shared.uri), &Options::default()) {
        Ok(handle) => Reader::new(handle, shared).run(),
        Err(error) => tracing::warn!("cannot follow the instance: {error}"),
    }
    shared.has_ended();
}

struct Reader<'a> {
    handle: Handle,
    shared: &'a Shared,
    streams: BTreeMap<CallId, Source>,
    /// Streams whose service is missing, and the time of the next attempt.
    missing: Vec<(Instant, Source)>,
    /// True after the list of all jobs, when changes follow. The list itself is no news.
    is_listed: bool,
    /// True after the past events of the resources.
    is_present: bool,
    n_repeats: u32,
    /// Responses of job-list so far, and the time of the next permission to send more.
    n_taken: u64,
    take_at: Option<Instant>,
}

impl<'a> Reader<'a> {
    fn new(handle: Handle, shared: &'a Shared) -> Reader<'a> {
        let mut reader = Reader {
            handle,
            shared,
            streams: BTreeMap::new(),
            missing: Vec::new(),
            is_listed: false,
            is_present: false,
            n_repeats: 0,
            n_taken: 0,
            take_at: None,
        };
        for source in SOURCES {
            reader.begin(source);
        }
        reader
    }

    fn run(&mut self) {
        loop {
            let deadlines = self.missing.iter().map(|(at, _)| *at);
            let deadline = deadlines.chain(self.take_at).min();
            match self.handle.next(&[self.shared.wake.as_fd()], deadline) {
                Ok(Arrival::Answer(id, answer)) => self.answer(id, answer),
                Ok(Arrival::Deadline) => self.go_on(),
                Ok(Arrival::Ready(_)) => {
                    let mut count = [0; 8];
                    let _ = rustix::io::read(&self.shared.wake, &mut count);
                    if self.shared.may_end() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(refusal) => {
                    return tracing::warn!("the connection to the broker is lost: {refusal}");
                }
            }
        }
    }

    fn begin(&mut self, source: Source) {
        let id = match source {
            Source::Jobs => {
                let now = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                (self.is_listed, self.n_repeats, self.n_taken) = (false, 0, 0);
                self.stream(Call::new(&Follow {
                    attrs: Some(json!(LISTED)),
                    since: Some(now.as_secs_f64()),
                    chunk: Some(LIVE_CHUNK_JOBS),
                    window: Some(LIVE_WINDOW),
                    constraint: None,
                }))
            }
            Source::Counts => self.stream(Call::new(&JobStats)),
            Source::Nodes => {
                self.is_present = false;
                self.stream(Call::new(&Journal).to(0))
            }
        };
        self.streams.insert(id, source);
    }

    /// It begins again by itself when its service was reloaded.
    fn stream<M: Answered>(&mut self, call: Call<M>) -> CallId {
        self.handle.start_stream(call.repeating()).id()
    }

    fn answer(&mut self, id: CallId, answer: Result<Message, Refusal>) {
        let Some(&source) = self.streams.get(&id) else {
            return;
        };
        let told = answer.and_then(|answer| match source {
            Source::Jobs => self.jobs(id, answer),
            Source::Counts => self.counts(answer),
            Source::Nodes => self.nodes(answer),
        });
        if told.is_err() {
            // Its service is not there.
            self.handle.forget(id);
            self.streams.remove(&id);
            if let Some(at) = Instant::now().checked_add(LIVE_RETRY) {
                self.missing.push((at, source));
            }
        }
    }

    fn jobs(&mut self, id: CallId, answer: Message) -> Result<(), Refusal> {
        let followed = Follow::decode(answer)?;
        let n_repeats = self.handle.repeats(id);
        if std::mem::replace(&mut self.n_repeats, n_repeats) != n_repeats {
            // It is another stream, whose responses are counted from the first.
            (self.is_listed, self.n_taken) = (false, 0);
            self.shared.tell("again", "{}".to_owned());
        }
        if followed.again == Some(true) {
            self.is_listed = false;
            self.shared.tell("again", "{}".to_owned());
        }
        if self.is_listed && !followed.jobs.is_empty() {
            // Several changes of one job are told at once, with the job as it is by now.
            let jobs: BTreeMap<_, _> = followed
                .jobs
                .into_iter()
                .map(|job| shown(job.0, &self.shared.users))
                .map(|job| (job.get("id").map(ToString::to_string), job))
                .collect();
            let jobs: Vec<_> = jobs.into_values().collect();
            self.shared.tell("jobs", json!({"jobs": jobs}).to_string());
        }
        self.n_taken += 1;
        self.is_listed |= followed.listed == Some(true);
        match self.is_listed {
            true if self.take_at.is_none() => {
                self.take_at = Instant::now().checked_add(LIVE_PERIOD)
            }
            true => {}
            false => self.take(),
        }
        Ok(())
    }

    fn counts(&mut self, answer: Message) -> Result<(), Refusal> {
        let counts = JobStats::decode(answer)?;
        self.shared.tell("counts", json!(counts).to_string());
        Ok(())
    }

    fn nodes(&mut self, answer: Message) -> Result<(), Refusal> {
        let events = Journal::decode(answer)?.events;
        if self.is_present && !events.is_empty() {
            self.shared.tell("nodes", "{}".to_owned());
        }
        self.is_present |= events.is_empty();
        Ok(())
    }

    /// Lets job-list send more.
    fn take(&mut self) {
        let stream = self
            .streams
            .iter()
            .find(|(_, source)| **source == Source::Jobs);
        if let Some((id, _)) = stream {
            let taken = FollowTaken {
                matchtag: id.matchtag(),
                taken: self.n_taken,
            };
            self.handle.notify(Call::new(&taken));
        }
    }

    fn go_on(&mut self) {
        let now = Instant::now();
        if self.take_at.is_some_and(|at| at <= now) {
            self.take_at = None;
            self.take();
        }
        let (due, later) = self.missing.drain(..).partition(|(at, _)| *at <= now);
        self.missing = later;
        let due: Vec<(Instant, Source)> = due;
        for (_, source) in due {
            self.begin(source);
        }
    }
}
