//! Takes the figures of a row and prints them, for a person or for a program.

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::row::Row;
use super::subject::Subject;

/// The figures of one row.
pub struct Figures {
    name: &'static str,
    what: &'static str,
    unit: &'static str,
    ours: f64,
    floor: Option<f64>,
    peer: Option<f64>,
}

impl Figures {
    /// Measures floor, ours and peer right after each other, so that they share the
    /// machine's mood.
    pub fn measure(row: &Row, ours: &Subject, peer: Option<&Subject>) -> Result<Self> {
        let floor = row.floor.map(|floor| floor()).transpose();
        let floor = floor.context("the floor")?;
        let ours = row.measure(ours)?;
        let peer = peer.map(|peer| row.measure(peer)).transpose();
        let peer = peer.context("the peer")?;
        Ok(Self {
            name: row.name,
            what: row.what,
            unit: row.unit,
            floor: floor.or(ours.beside),
            ours: ours.figure,
            peer: peer.map(|peer| peer.figure),
        })
    }

    fn ratio(&self) -> Option<f64> {
        self.floor.map(|floor| self.ours / floor)
    }
}

/// A table with aligned figures.
pub fn table(all: &[Figures], with_peer: bool) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let mut header = vec!["name", "what", "unit", "ours", "floor", "ratio"];
    if with_peer {
        header.extend(["peer", "ours/peer"]);
    }
    table.set_header(header);
    for figures in all {
        let mut row = vec![
            figures.name.to_owned(),
            figures.what.to_owned(),
            figures.unit.to_owned(),
            number(Some(figures.ours)),
            number(figures.floor),
            number(figures.ratio()),
        ];
        if let Some(peer) = figures.peer {
            row.extend([number(Some(peer)), number(Some(figures.ours / peer))]);
        }
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The same as an array of objects, one a row.
pub fn json(all: &[Figures]) -> Value {
    let row = |figures: &Figures| {
        json!({
            "name": figures.name, "what": figures.what, "unit": figures.unit,
            "ours": figures.ours, "floor": figures.floor, "ratio": figures.ratio(),
            "peer": figures.peer,
        })
    };
    all.iter().map(row).collect()
}

/// Three significant digits; a dash where there is no figure.
fn number(value: Option<f64>) -> String {
    let Some(value) = value.filter(|value| *value != 0.0 && value.is_finite()) else {
        return "-".to_owned();
    };
    // A figure's size is far within what an i32 holds.
    let digits = (2 - value.abs().log10().floor() as i32).max(0) as usize;
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(peer: Option<f64>) -> Figures {
        Figures {
            name: "n",
            what: "what it is",
            unit: "ms",
            ours: 12.345,
            floor: Some(2.0),
            peer,
        }
    }

    #[test]
    fn the_table_has_ours_floor_ratio_and_peer() {
        let text = table(&[sample(Some(24.69))], true).to_string();
        let last = text.lines().last().expect("a row");
        let cells: Vec<&str> = last.split('|').map(str::trim).collect();
        assert_eq!(
            cells[1..9],
            [
                "n",
                "what it is",
                "ms",
                "12.3",
                "2.00",
                "6.17",
                "24.7",
                "0.500"
            ]
        );
    }

    #[test]
    fn json_has_the_same_keys_for_every_row() {
        let value = json(&[sample(None)]);
        assert_eq!(value[0]["ours"], 12.345);
        assert_eq!(value[0]["peer"], Value::Null);
    }

    #[test]
    fn numbers_have_three_digits() {
        for (value, text) in [
            (0.01234, "0.0123"),
            (9.999, "10.00"),
            (1234.5, "1234"),
            (0.0, "-"),
        ] {
            assert_eq!(number(Some(value)), text);
        }
    }
}
