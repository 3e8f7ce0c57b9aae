//! `flux dmesg`: shows the log of the broker and its modules.

use client::Call;
use proto::data::logline::{LogLevel, LogLine};
use proto::log;

use command::clock::{self, HumanTimes};
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use command::plain::Plain;

/// Show or clear the broker's log
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux dmesg -H
  flux dmesg --follow --new")]
pub struct Dmesg {
    /// Clear the log
    #[arg(short = 'C', long)]
    clear: bool,
    /// Print the log, then clear it
    #[arg(short = 'c', long, conflicts_with = "clear")]
    read_clear: bool,
    /// Follow the log as lines are added
    #[arg(short, long)]
    follow: bool,
    /// Show only lines logged from now on; implies --follow
    #[arg(short, long)]
    new: bool,
    /// Print times in a readable form
    #[arg(short = 'H', long)]
    human: bool,
    /// With --human, print the time since the previous line
    #[arg(short, long, requires = "human")]
    delta: bool,
    /// Colour lines by severity
    #[arg(short = 'L', long, value_name = "WHEN", num_args = 0..=1, require_equals = true,
        default_value = "auto", default_missing_value = "always")]
    color: clap::ColorChoice,
}

impl Run for Dmesg {
    const NAME: &'static str = "dmesg";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        if !self.clear {
            let request = log::Dmesg {
                follow: self.follow || self.new,
                nobacklog: self.new.then_some(true),
            };
            let mut printer = Printer::new(&self, flux);
            for raw in handle.stream(Call::new(&request)) {
                let line = printer.line(&raw?.0);
                writeln!(flux.out, "{line}")?;
                if request.follow {
                    flux.out.flush()?;
                }
            }
        }
        if self.clear || self.read_clear {
            handle.rpc(&log::Clear)?;
        }
        Ok(())
    }
}

struct Printer {
    human: Option<HumanTimes>,
    is_coloured: bool,
    plain: Plain,
}

impl Printer {
    fn new(options: &Dmesg, flux: &Flux) -> Printer {
        let times = || HumanTimes::new(&clock::zone(&flux.env), options.delta);
        Printer {
            human: options.human.then(times),
            is_coloured: flux.wants_color(options.color),
            plain: flux.plain(),
        }
    }

    fn line(&mut self, raw: &[u8]) -> String {
        let Ok(line) = LogLine::parse(raw) else {
            let text = String::from_utf8_lossy(raw);
            return self.plain.line(text.trim_end_matches('\0')).into_owned();
        };
        let time = self.time(&line);
        let (on, off) = match self.is_coloured {
            true => (colour(line.level), "\x1b[0m"),
            false => ("", ""),
        };
        let (level, message) = (line.level, line.message.to_string());
        let (app, rank) = (self.plain.line(&line.appname), self.plain.line(&line.host));
        let text = self.plain.line(&message);
        format!("{time} {app}.{level}[{rank}]: {on}{text}{off}")
    }

    fn time(&mut self, line: &LogLine) -> String {
        let (Some(human), Some(time_us)) = (&mut self.human, line.time_us) else {
            return line.timestamp();
        };
        human.time(time_us as f64 / 1e6)
    }
}

/// As dmesg(1) does: the worse, the louder.
fn colour(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Emerg | LogLevel::Alert | LogLevel::Crit => "\x1b[1;31m",
        LogLevel::Err => "\x1b[31m",
        LogLevel::Warning => "\x1b[1m",
        LogLevel::Notice | LogLevel::Info => "",
        LogLevel::Debug => "\x1b[2m",
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn check(is_human: bool, is_delta: bool, expect: [&str; 3]) {
        let mut printer = Printer {
            plain: Plain::default(),
            human: is_human.then(|| HumanTimes::new(&TimeZone::UTC, is_delta)),
            is_coloured: false,
        };
        let lines = ["12.090974", "12.100974", "13.100974"].map(|seconds| {
            let line = format!("<56>1 2026-11-22T07:17:{seconds}Z 0 broker 1 - - text\0");
            printer.line(line.as_bytes())
        });
        assert_eq!(lines, expect);
    }

    #[test]
    fn times_are_shown_as_asked() {
        check(
            false,
            false,
            [
                "2026-11-22T07:17:12.090974Z broker.debug[0]: text",
                "2026-11-22T07:17:12.100974Z broker.debug[0]: text",
                "2026-11-22T07:17:13.100974Z broker.debug[0]: text",
            ],
        );
        check(
            true,
            false,
            [
                "[Nov22 07:17] broker.debug[0]: text",
                "[  +0.010000] broker.debug[0]: text",
                "[  +1.010000] broker.debug[0]: text",
            ],
        );
        check(
            true,
            true,
            [
                "[Nov22 07:17] broker.debug[0]: text",
                "[  +0.010000] broker.debug[0]: text",
                "[  +1.000000] broker.debug[0]: text",
            ],
        );
    }
}
