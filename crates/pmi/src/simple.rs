//! PMI-1 over its wire protocol: lines on a socket that the launcher left open for us
//! (RFC 13). Protocol of MPICH's hydra, of a Flux job shell and of `flux start`.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, poll};

use crate::client::{Error, Info, Method};
use crate::limits::{LINE_BYTES_MAX, SIZE_MAX};
use crate::line::{value, word};
use crate::process::Limits;

/// The socket, and received bytes that were not read.
pub(crate) struct Simple {
    stream: UnixStream,
    buffer: Vec<u8>,
    program: String,
    limits: Limits,
    interrupt: Option<OwnedFd>,
}

impl Simple {
    /// Takes the socket that the environment names, and greets the launcher.
    pub(crate) fn open(
        env: &BTreeMap<String, String>,
        interrupt: Option<OwnedFd>,
    ) -> Result<(Info, Simple), Error> {
        let number = |name: &str| {
            let text = env.get(name);
            let text =
                text.ok_or_else(|| Error::NotHere(format!("{name} not found in environ")))?;
            text.parse::<u32>()
                .map_err(|_| Error::Broken(format!("{name}={text}: not a number")))
        };
        let (fd, rank, size) = (number("PMI_FD")?, number("PMI_RANK")?, number("PMI_SIZE")?);
        if rank >= size || size > SIZE_MAX {
            return Err(Error::Broken(format!("PMI_RANK={rank} of PMI_SIZE={size}")));
        }
        let stream = inherited(fd)?;
        let mut simple = Simple {
            stream,
            buffer: Vec::new(),
            program: String::new(),
            limits: Limits::default(),
            interrupt,
        };
        simple.ask(
            "cmd=init pmi_version=1 pmi_subversion=1",
            "response_to_init",
        )?;
        let maxes = simple.ask("cmd=get_maxes", "maxes")?;
        simple.limits = Limits::read(&maxes);
        let line = simple.ask("cmd=get_my_kvsname", "my_kvsname")?;
        let program = word(&line, "kvsname").unwrap_or_default().to_owned();
        simple.program.clone_from(&program);
        let info = Info {
            rank,
            size,
            name: program,
        };
        Ok((info, simple))
    }

    /// Limits of the launcher.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Number of processes that the launcher can start.
    pub(crate) fn universe_size(&mut self) -> Result<u32, Error> {
        self.number("cmd=get_universe_size", "universe_size", "size")
    }

    /// Number of the program among those that were started together.
    pub(crate) fn appnum(&mut self) -> Result<u32, Error> {
        self.number("cmd=get_appnum", "appnum", "appnum")
    }

    fn number(&mut self, line: &str, expect: &str, key: &str) -> Result<u32, Error> {
        let answer = self.ask(line, expect)?;
        let number = word(&answer, key).and_then(|text| text.parse().ok());
        number.ok_or_else(|| Error::Broken(format!("{expect}: {key} is not a number")))
    }

    /// Sends a line and returns the answer, which has to be `expect`.
    fn ask(&mut self, line: &str, expect: &str) -> Result<String, Error> {
        self.send_line(line)?;
        let answer = self.line()?;
        if word(&answer, "cmd") != Some(expect) {
            let shown: String = answer.chars().take(80).collect();
            return Err(Error::Broken(format!(
                "launcher said '{shown}' instead of {expect}"
            )));
        }
        match word(&answer, "rc").map(str::parse::<i32>) {
            None | Some(Ok(0)) => Ok(answer),
            Some(Ok(code)) => Err(Error::Refused(code)),
            Some(Err(_)) => Err(Error::Broken(format!("{expect}: rc is not a number"))),
        }
    }

    fn send_line(&mut self, line: &str) -> Result<(), Error> {
        if line.contains('\n') || line.len() >= LINE_BYTES_MAX {
            return Err(Error::Broken("a line of PMI is one short line".to_owned()));
        }
        let line = format!("{line}\n");
        self.stream.write_all(line.as_bytes()).map_err(gone)
    }

    fn line(&mut self) -> Result<String, Error> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if self.buffer.len() > LINE_BYTES_MAX {
                return Err(Error::Broken("line too long".to_owned()));
            }
            self.wait()?;
            let mut piece = [0; 4096];
            let n = self.stream.read(&mut piece).map_err(gone)?;
            if n == 0 {
                return Err(Error::Broken(
                    "the launcher has closed the connection".to_owned(),
                ));
            }
            self.buffer.extend_from_slice(&piece[..n]);
        }
    }

    /// Until the launcher speaks, or a signal comes.
    fn wait(&self) -> Result<(), Error> {
        let Some(interrupt) = &self.interrupt else {
            return Ok(());
        };
        let mut both = [
            PollFd::new(&self.stream, PollFlags::IN),
            PollFd::new(interrupt, PollFlags::IN),
        ];
        loop {
            match poll(&mut both, None) {
                Ok(_) if both[1].revents().contains(PollFlags::IN) => {
                    return Err(Error::Interrupted);
                }
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(gone(error.into())),
            }
        }
    }
}

impl Method for Simple {
    fn put(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let line = format!("cmd=put kvsname={} key={key} value={value}", self.program);
        self.ask(&line, "put_result").map(drop)
    }

    fn get(&mut self, key: &str, _from: Option<u32>) -> Result<String, Error> {
        let line = format!("cmd=get kvsname={} key={key}", self.program);
        let answer = self.ask(&line, "get_result")?;
        let value = value(&answer).map(str::to_owned);
        value.ok_or_else(|| Error::Broken(format!("{key}: the answer has no value")))
    }

    fn barrier(&mut self) -> Result<(), Error> {
        self.ask("cmd=barrier_in", "barrier_out").map(drop)
    }

    fn finalize(&mut self) -> Result<(), Error> {
        self.ask("cmd=finalize", "finalize_ack").map(drop)
    }

    fn abort(&mut self, code: i32, message: &str) -> Result<(), Error> {
        let message = message.replace('\n', " ");
        self.send_line(&format!("cmd=abort exitcode={code} error_msg={message}"))
    }
}

/// The socket with this number, which only we hold from now on and no child inherits.
fn inherited(fd: u32) -> Result<UnixStream, Error> {
    let not_open = || Error::Broken(format!("PMI_FD={fd}: no such descriptor is open"));
    let number = i32::try_from(fd).ok().filter(|fd| *fd > 2);
    let number = number.ok_or_else(not_open)?;
    // Asked by path: there is nothing that is sound to borrow before we know.
    if !std::path::Path::new(&format!("/proc/self/fd/{number}")).exists() {
        return Err(not_open());
    }
    // SAFETY: it is open, and by the contract of PMI it was opened for us alone.
    let owned = unsafe { OwnedFd::from_raw_fd(number) };
    rustix::io::fcntl_setfd(owned.as_fd(), rustix::io::FdFlags::CLOEXEC)
        .map_err(|error| gone(error.into()))?;
    Ok(UnixStream::from(owned))
}

fn gone(error: std::io::Error) -> Error {
    Error::Broken(format!("cannot talk to the launcher: {error}"))
}

#[cfg(test)]
mod tests {
    use std::os::fd::IntoRawFd;

    use super::*;
    use crate::server::{Effect, Server};

    /// Serves one process over a socket until it hangs up.
    fn launcher(mut stream: UnixStream) -> std::thread::JoinHandle<()> {
        std::thread::spawn(move || {
            let mut server = Server::new("ƒNH", 1, BTreeMap::new());
            let mut piece = [0; 100];
            while let Ok(n @ 1..) = stream.read(&mut piece) {
                for effect in server.receive(0, &piece[..n]) {
                    if let Effect::Reply { line, .. } = effect {
                        stream.write_all(line.as_bytes()).unwrap();
                    }
                }
            }
        })
    }

    fn env(fd: i32, rank: &str, size: &str) -> BTreeMap<String, String> {
        let fd = fd.to_string();
        [
            ("PMI_FD", fd.as_str()),
            ("PMI_RANK", rank),
            ("PMI_SIZE", size),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    #[test]
    fn it_gets_on_with_our_server() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let launcher = launcher(theirs);
        let (info, mut simple) = Simple::open(&env(ours.into_raw_fd(), "0", "1"), None).unwrap();
        assert_eq!((info.rank, info.size, info.name.as_str()), (0, 1, "ƒNH"));
        simple.put("0", "{\"host\": \"a b\"}").unwrap();
        simple.barrier().unwrap();
        assert_eq!(simple.get("0", Some(0)).unwrap(), "{\"host\": \"a b\"}");
        assert!(matches!(simple.get("x", None), Err(Error::Refused(4))));
        simple.finalize().unwrap();
        drop(simple);
        launcher.join().unwrap();
    }

    fn check(env: BTreeMap<String, String>, expect: &str) {
        let error = Simple::open(&env, None).err().unwrap();
        assert_eq!(error.to_string(), expect);
    }

    #[test]
    fn a_launcher_that_leaves_or_babbles_is_told_of() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        let fd = ours.into_raw_fd();
        let error = Simple::open(&env(fd, "0", "1"), None).err().unwrap();
        assert!(error.to_string().contains("launcher"), "{error}");
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"HTTP/1.1 400\n").unwrap();
        check(
            env(ours.into_raw_fd(), "0", "1"),
            "launcher said 'HTTP/1.1 400' instead of response_to_init",
        );
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs
            .write_all(&vec![b'x'; LINE_BYTES_MAX + 4096])
            .unwrap();
        check(env(ours.into_raw_fd(), "0", "1"), "line too long");
    }

    #[test]
    fn an_environment_that_makes_no_sense_is_refused() {
        check(BTreeMap::new(), "PMI_FD not found in environ");
        check(
            env(77_777, "0", "1"),
            "PMI_FD=77777: no such descriptor is open",
        );
        check(env(1, "0", "1"), "PMI_FD=1: no such descriptor is open");
        check(env(9, "x", "1"), "PMI_RANK=x: not a number");
        check(env(9, "2", "2"), "PMI_RANK=2 of PMI_SIZE=2");
    }

    #[test]
    fn a_signal_ends_the_waiting() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let (signal, mut raised) = UnixStream::pair().unwrap();
        raised.write_all(b"1").unwrap();
        let env = env(ours.into_raw_fd(), "0", "1");
        let result = Simple::open(&env, Some(signal.into()));
        assert!(matches!(result, Err(Error::Interrupted)));
    }
}
