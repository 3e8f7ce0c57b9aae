//! content-files.*: statistics of the content service's store in directory `content.files`
//! (protocol/04 section 3). The content module answers under this name too: there is no
//! separate module.

use crate::Refusal;
use crate::content_backing::Stats;

/// Asks for the contents and speed of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

crate::no_payloads!(StatsGet);

crate::methods! {
    StatsGet = "content-files.stats-get" (OWNER) => Stats, Refusal, idempotent, Later
        : "Returns the contents and speed of the store.";
}
