//! The write-ahead log as it lies on the disk (SQLite's file format, section 4): which of
//! its frames are whole, and whether it reaches as far as the witness says.
//!
//! The checksum of a frame goes on from that of the one before it, as that one has it. So
//! each frame can be judged by itself: after a damaged one, which ends the log for SQLite,
//! the others are as good as ever.
#![allow(clippy::disallowed_types, reason = "this is where a file is read")]

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use crate::store::failure::Failure;
use crate::store::files_beside::beside;
use crate::store::witness::LogEnd;

const LOG_HEAD_BYTES: usize = 32;
const FRAME_HEAD_BYTES: usize = 24;

/// A frame that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Number of the page.
    pub page: u32,
    /// Offset of its bytes.
    pub at: u64,
}

/// Contents of a log.
#[derive(Debug, Default)]
pub struct Log {
    /// Bytes of a page; 0 when unknown.
    pub page_bytes: usize,
    /// Whole frames, the oldest first, as far as there was a commit or the witness says.
    pub frames: Vec<Frame>,
    /// Frames up to that end that are not whole.
    pub damaged: u32,
    /// Error about frames that SQLite would not see although the witness has.
    pub complaint: Option<String>,
    /// There is no log.
    pub is_missing: bool,
}

/// End of the log that SQLite writes.
#[derive(Debug)]
pub struct Reach {
    path: PathBuf,
    /// Frames after the newest transaction, as SQLite reports them; 0 when there was
    /// none.
    said: Arc<AtomicU32>,
    /// The frames after those that are in the main file.
    frames: u32,
    page_bytes: u64,
    file: Option<File>,
}

impl Reach {
    /// Has `db`, whose file is at `path`, record the end of its writes.
    pub fn of(db: &mut Connection, path: &Path) -> Result<Reach, Failure> {
        let said = Arc::new(AtomicU32::new(0));
        let says = said.clone();
        db.wal_hook(Some(move |_: &mut Wal, frames| {
            says.store(u32::try_from(frames).unwrap_or(0), Relaxed);
            Ok(())
        }))?;
        let page_bytes = super::schema::number(db, "page_size")?;
        Ok(Reach {
            path: beside(path, "-wal"),
            said,
            frames: 0,
            page_bytes: page_bytes as u64,
            file: None,
        })
    }

    /// Where the log ends, if there is something in it that the main file has not.
    pub fn end(&mut self) -> Result<Option<LogEnd>, Failure> {
        let said = self.said.swap(0, Relaxed);
        self.frames = if said > 0 { said } else { self.frames };
        if self.frames == 0 {
            return Ok(None);
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                File::open(&self.path).map_err(|error| Failure::File(self.path.clone(), error))?
            }
        };
        let end = end_of(&file, self.frames);
        self.file = Some(file);
        end.map(Some)
    }

    /// The main file has everything.
    pub fn copied(&mut self) {
        self.said.store(0, Relaxed);
        self.frames = 0;
    }

    /// Bytes in the log that are not in the main file.
    pub fn log_bytes(&self) -> u64 {
        u64::from(self.frames) * (FRAME_HEAD_BYTES as u64 + self.page_bytes)
    }
}

struct Head {
    is_big_endian: bool,
    page_bytes: usize,
    salts: [u32; 2],
    /// As computed and as written: one of them is right, if not both.
    sums: [[u32; 2]; 2],
    is_whole: bool,
}

/// Where the log is said to end, after its newest transaction of `frames` frames.
fn end_of(log: &File, frames: u32) -> Result<LogEnd, Failure> {
    let mut head = [0; LOG_HEAD_BYTES];
    log.read_exact_at(&mut head, 0).map_err(Failure::Io)?;
    let frame_bytes = FRAME_HEAD_BYTES + number(&head, 8) as usize;
    let at = LOG_HEAD_BYTES as u64 + u64::from(frames.saturating_sub(1)) * frame_bytes as u64;
    let mut frame = [0; FRAME_HEAD_BYTES];
    log.read_exact_at(&mut frame, at).map_err(Failure::Io)?;
    Ok(LogEnd {
        salts: [number(&frame, 8), number(&frame, 12)],
        frames,
        sums: [number(&frame, 16), number(&frame, 20)],
    })
}

impl Log {
    /// Reads the log at `path`, of a store whose pages have `page_bytes` if that is known.
    pub fn read(
        path: &Path,
        page_bytes: Option<usize>,
        end: Option<LogEnd>,
    ) -> Result<Log, Failure> {
        let mut bytes = Vec::new();
        let read = match File::open(path) {
            Ok(mut file) => file.read_to_end(&mut bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        };
        read.map_err(|error| Failure::File(path.to_owned(), error))?;
        let mut log = Log::of(&bytes, page_bytes, end);
        log.is_missing = bytes.is_empty();
        Ok(log)
    }

    fn of(bytes: &[u8], page_bytes: Option<usize>, end: Option<LogEnd>) -> Log {
        let mut log = Log::default();
        let head = Head::of(bytes, page_bytes, end);
        if let Some(head) = &head {
            // After a life that the main file has taken in the log begins again.
            let is_next = end.is_none_or(|end| {
                head.is_whole && (head.salts[0].wrapping_sub(end.salts[0]) as i32) > 0
            });
            let may_end_early = end.is_some();
            let end = end.filter(|_| !is_next);
            log.page_bytes = head.page_bytes;
            log.take_frames(bytes, head, end, may_end_early);
            log.complain(head, end);
        } else if let Some(end) = end {
            log.damaged = end.frames;
            log.complaint = Some("the write-ahead log is missing or cannot be read".to_owned());
        }
        log
    }

    /// With a witness the first frame after the end that it recorded that is not whole is
    /// the end. Without one the end is the last commit: nothing whole comes after a torn
    /// end.
    fn take_frames(&mut self, bytes: &[u8], head: &Head, end: Option<LogEnd>, may_end_early: bool) {
        let needed = end.map_or(0, |end| end.frames as usize);
        let salts = end.map_or(head.salts, |end| end.salts);
        let frame_bytes = FRAME_HEAD_BYTES + head.page_bytes;
        let body = bytes.get(LOG_HEAD_BYTES..).unwrap_or_default();
        let mut before: Vec<[u32; 2]> = head.sums.to_vec();
        // Whole frames, and how many of them and of the others there were at the last commit.
        let (mut whole, mut at_commit, mut seen) = (Vec::new(), (0, 0), 0);
        for (index, frame) in body.chunks_exact(frame_bytes).enumerate() {
            let (frame_head, page) = frame.split_at(FRAME_HEAD_BYTES);
            let is_ours = [number(frame, 8), number(frame, 12)] == salts;
            let written = [number(frame, 16), number(frame, 20)];
            let is_whole = before.iter().any(|sums| {
                let sums = add_up(*sums, &frame_head[..8], head.is_big_endian);
                add_up(sums, page, head.is_big_endian) == written
            });
            if index >= needed && !(is_ours && (is_whole || !may_end_early)) {
                break;
            }
            seen = index + 1;
            before = vec![written];
            if is_whole {
                let at = LOG_HEAD_BYTES + index * frame_bytes + FRAME_HEAD_BYTES;
                whole.push(Frame {
                    page: number(frame, 0),
                    at: at as u64,
                });
            }
            let is_commit = is_whole && number(frame, 4) != 0;
            if is_commit || index + 1 == needed {
                at_commit = (whole.len(), seen);
            }
        }
        let (n_whole, n_seen) = match seen < needed {
            true => (whole.len(), needed),
            false => at_commit,
        };
        whole.truncate(n_whole);
        self.damaged = (n_seen - n_whole) as u32;
        self.frames = whole;
    }

    /// Reports damage that SQLite would overlook.
    fn complain(&mut self, head: &Head, end: Option<LogEnd>) {
        let (damaged, all) = (self.damaged, self.damaged as usize + self.frames.len());
        let has_wrong_head = !head.is_whole || end.is_some_and(|end| end.salts != head.salts);
        if has_wrong_head && all > 0 {
            self.complaint = Some("the head of the write-ahead log is damaged".to_owned());
        } else if damaged > 0 {
            let text = format!("{damaged} of {all} pages in the write-ahead log are damaged");
            self.complaint = Some(text);
        }
    }
}

impl Head {
    /// Contents of the head or, failing that, of the witness and the main file.
    fn of(bytes: &[u8], page_bytes: Option<usize>, end: Option<LogEnd>) -> Option<Head> {
        let head = bytes.get(..LOG_HEAD_BYTES)?;
        let is_big_endian = match number(head, 0) {
            0x377f_0682 => Some(false),
            0x377f_0683 => Some(true),
            _ => None,
        };
        let computed = add_up([0, 0], &head[..24], is_big_endian.unwrap_or(false));
        let written = [number(head, 24), number(head, 28)];
        let said = Some(number(head, 8) as usize).filter(|bytes| is_page_size(*bytes));
        let is_whole = is_big_endian.is_some() && computed == written && said.is_some();
        let salts = [number(head, 16), number(head, 20)];
        if !is_whole && end.is_none() && page_bytes.is_none() {
            return None;
        }
        let known = if is_whole { said } else { page_bytes.or(said) };
        Some(Head {
            is_big_endian: is_big_endian.unwrap_or(false),
            page_bytes: known?,
            salts: end.filter(|_| !is_whole).map_or(salts, |end| end.salts),
            sums: [computed, written],
            is_whole,
        })
    }
}

/// True if it is a valid page size.
pub fn is_page_size(bytes: usize) -> bool {
    bytes.is_power_of_two() && (512..=65_536).contains(&bytes)
}

/// The big-endian number of four bytes at `at`, which is within `bytes`.
pub fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The running checksum of the log.
fn add_up(sums: [u32; 2], bytes: &[u8], is_big_endian: bool) -> [u32; 2] {
    let word = |bytes: &[u8]| {
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        match is_big_endian {
            true => u32::from_be_bytes(bytes),
            false => u32::from_le_bytes(bytes),
        }
    };
    let [mut left, mut right] = sums;
    for pair in bytes.chunks_exact(8) {
        left = left.wrapping_add(word(&pair[..4])).wrapping_add(right);
        right = right.wrapping_add(word(&pair[4..])).wrapping_add(left);
    }
    [left, right]
}
