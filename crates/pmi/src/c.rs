//! The edge to C: code shared by the libraries `libpmi` and `libpmi2`. No panic crosses it, a
//! null pointer is an answer, and no more is written than there is room for.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use crate::client::Error;
use crate::process::Process;
use crate::result::{FAIL, INIT, INVALID_ARG, INVALID_KEY, INVALID_LENGTH, INVALID_VAL, SUCCESS};

/// A code of the error.
pub type Code = c_int;

/// The process that a program is, once it has begun: one for all its threads.
pub struct TheProcess(Mutex<Option<Process>>);

impl TheProcess {
    /// One that has not begun.
    pub const fn new() -> TheProcess {
        TheProcess(Mutex::new(None))
    }

    /// Begins, and then goes on with `then`, which may still say no.
    pub fn begin(&self, then: impl FnOnce(&mut Process) -> Result<(), Code>) -> Code {
        self.with(|place| {
            if place.is_some() {
                return Err(INIT);
            }
            let env = std::env::vars_os();
            let env = env.filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.into_string().ok()?))
            });
            let env: BTreeMap<String, String> = env.collect();
            let mut process = Process::begin(&env).map_err(|_| FAIL)?;
            then(&mut process)?;
            *place = Some(process);
            Ok(())
        })
    }

    /// True if it has begun and not ended.
    pub fn has_begun(&self) -> bool {
        let mut has_begun = false;
        self.with(|place| {
            has_begun = place.is_some();
            Ok(())
        });
        has_begun
    }

    /// Does something with it; [`INIT`] before it has begun.
    pub fn call(&self, action: impl FnOnce(&mut Process) -> Result<(), Code>) -> Code {
        self.with(|place| action(place.as_mut().ok_or(INIT)?))
    }

    /// Sends goodbye.
    pub fn finalize(&self) -> Code {
        self.with(|place| {
            let process = place.take().ok_or(INIT)?;
            process.finalize().map_err(|error| error.code())
        })
    }

    /// Has the program ended, and ends this process with `code`. Does not come back.
    pub fn abort(&self, code: c_int, message: &str) -> ! {
        self.with(|place| {
            let sent = match place.as_mut() {
                Some(process) => process.abort(code, message).is_ok(),
                None => false,
            };
            if !sent {
                let rank = match place.as_ref() {
                    Some(process) => process.info().rank.to_string(),
                    None => std::env::var("PMI_RANK").unwrap_or_default(),
                };
                eprintln!("PMI_Abort: ({rank}) {message}");
            }
            Ok(())
        });
        std::process::exit(code)
    }

    fn with(&self, action: impl FnOnce(&mut Option<Process>) -> Result<(), Code>) -> Code {
        let guarded = || {
            // One that has panicked has not left a half of anything behind.
            let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match action(&mut place) {
                Ok(()) => SUCCESS,
                Err(code) => code,
            }
        };
        catch_unwind(AssertUnwindSafe(guarded)).unwrap_or(FAIL)
    }
}

impl Default for TheProcess {
    fn default() -> TheProcess {
        TheProcess::new()
    }
}

/// The code of an error.
pub fn code(error: Error) -> Code {
    error.code()
}

/// A key that C gives.
///
/// # Safety
/// `text` is null or a string that ends in 0.
pub unsafe fn key<'a>(text: *const c_char) -> Result<&'a str, Code> {
    // SAFETY: as above.
    unsafe { string(text, INVALID_KEY) }
}

/// A value that C gives.
///
/// # Safety
/// `text` is null or a string that ends in 0.
pub unsafe fn value<'a>(text: *const c_char) -> Result<&'a str, Code> {
    // SAFETY: as above.
    unsafe { string(text, INVALID_VAL) }
}

/// A message from C, with bytes that are no text shown as such.
///
/// # Safety
/// `text` is null or a string that ends in 0.
pub unsafe fn message(text: *const c_char) -> String {
    match text.is_null() {
        true => String::new(),
        // SAFETY: it is not null, and so ends in 0.
        false => unsafe { CStr::from_ptr(text) }
            .to_string_lossy()
            .into_owned(),
    }
}

unsafe fn string<'a>(text: *const c_char, malformed: Code) -> Result<&'a str, Code> {
    if text.is_null() {
        return Err(INVALID_ARG);
    }
    // SAFETY: it is not null, and so ends in 0.
    unsafe { CStr::from_ptr(text) }
        .to_str()
        .map_err(|_| malformed)
}

/// Gives C a number.
///
/// # Safety
/// `place` is null or a number that may be written.
pub unsafe fn put<T>(place: *mut T, number: T) -> Result<(), Code> {
    if place.is_null() {
        return Err(INVALID_ARG);
    }
    // SAFETY: it is not null.
    unsafe { place.write(number) };
    Ok(())
}

/// Gives C a string, if there is room for it and its end.
///
/// # Safety
/// `place` is null or has room for `length` bytes.
pub unsafe fn put_text(place: *mut c_char, length: c_int, text: &str) -> Result<(), Code> {
    if place.is_null() {
        return Err(INVALID_ARG);
    }
    if usize::try_from(length).unwrap_or(0) <= text.len() {
        return Err(INVALID_LENGTH);
    }
    // SAFETY: there is room for the text and one byte more.
    unsafe {
        place.copy_from_nonoverlapping(text.as_ptr().cast(), text.len());
        place.add(text.len()).write(0);
    }
    Ok(())
}

/// A number as C counts.
pub fn int(number: u32) -> Result<c_int, Code> {
    c_int::try_from(number).map_err(|_| FAIL)
}
