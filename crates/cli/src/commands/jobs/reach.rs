//! The way to instances that run as jobs.

use client::Handle;

use crate::uri::Near;
use command::error::CliError;
use command::flux::{Flux, Opener};

/// Connects to instances by their URIs, on any thread.
#[derive(Debug, Clone)]
pub struct Reach {
    opener: Opener,
    near: Near,
}

impl Reach {
    /// As the environment wants it.
    pub fn of(flux: &Flux) -> Reach {
        Reach {
            opener: flux.opener(),
            near: Near::of(flux),
        }
    }

    /// Connects to the instance at `uri`.
    pub fn open(&self, uri: &str) -> Result<Handle, CliError> {
        self.opener.open(Some(&self.near.uri(uri)))
    }
}
