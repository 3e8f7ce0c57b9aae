//! content-sqlite.*: what there is to say of the content service's store while it is
//! `content.sqlite` (protocol/04 section 3). The content module answers under this name
//! too, as there is no module of it.

use crate::Refusal;
use crate::content_backing::Stats;

/// Asks for what is in the store and how fast it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

crate::no_payloads!(StatsGet);

crate::methods! {
    StatsGet = "content-sqlite.stats-get" (OWNER) => Stats, Refusal, idempotent, Later
        : "Says what is in the store and how fast it is.";
}
