//! `flux queue status`, `enable`, `disable`, `start` and `stop`

use client::{Call, Handle, Pending};
use proto::job_manager::{AllocQuery, QueueEnable, QueueStart, QueueState, QueueStatus};

use super::queues;
use command::error::CliError;
use command::flux::Flux;

/// Show whether queues accept and start jobs
#[derive(clap::Args)]
pub struct Status {
    /// Show the number of pending and running jobs too
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    queue: Name,
}

/// Accept jobs
#[derive(clap::Args)]
pub struct Enable {
    #[command(flatten)]
    target: Target,
}

/// Reject new jobs
#[derive(clap::Args)]
pub struct Disable {
    /// No effect: the state is always saved
    #[arg(long)]
    nocheckpoint: bool,
    #[command(flatten)]
    target: Target,
    /// Reason shown to users whose jobs are rejected
    #[arg(
        short,
        long,
        value_name = "REASON",
        default_value = "disabled by administrator"
    )]
    message: String,
}

/// Start pending jobs
#[derive(clap::Args)]
pub struct Start {
    #[command(flatten)]
    target: Target,
    /// Do not save the state for a restart of the instance
    #[arg(long)]
    nocheckpoint: bool,
}

/// Stop starting jobs; running jobs continue
#[derive(clap::Args)]
pub struct Stop {
    #[command(flatten)]
    target: Target,
    /// Record this reason
    #[arg(short, long, value_name = "REASON")]
    message: Option<String>,
    /// Do not save the state for a restart of the instance
    #[arg(long)]
    nocheckpoint: bool,
}

/// Queues to change.
#[derive(clap::Args)]
struct Target {
    /// Apply to all queues
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    told: StateOutput,
    #[command(flatten)]
    queue: Name,
}

/// Output about changed queues.
#[derive(clap::Args)]
struct StateOutput {
    /// Do not print the new state
    #[arg(long)]
    quiet: bool,
    /// Show the number of pending and running jobs too
    #[arg(short, long)]
    verbose: bool,
}

/// The queue that is meant.
#[derive(clap::Args)]
struct Name {
    /// Apply to this queue
    #[arg(short = 'q', long = "queue", value_name = "QUEUE")]
    option: Option<String>,
    /// Apply to this queue
    #[arg(value_name = "QUEUE")]
    queue: Option<String>,
}

impl Name {
    fn get(self) -> Result<Option<String>, CliError> {
        match (self.option, self.queue) {
            (Some(option), Some(queue)) if option != queue => Err(CliError::new(format!(
                "Conflicting queues specified as --queue={option} and {queue}"
            ))),
            (option, queue) => Ok(option.or(queue)),
        }
    }
}

/// Part of a state to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Submission,
    Scheduling,
    Both,
}

impl Status {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let queue = self.queue.get()?;
        let mut handle = flux.connect()?;
        show(flux, &mut handle, queue, Part::Both).map_err(|error| error.about("status"))?;
        match self.verbose {
            true => show_counts(flux, &mut handle),
            false => Ok(()),
        }
    }
}

impl Enable {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        self.target.enable(flux, "enable", true, None)
    }
}

impl Disable {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let _ = self.nocheckpoint;
        let reason = Some(self.message);
        self.target.enable(flux, "disable", false, reason)
    }
}

impl Start {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        self.target
            .start(flux, "start", true, None, self.nocheckpoint)
    }
}

impl Stop {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let reason = self.message;
        self.target
            .start(flux, "stop", false, reason, self.nocheckpoint)
    }
}

impl Target {
    fn enable(
        self,
        flux: &mut Flux,
        verb: &str,
        enable: bool,
        reason: Option<String>,
    ) -> Result<(), CliError> {
        let queue = self.queue.get()?;
        let mut handle = flux.connect()?;
        let request = QueueEnable {
            name: queue.clone(),
            enable,
            reason,
            all: self.all,
        };
        let changed = handle.rpc(&request);
        changed.map_err(|refusal| CliError::from(refusal).about(verb))?;
        self.told.print(flux, &mut handle, queue, Part::Submission)
    }

    fn start(
        self,
        flux: &mut Flux,
        verb: &str,
        start: bool,
        reason: Option<String>,
        nocheckpoint: bool,
    ) -> Result<(), CliError> {
        let queue = self.queue.get()?;
        let mut handle = flux.connect()?;
        if queue.is_none() && !self.all && queues(&mut handle)? != [None] {
            let text = "ERROR: Named queues are defined. Specify queues or use --all.";
            return Err(CliError::new(text));
        }
        let request = QueueStart {
            name: queue.clone(),
            start,
            reason,
            all: self.all,
            nocheckpoint: nocheckpoint.then_some(true),
        };
        let changed = handle.rpc(&request);
        changed.map_err(|refusal| CliError::from(refusal).about(verb))?;
        self.told.print(flux, &mut handle, queue, Part::Scheduling)
    }
}

impl StateOutput {
    fn print(
        self,
        flux: &mut Flux,
        handle: &mut Handle,
        queue: Option<String>,
        part: Part,
    ) -> Result<(), CliError> {
        if self.quiet {
            return Ok(());
        }
        show(flux, handle, queue, part)?;
        match self.verbose {
            true => show_counts(flux, handle),
            false => Ok(()),
        }
    }
}

/// Prints the state of one queue, or of all.
fn show(
    flux: &mut Flux,
    handle: &mut Handle,
    queue: Option<String>,
    part: Part,
) -> Result<(), CliError> {
    let names = match queue {
        Some(name) => vec![Some(name)],
        None => queues(handle)?,
    };
    let ask = |name: &Option<String>| {
        let name = name.clone();
        handle.start(Call::new(&QueueStatus { name }))
    };
    let pending: Vec<Pending<QueueStatus>> = names.iter().map(ask).collect();
    for (name, pending) in names.iter().zip(pending) {
        let state = handle.wait(pending)?;
        for line in lines(name.as_deref(), &state, part) {
            flux.line(&line)?;
        }
    }
    Ok(())
}

fn lines(name: Option<&str>, state: &QueueState, part: Part) -> Vec<String> {
    let prefix = name.map(|name| format!("{name}: ")).unwrap_or_default();
    let because = |reason: &Option<String>| match reason {
        Some(reason) => format!(": {reason}"),
        None => String::new(),
    };
    let submission = match state.enable {
        true => format!("{prefix}Job submission is enabled"),
        false => {
            let reason = because(&state.disable_reason);
            format!("{prefix}Job submission is disabled{reason}")
        }
    };
    let is_running = state.start && state.blocked.is_none();
    let scheduling = match is_running {
        true => format!("{prefix}Scheduling is started"),
        false => {
            let reason = because(&state.stop_reason);
            format!("{prefix}Scheduling is stopped{reason}")
        }
    };
    match part {
        Part::Submission => vec![submission],
        Part::Scheduling => vec![scheduling],
        Part::Both => vec![submission, scheduling],
    }
}

fn show_counts(flux: &mut Flux, handle: &mut Handle) -> Result<(), CliError> {
    let counts = handle.rpc(&AllocQuery)?;
    flux.line(format_args!(
        "{} alloc requests queued",
        counts.queue_length
    ))?;
    flux.line(format_args!(
        "{} alloc requests pending to scheduler",
        counts.alloc_pending
    ))?;
    flux.line(format_args!("{} running jobs", counts.running))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: Option<&str>, state: QueueState, expect: [&str; 2]) {
        assert_eq!(lines(name, &state, Part::Both), expect);
    }

    const OPEN: QueueState = QueueState {
        enable: true,
        start: true,
        disable_reason: None,
        stop_reason: None,
        parent: None,
        blocked: None,
    };

    #[test]
    fn states_are_sentences_with_their_reasons() {
        check(
            None,
            OPEN,
            ["Job submission is enabled", "Scheduling is started"],
        );
        let closed = QueueState {
            enable: false,
            start: false,
            disable_reason: Some("noon".to_owned()),
            ..OPEN
        };
        check(
            Some("batch"),
            closed,
            [
                "batch: Job submission is disabled: noon",
                "batch: Scheduling is stopped",
            ],
        );
        let blocked = QueueState {
            blocked: Some("parent".to_owned()),
            stop_reason: Some("parent queue 'p' is stopped".to_owned()),
            ..OPEN
        };
        check(
            None,
            blocked,
            [
                "Job submission is enabled",
                "Scheduling is stopped: parent queue 'p' is stopped",
            ],
        );
    }
}
