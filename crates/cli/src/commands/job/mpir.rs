//! The MPIR process acquisition interface: variables of this program by which a debugger that
//! has started it, or has attached to it, learns the processes of a job, and a function that it
//! stops at. Their names and layout are those of the interface; a debugger finds them in the
//! symbol table.
#![allow(non_upper_case_globals, reason = "the names of the interface")]
#![allow(non_snake_case, reason = "the name of the interface")]

use std::ffi::{CString, c_char, c_int};
use std::hint::black_box;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering::SeqCst};

use proto::job_shell::Process;

/// A process as the interface has it.
#[repr(C)]
pub struct Described {
    host_name: *mut c_char,
    executable_name: *mut c_char,
    pid: c_int,
}

/// The job's processes have been started.
const SPAWNED: i32 = 1;

/// A debugger sets it.
#[unsafe(no_mangle)]
pub static MPIR_being_debugged: AtomicI32 = AtomicI32::new(0);

/// Reason for calling [`MPIR_Breakpoint`].
#[unsafe(no_mangle)]
pub static MPIR_debug_state: AtomicI32 = AtomicI32::new(0);

/// Reason for aborting the job; never set by us.
#[unsafe(no_mangle)]
pub static MPIR_debug_abort_string: AtomicPtr<c_char> = AtomicPtr::new(null_mut());

/// The existence of this symbol marks us as no process of the job.
#[unsafe(no_mangle)]
pub static MPIR_i_am_starter: AtomicI32 = AtomicI32::new(1);

/// The existence of this symbol means that processes go on if no debugger attaches to
/// them.
#[unsafe(no_mangle)]
pub static MPIR_partial_attach_ok: AtomicI32 = AtomicI32::new(1);

/// The processes.
#[unsafe(no_mangle)]
pub static MPIR_proctable: AtomicPtr<Described> = AtomicPtr::new(null_mut());

/// Number of processes.
#[unsafe(no_mangle)]
pub static MPIR_proctable_size: AtomicI32 = AtomicI32::new(0);

/// The job.
#[unsafe(no_mangle)]
pub static totalview_jobid: AtomicPtr<c_char> = AtomicPtr::new(null_mut());

/// A debugger stops here, and looks.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn MPIR_Breakpoint() {
    black_box(MPIR_debug_state.load(SeqCst));
}

/// Shows the processes of a job, for as long as we run: a debugger may look at any time. Tasks
/// that wait go on when one has set [`MPIR_being_debugged`] and has seen them.
pub fn show(job: &str, processes: Vec<Process>) -> bool {
    black_box((
        &MPIR_i_am_starter,
        &MPIR_partial_attach_ok,
        &MPIR_debug_abort_string,
    ));
    let table: Vec<Described> = processes.into_iter().map(described).collect();
    let size = c_int::try_from(table.len()).unwrap_or(c_int::MAX);
    totalview_jobid.store(text(job), SeqCst);
    MPIR_proctable.store(table.leak().as_mut_ptr(), SeqCst);
    MPIR_proctable_size.store(size, SeqCst);
    MPIR_debug_state.store(SPAWNED, SeqCst);
    MPIR_Breakpoint();
    MPIR_being_debugged.load(SeqCst) != 0
}

fn described(process: Process) -> Described {
    Described {
        host_name: text(&process.host),
        executable_name: text(&process.executable),
        pid: c_int::try_from(process.pid).unwrap_or(-1),
    }
}

/// A string for a debugger, which stays.
fn text(text: &str) -> *mut c_char {
    let sound = text.split('\0').next().unwrap_or_default();
    CString::new(sound).unwrap_or_default().into_raw()
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    #[test]
    fn a_debugger_finds_the_processes_in_order() {
        let process = |taskid: i64| Process {
            taskid,
            host: format!("host{taskid}"),
            broker_rank: 0,
            pid: 100 + taskid,
            executable: "./ring".to_owned(),
        };
        assert!(!show("ƒ2", vec![process(0), process(1)]), "nobody looks");
        assert_eq!(MPIR_debug_state.load(SeqCst), SPAWNED);
        let size = MPIR_proctable_size.load(SeqCst);
        assert_eq!(size, 2);
        // SAFETY: the table has been shown just now and is never taken away.
        let table = unsafe { std::slice::from_raw_parts(MPIR_proctable.load(SeqCst), 2) };
        // SAFETY: so have its strings.
        let shown = |text: *mut c_char| unsafe { CStr::from_ptr(text) }.to_str().unwrap();
        let shown: Vec<_> = table
            .iter()
            .map(|it| (shown(it.host_name), shown(it.executable_name), it.pid))
            .collect();
        assert_eq!(shown, [("host0", "./ring", 100), ("host1", "./ring", 101)]);
    }
}
