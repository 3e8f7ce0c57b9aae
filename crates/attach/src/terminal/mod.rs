//! Our terminal as that of a process elsewhere (protocol/23 section 8): keys go there, output
//! comes here.
//!
//! One piece of typed input is under way at a time. A word a second shows that we are there,
//! and one behind each quarter of a mebibyte shows that we have read it.

mod raw;
mod returns;
mod run;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use client::{Call, CallId, Handle, Pending, Refusal};
use proto::Errno;
use proto::terminus::{Session, TerminalReply, decode};

use self::raw::{Raw, size_of};
use self::returns::Returns;
use crate::limits::{KEYS_BYTES_MAX, UNTOLD_BYTES};
use command::error::CliError;
use command::flux::Flux;

pub use run::{Ending, follow, is_missing};

/// The key that detaches: control-].
const DETACH: u8 = 0x1d;
/// Character that ends the input of a process that reads lines of its terminal.
const END: u8 = 0x04;
/// Interval of keepalives.
const KEEPALIVE: Duration = Duration::from_secs(1);
/// Error text when the other end is lost.
pub(crate) const GONE: &str = "remote pty disappeared";
/// Shows the cursor, which a program that is still there may have hidden.
const SHOW_CURSOR: &str = "\x1b[?25h";

/// Actions of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The client types and receives the output.
    Both,
    /// The client types the input of a pipe, and ends with that.
    Pipe,
}

/// Event of the session.
#[derive(Debug)]
pub enum News {
    /// Nothing new.
    Nothing,
    /// The terminal is attached.
    Attached,
    /// The terminal is not attached, for this reason.
    Refused(Refusal),
    /// The terminal is not attached any more.
    Detached {
        /// Error text.
        message: String,
        /// Wait status of the process, if that has ended.
        status: i32,
    },
    /// The other end is lost.
    Lost,
    /// Our own terminal was closed.
    HungUp,
}

/// A client of a terminal session.
pub struct Client {
    topic: String,
    rank: Option<u32>,
    mode: Mode,
    stream: Option<Pending<Session>>,
    under_way: Option<Pending<Session>>,
    /// Typed input that was refused for want of room.
    refused: Vec<u8>,
    last_typed: Vec<u8>,
    input: Option<OwnedFd>,
    has_ended: bool,
    raw: Option<Raw>,
    returns: Option<Returns>,
    next_word: Instant,
    /// Bytes that were shown since our last word.
    untold: usize,
    is_attached: bool,
}

impl Client {
    /// Asks to be attached to the session at `topic` on a rank.
    pub fn attach(
        flux: &Flux,
        handle: &mut Handle,
        topic: &str,
        rank: Option<u32>,
        mode: Mode,
    ) -> Result<Client, CliError> {
        let input = flux.input.descriptor();
        let request = match mode {
            Mode::Both => Session::attach("rw", Some(size_of(input))),
            Mode::Pipe => Session::attach("wo", None),
        };
        let mut client = Client {
            topic: topic.to_owned(),
            rank,
            mode,
            stream: None,
            under_way: None,
            refused: Vec::new(),
            last_typed: Vec::new(),
            input: input.map(|fd| fd.try_clone_to_owned()).transpose()?,
            has_ended: false,
            raw: None,
            returns: None,
            next_word: Instant::now() + KEEPALIVE,
            untold: 0,
            is_attached: false,
        };
        client.stream = Some(handle.start_stream(client.call(&request)));
        Ok(client)
    }

    fn call(&self, request: &Session) -> Call<Session> {
        let call = Call::new(request).topic(&self.topic);
        match self.rank {
            Some(rank) => call.to(rank),
            None => call,
        }
    }

    fn send(&self, handle: &mut Handle, request: &Session) {
        handle.notify(self.call(request));
    }

    /// True if it is attached.
    pub fn is_attached(&self) -> bool {
        self.is_attached
    }

    /// Descriptor to wait for before [`Client::read`] is called.
    pub fn wanted(&self) -> Option<BorrowedFd<'_>> {
        let is_free = self.is_attached && self.under_way.is_none() && self.refused.is_empty();
        let fd = self.input.as_ref().filter(|_| is_free && !self.has_ended)?;
        Some(fd.as_fd())
    }

    /// Time of the next [`Client::tick`].
    pub fn next(&self) -> Option<Instant> {
        self.is_attached.then_some(self.next_word)
    }

    /// Sends a sign of life.
    pub fn tick(&mut self, handle: &mut Handle) {
        if !self.is_attached || Instant::now() < self.next_word {
            return;
        }
        self.send_keepalive(handle);
        if self.under_way.is_none() && !self.refused.is_empty() {
            let refused = std::mem::take(&mut self.refused);
            self.type_in(handle, refused);
        }
    }

    fn send_keepalive(&mut self, handle: &mut Handle) {
        self.send(handle, &Session::data(b""));
        (self.next_word, self.untold) = (Instant::now() + KEEPALIVE, 0);
    }

    /// Reads typed input, once, and sends it on.
    pub fn read(&mut self, handle: &mut Handle) -> News {
        let Some(input) = &self.input else {
            return News::Nothing;
        };
        let mut bytes = vec![0; KEYS_BYTES_MAX];
        let read = match rustix::io::read(input, &mut bytes) {
            Ok(read) => read,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => return News::Nothing,
            Err(_) => 0,
        };
        bytes.truncate(read);
        match (bytes.first(), self.mode) {
            (None, _) if self.raw.is_some() => {
                // Nobody is told: who had it is not there.
                self.send(handle, &Session::detach());
                return News::HungUp;
            }
            (None, Mode::Both) => {
                self.has_ended = true;
                self.type_in(handle, vec![END]);
            }
            (None, Mode::Pipe) => {
                self.has_ended = true;
                self.send(handle, &Session::detach());
            }
            (Some(&DETACH), _) if self.raw.is_some() => self.send(handle, &Session::detach()),
            _ => self.type_in(handle, bytes),
        }
        News::Nothing
    }

    fn type_in(&mut self, handle: &mut Handle, bytes: Vec<u8>) {
        let call = self.call(&Session::data(&bytes));
        self.under_way = Some(handle.start(call));
        self.last_typed = bytes;
    }

    /// Our terminal has another size.
    pub fn resize(&self, handle: &mut Handle) {
        if self.is_attached && self.mode == Mode::Both {
            let size = size_of(self.input.as_ref().map(AsFd::as_fd));
            self.send(handle, &Session::resize(size));
        }
    }

    /// Takes an answer; `None` if it was not for us.
    pub fn take(
        &mut self,
        flux: &mut Flux,
        handle: &mut Handle,
        call: CallId,
        answer: &Result<wire::Message, Refusal>,
    ) -> Option<Result<News, CliError>> {
        let is = |pending: &Option<Pending<Session>>| pending.is_some_and(|it| it.id() == call);
        if is(&self.under_way) {
            self.under_way = None;
            let is_full = matches!(answer, Err(refusal) if refusal.errno == Errno::EAGAIN);
            if is_full {
                self.refused = std::mem::take(&mut self.last_typed);
            }
            return Some(Ok(News::Nothing));
        }
        let stream = self.stream.filter(|stream| stream.id() == call)?;
        let told = match answer {
            Ok(message) => stream.decode(Ok(message.clone())),
            Err(refusal) => Err(refusal.clone()),
        };
        Some(self.told(flux, handle, told))
    }

    fn told(
        &mut self,
        flux: &mut Flux,
        handle: &mut Handle,
        told: Result<TerminalReply, Refusal>,
    ) -> Result<News, CliError> {
        match told {
            Ok(TerminalReply::Attach) => {
                self.is_attached = true;
                self.take_terminal(flux)?;
                Ok(News::Attached)
            }
            Ok(TerminalReply::Data { data, encoding }) => {
                let bytes = decode(&data, encoding.as_deref()).unwrap_or_default();
                match &self.returns {
                    Some(returns) => returns.write_raw(flux, &bytes)?,
                    None => flux.out.write_all(&bytes)?,
                }
                self.untold += bytes.len();
                if self.untold >= UNTOLD_BYTES {
                    self.send_keepalive(handle);
                }
                Ok(News::Nothing)
            }
            Ok(TerminalReply::Exit { message, status }) => {
                self.let_go(handle);
                Ok(News::Detached { message, status })
            }
            Err(_) if self.is_attached => {
                self.stream = None;
                Ok(News::Lost)
            }
            Err(refusal) => {
                self.stream = None;
                Ok(News::Refused(refusal))
            }
        }
    }

    fn take_terminal(&mut self, flux: &mut Flux) -> Result<(), CliError> {
        flux.out.flush()?;
        let input = self.input.as_ref().filter(|_| self.mode == Mode::Both);
        self.raw = input.and_then(|fd| Raw::enter(fd.as_fd()));
        if self.raw.is_some() {
            let returns = Returns::install(flux);
            returns.set(true);
            self.returns = Some(returns);
        }
        Ok(())
    }

    /// Waits for no answer any more.
    pub fn let_go(&mut self, handle: &mut Handle) {
        let waiting = [self.stream.take(), self.under_way.take()];
        for pending in waiting.into_iter().flatten() {
            handle.forget(pending.id());
        }
    }

    /// Gives the terminal back for as long as `run` takes.
    pub fn suspend(&self, handle: &mut Handle, run: impl FnOnce()) {
        match &self.raw {
            Some(raw) => {
                raw.leave();
                run();
                raw.again();
            }
            None => run(),
        }
        self.resize(handle);
    }

    /// Gives the terminal back, and prints the reason.
    pub fn finish(&mut self, flux: &mut Flux, message: &str) -> Result<(), CliError> {
        let text = match flux.out_is_tty() {
            // On the last line: the others may be full.
            true => format!(
                "\x1b[999H[detached: {}]\x1b[K\r\n{SHOW_CURSOR}",
                flux.plain().line(message)
            ),
            false => format!("[detached: {}]\n", flux.plain().line(message)),
        };
        self.give_back();
        flux.out.write_all(text.as_bytes())?;
        Ok(flux.out.flush()?)
    }

    /// The same without a word.
    pub fn give_back(&mut self) {
        if let Some(returns) = self.returns.take() {
            returns.set(false);
        }
        self.raw = None;
    }
}
