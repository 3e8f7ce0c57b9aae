//! `doc/shell-options.md` and `doc/job-attributes.md`: the settings of a jobspec, from the
//! tables in `proto`.

use std::fmt::Write;

use proto::data::{job_attribute, shell_option};

use super::{Page, banner, cell};

/// Both pages.
pub fn pages() -> Vec<Page> {
    vec![
        Page {
            path: "shell-options.md".to_owned(),
            text: shell_options(),
        },
        Page {
            path: "job-attributes.md".to_owned(),
            text: job_attributes(),
        },
    ]
}

fn shell_options() -> String {
    let mut text = banner("crates/proto/src/data/shell_option/table.rs");
    text.push_str(
        "# Options of the job shell\n\nSet with `--setopt=NAME[=VALUE]`, 1 without a value; stored as \
         `attributes.system.shell.options`. A job that asks for a refused option is not taken. A name \
         that is not here is no error, for sites add some: the job's log says that it was not used.\n\n\
         | option | value | default | meaning | this version | rules |\n|---|---|---|---|---|---|\n",
    );
    for row in shell_option::ALL {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} | {} |",
            row.name,
            row.shape.noun(),
            row.default,
            cell(row.summary),
            row.support.word(),
            row.source,
        );
    }
    text
}

fn job_attributes() -> String {
    let mut text = banner("crates/proto/src/data/job_attribute.rs");
    text.push_str(
        "# Attributes of a job\n\nBelow `attributes` of a jobspec; `--setattr=NAME=VALUE` sets those below \
         `system`. A job with a value of another type, or with a refused attribute, is not taken. An \
         attribute that is not here is kept and has no effect.\n\n\
         | attribute | value | meaning | used by | this version |\n|---|---|---|---|---|\n",
    );
    for row in job_attribute::ALL {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} |",
            row.name,
            row.shape.noun(),
            cell(row.summary),
            row.used_by,
            row.support.word(),
        );
    }
    text
}
