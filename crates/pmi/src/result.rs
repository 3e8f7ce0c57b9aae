//! Result codes of PMI (RFC 13): on the wire and of the functions of the C interfaces.

/// The operation was done.
pub const SUCCESS: i32 = 0;
/// Everything that has no code of its own.
pub const FAIL: i32 = -1;
/// PMI has not begun, or has begun already.
pub const INIT: i32 = 1;
/// An argument is missing.
pub const INVALID_ARG: i32 = 3;
/// There is no such key.
pub const INVALID_KEY: i32 = 4;
/// The key is too long.
pub const INVALID_KEY_LENGTH: i32 = 5;
/// The value cannot be put into a line.
pub const INVALID_VAL: i32 = 6;
/// The value is too long.
pub const INVALID_VAL_LENGTH: i32 = 7;
/// There is no room for the answer.
pub const INVALID_LENGTH: i32 = 8;

/// A code in words.
pub(crate) fn text(code: i32) -> &'static str {
    match code {
        SUCCESS => "success",
        FAIL => "operation failed",
        INIT => "not initialized",
        2 => "insufficient memory",
        INVALID_ARG => "invalid argument",
        INVALID_KEY => "invalid key argument",
        INVALID_KEY_LENGTH => "invalid key length argument",
        INVALID_VAL => "invalid value argument",
        INVALID_VAL_LENGTH => "invalid value length argument",
        INVALID_LENGTH => "invalid length argument",
        _ => "unknown error",
    }
}
