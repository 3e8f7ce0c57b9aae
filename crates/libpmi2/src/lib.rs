//! `libpmi2.so.0`: the C interface of PMI-2 as far as MPI libraries use it (protocol/23 section
//! 17), over the PMI-1 wire protocol that a job shell serves. MPICH built for Slurm loads it.
//!
//! Here are the functions that the C interface has, and nothing else: what they do is in the
//! crate `pmi`, in `process.rs` and `c.rs`. Functions of spawning, connecting and publishing are
//! there, and fail.
#![allow(non_snake_case, reason = "the names of the C interface")]
// Of each function: pointers are null, or what the C interface says of them.
#![allow(
    clippy::missing_safety_doc,
    reason = "the contract is the C interface's"
)]

use std::ffi::{c_char, c_int};
use std::thread::sleep;
use std::time::Duration;

use process::c::{self, TheProcess, code};
use process::result::{FAIL, INVALID_KEY};
use process::{Error, Process};

static PROCESS: TheProcess = TheProcess::new();

/// By this symbol programs that want another launcher's library know that this is ours.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the name that is looked for")]
pub static flux_pmi_library: c_int = 1;

/// The exit code of a program that is aborted.
const ABORT_CODE: c_int = 1;

/// Number of lookups of an attribute of the node that another process is to put.
const ATTRIBUTE_TRIES: u32 = 15;

/// The wait between two looks.
const ATTRIBUTE_WAIT: Duration = Duration::from_secs(1);

/// Greets the launcher.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI2_Init(
    spawned: *mut c_int,
    size: *mut c_int,
    rank: *mut c_int,
    appnum: *mut c_int,
) -> c_int {
    PROCESS.begin(|process| {
        let number = process.appnum().map_err(code)?;
        let info = process.info();
        let (all, own) = (c::int(info.size)?, c::int(info.rank)?);
        // SAFETY: the pointers are as the C interface says.
        unsafe {
            c::put(spawned, c_int::from(process.is_spawned()))?;
            c::put(size, all)?;
            c::put(rank, own)?;
            c::put(appnum, c::int(number)?)
        }
    })
}

/// Sends goodbye to it.
#[unsafe(no_mangle)]
pub extern "C" fn PMI2_Finalize() -> c_int {
    PROCESS.finalize()
}

/// 1 if it was greeted, else 0.
#[unsafe(no_mangle)]
pub extern "C" fn PMI2_Initialized() -> c_int {
    c_int::from(PROCESS.has_begun())
}

/// Ends the program and does not come back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI2_Abort(_flag: c_int, message: *const c_char) -> c_int {
    // SAFETY: the string is as the C interface says.
    PROCESS.abort(ABORT_CODE, &unsafe { c::message(message) })
}

/// Id of the program: the name of its space.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI2_Job_GetId(jobid: *mut c_char, length: c_int) -> c_int {
    PROCESS.call(|process| {
        let name = &process.info().name;
        // SAFETY: the pointer is as the C interface says.
        unsafe { c::put_text(jobid, length, name) }
    })
}

/// Adds a key for the others, who may know it after the next fence.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI2_KVS_Put(key: *const c_char, value: *const c_char) -> c_int {
    PROCESS.call(|process| {
        // SAFETY: the strings are as the C interface says.
        let (key, value) = unsafe { (c::key(key)?, c::value(value)?) };
        process.put(key, value).map_err(code)
    })
}

/// Value put by another process. There is one space for the whole program: another
/// program's is not accessible.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI2_KVS_Get(
    jobid: *const c_char,
    _source: c_int,
    key: *const c_char,
    value: *mut c_char,
    length: c_int,
    found_length: *mut c_int,
) -> c_int {
    PROCESS.call(|process| {
        if !jobid.is_null() {
            // SAFETY: the string is as the C interface says.
            unsafe { c::key(jobid)? };
        }
        // SAFETY: the string is as the C interface says.
        let found = process.get(unsafe { c::key(key)? }).map_err(code)?;
        let bytes = c_int::try_from(found.len()).map_err(|_| FAIL)?;
        // SAFETY: the pointers are as the C interface says.
        unsafe {
            c::put_text(value, length, &found)?;
            c::put(found_length, bytes)
        }
    })
}

/// Waits until all have come here.
#[unsafe(no_mangle)]
pub extern "C" fn PMI2_KVS_Fence() -> c_int {
    PROCESS.call(|process| process.barrier().map_err(code))
}

/// Value that the launcher itself has about the program.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI2_Info_GetJobAttr(
    name: *const c_char,
    value: *mut c_char,
    length: c_int,
    found: *mut c_int,
) -> c_int {
    PROCESS.call(|process| {
        // SAFETY: the string is as the C interface says.
        let answer = match unsafe { c::key(name)? } {
            "PMI_process_mapping" => process.get("PMI_process_mapping"),
            "universeSize" => process.universe_size().map(|size| size.to_string()),
            _ => Err(Error::Refused(INVALID_KEY)),
        };
        // SAFETY: the pointers are as the C interface says.
        unsafe { put_attribute(answer, value, length, found) }
    })
}

/// Adds an attribute of the node: a key that stays on it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI2_Info_PutNodeAttr(name: *const c_char, value: *const c_char) -> c_int {
    PROCESS.call(|process| {
        // SAFETY: the strings are as the C interface says.
        let (name, value) = unsafe { (c::key(name)?, c::value(value)?) };
        process.put(&local(name), value).map_err(code)
    })
}

/// Value that a process of the node has put there; `waitfor` gives it some time to do so.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI2_Info_GetNodeAttr(
    name: *const c_char,
    value: *mut c_char,
    length: c_int,
    found: *mut c_int,
    waitfor: c_int,
) -> c_int {
    PROCESS.call(|process| {
        // SAFETY: the string is as the C interface says.
        let key = local(unsafe { c::key(name)? });
        let tries = match waitfor {
            0 => 1,
            _ => ATTRIBUTE_TRIES,
        };
        let answer = look(process, &key, tries);
        // SAFETY: the pointers are as the C interface says.
        unsafe { put_attribute(answer, value, length, found) }
    })
}

fn local(name: &str) -> String {
    format!("local::{name}")
}

/// Looks for a key again and again.
fn look(process: &mut Process, key: &str, tries: u32) -> Result<String, Error> {
    let mut answer = process.get(key);
    for _ in 1..tries {
        if !matches!(answer, Err(Error::Refused(INVALID_KEY))) {
            break;
        }
        sleep(ATTRIBUTE_WAIT);
        answer = process.get(key);
    }
    answer
}

/// Gives C an attribute, and whether there is one.
unsafe fn put_attribute(
    answer: Result<String, Error>,
    value: *mut c_char,
    length: c_int,
    found: *mut c_int,
) -> Result<(), c::Code> {
    // SAFETY: as the caller says.
    unsafe {
        c::put(found, 0)?;
        c::put_text(value, length, &answer.map_err(code)?)?;
        c::put(found, 1)
    }
}

/// Functions that are there for those who are linked with them, and fail. Their arguments are of
/// no concern: the caller has put them where it will take them away.
macro_rules! failing {
    ($($name:ident),+ $(,)?) => {$(
        /// Fails.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name() -> c_int {
            FAIL
        }
    )+};
}

failing!(
    PMI2_Job_Spawn,
    PMI2_Job_GetRank,
    PMI2_Job_Connect,
    PMI2_Job_Disconnect,
    PMI2_Info_GetSize,
    PMI2_Info_GetNodeAttrIntArray,
    PMI2_Info_GetJobAttrIntArray,
    PMI2_Nameserv_publish,
    PMI2_Nameserv_lookup,
    PMI2_Nameserv_unpublish,
);
