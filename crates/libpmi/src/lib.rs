//! `libpmi.so.0`: the C interface of PMI-1 (RFC 13, protocol/23 section 17), over the wire
//! protocol that a job shell serves. Open MPI before 5 loads it by `FLUX_PMI_LIBRARY_PATH`, other
//! programs by the name that they were linked with.
//!
//! Here are the functions that the C interface has, and nothing else: what they do is in the
//! crate `pmi`, in `process.rs` and `c.rs`. Functions of spawning, publishing and of the options of
//! a command line are there, and fail.
#![allow(non_snake_case, reason = "the names of the C interface")]
// Of each function: pointers are null, or what the C interface says of them.
#![allow(
    clippy::missing_safety_doc,
    reason = "the contract is the C interface's"
)]

use std::ffi::{c_char, c_int};

use process::Process;
use process::c::{self, TheProcess, code};
use process::result::{FAIL, INVALID_LENGTH, SUCCESS};

static PROCESS: TheProcess = TheProcess::new();

/// By this symbol programs that want another launcher's library know that this is ours.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the name that is looked for")]
pub static flux_pmi_library: c_int = 1;

/// Greets the launcher.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI_Init(spawned: *mut c_int) -> c_int {
    PROCESS.begin(|process| {
        let is_spawned = c_int::from(process.is_spawned());
        // SAFETY: the pointer is as the C interface says.
        unsafe { c::put(spawned, is_spawned) }
    })
}

/// True if it was greeted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI_Initialized(initialized: *mut c_int) -> c_int {
    let has_begun = c_int::from(PROCESS.has_begun());
    // SAFETY: the pointer is as the C interface says.
    match unsafe { c::put(initialized, has_begun) } {
        Ok(()) => SUCCESS,
        Err(code) => code,
    }
}

/// Sends goodbye to it.
#[unsafe(no_mangle)]
pub extern "C" fn PMI_Finalize() -> c_int {
    PROCESS.finalize()
}

/// Ends the program and does not come back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI_Abort(exit_code: c_int, message: *const c_char) -> c_int {
    // SAFETY: the string is as the C interface says.
    PROCESS.abort(exit_code, &unsafe { c::message(message) })
}

/// Gives a number of the process.
fn number(place: *mut c_int, of: impl FnOnce(&mut Process) -> Result<u32, c::Code>) -> c_int {
    PROCESS.call(|process| {
        let number = c::int(of(process)?)?;
        // SAFETY: the pointer is as the C interface says.
        unsafe { c::put(place, number) }
    })
}

/// Number of processes in the program.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI_Get_size(size: *mut c_int) -> c_int {
    number(size, |process| Ok(process.info().size))
}

/// Number of this process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI_Get_rank(rank: *mut c_int) -> c_int {
    number(rank, |process| Ok(process.info().rank))
}

/// Number of processes that there is room for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI_Get_universe_size(size: *mut c_int) -> c_int {
    number(size, |process| process.universe_size().map_err(code))
}

/// Number of the program among those that were started together.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI_Get_appnum(appnum: *mut c_int) -> c_int {
    number(appnum, |process| process.appnum().map_err(code))
}

/// Room for the name of a space.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI_KVS_Get_name_length_max(length: *mut c_int) -> c_int {
    number(length, |process| Ok(process.limits().kvsname))
}

/// Room for a key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI_KVS_Get_key_length_max(length: *mut c_int) -> c_int {
    number(length, |process| Ok(process.limits().key))
}

/// Room for a value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI_KVS_Get_value_length_max(length: *mut c_int) -> c_int {
    number(length, |process| Ok(process.limits().value))
}

/// Room for the id of a program, which is the name of its space.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI_Get_id_length_max(length: *mut c_int) -> c_int {
    number(length, |process| Ok(process.limits().kvsname))
}

/// The name of the space of the program.
fn name(place: *mut c_char, length: c_int) -> c_int {
    PROCESS.call(|process| {
        let name = &process.info().name;
        // SAFETY: the pointer is as the C interface says.
        unsafe { c::put_text(place, length, name) }
    })
}

/// Name of the space of the program.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI_KVS_Get_my_name(kvsname: *mut c_char, length: c_int) -> c_int {
    name(kvsname, length)
}

/// Id of the program.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI_Get_id(id: *mut c_char, length: c_int) -> c_int {
    name(id, length)
}

/// Id of all that share a space.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI_Get_kvs_domain_id(id: *mut c_char, length: c_int) -> c_int {
    name(id, length)
}

/// Adds a key for the others, who may know it after the next barrier.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI_KVS_Put(
    kvsname: *const c_char,
    key: *const c_char,
    value: *const c_char,
) -> c_int {
    PROCESS.call(|process| {
        // SAFETY: the strings are as the C interface says.
        let (_, key, value) = unsafe { (c::key(kvsname)?, c::key(key)?, c::value(value)?) };
        process.put(key, value).map_err(code)
    })
}

/// Does nothing: a put is done when it comes back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI_KVS_Commit(kvsname: *const c_char) -> c_int {
    // SAFETY: the string is as the C interface says.
    PROCESS.call(|_| unsafe { c::key(kvsname) }.map(drop))
}

/// Value put by another process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI_KVS_Get(
    kvsname: *const c_char,
    key: *const c_char,
    value: *mut c_char,
    length: c_int,
) -> c_int {
    PROCESS.call(|process| {
        // SAFETY: the strings are as the C interface says.
        let (_, key) = unsafe { (c::key(kvsname)?, c::key(key)?) };
        let found = process.get(key).map_err(code)?;
        // SAFETY: the pointer is as the C interface says.
        unsafe { c::put_text(value, length, &found) }
    })
}

/// Waits until all have come here.
#[unsafe(no_mangle)]
pub extern "C" fn PMI_Barrier() -> c_int {
    PROCESS.call(|process| process.barrier().map_err(code))
}

/// Number of processes that share the node.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI_Get_clique_size(size: *mut c_int) -> c_int {
    number(size, |process| {
        u32::try_from(process.clique().len()).map_err(|_| FAIL)
    })
}

/// The ranks of these processes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PMI_Get_clique_ranks(ranks: *mut c_int, length: c_int) -> c_int {
    PROCESS.call(|process| {
        let clique = process.clique();
        if usize::try_from(length).unwrap_or(0) < clique.len() {
            return Err(INVALID_LENGTH);
        }
        for (place, rank) in clique.into_iter().enumerate() {
            let rank = c::int(rank)?;
            // SAFETY: a null pointer stays one, and another one has room for all of them.
            unsafe {
                c::put(
                    ranks.wrapping_add(place * usize::from(!ranks.is_null())),
                    rank,
                )?
            };
        }
        Ok(())
    })
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
    PMI_Publish_name,
    PMI_Unpublish_name,
    PMI_Lookup_name,
    PMI_Spawn_multiple,
    PMI_KVS_Create,
    PMI_KVS_Destroy,
    PMI_KVS_Iter_first,
    PMI_KVS_Iter_next,
    PMI_Parse_option,
    PMI_Args_to_keyval,
    PMI_Free_keyvals,
    PMI_Get_options,
);
