//! `flux sproc`: the processes that brokers run for others, and for themselves.

use client::{Call, Handle, Refusal};
use proto::Method;
use proto::data::job::WaitStatus;
use proto::rexec::{self, Process};

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use format::{File, Format, FormatOptions, Formats, Named, Table, Value};
use submission::values::signal_number;

const FORMATS: Formats = Formats {
    named: &[Named {
        name: "default",
        about: "Default flux-sproc ps format string",
        text: "{pid:>9} {state:<2} {label:<12} {cmd}",
    }],
    variable: "FLUX_SPROC_PS_FORMAT_DEFAULT",
    file: File {
        stem: "flux-sproc",
        tables: &[],
    },
    table: None,
    lists: &[],
};

/// List, signal and wait for processes run by brokers
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux sproc ps -r 3
  flux sproc kill 15 watcher
  flux sproc wait watcher")]
pub struct Sproc {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Ps(Ps),
    Kill(Kill),
    Wait(Wait),
}

/// Selection of a server.
#[derive(clap::Args)]
struct Server {
    /// Ask the broker of this rank instead of the nearest
    #[arg(short, long, value_name = "RANK")]
    rank: Option<u32>,
    /// Ask this service instead of that of the brokers
    #[arg(short, long, value_name = "NAME", default_value = "rexec")]
    service: String,
}

/// List processes
#[derive(clap::Args)]
struct Ps {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    format: FormatOptions,
}

/// Send a signal to a process and its process group
#[derive(clap::Args)]
struct Kill {
    #[command(flatten)]
    server: Server,
    /// Wait until the process exits, and exit with its exit code
    #[arg(short, long)]
    wait: bool,
    /// Signal, by name or number
    #[arg(value_name = "SIGNUM")]
    signal: String,
    /// Process id or label
    #[arg(value_name = "PID|LABEL")]
    process: String,
}

/// Wait until a waitable process exits, and exit with its exit code
#[derive(clap::Args)]
struct Wait {
    #[command(flatten)]
    server: Server,
    /// Print its saved output
    #[arg(short, long)]
    output: bool,
    /// Process id or label
    #[arg(value_name = "PID|LABEL")]
    process: String,
}

impl Run for Sproc {
    const NAME: &'static str = "sproc";
    const GROUP: Group = Group::Services;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::Ps(ps) => ps.run(flux),
            Verb::Kill(kill) => kill.run(flux),
            Verb::Wait(wait) => wait.run(flux),
        }
    }
}

impl Server {
    fn call<M: Method>(&self, request: &M) -> Call<M> {
        let (_, method) = M::TOPIC.split_once('.').unwrap_or_default();
        let call = Call::new(request).topic(&format!("{}.{method}", self.service));
        match self.rank {
            Some(rank) => call.to(rank),
            None => call,
        }
    }

    /// Waits for the end of a process, and ends as it did.
    fn wait(
        &self,
        flux: &mut Flux,
        handle: &mut Handle,
        process: &str,
        shows_output: bool,
    ) -> Result<(), CliError> {
        let (pid, label) = pid_or_label(process);
        let ended = handle.call(self.call(&rexec::Wait { pid, label }));
        let ended = ended.map_err(|refusal| refused("wait", &refusal))?;
        for io in ended.output.iter().filter(|_| shows_output) {
            let data = io.bytes().unwrap_or_default();
            match io.stream.as_str() {
                "stderr" => flux.err.write_all(&data)?,
                _ => flux.out.write_all(&data)?,
            }
        }
        match u8::try_from(WaitStatus(ended.status).shell_code()).unwrap_or(1) {
            0 => Ok(()),
            code => Err(CliError::exit(code)),
        }
    }
}

impl Ps {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let Some(text) = self.format.choose(flux, &FORMATS)? else {
            return Ok(());
        };
        let format = Format::of_user(&text, resolve)?;
        let listed = flux.connect()?.call(self.server.call(&rexec::List))?;
        let mut table = Table::new(&format, None, self.format.table(flux, None));
        for process in &listed.procs {
            table.push(|field| field.of(process, listed.rank));
        }
        table.print(&mut flux.out)?;
        Ok(())
    }
}

impl Kill {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let unknown = || CliError::new(format!("Invalid signal {}", self.signal));
        let signum = signal_number(&self.signal).ok_or_else(unknown)?;
        let (pid, label) = pid_or_label(&self.process);
        let mut handle = flux.connect()?;
        let kill = self.server.call(&rexec::Kill { pid, signum, label });
        match handle.call(kill) {
            Ok(_) => {}
            // Its end may be there all the same.
            Err(refusal) if self.wait => flux.complain(&refused("kill", &refusal))?,
            Err(refusal) => return Err(refused("kill", &refusal)),
        }
        match self.wait {
            true => self.server.wait(flux, &mut handle, &self.process, false),
            false => Ok(()),
        }
    }
}

impl Wait {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        self.server
            .wait(flux, &mut handle, &self.process, self.output)
    }
}

/// Error of signalling or waiting for a process, with the error number.
fn refused(verb: &str, refusal: &Refusal) -> CliError {
    CliError::new(format!("{verb}: [Errno {}] {refusal}", refusal.errno.0))
}

/// Process in requests: its pid, or its label and -1.
pub(super) fn pid_or_label(text: &str) -> (i64, Option<String>) {
    match text.parse() {
        Ok(pid) => (pid, None),
        Err(_) => (-1, Some(text.to_owned())),
    }
}

/// Field of a column.
#[derive(Debug, Clone, Copy)]
enum Field {
    Pid,
    State,
    Label,
    Rank,
    Command,
}

fn resolve(name: &str) -> Option<(Field, String)> {
    let (field, heading) = match name {
        "pid" => (Field::Pid, "PID"),
        "state" => (Field::State, "ST"),
        "label" => (Field::Label, "LABEL"),
        "rank" => (Field::Rank, "RANK"),
        "cmd" => (Field::Command, "COMMAND"),
        _ => return None,
    };
    Some((field, heading.to_owned()))
}

impl Field {
    fn of(self, process: &Process, rank: u32) -> Value<'_> {
        match self {
            Field::Pid => Value::Int(process.pid.into()),
            Field::State => Value::Text(process.state.as_str().into()),
            Field::Label if process.label.is_empty() => Value::Text("-".into()),
            Field::Label => Value::Text(process.label.as_str().into()),
            Field::Rank => Value::Int(rank.into()),
            Field::Command => Value::Text(process.cmd.as_str().into()),
        }
    }
}
