//! Selection of a server, and the error when there is none.

use client::{Call, Handle};
use proto::terminus::server_name;
use proto::{Errno, Method};

use command::error::CliError;

/// The server.
#[derive(clap::Args)]
pub struct Server {
    /// Use the server on this rank instead of the nearest
    #[arg(short, long, value_name = "RANK")]
    pub rank: Option<u32>,
    /// Use this service; default: UID-terminus
    #[arg(short, long, value_name = "NAME")]
    service: Option<String>,
}

impl Server {
    /// The name of its service.
    pub fn name(&self) -> String {
        let own = || server_name(nix::unistd::geteuid().as_raw());
        self.service.clone().unwrap_or_else(own)
    }

    /// A request to it.
    pub fn call<M: Method>(&self, request: &M) -> Call<M> {
        let (_, method) = M::TOPIC.split_once('.').unwrap_or_default();
        let call = Call::new(request).topic(&format!("{}.{method}", self.name()));
        match self.rank {
            Some(rank) => call.to(rank),
            None => call,
        }
    }

    /// Asks it something; `None` if there is no server.
    pub fn ask_if_any<M: Method>(
        &self,
        handle: &mut Handle,
        request: &M,
    ) -> Result<Option<M::Response>, CliError> {
        match handle.call(self.call(request)) {
            Ok(answer) => Ok(Some(answer)),
            Err(refusal) if matches!(refusal.errno, Errno::ENOSYS | Errno::EHOSTUNREACH) => {
                Ok(None)
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Asks it something.
    pub fn ask<M: Method>(
        &self,
        handle: &mut Handle,
        request: &M,
    ) -> Result<M::Response, CliError> {
        let answer = self.ask_if_any(handle, request)?;
        answer.ok_or_else(|| CliError::new(format!("no server running at {}", self.name())))
    }
}
