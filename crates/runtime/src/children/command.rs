//! Command of a child, built from a request.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use node::{Spawn, Stdio};

use crate::channel::Channel;
use crate::direct::Direct;
use crate::prepare::{Start, in_child};

/// The command of a child with these channels and this terminal, whose limits on descriptors are
/// set to those given.
pub(super) fn command(
    spawn: &Spawn,
    (channels, terminal): (&[Channel], Option<&OwnedFd>),
    descriptors: Option<(u64, u64)>,
) -> std::io::Result<Command> {
    let (program, args) = spawn
        .argv
        .split_first()
        .ok_or_else(|| std::io::Error::from(ErrorKind::InvalidInput))?;
    let mut command = Command::new(program);
    command.args(args);
    if let Some(env) = &spawn.env {
        command.env_clear();
        command.envs(env.iter().map(|(name, value)| (name, value)));
    }
    command.envs(spawn.env_add.iter().map(|(name, value)| (name, value)));
    if let Some(cwd) = &spawn.cwd {
        command.current_dir(cwd);
    }
    // A session is a group of its own, and no leader of one can begin it.
    if spawn.new_group && terminal.is_none() {
        command.process_group(0);
    }
    for channel in channels {
        command.env(&channel.name, channel.theirs_number().to_string());
    }
    let direct = spawn
        .no_shell
        .then(|| direct(spawn, channels))
        .transpose()?;
    let start = Start::new(spawn, channels, descriptors);
    in_child(&mut command, start, direct);
    let stream = |other: Stdio| -> std::io::Result<std::process::Stdio> {
        Ok(match terminal {
            Some(terminal) => terminal.try_clone()?.into(),
            None => stdio(other),
        })
    };
    command.stdin(match &spawn.stdin_path {
        Some(path) => std::fs::File::open(path)?.into(),
        None => stream(spawn.stdin)?,
    });
    command.stdout(stream(spawn.stdout)?);
    command.stderr(stream(spawn.stderr)?);
    Ok(command)
}

fn direct(spawn: &Spawn, channels: &[Channel]) -> std::io::Result<Direct> {
    let mut spawn = spawn.clone();
    for channel in channels {
        let number = channel.theirs_number().to_string();
        spawn.env_add.push((channel.name.clone(), number));
    }
    Direct::new(&spawn, std::env::vars_os().collect())
}

fn stdio(stdio: Stdio) -> std::process::Stdio {
    match stdio {
        Stdio::Inherit => std::process::Stdio::inherit(),
        Stdio::Null => std::process::Stdio::null(),
        Stdio::Pipe | Stdio::Lifeline => std::process::Stdio::piped(),
    }
}
