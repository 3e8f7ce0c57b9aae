//! The pages of a file that SQLite may refuse: those of the file, or newer ones from the
//! write-ahead log (SQLite's file format, section 1).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::limits::SALVAGED_PAGES_MAX;
use crate::store::failure::Failure;
use crate::store::sqlite::log::{Log, is_page_size, number};
use crate::store::witness::LogEnd;

const MAGIC: &[u8] = b"SQLite format 3\0";
const FILE_HEAD_BYTES: usize = 100;

/// Size of a page where the file has none. SQLite's own choice.
const PAGE_BYTES: usize = 4096;

/// The pages, by number from 1 on.
#[derive(Debug)]
pub struct Pages {
    file: File,
    log: Option<File>,
    page_bytes: usize,
    count: u32,
    /// Offset in the log of the newest copy of a page.
    in_log: BTreeMap<u32, u64>,
    /// Pages that hold nothing any more.
    free: BTreeSet<u32>,
}

impl Pages {
    /// The pages of the file at `path`, with the log that belongs to it and, if anyone
    /// knows, reaches to `end`.
    pub fn open(path: &Path, log_path: &Path, end: Option<LogEnd>) -> Result<Pages, Failure> {
        let told = |error| Failure::File(path.to_owned(), error);
        let file = File::open(path).map_err(told)?;
        let file_bytes = file.metadata().map_err(told)?.len();
        let known = page_bytes(&file);
        let log = Log::read(log_path, known.or(Some(PAGE_BYTES)), end)?;
        let in_log = log.frames.iter().map(|frame| (frame.page, frame.at));
        let mut pages = Pages {
            page_bytes: match log.frames.is_empty() {
                true => known.unwrap_or(PAGE_BYTES),
                false => log.page_bytes,
            },
            file,
            log: File::open(log_path).ok(),
            count: 0,
            in_log: in_log.collect(),
            free: BTreeSet::new(),
        };
        let in_file = file_bytes.div_ceil(pages.page_bytes as u64);
        let in_log = pages.in_log.keys().next_back().copied().unwrap_or(0);
        let in_file = u32::try_from(in_file).unwrap_or(u32::MAX);
        pages.count = in_file.max(in_log).min(SALVAGED_PAGES_MAX);
        pages.read_free();
        Ok(pages)
    }

    /// Every page, and whether it is said to hold nothing any more: those last.
    pub fn numbers(&self) -> impl Iterator<Item = (u32, bool)> {
        let used = (1..=self.count).filter(|number| !self.free.contains(number));
        let free = self.free.iter().map(|number| (*number, true));
        used.map(|number| (number, false)).chain(free)
    }

    /// Bytes of a page.
    pub fn page_bytes(&self) -> usize {
        self.page_bytes
    }

    /// Bytes of all pages: nothing can be larger.
    pub fn bytes(&self) -> usize {
        self.page_bytes * self.count as usize
    }

    /// A page, filled up with zeros where the file was cut off.
    pub fn page(&self, number: u32) -> Option<Vec<u8>> {
        if number == 0 || number > self.count {
            return None;
        }
        let mut page = vec![0; self.page_bytes];
        match (self.in_log.get(&number), &self.log) {
            (Some(at), Some(log)) => log.read_exact_at(&mut page, *at).ok()?,
            _ => {
                let at = u64::from(number - 1) * self.page_bytes as u64;
                let mut filled = 0;
                while filled < page.len() {
                    match self.file.read_at(&mut page[filled..], at + filled as u64) {
                        Ok(0) => break,
                        Ok(bytes) => filled += bytes,
                        Err(_) => return None,
                    }
                }
                if filled == 0 {
                    return None;
                }
            }
        }
        Some(page)
    }

    /// Notes the pages of the free list, as far as it can be followed.
    fn read_free(&mut self) {
        let Some(first) = self.page(1).filter(|page| page.starts_with(MAGIC)) else {
            return;
        };
        let mut trunk = number(&first, 32);
        while trunk > 1
            && self.free.insert(trunk)
            && let Some(page) = self.page(trunk)
        {
            let leaves = (number(&page, 4) as usize).min(self.page_bytes / 4 - 2);
            let numbers = (0..leaves).map(|leaf| number(&page, 8 + 4 * leaf));
            self.free.extend(numbers.filter(|leaf| *leaf > 1));
            trunk = number(&page, 0);
        }
    }
}

/// Bytes of a page, as the file at `path` has it.
pub fn page_bytes_of(path: &Path) -> usize {
    let file = File::open(path).ok();
    file.and_then(|file| page_bytes(&file))
        .unwrap_or(PAGE_BYTES)
}

fn page_bytes(file: &File) -> Option<usize> {
    let mut head = [0; FILE_HEAD_BYTES];
    file.read_exact_at(&mut head, 0).ok()?;
    let bytes = match usize::from(u16::from_be_bytes([head[16], head[17]])) {
        1 => 65_536,
        bytes => bytes,
    };
    (head.starts_with(MAGIC) && is_page_size(bytes)).then_some(bytes)
}
