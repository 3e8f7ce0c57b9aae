//! The certificate file: the text format of ZeroMQ tools, ZPL (ZeroMQ RFC 4), with the
//! sections `metadata` and `curve` (protocol/20 section 3.1).

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::pair::{KeyPair, PublicKey};

/// Longest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// A key pair, and its metadata.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// Keys and values in order, such as `name`.
    pub metadata: Vec<(String, String)>,
    /// The keys.
    pub pair: KeyPair,
}

/// Error of loading a certificate; begins with its path.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("Error loading certificate: {path}: {}", strerror(.error))]
    Io {
        /// The file.
        path: String,
        /// Error of the system.
        error: io::Error,
    },
    /// Others than its owner may read it: it is no secret.
    #[error("{path}: readable by group/other")]
    Mode {
        /// The file.
        path: String,
    },
    /// The file is no certificate.
    #[error("Error loading certificate: {path}: {why}")]
    Format {
        /// The file.
        path: String,
        /// Error in the contents.
        why: String,
    },
}

/// The words of the system, without the number that Rust adds.
fn strerror(error: &io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_owned()
}

impl Certificate {
    /// True if a key of the metadata may be written.
    pub fn is_key(key: &str) -> bool {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        !key.is_empty() && key.chars().all(is_plain)
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let mut text = String::from(HEAD);
        text += "\nmetadata\n";
        for (key, value) in &self.metadata {
            text += &format!("    {key} = \"{value}\"\n");
        }
        let (public, secret) = (self.pair.public(), self.pair.secret_text());
        text += &format!("curve\n    public-key = \"{public}\"\n    secret-key = \"{secret}\"\n");
        text
    }

    /// Writes the file so that only its owner can read it. One that is there is replaced.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(path)?;
        file.set_permissions(PermissionsExt::from_mode(0o600))?;
        file.write_all(self.to_text().as_bytes())
    }

    /// Reads the file, which must be its owner's alone.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn load(path: &Path) -> Result<Certificate, LoadError> {
        let shown = path.display().to_string();
        let io_error = |error| LoadError::Io {
            path: shown.clone(),
            error,
        };
        let file = File::open(path).map_err(io_error)?;
        if file.metadata().map_err(io_error)?.mode() & 0o044 != 0 {
            return Err(LoadError::Mode { path: shown });
        }
        let mut text = String::new();
        let mut file = file.take(FILE_BYTES_MAX);
        file.read_to_string(&mut text).map_err(io_error)?;
        Certificate::parse(&text).map_err(|why| LoadError::Format { path: shown, why })
    }

    fn parse(text: &str) -> Result<Certificate, String> {
        let mut section = "";
        let mut metadata = Vec::new();
        let (mut public, mut secret) = (None, None);
        for (at, line) in text.lines().enumerate() {
            let wrong = |what: &str| format!("line {}: {what}", at + 1);
            let content = line.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            if !line.starts_with([' ', '\t']) {
                section = content;
                continue;
            }
            let (key, value) = content
                .split_once('=')
                .ok_or_else(|| wrong("KEY = \"VALUE\" expected"))?;
            let (key, value) = (key.trim(), unquoted(value.trim()));
            match (section, key) {
                ("metadata", key) => metadata.push((key.to_owned(), value.to_owned())),
                ("curve", "public-key") => {
                    let key = PublicKey::parse(value);
                    public = Some(key.ok_or_else(|| wrong("public-key is not a key"))?);
                }
                ("curve", "secret-key") => {
                    let pair = KeyPair::from_text(value);
                    secret = Some(pair.ok_or_else(|| wrong("secret-key is not a key"))?);
                }
                _ => {}
            }
        }
        let pair = secret.ok_or("it has no secret-key: create one with flux keygen")?;
        let public = public.ok_or("it has no public-key: create one with flux keygen")?;
        if pair.public() != public {
            return Err("public-key and secret-key are not a pair".to_owned());
        }
        Ok(Certificate { metadata, pair })
    }
}

const HEAD: &str = "#  ZeroMQ CURVE **Secret** Certificate\n#  DO NOT DISTRIBUTE\n";

fn unquoted(value: &str) -> &str {
    let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    inner.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

    fn certificate() -> Certificate {
        Certificate {
            metadata: vec![
                ("name".to_owned(), "host a".to_owned()),
                ("b.c".to_owned(), String::new()),
            ],
            pair: KeyPair::from_text(SECRET).unwrap(),
        }
    }

    #[test]
    fn the_text_is_that_of_zeromq_tools() {
        let public = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
        let expect = format!(
            "#  ZeroMQ CURVE **Secret** Certificate\n#  DO NOT DISTRIBUTE\n\n\
             metadata\n    name = \"host a\"\n    b.c = \"\"\n\
             curve\n    public-key = \"{public}\"\n    secret-key = \"{SECRET}\"\n"
        );
        assert_eq!(certificate().to_text(), expect);
    }

    #[test]
    fn what_was_saved_is_loaded_and_is_the_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cert");
        std::fs::write(&path, "something long that was there before").unwrap();
        certificate().save(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let loaded = Certificate::load(&path).unwrap();
        assert_eq!(loaded.to_text(), certificate().to_text());
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        let error = Certificate::load(&path).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("{}: readable by group/other", path.display())
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Certificate::load(Path::new("/nowhere/cert")).unwrap_err();
        let expect = "Error loading certificate: /nowhere/cert: No such file or directory";
        assert_eq!(error.to_string(), expect);
    }

    fn check(from: &str, to: &str, expect: &str) {
        let text = certificate().to_text().replace(from, to);
        assert_eq!(Certificate::parse(&text).unwrap_err(), expect);
    }

    #[test]
    fn what_is_wrong_is_said() {
        check(
            "public-key",
            "other-key",
            "it has no public-key: create one with flux keygen",
        );
        check(
            "secret-key",
            "other-key",
            "it has no secret-key: create one with flux keygen",
        );
        check("D:)Q", "D:)R", "public-key and secret-key are not a pair");
        check("D:)Q", "D:)", "line 9: secret-key is not a key");
        check("b.c = ", "b.c ", "line 6: KEY = \"VALUE\" expected");
    }

    #[test]
    fn blank_lines_comments_and_other_sections_are_passed_over() {
        let text = certificate().to_text();
        let text = text.replace("curve\n", "\n# more\nother\n    a = 1\ncurve\n");
        assert_eq!(Certificate::parse(&text).unwrap().metadata.len(), 2);
        assert!(
            Certificate::is_key("a-b.c1")
                && !Certificate::is_key("a b")
                && !Certificate::is_key("")
        );
    }
}
