//! Complaints by subject, as programs make them while brokers die around them.

use std::collections::BTreeMap;

use crate::crash::Tally;

/// All of one kind of program.
#[derive(Default)]
pub struct Complaints(BTreeMap<&'static str, Vec<String>>);

impl Complaints {
    /// One more.
    pub fn add(&mut self, what: &'static str, complaint: String) {
        self.0.entry(what).or_default().push(complaint);
    }

    /// Puts a row for each of these kinds into the figures, also where there are none.
    pub fn add_up<const N: usize>(&mut self, kinds: [&'static str; N], tally: &mut Tally) {
        for what in kinds {
            tally.wrong("tree", what, self.0.remove(what).unwrap_or_default());
        }
    }
}
