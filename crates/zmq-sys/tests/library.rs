//! The compiled libzmq is the one that build.rs promises.

use std::ffi::CStr;

use zmq_sys::{zmq_ctx_new, zmq_ctx_term, zmq_curve_keypair, zmq_errno, zmq_has, zmq_version};

#[test]
fn the_library_is_4_3_5() {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: three valid pointers.
    unsafe { zmq_version(&mut major, &mut minor, &mut patch) };
    assert_eq!((major, minor, patch), (4, 3, 5));
}

#[test]
fn curve_and_ipc_are_compiled_in() {
    for capability in [c"curve", c"ipc"] {
        // SAFETY: a C string.
        assert_eq!(unsafe { zmq_has(capability.as_ptr()) }, 1, "{capability:?}");
    }
}

#[test]
fn libsodium_makes_curve_keys() {
    let (mut public, mut secret) = ([0; 41], [0; 41]);
    // SAFETY: two buffers of the 41 bytes that zmq_curve_keypair(3) asks for.
    let answer = unsafe { zmq_curve_keypair(public.as_mut_ptr(), secret.as_mut_ptr()) };
    assert_eq!(answer, 0);
    // SAFETY: the call has ended both with a zero byte.
    let length =
        |key: &[std::ffi::c_char; 41]| unsafe { CStr::from_ptr(key.as_ptr()) }.count_bytes();
    assert_eq!((length(&public), length(&secret)), (40, 40));
    assert_ne!(public, secret);
}

#[test]
fn an_error_number_unknown_to_zmq_becomes_efault_and_a_known_one_stays() {
    for (number, expect) in [
        (libc::ENOTDIR, libc::EFAULT),
        (libc::EROFS, libc::EFAULT),
        (libc::EAGAIN, libc::EAGAIN),
        (libc::EHOSTUNREACH, libc::EHOSTUNREACH),
    ] {
        // SAFETY: errno of this thread is writable.
        unsafe { *libc::__errno_location() = number };
        // SAFETY: reads errno.
        assert_eq!(unsafe { zmq_errno() }, expect, "errno {number}");
    }
}

#[test]
fn a_context_starts_and_terminates() {
    // SAFETY: a context is made and terminated once.
    unsafe {
        let context = zmq_ctx_new();
        assert!(!context.is_null());
        assert_eq!(zmq_ctx_term(context), 0);
    }
}
