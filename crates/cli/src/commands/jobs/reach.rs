//! The way to instances that run as jobs.

use client::Handle;

use command::error::CliError;
use command::flux::{Flux, Opener};

/// Connects to instances by their URIs, on any thread.
#[derive(Debug, Clone)]
pub struct Reach {
    opener: Opener,
    /// Every URI is meant to be of this host.
    is_local: bool,
    host: Option<String>,
}

impl Reach {
    /// As the environment wants it.
    pub fn of(flux: &Flux) -> Reach {
        let host = nix::unistd::gethostname().ok();
        Reach {
            opener: flux.opener(),
            is_local: flux.env.get_os("FLUX_URI_RESOLVE_LOCAL").is_some(),
            host: host.and_then(|host| host.into_string().ok()),
        }
    }

    /// Connects to the instance at `uri`.
    pub fn open(&self, uri: &str) -> Result<Handle, CliError> {
        self.opener.open(Some(&self.near(uri)))
    }

    /// A URI of this host without the detour over the network.
    fn near(&self, uri: &str) -> String {
        match host_of(uri) {
            Some(host) if self.is_local || Some(host) == self.host.as_deref() => {
                local_uri(uri).unwrap_or_else(|| uri.to_owned())
            }
            _ => uri.to_owned(),
        }
    }
}

fn host_of(uri: &str) -> Option<&str> {
    let (host, _) = uri.strip_prefix("ssh://")?.split_once('/')?;
    Some(host)
}

/// `local://PATH` for `ssh://HOST/PATH`.
pub fn local_uri(uri: &str) -> Option<String> {
    if uri.starts_with("local://") {
        return Some(uri.to_owned());
    }
    let (_, path) = uri.strip_prefix("ssh://")?.split_once('/')?;
    Some(format!("local:///{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_uri_is_a_local_one_on_its_host() {
        let check = |uri: &str, expect: Option<&str>| {
            assert_eq!(local_uri(uri).as_deref(), expect);
        };
        check(
            "ssh://vm/tmp/flux/local-0",
            Some("local:///tmp/flux/local-0"),
        );
        check("local:///tmp/x", Some("local:///tmp/x"));
        check("tcp://vm", None);
    }
}
