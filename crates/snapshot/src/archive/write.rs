//! Writing an archive, member by member.

use std::io::{self, Write};

use tar::{Builder, EntryType, Header};

use super::compression::{Compression, Packer};
use crate::names::{Key, LINK_KEYWORD, NAMES_KEYWORD, link_of, link_text, plain};
use proto::data::Tree;

/// Mode of every member.
const MODE: u32 = 0o644;

/// Writes an archive in the order of the calls.
pub struct Writer {
    tar: Builder<Packer>,
    uid: u64,
    gid: u64,
}

impl Writer {
    /// An archive in `out`, packed as the suffix of `path` says; not packed when that is
    /// `-`. `None` for a suffix that is not known.
    pub fn compression_for(path: &str) -> Option<Compression> {
        match path {
            "-" => Some(Compression::None),
            path => Compression::of_suffix(path),
        }
    }

    /// Begins an archive in `out`.
    pub fn new(compression: Compression, out: Box<dyn Write>) -> io::Result<Writer> {
        Ok(Writer {
            tar: Builder::new(Packer::new(compression, out)?),
            uid: nix::unistd::geteuid().as_raw().into(),
            gid: nix::unistd::getegid().as_raw().into(),
        })
    }

    /// Adds a value.
    pub fn add_value(&mut self, key: &Key, value: &[u8], mtime: u64) -> io::Result<()> {
        let mut header = self.header(EntryType::Regular, mtime);
        header.set_size(value.len() as u64);
        let names = key.json_if_odd();
        let more = names.iter().map(|names| (NAMES_KEYWORD, names.as_bytes()));
        self.add(header, &key.path(), "", more.collect(), value)
    }

    /// Adds a link.
    pub fn add_link(
        &mut self,
        key: &Key,
        namespace: Option<&str>,
        target: &str,
        mtime: u64,
    ) -> io::Result<()> {
        let mut header = self.header(EntryType::Symlink, mtime);
        header.set_size(0);
        let text = link_text(namespace, target);
        let shown = plain(&text);
        let is_plain = shown == text
            && !text.is_empty()
            && link_of(&text) == (namespace.map(str::to_owned), target.to_owned());
        let link = (!is_plain).then(|| {
            let (target, namespace) = (target.to_owned(), namespace.map(str::to_owned));
            Tree::Symlink { target, namespace }.encode()
        });
        let names = key.json_if_odd();
        let names = names.iter().map(|names| (NAMES_KEYWORD, names.as_bytes()));
        let link = link.iter().map(|link| (LINK_KEYWORD, link.as_slice()));
        self.add(
            header,
            &key.path(),
            &shown,
            names.chain(link).collect(),
            &[],
        )
    }

    /// Writes the end, and returns the underlying writer.
    pub fn finish(self) -> io::Result<Box<dyn Write>> {
        let mut out = self.tar.into_inner()?.finish()?;
        out.flush()?;
        Ok(out)
    }

    fn header(&self, kind: EntryType, mtime: u64) -> Header {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(MODE);
        header.set_uid(self.uid);
        header.set_gid(self.gid);
        header.set_mtime(mtime);
        header
    }

    /// Adds a member. Fields too long for its header are in an extended one.
    fn add<'a>(
        &mut self,
        mut header: Header,
        path: &'a str,
        link: &'a str,
        mut more: Vec<(&'a str, &'a [u8])>,
        data: &[u8],
    ) -> io::Result<()> {
        if let Some(ustar) = header.as_ustar_mut() {
            if !fit(&mut ustar.name, path) {
                more.push(("path", path.as_bytes()));
            }
            if !fit(&mut ustar.linkname, link) {
                more.push(("linkpath", link.as_bytes()));
            }
        }
        if !more.is_empty() {
            self.tar.append_pax_extensions(more)?;
        }
        header.set_cksum();
        self.tar.append(&header, data)
    }
}

/// Puts as much of a text into a field as fits; whether that is all, and in ASCII, the
/// only letters on which all programs agree there.
fn fit(field: &mut [u8; 100], text: &str) -> bool {
    let n = text.len().min(field.len());
    field[..n].copy_from_slice(&text.as_bytes()[..n]);
    n == text.len() && text.is_ascii()
}
