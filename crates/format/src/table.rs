//! Columns, header and rows.

use std::io::{self, Write};

use jiff::tz::TimeZone;

use crate::parse::{Column, Format, SortKey};
use crate::spec::Spec;
use crate::value::Value;
use command::plain::Plain;

/// Options of printing a table.
#[derive(Debug, Clone)]
pub struct TableOptions {
    /// Print the header.
    pub header: bool,
    /// Lines are cut to N columns.
    pub columns_max: Option<usize>,
    /// Zone of the times.
    pub zone: TimeZone,
    /// Form of texts.
    pub plain: Plain,
}

/// Rows that are gathered, because some columns depend on all of them.
pub struct Table<'f, F> {
    format: &'f Format<F>,
    sort: &'f [SortKey<F>],
    options: TableOptions,
    rows: Vec<Row>,
    /// By column: whether a row has a value, and the longest value.
    columns: Vec<Seen>,
    /// Rows were printed: columns stay as they are.
    is_laid_out: bool,
}

/// One row: its cells and its sort keys.
struct Row {
    /// Escape sequence before it; empty for none.
    colour: &'static str,
    cells: Vec<Cell>,
    keys: Vec<Value<'static>>,
}

struct Cell {
    text: Box<str>,
    is_number: bool,
}

#[derive(Clone, Copy, Default)]
struct Seen {
    has_value: bool,
    longest: usize,
}

impl<'f, F> Table<'f, F> {
    /// An empty table. `sort` overrides the keys of the format.
    pub fn new(
        format: &'f Format<F>,
        sort: Option<&'f [SortKey<F>]>,
        options: TableOptions,
    ) -> Table<'f, F> {
        Table {
            format,
            sort: sort.unwrap_or(&format.sort),
            options,
            rows: Vec::new(),
            columns: vec![Seen::default(); format.columns.len()],
            is_laid_out: false,
        }
    }

    /// Adds a row, whose values `get` returns by field.
    pub fn push<'v>(&mut self, get: impl Fn(&F) -> Value<'v>) {
        let mut cells = Vec::with_capacity(self.format.columns.len());
        for (column, seen) in self.format.columns.iter().zip(&mut self.columns) {
            let value = get(&column.field).plain(self.options.plain);
            // A column that widens shows its zeros: NGPUS on nodes without any.
            let is_counted = !self.is_laid_out;
            seen.has_value |=
                is_counted && (!value.is_empty() || column.widen && value.is_number());
            // Only what is not cut to the old width tells how wide it should be.
            let spec = match column.widen {
                true => Spec {
                    precision: None,
                    ..column.spec
                },
                false => column.spec,
            };
            let text = value.show(&column.conversion, &spec, &self.options.zone);
            if column.widen && is_counted {
                seen.longest = seen.longest.max(text.chars().count());
            }
            cells.push(Cell {
                text: text.into(),
                is_number: value.is_number(),
            });
        }
        let keys = self.sort.iter();
        let keys = keys.map(|key| owned(get(&key.field))).collect();
        self.rows.push(Row {
            colour: "",
            cells,
            keys,
        });
    }

    /// Shows the row that was added last in a colour.
    pub fn colour_last(&mut self, colour: &'static str) {
        if let Some(row) = self.rows.last_mut() {
            row.colour = colour;
        }
    }

    /// Prints the header and the rows.
    pub fn print(mut self, out: &mut dyn Write) -> io::Result<()> {
        self.lay_out(out)
    }

    /// Prints the rows so far, the header before the first ones. Later rows get the same columns:
    /// all of them, when there was nothing to go by.
    pub fn flush(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if !self.is_laid_out && self.rows.is_empty() {
            self.columns
                .iter_mut()
                .for_each(|seen| seen.has_value = true);
        }
        self.lay_out(out)?;
        self.rows.clear();
        (self.is_laid_out, self.options.header) = (true, false);
        Ok(())
    }

    fn lay_out(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.sort_rows();
        let shown: Vec<(usize, &Column<F>, Spec)> = self
            .format
            .columns
            .iter()
            .enumerate()
            .filter(|(at, column)| !column.hide_empty || self.columns[*at].has_value)
            .map(|(at, column)| (at, column, self.spec_of(at, column)))
            .collect();
        let mut line = String::new();
        if self.options.header {
            for (_, column, spec) in &shown {
                line.push_str(&column.before);
                let heading = heading_spec(spec);
                heading.pad(&heading.cut(&column.heading), false, &mut line);
            }
            self.end_line(&mut line, "", out)?;
        }
        for row in &self.rows {
            for (at, column, spec) in &shown {
                let Cell { text, is_number } = &row.cells[*at];
                line.push_str(&column.before);
                spec.pad(text, *is_number, &mut line);
            }
            self.end_line(&mut line, row.colour, out)?;
        }
        Ok(())
    }

    fn spec_of(&self, at: usize, column: &Column<F>) -> Spec {
        match column.widen {
            true => column.spec.widened(self.columns[at].longest),
            false => column.spec,
        }
    }

    fn end_line(&self, line: &mut String, colour: &str, out: &mut dyn Write) -> io::Result<()> {
        line.push_str(&self.format.tail);
        if let Some(max) = self.options.columns_max
            && let Some((end, _)) = line.char_indices().nth(max)
        {
            line.truncate(end);
        }
        match colour {
            "" => writeln!(out, "{line}")?,
            colour => writeln!(out, "{colour}{line}\x1b[0m")?,
        }
        line.clear();
        Ok(())
    }

    fn sort_rows(&mut self) {
        if self.sort.is_empty() {
            return;
        }
        let directions: Vec<bool> = self.sort.iter().map(|key| key.descending).collect();
        self.rows.sort_by(|one, other| {
            let keys = one.keys.iter().zip(&other.keys).zip(&directions);
            let orders = keys.map(|((one, other), descending)| match descending {
                true => other.compare(one),
                false => one.compare(other),
            });
            orders.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        });
    }
}

/// The heading is a text, even where the values are none.
fn heading_spec(spec: &Spec) -> Spec {
    let is_number = matches!(spec.kind, Some('d' | 'f' | 'g' | 'x'));
    Spec {
        precision: spec.precision.filter(|_| !is_number),
        mark_cut: false,
        ..*spec
    }
}

fn owned(value: Value<'_>) -> Value<'static> {
    match value {
        Value::None => Value::None,
        Value::Text(text) => Value::Text(text.into_owned().into()),
        Value::Ordered(text, at) => Value::Ordered(text.into_owned().into(), at),
        Value::Escape(code) => Value::Escape(code),
        Value::Int(number) => Value::Int(number),
        Value::Float(number) => Value::Float(number),
        Value::Bool(flag) => Value::Bool(flag),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::sort_keys;
    use super::*;

    /// Prints rows of two fields, `a` (text) and `n` (number).
    fn check(format: &str, sort: &str, rows: &[(&str, i64)], expect: &str) {
        let resolve = |name: &str| match name {
            "a" => Some(('a', "ALPHA".to_owned())),
            "n" => Some(('n', "NUM".to_owned())),
            _ => None,
        };
        let format = Format::parse(format, resolve).unwrap();
        let sort = sort_keys(sort, resolve).unwrap();
        let options = TableOptions {
            header: true,
            columns_max: Some(20),
            zone: TimeZone::UTC,
            plain: Plain::default(),
        };
        let sort = (!sort.is_empty()).then_some(sort.as_slice());
        let mut table = Table::new(&format, sort, options);
        for (text, number) in rows {
            table.push(|field| match field {
                'a' => Value::Text((*text).into()),
                _ => Value::Int(*number),
            });
        }
        let mut out = Vec::new();
        table.print(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expect);
    }

    const ROWS: [(&str, i64); 2] = [("xyzxyz", 2), ("b", 10)];

    #[test]
    fn the_header_has_the_columns_of_the_rows() {
        check(
            "{a:<7} {n:>4}",
            "",
            &ROWS,
            "ALPHA    NUM\nxyzxyz     2\nb         10\n",
        );
        check("{a:<3.3} {n}|", "", &ROWS, "ALP NUM|\nxyz 2|\nb   10|\n");
    }

    #[test]
    fn columns_are_dropped_and_widened() {
        check("?:{a:<3} {n}", "", &[("", 1)], " NUM\n 1\n");
        check("{n} ?:{a:<3}", "", &[("", 1)], "NUM\n1\n");
        check(
            "+:{a:<3.3} {n}",
            "",
            &ROWS,
            "ALPHA  NUM\nxyzxyz 2\nb      10\n",
        );
    }

    #[test]
    fn a_row_is_one_line_whatever_is_in_it() {
        let rows = [("a\nb\x1b[m", 1)];
        check("{a:<3} {n}", "", &rows, "ALPHA NUM\na\\nb\\u001b[m 1\n");
        check("{a:<4.4+}", "", &rows, "ALPH\na\\n+\n");
    }

    #[test]
    fn rows_are_sorted_by_keys() {
        check("{n}", "n", &ROWS, "NUM\n2\n10\n");
        check("{n}", "-n", &ROWS, "NUM\n10\n2\n");
        check("sort:a {a}", "", &ROWS, "ALPHA\nb\nxyzxyz\n");
        check("sort:a {a}", "-a", &ROWS, "ALPHA\nxyzxyz\nb\n");
    }

    #[test]
    fn long_lines_are_cut() {
        check(
            "{a:>30}x",
            "",
            &[("y", 1)],
            &format!("{0}\n{0}\n", " ".repeat(20)),
        );
    }
}
