//! Compression of an archive: by its suffix when it is written, by its first bytes when
//! it is read.

use std::io::{self, BufReader, Read, Write};

use bzip2::read::MultiBzDecoder;
use bzip2::write::BzEncoder;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use lzma_rust2::{XzOptions, XzReader, XzWriter};

/// Preset of xz, the same as its own default.
const XZ_PRESET: u32 = 6;

/// Memory that unpacking xz may take, in KiB: an archive says how much it wants.
const XZ_MEMORY_KIB_MAX: u32 = 1024 * 1024;

/// Bytes that are read at a time.
const READ_BYTES: usize = 64 * 1024;

/// Compression of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// As gzip(1) does.
    Gzip,
    /// As bzip2(1) does.
    Bzip2,
    /// As xz(1) does.
    Xz,
}

/// Suffixes, the one of a suffix's end behind it.
const SUFFIXES: &[(&str, Compression)] = &[
    (".tar", Compression::None),
    (".tgz", Compression::Gzip),
    (".tar.gz", Compression::Gzip),
    (".tbz", Compression::Bzip2),
    (".tbz2", Compression::Bzip2),
    (".tar.bz2", Compression::Bzip2),
    (".txz", Compression::Xz),
    (".tar.xz", Compression::Xz),
];

/// First bytes of formats that are known but not read here.
const FOREIGN: &[(&[u8], &str)] = &[
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"PK\x03\x04", "zip"),
    (b"07070", "cpio"),
];

impl Compression {
    /// Compression for the suffix of a file; `None` for an unknown one.
    pub fn of_suffix(path: &str) -> Option<Compression> {
        let found = SUFFIXES.iter().find(|(suffix, _)| path.ends_with(suffix));
        found.map(|(_, compression)| *compression)
    }

    /// The suffixes, for a message.
    pub fn suffixes() -> String {
        let suffixes: Vec<&str> = SUFFIXES.iter().map(|(suffix, _)| *suffix).collect();
        suffixes.join(", ")
    }
}

/// Compresses written data.
pub enum Packer {
    /// Not at all.
    Plain(Box<dyn Write>),
    /// As gzip.
    Gzip(GzEncoder<Box<dyn Write>>),
    /// As bzip2.
    Bzip2(BzEncoder<Box<dyn Write>>),
    /// As xz.
    Xz(Box<XzWriter<Box<dyn Write>>>),
}

impl Packer {
    /// Packs into `out`.
    pub fn new(compression: Compression, out: Box<dyn Write>) -> io::Result<Packer> {
        Ok(match compression {
            Compression::None => Packer::Plain(out),
            Compression::Gzip => Packer::Gzip(GzEncoder::new(out, flate2::Compression::default())),
            Compression::Bzip2 => Packer::Bzip2(BzEncoder::new(out, bzip2::Compression::default())),
            Compression::Xz => {
                let options = XzOptions::with_preset(XZ_PRESET);
                Packer::Xz(Box::new(XzWriter::new(out, options)?))
            }
        })
    }

    /// Writes the end, and returns the underlying writer.
    pub fn finish(self) -> io::Result<Box<dyn Write>> {
        match self {
            Packer::Plain(out) => Ok(out),
            Packer::Gzip(packer) => packer.finish(),
            Packer::Bzip2(packer) => packer.finish(),
            Packer::Xz(packer) => packer.finish(),
        }
    }

    fn inner(&mut self) -> &mut dyn Write {
        match self {
            Packer::Plain(out) => out,
            Packer::Gzip(packer) => packer,
            Packer::Bzip2(packer) => packer,
            Packer::Xz(packer) => packer,
        }
    }
}

impl Write for Packer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner().flush()
    }
}

/// Decompresses read data, in any format.
pub fn unpack(input: Box<dyn Read>) -> io::Result<Box<dyn Read>> {
    let mut input = input;
    let mut first = Vec::new();
    (&mut input).take(8).read_to_end(&mut first)?;
    if let Some((_, name)) = FOREIGN.iter().find(|(magic, _)| first.starts_with(magic)) {
        let text = format!("this is {name}, which is not supported here: unpack it first");
        return Err(io::Error::other(text));
    }
    let kind = match first.as_slice() {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [b'B', b'Z', b'h', ..] => Compression::Bzip2,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Xz,
        _ => Compression::None,
    };
    let input = BufReader::with_capacity(READ_BYTES, io::Cursor::new(first).chain(input));
    Ok(match kind {
        Compression::None => Box::new(input),
        Compression::Gzip => Box::new(MultiGzDecoder::new(input)),
        Compression::Bzip2 => Box::new(MultiBzDecoder::new(input)),
        Compression::Xz => Box::new(XzReader::new_mem_limit(input, true, XZ_MEMORY_KIB_MAX)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_says_how_an_archive_is_packed() {
        for (path, expect) in [
            ("x.tar", Some(Compression::None)),
            ("a/b.tgz", Some(Compression::Gzip)),
            ("x.tar.gz", Some(Compression::Gzip)),
            ("x.tar.bz2", Some(Compression::Bzip2)),
            ("x.tar.xz", Some(Compression::Xz)),
            ("x.gz", None),
            ("x.zip", None),
            ("tar", None),
        ] {
            assert_eq!(Compression::of_suffix(path), expect, "{path}");
        }
    }

    #[test]
    fn formats_of_others_are_named() {
        let unpacked = unpack(Box::new(&b"\x28\xb5\x2f\xfd and more"[..]));
        let text = unpacked.err().map(|error| error.to_string());
        assert_eq!(
            text.as_deref(),
            Some("this is zstd, which is not supported here: unpack it first")
        );
    }
}
