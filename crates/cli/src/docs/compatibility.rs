//! The tables of `doc/compatibility.md`: commands that others do not have or that do nothing
//! here, and every setting, option and attribute that is refused, from the tables in `proto`.

use std::fmt::Write as _;

use proto::attr::names::{self, UNSUPPORTED};
use proto::config::keys::{self, Status};
use proto::data::shape::Support;
use proto::data::{job_attribute, shell_option};

use super::ENTRIES;
use command::entry::Group;

/// Commands that Flux does not have.
const OURS: &[&str] = &["completion", "lint", "orphans", "web"];

/// Commands of Flux that are there and refuse their work, and why.
const REFUSING: &[(&str, &str)] = &[
    (
        "heaptrace",
        "there is no allocator that records; use `perf` or `heaptrack` on a module",
    ),
    ("modprobe run", "files of tasks in Python are not read"),
];

/// The tables, under a heading each.
pub fn tables() -> String {
    let mut page = String::new();
    commands(&mut page);
    let refused = keys::ALL
        .iter()
        .filter(|key| key.status == Status::Unsupported)
        .map(|key| (key.path.replace('*', "NAME"), key.about.to_owned()));
    table(
        &mut page,
        "Keys of the configuration that are refused",
        refused,
    );
    let refused = names::ALL
        .iter()
        .filter(|attr| attr.is(UNSUPPORTED))
        .map(|attr| (attr.name.to_owned(), attr.about.to_owned()));
    table(&mut page, "Attributes of brokers that are refused", refused);
    let refused = shell_option::ALL
        .iter()
        .filter(|row| row.support != Support::Used)
        .map(|row| (row.name.to_owned(), about(row.summary, row.support)));
    table(
        &mut page,
        "Options of the job shell that are refused",
        refused,
    );
    let refused = job_attribute::ALL
        .iter()
        .filter(|row| row.support != Support::Used)
        .map(|row| (row.name.to_owned(), about(row.summary, row.support)));
    table(&mut page, "Attributes of jobs that are refused", refused);
    page
}

fn commands(page: &mut String) {
    heading(page, "Commands");
    for group in Group::ALL {
        let entries = ENTRIES.iter().filter(|entry| entry.group == *group);
        let names = entries.map(|entry| match OURS.contains(&entry.name) {
            true => format!("**{}**", entry.name),
            false => entry.name.to_owned(),
        });
        let names: Vec<_> = names.collect();
        if !names.is_empty() {
            let _ = writeln!(page, "- {}: {}", group.title(), names.join(", "));
        }
    }
    page.push_str("\nThose in bold are ours alone. These are there and refuse their work:\n\n");
    for (name, reason) in REFUSING {
        let _ = writeln!(page, "- `flux {name}`: {reason}");
    }
}

/// Effect of the attribute, and the refused values, if there are any.
fn about(summary: &str, support: Support) -> String {
    match support {
        Support::Used | Support::Refused => summary.to_owned(),
        Support::UsedExcept(_) => format!("{summary} Here: {}", support.word()),
    }
}

fn table(page: &mut String, title: &str, rows: impl Iterator<Item = (String, String)>) {
    heading(page, title);
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        page.push_str("None.\n");
        return;
    }
    page.push_str("| name | its effect in Flux |\n|---|---|\n");
    for (name, about) in rows {
        let _ = writeln!(page, "| `{name}` | {about} |");
    }
}

fn heading(page: &mut String, title: &str) {
    let _ = writeln!(page, "\n## {title}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_is_marked_is_there() {
        let refusing = REFUSING.iter().map(|(name, _)| *name);
        for name in OURS.iter().copied().chain(refusing) {
            let program = name.split(' ').next();
            assert!(
                ENTRIES.iter().any(|entry| Some(entry.name) == program),
                "{name}"
            );
        }
    }
}
