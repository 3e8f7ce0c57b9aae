//! `flux proxy`: a local socket that leads to another instance, and a command that uses it.
//!
//! Read on in `program.rs` (the command) and `crate::forward` (the messages).

mod program;

use std::fs::Permissions;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use client::{Link, Options};
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use proto::attr::CORE_VERSION;
use proto::{Errno, Method, Payload, attr, state_machine};
use wire::{Kind, Message};

use crate::forward::{Ended, Hub, ask, fresh_name};
use crate::limits::PROXY_RETRY;
use crate::uri;
use program::{Program, Terminal};

/// Run a command or your shell connected to another instance
///
/// The instance may be on another host: all messages share one connection.
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux proxy ƒ8kjCGJm
  flux proxy ssh://host/run/flux/local flux jobs
  flux proxy --reconnect local:///run/flux/local")]
pub struct Proxy {
    /// Connect even if the versions differ
    #[arg(short, long)]
    force: bool,
    /// Keep the command running when the connection is lost
    #[arg(short, long)]
    nohup: bool,
    /// Reconnect when the connection is lost
    #[arg(long)]
    reconnect: bool,
    /// Instance: a URI, a job id, or any target of 'flux uri'
    target: Option<String>,
    /// Command and its arguments
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    command: Vec<String>,
}

impl Run for Proxy {
    const NAME: &'static str = "proxy";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let Some(target) = &self.target else {
            let usage = "Usage: flux proxy [OPTIONS] TARGET [COMMAND...]";
            let text = format!("URI argument is required\n{usage}");
            return Err(CliError::new(text).in_lines());
        };
        let uri = match uri::resolve_quietly(flux, target) {
            Ok(uri) => uri,
            Err(why) => {
                flux.err.write_all(why.as_bytes())?;
                let text = format!("Unable to resolve {target} to a URI");
                return Err(CliError::new(text));
            }
        };
        let uri = match uri == *target {
            // A URI is taken as it is.
            true => uri,
            false => uri::near(flux, &uri),
        };
        let options = Options::from_env(|name| flux.env.get(name));
        let options = options.map_err(|error| CliError::new(error.to_string()))?;
        let broker = Link::open(&uri, &options);
        let mut broker = broker.map_err(|error| CliError::new(error.to_string()).about(&uri))?;
        self.check_version(flux, &mut broker)?;
        let (socket, listener) = Socket::listen(flux)?;
        let terminal = Terminal::now();
        let hub = Hub::listening(broker, listener)?;
        let program = Program::start(flux, &self.command, &socket.uri(), &uri)?;
        let mut proxy = Running {
            proxy: &self,
            hub: Some(hub),
            program,
            options,
            uri,
            was_lost: false,
        };
        let code = proxy.run(flux);
        if proxy.was_lost {
            terminal.restore();
        }
        match code? {
            0 => Ok(()),
            code => Err(CliError::exit(code)),
        }
    }
}

impl Proxy {
    fn check_version(&self, flux: &mut Flux, broker: &mut Link) -> Result<(), CliError> {
        let name = "version".to_owned();
        let mut request = Message::request(attr::Get::TOPIC, 1);
        request.set_payload(attr::Get { name }.encode());
        let failed = |errno: Errno| CliError::new(format!("attr.get version: {errno}"));
        let answer = ask(broker, &request).map_err(failed)?;
        let theirs = match answer.kind {
            Kind::Response { errnum: 0, .. } => attr::Value::decode(answer.payload()),
            Kind::Response { errnum, .. } => return Err(failed(Errno(errnum))),
            _ => return Err(failed(Errno::EPROTO)),
        };
        let theirs = theirs.map_err(|_| failed(Errno::EPROTO))?.value;
        if series(&theirs) == series(CORE_VERSION) {
            return Ok(());
        }
        let text = format!(
            "proxy version {CORE_VERSION} may not interoperate with broker version {theirs}"
        );
        match self.force {
            true => flux.warn(format_args!("warning: {text}")),
            false => Err(CliError::new(format!(
                "fatal: {text} (--force to connect anyway)"
            ))),
        }
    }
}

/// The first two numbers of a version.
fn series(version: &str) -> (&str, &str) {
    let mut parts = version.split('.');
    let mut next = || parts.next().unwrap_or_default();
    (next(), next())
}

/// A proxy and its command.
struct Running<'p> {
    proxy: &'p Proxy,
    /// Gone when the connection is lost for good.
    hub: Option<Hub>,
    program: Program,
    options: Options,
    uri: String,
    was_lost: bool,
}

impl Running<'_> {
    /// Returns the exit code of the command.
    fn run(&mut self, flux: &mut Flux) -> Result<u8, CliError> {
        loop {
            let Some(hub) = &mut self.hub else {
                return self.program.code();
            };
            match hub.run(self.program.ended()) {
                Ended::Watched | Ended::Client => return self.program.code(),
                Ended::Broker(errno) if self.proxy.reconnect => {
                    if !self.reconnect(flux, errno)? {
                        return self.program.code();
                    }
                }
                Ended::Broker(_) => return self.give_up(flux),
            }
        }
    }

    fn give_up(&mut self, flux: &mut Flux) -> Result<u8, CliError> {
        self.was_lost = true;
        // Nobody waits here for answers that do not come.
        self.hub = None;
        flux.warn("Lost connection to Flux")?;
        if !self.proxy.nohup {
            flux.warn("Sending SIGHUP to child processes")?;
            self.program.hang_up();
        }
        self.program.code()
    }

    /// Connects again; `false` when the command has ended before.
    fn reconnect(&mut self, flux: &mut Flux, errno: Errno) -> Result<bool, CliError> {
        flux.warn(format_args!("broker: {errno}"))?;
        flux.warn("reconnecting")?;
        let Some(hub) = &mut self.hub else {
            return Ok(false);
        };
        hub.broker_lost();
        loop {
            if self.program.ends_within(PROXY_RETRY)? {
                return Ok(false);
            }
            let options = Options {
                retries: 0,
                ..self.options.clone()
            };
            let Ok(mut broker) = Link::open(&self.uri, &options) else {
                continue;
            };
            if let Err(errno) = wait_online(&mut broker) {
                flux.warn(format_args!("state-machine.wait: {errno}"))?;
                continue;
            }
            if hub.go_on_with(broker).is_err() {
                flux.warn("failed to restore subscriptions/service registrations")?;
                continue;
            }
            flux.warn("reconnected")?;
            return Ok(true);
        }
    }
}

/// Waits until the broker takes requests.
fn wait_online(broker: &mut Link) -> Result<(), Errno> {
    let mut request = Message::request(state_machine::Wait::TOPIC, 1);
    request.set_payload(Bytes::from_static(b"{}\0"));
    match ask(broker, &request)?.kind {
        Kind::Response { errnum: 0, .. } => Ok(()),
        Kind::Response { errnum, .. } => Err(Errno(errnum)),
        _ => Err(Errno::EPROTO),
    }
}

/// The local socket, in a folder of its own that goes with it.
struct Socket {
    folder: PathBuf,
}

/// Parent of temporary directories unless TMPDIR is set.
const TMP: &str = "/tmp";

impl Socket {
    fn listen(flux: &mut Flux) -> Result<(Socket, UnixListener), CliError> {
        let tmpdir = flux.env.get("TMPDIR").unwrap_or(TMP).to_owned();
        let tmpdir = match Path::new(&tmpdir).is_dir() {
            true => tmpdir,
            false => {
                let text = format!("TMPDIR ({tmpdir}) is not a directory. Using /tmp instead");
                flux.warn(text)?;
                TMP.to_owned()
            }
        };
        let name = fresh_name()?;
        let folder = Path::new(&tmpdir).join(format!("flux-proxy-{}", name.short()));
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let socket = Socket { folder };
        let path = socket.folder.join(SOCKET);
        let listener = UnixListener::bind(&path)?;
        // Access is checked when a client connects.
        std::fs::set_permissions(&path, Permissions::from_mode(0o777))?;
        Ok((socket, listener))
    }

    fn uri(&self) -> String {
        format!("local://{}", self.folder.join(SOCKET).display())
    }
}

const SOCKET: &str = "local";

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.folder.join(SOCKET));
        let _ = std::fs::remove_dir(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_a_series_work_together() {
        assert_eq!(series("0.88.0-12-gabc"), series("0.88.1"));
        assert_ne!(series("0.88.0"), series("0.8"));
    }
}
