//! `flux job attach`

use super::{mpir, parse_id};
use attach::{Debugger, Session, SessionOptions, Show};
use command::error::CliError;
use command::flux::Flux;

/// Attach to a job's input and output, and exit with its exit code
#[derive(clap::Args)]
pub struct Attach {
    /// Print the events of the job
    #[arg(short = 'E', long)]
    show_events: bool,
    /// Print the events of its execution log
    #[arg(short = 'X', long)]
    show_exec: bool,
    /// Show the status of a pending job, even if standard error is no terminal
    #[arg(long)]
    show_status: bool,
    /// Follow the job only up to this event; 'exec.' in front selects the execution log.
    /// Default: 'finish', or 'clean' with --show-events
    #[arg(short, long, value_name = "EVENT")]
    wait_event: Option<String>,
    /// Label each line of output with the task's rank
    #[arg(short, long)]
    label_io: bool,
    /// Print more messages of the job shell
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Print only the errors of the job shell
    #[arg(short, long)]
    quiet: bool,
    /// Do not read standard input
    #[arg(short, long)]
    read_only: bool,
    /// Pass input on without buffering, which is always done
    #[arg(short, long)]
    unbuffered: bool,
    /// Show only the last N lines of the output so far
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true,
        default_missing_value = "10")]
    tail: Option<usize>,
    /// Show the processes of the job to the debugger that started this command, through
    /// MPIR. With the shell option stop-tasks-in-exec they wait for it
    #[arg(long)]
    debug: bool,
    /// Send standard input only to these tasks
    #[arg(short, long, value_name = "RANKS", default_value = "all")]
    input_ranks: String,
    /// Job id
    id: String,
}

impl Attach {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let id = parse_id(&self.id)?;
        // A user who wants events wants all of them.
        let until = if self.show_events { "clean" } else { "finish" };
        let mut handle = flux.connect()?;
        let options = SessionOptions {
            show: Show {
                label: self.label_io,
                quiet: self.quiet,
                verbose: self.verbose > 0,
                events: self.show_events,
                exec_events: self.show_exec,
                tail: self.tail,
                until: self.wait_event.unwrap_or(until.to_owned()),
                ..Show::default()
            },
            show_status: self.show_status,
            read_only: self.read_only,
            debugger: (self.debug).then_some(mpir::show as Debugger),
            input_ranks: (!self.read_only).then_some(self.input_ranks),
            name: self.id,
        };
        match Session::run(flux, &mut handle, id, options)? {
            0 => Ok(()),
            code => Err(CliError::exit(code)),
        }
    }
}
