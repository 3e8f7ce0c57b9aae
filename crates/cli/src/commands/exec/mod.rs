//! `flux exec`: a command on many brokers at once (RFC 42). Every request goes out before
//! the first answer is awaited.

mod input;
mod job;
mod lines;
mod outcome;
mod session;
mod signals;

use std::collections::BTreeMap;

use client::{Call, Handle};
use proto::data::IdSet;
use proto::rexec::{self, Attach, Command, flags};

use self::job::Shells;
use self::outcome::Outcome;
use self::session::{Session, Streams};
use crate::limits::OUTPUT_CREDIT_BYTES;
use command::entry::{Group, Run, Style};
use command::error::{CliError, io_text};
use command::flux::Flux;

/// Run a command on brokers of the instance
///
/// The command runs as the instance owner, outside of any job and its resources. Exits
/// with the highest exit code of all processes.
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux exec -r 0-3 -l hostname
  flux exec -x 0 --bg --label=watcher ./watch.sh
  flux exec -r 2 --attach watcher")]
pub struct Exec {
    /// Run on these ranks, or on 'all'
    #[arg(
        short,
        long,
        visible_alias = "ranks",
        value_name = "RANKS",
        default_value = "all"
    )]
    rank: String,
    /// Leave out these ranks
    #[arg(short = 'x', long, value_name = "RANKS")]
    exclude: Option<IdSet>,
    /// Run the command in this directory instead of the current one
    #[arg(short, long, value_name = "PATH")]
    dir: Option<String>,
    /// Put the rank before each line of output
    #[arg(short, long)]
    label_io: bool,
    /// Give the command no input
    #[arg(short, long)]
    noinput: bool,
    /// Do not list the ranks that failed
    #[arg(short, long)]
    quiet: bool,
    /// Print the number of processes that have started and exited
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Leave the processes running and print 'RANK: PID' for each
    #[arg(long)]
    bg: bool,
    /// With --bg, keep the exit status for 'flux sproc wait'
    #[arg(long, requires = "bg")]
    waitable: bool,
    /// Label the process so that others can find it
    #[arg(long, value_name = "NAME")]
    label: Option<String>,
    /// Attach to a process that was started with --bg
    #[arg(long, value_name = "PID|LABEL", conflicts_with_all = ["bg", "label", "command"])]
    attach: Option<String>,
    /// Run on the nodes of this job; ranks count from the first of them
    #[arg(short, long, value_name = "ID")]
    jobid: Option<String>,
    /// Ask another service than that of the brokers, or of the job
    #[arg(long, value_name = "NAME", hide = true)]
    service: Option<String>,
    /// Set an option of the subprocess server
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value, hide = true)]
    setopt: Vec<(String, String)>,
    /// Send input only as there is room for it: on or off
    #[arg(long, value_name = "on|off", value_parser = ["on", "off"], default_value = "on", hide = true)]
    stdin_flow: String,
    /// Run the command with the IMP, which this implementation has none of
    #[arg(long, hide = true)]
    with_imp: bool,
    /// Command and its arguments
    #[arg(
        trailing_var_arg = true,
        required_unless_present = "attach",
        value_name = "COMMAND"
    )]
    command: Vec<String>,
}

impl Run for Exec {
    const NAME: &'static str = "exec";
    const GROUP: Group = Group::Services;
    const STYLE: Style = Style::Bare;

    fn run(mut self, flux: &mut Flux) -> Result<(), CliError> {
        if self.with_imp {
            return Err(CliError::new("--with-imp: no IMP is configured"));
        }
        let mut handle = flux.connect()?;
        let ranks = self.targets(&mut handle)?;
        let outcome = match &self.attach {
            Some(name) => self.attach(flux, &mut handle, &ranks, name)?,
            None if self.bg => self.start(flux, &mut handle, &ranks)?,
            None => self.run_all(flux, &mut handle, &ranks)?,
        };
        flux.out.flush()?;
        if !self.quiet {
            outcome.print(flux)?;
        }
        match outcome.code() {
            0 => Ok(()),
            code => Err(CliError::exit(code)),
        }
    }
}

impl Exec {
    /// The ranks to run on, by the service of their brokers or of a job.
    fn targets(&mut self, handle: &mut Handle) -> Result<IdSet, CliError> {
        let Some(job) = &self.jobid else {
            let n = handle.size()?;
            return self.ranks_of(n);
        };
        let shells = Shells::of(handle, job)?;
        let n = u32::try_from(shells.ranks.count()).unwrap_or(u32::MAX);
        let ranks = shells.at(&self.ranks_of(n)?);
        self.service.get_or_insert(shells.service);
        Ok(ranks)
    }

    /// Ranks of `n` ranks that were asked for.
    fn ranks_of(&self, n: u32) -> Result<IdSet, CliError> {
        let all = IdSet::first_n(n);
        let ranks = match self.rank.as_str() {
            "all" => all.clone(),
            text => text.parse().map_err(|_| {
                CliError::new(format!(
                    "invalid value '{text}' for '--rank': no set of ranks"
                ))
            })?,
        };
        let unknown = ranks.difference(&all);
        if !unknown.is_empty() {
            let text = format!("One or more invalid --ranks specified: {unknown}");
            return Err(CliError::new(text));
        }
        let ranks = match &self.exclude {
            Some(excluded) => ranks.difference(excluded),
            None => ranks,
        };
        match ranks.is_empty() {
            true => Err(CliError::new("No targets specified")),
            false => Ok(ranks),
        }
    }

    fn request(&self, flux: &Flux) -> Result<rexec::Exec, CliError> {
        let cwd = match &self.dir {
            Some(dir) => dir.clone(),
            None => {
                let here = std::env::current_dir();
                let here = here.map_err(|error| CliError::new(io_text(&error)).about("."))?;
                here.to_string_lossy().into_owned()
            }
        };
        // Variables that are no text cannot be sent.
        let env = flux.env.iter().filter_map(|(name, value)| {
            Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
        });
        let streams = flags::STDOUT | flags::STDERR;
        let flow = match self.stdin_flow.as_str() {
            "on" => flags::WRITE_CREDIT,
            _ => 0,
        };
        Ok(rexec::Exec {
            cmd: Command {
                cwd: Some(cwd),
                cmdline: self.command.clone(),
                env: env.collect(),
                opts: self.setopt.iter().cloned().collect::<BTreeMap<_, _>>(),
                label: self.label.clone(),
                ..Command::default()
            },
            flags: match (self.bg, self.waitable) {
                (true, true) => flags::WAITABLE,
                (true, false) => 0,
                (false, _) => streams | flow,
            },
            local_flags: None,
            output_credit: (!self.bg).then_some(OUTPUT_CREDIT_BYTES),
            env_add: BTreeMap::new(),
        })
    }

    fn topic(&self, method: &str) -> String {
        let service = self.service.as_deref().unwrap_or("rexec");
        format!("{service}.{method}")
    }

    /// Starts processes that nobody follows.
    fn start(
        &self,
        flux: &mut Flux,
        handle: &mut Handle,
        ranks: &IdSet,
    ) -> Result<Outcome, CliError> {
        let call = Call::new(&self.request(flux)?).topic(&self.topic("exec"));
        let calls: Vec<_> = ranks.iter().collect();
        let calls: Vec<_> = calls
            .into_iter()
            .map(|rank| (rank, handle.start(call.clone().to(rank))))
            .collect();
        let mut outcome = Outcome::default();
        for (rank, call) in calls {
            match handle.wait(call) {
                Ok(rexec::ProcessReply::Started { pid }) => {
                    flux.line(format_args!("{rank}: {pid}"))?
                }
                Ok(_) => outcome.refused(flux, rank, &self.command[0], &session::surprise())?,
                Err(refusal) => outcome.refused(flux, rank, &self.command[0], &refusal)?,
            }
        }
        Ok(outcome)
    }

    /// Runs the command everywhere, with our streams.
    fn run_all(
        &self,
        flux: &mut Flux,
        handle: &mut Handle,
        ranks: &IdSet,
    ) -> Result<Outcome, CliError> {
        let call = Call::new(&self.request(flux)?).topic(&self.topic("exec"));
        let mut session = Session::new(flux, self.streams(), !self.noinput)?;
        for rank in ranks.iter() {
            let pending = handle.start_stream(call.clone().to(rank));
            session.add(handle, rank, pending.id());
        }
        session.run(flux, handle)
    }

    /// Follows a process that runs in the background.
    fn attach(
        &self,
        flux: &mut Flux,
        handle: &mut Handle,
        ranks: &IdSet,
        name: &str,
    ) -> Result<Outcome, CliError> {
        let rank = match ranks.count() {
            1 => ranks.first().unwrap_or_default(),
            _ => return Err(CliError::new("--attach requires a single target rank")),
        };
        let (pid, label) = super::sproc::pid_or_label(name);
        let request = Attach {
            pid,
            label,
            flags: flags::STDOUT | flags::STDERR,
            output_credit: Some(OUTPUT_CREDIT_BYTES),
        };
        let call = Call::new(&request).topic(&self.topic("attach")).to(rank);
        let mut session = Session::new(flux, self.streams(), false)?;
        session.attached = Some(name.to_owned());
        let pending = handle.start_stream(call);
        session.add(handle, rank, pending.id());
        session.run(flux, handle)
    }

    fn streams(&self) -> Streams {
        Streams {
            service: self.service.clone().unwrap_or_else(|| "rexec".to_owned()),
            command: self.command.first().or(self.attach.as_ref()).cloned(),
            label: self.label_io,
            has_flow: self.stdin_flow == "on",
            verbose: self.verbose > 0,
        }
    }
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("no NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
