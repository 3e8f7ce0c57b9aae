//! `flux run`: submits a job and follows it to its end.

use attach::{Session, SessionOptions, Show};
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use submission::Options;

/// Run a parallel program attached to this terminal, and exit with its exit code
#[derive(clap::Parser)]
#[command(disable_help_flag = true)]
#[command(after_help = "Examples:
  flux run -n2 hostname
  flux run -N2 -n8 -c4 --label-io ./a.out
  flux run --time-limit=5m --setopt=cpu-affinity=per-task ./a.out")]
pub struct RunCommand {
    #[command(flatten)]
    options: Options,
    /// Follow the job only up to this event; 'exec.' in front selects the execution log
    #[arg(long, value_name = "EVENT")]
    wait_event: Option<String>,
}

impl Run for RunCommand {
    const NAME: &'static str = "run";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        if self.options.notify_plugins(flux)? {
            return Ok(());
        }
        let options = &self.options;
        let request = options.request(&flux.env)?;
        options.warn_of_deprecated(flux)?;
        if options.dry_run {
            return request.print(&mut flux.out);
        }
        let mut handle = flux.connect()?;
        let id = request.submit(&mut handle)?;
        if options.verbose > 0 {
            flux.note(format_args!("jobid: {id}"))?;
        }
        let session = SessionOptions {
            debugger: None,
            show: Show {
                label: options.label_io,
                events: options.verbose > 1,
                exec_events: options.verbose > 2,
                until: self.wait_event.clone().unwrap_or("finish".to_owned()),
                ..Show::default()
            },
            show_status: false,
            input_ranks: self.input_ranks(),
            read_only: false,
            name: id.to_string(),
        };
        match Session::run(flux, &mut handle, id, session)? {
            0 => Ok(()),
            code => Err(CliError::exit(code)),
        }
    }

    fn help_topic(topic: &str) -> Option<String> {
        submission::help_topic(topic)
    }
}

impl RunCommand {
    fn input_ranks(&self) -> Option<String> {
        let options = &self.options;
        match (options.input_ranks(), &options.input) {
            (Some(ranks), _) => Some(ranks.to_owned()),
            // Tasks read a file.
            (None, Some(_)) => None,
            (None, None) => Some("all".to_owned()),
        }
    }
}
