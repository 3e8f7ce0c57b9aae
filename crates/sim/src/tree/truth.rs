//! Checkers of the reports of brokers about each other, when nothing is under way:
//! against the brokers that really run.

use proto::Payload;
use proto::data::IdSet;
use proto::groups::{Get, Members, ONLINE};
use proto::overlay::{Health, HealthReply, Status};

use super::Brokers;

impl Brokers {
    /// Panics where a broker is wrong about another.
    pub(super) fn check_truth(&mut self) {
        self.check_online();
        for rank in 0..self.sites.len() {
            if self.sites[rank].is_running {
                self.check_health(rank);
            }
        }
    }

    fn check_online(&mut self) {
        let name = ONLINE.to_owned();
        let answer = self.ask_here(0, &Get { name });
        let online = Members::decode(answer.payload()).expect("members").members;
        let running = (0..).zip(&self.sites).filter(|(_, site)| site.is_running);
        let running: IdSet = running.map(|(rank, _)| rank).collect();
        assert_eq!(online.to_string(), running.to_string(), "broker.online");
    }

    fn check_health(&mut self, rank: usize) {
        let health = self.health(rank);
        let mut worst = Status::Full;
        for child in &health.children {
            let below = child.rank as usize;
            let runs = self.sites[below].is_running;
            assert_eq!(
                child.status.is_online(),
                runs,
                "{rank} on {below}: {child:?}"
            );
            if runs {
                let own = self.health(below).status;
                assert_eq!(child.status, own, "{rank} and {below} do not agree");
            }
            worst = worst.max(match child.status {
                Status::Lost | Status::Degraded => Status::Degraded,
                Status::Offline | Status::Partial => Status::Partial,
                status => status,
            });
        }
        assert_eq!(health.status, worst, "rank {rank}: {health:?}");
    }

    fn health(&mut self, rank: usize) -> HealthReply {
        let answer = self.ask_here(rank, &Health);
        HealthReply::decode(answer.payload()).expect("a health")
    }
}
