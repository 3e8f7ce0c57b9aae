//! The sub-commands, one file each, and the table of them.

use crate::command::Entry;

pub mod completion;
pub mod help;

/// Every sub-command, by name. A new command adds its line here.
pub const ENTRIES: &[Entry] = &[
    Entry::of::<completion::Completion>(),
    Entry::of::<help::Help>(),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_has_no_name_twice() {
        let names: Vec<&str> = ENTRIES.iter().map(|entry| entry.name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
    }

    #[test]
    fn every_parser_is_consistent_and_explains_itself() {
        for entry in ENTRIES {
            let parser = entry.parser();
            assert!(parser.get_about().is_some(), "{} has no about", entry.name);
            parser.debug_assert();
        }
    }
}
