//! Commands that are accepted, and their start (RFC 42).

use node::{Spawn, Stdio};
use proto::rexec::{Command, Exec, ExecError, flags, local_flags};

/// Signal for a process when the broker dies, even without notice.
const SIGKILL: i32 = 9;

/// Checks a request, before anything is known of other processes.
pub(super) fn check(request: &Exec, in_background: bool) -> Result<(), ExecError> {
    let has = |bit| request.flags & bit != 0;
    let falls_through = request.local_flags.unwrap_or(0) & local_flags::STDIO_FALLTHROUGH != 0;
    let cmd = &request.cmd;
    match () {
        () if cmd.cmdline.is_empty() => Err(ExecError::EmptyCommand),
        () if cmd.label.as_deref() == Some("") => Err(ExecError::EmptyLabel),
        () if !cmd.msgchans.is_empty() => Err(ExecError::MessageChannels),
        () if !in_background && has(flags::WAITABLE) => Err(ExecError::WaitableInForeground),
        () if !in_background => Ok(()),
        () if has(flags::WRITE_CREDIT) => Err(ExecError::CreditInBackground),
        () if !cmd.channels.is_empty() => Err(ExecError::ChannelsInBackground),
        () if falls_through => Err(ExecError::FallthroughInBackground),
        () => Ok(()),
    }
}

/// Parameters for starting a command. Of a background process the broker itself takes the
/// output.
pub(super) fn spawn(request: &Exec, in_background: bool, env: Vec<(String, String)>) -> Spawn {
    let local = request.local_flags.unwrap_or(0);
    let falls_through = local & local_flags::STDIO_FALLTHROUGH != 0;
    let output = |bit| match (falls_through, in_background || request.flags & bit != 0) {
        (true, _) => Stdio::Inherit,
        (false, true) => Stdio::Pipe,
        (false, false) => Stdio::Null,
    };
    Spawn {
        argv: request.cmd.cmdline.clone(),
        env: Some(env),
        cwd: request.cmd.cwd.clone(),
        stdin: match (falls_through, in_background) {
            (true, _) => Stdio::Inherit,
            (false, true) => Stdio::Null,
            (false, false) => Stdio::Pipe,
        },
        stdout: output(flags::STDOUT),
        stderr: output(flags::STDERR),
        new_group: local & local_flags::NO_SETPGRP == 0,
        end_with_us: Some(SIGKILL),
        tell_stops: !in_background,
        socketpairs: request.cmd.channels.clone(),
        ..Spawn::default()
    }
}

/// A command as listings show it: its program, with the sub-command of `flux`.
pub(super) fn shown(cmd: &Command) -> String {
    match cmd.cmdline.as_slice() {
        [program, name, ..] if program == "flux" => format!("flux {name}"),
        [program, ..] => program.clone(),
        [] => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(words: &[&str], flags: u32, local_flags: Option<u32>) -> Exec {
        let cmd = Command {
            cmdline: words.iter().map(|word| (*word).to_owned()).collect(),
            ..Command::default()
        };
        Exec {
            cmd,
            flags,
            local_flags,
            output_credit: None,
            env_add: Default::default(),
        }
    }

    #[test]
    fn flags_fit_the_mode_they_are_used_in() {
        let refused = |request: &Exec, in_background| check(request, in_background).err();
        let plain = |flags| request(&["true"], flags, None);
        assert_eq!(refused(&plain(15), false), None);
        assert_eq!(refused(&plain(16 | 7), true), None);
        let waitable = Some(ExecError::WaitableInForeground);
        assert_eq!(refused(&plain(16), false), waitable);
        assert_eq!(
            refused(&plain(8), true),
            Some(ExecError::CreditInBackground)
        );
        let through = request(&["true"], 0, Some(1));
        assert_eq!(refused(&through, false), None);
        assert_eq!(
            refused(&through, true),
            Some(ExecError::FallthroughInBackground)
        );
        let mut channels = plain(0);
        channels.cmd.channels.push("FD".to_owned());
        assert_eq!(refused(&channels, false), None);
        assert_eq!(
            refused(&channels, true),
            Some(ExecError::ChannelsInBackground)
        );
        assert_eq!(
            refused(&request(&[], 0, None), true),
            Some(ExecError::EmptyCommand)
        );
    }

    #[test]
    fn streams_are_what_the_flags_say() {
        let streams = |flags, local, in_background| {
            let request = request(&["true"], flags, local);
            let spawn = spawn(&request, in_background, Vec::new());
            (spawn.stdin, spawn.stdout, spawn.stderr, spawn.new_group)
        };
        use Stdio::{Inherit, Null, Pipe};
        assert_eq!(streams(3, None, false), (Pipe, Pipe, Pipe, true));
        assert_eq!(streams(2, Some(2), false), (Pipe, Null, Pipe, false));
        assert_eq!(streams(0, None, true), (Null, Pipe, Pipe, true));
        assert_eq!(
            streams(3, Some(1), false),
            (Inherit, Inherit, Inherit, true)
        );
    }

    #[test]
    fn a_sub_command_of_flux_is_shown_by_its_name() {
        for (words, expect) in [
            (&["flux", "run", "x"][..], "flux run"),
            (&["flux"], "flux"),
            (&["/bin/sh", "-c", "x"], "/bin/sh"),
        ] {
            assert_eq!(shown(&request(words, 0, None).cmd), expect);
        }
    }
}
