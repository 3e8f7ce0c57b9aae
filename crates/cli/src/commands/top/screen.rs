//! A screen of characters: drawn in memory, then written to the terminal where it differs
//! from the present contents.
//!
//! A table of cells of our own and not a library: the layout is fixed to the column, the
//! command is one of many, and none of them is to start slower for it.

use std::fmt::Write as _;

/// Colours of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    Red = 31,
    Yellow = 33,
    Blue = 34,
}

/// Attributes of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// Of the character; `None` for the usual.
    pub colour: Option<Colour>,
    pub is_bold: bool,
    pub is_dim: bool,
    pub is_reverse: bool,
}

/// Nothing special.
pub const USUAL: Look = Look {
    colour: None,
    is_bold: false,
    is_dim: false,
    is_reverse: false,
};

/// Stands in the second column of a wide character.
const COVERED: char = '\0';

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    character: char,
    look: Look,
}

/// Rows and columns of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    columns: usize,
    rows: Vec<Vec<Cell>>,
}

impl Screen {
    /// An empty screen.
    pub fn new(columns: usize, rows: usize) -> Screen {
        let blank = Cell {
            character: ' ',
            look: USUAL,
        };
        Screen {
            columns,
            rows: vec![vec![blank; columns]; rows],
        }
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.rows.len()
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        self.columns
    }

    /// Writes a text, cut at the edges. Returns the column after it.
    pub fn put(&mut self, row: usize, column: usize, text: &str, look: Look) -> usize {
        let mut at = column;
        for character in text.chars() {
            let width = width(character);
            if let Some(row) = self.rows.get_mut(row)
                && at + width <= row.len()
            {
                row[at] = Cell { character, look };
                for covered in &mut row[at + 1..at + width] {
                    *covered = Cell {
                        character: COVERED,
                        look,
                    };
                }
            }
            at += width;
        }
        at
    }

    /// Writes a text so that it ends before `end`.
    pub fn put_right(&mut self, row: usize, end: usize, text: &str, look: Look) {
        let columns: usize = text.chars().map(width).sum();
        self.put(row, end.saturating_sub(columns), text, look);
    }

    /// The characters, without blanks at the ends of lines.
    #[cfg(test)]
    pub fn text(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            let row = row.iter().map(|cell| cell.character);
            let row: String = row.filter(|character| *character != COVERED).collect();
            row.trim_end().to_owned()
        });
        rows.collect::<Vec<_>>().join("\n").trim_end().to_owned()
    }

    /// Attributes of the character at a position.
    #[cfg(test)]
    pub fn look(&self, row: usize, column: usize) -> Look {
        self.rows[row][column].look
    }

    /// Bytes that turn a terminal that shows `before` into this screen; the whole screen
    /// if that is unknown.
    pub fn changes(&self, before: Option<&Screen>, has_colours: bool) -> String {
        let same_size = |before: &&Screen| {
            (before.columns, before.rows.len()) == (self.columns, self.rows.len())
        };
        let before = before.filter(same_size);
        let mut output = String::new();
        if before.is_none() {
            output.push_str("\x1b[2J");
        }
        for (at, row) in self.rows.iter().enumerate() {
            if before.is_some_and(|before| before.rows[at] == *row) {
                continue;
            }
            // Writing to a String does not fail.
            let _ = write!(output, "\x1b[{};1H", at + 1);
            let mut look = None;
            for cell in row.iter().filter(|cell| cell.character != COVERED) {
                if look != Some(cell.look) {
                    cell.look.write(has_colours, &mut output);
                    look = Some(cell.look);
                }
                output.push(cell.character);
            }
            output.push_str("\x1b[0m");
        }
        output
    }
}

impl Look {
    fn write(self, has_colours: bool, output: &mut String) {
        output.push_str("\x1b[0");
        for (is_set, code) in [(self.is_bold, 1), (self.is_dim, 2), (self.is_reverse, 7)] {
            if is_set {
                let _ = write!(output, ";{code}");
            }
        }
        if let Some(colour) = self.colour.filter(|_| has_colours) {
            let _ = write!(output, ";{}", colour as u8);
        }
        output.push('m');
    }
}

/// Columns of a character: of those that names of jobs and we ourselves use, the East Asian
/// ones and pictures are wide.
fn width(character: char) -> usize {
    match u32::from(character) {
        0x1100..=0x115f
        | 0x231a..=0x231b
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0x1f300..=0x1faff => 2,
        0x0300..=0x036f | 0x200b..=0x200f => 0,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stand_where_they_are_put_and_end_at_the_edge() {
        let mut screen = Screen::new(8, 2);
        assert_eq!(screen.put(0, 1, "ab", USUAL), 3);
        screen.put(0, 6, "xyz", USUAL);
        screen.put_right(1, 8, "∞", USUAL);
        screen.put(7, 0, "lost", USUAL);
        assert_eq!(screen.text(), " ab   xy\n       ∞");
        screen.put_right(1, 8, "1h⌚", USUAL);
        assert_eq!(screen.text(), " ab   xy\n    1h⌚");
    }

    #[test]
    fn only_rows_that_change_are_sent() {
        let mut before = Screen::new(3, 2);
        before.put(0, 0, "abc", USUAL);
        let mut after = before.clone();
        let red = Look {
            colour: Some(Colour::Red),
            is_bold: true,
            ..USUAL
        };
        after.put(1, 1, "x", red);
        let changes = |has_colours| after.changes(Some(&before), has_colours);
        let expect = "\x1b[2;1H\x1b[0m \x1b[0;1;31mx\x1b[0m \x1b[0m";
        assert_eq!(changes(true), expect);
        assert_eq!(changes(false), expect.replace(";31", ""));
        assert_eq!(after.changes(Some(&after), true), "");
        assert!(after.changes(None, true).starts_with("\x1b[2J\x1b[1;1H"));
        let smaller = Screen::new(2, 2);
        assert!(after.changes(Some(&smaller), true).starts_with("\x1b[2J"));
    }
}
