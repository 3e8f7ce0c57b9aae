//! Lines on a raw terminal, which does not go back to the first column by itself.

use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;

use command::flux::Flux;

/// Flag for output lines that need a carriage return at the end.
#[derive(Debug, Clone, Default)]
pub struct Returns(Rc<Cell<bool>>);

struct Writer {
    to: Box<dyn Write>,
    returns: Returns,
}

impl Returns {
    /// Puts itself between us and both of our streams. Off for now.
    pub fn install(flux: &mut Flux) -> Returns {
        let returns = Returns::default();
        for stream in [&mut flux.out, &mut flux.err] {
            let to = std::mem::replace(stream, Box::new(io::sink()));
            let returns = returns.clone();
            *stream = Box::new(Writer { to, returns });
        }
        returns
    }

    /// Lines end so from now on, or as they are.
    pub fn set(&self, is_on: bool) {
        self.0.set(is_on);
    }

    /// Prints bytes as they are.
    pub fn write_raw(&self, flux: &mut Flux, bytes: &[u8]) -> io::Result<()> {
        let is_on = self.0.replace(false);
        let written = flux.out.write_all(bytes).and_then(|()| flux.out.flush());
        self.0.set(is_on);
        written
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.returns.0.get() {
            return self.to.write(bytes);
        }
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(line) => self.to.write_all(&[line, b"\r\n"].concat())?,
                None => self.to.write_all(line)?,
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
