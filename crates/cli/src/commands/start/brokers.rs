//! `flux start --test-size`: several brokers on this host as one instance, which
//! `flux-launcher` starts (protocol/20 section 11.1).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use proto::data::{Fsd, Hostlist, TaskMap};

use command::error::CliError;

/// Options for an instance of several brokers on this host.
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = "Several brokers on this host, for tests")]
pub struct Brokers {
    /// Start N brokers
    #[arg(short = 's', long, value_name = "N")]
    test_size: Option<u32>,
    /// Use this directory for sockets, and keep it
    #[arg(long, value_name = "DIR")]
    test_rundir: Option<PathBuf>,
    /// Remove the directory of --test-rundir at the end
    #[arg(long)]
    test_rundir_cleanup: bool,
    /// Use these host names, one for each broker
    #[arg(long, value_name = "HOSTLIST")]
    test_hosts: Option<String>,
    /// Kill other brokers this long after the first exits; default 20s (0 or none = no limit)
    #[arg(
        long,
        value_name = "FSD",
        allow_hyphen_values = true,
        alias = "killer-timeout"
    )]
    test_exit_timeout: Option<String>,
    /// End the instance when this exits: any or leader
    #[arg(long, value_name = "MODE")]
    test_exit_mode: Option<String>,
    /// Start these brokers at once: all or leader
    #[arg(long, value_name = "MODE")]
    test_start_mode: Option<String>,
    /// Assign brokers to hosts: single, per-broker, none or a task map
    #[arg(long, value_name = "MODE")]
    test_pmi_clique: Option<String>,
}

/// Of --test-exit-timeout.
const EXIT_TIMEOUT: &str = "20s";

impl Brokers {
    /// True if more than one plain broker is to be started.
    pub fn are_wanted(&self) -> bool {
        self.test_size.is_some()
    }

    /// Checks that the options go together.
    pub fn check(&self) -> Result<(), CliError> {
        let Some(size) = self.test_size else {
            let given = [
                ("test-rundir", self.test_rundir.is_some()),
                ("test-rundir-cleanup", self.test_rundir_cleanup),
                ("test-hosts", self.test_hosts.is_some()),
                ("test-exit-timeout", self.test_exit_timeout.is_some()),
                ("test-exit-mode", self.test_exit_mode.is_some()),
                ("test-start-mode", self.test_start_mode.is_some()),
                ("test-pmi-clique", self.test_pmi_clique.is_some()),
            ];
            let given = given.iter().find(|(_, is_given)| *is_given);
            return given.map_or(Ok(()), |(name, _)| {
                let text = format!("--{name} only works with --test-size=N");
                Err(CliError::new(text))
            });
        };
        if size == 0 {
            return Err(CliError::new("--test-size argument must be > 0"));
        }
        if let Some(rundir) = &self.test_rundir
            && !rundir.is_dir()
        {
            let text = format!("{}: not a directory", rundir.display());
            return Err(CliError::new(text));
        }
        if self.test_rundir_cleanup && self.test_rundir.is_none() {
            return Err(CliError::new(
                "--test-rundir-cleanup only works with --test-rundir",
            ));
        }
        self.launcher_options().map(drop)
    }

    /// Arguments of the launcher: `broker` is the broker with its options and its
    /// wrapper, `command` the initial program.
    pub fn launcher_args(
        &self,
        broker: &[OsString],
        command: &[OsString],
        is_verbose: bool,
    ) -> Result<Vec<OsString>, CliError> {
        let mut args: Vec<OsString> = self
            .launcher_options()?
            .into_iter()
            .map(Into::into)
            .collect();
        if let Some(rundir) = &self.test_rundir {
            args.extend(["--rundir".into(), absolute(rundir)?.into_os_string()]);
        }
        if self.test_rundir_cleanup {
            args.push("--rundir-cleanup".into());
        }
        if is_verbose {
            args.push("--verbose".into());
        }
        for word in command {
            let mut option = OsString::from("--command=");
            option.push(word);
            args.push(option);
        }
        args.push("--".into());
        args.extend(broker.iter().cloned());
        Ok(args)
    }

    fn launcher_options(&self) -> Result<Vec<String>, CliError> {
        let size = self.test_size.unwrap_or(1);
        let mut options = vec![format!("--size={size}")];
        options.extend(
            self.hosts(size)?
                .iter()
                .map(|host| format!("--host={host}")),
        );
        options.extend(self.mapping(size)?.map(|map| format!("--mapping={map}")));
        let timeout = self.test_exit_timeout.as_deref().unwrap_or(EXIT_TIMEOUT);
        if !timeout.eq_ignore_ascii_case("none") {
            let seconds = timeout.parse::<Fsd>().map(|fsd| fsd.secs());
            let seconds = seconds.map_err(|_| {
                CliError::new(format!(
                    "--test-exit-timeout={timeout}: a duration is expected"
                ))
                .with_hint("such as 20s, 1m or none")
            })?;
            if seconds > 0.0 {
                options.push(format!("--exit-timeout={seconds}"));
            }
        }
        options.push(mode("exit-mode", self.test_exit_mode.as_deref(), "any")?);
        options.push(mode("start-mode", self.test_start_mode.as_deref(), "all")?);
        Ok(options)
    }

    fn hosts(&self, size: u32) -> Result<Hostlist, CliError> {
        let Some(text) = &self.test_hosts else {
            return Ok(Hostlist::default());
        };
        let hosts = text.parse::<Hostlist>();
        let hosts =
            hosts.map_err(|error| CliError::new(format!("--test-hosts={text}: {error}")))?;
        match hosts.len() == size as usize {
            true => Ok(hosts),
            false => Err(CliError::new("--test-hosts hostlist has incorrect size")),
        }
    }

    /// Ranks that share a host, in the form of PMI.
    fn mapping(&self, size: u32) -> Result<Option<String>, CliError> {
        match self.test_pmi_clique.as_deref().unwrap_or("single") {
            "single" => Ok(Some(format!("(vector,(0,1,{size}))"))),
            "per-broker" => Ok(Some(format!("(vector,(0,{size},1))"))),
            "none" => Ok(None),
            text => match text.parse::<TaskMap>() {
                Ok(map) if map.ntasks() == u64::from(size) => Ok(Some(map.to_pmi())),
                Ok(map) => {
                    let n = map.ntasks();
                    let text = format!("--test-pmi-clique={text}: {n} brokers instead of {size}");
                    Err(CliError::new(text))
                }
                Err(error) => {
                    let text = format!("--test-pmi-clique={text}: {error}");
                    Err(CliError::new(text).with_hint("single, per-broker, none or a task map"))
                }
            },
        }
    }
}

/// The launcher runs in another directory than we do.
fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    Ok(std::path::absolute(path)?)
}

/// One of two modes, the first of which is the default.
fn mode(name: &str, given: Option<&str>, default: &str) -> Result<String, CliError> {
    let given = given.unwrap_or(default);
    if given != default && given != "leader" {
        let text = format!("--test-{name}={given}: must be {default} or leader");
        return Err(CliError::new(text));
    }
    Ok(format!("--{name}={given}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        brokers: Brokers,
    }

    fn check(line: &str, expect: &str) {
        let words = format!("flux-start {line}");
        let brokers = Line::try_parse_from(words.split_whitespace())
            .unwrap()
            .brokers;
        let outcome = match brokers.check() {
            Ok(()) => {
                let args = brokers.launcher_args(&["B".into()], &["C".into()], false);
                let args = args.unwrap();
                let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
                args.join(" ")
            }
            Err(error) => error.text().to_owned(),
        };
        assert_eq!(outcome, expect, "{line}");
    }

    #[test]
    fn options_become_those_of_the_launcher() {
        let rest = "--exit-timeout=20 --exit-mode=any --start-mode=all --command=C -- B";
        check(
            "-s2",
            &format!("--size=2 --mapping=(vector,(0,1,2)) {rest}"),
        );
        check("-s2 --test-pmi-clique=none", &format!("--size=2 {rest}"));
        check(
            "-s2 --test-pmi-clique=per-broker --test-hosts=h[0-1]",
            &format!("--size=2 --host=h0 --host=h1 --mapping=(vector,(0,2,1)) {rest}"),
        );
        check(
            "-s4 --test-pmi-clique=[[0,2,2,1]]",
            &format!("--size=4 --mapping=(vector,(0,2,2)) {rest}"),
        );
        check(
            "-s1 --test-exit-timeout=none --test-exit-mode=leader --test-start-mode=leader",
            "--size=1 --mapping=(vector,(0,1,1)) --exit-mode=leader --start-mode=leader \
             --command=C -- B",
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        check("-s0", "--test-size argument must be > 0");
        check(
            "--test-rundir=/tmp",
            "--test-rundir only works with --test-size=N",
        );
        check(
            "--test-hosts=a",
            "--test-hosts only works with --test-size=N",
        );
        check(
            "--test-exit-mode=any",
            "--test-exit-mode only works with --test-size=N",
        );
        check(
            "-s1 --test-rundir=/nonexistent",
            "/nonexistent: not a directory",
        );
        check(
            "-s2 --test-hosts=a",
            "--test-hosts hostlist has incorrect size",
        );
        check(
            "-s1 --test-exit-mode=bad",
            "--test-exit-mode=bad: must be any or leader",
        );
        check(
            "-s1 --test-start-mode=bad",
            "--test-start-mode=bad: must be all or leader",
        );
        check(
            "-s1 --test-exit-timeout=-1",
            "--test-exit-timeout=-1: a duration is expected",
        );
        check(
            "-s2 --test-pmi-clique=[[0,1,1,1]]",
            "--test-pmi-clique=[[0,1,1,1]]: 1 brokers instead of 2",
        );
    }
}
