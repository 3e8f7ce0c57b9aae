//! The log of an array, `array.log` in its job's namespace: the end of each element.
//!
//! Lines of text, each complete in itself: `KIND BODY CRC`, where CRC is the checksum of `KIND
//! BODY` in eight hexadecimal digits. Kind `A` has elements that ended, packed and in base64:
//! about 8 bytes each. Kind `D` has an idset of elements that were done before the job began,
//! when it resumes another. A later line overrides an earlier one: an element that was run
//! again has two.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;

use crate::data::IdSet;
use crate::data::job::WaitStatus;

/// The key of the log in a job's namespace.
pub const KEY: &str = "array.log";

/// Units of time in a second.
const TICKS_PER_S: f64 = 10_000.0;

/// End of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The element exited by itself, with this wait status.
    Exited(WaitStatus),
    /// The element exceeded its time limit, and ended with this wait status.
    TimedOut(WaitStatus),
    /// The element was cancelled while it ran, and ended with this wait status.
    Canceled(WaitStatus),
    /// The element was cancelled before it ran.
    NeverRan,
    /// The node or its shell was lost while it ran.
    Lost,
    /// The element could not be started, for this error number.
    NotStarted(u32),
}

/// An element that has ended and is not run again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ended {
    /// Index of the element.
    pub index: u32,
    /// The shell that ran it, by its rank in the job.
    pub shell: u32,
    /// Number of starts.
    pub tries: u32,
    /// Time of the last start, in seconds since the epoch.
    pub start: f64,
    /// Run time of the last try, in seconds.
    pub runtime: f64,
    /// End of the last try.
    pub how: How,
}

impl How {
    /// True if it succeeded.
    pub fn is_good(self) -> bool {
        self == How::Exited(WaitStatus(0))
    }

    /// The exit code that a shell would show; 0 only for a success.
    pub fn code(self) -> u8 {
        /// Exit code of timeout(1).
        const TIMED_OUT: u8 = 124;
        let code = |status: WaitStatus| u8::try_from(status.shell_code()).unwrap_or(1);
        match self {
            How::Exited(status) => code(status),
            How::TimedOut(_) => TIMED_OUT,
            How::Canceled(status) => code(status).max(1),
            How::NeverRan | How::Lost => 1,
            // EPERM and EACCES, then ENOENT.
            How::NotStarted(1 | 13) => 126,
            How::NotStarted(2) => 127,
            How::NotStarted(_) => 1,
        }
    }

    /// One word for lists of elements.
    pub fn word(self) -> &'static str {
        match self {
            how if how.is_good() => "done",
            How::Exited(_) => "failed",
            How::TimedOut(_) => "timeout",
            How::Canceled(_) | How::NeverRan => "canceled",
            How::Lost => "lost",
            How::NotStarted(_) => "failed",
        }
    }

    /// The wait status, if it has one.
    pub fn status(self) -> Option<WaitStatus> {
        match self {
            How::Exited(status) | How::TimedOut(status) | How::Canceled(status) => Some(status),
            How::NeverRan | How::Lost | How::NotStarted(_) => None,
        }
    }

    /// The kind, and its number.
    fn pack(self) -> (u8, u64) {
        let number = |status: WaitStatus| u64::from(status.0.cast_unsigned());
        match self {
            how if how.is_good() => (0, 0),
            How::Exited(status) => (1, number(status)),
            How::TimedOut(status) => (2, number(status)),
            How::Canceled(status) => (3, number(status)),
            How::NeverRan => (4, 0),
            How::Lost => (5, 0),
            How::NotStarted(errno) => (6, u64::from(errno)),
        }
    }

    fn unpack(kind: u8, number: u64) -> Option<How> {
        let small = u32::try_from(number).ok()?;
        let status = WaitStatus(small.cast_signed());
        Some(match kind {
            0 => How::Exited(WaitStatus(0)),
            1 => How::Exited(status),
            2 => How::TimedOut(status),
            3 => How::Canceled(status),
            4 => How::NeverRan,
            5 => How::Lost,
            6 => How::NotStarted(small),
            _ => return None,
        })
    }

    /// True if a number belongs to this kind.
    fn has_number(kind: u8) -> bool {
        matches!(kind, 1 | 2 | 3 | 6)
    }
}

/// Bit of a record's first byte: run by the shell of the previous record.
const SAME_SHELL: u8 = 0x10;
/// Bit of a record's first byte: started once.
const ONE_TRY: u8 = 0x20;

/// The line that records the ends of these elements.
pub fn ended_line(elements: &[Ended]) -> String {
    line('A', &BASE64.encode(pack(elements)))
}

/// The line that records the elements done before.
pub fn before_line(done: &IdSet) -> String {
    line('D', &done.to_string())
}

fn line(kind: char, body: &str) -> String {
    let line = format!("{kind} {body}");
    let sum = crc32fast::hash(line.as_bytes());
    format!("{line} {sum:08x}\n")
}

fn ticks(seconds: f64) -> i64 {
    // Saturates; a time that is no number is 0.
    (seconds * TICKS_PER_S).round() as i64
}

/// Base time, then a record for each element: a byte that describes the rest, the distance
/// of its index, its shell, its tries, its number, the distance of its start, and its
/// runtime.
fn pack(elements: &[Ended]) -> Vec<u8> {
    let base = ticks(elements.first().map_or(0.0, |first| first.start));
    let mut out = base.to_le_bytes().to_vec();
    let (mut index, mut shell, mut start) = (0, 0, base);
    for element in elements {
        let (kind, number) = element.how.pack();
        let mut head = kind;
        head |= SAME_SHELL * u8::from(element.shell == shell);
        head |= ONE_TRY * u8::from(element.tries == 1);
        out.push(head);
        put_signed(&mut out, i64::from(element.index) - index);
        if element.shell != shell {
            put(&mut out, u64::from(element.shell));
        }
        if element.tries != 1 {
            put(&mut out, u64::from(element.tries));
        }
        if How::has_number(kind) {
            put(&mut out, number);
        }
        let at = ticks(element.start);
        put_signed(&mut out, at.saturating_sub(start));
        put(&mut out, ticks(element.runtime).max(0).cast_unsigned());
        (index, shell, start) = (i64::from(element.index) + 1, element.shell, at);
    }
    out
}

fn unpack(bytes: &[u8]) -> Option<Vec<Ended>> {
    let (base, mut rest) = bytes.split_first_chunk::<8>()?;
    let base = i64::from_le_bytes(*base);
    let (mut index, mut shell, mut start) = (0i64, 0, base);
    let mut elements = Vec::new();
    while let Some((head, after)) = rest.split_first() {
        rest = after;
        let kind = head & 0x0f;
        let at = index.checked_add(get_signed(&mut rest)?)?;
        if head & SAME_SHELL == 0 {
            shell = u32::try_from(get(&mut rest)?).ok()?;
        }
        let tries = match head & ONE_TRY {
            0 => u32::try_from(get(&mut rest)?).ok()?,
            _ => 1,
        };
        let number = match How::has_number(kind) {
            true => get(&mut rest)?,
            false => 0,
        };
        start = start.checked_add(get_signed(&mut rest)?)?;
        let runtime = get(&mut rest)?;
        elements.push(Ended {
            index: u32::try_from(at).ok()?,
            shell,
            tries,
            start: start as f64 / TICKS_PER_S,
            runtime: runtime as f64 / TICKS_PER_S,
            how: How::unpack(kind, number)?,
        });
        index = at + 1;
    }
    Some(elements)
}

/// Seven bits a byte, the lowest first; the last byte is below 128.
fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

fn get(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn get_signed(bytes: &mut &[u8]) -> Option<i64> {
    let number = get(bytes)?;
    Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}

/// Contents of a log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// Elements that ended, by index, with the latest record of each.
    pub ended: BTreeMap<u32, Ended>,
    /// Elements done before the job began.
    pub before: IdSet,
    /// Number of damaged lines. The contents of damaged records are lost.
    pub n_damaged: usize,
}

impl History {
    /// Reads a log. An incomplete last line counts as damaged.
    pub fn read(log: &str) -> History {
        let mut history = History::default();
        for line in log.split_terminator('\n') {
            if history.add(line).is_none() {
                history.n_damaged += 1;
            }
        }
        history
    }

    fn add(&mut self, line: &str) -> Option<()> {
        let (text, sum) = line.rsplit_once(' ')?;
        let is_whole = sum.len() == 8 && u32::from_str_radix(sum, 16).is_ok();
        if !is_whole || format!("{:08x}", crc32fast::hash(text.as_bytes())) != sum {
            return None;
        }
        match text.split_once(' ')? {
            ("A", body) => {
                let elements = unpack(&BASE64.decode(body).ok()?)?;
                self.ended
                    .extend(elements.into_iter().map(|element| (element.index, element)));
            }
            ("D", body) => self.before.add(&body.parse().ok()?),
            _ => return None,
        }
        Some(())
    }

    /// Elements that need not be run again.
    pub fn good(&self) -> IdSet {
        let good = self.ended.values().filter(|element| element.how.is_good());
        let good: IdSet = good.map(|element| element.index).collect();
        good.union(&self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(index: u32, how: How) -> Ended {
        Ended {
            index,
            shell: 0,
            tries: 1,
            start: 1_700_000_000.25,
            runtime: 1.5,
            how,
        }
    }

    fn check(elements: &[Ended]) -> usize {
        let line = ended_line(elements);
        let history = History::read(&line);
        assert_eq!(history.n_damaged, 0, "{line}");
        let back: Vec<Ended> = history.ended.values().copied().collect();
        let mut expect = elements.to_vec();
        expect.sort_by_key(|element| element.index);
        assert_eq!(back, expect);
        line.len()
    }

    #[test]
    fn elements_are_packed_and_come_back() {
        check(&[]);
        let hows = [
            How::Exited(WaitStatus(0)),
            How::Exited(WaitStatus(256)),
            How::TimedOut(WaitStatus(15)),
            How::Canceled(WaitStatus(9)),
            How::NeverRan,
            How::Lost,
            How::NotStarted(2),
        ];
        let all: Vec<Ended> = (0u32..).zip(hows).map(|(i, how)| element(i, how)).collect();
        check(&all);
        let far = Ended {
            index: u32::MAX,
            shell: 70_000,
            tries: 255,
            start: 0.0,
            runtime: 1e6,
            how: How::Exited(WaitStatus(-1)),
        };
        check(&[far, element(3, How::Lost)]);
    }

    #[test]
    fn an_element_takes_less_than_32_bytes() {
        let start = |i: u32| 1_700_000_000.0 + f64::from(i) * 0.001;
        let elements: Vec<Ended> = (0..250)
            .map(|i| Ended {
                // Four slots end out of order.
                index: i ^ 3,
                start: start(i ^ 3),
                runtime: 0.0021,
                ..element(0, How::Exited(WaitStatus(0)))
            })
            .collect();
        let bytes = check(&elements);
        assert!(bytes < 250 * 10, "{bytes} bytes");
    }

    #[test]
    fn the_latest_word_counts_and_what_was_done_before_is_good() {
        let log = [
            before_line(&"1-3".parse().unwrap()),
            ended_line(&[
                element(4, How::Exited(WaitStatus(256))),
                element(5, How::Lost),
            ]),
            ended_line(&[element(4, How::Exited(WaitStatus(0)))]),
        ];
        let history = History::read(&log.concat());
        assert_eq!(history.good().to_string(), "1-4");
        assert_eq!(history.ended[&5].how, How::Lost);
    }

    #[test]
    fn a_damaged_line_says_nothing_and_is_counted() {
        let good = ended_line(&[element(1, How::Lost)]);
        let other = ended_line(&[element(2, How::Lost)]);
        let flipped: String = other.replacen("A ", "A A", 1);
        for damaged in [&flipped, "A\n", "\n", "Z x 00000000\n", &other[..20]] {
            let history = History::read(&format!("{good}{damaged}"));
            assert_eq!(history.n_damaged, 1, "{damaged:?}");
            assert_eq!(history.ended.len(), 1, "{damaged:?}");
        }
        // Every single changed byte is noticed.
        for at in 0..other.len() - 1 {
            let mut bytes = other.clone().into_bytes();
            bytes[at] ^= 1;
            let text = String::from_utf8(bytes).unwrap();
            assert_ne!(History::read(&text).n_damaged, 0, "byte {at}");
        }
    }

    #[test]
    fn what_has_a_sum_and_no_sense_is_damaged() {
        let crazy = [
            line('A', "!"),
            line('A', &BASE64.encode([0u8; 7])),
            line('A', &BASE64.encode([[0u8; 8], [0xff; 8]].concat())),
            line('D', "x"),
            line('E', "x"),
        ];
        let history = History::read(&crazy.concat());
        assert_eq!(history.n_damaged, crazy.len());
    }

    #[test]
    fn codes_are_those_that_a_shell_would_show() {
        let code = |how: How| how.code();
        assert_eq!(code(How::Exited(WaitStatus(0))), 0);
        assert_eq!(code(How::Exited(WaitStatus(512))), 2);
        assert_eq!(code(How::Exited(WaitStatus(9))), 137);
        assert_eq!(code(How::TimedOut(WaitStatus(15))), 124);
        assert_eq!(code(How::Canceled(WaitStatus(0))), 1);
        assert_eq!(code(How::NotStarted(2)), 127);
        assert_eq!(code(How::Lost), 1);
    }
}
