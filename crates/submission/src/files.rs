//! Files that travel in the jobspec: `--add-file=[NAME[:PERM]=]ARG` (RFC 37).

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::limits::ADDED_FILE_BYTES_MAX;
use command::error::{CliError, numbered};

/// The file type in `mode`: a regular file.
const REGULAR: u32 = 0o100_000;
const PERMISSIONS: u32 = 0o7777;
/// Default permissions.
const PERMISSIONS_DEFAULT: u32 = 0o600;

/// The name of a file in the job, and the file as the jobspec has it. The argument is the
/// content if there is a newline in it, else the path of a file to read.
pub fn added_file(text: &str) -> Result<(String, Value), CliError> {
    let refuse = |why: &str| CliError::new(format!("--add-file: {why}"));
    let (named, arg) = match text.split_once('=') {
        // A newline before the first '=': the whole is content, and has no name.
        Some((named, _)) if is_content(named) => (None, text),
        Some((named, arg)) => (Some(named), arg),
        None => (None, text),
    };
    let (name, permissions) = match named {
        None => (None, None),
        Some(named) => name_and_permissions(named).map_err(|why| refuse(&why))?,
    };
    if is_content(arg) {
        let name = name.ok_or_else(|| refuse("file name missing"))?;
        let mode = REGULAR | permissions.unwrap_or(PERMISSIONS_DEFAULT);
        let text = arg.replace("\\n", "\n");
        let file = json!({ "mode": mode, "data": text, "encoding": "utf-8" });
        return Ok((name, file));
    }
    let about = |error: &std::io::Error| {
        let why = numbered(error);
        CliError::new(format!("--add-file={text}: {why}: '{arg}'"))
    };
    let found = std::fs::metadata(arg).map_err(|error| about(&error))?;
    if !found.is_file() {
        return Err(refuse(&format!("{arg}: not a regular file")));
    }
    if found.len() > ADDED_FILE_BYTES_MAX {
        let max = ADDED_FILE_BYTES_MAX / (1024 * 1024);
        return Err(refuse(&format!("{arg}: larger than {max} MiB")));
    }
    let bytes = std::fs::read(arg).map_err(|error| about(&error))?;
    let own = std::os::unix::fs::MetadataExt::mode(&found) & PERMISSIONS;
    let base = || Path::new(arg).file_name()?.to_str().map(str::to_owned);
    let name = name.or_else(base);
    let name = name.ok_or_else(|| refuse("file name missing"))?;
    Ok((name, file(REGULAR | own, &bytes)))
}

/// True if it is the content of a file, and not its path. Shells do not make a newline of
/// `\n`.
fn is_content(text: &str) -> bool {
    text.contains('\n') || text.contains("\\n")
}

/// `NAME` or `NAME:PERM`, the permissions in octal.
fn name_and_permissions(text: &str) -> Result<(Option<String>, Option<u32>), String> {
    let (name, permissions) = match text.rsplit_once(':') {
        None => (text, None),
        Some((name, digits)) => {
            let permissions = u32::from_str_radix(digits, 8);
            let permissions = permissions.ok().filter(|bits| *bits <= PERMISSIONS);
            let bad = || format!("{text}: permissions are octal digits, such as 0755");
            (name, Some(permissions.ok_or_else(bad)?))
        }
    };
    match name {
        "" => Err("file name missing".to_owned()),
        name if name.contains('/') => Err(format!("{text}: a name cannot contain '/'")),
        name => Ok((Some(name.to_owned()), permissions)),
    }
}

fn file(mode: u32, bytes: &[u8]) -> Value {
    let size = bytes.len();
    match std::str::from_utf8(bytes) {
        Ok(text) => json!({ "size": size, "mode": mode, "data": text, "encoding": "utf-8" }),
        Err(_) => {
            let data = BASE64.encode(bytes);
            json!({ "size": size, "mode": mode, "data": data, "encoding": "base64" })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let outcome = match added_file(text) {
            Ok((name, file)) => format!("{name} {file}"),
            Err(error) => error.text().to_owned(),
        };
        assert_eq!(outcome, expect, "{text:?}");
    }

    #[test]
    fn content_is_named_and_may_have_permissions() {
        check(
            "x=a=b\n",
            r#"x {"mode":33152,"data":"a=b\n","encoding":"utf-8"}"#,
        );
        check(
            "run:0755=\n",
            r#"run {"mode":33261,"data":"\n","encoding":"utf-8"}"#,
        );
        check(
            "x=a\\nb",
            r#"x {"mode":33152,"data":"a\nb","encoding":"utf-8"}"#,
        );
    }

    #[test]
    fn files_keep_their_name_permissions_and_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tool");
        std::fs::write(&path, [0xff, 0]).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&path, mode).unwrap();
        let path = path.to_str().unwrap();
        let file = |name: &str, mode: u32| {
            format!(r#"{name} {{"size":2,"mode":{mode},"data":"/wA=","encoding":"base64"}}"#)
        };
        check(path, &file("tool", 0o100_700));
        check(&format!("other={path}"), &file("other", 0o100_700));
        // Those of the file count.
        check(&format!("other:644={path}"), &file("other", 0o100_700));
        let folder = folder.path().to_str().unwrap();
        check(folder, &format!("--add-file: {folder}: not a regular file"));
    }

    #[test]
    fn what_makes_no_file_is_refused() {
        check(
            "x=no/such",
            "--add-file=x=no/such: [Errno 2] No such file or directory: 'no/such'",
        );
        check("a\nb", "--add-file: file name missing");
        check("=a\nb", "--add-file: file name missing");
        check(
            "x:9=\n",
            "--add-file: x:9: permissions are octal digits, such as 0755",
        );
        check("a/b=\n", "--add-file: a/b: a name cannot contain '/'");
    }
}
