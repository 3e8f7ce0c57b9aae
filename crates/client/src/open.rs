//! Finding the broker and connecting to it (protocol/02 sections 1 and 2).

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use proto::Errno;
use wire::{Role, USERID_UNKNOWN};

use crate::handle::Handle;
use crate::limits::{ANCESTORS_MAX, CONNECT_DELAY_MAX, CONNECT_DELAY_MIN, CONNECT_RETRIES};
use crate::link::Link;
use crate::ssh::Ssh;

/// Default URI: the system instance.
const DEFAULT_URI: &str = "local:///run/flux/local";

/// Settings of connections from the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// FLUX_URI.
    pub default_uri: Option<String>,
    /// FLUX_LOCAL_CONNECTOR_RETRY_COUNT.
    pub retries: u32,
    /// FLUX_HANDLE_USERID: user to speak as.
    pub userid: u32,
    /// FLUX_HANDLE_ROLEMASK: roles to speak with.
    pub rolemask: Role,
    /// FLUX_PROXY_REMOTE: host on which the paths of local URIs are meant.
    pub proxy_remote: Option<String>,
    /// Time for which to try to reconnect when the connection is lost; none unless set.
    /// Idempotent calls with delivery `Wait`, subscriptions and services survive that, and
    /// so do streams that repeat; events in between are lost.
    pub reconnect: Option<Duration>,
    /// Settings for reaching other hosts.
    pub ssh: Ssh,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            default_uri: None,
            retries: CONNECT_RETRIES,
            userid: USERID_UNKNOWN,
            rolemask: Role::NONE,
            proxy_remote: None,
            reconnect: None,
            ssh: Ssh::default(),
        }
    }
}

impl Options {
    /// Reads the variables through `get`. Numbers that are none are refused with EINVAL.
    pub fn from_env<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Result<Options, OpenError> {
        let mut options = Options {
            default_uri: get("FLUX_URI").map(str::to_owned),
            proxy_remote: get("FLUX_PROXY_REMOTE").map(str::to_owned),
            ssh: Ssh::from_env(&get),
            ..Options::default()
        };
        if let Some(text) = get("FLUX_LOCAL_CONNECTOR_RETRY_COUNT") {
            options.retries = text.parse().map_err(|_| OpenError::bare(Errno::EINVAL))?;
        }
        if let Some(text) = get("FLUX_HANDLE_USERID") {
            options.userid = text.parse().map_err(|_| OpenError::bare(Errno::EINVAL))?;
        }
        if let Some(text) = get("FLUX_HANDLE_ROLEMASK") {
            let mask = parse_c_number(text).ok_or(OpenError::bare(Errno::EINVAL))?;
            options.rolemask = Role(mask);
        }
        Ok(options)
    }

    fn default_uri(&self) -> &str {
        self.default_uri.as_deref().unwrap_or(DEFAULT_URI)
    }
}

/// Error of connecting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub struct OpenError {
    /// Error number, never 0.
    pub errno: Errno,
    /// A sentence for the user where there is one.
    pub text: Option<String>,
    /// Where the connection was to lead, once that was known.
    pub uri: Option<String>,
}

impl OpenError {
    fn bare(errno: Errno) -> OpenError {
        OpenError {
            errno,
            text: None,
            uri: None,
        }
    }

    fn message(&self) -> String {
        self.text.clone().unwrap_or_else(|| self.errno.to_string())
    }

    /// The address that was tried, and advice for the user.
    pub fn hint(&self) -> String {
        let advice = self.advice();
        match &self.uri {
            Some(uri) => format!("tried {uri}: {advice}"),
            None => advice.to_owned(),
        }
    }

    fn advice(&self) -> &'static str {
        match self.errno {
            Errno::EPERM => {
                "this instance belongs to another user, who has not allowed you to \
                connect"
            }
            Errno::ENOENT | Errno::ECONNREFUSED => {
                "no instance is running there: start one with 'flux start', or set FLUX_URI"
            }
            _ => "FLUX_URI should be of the form local:///path/of/socket",
        }
    }
}

impl Handle {
    /// Connects to `uri`; `None` means the instance that `options` names.
    ///
    /// A text that begins with `.` or `/` names an enclosing instance: `..` the parent,
    /// `../..` its parent, `/` the root. Blocks until the broker has answered.
    pub fn open(uri: Option<&str>, options: &Options) -> Result<Handle, OpenError> {
        match uri {
            None => connect(options.default_uri(), options),
            Some(path) if path.starts_with(['.', '/']) => open_ancestor(path, options),
            Some(uri) => connect(uri, options),
        }
    }
}

fn open_ancestor(path: &str, options: &Options) -> Result<Handle, OpenError> {
    let generations = match path.starts_with('/') {
        true => ANCESTORS_MAX,
        false => path.split('/').filter(|part| *part == "..").count() as u32,
    };
    let mut handle = connect(options.default_uri(), options)?;
    for _ in 0..generations.min(ANCESTORS_MAX) {
        match handle.attr("parent-uri") {
            Ok(uri) => handle = connect(&uri, options)?,
            Err(refusal) if refusal.errno == Errno::ENOENT => break,
            Err(refusal) => {
                return Err(OpenError {
                    errno: refusal.errno,
                    text: Some(refusal.to_string()),
                    uri: None,
                });
            }
        }
    }
    Ok(handle)
}

fn connect(uri: &str, options: &Options) -> Result<Handle, OpenError> {
    let link = connect_link(uri, options.retries, &options.ssh).map_err(|error| OpenError {
        uri: Some(uri.to_owned()),
        ..error
    })?;
    Ok(Handle::new(link, uri, options))
}

/// Connects to a broker, is let in, and nothing more.
pub(crate) fn connect_link(uri: &str, retries: u32, ssh: &Ssh) -> Result<Link, OpenError> {
    let (scheme, path) = uri.split_once("://").unwrap_or((uri, ""));
    if scheme == "ssh" {
        let connected = ssh.connect(path);
        let (socket, mut remote) = connected.map_err(|error| OpenError::bare(errno_of(&error)))?;
        return match greet(socket) {
            Ok(link) => Ok(link.with_remote(remote)),
            Err(errno) => {
                remote.end();
                Err(OpenError::bare(errno))
            }
        };
    }
    if scheme != "local" {
        return Err(OpenError {
            errno: Errno::ENOENT,
            text: Some(format!("Unable to find connector name '{scheme}'")),
            uri: None,
        });
    }
    let path = path.trim_end_matches([' ', '\t']);
    let socket = connect_with_retries(path, retries).map_err(|error| {
        let errno = errno_of(&error);
        let text = (errno == Errno::ENOENT).then(|| format!("broker socket {path} was not found"));
        OpenError {
            errno,
            text,
            uri: None,
        }
    })?;
    greet(socket).map_err(OpenError::bare)
}

fn connect_with_retries(path: &str, retries: u32) -> io::Result<UnixStream> {
    let mut delay = CONNECT_DELAY_MIN;
    for _ in 0..retries {
        match UnixStream::connect(path) {
            // A path too long for a socket address will not become shorter.
            Err(error) if error.kind() != io::ErrorKind::InvalidInput => {}
            result => return result,
        }
        std::thread::sleep(delay);
        delay = (delay * 2).min(CONNECT_DELAY_MAX);
    }
    UnixStream::connect(path)
}

/// Reads the one byte that is the answer of the broker: accepted or refused.
fn greet(mut socket: UnixStream) -> Result<Link, Errno> {
    let mut byte = [0];
    socket
        .read_exact(&mut byte)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Errno::ECONNRESET,
            _ => errno_of(&error),
        })?;
    match byte[0] {
        0 => Link::new(socket).map_err(|error| errno_of(&error)),
        refused => Err(Errno(u32::from(refused))),
    }
}

fn errno_of(error: &io::Error) -> Errno {
    let number = error
        .raw_os_error()
        .and_then(|number| u32::try_from(number).ok());
    // The only error of the standard library itself is a path that fits no socket
    // address.
    number.map_or(Errno::EINVAL, Errno)
}

/// A number as strtoul(3) reads it: decimal, 0x or octal.
fn parse_c_number(text: &str) -> Option<u32> {
    let text = text.trim();
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(hex, 16).ok();
    }
    match text.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => u32::from_str_radix(octal, 8).ok(),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &'static str)]) -> Result<Options, OpenError> {
        Options::from_env(|name| {
            let pair = pairs.iter().find(|(known, _)| *known == name);
            pair.map(|(_, value)| *value)
        })
    }

    #[test]
    fn numbers_of_the_environment_are_read_as_c_does() {
        for (text, mask) in [("2", 2), ("0x2", 2), ("010", 8), ("0", 0)] {
            let options = options(&[("FLUX_HANDLE_ROLEMASK", text)]).unwrap();
            assert_eq!(options.rolemask, Role(mask), "{text}");
        }
        assert_eq!(options(&[("FLUX_HANDLE_USERID", "42")]).unwrap().userid, 42);
    }

    #[test]
    fn bad_numbers_are_refused() {
        for name in [
            "FLUX_HANDLE_ROLEMASK",
            "FLUX_HANDLE_USERID",
            "FLUX_LOCAL_CONNECTOR_RETRY_COUNT",
        ] {
            for text in ["x", "", "-1"] {
                let refused = options(&[(name, text)]).unwrap_err();
                assert_eq!(refused.errno, Errno::EINVAL, "{name}={text}");
            }
        }
    }

    fn check(uri: &str, errno: Errno, text: &str) {
        let options = Options {
            retries: 0,
            ..Options::default()
        };
        let error = Handle::open(Some(uri), &options).err().unwrap();
        assert_eq!((error.errno, error.to_string().as_str()), (errno, text));
        let tried = format!("tried {uri}: ");
        assert!(error.hint().starts_with(&tried), "{}", error.hint());
    }

    #[test]
    fn connecting_in_vain_says_why() {
        check(
            "local:///nonexistent/s",
            Errno::ENOENT,
            "broker socket /nonexistent/s was not found",
        );
        check("foo", Errno::ENOENT, "Unable to find connector name 'foo'");
        check(
            "foo://x",
            Errno::ENOENT,
            "Unable to find connector name 'foo'",
        );
        let long = format!("local:///{}", "x".repeat(200));
        check(&long, Errno::EINVAL, "Invalid argument");
    }
}
