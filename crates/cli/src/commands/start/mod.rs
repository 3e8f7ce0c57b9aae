//! `flux start`: turns its options into those of the broker, and becomes it, or the
//! launcher of several.

use std::ffi::OsString;
use std::path::Path;

use crate::commands::broker::{become_broker, program};
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

mod brokers;

use brokers::Brokers;

/// Start an instance and run a program in it
///
/// The default program is your shell. When the program exits, the instance ends, and this
/// command exits with its exit code.
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux start
  flux start flux run hostname
  flux start -Sstatedir=/var/tmp/me sh -c 'flux submit true && flux queue drain'")]
pub struct Start {
    /// Set a broker attribute
    #[arg(short = 'S', long = "setattr", value_name = "NAME=VALUE")]
    attrs: Vec<String>,
    /// Read the configuration from this directory or file
    #[arg(short, long, value_name = "PATH")]
    config_path: Option<String>,
    /// Add to the configuration: a file, KEY=VALUE or TOML
    #[arg(long, value_name = "CONFIG")]
    conf: Vec<String>,
    /// Pass options to the broker, separated by commas
    #[arg(short = 'o', long, value_name = "OPTIONS", allow_hyphen_values = true)]
    broker_opts: Vec<String>,
    /// Log more; twice for everything
    #[arg(short, long, value_name = "LEVEL", num_args = 0..=1, require_equals = true,
        default_missing_value = "1")]
    verbose: Vec<u8>,
    /// Print the command without running it
    #[arg(short = 'X', long)]
    noexec: bool,
    /// Run the broker under this command, split at commas
    #[arg(long, value_name = "WORDS")]
    wrap: Vec<String>,
    /// Start despite errors, without resources, to inspect the stored state of the system
    /// instance; or of another instance, by its state directory or dump
    #[arg(short, long, value_name = "TARGET", num_args = 0..=1, require_equals = true,
        default_missing_value = "")]
    recovery: Option<String>,
    /// Use the configuration of the system instance
    #[arg(long, conflicts_with = "config_path")]
    sysconfig: bool,
    #[command(flatten)]
    brokers: Brokers,
    /// Program to run in the instance
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Run for Start {
    const NAME: &'static str = "start";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        self.brokers.check()?;
        self.check_recovery()?;
        let args = self.broker_args();
        if self.brokers.are_wanted() {
            return Err(self.launch(flux, args)?);
        }
        let args = [args, self.command.clone()].concat();
        if self.noexec || self.verbosity() > 0 {
            let words = [OsString::from("flux-broker")];
            let words: Vec<_> = words
                .iter()
                .chain(&args)
                .map(|w| w.to_string_lossy())
                .collect();
            flux.note(format_args!("flux-start: {}", words.join(" ")))?;
        }
        if self.noexec {
            return Ok(());
        }
        Err(self.start(flux, &args))
    }
}

impl Start {
    /// Each option counts with its own number.
    fn verbosity(&self) -> usize {
        self.verbose.iter().copied().map(usize::from).sum()
    }

    /// Becomes the launcher of several brokers; comes back only when that fails.
    fn launch(&self, flux: &mut Flux, args: Vec<OsString>) -> Result<CliError, CliError> {
        let words = self.wrap.iter().flat_map(|words| words.split(','));
        let mut broker: Vec<OsString> = words.map(OsString::from).collect();
        broker.push(program("flux-broker")?.into_os_string());
        broker.extend(args);
        let is_verbose = self.verbosity() > 0;
        let mut args = self
            .brokers
            .launcher_args(&broker, &self.command, is_verbose)?;
        if self.noexec {
            args.insert(0, "--noexec".into());
        }
        let launcher = program("flux-launcher")?;
        Ok(crate::external::become_program(
            flux,
            launcher.as_os_str(),
            &args,
        ))
    }

    /// Checks that there is something to recover.
    fn check_recovery(&self) -> Result<(), CliError> {
        match self.recovery.as_deref() {
            None => Ok(()),
            Some("") if Path::new(SYSTEM_STATEDIR).is_dir() => Ok(()),
            Some("") => {
                let text = format!("--recovery: {SYSTEM_STATEDIR}: not a directory");
                let hint = "name the state directory or the dump: --recovery=TARGET";
                Err(CliError::new(text).with_hint(hint))
            }
            Some(target) if Path::new(target).exists() => Ok(()),
            Some(target) => Err(CliError::new(format!(
                "--recovery: {target}: No such file or directory"
            ))),
        }
    }

    /// Arguments of the broker, without its initial program.
    fn broker_args(&self) -> Vec<OsString> {
        let mut args = vec![OsString::from("-v"); self.verbosity().saturating_sub(1)];
        let mut option = |name: &str, value: String| {
            args.push(name.into());
            args.push(value.into());
        };
        if let Some(target) = &self.recovery {
            for attr in recovery_attrs(target) {
                option("-S", attr);
            }
        }
        for attr in &self.attrs {
            option("-S", attr.clone());
        }
        let is_system = self.sysconfig || self.recovery.as_deref() == Some("");
        let system = is_system.then(|| SYSTEM_CONFIG.to_owned());
        if let Some(path) = self.config_path.clone().or(system) {
            option("-c", path);
        }
        for conf in &self.conf {
            option("--conf", conf.clone());
        }
        let words = self.broker_opts.iter().flat_map(|words| words.split(','));
        args.extend(words.filter(|word| !word.is_empty()).map(OsString::from));
        args
    }

    fn start(&self, flux: &mut Flux, args: &[OsString]) -> CliError {
        let words = self.wrap.iter().flat_map(|words| words.split(','));
        let mut words = words.map(OsString::from);
        let Some(wrapper) = words.next() else {
            return become_broker(flux, args);
        };
        // The wrapper runs this very command again, which finds the broker.
        let mut wrapped: Vec<OsString> = words.collect();
        match std::env::current_exe() {
            Ok(flux) => wrapped.extend([flux.into_os_string(), "broker".into()]),
            Err(error) => return error.into(),
        }
        wrapped.extend(args.iter().cloned());
        crate::external::become_program(flux, &wrapper, &wrapped)
    }
}

/// State directory of a system instance.
const SYSTEM_STATEDIR: &str = "/var/lib/flux";

/// Configuration of a system instance.
const SYSTEM_CONFIG: &str = "/etc/flux/system/conf.d";

/// Attributes that let an instance come up with anything broken in it.
fn recovery_attrs(target: &str) -> Vec<String> {
    let mut attrs: Vec<String> = [
        "broker.recovery-mode=1",
        "broker.quorum=1",
        "broker.module-nopanic=1",
        "log-stderr-level=5",
    ]
    .map(str::to_owned)
    .into();
    if target.is_empty() {
        attrs.push(format!("statedir={SYSTEM_STATEDIR}"));
    } else if Path::new(target).is_dir() {
        attrs.push(format!("statedir={target}"));
    } else {
        attrs.push(format!("content.restore={target}"));
    }
    attrs
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn parsed(line: &str) -> Start {
        let words = format!("flux-start {line}");
        Start::try_parse_from(words.split_whitespace()).unwrap()
    }

    fn shown(start: &Start) -> String {
        let args = [start.broker_args(), start.command.clone()].concat();
        let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
        args.join(" ")
    }

    fn check(line: &str, expect: &str) {
        let start = parsed(line);
        let outcome = match start.brokers.check().and_then(|()| start.check_recovery()) {
            Ok(()) => shown(&start),
            Err(error) => error.text().to_owned(),
        };
        assert_eq!(outcome, expect, "{line}");
    }

    #[test]
    fn options_become_the_brokers() {
        check("true", "true");
        check("-Sa=b --setattr=c=d x -v", "-S a=b -S c=d x -v");
        check(
            "-vv -c /etc/x --conf=a.b=1 sh -c y",
            "-v -c /etc/x --conf a.b=1 sh -c y",
        );
        check("-o,-v,-Sx=1 true", "-v -Sx=1 true");
    }

    #[test]
    fn what_can_not_be_is_refused() {
        check("-s0 true", "--test-size argument must be > 0");
        check(
            "--test-rundir=/tmp true",
            "--test-rundir only works with --test-size=N",
        );
        check(
            "-s1 --test-rundir=/nonexistent true",
            "/nonexistent: not a directory",
        );
    }

    #[test]
    fn recovery_is_a_handful_of_attributes() {
        let all = "-S broker.recovery-mode=1 -S broker.quorum=1 \
            -S broker.module-nopanic=1 -S log-stderr-level=5";
        check("--recovery=/ true", &format!("{all} -S statedir=/ true"));
        let dump = "/proc/self/exe";
        check(
            &format!("--recovery={dump} true"),
            &format!("{all} -S content.restore={dump} true"),
        );
        check(
            "--recovery=/x true",
            "--recovery: /x: No such file or directory",
        );
        let system = "-S statedir=/var/lib/flux -c /etc/flux/system/conf.d";
        assert_eq!(shown(&parsed("-r true")), format!("{all} {system} true"));
    }

    #[test]
    fn the_configuration_is_the_systems_if_asked() {
        check("--sysconfig true", "-c /etc/flux/system/conf.d true");
    }
}
