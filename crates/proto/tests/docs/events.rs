//! `doc/rpc/events.md`: every event of the bus, from the declarations in `proto`.

use std::fmt::Write;

use super::rpc::{payload, who};
use super::{Page, banner, cell};

/// The one page.
pub fn pages() -> Vec<Page> {
    let mut text = banner("crates/proto/src");
    text.push_str(
        "# Every event\n\n\
         A word in capitals stands for any text. Who is not listed as a publisher gets EPERM, \
         and components take no notice of what comes from others.\n\n\
         | topic | who publishes | who sees it | what it says |\n|---|---|---|---|\n",
    );
    for event in proto::events() {
        let seen = if event.private { "owner" } else { "anyone" };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {seen} | {} |",
            event.topic,
            who(event.role),
            cell(event.summary),
        );
    }
    for event in proto::events() {
        let _ = writeln!(text, "\n## {}", event.topic);
        text.push_str(&payload("Payload", (event.schema)()));
    }
    vec![Page {
        path: "rpc/events.md".to_owned(),
        text,
    }]
}
