//! Result codes of PMI-1 (RFC 13).

/// Everything that has no code of its own.
pub(crate) const FAIL: i32 = -1;
/// There is no such key.
pub(crate) const INVALID_KEY: i32 = 4;
/// The key is too long.
pub(crate) const INVALID_KEY_LENGTH: i32 = 5;
/// The value is too long.
pub(crate) const INVALID_VAL_LENGTH: i32 = 7;

/// A code in words.
pub(crate) fn text(code: i32) -> &'static str {
    match code {
        0 => "success",
        FAIL => "operation failed",
        1 => "not initialized",
        2 => "insufficient memory",
        3 => "invalid argument",
        INVALID_KEY => "invalid key argument",
        INVALID_KEY_LENGTH => "invalid key length argument",
        6 => "invalid value argument",
        INVALID_VAL_LENGTH => "invalid value length argument",
        8 => "invalid length argument",
        _ => "unknown error",
    }
}
