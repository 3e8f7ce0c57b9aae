//! Status of ranks: online, torpid, or set to down by a test.

use node::{Cx, Reply, StreamId};
use proto::Empty;
use proto::data::IdSet;
use proto::resource::MonitorWaitup;

use crate::core::Resource;

/// The ranks by their last known state.
#[derive(Debug, Default)]
pub struct Monitor {
    heard: IdSet,
    forced_down: IdSet,
    torpid: IdSet,
    waiting: Vec<(u32, Reply<MonitorWaitup>)>,
}

/// Change of the status.
#[derive(Debug, Default, PartialEq)]
pub struct Change {
    /// Came.
    pub online: IdSet,
    /// Went.
    pub offline: IdSet,
}

impl Monitor {
    /// Ranks that are there.
    pub fn online(&self) -> IdSet {
        self.heard.difference(&self.forced_down)
    }

    /// Ranks whose broker is slow to answer: no new jobs for them.
    pub fn torpid(&self) -> &IdSet {
        &self.torpid
    }

    /// Sets the ranks that are torpid; returns those that became so, and those that are
    /// not any more.
    pub fn set_torpid(&mut self, torpid: IdSet) -> (IdSet, IdSet) {
        let before = std::mem::replace(&mut self.torpid, torpid);
        (
            self.torpid.difference(&before),
            before.difference(&self.torpid),
        )
    }

    /// Sets the ranks that are online; returns the changes.
    pub fn receive(&mut self, heard: IdSet) -> Change {
        let before = self.online();
        self.heard = heard;
        self.change(&before)
    }

    /// Counts these ranks as down from now on; returns the changes.
    pub fn force_down(&mut self, ranks: &IdSet) -> Change {
        let before = self.online();
        self.forced_down.add(ranks);
        self.change(&before)
    }

    /// A request was taken back, or its client left.
    pub fn closed(&mut self, request: StreamId) {
        if let Some(at) = self.waiting.iter().position(|(_, r)| r.id() == request) {
            self.waiting.swap_remove(at).1.forget();
        }
    }

    /// Somebody waits until N are there.
    pub fn wait(&mut self, cx: &mut Cx<Resource>, up: u32, reply: Reply<MonitorWaitup>) {
        self.waiting.push((up, reply));
        self.answer_waiting(cx);
    }

    /// Answers those who have waited for the present state.
    pub fn answer_waiting(&mut self, cx: &mut Cx<Resource>) {
        let n_online = self.online().count();
        let (done, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|(up, _)| u64::from(*up) == n_online);
        self.waiting = waiting;
        for (_, reply) in done {
            reply.send(cx, Ok(Empty));
        }
    }

    fn change(&self, before: &IdSet) -> Change {
        let now = self.online();
        Change {
            online: now.difference(before),
            offline: before.difference(&now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> IdSet {
        text.parse().unwrap()
    }

    #[test]
    fn changes_are_told_once() {
        let mut monitor = Monitor::default();
        let change = monitor.receive(set("0-2"));
        assert_eq!((change.online, change.offline), (set("0-2"), set("")));
        assert_eq!(monitor.receive(set("0-2")), Change::default());
        let change = monitor.receive(set("0,3"));
        assert_eq!((change.online, change.offline), (set("3"), set("1-2")));
    }

    #[test]
    fn a_rank_forced_down_stays_down() {
        let mut monitor = Monitor::default();
        monitor.receive(set("0-1"));
        assert_eq!(monitor.force_down(&set("1")).offline, set("1"));
        assert_eq!(monitor.receive(set("0-2")).online, set("2"));
        assert_eq!(monitor.online(), set("0,2"));
    }
}
