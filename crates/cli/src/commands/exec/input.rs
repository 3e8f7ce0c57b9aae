//! Our standard input on its way to all processes: as fast as the slowest of them takes it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use attach::limits::INPUT_BYTES_MAX;
use command::error::CliError;
use command::flux::Flux;

/// Source of our input.
pub(super) struct Input {
    is_over: bool,
    /// `None` when reading never blocks.
    descriptor: Option<OwnedFd>,
}

impl Input {
    /// Our standard input; or none at all, which ends at once.
    pub fn new(flux: &Flux, is_wanted: bool) -> Result<Input, CliError> {
        let descriptor = flux.input.descriptor().filter(|_| is_wanted);
        let descriptor = descriptor.map(|fd| fd.try_clone_to_owned()).transpose()?;
        Ok(Input {
            is_over: !is_wanted,
            descriptor,
        })
    }

    /// True if the end was read.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The descriptor to wait for.
    pub fn wanted(&self) -> Option<BorrowedFd<'_>> {
        let descriptor = self.descriptor.as_ref().filter(|_| !self.is_over);
        descriptor.map(AsFd::as_fd)
    }

    /// True if a read will not block, as far as is known.
    pub fn never_blocks(&self) -> bool {
        self.descriptor.is_none() && !self.is_over
    }

    /// Reads up to `room` bytes; an empty result is the end.
    pub fn read(&mut self, flux: &mut Flux, room: u64) -> Vec<u8> {
        let room = usize::try_from(room).unwrap_or(INPUT_BYTES_MAX);
        let mut bytes = vec![0; room.min(INPUT_BYTES_MAX)];
        loop {
            match flux.input.read(&mut bytes) {
                Ok(n) => bytes.truncate(n),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                // A closed terminal gives no more input.
                Err(_) => bytes.clear(),
            }
            self.is_over = bytes.is_empty();
            return bytes;
        }
    }
}
