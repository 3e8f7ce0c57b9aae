//! `flux job attach`

use super::{mpir, parse_id};
use attach::{Debugger, Session, SessionOptions, Show};
use command::error::CliError;
use command::flux::Flux;

/// Follow a job with our input and output, and end as it does
#[derive(clap::Args)]
pub struct Attach {
    /// Show the events of the job
    #[arg(short = 'E', long)]
    show_events: bool,
    /// Show the events of its execution
    #[arg(short = 'X', long)]
    show_exec: bool,
    /// Tell what the job waits for; on a terminal that is done anyway
    #[arg(long)]
    show_status: bool,
    /// Follow the job only up to this event; with 'exec.' in front, of its execution log.
    /// Otherwise up to 'finish', or to 'clean' with --show-events
    #[arg(short, long, value_name = "EVENT")]
    wait_event: Option<String>,
    /// Label each line of output with the task's rank
    #[arg(short, long)]
    label_io: bool,
    /// Say more about what the shell says
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Leave out what the shell says, but for errors
    #[arg(short, long)]
    quiet: bool,
    /// Leave our input alone
    #[arg(short, long)]
    read_only: bool,
    /// Do not gather input before it is handed on; it never is
    #[arg(short, long)]
    unbuffered: bool,
    /// Of the output until now, show only the last lines
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true,
        default_missing_value = "10")]
    tail: Option<usize>,
    /// Show the processes of the job to a debugger that has started this command, by the
    /// interface MPIR. With the job's shell option stop-tasks-in-exec they wait for it
    #[arg(long)]
    debug: bool,
    /// Hand our input to these tasks only
    #[arg(short, long, value_name = "RANKS", default_value = "all")]
    input_ranks: String,
    /// The job
    id: String,
}

impl Attach {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let id = parse_id(&self.id)?;
        // Who wants to see events wants all of them.
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
