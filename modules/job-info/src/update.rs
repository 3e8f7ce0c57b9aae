//! `update-watch`: R or jobspec of a job as it is now, and again after each change, until
//! the job has ended (protocol/10 section 21).

use node::{Call, CallId, Cx, Peer, Stream, StreamId};
use proto::data::JobId;
use proto::job_info::{JobInfoError, UpdateWatch, Updated as Payload};
use proto::{Coded as _, Errno, Refusal, kvs, kvs_watch};
use serde_json::{Map, Value};

use crate::core::{JobInfo, admit, drop_watch, lookup};
use crate::lines::Lines;
use crate::log::{Updated, apply, is_event};

/// One watch.
#[derive(Debug)]
pub struct UpdateWatcher {
    id: JobId,
    key: Updated,
    peer: Peer,
    stream: Stream<UpdateWatch>,
    lines: Lines,
    is_allowed: bool,
    /// The object as it is; `None` until it was looked up.
    object: Option<Map<String, Value>>,
    is_lookup_out: bool,
    /// Changes from before it was looked up.
    early: Vec<Map<String, Value>>,
    is_over: bool,
    feed: Option<CallId>,
}

impl UpdateWatcher {
    /// A watch that has not begun.
    pub fn new(peer: Peer, id: JobId, key: Updated, stream: Stream<UpdateWatch>) -> UpdateWatcher {
        UpdateWatcher {
            id,
            key,
            peer,
            stream,
            lines: Lines::default(),
            is_allowed: false,
            object: None,
            is_lookup_out: false,
            early: Vec::new(),
            is_over: false,
            feed: None,
        }
    }

    /// Drops a stream that has ended.
    pub fn forget(self, cx: &mut Cx<JobInfo>) {
        if let Some(feed) = self.feed {
            drop_watch(cx, feed);
        }
        self.stream.forget();
    }

    /// Takes a piece of the job's log.
    fn take(&mut self, cx: &mut Cx<JobInfo>, piece: &[u8]) -> Result<(), Refusal> {
        let bad = |_| JobInfoError::BadEventlog("not a text of lines".to_owned()).refusal();
        for line in self.lines.push(piece).map_err(bad)? {
            if !self.is_allowed {
                admit(cx, &line, &self.peer)?;
                self.is_allowed = true;
            }
            if let Some(update) = self.key.update(&line) {
                match &mut self.object {
                    Some(object) => {
                        apply(object, &update);
                        self.send(cx);
                    }
                    None => self.early.push(update),
                }
            }
            self.is_over |= is_event(&line, "clean");
        }
        Ok(())
    }

    fn send(&mut self, cx: &mut Cx<JobInfo>) {
        if let Some(object) = &self.object {
            let key = self.key.key().to_owned();
            let payload = Map::from_iter([(key, Value::Object(object.clone()))]);
            self.stream.send(cx, &Payload(payload));
        }
    }
}

impl JobInfo {
    /// Begins a watch.
    pub(crate) fn watch_updates(&mut self, cx: &mut Cx<Self>, watcher: UpdateWatcher) {
        let stream = watcher.stream.id();
        self.updates.insert(stream, watcher);
        self.follow_updates(cx, stream);
    }

    fn follow_updates(&mut self, cx: &mut Cx<Self>, stream: StreamId) {
        let Some(watcher) = self.updates.get_mut(&stream) else {
            return;
        };
        watcher.lines.rewind();
        let flags = kvs::WATCH | kvs::WATCH_APPEND | kvs::WATCH_INITIAL_SENTINEL;
        let key = watcher.id.kvs_key("eventlog");
        let call = Call::new(&kvs_watch::Lookup::new(kvs::PRIMARY, &key, flags));
        let call = cx.stream_with(call, move |core: &mut JobInfo, cx, result| {
            core.updates_watched(cx, stream, result);
        });
        watcher.feed = Some(call);
    }

    fn updates_watched(
        &mut self,
        cx: &mut Cx<Self>,
        stream: StreamId,
        result: Result<kvs_watch::Watched, Refusal>,
    ) {
        let Some(watcher) = self.updates.get_mut(&stream) else {
            return;
        };
        match result {
            Ok(watched) if watched.is_sentinel() => self.look_up_object(cx, stream),
            Ok(watched) => {
                let piece = watched.bytes().unwrap_or_default();
                let taken = watcher.take(cx, &piece);
                let is_done = watcher.is_over && watcher.object.is_some();
                match taken {
                    Err(refusal) => self.end_updates(cx, stream, Err(refusal)),
                    Ok(()) if is_done => self.end_updates(cx, stream, Ok(())),
                    Ok(()) => {}
                }
            }
            Err(refusal) if refusal.errno == Errno::EHOSTUNREACH => {
                self.follow_updates(cx, stream);
            }
            Err(refusal) if refusal.errno == Errno::ENOENT => {
                let unknown = JobInfoError::InvalidId.refusal();
                self.end_updates(cx, stream, Err(unknown));
            }
            Err(refusal) => self.end_updates(cx, stream, Err(refusal)),
        }
    }

    /// The log so far was read: now the object that it changes.
    fn look_up_object(&mut self, cx: &mut Cx<Self>, stream: StreamId) {
        let Some(watcher) = self.updates.get_mut(&stream) else {
            return;
        };
        if watcher.object.is_some() || watcher.is_lookup_out {
            return;
        }
        watcher.is_lookup_out = true;
        let (id, key) = (watcher.id, watcher.key.key());
        lookup(cx, id, key, move |core, cx, value| {
            let Some(watcher) = core.updates.get_mut(&stream) else {
                return;
            };
            match value.and_then(|value| parse_object(key, value)) {
                Err(refusal) => core.end_updates(cx, stream, Err(refusal)),
                Ok(mut object) => {
                    for update in watcher.early.drain(..) {
                        apply(&mut object, &update);
                    }
                    watcher.object = Some(object);
                    watcher.send(cx);
                    if watcher.is_over {
                        core.end_updates(cx, stream, Ok(()));
                    }
                }
            }
        });
    }

    fn end_updates(&mut self, cx: &mut Cx<Self>, stream: StreamId, result: Result<(), Refusal>) {
        if let Some(watcher) = self.updates.remove(&stream) {
            if let Some(feed) = watcher.feed {
                drop_watch(cx, feed);
            }
            watcher.stream.end(cx, result);
        }
    }
}

/// The object under a key.
pub fn parse_object(key: &str, value: Option<String>) -> Result<Map<String, Value>, Refusal> {
    let value = value.ok_or_else(|| JobInfoError::KeyNotFound(key.to_owned()).refusal())?;
    serde_json::from_str(&value).map_err(|_| JobInfoError::BadValue(key.to_owned()).refusal())
}
