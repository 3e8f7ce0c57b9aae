//! flux-broker-attributes(7) and flux-config(5), from the tables in `proto`.

use std::fmt::Write as _;

use proto::attr::names::{self, CONFIG, IMMUTABLE, READONLY, RUNTIME, UNSUPPORTED};
use proto::config::keys::{self, Status, TABLES};

/// Both pages.
pub fn pages() -> Vec<(String, String)> {
    vec![
        ("flux-broker-attributes.7".to_owned(), attributes()),
        ("flux-config.5".to_owned(), config()),
    ]
}

fn attributes() -> String {
    let mut page = head(
        "flux-broker-attributes",
        7,
        "broker attributes",
        "An attribute is set with \\fBflux start \\-S\\fR \\fINAME\\fR=\\fIVALUE\\fR, read with \
            \\fBflux getattr\\fR and, if it is marked runtime, changed with \\fBflux \
            setattr\\fR. Attributes that are unknown, not supported or malformed are refused.",
    );
    page += ".SH ATTRIBUTES\n";
    for attr in names::ALL.iter().filter(|attr| !attr.is(UNSUPPORTED)) {
        let marks = [
            (READONLY, "read-only"),
            (IMMUTABLE, "fixed once set"),
            (RUNTIME, "runtime"),
            (CONFIG, "[tbon]"),
        ];
        let marks = marks.iter().filter(|(bit, _)| attr.is(*bit));
        let marks: Vec<_> = marks.map(|(_, word)| *word).collect();
        let marks = match marks.is_empty() {
            true => String::new(),
            false => format!(" ({})", marks.join(", ")),
        };
        let default = attr.default.map_or(String::new(), default);
        entry(
            &mut page,
            attr.name,
            &marks,
            attr.about,
            &attr.form.words(),
            &default,
        );
    }
    page += ".SH NOT SUPPORTED IN THIS VERSION\n";
    for attr in names::ALL.iter().filter(|attr| attr.is(UNSUPPORTED)) {
        let _ = writeln!(
            page,
            ".TP\n\\fB{}\\fR\n{}",
            roff(attr.name),
            roff(attr.about)
        );
    }
    page + ".SH SEE ALSO\nflux-start(1), flux-getattr(1), flux-setattr(1), flux-config(5)\n"
}

fn config() -> String {
    let mut page = head(
        "flux-config",
        5,
        "configuration keys",
        "The configuration is TOML or JSON. It is read at the start from \\fB\\-\\-config\\-path\\fR, \
         \\fB\\-\\-conf\\fR or $FLUX_CONF_DIR, and changed with \\fBflux config\\fR. In the tables \
         below a key that is unknown, not supported or malformed is refused, and a change with \
         it as a whole. Other tables belong to other programs.",
    );
    for table in TABLES {
        let rows = keys::ALL.iter().filter(|key| {
            let found = keys::table(key.path);
            key.status != Status::Unsupported && found.is_some_and(|found| found.name == table.name)
        });
        let rows: Vec<_> = rows.collect();
        if rows.is_empty() {
            continue;
        }
        let _ = writeln!(page, ".SH [{}]", roff(table.name));
        for key in rows {
            let default = match key.default {
                "" => String::new(),
                text => default(text),
            };
            let path = key.path.replace('*', "NAME");
            entry(&mut page, &path, "", key.about, &key.form.words(), &default);
        }
    }
    page += ".SH NOT SUPPORTED IN THIS VERSION\n";
    for key in keys::ALL
        .iter()
        .filter(|key| key.status == Status::Unsupported)
    {
        let path = key.path.replace('*', "NAME");
        let _ = writeln!(page, ".TP\n\\fB{}\\fR\n{}", roff(&path), roff(key.about));
    }
    page + ".SH SEE ALSO\nflux-config(1), flux-start(1), flux-broker-attributes(7)\n"
}

fn head(name: &str, section: u8, about: &str, description: &str) -> String {
    format!(
        ".TH {name} {section}\n.SH NAME\n{} \\- {about}\n.SH DESCRIPTION\n{description}\n",
        roff(name)
    )
}

fn entry(page: &mut String, name: &str, marks: &str, about: &str, form: &str, default: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(
        page,
        ".TP\n\\fB{}\\fR{marks}\n{} Value: {}.{default}",
        roff(name),
        roff(about),
        roff(form),
    );
}

fn default(text: &str) -> String {
    format!(" Default: {}.", roff(text))
}

/// Text with escapes for roff.
fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}
