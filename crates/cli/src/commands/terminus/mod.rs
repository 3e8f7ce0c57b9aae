//! `flux terminus`: terminals that outlive ours, of a server of our own or of a job
//! (protocol/23 section 8).

mod server;
mod start;

use attach::terminal::{Ending, Mode, follow, is_missing};
use client::Handle;
use proto::data::job::WaitStatus;
use proto::terminus::{Kill, KillServer, List, Listed, Row, SESSION_VAR};

use self::server::Server;
use command::clock;
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Run programs on persistent terminals, and attach to them
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux terminus start -n build make
  flux terminus list
  flux terminus attach 0
The key control-] detaches from a session.")]
pub struct Terminus {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Start(start::Start),
    Attach(Attach),
    List(ListVerb),
    Kill(KillVerb),
    KillServer(KillServerVerb),
}

/// Attach to a session, and exit with its exit code
#[derive(clap::Args)]
struct Attach {
    #[command(flatten)]
    server: Server,
    /// Send standard input to the session, and print nothing
    #[arg(short, long)]
    pipe: bool,
    /// Id of the session
    id: u32,
}

/// List sessions
#[derive(clap::Args)]
struct ListVerb {
    #[command(flatten)]
    server: Server,
}

/// Kill the processes of a session, and wait until it ends
#[derive(clap::Args)]
struct KillVerb {
    #[command(flatten)]
    server: Server,
    /// Id of the session
    id: u32,
}

/// Kill all sessions, and stop the server
#[derive(clap::Args)]
struct KillServerVerb {
    #[command(flatten)]
    server: Server,
}

impl Run for Terminus {
    const NAME: &'static str = "terminus";
    const GROUP: Group = Group::Services;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::Start(start) => start.run(flux),
            Verb::Attach(verb) => {
                refuse_nesting(flux)?;
                let mut handle = flux.connect()?;
                attach(flux, &mut handle, &verb.server, verb.id, verb.pipe)
            }
            Verb::List(verb) => verb.run(flux),
            Verb::Kill(verb) => verb.run(flux),
            Verb::KillServer(verb) => verb.run(flux),
        }
    }
}

/// Keys that detach would detach the session around this one.
fn refuse_nesting(flux: &Flux) -> Result<(), CliError> {
    match flux.env.get_os(SESSION_VAR) {
        None => Ok(()),
        Some(_) => Err(CliError::new(
            "Nesting flux-terminus sessions not supported",
        )),
    }
}

/// Attaches to a session until one of both ends.
fn attach(
    flux: &mut Flux,
    handle: &mut Handle,
    server: &Server,
    id: u32,
    pipe: bool,
) -> Result<(), CliError> {
    let topic = format!("{}.{id}", server.name());
    let mode = if pipe { Mode::Pipe } else { Mode::Both };
    let code = match follow(flux, handle, (&topic, server.rank), mode)? {
        Ending::Refused(refusal) if is_missing(&refusal) => {
            let text = format!("Invalid session or server at {topic}");
            return Err(CliError::new(text));
        }
        Ending::Refused(refusal) => return Err(CliError::from(refusal).about(topic)),
        Ending::Detached(status) => return end_as(status),
        Ending::Lost => 1,
        Ending::Signal(signum) => u8::try_from(128 + signum).unwrap_or(1),
    };
    Err(CliError::exit(code))
}

/// Ends as a program did that has this wait status.
fn end_as(status: i32) -> Result<(), CliError> {
    match u8::try_from(WaitStatus(status).shell_code()).unwrap_or(1) {
        0 => Ok(()),
        code => Err(CliError::exit(code)),
    }
}

impl ListVerb {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let listed = self.server.ask(&mut handle, &List {})?;
        let Listed { sessions, server } = listed;
        let zone = clock::zone(&flux.env);
        let since = clock::plain(&zone, server.ctime);
        let (service, rank) = (server.service, server.rank);
        flux.line(format_args!(
            "server at {service} running on rank {rank} since {since}"
        ))?;
        match sessions.len() {
            0 => flux.line("no sessions")?,
            1 => flux.line("1 current session:")?,
            n => flux.line(format_args!("{n} current sessions:"))?,
        }
        for row in sessions {
            let created = clock::plain(&zone, row.ctime);
            flux.line(shown(&row, &created))?;
        }
        Ok(())
    }
}

fn shown(row: &Row, created: &str) -> String {
    let Row {
        id, name, clients, ..
    } = row;
    let exited = if row.exited { " (exited)" } else { "" };
    let noun = if *clients == 1 { "client" } else { "clients" };
    format!("{id}: [{name}]{exited} {clients} {noun} (created {created})")
}

impl KillVerb {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        const SIGKILL: i32 = 9;
        let mut handle = flux.connect()?;
        let kill = Kill {
            id: self.id,
            signal: SIGKILL,
            wait: true,
        };
        let killed = self.server.ask(&mut handle, &kill);
        killed.map(drop).map_err(|error| error.about("kill"))
    }
}

impl KillServerVerb {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        self.server.ask(&mut handle, &KillServer {}).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_one_line() {
        let check = |clients, exited, expect: &str| {
            let row = Row {
                id: 0,
                name: "task0".to_owned(),
                clients,
                pid: 7,
                exited,
                ctime: 0.0,
            };
            assert_eq!(shown(&row, "NOW"), expect);
        };
        check(0, false, "0: [task0] 0 clients (created NOW)");
        check(1, false, "0: [task0] 1 client (created NOW)");
        check(0, true, "0: [task0] (exited) 0 clients (created NOW)");
    }
}
