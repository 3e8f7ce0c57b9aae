//! The token that opens the page: made once, kept in a file that only the owner can read, and
//! compared in constant time.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use subtle::ConstantTimeEq as _;

use crate::limits::{TOKEN_BYTES, TOKEN_CHARS_MAX, TOKEN_CHARS_MIN};

/// Reads the token in this file, or makes one if there is none, so that a browser goes on when
/// the module is loaded again.
pub fn obtain(path: &Path) -> Result<String, String> {
    let failed = |what: &str, error: std::io::Error| {
        let text = error.to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        format!("cannot {what} the token in {}: {text}", path.display())
    };
    let mut options = fs::OpenOptions::new();
    let created = options.write(true).create_new(true).mode(0o600).open(path);
    match created {
        Ok(mut file) => {
            let token = make().map_err(|text| format!("cannot make a token: {text}"))?;
            writeln!(file, "{token}").map_err(|error| failed("write", error))?;
            Ok(token)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let text = read(path).map_err(|error| failed("read", error))?;
            let token = text.trim();
            check(path, token)?;
            Ok(token.to_owned())
        }
        Err(error) => Err(failed("write", error)),
    }
}

fn make() -> Result<String, String> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = fs::OpenOptions::new().read(true).open(path)?;
    file.take(TOKEN_CHARS_MAX as u64 + 2)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// A token that others can read or have chosen opens the page to them.
fn check(path: &Path, token: &str) -> Result<(), String> {
    let path_shown = path.display();
    let meta = fs::metadata(path).map_err(|error| format!("{path_shown}: {error}"))?;
    if meta.mode() & 0o077 != 0 {
        return Err(format!(
            "others may read the token in {path_shown}: 'chmod 600' it, or remove it to get a new one"
        ));
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(format!("the token in {path_shown} belongs to another user"));
    }
    let is_plain = token
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !is_plain || !(TOKEN_CHARS_MIN..=TOKEN_CHARS_MAX).contains(&token.len()) {
        return Err(format!(
            "no good token in {path_shown}: {TOKEN_CHARS_MIN} to {TOKEN_CHARS_MAX} letters, digits, - and _ are; \
             remove it to get a new one"
        ));
    }
    Ok(())
}

/// Compares two tokens in a time that does not tell how much of them is the same.
pub fn is_same(token: &str, other: &str) -> bool {
    token.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let token = obtain(&path).unwrap();
        assert_eq!(token.len(), 2 * TOKEN_BYTES);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(obtain(&path).unwrap(), token);
        fs::remove_file(&path).unwrap();
        assert_ne!(obtain(&path).unwrap(), token);
    }

    #[test]
    fn a_token_that_others_can_read_or_guess_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let token = obtain(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refusal = obtain(&path).unwrap_err();
        assert!(
            refusal.starts_with("others may read the token in "),
            "{refusal}"
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for bad in [
            "",
            "short",
            &format!("{token} x"),
            &"x".repeat(TOKEN_CHARS_MAX + 1),
        ] {
            fs::write(&path, bad).unwrap();
            let refusal = obtain(&path).unwrap_err();
            assert!(refusal.starts_with("no good token in "), "{bad}: {refusal}");
        }
        let refusal = obtain(Path::new("/nonexistent/token")).unwrap_err();
        assert!(refusal.ends_with("No such file or directory"), "{refusal}");
    }

    #[test]
    fn tokens_are_the_same_or_not() {
        assert!(is_same("abc", "abc"));
        assert!(!is_same("abc", "abd"));
        assert!(!is_same("abc", "ab"));
        assert!(!is_same("abc", ""));
    }
}
