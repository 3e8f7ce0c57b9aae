//! `doc/attributes.md` and `doc/config.md`: the settings of an operator, from the tables
//! in `proto`, and the crates that use them, from their code.

use std::fmt::Write;

use proto::attr::Attr;
use proto::attr::names::{self, CONFIG, IMMUTABLE, MANY, OPEN, READONLY, RUNTIME, UNSUPPORTED};
use proto::config::keys::{self, Key, Status, TABLES};

use super::uses::Sources;
use super::{Page, banner, cell};

/// Both pages.
pub fn pages() -> Vec<Page> {
    let sources = Sources::read();
    vec![
        Page {
            path: "attributes.md".to_owned(),
            text: attributes(&sources),
        },
        Page {
            path: "config.md".to_owned(),
            text: config(&sources),
        },
    ]
}

fn attributes(sources: &Sources) -> String {
    let mut text = banner("crates/proto/src/attr/names.rs");
    text.push_str(
        "# Broker attributes\n\nAn attribute is set with `flux start -S NAME=VALUE`, read with \
         `flux getattr` and, if it may change at run time, set again with `flux setattr`. One \
         that is not known, not supported or malformed is refused by its name: at the start \
         the broker then exits with 1.\n\n\
         *read-only*: only the broker sets it. *fixed*: cannot change once set. *runtime*: may \
         change while the instance runs. *[tbon]*: the key of the same name in that table of \
         the [configuration](config.md) sets it too; the command line comes first. *from two \
         brokers on*: checked, but one broker alone has no use for it.\n",
    );
    let mut source = "";
    for attr in names::ALL.iter().filter(|attr| !attr.is(UNSUPPORTED)) {
        if attr.source != source {
            source = attr.source;
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "\nSource: {source}\n\n\
                 | name | value | default | set | what it does | used by |\n|---|---|---|---|---|---|"
            );
        }
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} | {} |",
            attr.name,
            cell(&attr.form.words()),
            attr.default
                .map_or(String::new(), |text| format!("`{text}`")),
            when(attr),
            cell(attr.about),
            users(sources, attr.constant),
        );
    }
    text.push_str("\n## Not supported in this version\n\n| name | what it would do |\n|---|---|\n");
    for attr in names::ALL.iter().filter(|attr| attr.is(UNSUPPORTED)) {
        let _ = writeln!(text, "| `{}` | {} |", attr.name, cell(attr.about));
    }
    text
}

/// Describes who may set an attribute, and when.
fn when(attr: &Attr) -> String {
    let words = [
        (READONLY, "read-only"),
        (IMMUTABLE, "fixed"),
        (RUNTIME, "runtime"),
        (CONFIG, "[tbon]"),
        (MANY, "from two brokers on"),
        (OPEN, "any name"),
    ];
    let words = words.iter().filter(|(bit, _)| attr.is(*bit));
    words.map(|(_, word)| *word).collect::<Vec<_>>().join(", ")
}

fn config(sources: &Sources) -> String {
    let mut text = banner("crates/proto/src/config/keys.rs");
    text.push_str(
        "# Configuration\n\nThe configuration is TOML or JSON: `flux start --config-path`, \
         `--conf`, `$FLUX_CONF_DIR`, and `flux config` while the instance runs. In the tables \
         on this page a key that is not known, not supported or of another form is refused by \
         its name: at the start the broker exits with 1; a change is refused as a whole, and \
         everybody keeps the old configuration. Tables that are not on this page belong to \
         other programs, which keep settings with the instance, such as `[accounting]`: they \
         are kept as they are.\n",
    );
    for table in TABLES {
        let rows = || keys::ALL.iter().filter(|key| is_in(key, table.name));
        if rows().all(|key| key.status == Status::Unsupported) {
            continue;
        }
        let _ = writeln!(
            text,
            "\n## [{}]\n\n| key | value | default | what it does | used by |\n|---|---|---|---|---|",
            table.name
        );
        for key in rows().filter(|key| key.status != Status::Unsupported) {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} | {} |",
                key.path.replace('*', "NAME"),
                cell(&key.form.words()),
                match key.default {
                    "" => String::new(),
                    text => format!("`{text}`"),
                },
                cell(key.about),
                match key.status {
                    Status::Attribute => "the [attribute](attributes.md)".to_owned(),
                    _ => users(sources, key.constant),
                },
            );
        }
    }
    text.push_str("\n## Not supported in this version\n\n| key | what it would do |\n|---|---|\n");
    for key in keys::ALL
        .iter()
        .filter(|key| key.status == Status::Unsupported)
    {
        let path = key.path.replace('*', "NAME");
        let _ = writeln!(text, "| `{path}` | {} |", cell(key.about));
    }
    text
}

fn is_in(key: &Key, table: &str) -> bool {
    keys::table(key.path).is_some_and(|found| found.name == table)
}

fn users(sources: &Sources, constant: &str) -> String {
    let users = sources.users(constant, true);
    users.into_iter().collect::<Vec<_>>().join(", ")
}
