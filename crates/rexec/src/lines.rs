//! Splits the output of our processes into lines of the log.

use node::StdioFd;

use crate::limits::LOG_LINE_BYTES_MAX;

/// The output of one process, cut into lines: those of standard error are errors.
#[derive(Debug, Default)]
pub struct LoggedLines {
    /// The beginnings of lines on standard output and standard error.
    partial: [Vec<u8>; 2],
}

impl LoggedLines {
    /// Receives a piece of a stream, and logs the lines that are whole now: `NAME: LINE`.
    pub fn push(&mut self, name: &str, stream: StdioFd, data: &[u8], eof: bool) {
        let is_error = stream == StdioFd::Stderr;
        let log = |line: &[u8]| {
            let line = String::from_utf8_lossy(line);
            match is_error {
                true => tracing::error!("{name}: {line}"),
                false => tracing::info!("{name}: {line}"),
            }
        };
        let partial = &mut self.partial[usize::from(is_error)];
        partial.extend_from_slice(data);
        while let Some(end) = partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = partial.drain(..=end).collect();
            log(&line[..end]);
        }
        if !partial.is_empty() && (eof || partial.len() >= LOG_LINE_BYTES_MAX) {
            log(&std::mem::take(partial));
        }
    }
}
