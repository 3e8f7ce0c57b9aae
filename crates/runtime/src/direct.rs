//! Running of programs that the kernel must know. execvp(3), by which other children are run,
//! hands a file that the kernel does not know to the shell, as a script without `#!`.

use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use nix::libc;
use node::Spawn;

/// Folders of programs when no variable names them, as execvp(3) has it.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// All that execve(2) needs, made before the fork: nothing may be allocated after it.
pub struct Direct {
    /// Files to try, in order.
    files: Vec<CString>,
    /// True if they are searched.
    is_searched: bool,
    argv: Strings,
    env: Strings,
}

/// Strings as C has lists of them.
struct Strings {
    _owned: Vec<CString>,
    /// Into those, with a null pointer at the end.
    pointers: Vec<*const libc::c_char>,
}

// SAFETY: the pointers are into strings that stay where they are as long as this lives, and
// that nothing writes to.
unsafe impl Send for Strings {}
// SAFETY: as above.
unsafe impl Sync for Strings {}

impl Strings {
    fn new(owned: Vec<CString>) -> Strings {
        let pointers = owned.iter().map(|text| text.as_ptr());
        let pointers = pointers.chain([std::ptr::null()]).collect();
        Strings {
            _owned: owned,
            pointers,
        }
    }
}

impl Direct {
    /// Of a program in this environment, to which `Spawn` adds.
    ///
    /// # Errors
    /// A word has a zero byte.
    pub fn new(spawn: &Spawn, inherited: Vec<(OsString, OsString)>) -> io::Result<Direct> {
        let text = |(name, value): &(String, String)| (name.into(), value.into());
        let given = spawn.env.as_ref().map(|env| env.iter().map(text).collect());
        let mut env: BTreeMap<OsString, OsString> =
            given.unwrap_or_else(|| inherited.into_iter().collect());
        env.extend(spawn.env_add.iter().map(text));
        let path = env.get(&OsString::from("PATH")).cloned();
        let program = spawn.argv.first().map_or("", String::as_str);
        let is_searched = !program.contains('/');
        let files: Vec<Vec<u8>> = match is_searched {
            false => vec![program.into()],
            true => {
                let path = path.unwrap_or_else(|| DEFAULT_PATH.into());
                let folders = path.as_bytes().split(|byte| *byte == b':');
                let file = |folder: &[u8]| match folder {
                    b"" => program.into(),
                    folder => [folder, program.as_bytes()].join(&b'/'),
                };
                folders.map(file).collect()
            }
        };
        let env = env.into_iter().map(|(name, value)| {
            let mut bytes = name.into_vec();
            bytes.push(b'=');
            bytes.extend_from_slice(value.as_bytes());
            bytes
        });
        let argv = spawn.argv.iter().map(|arg| arg.clone().into_bytes());
        Ok(Direct {
            files: c_strings(files)?,
            is_searched,
            argv: Strings::new(c_strings(argv)?),
            env: Strings::new(c_strings(env)?),
        })
    }

    /// Becomes the program; returns why not.
    pub fn exec(&self) -> io::Error {
        let mut failed = libc::ENOENT;
        for file in &self.files {
            // SAFETY: strings and lists that end as C wants them, and live.
            unsafe {
                libc::execve(
                    file.as_ptr(),
                    self.argv.pointers.as_ptr(),
                    self.env.pointers.as_ptr(),
                )
            };
            // Only system calls may be made here: this reads a number.
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) if self.is_searched => {}
                Some(libc::EACCES) if self.is_searched => failed = libc::EACCES,
                _ => return error,
            }
        }
        io::Error::from_raw_os_error(failed)
    }
}

fn c_strings(texts: impl IntoIterator<Item = Vec<u8>>) -> io::Result<Vec<CString>> {
    let texts = texts.into_iter().map(CString::new);
    Ok(texts.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use node::{ChildEvent, ChildId, Stdio};
    use wire::Errno;

    use super::*;
    use crate::children::Children;
    use crate::poller::Poller;

    /// Checks how a file `tool` with this text and mode is run, and whether it is
    /// searched.
    fn check(text: &str, mode: u32, (no_shell, is_searched): (bool, bool), want: Option<Errno>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tool");
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let place = folder.path().to_str().unwrap();
        let program = match is_searched {
            true => "tool".to_owned(),
            false => format!("{place}/tool"),
        };
        let spawn = Spawn {
            argv: vec![program, "one".to_owned()],
            env: Some(vec![("PATH".to_owned(), format!("/no/such:{place}"))]),
            env_add: vec![("TOLD".to_owned(), place.to_owned())],
            stdin: Stdio::Null,
            no_shell,
            ..Spawn::default()
        };
        let (mut children, mut poller) = (Children::default(), Poller::new().unwrap());
        let event = children.spawn(ChildId(1), &spawn, &poller, |_, fd| fd.number());
        let got = match event {
            ChildEvent::Failed { errno } => Some(errno),
            _ => None,
        };
        assert_eq!(got, want, "{text:?} {mode:o} {no_shell} {is_searched}");
        if got.is_none() && no_shell {
            // Its end, which nothing but its descriptor tells.
            poller.wait(None).unwrap();
            assert!(
                folder.path().join("ran-one").exists(),
                "it has its environment and words"
            );
        }
    }

    #[test]
    fn a_program_is_what_the_kernel_runs() {
        let script = "#!/bin/sh\n: >$TOLD/ran-$1\n";
        for is_searched in [false, true] {
            check(script, 0o755, (true, is_searched), None);
            check(
                ": plain\n",
                0o755,
                (true, is_searched),
                Some(Errno::ENOEXEC),
            );
            check(": plain\n", 0o755, (false, is_searched), None);
            check(script, 0o644, (true, is_searched), Some(Errno::EACCES));
        }
        check("#!/no/such\n", 0o755, (true, false), Some(Errno::ENOENT));
    }
}
