//! The module's log lines for people who look after the instance, as far as they want them.

use std::fmt::Display;

use crate::config::Level;

/// Lets lines through up to a level.
#[derive(Debug, Clone, Copy)]
pub struct Log(pub Level);

impl Log {
    /// Something that happens now and then.
    pub fn info(self, text: impl Display) {
        if self.0 >= Level::INFO {
            tracing::info!("{text}");
        }
    }

    /// A detail.
    pub fn debug(self, text: impl Display) {
        if self.0 >= Level::DEBUG {
            tracing::debug!("{text}");
        }
    }
}
