//! Commands that the broker runs on its way: rc scripts, cleanup commands, the
//! initial program (protocol/03 section 10).

use std::collections::VecDeque;
use std::time::Duration;

use node::{ChildEvent, ChildId, Cx, Spawn, Stdio};
use proto::attr::names;
use proto::data::job::WaitStatus;
use rexec::LoggedLines;

use crate::archives::{by_sh, quoted};
use crate::core::Broker;

/// Commands of one stage: one runs at a time.
pub struct Commands {
    name: &'static str,
    left: VecDeque<String>,
    /// Number of remaining commands, at the end, that are scripts of a directory.
    n_scripts: usize,
    /// The command that runs is one.
    is_script: bool,
    /// One of them has failed.
    has_failed_script: bool,
    index: usize,
    child: ChildId,
    /// The process of the command that runs, once it does.
    pid: Option<i32>,
    program: String,
    line: String,
    started: Duration,
    /// First exit code that was not 0.
    code: i32,
    aborted: bool,
    /// Exit status of the command, while its output may still come.
    ended: Option<i32>,
    /// Output streams that are still open.
    open_streams: u8,
    lines: LoggedLines,
}

/// A command as others see it.
pub(crate) struct Running<'a> {
    pub child: ChildId,
    pub pid: i32,
    pub program: &'a str,
    /// The stage that it belongs to.
    pub name: &'static str,
}

impl Commands {
    /// None yet, in the run level `name`.
    fn new(name: &'static str, now: Duration) -> Commands {
        Commands {
            name,
            left: VecDeque::new(),
            n_scripts: 0,
            is_script: false,
            has_failed_script: false,
            index: 0,
            child: ChildId(0),
            pid: None,
            program: String::new(),
            line: String::new(),
            started: now,
            code: 0,
            aborted: false,
            ended: None,
            open_streams: 0,
            lines: LoggedLines::default(),
        }
    }
}

/// Variables that commands must not inherit from the starter of the broker.
const NOT_INHERITED: &[&str] = &[
    "FLUX_JOB_ID",
    "FLUX_ENCLOSING_ID",
    "FLUX_JOB_SIZE",
    "FLUX_JOB_NNODES",
    "FLUX_JOB_TMPDIR",
    "FLUX_TASK_RANK",
    "FLUX_TASK_LOCAL_ID",
    "FLUX_URI",
    "FLUX_KVS_NAMESPACE",
    "FLUX_PROXY_REMOTE",
    "FLUX_PMI_LIBRARY_PATH",
    "I_MPI_PMI_LIBRARY",
    "NOTIFY_SOCKET",
];

/// The same by their beginning.
const NOT_INHERITED_PREFIXES: &[&str] = &["PMI_", "PMIX_", "SLURM_", "PALS_"];

/// Name of a signal by strsignal(3), as in the message about a job shell that was killed.
fn described(signal: i32) -> String {
    let sentence = WaitStatus::killed(signal).failure_text();
    let name = sentence
        .as_deref()
        .and_then(|text| text.strip_prefix("job shell "));
    name.map_or_else(|| format!("signal {signal}"), str::to_owned)
}

/// SIGHUP, which ends a command that is in the way.
const SIGHUP: i32 = 1;

impl Broker {
    /// Runs shell commands in order, also after one that fails; the first exit code
    /// that is not 0 counts.
    pub(crate) fn run_shell_commands(
        &mut self,
        cx: &mut Cx<Broker>,
        name: &'static str,
        left: VecDeque<String>,
    ) {
        self.commands = Some(Commands {
            left,
            ..Commands::new(name, cx.now().mono)
        });
        self.next_command(cx);
    }

    /// Reads crontab files, then runs the scripts of a folder.
    pub(crate) fn run_rc(
        &mut self,
        cx: &mut Cx<Broker>,
        name: &'static str,
        crontabs: &[String],
        scripts: Vec<String>,
    ) {
        let crontabs = crontabs.iter().map(|path| {
            let complaint = quoted(&format!("could not load crontab: {path}"));
            by_sh(&format!(
                "flux cron tab {} || {{ echo {complaint} >&2; exit 1; }}",
                quoted(path)
            ))
        });
        self.commands = Some(Commands {
            n_scripts: scripts.len(),
            left: crontabs.chain(scripts).collect(),
            ..Commands::new(name, cx.now().mono)
        });
        self.next_command(cx);
    }

    fn next_command(&mut self, cx: &mut Cx<Broker>) {
        let mut env = self.command_env();
        let shell = self
            .env
            .get("SHELL")
            .cloned()
            .unwrap_or_else(|| "/bin/bash".to_owned());
        let Some(commands) = &mut self.commands else {
            return;
        };
        commands.is_script = !commands.left.is_empty() && commands.left.len() <= commands.n_scripts;
        let Some(line) = commands.left.pop_front() else {
            let (name, code) = (commands.name, commands.code);
            if commands.has_failed_script {
                tracing::error!("{name}: one or more {name}.d scripts failed");
            }
            self.commands = None;
            return self.commands_done(cx, name, code);
        };
        if matches!(commands.name, "rc1" | "rc3") {
            env.push(("FLUX_RC_USE_MODPROBE".to_owned(), "t".to_owned()));
        }
        if commands.is_script {
            tracing::info!("{}.{}: running {line}", commands.name, commands.index);
        }
        commands.child = cx.spawn(Spawn {
            argv: vec![shell.clone(), "-c".to_owned(), line.clone()],
            env: Some(env),
            stdout: Stdio::Pipe,
            stderr: Stdio::Pipe,
            new_group: true,
            end_with_us: Some(SIGHUP),
            ..Spawn::default()
        });
        commands.pid = None;
        commands.program = shell;
        commands.line = line;
        commands.started = cx.now().mono;
        commands.ended = None;
        commands.open_streams = 2;
    }

    /// Runs the initial program, which has our standard streams.
    pub(crate) fn run_program(&mut self, cx: &mut Cx<Broker>, argv: Vec<String>) {
        // The line that logs show leaves out the user's shell, which is ours to name.
        let shell = self.env.get("SHELL").map_or("/bin/bash", String::as_str);
        let shown = match argv.as_slice() {
            [program, flag, line] if program == shell && flag == "-c" => line.clone(),
            argv => argv.join(" "),
        };
        let program = argv.first().cloned().unwrap_or_default();
        let child = cx.spawn(Spawn {
            argv,
            env: Some(self.command_env()),
            stdin: Stdio::Inherit,
            stdout: Stdio::Inherit,
            stderr: Stdio::Inherit,
            new_group: self.attrs.is_present(&names::BROKER_RC2_PGRP),
            // One without `#!` ends with 126, as with Flux.
            no_shell: true,
            end_with_us: Some(SIGHUP),
            ..Spawn::default()
        });
        self.commands = Some(Commands {
            child,
            pid: None,
            program,
            line: shown,
            ..Commands::new("rc2", cx.now().mono)
        });
    }

    fn command_env(&self) -> Vec<(String, String)> {
        let inherited = |name: &str| {
            !NOT_INHERITED.contains(&name)
                && !NOT_INHERITED_PREFIXES
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
        };
        let env = self.env.iter().filter(|(name, _)| inherited(name));
        let mut env: Vec<_> = env
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let uri = self.attrs.value(&names::LOCAL_URI).unwrap_or_default();
        env.push(("FLUX_URI".to_owned(), uri.to_owned()));
        if let Some(id) = self.attrs.value(&names::JOBID) {
            env.push(("FLUX_ENCLOSING_ID".to_owned(), id.to_owned()));
        }
        env
    }

    /// Something happened to the command that runs.
    pub(crate) fn stage_child(&mut self, cx: &mut Cx<Broker>, child: ChildId, event: ChildEvent) {
        let Some(commands) = &mut self.commands else {
            return;
        };
        if commands.child != child {
            return;
        }
        match event {
            ChildEvent::Started { pid } => commands.pid = Some(pid),
            ChildEvent::Output { stream, data, eof } => {
                let name = format!("{}.{}", commands.name, commands.index);
                commands.lines.push(&name, stream, &data, eof);
                commands.open_streams -= u8::from(eof);
            }
            ChildEvent::Failed { errno } => {
                let code = if errno == wire::Errno::ENOENT {
                    127
                } else {
                    126
                };
                tracing::error!(
                    "{}.{}: {}: {errno}",
                    commands.name,
                    commands.index,
                    commands.line
                );
                commands.open_streams = 0;
                commands.ended = Some(code);
            }
            ChildEvent::Exited { status } => {
                let signal = status & 0x7f;
                let code = if signal == 0 {
                    status >> 8 & 0xff
                } else {
                    128 + signal
                };
                commands.log_end(cx.now().mono, code, signal);
                commands.ended = Some(code);
            }
            ChildEvent::InputTaken { .. }
            | ChildEvent::Channel { .. }
            | ChildEvent::ChannelTaken { .. }
            | ChildEvent::Stopped => {}
        }
        if commands.open_streams == 0 && commands.ended.is_some() {
            commands.finish_one();
            self.next_command(cx);
        }
    }

    /// Ends the command that runs, and those behind it. `false` when there is none.
    pub(crate) fn abort_commands(&mut self, cx: &mut Cx<Broker>) -> bool {
        let Some(commands) = &mut self.commands else {
            return false;
        };
        commands.left.clear();
        commands.aborted = true;
        cx.kill_child(commands.child, SIGHUP, true);
        true
    }
}

impl Commands {
    /// The command that runs.
    pub(crate) fn running(&self) -> Option<Running<'_>> {
        Some(Running {
            child: self.child,
            pid: self.pid.filter(|_| self.ended.is_none())?,
            program: &self.program,
            name: self.name,
        })
    }

    fn log_end(&self, now: Duration, code: i32, signal: i32) {
        let how = if signal == 0 {
            "Exited".to_owned()
        } else {
            described(signal)
        };
        let spent = (now - self.started).as_secs_f64();
        let (name, index, line) = (self.name, self.index, &self.line);
        if code == 0 {
            tracing::info!("{name}.{index}: {line} {how} (rc={code}) {spent:.1}s");
        } else {
            tracing::error!("{name}.{index}: {line} {how} (rc={code}) {spent:.1}s");
        }
    }

    fn finish_one(&mut self) {
        let code = self.ended.take().unwrap_or(0);
        // An aborted stage has failed, even if its command has not.
        let code = if self.aborted && code == 0 { 1 } else { code };
        if self.is_script && code != 0 {
            let (name, index, line) = (self.name, self.index, &self.line);
            tracing::error!("{name}.{index}: {line} failed with exit code {code}");
            self.has_failed_script = true;
        }
        if self.code == 0 {
            self.code = code;
        }
        self.index += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::described;

    #[test]
    fn signals_have_the_names_of_strsignal() {
        assert_eq!(described(9), "Killed");
        assert_eq!(described(15), "Terminated");
    }
}
