//! A text in place of the file, for tests and the simulator.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Log;

/// Contents of a file that is only kept in memory. Its clones are the same text.
#[derive(Debug, Clone, Default)]
pub struct TextLog(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    text: String,
    is_full: bool,
}

impl TextLog {
    /// Lets it have room, or not.
    pub fn fill(&self, is_full: bool) {
        self.edit(|state| state.is_full = is_full);
    }

    /// Contents.
    pub fn text(&self) -> String {
        self.edit(|state| state.text.clone())
    }

    fn edit<T>(&self, edit: impl FnOnce(&mut State) -> T) -> T {
        edit(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Log for TextLog {
    fn open(&mut self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(self.text().into_bytes())
    }

    fn append(&mut self, lines: &str) -> io::Result<()> {
        self.edit(|state| match state.is_full {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => {
                state.text.push_str(lines);
                Ok(())
            }
        })
    }

    fn replace(&mut self, lines: &str) -> io::Result<()> {
        self.edit(|state| lines.clone_into(&mut state.text));
        Ok(())
    }
}
