//! A directory as it is stored: its canonical text, and where each entry is in it.
//!
//! A change makes a new text by copying the text between the changed entries, so a commit
//! in a directory of 10,000 entries costs a memory copy, not 10,000 objects.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::rc::Rc;

use bytes::Bytes;
use node::LRU_ITEM_BYTES;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::entry::Corrupt;

const HEAD: &[u8] = br#"{"data":{"#;
const TAIL: &[u8] = br#"},"type":"dir","ver":1}"#;

/// A directory. Its entries are sorted by name and no name is there twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dir {
    text: Bytes,
    spans: Vec<Span>,
    /// The directory was stored in another form than this text.
    was_rewritten: bool,
}

/// Where one entry, `"name":object`, is in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    /// The quote before the name.
    start: u32,
    /// The quote after the name.
    name_end: u32,
    /// Just after the object.
    end: u32,
}

/// A change to one entry: its new text, or its removal.
pub type Change<'a> = (&'a str, Option<&'a [u8]>);

impl Dir {
    /// The directory without entries.
    pub fn empty() -> Rc<Dir> {
        Rc::new(Dir {
            text: [HEAD, TAIL].concat().into(),
            spans: Vec::new(),
            was_rewritten: false,
        })
    }

    /// Reads a directory. Text in another than the canonical form is put into it.
    pub fn parse(text: Bytes) -> Result<Dir, Corrupt> {
        let parts: DirParts = serde_json::from_slice(&text).map_err(|_| Corrupt)?;
        if parts.ver != 1 || parts.kind != "dir" || u32::try_from(text.len()).is_err() {
            return Err(Corrupt);
        }
        match spans_if_canonical(&text, &parts.data.0) {
            Some(spans) => Ok(Dir {
                text,
                spans,
                was_rewritten: false,
            }),
            None => rebuild(&parts.data.0),
        }
    }

    /// The canonical text, of which the hash is the directory's name.
    pub fn text(&self) -> &Bytes {
        &self.text
    }

    /// True if the text is not as stored: the blob has another form.
    pub fn was_rewritten(&self) -> bool {
        self.was_rewritten
    }

    /// Number of entries.
    pub fn n_entries(&self) -> usize {
        self.spans.len()
    }

    /// Bytes of memory that it takes when it is kept.
    pub fn weight(&self) -> usize {
        let own = self.text.len() + self.spans.len() * size_of::<Span>();
        own + size_of::<Dir>() + LRU_ITEM_BYTES
    }

    /// The object under a name.
    pub fn get(&self, name: &str) -> Option<Bytes> {
        let at = self.find(name).ok()?;
        let span = self.spans[at];
        // After the closing quote comes the colon.
        Some(
            self.text
                .slice(span.name_end as usize + 2..span.end as usize),
        )
    }

    /// Makes the directory in which `changes`, sorted by name, have been made, and
    /// returns the parts of it that were copied. `None` when it would be larger than
    /// `bytes_max`.
    pub fn with(&self, changes: &[Change<'_>], bytes_max: usize) -> Option<(Dir, Vec<Copied>)> {
        let added: usize = changes
            .iter()
            .map(|(name, object)| name.len() + object.map_or(0, <[u8]>::len) + 8)
            .sum();
        let mut builder = Builder {
            text: Vec::with_capacity(self.text.len() + added),
            spans: Vec::with_capacity(self.spans.len() + changes.len()),
            copied: Vec::with_capacity(changes.len() + 1),
        };
        builder.text.extend_from_slice(HEAD);
        let mut kept_to = 0;
        for (name, object) in changes {
            let (at, after) = match self.find(name) {
                Ok(at) => (at, at + 1),
                Err(at) => (at, at),
            };
            builder.copy(self, kept_to, at);
            if let Some(object) = object {
                builder.push(name, object);
            }
            kept_to = after;
        }
        builder.copy(self, kept_to, self.spans.len());
        builder.finish(bytes_max)
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.spans
            .binary_search_by(|span| self.name(*span).as_ref().cmp(name))
    }

    fn name(&self, span: Span) -> Cow<'_, str> {
        name_of(&self.text[span.start as usize..=span.name_end as usize])
    }
}

/// A name from its quoted text.
fn name_of(quoted: &[u8]) -> Cow<'_, str> {
    let inner = quoted
        .get(1..quoted.len().saturating_sub(1))
        .unwrap_or_default();
    if !inner.contains(&b'\\')
        && let Ok(name) = std::str::from_utf8(inner)
    {
        return Cow::Borrowed(name);
    }
    Cow::Owned(serde_json::from_slice(quoted).unwrap_or_default())
}

/// A piece of text that a directory has of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Position in the new one.
    pub to: u32,
    /// Position in the old one.
    pub at: u32,
    /// Bytes.
    pub len: u32,
}

/// A directory in the making.
struct Builder {
    text: Vec<u8>,
    spans: Vec<Span>,
    copied: Vec<Copied>,
}

impl Builder {
    fn comma(&mut self) {
        if !self.spans.is_empty() {
            self.text.push(b',');
        }
    }

    /// Entries `from..to` of `dir`, in one piece.
    fn copy(&mut self, dir: &Dir, from: usize, to: usize) {
        let Some((first, last)) = dir.spans[from..to].first().zip(dir.spans[from..to].last())
        else {
            return;
        };
        self.comma();
        self.copied.push(Copied {
            to: self.text.len() as u32,
            at: first.start,
            len: last.end - first.start,
        });
        // Wraps when entries move towards the front, and wraps back.
        let shift = (self.text.len() as u32).wrapping_sub(first.start);
        self.text
            .extend_from_slice(&dir.text[first.start as usize..last.end as usize]);
        self.spans
            .extend(dir.spans[from..to].iter().map(|span| Span {
                start: span.start.wrapping_add(shift),
                name_end: span.name_end.wrapping_add(shift),
                end: span.end.wrapping_add(shift),
            }));
    }

    fn push(&mut self, name: &str, object: &[u8]) {
        self.comma();
        let start = self.text.len() as u32;
        // A string always encodes, and a Vec takes everything.
        let _ = serde_json::to_writer(&mut self.text, name);
        let name_end = self.text.len() as u32 - 1;
        self.text.push(b':');
        self.text.extend_from_slice(object);
        self.spans.push(Span {
            start,
            name_end,
            end: self.text.len() as u32,
        });
    }

    fn finish(mut self, bytes_max: usize) -> Option<(Dir, Vec<Copied>)> {
        self.text.extend_from_slice(TAIL);
        let fits = self.text.len() <= bytes_max.min(u32::MAX as usize);
        let dir = Dir {
            text: self.text.into(),
            spans: self.spans,
            was_rewritten: false,
        };
        fits.then_some((dir, self.copied))
    }
}

/// The three keys of a dir object, its entries not taken apart.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DirParts<'a> {
    ver: i64,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    data: Entries<'a>,
}

/// Quoted name and object of each entry, as slices of the text.
struct Entries<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor<'a>(PhantomData<&'a ()>);

        impl<'de: 'a, 'a> Visitor<'de> for EntriesVisitor<'a> {
            type Value = Entries<'a>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the entries of a directory")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry::<&'a RawValue, &'a RawValue>()? {
                    if !entry.1.get().starts_with('{') {
                        return Err(A::Error::custom("an entry is not an object"));
                    }
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

/// Where the entries are, if the text is as we would write it.
fn spans_if_canonical(text: &Bytes, entries: &[(&RawValue, &RawValue)]) -> Option<Vec<Span>> {
    let offset = |part: &str| (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize);
    let mut spans = Vec::with_capacity(entries.len());
    let mut at = HEAD.len();
    for (index, (name, object)) in entries.iter().enumerate() {
        let start = at + usize::from(index > 0);
        let name_end = start + name.get().len() - 1;
        let end = name_end + 2 + object.get().len();
        if offset(name.get()) != Some(start) || offset(object.get()) != Some(name_end + 2) {
            return None;
        }
        spans.push(Span {
            start: start as u32,
            name_end: name_end as u32,
            end: end as u32,
        });
        at = end;
    }
    let names = entries
        .iter()
        .map(|(name, _)| name_of(name.get().as_bytes()));
    let framed = text.starts_with(HEAD) && text.get(at..) == Some(TAIL);
    (framed && names.is_sorted_by(|a, b| a < b)).then_some(spans)
}

/// Writes other text in full. Of entries of one name the last counts.
fn rebuild(entries: &[(&RawValue, &RawValue)]) -> Result<Dir, Corrupt> {
    let mut sorted = std::collections::BTreeMap::new();
    for (name, object) in entries {
        sorted.insert(name_of(name.get().as_bytes()), object.get().as_bytes());
    }
    let changes: Vec<Change<'_>> = sorted
        .iter()
        .map(|(name, object)| (name.as_ref(), Some(*object)))
        .collect();
    let (rebuilt, _) = Dir::empty().with(&changes, usize::MAX).ok_or(Corrupt)?;
    Ok(Dir {
        was_rewritten: true,
        ..rebuilt
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use proto::data::Tree;

    use super::*;

    fn text_of(names: &[&str]) -> Bytes {
        let tree = Tree::Dir(
            names
                .iter()
                .map(|name| (Box::from(*name), Tree::Val(name.to_string().into())))
                .collect(),
        );
        tree.encode().into()
    }

    fn val(text: &str) -> Vec<u8> {
        Tree::Val(text.to_owned().into()).encode()
    }

    #[test]
    fn the_empty_directory_has_the_known_text() {
        assert_eq!(
            Dir::empty().text(),
            &Bytes::from(Tree::empty_dir().encode())
        );
        let parsed = Dir::parse(Tree::empty_dir().encode().into());
        assert_eq!(parsed, Ok((*Dir::empty()).clone()));
    }

    #[test]
    fn entries_are_found_by_name() {
        let dir = Dir::parse(text_of(&["a", "b", "ü", "with \"quote\""])).unwrap();
        assert_eq!(dir.n_entries(), 4);
        for name in ["a", "b", "ü", "with \"quote\""] {
            assert_eq!(dir.get(name), Some(val(name).into()), "{name}");
        }
        assert_eq!(dir.get("c"), None);
        assert_eq!(dir.get(""), None);
    }

    #[test]
    fn other_text_is_put_into_canonical_form() {
        let canonical = text_of(&["a", "b"]);
        let (a, b) = (val("a"), val("b"));
        let [a, b] = [&a, &b].map(|text| std::str::from_utf8(text).unwrap());
        for text in [
            format!(r#"{{"ver":1,"type":"dir","data":{{"b":{b},"a":{a}}}}}"#),
            format!(r#"{{ "data":{{"a":{a},"b":{b}}},"type":"dir","ver":1}}"#),
            format!(r#"{{"data":{{"a":{a}, "b":{b}}},"type":"dir","ver":1}}"#),
            format!(r#"{{"data":{{"b":{b},"a":{b},"a":{a}}},"type":"dir","ver":1}}"#),
            format!(r#"{{"data":{{"\u0061":{a},"b":{b}}},"type":"dir","ver":1}}"#),
        ] {
            let dir = Dir::parse(text.clone().into()).unwrap();
            assert_eq!(
                dir.get("a"),
                Some(Bytes::copy_from_slice(a.as_bytes())),
                "{text}"
            );
            if !text.contains("\\u") {
                assert_eq!(dir.text(), &canonical, "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_directory_is_refused() {
        for text in [
            "",
            "{}",
            r#"{"data":{},"type":"val","ver":1}"#,
            r#"{"data":{},"type":"dir","ver":2}"#,
            r#"{"data":{},"type":"dir"}"#,
            r#"{"data":{"a":1},"type":"dir","ver":1}"#,
            r#"{"data":[],"type":"dir","ver":1}"#,
            r#"{"data":{},"type":"dir","ver":1}x"#,
        ] {
            assert_eq!(Dir::parse(text.into()), Err(Corrupt), "{text}");
        }
    }

    #[test]
    fn a_directory_that_grows_too_large_is_not_made() {
        let object = val("x");
        let changes = [("a", Some(object.as_slice()))];
        assert!(Dir::empty().with(&changes, 100).is_some());
        assert!(Dir::empty().with(&changes, 50).is_none());
    }

    proptest! {
        /// Against a map: after any rounds of changes the text is that of the encoder of
        /// tree objects for the map, and reading it gives the same directory.
        #[test]
        fn changes_give_the_text_of_the_changed_map(
            rounds in prop::collection::vec(
                prop::collection::btree_map("[a-e\"\\\\é]{0,3}", prop::option::of("[a-z]{0,4}"), 0..6),
                1..6,
            )
        ) {
            let mut model = BTreeMap::<Box<str>, Tree>::new();
            let mut dir = (*Dir::empty()).clone();
            for round in rounds {
                let texts: Vec<(String, Option<Vec<u8>>)> = round
                    .into_iter()
                    .map(|(name, value)| (name, value.map(|value| val(&value))))
                    .collect();
                let changes: Vec<Change<'_>> = texts
                    .iter()
                    .map(|(name, object)| (name.as_str(), object.as_deref()))
                    .collect();
                let (changed, copied) = dir.with(&changes, usize::MAX).unwrap();
                for Copied { to, at, len } in copied {
                    let old = dir.text.slice(at as usize..(at + len) as usize);
                    let new = changed.text.slice(to as usize..(to + len) as usize);
                    prop_assert_eq!(old, new);
                }
                dir = changed;
                for (name, object) in &texts {
                    match object {
                        Some(text) => {
                            model.insert(name.as_str().into(), Tree::decode(text).unwrap());
                        }
                        None => drop(model.remove(name.as_str())),
                    }
                }
                prop_assert_eq!(dir.text(), &Bytes::from(Tree::Dir(model.clone()).encode()));
                prop_assert_eq!(&Dir::parse(dir.text().clone()).unwrap(), &dir);
            }
        }
    }
}
