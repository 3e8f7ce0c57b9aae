//! `flux logger`: adds a line to the broker's log.

use client::{Call, Delivery};
use proto::data::logline::{LogLevel, LogLine, split_message};
use proto::{Raw, log};

use command::clock;
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Add a line to the broker's log
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux logger --severity=warning 'the disk is nearly full'")]
pub struct Logger {
    /// Log at this severity: emerg, alert, crit, err, warning, notice, info or debug
    #[arg(short, long, value_name = "LEVEL", default_value = "notice")]
    severity: String,
    /// Log under this name
    #[arg(short = 'n', long, value_name = "NAME", default_value = "logger")]
    appname: String,
    /// Message; several words are joined by blanks
    #[arg(required = true)]
    message: Vec<String>,
}

impl Run for Logger {
    const NAME: &'static str = "logger";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let level: LogLevel = self.severity.parse().map_err(|_| {
            let names = LogLevel::ALL.map(LogLevel::name).join(", ");
            CliError::usage(format!("invalid severity '{}'", self.severity))
                .with_hint(format!("one of {names}"))
        })?;
        let mut handle = flux.connect()?;
        let rank = handle.rank()?;
        for text in split_message(&self.message.join(" ")) {
            let mut line = LogLine::new(level, clock::now_us(), rank, &self.appname, text);
            line.procid = std::process::id().to_string();
            // A call, so that a dmesg that follows shows the line.
            let append = log::Append(Raw(line.encode().into()));
            handle.call(Call::new(&append).delivery(Delivery::WAIT))?;
        }
        Ok(())
    }
}
