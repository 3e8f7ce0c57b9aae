//! Commits to the key-value store that are repeated until their outcome is known: by every
//! service that writes there, and by job shells.
//!
//! A commit that carries a token (`once`) is done once however often it is sent. So it is sent
//! again when the kvs has died with it, or before it: its successor knows which. Where there is
//! no room, or no kvs, it is tried again after a while, if it is worth waiting for.

use std::time::Duration;

use bytes::Bytes;
use proto::kvs::{Commit, Committed};
use proto::{Errno, Refusal};

use crate::{Call, Cx, Host};

impl<C: Host> Cx<C> {
    /// Sends an encoded commit that has a token, and goes on in `then` when it is stored or
    /// refused for good. Being refused for want of room or of a kvs is not for good where
    /// `retry`, which is called for it, returns the time after which it is to be sent
    /// again.
    pub fn commit(
        &mut self,
        payload: Bytes,
        retry: fn(&mut C, &Refusal) -> Option<Duration>,
        then: impl FnOnce(&mut C, &mut Cx<C>, Result<Committed, Refusal>) + 'static,
    ) {
        let call = Call::<Commit>::with_payload(payload.clone());
        self.call_with(call, move |core: &mut C, cx, result| {
            let refusal = match &result {
                Err(refusal) if refusal.errno == Errno::EHOSTUNREACH => {
                    tracing::debug!("repeating a commit: {refusal}");
                    return cx.commit(payload, retry, then);
                }
                Err(refusal) if may_pass(refusal) && !cx.is_ending() => refusal,
                _ => return then(core, cx, result),
            };
            match retry(core, refusal) {
                None => then(core, cx, result),
                Some(wait) => {
                    tracing::warn!("retrying a commit: {refusal}");
                    cx.timer(wait, move |_: &mut C, cx| cx.commit(payload, retry, then));
                }
            }
        });
    }
}

fn may_pass(refusal: &Refusal) -> bool {
    refusal.may_pass() || refusal.is_absence_of_service()
}
