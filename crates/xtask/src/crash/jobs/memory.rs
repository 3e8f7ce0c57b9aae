//! Memory of broker and modules together, sampled again and again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::ledger::Ledger;
use crate::proc::{children_of, proportional_kib};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// The most that was seen, in KiB.
#[derive(Default)]
pub struct Memory(AtomicU64);

impl Memory {
    /// Looks until the broker is killed.
    pub fn watch(&self, ledger: &Ledger, broker: u32) {
        while !ledger.is_broker_killed() {
            let mut processes = children_of(broker).unwrap_or_default();
            processes.push(broker);
            // One that was killed meanwhile takes nothing.
            let kib = processes.iter().flat_map(|pid| proportional_kib(*pid));
            self.0.fetch_max(kib.sum(), Ordering::Relaxed);
            std::thread::sleep(PAUSE);
        }
    }

    /// In MiB.
    pub fn most_mib(&self) -> u64 {
        self.0.load(Ordering::Relaxed) / 1024
    }
}
