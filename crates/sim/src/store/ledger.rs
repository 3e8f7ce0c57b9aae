//! Facts about the store known from outside: requests, acknowledgements, and
//! observations. It knows nothing of how the store works.

use std::collections::{BTreeMap, BTreeSet};

/// The ledger of a run.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The newest version that any client has received.
    pub newest: i64,
    roots: BTreeMap<i64, String>,
    /// The longest log that anyone has seen.
    pub log: String,
    /// Book of each writer.
    pub books: BTreeMap<usize, Book>,
    /// Last write of each writer, once all have stopped and someone has looked.
    pub last: Option<BTreeMap<usize, u64>>,
}

/// Actions of one writer.
#[derive(Debug, Default, Clone)]
pub struct Book {
    /// Number of the newest transaction.
    pub sent: u64,
    /// Transactions that cannot be applied.
    pub bad: BTreeSet<u64>,
    /// Transactions that were acknowledged.
    pub acknowledged: BTreeSet<u64>,
    /// One is under way.
    pub is_busy: bool,
}

impl Ledger {
    /// A client received a version: a number always means the same root.
    pub fn saw_root(&mut self, seq: i64, root: &str) {
        let known = self.roots.entry(seq).or_insert_with(|| root.to_owned());
        assert_eq!(known, root, "version {seq} has two roots");
        self.newest = self.newest.max(seq);
    }

    /// Someone saw the log, or the beginning of it: there is only one.
    pub fn saw_log(&mut self, text: &str) {
        let len = text.len().min(self.log.len());
        assert_eq!(text[..len], self.log[..len], "there are two logs");
        if text.len() > len {
            text.clone_into(&mut self.log);
        }
    }

    /// Book of a writer.
    pub fn book(&mut self, writer: usize) -> &mut Book {
        self.books.entry(writer).or_default()
    }

    /// True if no writer waits for an answer.
    pub fn is_still(&self) -> bool {
        self.books.values().all(|book| !book.is_busy)
    }

    /// A client saw a whole version, and asked for it when writers had done `before`.
    pub fn saw_version(
        &mut self,
        seq: i64,
        values: &BTreeMap<String, String>,
        before: &BTreeMap<usize, Book>,
    ) {
        let log = values.get(super::LOG).map_or("", String::as_str);
        self.saw_log(log);
        let entries = entries_of(log);
        for (writer, book) in &self.books {
            let of_writer = entries.get(writer).cloned().unwrap_or_default();
            assert!(
                of_writer.is_sorted_by(|a, b| a < b),
                "writer {writer} has an append twice or too early: {log}"
            );
            let bad = of_writer
                .iter()
                .find(|n| book.bad.contains(n) || **n > book.sent);
            assert_eq!(bad, None, "of writer {writer}: never to be applied");
            let last = of_writer.last().map(u64::to_string);
            for side in ["left", "right", "wide"] {
                let value = values.get(&format!("{side}.{writer}"));
                assert_eq!(
                    value,
                    last.as_ref(),
                    "version {seq} has half of a transaction"
                );
            }
            let acknowledged = before.get(writer).map(|book| &book.acknowledged);
            let lost = acknowledged
                .into_iter()
                .flatten()
                .find(|n| !of_writer.contains(n));
            assert_eq!(
                lost, None,
                "of writer {writer}: acknowledged, not in version {seq}"
            );
        }
    }
}

/// The numbers of each writer, in the order of the log.
pub fn entries_of(log: &str) -> BTreeMap<usize, Vec<u64>> {
    let mut entries = BTreeMap::<usize, Vec<u64>>::new();
    for entry in log.split_terminator(';') {
        let numbers = entry.split_once(':').map(|(w, n)| (w.parse(), n.parse()));
        let Some((Ok(writer), Ok(number))) = numbers else {
            panic!("half an entry: {entry}");
        };
        entries.entry(writer).or_default().push(number);
    }
    entries
}
