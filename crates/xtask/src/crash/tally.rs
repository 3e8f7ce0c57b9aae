//! Results of a run: figures, and broken promises.

use comfy_table::{CellAlignment, Table, presets};

/// Complaints of one kind that are printed; the others are counted.
const PRINTED_MAX: usize = 10;

/// Figures and complaints, in the order in which they were found.
#[derive(Default)]
pub struct Tally {
    rows: Vec<Row>,
}

struct Row {
    part: &'static str,
    what: String,
    n: u64,
    is_wrong: bool,
}

impl Tally {
    /// Adds a figure that may be anything.
    pub fn figure(&mut self, part: &'static str, what: &str, n: u64) {
        self.row(part, what, n, false);
    }

    /// Adds complaints of one kind, and prints the first of them at once.
    pub fn wrong(&mut self, part: &'static str, what: &str, complaints: Vec<String>) {
        for complaint in complaints.iter().take(PRINTED_MAX) {
            eprintln!("{part}: {what}: {complaint}");
        }
        let n = complaints.len() as u64;
        self.row(part, what, n, n > 0);
    }

    fn row(&mut self, part: &'static str, what: &str, n: u64, is_wrong: bool) {
        self.rows.push(Row {
            part,
            what: what.to_owned(),
            n,
            is_wrong,
        });
    }

    /// True if there is no complaint.
    pub fn is_clean(&self) -> bool {
        self.rows.iter().all(|row| !row.is_wrong)
    }

    /// Prints the table.
    pub fn print(&self) {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(["part", "what", "number", ""]);
        for row in &self.rows {
            let mark = if row.is_wrong { "WRONG" } else { "" };
            table.add_row([row.part, &row.what, &row.n.to_string(), mark]);
        }
        if let Some(numbers) = table.column_mut(2) {
            numbers.set_cell_alignment(CellAlignment::Right);
        }
        println!("{table}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_complaint_is_enough() {
        let mut tally = Tally::default();
        tally.figure("jobs", "kills", 3);
        tally.wrong("jobs", "lost", Vec::new());
        assert!(tally.is_clean());
        tally.wrong("jobs", "lost", vec!["job 1".to_owned()]);
        assert!(!tally.is_clean());
    }
}
