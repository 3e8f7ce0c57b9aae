//! Quorum: the brokers online, and whether they suffice to begin (protocol/20 section
//! 10).

use node::Cx;
use proto::attr::names;
use proto::data::{Hostlist, IdSet};
use proto::groups::ONLINE;

use super::Parent;
use crate::core::Broker;
use crate::lifecycle::{Event, State};

impl Broker {
    /// We are ready: the others are notified, and rank 0 waits for enough of them.
    pub(crate) fn enter_quorum(&mut self, cx: &mut Cx<Broker>) {
        if self.tree.parent == Parent::Gone {
            // It was lost while we were not ready.
            return self.post(cx, Event::ParentFail);
        }
        let rank = self.router.rank();
        if self.groups.join(ONLINE, rank, None).is_err() {
            tracing::error!("too many groups: no room for group {ONLINE}");
        }
        let online = self.groups.members(ONLINE);
        self.online_changed(cx, &online);
        if rank == 0 {
            self.warn_of_delay(cx);
        } else {
            self.parent_moved(cx);
        }
    }

    /// Others have come or gone.
    pub(crate) fn online_changed(&mut self, cx: &mut Cx<Broker>, online: &IdSet) {
        if self.router.rank() != 0 {
            return;
        }
        let known = std::mem::replace(&mut self.tree.online, online.clone());
        let come = online.difference(&known);
        let gone = known.difference(online);
        if !come.is_empty() {
            tracing::info!("online: {} (ranks {come})", self.hosts_of(&come));
        }
        if !gone.is_empty() && matches!(self.life_state(), State::Run | State::Cleanup) {
            tracing::error!("dead to Flux: {} (rank {gone})", self.hosts_of(&gone));
        }
        self.quorum_may_be_full(cx);
    }

    fn quorum_may_be_full(&mut self, cx: &mut Cx<Broker>) {
        let is_full = self.tree.online.count() >= self.quorum();
        if self.life_state() == State::Quorum && is_full && !self.tree.is_full {
            self.tree.is_full = true;
            if self.tree.was_delayed {
                tracing::error!("quorum reached");
            }
            self.post(cx, Event::QuorumFull);
        }
    }

    fn quorum(&self) -> u64 {
        u64::try_from(self.attrs.number(&names::BROKER_QUORUM)).unwrap_or(1)
    }

    fn warn_of_delay(&mut self, cx: &mut Cx<Broker>) {
        let Some(warn) = self.time_attr(&names::BROKER_QUORUM_WARN) else {
            return;
        };
        cx.timer(warn, |core: &mut Broker, cx| {
            if core.life_state() == State::Quorum {
                let size = core.router.topology().size();
                let missing = IdSet::from_range(0, size - 1).difference(&core.tree.online);
                let hosts = core.hosts_of(&missing);
                tracing::error!("quorum delayed: waiting for {hosts} (rank {missing})");
                core.tree.was_delayed = true;
                core.warn_of_delay(cx);
            }
        });
    }

    /// The hosts of some ranks.
    pub(crate) fn hosts_of(&self, ranks: &IdSet) -> Hostlist {
        self.tree.hosts.select(ranks)
    }
}
