//! The pages of a file that SQLite may refuse: those of the file, or newer ones from the
//! write-ahead log, as far as the log is whole (SQLite's file format, sections 1 and 4).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::limits::SALVAGED_PAGES_MAX;
use crate::store::failure::Failure;

const MAGIC: &[u8] = b"SQLite format 3\0";
const FILE_HEAD_BYTES: usize = 100;
const LOG_HEAD_BYTES: usize = 32;
const FRAME_HEAD_BYTES: usize = 24;

/// Size of a page where the file does not say. SQLite's own choice.
const PAGE_BYTES: usize = 4096;

/// The pages, by number from 1 on.
#[derive(Debug)]
pub struct Pages {
    file: File,
    log: Option<File>,
    page_bytes: usize,
    count: u32,
    /// Where in the log the newest copy of a page is.
    in_log: BTreeMap<u32, u64>,
    /// Pages that hold nothing any more.
    free: BTreeSet<u32>,
}

impl Pages {
    /// The pages of the file at `path`, with the log that belongs to it.
    pub fn open(path: &Path, log: &Path) -> Result<Pages, Failure> {
        let told = |error| Failure::File(path.to_owned(), error);
        let file = File::open(path).map_err(told)?;
        let file_bytes = file.metadata().map_err(told)?.len();
        let log = File::open(log).ok();
        let mut pages = Pages {
            page_bytes: page_bytes(&file).unwrap_or(PAGE_BYTES),
            file,
            log,
            count: 0,
            in_log: BTreeMap::new(),
            free: BTreeSet::new(),
        };
        pages.read_log();
        let in_file = file_bytes.div_ceil(pages.page_bytes as u64);
        let in_log = pages.in_log.keys().next_back().copied().unwrap_or(0);
        let in_file = u32::try_from(in_file).unwrap_or(u32::MAX);
        pages.count = in_file.max(in_log).min(SALVAGED_PAGES_MAX);
        pages.read_free();
        Ok(pages)
    }

    /// Every page that may hold something.
    pub fn numbers(&self) -> impl Iterator<Item = u32> {
        (1..=self.count).filter(|number| !self.free.contains(number))
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

    /// Notes the frames of whole transactions. A frame counts while its salts are those
    /// of the log and the sum over all before it is right.
    fn read_log(&mut self) {
        let Some(log) = &self.log else { return };
        let mut head = [0; LOG_HEAD_BYTES];
        if log.read_exact_at(&mut head, 0).is_err() {
            return;
        }
        let is_big_endian = match number(&head, 0) {
            0x377f_0682 => false,
            0x377f_0683 => true,
            _ => return,
        };
        self.page_bytes = number(&head, 8) as usize;
        if !is_page_size(self.page_bytes) {
            return;
        }
        let mut sums = add_up((0, 0), &head[..24], is_big_endian);
        if sums != (number(&head, 24), number(&head, 28)) {
            return;
        }
        let mut frame = vec![0; FRAME_HEAD_BYTES + self.page_bytes];
        let mut at = LOG_HEAD_BYTES as u64;
        let mut uncommitted = Vec::new();
        while log.read_exact_at(&mut frame, at).is_ok() && frame[8..16] == head[16..24] {
            sums = add_up(sums, &frame[..8], is_big_endian);
            sums = add_up(sums, &frame[FRAME_HEAD_BYTES..], is_big_endian);
            if sums != (number(&frame, 16), number(&frame, 20)) {
                return;
            }
            uncommitted.push((number(&frame, 0), at + FRAME_HEAD_BYTES as u64));
            if number(&frame, 4) != 0 {
                self.in_log.extend(uncommitted.drain(..));
            }
            at += frame.len() as u64;
        }
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

fn page_bytes(file: &File) -> Option<usize> {
    let mut head = [0; FILE_HEAD_BYTES];
    file.read_exact_at(&mut head, 0).ok()?;
    let bytes = match usize::from(u16::from_be_bytes([head[16], head[17]])) {
        1 => 65_536,
        bytes => bytes,
    };
    (head.starts_with(MAGIC) && is_page_size(bytes)).then_some(bytes)
}

fn is_page_size(bytes: usize) -> bool {
    bytes.is_power_of_two() && (512..=65_536).contains(&bytes)
}

/// The big-endian number of four bytes at `at`, which is within `bytes`.
fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The running checksum of the log.
fn add_up(mut sums: (u32, u32), bytes: &[u8], is_big_endian: bool) -> (u32, u32) {
    let word = |bytes: &[u8]| {
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        match is_big_endian {
            true => u32::from_be_bytes(bytes),
            false => u32::from_le_bytes(bytes),
        }
    };
    for pair in bytes.chunks_exact(8) {
        sums.0 = sums.0.wrapping_add(word(&pair[..4])).wrapping_add(sums.1);
        sums.1 = sums.1.wrapping_add(word(&pair[4..])).wrapping_add(sums.0);
    }
    sums
}
