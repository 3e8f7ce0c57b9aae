//! kvs-watch.lookup.

use node::{Cx, Peer, Stream};
use proto::data::Key;
use proto::kvs::{STREAM, WATCH, WATCH_APPEND, WATCH_FULL, WATCH_INITIAL_SENTINEL, WATCH_UNIQ};
use proto::kvs_watch::{Lookup, LookupError};
use proto::{Coded, Errno, Refusal};

use crate::KvsWatch;
use crate::limits::WATCHERS_MAX;
use crate::watcher::Watcher;

pub fn lookup(
    core: &mut KvsWatch,
    cx: &mut Cx<KvsWatch>,
    peer: &Peer,
    request: Lookup,
    stream: Stream<Lookup>,
) {
    let key = match admit(core, &request, stream.is_streaming()) {
        Ok(key) => key,
        Err(refusal) => return stream.end(cx, Err(refusal)),
    };
    let id = stream.id();
    let watcher = Watcher::new(peer.clone(), request, key, stream);
    core.add(cx, id, watcher);
}

/// Checks, in the order that the protocol has them. Gives the normalised key.
fn admit(core: &KvsWatch, request: &Lookup, streaming: bool) -> Result<String, Refusal> {
    let has = |flags: u32| request.flags & flags != 0;
    let error = if has(WATCH) && !streaming {
        LookupError::WatchNeedsStreaming
    } else if has(STREAM) && !streaming {
        LookupError::StreamNeedsStreaming
    } else if has(WATCH) && has(STREAM) {
        LookupError::WatchAndStream
    } else if has(WATCH_FULL | WATCH_UNIQ | WATCH_APPEND) && !has(WATCH) {
        LookupError::NotWatching
    } else if has(WATCH_INITIAL_SENTINEL) && !has(WATCH_APPEND) {
        LookupError::SentinelWithoutAppend
    } else if core.watchers.len() >= WATCHERS_MAX {
        LookupError::TooMany
    } else if request.key.is_empty() {
        LookupError::NotFound
    } else {
        let key = Key::new(&request.key).map_err(|_| Refusal::bare(Errno::EINVAL))?;
        return Ok(key.as_str().to_owned());
    };
    Err(error.refusal())
}
