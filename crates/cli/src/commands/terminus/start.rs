//! `flux terminus start`: a session of our own, and the server that has it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use client::Handle;
use proto::attr::names;
use proto::terminus::{List, Made, New, Session, TerminalReply};

use super::server::Server;
use super::{attach, refuse_nesting};
use crate::commands::broker::program;
use command::error::CliError;
use command::flux::Flux;

/// Message of a server that accepts requests.
const READY: &str = "ready";

/// Maximum bytes of its output.
const SAID_BYTES_MAX: u64 = 4096;

/// Run a program on a new terminal, and attach to it
#[derive(clap::Args)]
pub struct Start {
    #[command(flatten)]
    server: Server,
    /// Do not attach to the session
    #[arg(short, long)]
    detach: bool,
    /// With --detach, wait until the session ends
    #[arg(short, long, requires = "detach")]
    wait: bool,
    /// Name the session; default: the name of the program
    #[arg(short, long, value_name = "NAME")]
    name: Option<String>,
    /// Send standard input to the session, and print nothing
    #[arg(short, long, conflicts_with = "detach")]
    pipe: bool,
    /// Program and its arguments; default: your shell
    #[arg(trailing_var_arg = true, value_name = "CMD")]
    command: Vec<String>,
}

impl Start {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        refuse_nesting(flux)?;
        let mut handle = flux.connect()?;
        if self.server.ask_if_any(&mut handle, &List {})?.is_none() {
            self.start_server(flux, &mut handle)?;
        }
        let cwd = std::env::current_dir().ok();
        let cwd = cwd.and_then(|cwd| cwd.into_os_string().into_string().ok());
        let new = New {
            name: self.name.clone(),
            cmd: self.command.clone(),
            environ: environment(flux),
            cwd,
            // Otherwise it may end before we can query it.
            wait: self.wait || !self.detach,
        };
        let Made { id, .. } = self.server.ask(&mut handle, &new)?;
        match (self.detach, self.wait) {
            (false, _) => attach(flux, &mut handle, &self.server, id, self.pipe),
            (true, true) => self.wait_for(&mut handle, id),
            (true, false) => Ok(()),
        }
    }

    /// Starts a server beside our broker, and waits until it can be asked.
    fn start_server(&self, flux: &Flux, handle: &mut Handle) -> Result<(), CliError> {
        let rank = handle.rank()?;
        if self.server.rank.is_some_and(|wanted| wanted != rank) {
            let text = format!("no server running at {}", self.server.name());
            let hint = format!("it can only be started on rank {rank}, the local one");
            return Err(CliError::new(text).with_hint(hint));
        }
        let mut server = Command::new(program("flux-terminus-server")?);
        server.args([self.server.name(), rank.to_string()]);
        server.env_clear().envs(flux.env.iter());
        // Ours may be another way to the same broker.
        server.env("FLUX_URI", handle.attr(names::LOCAL_URI.name)?);
        server.stdin(Stdio::null()).stdout(Stdio::null());
        let mut server = server.stderr(Stdio::piped()).spawn()?;
        let mut said = String::new();
        if let Some(stderr) = server.stderr.take() {
            BufReader::new(stderr.take(SAID_BYTES_MAX)).read_line(&mut said)?;
        }
        match said.trim_end() {
            READY => Ok(()),
            "" => Err(CliError::new("the server did not start")),
            why => Err(CliError::new(format!("the server did not start: {why}"))),
        }
    }

    /// Waits for the end of a session, of which nothing is shown.
    fn wait_for(&self, handle: &mut Handle, id: u32) -> Result<(), CliError> {
        let topic = format!("{}.{id}", self.server.name());
        let call = self.server.call(&Session::attach("wo", None)).topic(&topic);
        for told in handle.stream(call) {
            match told {
                Ok(TerminalReply::Exit { status, .. }) => return super::end_as(status),
                Ok(_) => {}
                Err(refusal) => return Err(refusal.into()),
            }
        }
        Ok(())
    }
}

/// Our environment, as far as it is text.
fn environment(flux: &Flux) -> BTreeMap<String, String> {
    let pairs = flux.env.iter();
    let texts = pairs.filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
    let owned = texts.map(|(name, value)| (name.to_owned(), value.to_owned()));
    owned.collect()
}
