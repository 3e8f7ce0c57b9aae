//! heartbeat: publishes `heartbeat.pulse` on rank 0; on other ranks, warns when the
//! pulse is late and leaves the parent when it stays away (protocol/03 section 13).
//!
//! Read on in `core.rs` (its work) and `config.rs` (arguments and `[heartbeat]`). It
//! keeps no state that a restart would lose, so it is also the shortest example of a
//! module.

mod config;
mod core;

use node::{Cx, Host, Module, Routes};
use proto::heartbeat::{Pulse, StatsGet};
use proto::{Object, Refusal};

use config::Settings;
pub use core::Heartbeat;

impl Host for Heartbeat {
    const NAME: &'static str = "heartbeat";
    type Worker = ();

    fn configure(&mut self, cx: &mut Cx<Self>, conf: &Object) -> Result<(), Refusal> {
        let args = cx.welcome().args.clone().unwrap_or_default();
        let settings = Settings::new(&args, conf)?;
        self.adopt(cx, settings);
        Ok(())
    }

    fn clear_stats(&mut self) {
        self.clear();
    }
}

impl Module for Heartbeat {
    fn routes() -> Routes<Self> {
        Routes::new()
            .on::<StatsGet>(|core: &mut Heartbeat, _, _, _| Ok(core.stats()))
            .event::<Pulse>(|core: &mut Heartbeat, cx, _| core.pulse_received(cx))
    }

    fn start(cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        let welcome = cx.welcome();
        let args = welcome.args.clone().unwrap_or_default();
        let settings = Settings::new(&args, &welcome.conf)?;
        Ok(Heartbeat::new(cx, settings))
    }
}
