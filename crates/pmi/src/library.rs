//! PMI through a library that the site's launcher brings: `libpmi2.so` of Slurm, or a
//! `libpmi.so`. Their functions are those of the PMI-1 and PMI-2 C interfaces.

use std::ffi::{CStr, CString, c_char, c_int};

use libloading::os::unix::{Library as Unix, RTLD_GLOBAL, RTLD_NOW};
use libloading::{Library, Symbol};

use crate::client::{Error, Info, Method};
use crate::limits::{KVSNAME_MAX, SIZE_MAX, VALLEN_MAX};
use crate::result::{FAIL, INVALID_KEY};

/// Loads the library at `path`, or the one that the loader finds by `name`, or by the name
/// that it has where no development files are installed.
///
/// Flux's own is refused: it speaks the wire protocol, which was tried before, and would
/// answer for the wrong launcher.
fn load(path: Option<&str>, name: &str) -> Result<Library, Error> {
    let library = match path {
        Some(path) => open(path),
        None => open(name).or_else(|_| open(&format!("{name}.0"))),
    };
    let path = path.unwrap_or(name);
    let library = library.map_err(|_| Error::NotHere(format!("{path}: dlopen failed")))?;
    // SAFETY: only the address is looked at.
    let is_flux = unsafe { library.get::<*const c_int>(c"flux_pmi_library") }.is_ok();
    if is_flux {
        let text = format!("{path}: dlopen found Flux library ({path})");
        return Err(Error::NotHere(text));
    }
    Ok(library)
}

/// The symbols are for all: Slurm's loads plugins that want those of the library itself.
fn open(path: &str) -> Result<Library, libloading::Error> {
    // SAFETY: its initialisers are those of the library that the site or the user named;
    // every PMI program runs them.
    unsafe { Unix::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }.map(Library::from)
}

/// Calls a function of a library by its name and type; a missing one means that this is
/// no library for us.
macro_rules! call {
    ($library:expr, $name:literal, fn($($type:ty),*), $($argument:expr),* $(,)?) => {{
        // SAFETY: the type is the one that the C interface gives this name.
        let function: Result<Symbol<unsafe extern "C" fn($($type),*) -> c_int>, _> =
            unsafe { $library.get($name) };
        match function {
            // SAFETY: pointers are to live memory of the length that is said, strings end in 0.
            Ok(function) => code(unsafe { function($($argument),*) }),
            Err(_) => Err(Error::NotHere(format!("no function {}", $name.to_string_lossy()))),
        }
    }};
}

fn code(code: c_int) -> Result<(), Error> {
    match code {
        0 => Ok(()),
        code => Err(Error::Refused(code)),
    }
}

fn c_string(text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error::Broken("a NUL byte in a key or value".to_owned()))
}

/// The text that a library has put into `buffer`.
fn text_of(buffer: &[u8]) -> Result<String, Error> {
    let text = CStr::from_bytes_until_nul(buffer);
    let text = text.map_err(|_| Error::Broken("a value without an end".to_owned()))?;
    Ok(text.to_string_lossy().into_owned())
}

fn info(rank: c_int, size: c_int, name: String) -> Result<Info, Error> {
    match (u32::try_from(rank), u32::try_from(size)) {
        (Ok(rank), Ok(size)) if rank < size && size <= SIZE_MAX => Ok(Info { rank, size, name }),
        _ => Err(Error::Broken(format!("rank {rank} of {size}"))),
    }
}

/// A `libpmi.so`.
pub(crate) struct Pmi1 {
    library: Library,
    program: CString,
}

impl Pmi1 {
    /// Loads the library at `path`, or the one that the loader finds.
    pub(crate) fn open(path: Option<&str>) -> Result<(Info, Pmi1), Error> {
        let library = load(path, "libpmi.so")?;
        let (mut spawned, mut size, mut rank) = (0, 0, 0);
        // Without a launcher the library is there and says no.
        call!(library, c"PMI_Init", fn(*mut c_int), &raw mut spawned)
            .map_err(|error| Error::NotHere(format!("PMI_Init: {error}")))?;
        call!(library, c"PMI_Get_size", fn(*mut c_int), &raw mut size)?;
        call!(library, c"PMI_Get_rank", fn(*mut c_int), &raw mut rank)?;
        let mut name = [0_u8; KVSNAME_MAX * 4];
        let length = name.len() as c_int;
        let place = name.as_mut_ptr().cast();
        call!(
            library,
            c"PMI_KVS_Get_my_name",
            fn(*mut c_char, c_int),
            place,
            length
        )?;
        let name = text_of(&name)?;
        let program = c_string(&name)?;
        Ok((info(rank, size, name)?, Pmi1 { library, program }))
    }
}

impl Method for Pmi1 {
    fn put(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let (key, value) = (c_string(key)?, c_string(value)?);
        call!(
            self.library,
            c"PMI_KVS_Put",
            fn(*const c_char, *const c_char, *const c_char),
            self.program.as_ptr(),
            key.as_ptr(),
            value.as_ptr(),
        )
    }

    fn get(&mut self, key: &str, _from: Option<u32>) -> Result<String, Error> {
        let key = c_string(key)?;
        let mut value = [0_u8; VALLEN_MAX];
        call!(
            self.library,
            c"PMI_KVS_Get",
            fn(*const c_char, *const c_char, *mut c_char, c_int),
            self.program.as_ptr(),
            key.as_ptr(),
            value.as_mut_ptr().cast(),
            VALLEN_MAX as c_int,
        )?;
        text_of(&value)
    }

    fn barrier(&mut self) -> Result<(), Error> {
        let program = self.program.as_ptr();
        call!(self.library, c"PMI_KVS_Commit", fn(*const c_char), program)?;
        call!(self.library, c"PMI_Barrier", fn(),)
    }

    fn finalize(&mut self) -> Result<(), Error> {
        call!(self.library, c"PMI_Finalize", fn(),)
    }

    fn abort(&mut self, exit: i32, message: &str) -> Result<(), Error> {
        let message = c_string(message)?;
        call!(
            self.library,
            c"PMI_Abort",
            fn(c_int, *const c_char),
            exit,
            message.as_ptr(),
        )
    }
}

/// A `libpmi2.so`.
pub(crate) struct Pmi2 {
    library: Library,
    program: CString,
}

impl Pmi2 {
    /// Loads the library at `path`, or the one that the loader finds.
    pub(crate) fn open(path: Option<&str>) -> Result<(Info, Pmi2), Error> {
        let library = load(path, "libpmi2.so")?;
        let (mut spawned, mut size, mut rank, mut number) = (0, 0, 0, 0);
        call!(
            library,
            c"PMI2_Init",
            fn(*mut c_int, *mut c_int, *mut c_int, *mut c_int),
            &raw mut spawned,
            &raw mut size,
            &raw mut rank,
            &raw mut number,
        )
        .map_err(|error| Error::NotHere(format!("PMI2_Init: {error}")))?;
        let mut name = [0_u8; KVSNAME_MAX * 4];
        let length = name.len() as c_int;
        let place = name.as_mut_ptr().cast();
        call!(
            library,
            c"PMI2_Job_GetId",
            fn(*mut c_char, c_int),
            place,
            length
        )?;
        let name = text_of(&name)?;
        let program = c_string(&name)?;
        Ok((info(rank, size, name)?, Pmi2 { library, program }))
    }

    /// Value of the launcher itself.
    fn attribute(&self, name: &str) -> Result<String, Error> {
        let name = c_string(name)?;
        let mut value = [0_u8; VALLEN_MAX];
        let mut found = 0;
        call!(
            self.library,
            c"PMI2_Info_GetJobAttr",
            fn(*const c_char, *mut c_char, c_int, *mut c_int),
            name.as_ptr(),
            value.as_mut_ptr().cast(),
            VALLEN_MAX as c_int,
            &raw mut found,
        )?;
        match found {
            0 => Err(Error::Refused(INVALID_KEY)),
            _ => text_of(&value),
        }
    }
}

impl Method for Pmi2 {
    fn put(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let (key, value) = (c_string(key)?, c_string(value)?);
        call!(
            self.library,
            c"PMI2_KVS_Put",
            fn(*const c_char, *const c_char),
            key.as_ptr(),
            value.as_ptr(),
        )
    }

    fn get(&mut self, key: &str, from: Option<u32>) -> Result<String, Error> {
        let Some(from) = from else {
            return self.attribute(key);
        };
        let key = c_string(key)?;
        let from = c_int::try_from(from).map_err(|_| Error::Refused(FAIL))?;
        let mut value = [0_u8; VALLEN_MAX];
        let mut length = 0;
        call!(
            self.library,
            c"PMI2_KVS_Get",
            fn(*const c_char, c_int, *const c_char, *mut c_char, c_int, *mut c_int),
            self.program.as_ptr(),
            from,
            key.as_ptr(),
            value.as_mut_ptr().cast(),
            VALLEN_MAX as c_int,
            &raw mut length,
        )?;
        text_of(&value)
    }

    fn barrier(&mut self) -> Result<(), Error> {
        call!(self.library, c"PMI2_KVS_Fence", fn(),)
    }

    fn finalize(&mut self) -> Result<(), Error> {
        call!(self.library, c"PMI2_Finalize", fn(),)
    }

    fn abort(&mut self, _exit: i32, message: &str) -> Result<(), Error> {
        let message = c_string(message)?;
        call!(
            self.library,
            c"PMI2_Abort",
            fn(c_int, *const c_char),
            1,
            message.as_ptr(),
        )
    }
}
