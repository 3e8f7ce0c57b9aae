//! `flux relay`: the messages of one client on our standard streams, for those who come from
//! another host.

use client::{Link, Options};
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

use crate::forward::{Ended, Hub, Peer, Who, fresh_name};
use crate::uri::hostname;

/// Connect standard input and output to a broker socket
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  ssh host flux relay /run/flux/local")]
pub struct Relay {
    /// Path of a local socket
    path: String,
}

impl Run for Relay {
    const NAME: &'static str = "relay";
    const GROUP: Group = Group::Services;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        // The reader of the message is on another host.
        let failed = |error: CliError| error.about(hostname()).bare();
        self.relay(flux).map_err(failed)
    }
}

impl Relay {
    fn relay(&self, flux: &mut Flux) -> Result<(), CliError> {
        let options = Options::from_env(|name| flux.env.get(name));
        let uri = format!("local://{}", self.path);
        let broker = options.and_then(|options| Link::open(&uri, &options));
        let broker = broker.map_err(|error| CliError::new(error.to_string()))?;
        let (input, output) = (
            rustix::io::dup(rustix::stdio::stdin()),
            rustix::io::dup(rustix::stdio::stdout()),
        );
        let (input, output) = (
            input.map_err(std::io::Error::from)?,
            output.map_err(std::io::Error::from)?,
        );
        // The one byte that lets the client in.
        rustix::io::write(&output, &[0]).map_err(std::io::Error::from)?;
        let who = Who {
            name: fresh_name()?,
            userid: rustix::process::getuid().as_raw(),
        };
        let mut hub = Hub::of_one(broker, Peer::new(input, output)?, who);
        match hub.run_one() {
            Ended::Client | Ended::Watched => Ok(()),
            Ended::Broker(errno) => Err(CliError::new(errno.to_string())),
        }
    }
}
