//! `eventlog-watch`: a job's log, line by line, now and as it grows (protocol/10 section
//! 24).
//!
//! The primary log is watched where it is, until `clean`. A guest log is in the job's own
//! namespace while the job runs and in the job's directory afterwards: it is watched in
//! the one until that is removed, and the rest is read from the other. Until there is a
//! guest log, the primary log is followed too: it shows who may read, when the job has
//! started and, should there never be a guest log, when the job has ended.

use node::{Call, CallId, Cx, Peer, Stream, StreamId};
use proto::data::JobId;
use proto::job_info::{EventlogWatch, INITIAL_SENTINEL, JobInfoError, WAITCREATE, Watched};
use proto::{Coded as _, Errno, Refusal, kvs, kvs_watch};

use crate::core::{JobInfo, admit, drop_watch, lookup};
use crate::lines::{BadLine, Lines};
use crate::log::is_event;

/// Guest logs that every job with a shell gets: one that is not there is yet to come.
const EXPECTED: &[&str] = &["guest.exec.eventlog", "guest.output", "guest.input"];

/// Source of the lines of a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The job's own log.
    Primary,
    /// The job's namespace.
    Namespace,
}

/// One watch.
#[derive(Debug)]
pub struct Watcher {
    id: JobId,
    path: String,
    flags: u32,
    peer: Peer,
    stream: Stream<EventlogWatch>,
    lines: Lines,
    /// Access was granted.
    is_allowed: bool,
    sentinel_sent: bool,
    /// The watch that brings the lines.
    feed: Option<CallId>,
    /// The watch of the primary log, as long as there is no guest log.
    life: Option<CallId>,
}

impl Watcher {
    /// A watch that has not begun.
    pub fn new(peer: Peer, request: EventlogWatch, stream: Stream<EventlogWatch>) -> Watcher {
        Watcher {
            id: request.id,
            path: request.path,
            flags: request.flags,
            peer,
            stream,
            lines: Lines::default(),
            is_allowed: false,
            sentinel_sent: false,
            feed: None,
            life: None,
        }
    }

    /// True if it is of a guest log.
    pub fn is_guest(&self) -> bool {
        self.path != "eventlog"
    }

    /// Takes back its requests to the KVS.
    pub fn drop_calls(&mut self, cx: &mut Cx<JobInfo>) {
        for call in [self.feed.take(), self.life.take()].into_iter().flatten() {
            drop_watch(cx, call);
        }
    }

    /// Drops a stream that has ended.
    pub fn forget(self) {
        self.stream.forget();
    }

    fn wants(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// True if it waits for a log that does not exist although the job runs.
    fn waits(&self) -> bool {
        self.wants(WAITCREATE) || EXPECTED.contains(&self.path.as_str())
    }

    /// Checks access by the first line of the primary log.
    fn admit_by(&mut self, cx: &Cx<JobInfo>, line: &str) -> Result<(), Refusal> {
        if !self.is_allowed {
            admit(cx, line, &self.peer)?;
            self.is_allowed = true;
        }
        Ok(())
    }

    /// Sends a piece of the log; true if the job has ended.
    fn relay(&mut self, cx: &mut Cx<JobInfo>, piece: &[u8]) -> Result<bool, Refusal> {
        for line in self.lines.push(piece).map_err(bad_log)? {
            self.admit_by(cx, &line)?;
            let is_last = !self.is_guest() && is_event(&line, "clean");
            self.stream.send(cx, &Watched { event: Some(line) });
            if is_last {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn send_sentinel(&mut self, cx: &mut Cx<JobInfo>) {
        if self.wants(INITIAL_SENTINEL) && !self.sentinel_sent {
            self.sentinel_sent = true;
            self.stream.send(cx, &Watched { event: None });
        }
    }

    fn missing(&self) -> Refusal {
        match self.is_guest() {
            true => JobInfoError::KeyNotFound(self.path.clone()).refusal(),
            false => JobInfoError::InvalidId.refusal(),
        }
    }
}

/// Facts from the primary log so far.
#[derive(Debug, Default)]
struct Life {
    lines: Lines,
    /// Everything from before was read.
    is_current: bool,
    /// The guest namespace is there, or was.
    is_started: bool,
    /// The job has ended: its guest logs are in its directory.
    is_over: bool,
}

impl Life {
    /// Takes the next piece; gives its lines.
    fn take(&mut self, watched: kvs_watch::Watched) -> Result<Vec<String>, Refusal> {
        self.is_current |= watched.is_sentinel();
        let piece = watched.bytes().unwrap_or_default();
        let lines = self.lines.push(&piece).map_err(bad_log)?;
        self.is_started |= lines.iter().any(|line| is_event(line, "start"));
        self.is_over |= lines.iter().any(|line| is_event(line, "clean"));
        Ok(lines)
    }
}

fn bad_log(_: BadLine) -> Refusal {
    JobInfoError::BadEventlog("not a text of lines".to_owned()).refusal()
}

impl JobInfo {
    /// Begins a watch.
    pub(crate) fn watch(&mut self, cx: &mut Cx<Self>, watcher: Watcher) {
        let stream = watcher.stream.id();
        let is_guest = watcher.is_guest();
        self.watchers.insert(stream, watcher);
        if is_guest {
            self.follow_life(cx, stream);
        } else {
            self.follow(cx, stream, Source::Primary);
        }
    }

    /// Follows the primary log for the sake of a guest log.
    fn follow_life(&mut self, cx: &mut Cx<Self>, stream: StreamId) {
        let Some(watcher) = self.watchers.get_mut(&stream) else {
            return;
        };
        let flags = kvs::WATCH | kvs::WATCH_APPEND | kvs::WATCH_INITIAL_SENTINEL;
        let key = watcher.id.kvs_key("eventlog");
        let call = Call::new(&kvs_watch::Lookup::new(kvs::PRIMARY, &key, flags));
        let mut life = Life::default();
        let call = cx.stream_with(call, move |core: &mut JobInfo, cx, result| match result {
            Ok(watched) => {
                let lived = life.take(watched);
                core.lived(cx, stream, lived, &life);
            }
            // kvs-watch died.
            Err(refusal) if refusal.errno == Errno::EHOSTUNREACH => core.follow_life(cx, stream),
            Err(refusal) if refusal.errno == Errno::ENOENT => {
                let unknown = JobInfoError::InvalidId.refusal();
                core.end(cx, stream, Err(unknown));
            }
            Err(refusal) => core.end(cx, stream, Err(refusal)),
        });
        watcher.life = Some(call);
    }

    /// The primary log has gone on.
    fn lived(
        &mut self,
        cx: &mut Cx<Self>,
        stream: StreamId,
        lines: Result<Vec<String>, Refusal>,
        life: &Life,
    ) {
        let Some(watcher) = self.watchers.get_mut(&stream) else {
            return;
        };
        let admitted = lines.and_then(|lines| match lines.first() {
            Some(line) => watcher.admit_by(cx, line),
            None => Ok(()),
        });
        let may_be_there = life.is_started || watcher.waits();
        if let Err(refusal) = admitted {
            self.end(cx, stream, Err(refusal));
        } else if life.is_current && life.is_over {
            self.read_rest(cx, stream);
        } else if life.is_current && may_be_there && watcher.feed.is_none() {
            self.follow(cx, stream, Source::Namespace);
        }
    }

    /// Watches the log where it is written.
    fn follow(&mut self, cx: &mut Cx<Self>, stream: StreamId, source: Source) {
        let Some(watcher) = self.watchers.get_mut(&stream) else {
            return;
        };
        watcher.lines.rewind();
        let mut flags = kvs::WATCH | kvs::WATCH_APPEND;
        // A namespace that existed and does not any more was removed for good.
        if source == Source::Namespace && watcher.waits() && !watcher.lines.has_given() {
            flags |= kvs::WAITCREATE;
        }
        if watcher.wants(INITIAL_SENTINEL) {
            flags |= kvs::WATCH_INITIAL_SENTINEL;
        }
        let request = match source {
            Source::Primary => {
                kvs_watch::Lookup::new(kvs::PRIMARY, &watcher.id.kvs_key("eventlog"), flags)
            }
            Source::Namespace => {
                let key = watcher.path.strip_prefix("guest.").unwrap_or_default();
                kvs_watch::Lookup::new(&watcher.id.guest_namespace(), key, flags)
            }
        };
        let call = Call::new(&request);
        let call = cx.stream_with(call, move |core: &mut JobInfo, cx, result| {
            core.watched(cx, stream, source, result);
        });
        watcher.feed = Some(call);
    }

    fn watched(
        &mut self,
        cx: &mut Cx<Self>,
        stream: StreamId,
        source: Source,
        result: Result<kvs_watch::Watched, Refusal>,
    ) {
        let Some(watcher) = self.watchers.get_mut(&stream) else {
            return;
        };
        match result {
            Ok(watched) if watched.is_sentinel() => watcher.send_sentinel(cx),
            Ok(watched) => {
                let piece = watched.bytes().unwrap_or_default();
                if let Some(life) = watcher.life.take() {
                    // There is a log; its namespace says when it ends.
                    drop_watch(cx, life);
                }
                match watcher.relay(cx, &piece) {
                    Ok(false) => {}
                    Ok(true) => self.end(cx, stream, Ok(())),
                    Err(refusal) => self.end(cx, stream, Err(refusal)),
                }
            }
            Err(refusal) => {
                watcher.feed = None;
                self.watch_ended(cx, stream, source, refusal);
            }
        }
    }

    fn watch_ended(
        &mut self,
        cx: &mut Cx<Self>,
        stream: StreamId,
        source: Source,
        refusal: Refusal,
    ) {
        let Some(watcher) = self.watchers.get(&stream) else {
            return;
        };
        match (source, refusal.errno) {
            // kvs-watch died: from the beginning, without what was sent.
            (_, Errno::EHOSTUNREACH) => self.follow(cx, stream, source),
            // The namespace was removed, or never existed: the rest is in the job's
            // directory.
            (Source::Namespace, Errno::EOPNOTSUPP) => self.read_rest(cx, stream),
            (_, Errno::ENOENT) if !watcher.lines.has_given() => {
                let missing = watcher.missing();
                self.end(cx, stream, Err(missing));
            }
            (_, Errno::ENODATA) => self.end(cx, stream, Ok(())),
            _ => self.end(cx, stream, Err(refusal)),
        }
    }

    /// Reads the rest of a guest log from the job's directory, and ends.
    fn read_rest(&mut self, cx: &mut Cx<Self>, stream: StreamId) {
        let Some(watcher) = self.watchers.get_mut(&stream) else {
            return;
        };
        watcher.drop_calls(cx);
        watcher.lines.rewind();
        let (id, path) = (watcher.id, watcher.path.clone());
        lookup(cx, id, &path, move |core, cx, log| {
            let Some(watcher) = core.watchers.get_mut(&stream) else {
                return;
            };
            let result = match log {
                Err(refusal) => Err(refusal),
                Ok(Some(log)) => watcher.relay(cx, log.as_bytes()).map(|_| ()),
                // Nothing was ever written, or all of it was relayed.
                Ok(None) if watcher.wants(WAITCREATE) || watcher.lines.has_given() => Ok(()),
                Ok(None) => Err(watcher.missing()),
            };
            core.end(cx, stream, result);
        });
    }

    fn end(&mut self, cx: &mut Cx<Self>, stream: StreamId, result: Result<(), Refusal>) {
        if let Some(mut watcher) = self.watchers.remove(&stream) {
            watcher.drop_calls(cx);
            if result.is_ok() {
                watcher.send_sentinel(cx);
            }
            watcher.stream.end(cx, result);
        }
    }
}
