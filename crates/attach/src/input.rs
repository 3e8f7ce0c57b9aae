//! Our standard input on its way to the tasks of a job (protocol/13 section 9).
//!
//! One piece is under way at a time: the shell's answer makes room for the next. The end is
//! for all tasks, also for those that were to get nothing: they would wait for ever.

use std::os::fd::{BorrowedFd, OwnedFd};

use client::{Call, CallId, Handle, Pending, Refusal};
use proto::data::Entry;
use proto::data::stdio::Data;
use proto::job_shell::Stdin;

use crate::limits::INPUT_BYTES_MAX;
use command::error::CliError;
use command::flux::Flux;

/// Progress of passing our input on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// There may be more to read.
    Reading,
    /// Nothing is read any more, and the tasks have yet to be notified.
    Ended,
    /// The tasks have been notified.
    Told,
}

/// The way to the job's shell, once there is one.
pub struct Input {
    /// Tasks that receive it.
    ranks: String,
    /// The service's topic and where it is.
    service: Option<(String, u32)>,
    under_way: Option<Pending<Stdin>>,
    /// Bytes of an incomplete character.
    rest: Vec<u8>,
    progress: Progress,
    descriptor: Option<OwnedFd>,
}

impl Input {
    /// For these tasks; without a descriptor, existing input is read at once.
    pub fn new(flux: &Flux, ranks: &str) -> Result<Input, CliError> {
        let descriptor = flux.input.descriptor();
        let descriptor = descriptor.map(|fd| fd.try_clone_to_owned()).transpose()?;
        Ok(Input {
            ranks: ranks.to_owned(),
            service: None,
            under_way: None,
            rest: Vec::new(),
            progress: Progress::Reading,
            descriptor,
        })
    }

    /// Learns from `shell.init` where input goes.
    pub fn receive_event(
        &mut self,
        flux: &mut Flux,
        handle: &mut Handle,
        entry: &Entry,
    ) -> Result<(), CliError> {
        let service = (entry.get_str("service"), entry.get_i64("leader-rank"));
        if entry.name() != "shell.init" || self.service.is_some() {
            return Ok(());
        }
        if let (Some(name), Some(rank)) = service
            && let Ok(rank) = u32::try_from(rank)
        {
            self.service = Some((format!("{name}.stdin"), rank));
            if self.descriptor.is_none() {
                self.pass_on(flux, handle)?;
            }
        }
        Ok(())
    }

    /// Descriptor to wait for before [`Input::pass_on`] is called.
    pub fn wanted(&self) -> Option<BorrowedFd<'_>> {
        let is_free = self.service.is_some() && self.under_way.is_none();
        let is_ready = is_free && self.progress == Progress::Reading;
        let fd = self.descriptor.as_ref().filter(|_| is_ready)?;
        Some(std::os::fd::AsFd::as_fd(fd))
    }

    /// Reads once, which does not block when the descriptor is ready, and sends it on.
    pub fn pass_on(&mut self, flux: &mut Flux, handle: &mut Handle) -> Result<(), CliError> {
        let mut bytes = vec![0; INPUT_BYTES_MAX];
        let read = match flux.input.read(&mut bytes) {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(()),
            // A closed terminal gives no more input.
            Err(_) => 0,
        };
        bytes.truncate(read);
        self.rest.append(&mut bytes);
        let whole = match read {
            0 => self.rest.len(),
            _ => whole_characters(&self.rest),
        };
        if read == 0 {
            self.progress = Progress::Ended;
        }
        let bytes: Vec<u8> = self.rest.drain(..whole).collect();
        if !bytes.is_empty() {
            let data = Data::new("stdin", &self.ranks, Some(&bytes), false);
            self.send(handle, data);
        } else if self.progress == Progress::Ended {
            self.send_end(handle);
        }
        Ok(())
    }

    fn send_end(&mut self, handle: &mut Handle) {
        self.progress = Progress::Told;
        self.send(handle, Data::new("stdin", "all", None, true));
    }

    fn send(&mut self, handle: &mut Handle, data: Data) {
        if let Some((topic, rank)) = &self.service {
            let call = Call::new(&Stdin(data)).topic(topic).to(*rank);
            self.under_way = Some(handle.start(call));
        }
    }

    /// Takes an answer of the shell; `false` if it was not for us.
    pub fn take(
        &mut self,
        flux: &mut Flux,
        handle: &mut Handle,
        call: CallId,
        answer: &Result<wire::Message, Refusal>,
    ) -> Result<bool, CliError> {
        if self.under_way.is_none_or(|pending| pending.id() != call) {
            return Ok(false);
        }
        self.under_way = None;
        match self.progress {
            Progress::Told => {}
            // For any reason, nobody reads our input: there is no such task, another
            // client has sent the end, or it reads a file.
            Progress::Reading if answer.is_ok() => {
                if self.descriptor.is_none() {
                    self.pass_on(flux, handle)?;
                }
            }
            Progress::Reading | Progress::Ended => self.send_end(handle),
        }
        Ok(true)
    }
}

/// Number of bytes at the beginning that are whole characters. Text that is no UTF-8 is
/// passed on as it is.
fn whole_characters(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_not_cut_in_two() {
        for (bytes, expect) in [
            (&b"ab"[..], 2),
            (b"", 0),
            ("aƒ".as_bytes(), 3),
            (&"aƒ".as_bytes()[..2], 1),
            (b"a\xff", 2),
        ] {
            assert_eq!(whole_characters(bytes), expect, "{bytes:?}");
        }
    }
}
