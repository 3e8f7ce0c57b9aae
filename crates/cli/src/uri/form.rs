//! A URI as seen from its own host, and from others.

use command::flux::Flux;

/// A URI of this host without the detour over the network.
pub fn near(flux: &Flux, uri: &str) -> String {
    Near::of(flux).uri(uri)
}

/// URIs of this host, on any thread.
#[derive(Debug, Clone)]
pub struct Near {
    /// True if all URIs are of this host.
    is_local: bool,
    /// Name of this host: URIs with it are of this host.
    host: Option<String>,
}

impl Near {
    /// As the environment wants it.
    pub fn of(flux: &Flux) -> Near {
        // A user who sets how hosts are reached wants them to be reached so.
        let may_be_here = flux.env.get_os("FLUX_SSH").is_none();
        Near {
            is_local: flux.env.get_os(super::RESOLVE_LOCAL).is_some(),
            host: may_be_here.then(hostname),
        }
    }

    /// A URI of this host without the detour over the network.
    pub fn uri(&self, uri: &str) -> String {
        match host_of(uri) {
            Some(host) if self.is_local || self.host.as_deref() == Some(host) => {
                local_uri(uri).unwrap_or_else(|| uri.to_owned())
            }
            _ => uri.to_owned(),
        }
    }
}

/// The name of this host.
pub fn hostname() -> String {
    let name = nix::unistd::gethostname().ok();
    name.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Where `ssh://[USER@]HOST[:PORT]/PATH` leads, all of the middle.
pub fn host_of(uri: &str) -> Option<&str> {
    let (host, _) = uri.strip_prefix("ssh://")?.split_once('/')?;
    Some(host)
}

/// `local://PATH` for `ssh://HOST/PATH`.
pub fn local_uri(uri: &str) -> Option<String> {
    if uri.starts_with("local://") {
        return Some(uri.to_owned());
    }
    let (_, path) = uri.strip_prefix("ssh://")?.split_once('/')?;
    Some(format!("local://{}", folded(path)))
}

/// `ssh://HOST/PATH` for `local://PATH`.
pub fn remote_uri(uri: &str, host: &str) -> String {
    match uri.strip_prefix("local://") {
        Some(path) => format!("ssh://{host}{}", folded(path)),
        None => uri.to_owned(),
    }
}

/// A path from the root, without redundant slashes.
fn folded(path: &str) -> String {
    let mut folded = String::from("/");
    for c in path.chars() {
        if c != '/' || !folded.ends_with('/') {
            folded.push(c);
        }
    }
    folded
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
        check("ssh://vm/a//b", Some("local:///a/b"));
        check("local:///tmp//x", Some("local:///tmp//x"));
        check("tcp://vm", None);
    }

    #[test]
    fn a_local_uri_is_a_remote_one_elsewhere() {
        assert_eq!(remote_uri("local:///a//b", "h"), "ssh://h/a/b");
        assert_eq!(remote_uri("ssh://x/a", "h"), "ssh://x/a");
        assert_eq!(host_of("ssh://u@h:22/p"), Some("u@h:22"));
        assert_eq!(host_of("local:///p"), None);
    }
}
