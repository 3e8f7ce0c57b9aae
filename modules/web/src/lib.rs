//! web: a page that shows the instance in a browser, and the API below it (doc/web.md). It reads
//! and never changes anything: there is no request but GET.
//!
//! The module is a component like every other: `core.rs` has its settings, where it listens, and
//! its counters. HTTP is spoken beside it, by threads of its own in `serve/`, which know the
//! instance as any program of the owner does, by `client`. As long as there
//! is no browser, nothing is asked.
//!
//! Read on in `settings.rs` (arguments and `[web]`), `token.rs` (the secret that opens the page), then `serve/mod.rs`.

#![forbid(unsafe_code)]

mod core;
pub mod limits;
#[allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "what is beside the core has threads, clocks and sockets"
)]
pub mod serve;
mod settings;
mod token;

use node::{Cx, Host, Module, Routes};
use proto::web::{Address, AddressReply, StatsGet};
use proto::{Object, Refusal};

pub use core::{Counters, Running, Serve, Web};
pub use settings::Settings;

impl Host for Web {
    const NAME: &'static str = "web";
    /// The HTTP server.
    type Worker = Box<dyn Serve>;

    fn configure(&mut self, cx: &mut Cx<Self>, conf: &Object) -> Result<(), Refusal> {
        let settings = Settings::of(cx, conf)?;
        self.adopt(cx, settings);
        Ok(())
    }
}

impl Module for Web {
    fn routes() -> Routes<Self> {
        Routes::new()
            .on::<Address>(|web: &mut Web, _, _, _| Ok::<AddressReply, _>(web.address()))
            .on::<StatsGet>(|web: &mut Web, _, _, _| Ok(web.stats()))
    }

    fn start(cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        let settings = Settings::of(cx, &cx.welcome().conf)?;
        cx.hold_requests();
        Ok(Web::new(cx, settings))
    }
}

#[cfg(test)]
mod tests;
