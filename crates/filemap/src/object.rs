//! The object of one file, and its JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use proto::data::BlobRef;
use rustix::fs::FileType;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::limits::REGIONS_MAX;

/// Bits of a mode that are permissions of owner, group and others.
const PERMISSIONS: u32 = 0o777;

/// A file, directory or symbolic link.
#[derive(Debug, Clone, PartialEq)]
pub struct FileObject {
    /// Where it belongs, relative to the directory of the archive.
    pub path: String,
    /// `st_mode`: type and permissions.
    pub mode: u32,
    /// When its contents were changed, in seconds since the epoch.
    pub mtime: Option<i64>,
    /// Time of the last change of its status.
    pub ctime: Option<i64>,
    /// Bytes of a regular file.
    pub size: Option<u64>,
    /// The contents.
    pub content: Content,
}

/// The contents of a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// None: a directory, or a file of zeros.
    Empty,
    /// Target of a symbolic link.
    Link(String),
    /// All of a small file.
    Bytes(Vec<u8>),
    /// A JSON value, as a file of which only the value matters.
    Json(Value),
    /// The parts of a large file that are not holes.
    Blobs(Vec<Region>),
}

/// A part of a file that is a blob: first byte, bytes, reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region(pub u64, pub u64, pub BlobRef);

/// Types of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// Something that no object stands for.
    Other,
}

/// An object that is none of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// A member is missing or has another type.
    #[error("malformed file object: {0}")]
    Shape(String),
    /// Contents that are not encoded as the object says.
    #[error("{0}: malformed file data")]
    Data(String),
    /// An encoding that RFC 37 does not have.
    #[error("{0}: unknown encoding '{1}'")]
    Encoding(String, String),
    /// Regions that leave the file.
    #[error("{0}: a region lies outside the file")]
    Region(String),
    /// More regions than a file may have.
    #[error("{0}: more than {REGIONS_MAX} regions")]
    TooMany(String),
}

/// The object as it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    path: String,
    mode: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mtime: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ctime: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
}

impl FileObject {
    /// The type of the file.
    pub fn kind(&self) -> Kind {
        match FileType::from_raw_mode(self.mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Link,
            _ => Kind::Other,
        }
    }

    /// Permissions of owner, group and others.
    pub fn permissions(&self) -> u32 {
        self.mode & PERMISSIONS
    }

    /// The object as JSON.
    pub fn to_json(&self) -> Value {
        let (encoding, data) = match &self.content {
            Content::Empty => (None, None),
            Content::Link(target) => (None, Some(target.as_str().into())),
            Content::Json(value) => (None, Some(value.clone())),
            Content::Bytes(bytes) => {
                let (encoding, text) = encode(bytes);
                (Some(encoding), Some(text.into()))
            }
            Content::Blobs(regions) => {
                let regions = regions.iter().map(|region| serde_json::json!(region));
                (Some("blobvec"), Some(regions.collect()))
            }
        };
        let written = Written {
            path: self.path.clone(),
            mode: self.mode,
            mtime: self.mtime,
            ctime: self.ctime,
            size: self.size,
            encoding: encoding.map(str::to_owned),
            data,
        };
        // Nothing in it has keys that are no strings.
        serde_json::to_value(written).unwrap_or_default()
    }

    /// Reads an object. The safety of its path is checked where it is extracted.
    pub fn from_json(object: Value) -> Result<FileObject, ObjectError> {
        let written: Written = serde_json::from_value(object)
            .map_err(|error| ObjectError::Shape(error.to_string()))?;
        let Written {
            path,
            mode,
            mtime,
            ctime,
            size,
            encoding,
            data,
        } = written;
        let kind = FileType::from_raw_mode(mode);
        let content = match (kind, encoding.as_deref(), data) {
            (_, _, None) => Content::Empty,
            (FileType::Symlink, None, Some(Value::String(target))) => Content::Link(target),
            (FileType::Symlink | FileType::Directory, ..) => return Err(ObjectError::Data(path)),
            (_, None, Some(value)) => Content::Json(value),
            (_, Some("blobvec"), Some(regions)) => {
                Content::Blobs(decode_regions(&path, size.unwrap_or(0), regions)?)
            }
            (_, Some(encoding), Some(Value::String(text))) => {
                Content::Bytes(decode(&path, encoding, text)?)
            }
            (_, Some(_), Some(_)) => return Err(ObjectError::Data(path)),
        };
        Ok(FileObject {
            path,
            mode,
            mtime,
            ctime,
            size,
            content,
        })
    }
}

/// Text as it is, unless it contains characters that some readers of JSON refuse.
fn encode(bytes: &[u8]) -> (&'static str, String) {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => ("utf-8", text.to_owned()),
        _ => ("base64", BASE64.encode(bytes)),
    }
}

fn decode(path: &str, encoding: &str, text: String) -> Result<Vec<u8>, ObjectError> {
    match encoding {
        "utf-8" => Ok(text.into_bytes()),
        "base64" => BASE64
            .decode(text)
            .map_err(|_| ObjectError::Data(path.to_owned())),
        other => Err(ObjectError::Encoding(path.to_owned(), other.to_owned())),
    }
}

/// The regions, each behind the one before and all within the file.
fn decode_regions(path: &str, size: u64, regions: Value) -> Result<Vec<Region>, ObjectError> {
    if regions
        .as_array()
        .is_some_and(|regions| regions.len() > REGIONS_MAX)
    {
        return Err(ObjectError::TooMany(path.to_owned()));
    }
    let regions: Vec<Region> =
        serde_json::from_value(regions).map_err(|_| ObjectError::Data(path.to_owned()))?;
    let mut behind = 0;
    for Region(offset, bytes, _) in &regions {
        let end = offset.checked_add(*bytes);
        match end {
            Some(end) if *offset >= behind && end <= size => behind = end,
            _ => return Err(ObjectError::Region(path.to_owned())),
        }
    }
    Ok(regions)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ONE: &str = "sha1-da39a3ee5e6b4b0d3255bfef95601890afd80709";

    /// Reads an object, writes it again, and compares.
    fn check(object: &Value, content: &Content) {
        let read = FileObject::from_json(object.clone()).unwrap();
        assert_eq!(&read.content, content, "{object}");
        assert_eq!(&read.to_json(), object);
    }

    #[test]
    fn every_kind_of_contents_survives_its_json() {
        let region = Region(4096, 10, ONE.parse().unwrap());
        let file = |size, encoding: &str, data: Value| {
            json!({"path": "d/f", "mode": 0o100_644, "mtime": 1, "ctime": 2, "size": size,
                "encoding": encoding, "data": data})
        };
        check(&file(2, "utf-8", json!("hü")), &Content::Bytes("hü".into()));
        check(
            &file(2, "base64", json!("AP8=")),
            &Content::Bytes(vec![0, 255]),
        );
        let regions = json!([[4096, 10, ONE]]);
        check(
            &file(9000, "blobvec", regions),
            &Content::Blobs(vec![region]),
        );
        check(
            &json!({"path": "e", "mode": 0o100_644, "size": 0}),
            &Content::Empty,
        );
        check(&json!({"path": "d", "mode": 0o40_755}), &Content::Empty);
        check(
            &json!({"path": "l", "mode": 0o120_777, "data": "../x"}),
            &Content::Link("../x".into()),
        );
        check(
            &json!({"path": "c.json", "mode": 0o100_600, "data": {"a": [1]}}),
            &Content::Json(json!({"a": [1]})),
        );
    }

    #[test]
    fn what_no_reader_takes_is_base64() {
        assert_eq!(encode(b"a\0b").0, "base64");
        assert_eq!(encode(&[0xff]).0, "base64");
        assert_eq!(encode(b"a\tb\n").0, "utf-8");
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let refusal = |object: Value| FileObject::from_json(object).unwrap_err().to_string();
        let file = |encoding: Value, data: Value| {
            let size = 100;
            refusal(
                json!({"path": "f", "mode": 0o100_644, "size": size, "encoding": encoding,
                "data": data}),
            )
        };
        assert!(refusal(json!([])).starts_with("malformed file object: "));
        assert!(refusal(json!({"mode": 1})).contains("missing field `path`"));
        assert_eq!(
            file(json!("rot13"), json!("x")),
            "f: unknown encoding 'rot13'"
        );
        assert_eq!(file(json!("utf-8"), json!(7)), "f: malformed file data");
        assert_eq!(file(json!("base64"), json!("?")), "f: malformed file data");
        assert_eq!(
            file(json!("blobvec"), json!([[0, 1]])),
            "f: malformed file data"
        );
        let outside = "f: a region lies outside the file";
        for regions in [
            json!([[0, 101, ONE]]),
            json!([[u64::MAX, 2, ONE]]),
            json!([[0, 60, ONE], [50, 10, ONE]]),
        ] {
            assert_eq!(file(json!("blobvec"), regions), outside);
        }
        let link = json!({"path": "l", "mode": 0o120_777, "data": 7});
        assert_eq!(refusal(link), "l: malformed file data");
    }

    #[test]
    fn a_mode_is_a_type_and_permissions() {
        for (mode, kind, permissions) in [
            (0o100_644, Kind::File, 0o644),
            (0o41_777, Kind::Directory, 0o777),
            (0o120_777, Kind::Link, 0o777),
            (0o104_755, Kind::File, 0o755),
            (0o20_600, Kind::Other, 0o600),
        ] {
            let object = json!({"path": "x", "mode": mode});
            let object = FileObject::from_json(object).unwrap();
            assert_eq!(
                (object.kind(), object.permissions()),
                (kind, permissions),
                "{mode:o}"
            );
        }
    }
}
