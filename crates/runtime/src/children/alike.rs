//! Starting children that are alike, thousands of them by one parent. Shared parameters are
//! prepared once, and the parent's memory is not copied: the child borrows it until it has
//! become its program, as with vfork(2), and the parent waits for that.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};
use node::{Alike, ChildId, OutPath, Spawn, Stdio};
use rustix::process::Pid;

use super::{ChildFd, Children, Running, Stream};
use crate::poller::Poller;
use crate::prepare::Start;

/// The shell for a file that the kernel does not know, as execvp(3) has it.
const SHELL: &std::ffi::CStr = c"/bin/sh";

/// Exit code of a child that could not become its program. Nobody sees it.
const FAILED: libc::c_int = 127;

/// Bytes that a child has as its stack before it is its program.
const STACK_BYTES: usize = 64 * 1024;

/// Launcher of such children.
#[derive(Default)]
pub struct Launcher {
    /// The stack of one child at a time.
    stack: Vec<u128>,
    /// Nothing to read.
    null: Option<File>,
}

/// A child that was started.
pub struct Started {
    pub pid: i32,
    pub pidfd: OwnedFd,
    /// Our ends of its output.
    pub streams: [Option<OwnedFd>; 2],
}

/// All that the child needs, in memory that it shares with us.
struct Plan {
    start: Start,
    stdio: [RawFd; 3],
    new_group: bool,
    program: *const libc::c_char,
    /// Words, behind a place for the shell's own.
    argv: Vec<*const libc::c_char>,
    env: Vec<*const libc::c_char>,
    /// Error of setting it up.
    errno: libc::c_int,
}

impl Launcher {
    /// Starts a child.
    ///
    /// # Errors
    /// One of its files cannot be opened, or it cannot become its program.
    pub fn start(
        &mut self,
        spawn: &Spawn,
        alike: &Arc<Alike>,
        descriptors: Option<(u64, u64)>,
    ) -> io::Result<Started> {
        let input = match &spawn.stdin_path {
            Some(path) => Some(File::open(path)?),
            None => None,
        };
        if input.is_none() && self.null.is_none() {
            self.null = Some(File::open("/dev/null")?);
        }
        let (streams, theirs) = outputs(spawn)?;
        let words = c_strings(spawn.argv.iter().map(String::as_str))?;
        let own = spawn.env_add.iter();
        let own: Vec<String> = own.map(|(name, value)| format!("{name}={value}")).collect();
        let own = c_strings(own.iter().map(String::as_str))?;
        let argv = match words.is_empty() {
            true => &alike.argv,
            false => &words,
        };
        let input = input.as_ref().or(self.null.as_ref()).map(AsFd::as_fd);
        let [out, err] = &theirs;
        let fd = |fd: Option<BorrowedFd<'_>>| fd.map_or(-1, |fd| fd.as_raw_fd());
        let mut plan = Plan {
            start: Start::new(spawn, &[], descriptors),
            stdio: [
                fd(input),
                fd(out.as_ref().map(AsFd::as_fd)),
                fd(err.as_ref().map(AsFd::as_fd)),
            ],
            new_group: spawn.new_group,
            program: alike.program.as_ptr(),
            argv: std::iter::once(SHELL.as_ptr())
                .chain(argv.iter().map(|word| word.as_ptr()))
                .chain([std::ptr::null()])
                .collect(),
            env: pointers(alike.env.iter().chain(&own)),
            errno: 0,
        };
        let (pid, pidfd) = self.clone_self(&mut plan)?;
        Ok(Started {
            pid,
            pidfd,
            streams,
        })
    }

    /// Makes the child, and waits until it has become its program.
    fn clone_self(&mut self, plan: &mut Plan) -> io::Result<(i32, OwnedFd)> {
        self.stack.resize(STACK_BYTES / size_of::<u128>(), 0);
        let top = self.stack.as_mut_ptr_range().end;
        // A handler that ran in the child would do so in our memory.
        let mut before = SigSet::empty();
        pthread_sigmask(
            SigmaskHow::SIG_SETMASK,
            Some(&SigSet::all()),
            Some(&mut before),
        )?;
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
        let mut pidfd: libc::c_int = -1;
        // SAFETY: the child runs `become_program` on a stack of its own and with a plan that
        // nobody else touches: this thread is held until the child has left our memory.
        // It makes system calls and writes to the plan, nothing else.
        let pid = unsafe {
            libc::clone(
                become_program,
                top.cast(),
                flags,
                std::ptr::from_mut(plan).cast(),
                &raw mut pidfd,
            )
        };
        let error = io::Error::last_os_error();
        pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
        if pid < 0 {
            return Err(error);
        }
        // SAFETY: the kernel has just made it for us.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        // Written by the child through another pointer.
        // SAFETY: a number in our own memory, and the child has left that.
        let errno = unsafe { std::ptr::read_volatile(&raw const plan.errno) };
        if errno != 0 {
            let pid = rustix::process::Pid::from_raw(pid);
            let _ = rustix::process::waitpid(pid, rustix::process::WaitOptions::empty());
            return Err(io::Error::from_raw_os_error(errno));
        }
        Ok((pid, pidfd))
    }
}

impl Children {
    /// Starts one of many children that are alike, and watches it.
    pub(super) fn try_spawn_alike(
        &mut self,
        child: ChildId,
        (spawn, alike): (&Spawn, &Arc<Alike>),
        poller: &Poller,
        token: impl Fn(ChildId, ChildFd) -> u64,
    ) -> std::io::Result<i32> {
        let started = self.launcher.start(spawn, alike, self.descriptors)?;
        poller.add(&started.pidfd, token(child, ChildFd::Exit))?;
        let watch = |fd: Option<OwnedFd>, which| -> std::io::Result<Option<Stream>> {
            let Some(fd) = fd else {
                return Ok(None);
            };
            let stream = Stream::new(File::from(fd));
            stream.begin(token(child, which), poller)?;
            Ok(Some(stream))
        };
        let [stdout, stderr] = started.streams;
        let running = Running {
            pid: Pid::from_raw(started.pid),
            pidfd: Some(started.pidfd),
            early: Vec::new(),
            stdin: None,
            input: Vec::new(),
            close_input: false,
            stdout: watch(stdout, ChildFd::Stdout)?,
            stderr: watch(stderr, ChildFd::Stderr)?,
            leads_group: spawn.new_group,
            tells_stops: spawn.tell_stops,
            channels: Vec::new(),
        };
        self.running.insert(child, running);
        Ok(started.pid)
    }
}

/// The child, up to its program.
extern "C" fn become_program(plan: *mut libc::c_void) -> libc::c_int {
    // SAFETY: it is the plan that was given to clone(2), which lives on in the parent, which
    // is held.
    let plan = unsafe { &mut *plan.cast::<Plan>() };
    let error = plan.run();
    plan.errno = error.raw_os_error().unwrap_or(libc::EIO);
    // SAFETY: ends this process, without what ends its memory.
    unsafe { libc::_exit(FAILED) }
}

impl Plan {
    /// Returns only if it fails.
    fn run(&mut self) -> io::Error {
        for (to, from) in (0..).zip(self.stdio) {
            // SAFETY: numbers, of which those from 3 on are open; one that stays the same must
            // not be closed by exec.
            let done = unsafe {
                match from == to {
                    true => libc::fcntl(to, libc::F_SETFD, 0),
                    false if from < 0 => 0,
                    false => libc::dup2(from, to),
                }
            };
            if done < 0 {
                return io::Error::last_os_error();
            }
        }
        // SAFETY: about this process alone.
        if self.new_group && unsafe { libc::setpgid(0, 0) } < 0 {
            return io::Error::last_os_error();
        }
        if let Err(error) = self.start.make() {
            return error;
        }
        // SAFETY: strings and lists of them that end as C wants it, and live in the parent.
        unsafe { libc::execve(self.program, self.argv[1..].as_ptr(), self.env.as_ptr()) };
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::ENOEXEC) || self.argv.len() < 3 {
            return error;
        }
        self.run_script()
    }

    fn run_script(&mut self) -> io::Error {
        // The program's name for itself gives way to its file.
        if let Some(word) = self.argv.get_mut(1) {
            *word = self.program;
        }
        // SAFETY: as above; the list begins with the shell's own name.
        unsafe { libc::execve(SHELL.as_ptr(), self.argv.as_ptr(), self.env.as_ptr()) };
        io::Error::last_os_error()
    }
}

/// Our ends of the output of a child, and the child's.
type Outputs = ([Option<OwnedFd>; 2], [Option<OwnedFd>; 2]);

fn outputs(spawn: &Spawn) -> io::Result<Outputs> {
    let [mut ours, mut theirs] = [[None, None], [None, None]];
    for (at, stdio) in [spawn.stdout, spawn.stderr].into_iter().enumerate() {
        theirs[at] = match &spawn.out_paths[at] {
            // Both write to one file, and neither over the other.
            Some(_) if at == 1 && spawn.out_paths[0] == spawn.out_paths[1] => {
                theirs[0].as_ref().map(OwnedFd::try_clone).transpose()?
            }
            Some(path) => Some(open(path)?),
            None if stdio == Stdio::Inherit => None,
            None if stdio == Stdio::Null => {
                Some(OpenOptions::new().write(true).open("/dev/null")?.into())
            }
            None => {
                let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
                ours[at] = Some(read);
                Some(write)
            }
        };
    }
    Ok((ours, theirs))
}

fn open(file: &OutPath) -> io::Result<OwnedFd> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).append(file.append);
    options.truncate(!file.append).mode(0o666);
    Ok(options.open(&file.path)?.into())
}

fn c_strings<'a>(texts: impl Iterator<Item = &'a str>) -> io::Result<Vec<CString>> {
    let texts = texts.map(CString::new);
    Ok(texts.collect::<Result<_, _>>()?)
}

fn pointers<'a>(strings: impl Iterator<Item = &'a CString>) -> Vec<*const libc::c_char> {
    let pointers = strings.map(|text| text.as_ptr());
    pointers.chain([std::ptr::null()]).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Checks the output of a child with this program and these arguments; the error number
    /// if it cannot be started.
    fn check(
        program: &str,
        words: &[&str],
        change: impl FnOnce(&mut Spawn),
        expect: Result<&str, i32>,
    ) {
        let c = |text: &str| CString::new(text).unwrap();
        let alike = Arc::new(Alike {
            program: c(program),
            argv: vec![c("name"), c("-c"), c("printf \"$0 $SHARED $OWN $#\"")],
            env: vec![c("SHARED=1")],
        });
        let mut spawn = Spawn {
            argv: words.iter().map(|word| (*word).to_owned()).collect(),
            env_add: vec![("OWN".to_owned(), "2".to_owned())],
            stdout: Stdio::Pipe,
            stderr: Stdio::Null,
            new_group: true,
            ..Spawn::default()
        };
        change(&mut spawn);
        let started = Launcher::default().start(&spawn, &alike, None);
        let outcome = started.map(|started| {
            let mut text = String::new();
            let [out, _] = started.streams;
            if let Some(out) = out {
                File::from(out).read_to_string(&mut text).unwrap();
            }
            let pid = rustix::process::Pid::from_raw(started.pid);
            rustix::process::waitpid(pid, rustix::process::WaitOptions::empty()).unwrap();
            text
        });
        let outcome = outcome.map_err(|error| error.raw_os_error().unwrap_or(0));
        assert_eq!(
            outcome.as_deref().map_err(|errno| *errno),
            expect,
            "{program} {words:?}"
        );
    }

    fn same(_: &mut Spawn) {}

    #[test]
    fn a_child_has_what_all_share_and_its_own() {
        check("/bin/sh", &[], same, Ok("name 1 2 0"));
        check("/bin/sh", &["x", "-c", "echo $OWN"], same, Ok("2\n"));
        check("/bin/sh", &["x", "-c", "cat; echo end"], same, Ok("end\n"));
        // It leads a group, is told signals, and nothing of ours is open.
        check(
            "/bin/sh",
            &["x", "-c", "ls /proc/$$/fd | wc -l"],
            same,
            Ok("3\n"),
        );
    }

    #[test]
    fn one_that_is_not_there_says_so() {
        check("/nonexistent", &[], same, Err(libc::ENOENT));
        check("/etc/passwd", &[], same, Err(libc::EACCES));
        let missing = |spawn: &mut Spawn| spawn.stdin_path = Some("/nonexistent".to_owned());
        check("/bin/sh", &[], missing, Err(libc::ENOENT));
    }

    #[test]
    fn a_file_that_the_kernel_does_not_know_is_a_script() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("script");
        std::fs::write(&file, "echo $1 $OWN\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        let file = file.to_str().unwrap();
        check(file, &["script", "word"], same, Ok("word 2\n"));
    }

    #[test]
    fn both_streams_may_go_to_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out").to_str().unwrap().to_owned();
        for (append, expect) in [(false, "a\nb\nc\n"), (true, "a\nb\nc\na\nb\nc\n")] {
            let to = Some(OutPath {
                path: path.clone(),
                append,
            });
            let change = |spawn: &mut Spawn| spawn.out_paths = [to.clone(), to];
            check(
                "/bin/sh",
                &["x", "-c", "echo a; echo b >&2; echo c"],
                change,
                Ok(""),
            );
            assert_eq!(std::fs::read_to_string(&path).unwrap(), expect);
        }
    }
}
