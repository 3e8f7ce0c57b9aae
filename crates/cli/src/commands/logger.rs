//! `flux logger`: adds a line to the broker's log.

use client::Call;
use proto::{Raw, log};

use crate::command::{Group, Run, Style};
use crate::error::CliError;
use crate::flux::Flux;
use crate::logline::{LogLine, SEVERITIES};

/// Add a line to the broker's log
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux logger --severity=warning 'the disk is nearly full'")]
pub struct Logger {
    /// How bad it is: emerg, alert, crit, err, warning, notice, info or debug
    #[arg(short, long, value_name = "LEVEL", default_value = "notice")]
    severity: String,
    /// Name of who says it
    #[arg(short = 'n', long, value_name = "NAME", default_value = "logger")]
    appname: String,
    /// What to log; several words are joined by blanks
    #[arg(required = true)]
    message: Vec<String>,
}

impl Run for Logger {
    const NAME: &'static str = "logger";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let known = SEVERITIES.iter().position(|name| *name == self.severity);
        let severity = known
            .and_then(|severity| u8::try_from(severity).ok())
            .ok_or_else(|| {
                CliError::usage(format!("invalid severity '{}'", self.severity))
                    .with_hint(format!("one of {}", SEVERITIES.join(", ")))
            })?;
        if self.appname.contains(' ') || self.appname.is_empty() {
            return Err(CliError::usage("appname must be one word"));
        }
        let mut handle = flux.connect()?;
        let rank = handle.rank()?;
        let text = self.message.join(" ");
        let line = LogLine::compose(severity, rank, &self.appname, std::process::id(), &text);
        // Answered because it is a call, so that a dmesg that follows shows the line.
        handle.call(Call::new(&log::Append(Raw(line.into()))))?;
        Ok(())
    }
}
