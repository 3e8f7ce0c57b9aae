//! Reading an archive, member by member.

use std::io::{self, Read};

use proto::data::Tree;
use tar::{Archive, Entries, Entry, EntryType};

use super::compression::unpack;
use crate::limits::RESTORED_VALUE_BYTES_MAX;
use crate::names::{Key, LINK_KEYWORD, NAMES_KEYWORD, link_of};

/// An archive that is open.
pub struct Reader {
    archive: Archive<Box<dyn Read>>,
}

/// One member of an archive.
#[derive(Debug)]
pub struct Member {
    /// The key that it is.
    pub key: Key,
    /// Type and contents.
    pub what: What,
    /// When it was written, in seconds since the epoch.
    pub mtime: u64,
}

/// Type of a member.
#[derive(Debug, PartialEq, Eq)]
pub enum What {
    /// A value.
    Value(Vec<u8>),
    /// A value of N bytes, which is more than was asked for.
    Large(u64),
    /// A link.
    Link(Tree),
    /// Something that has no place in the store, such as a device.
    Other,
}

impl Reader {
    /// Opens an archive of any format.
    pub fn new(input: Box<dyn Read>) -> io::Result<Reader> {
        Ok(Reader {
            archive: Archive::new(unpack(input)?),
        })
    }

    /// Hands every member to `take`, in order; values only up to `bytes_max`.
    /// Directories are passed over.
    pub fn read<E: From<io::Error>>(
        &mut self,
        bytes_max: u64,
        mut take: impl FnMut(Member) -> Result<(), E>,
    ) -> Result<(), E> {
        let entries: Entries<'_, _> = self.archive.entries()?;
        for entry in entries {
            if let Some(member) = member_of(entry.map_err(damaged)?, bytes_max)? {
                take(member)?;
            }
        }
        Ok(())
    }
}

fn member_of<R: Read>(mut entry: Entry<'_, R>, bytes_max: u64) -> io::Result<Option<Member>> {
    let kind = entry.header().entry_type();
    if matches!(kind, EntryType::Directory | EntryType::XGlobalHeader) {
        return Ok(None);
    }
    let (mut key, mut link) = (None, None);
    if let Some(extensions) = entry.pax_extensions().map_err(damaged)? {
        for extension in extensions {
            let extension = extension.map_err(damaged)?;
            match (extension.key(), extension.value()) {
                (Ok(NAMES_KEYWORD), Ok(names)) => key = Key::of_json(names),
                (Ok(LINK_KEYWORD), Ok(text)) => link = Tree::decode(text.as_bytes()).ok(),
                _ => {}
            }
        }
    }
    let key = key.unwrap_or_else(|| Key::of_path(&String::from_utf8_lossy(&entry.path_bytes())));
    let what = match kind {
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            value_of(&mut entry, bytes_max)?
        }
        EntryType::Symlink => What::Link(match link {
            Some(link @ Tree::Symlink { .. }) => link,
            _ => link_in(&entry),
        }),
        _ => What::Other,
    };
    Ok(Some(Member {
        key,
        what,
        mtime: entry.header().mtime().unwrap_or(0),
    }))
}

/// Error of an archive that cannot be read, without the raw bytes that the reader puts
/// into it.
fn damaged(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(_) => error,
        None => io::Error::other("damaged, or not a tar archive"),
    }
}

fn link_in<R: Read>(entry: &Entry<'_, R>) -> Tree {
    let text = entry.link_name_bytes().unwrap_or_default();
    let (namespace, target) = link_of(&String::from_utf8_lossy(&text));
    Tree::Symlink { target, namespace }
}

fn value_of<R: Read>(entry: &mut Entry<'_, R>, bytes_max: u64) -> io::Result<What> {
    let size = entry.size();
    if size > bytes_max {
        return Ok(What::Large(size));
    }
    if size > RESTORED_VALUE_BYTES_MAX {
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        return Err(io::Error::other(format!(
            "{path}: {size} bytes are too many for one value"
        )));
    }
    // The size is only what the archive claims.
    let mut value = Vec::new();
    entry.read_to_end(&mut value)?;
    if value.len() as u64 != size {
        return Err(io::Error::other(
            "the archive ends in the middle of a value",
        ));
    }
    Ok(What::Value(value))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::Write;
    use std::rc::Rc;

    use super::super::Writer;
    use super::super::compression::Compression;
    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Rc<RefCell<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn key(names: &[&str]) -> Key {
        Key::of(names.iter().map(|name| Box::from(*name)).collect())
    }

    fn packed(compression: Compression, fill: impl Fn(&mut Writer)) -> Vec<u8> {
        let out = Shared::default();
        let mut writer = Writer::new(compression, Box::new(out.clone())).unwrap();
        fill(&mut writer);
        drop(writer.finish().unwrap());
        out.0.take()
    }

    fn unpacked(bytes: Vec<u8>, bytes_max: u64) -> io::Result<Vec<Member>> {
        let mut members = Vec::new();
        let mut reader = Reader::new(Box::new(io::Cursor::new(bytes)))?;
        reader.read(bytes_max, |member| {
            members.push(member);
            io::Result::Ok(())
        })?;
        Ok(members)
    }

    /// Writes members with every compression and reads them again.
    fn check(values: &[(&[&str], &[u8])], links: &[(&[&str], Option<&str>, &str)]) {
        for compression in [
            Compression::None,
            Compression::Gzip,
            Compression::Bzip2,
            Compression::Xz,
        ] {
            let bytes = packed(compression, |writer| {
                for (names, value) in values {
                    writer.add_value(&key(names), value, 7).unwrap();
                }
                for (names, namespace, target) in links {
                    let link = writer.add_link(&key(names), *namespace, target, 0);
                    link.unwrap();
                }
            });
            let mut members = unpacked(bytes, u64::MAX).unwrap().into_iter();
            for (names, value) in values {
                let member = members.next().unwrap();
                assert_eq!(member.key, key(names));
                assert_eq!(member.what, What::Value(value.to_vec()));
                assert_eq!(member.mtime, 7);
            }
            for (names, namespace, target) in links {
                let member = members.next().unwrap();
                assert_eq!(member.key, key(names));
                let link = Tree::Symlink {
                    target: (*target).to_owned(),
                    namespace: namespace.map(str::to_owned),
                };
                assert_eq!(member.what, What::Link(link));
            }
            assert!(members.next().is_none());
        }
    }

    #[test]
    fn an_archive_gives_back_what_went_in() {
        let long = "n".repeat(300);
        check(
            &[
                (&["a"], b"1"),
                (&["a", "b"], b""),
                (&["bin"], &[0, 255, 10, 13]),
                (&[&long, &long], b"x"),
                (&["with/slash", "with.dot", "new\nline", ""], b"odd"),
                (&["é", "語"], "ü".as_bytes()),
            ],
            &[
                (&["l"], None, "a.b"),
                (&["m"], Some("ns"), "a"),
                (&["n"], None, &long),
                (&["o"], None, "x::y"),
                (&["p"], None, ""),
                (&["q"], Some("n::s"), "new\nline"),
            ],
        );
    }

    #[test]
    fn an_empty_archive_has_no_members() {
        check(&[], &[]);
    }

    #[test]
    fn large_values_are_passed_over_on_demand() {
        let bytes = packed(Compression::None, |writer| {
            writer.add_value(&key(&["a"]), b"123", 0).unwrap();
            writer.add_value(&key(&["b"]), b"12", 0).unwrap();
        });
        let members = unpacked(bytes, 2).unwrap();
        assert_eq!(members[0].what, What::Large(3));
        assert_eq!(members[1].what, What::Value(b"12".to_vec()));
    }

    #[test]
    fn what_is_cut_off_or_no_archive_is_refused() {
        let bytes = packed(Compression::None, |writer| {
            writer.add_value(&key(&["a"]), &[1; 2000], 0).unwrap();
        });
        assert!(unpacked(bytes[..1500].to_vec(), u64::MAX).is_err());
        let bytes = packed(Compression::Gzip, |writer| {
            writer.add_value(&key(&["a"]), &[1; 2000], 0).unwrap();
        });
        assert!(unpacked(bytes[..bytes.len() - 20].to_vec(), u64::MAX).is_err());
        assert!(unpacked(vec![b'x'; 2048], u64::MAX).is_err());
        // Half a header is no archive; nothing at all is an empty one.
        assert!(unpacked(vec![b'x'; 100], u64::MAX).is_err());
    }
}
