//! The manual in `doc/` is printed from the parsers. `UPDATE=1 cargo test -p cli --test
//! docs`, which `cargo xtask docs` runs, writes it.

use std::fs;
use std::path::{Path, PathBuf};

use proto::data::job::JobStep;

const BANNER: &str =
    "<!-- Written by `cargo xtask docs` from crates/cli/src/commands: change it there. -->\n\n";

/// Mark in `job-trace.md`: the text behind it is printed here.
const STEPS: &str = "<!-- steps -->\n";

fn doc() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../doc")
}

/// Writes the page if asked to; returns whether it is current (now).
fn is_current(path: &Path, text: &str) -> bool {
    if fs::read_to_string(path).is_ok_and(|found| found == text) {
        return true;
    }
    if std::env::var_os("UPDATE").is_none() {
        return false;
    }
    fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("doc/ is writable");
    fs::write(path, text).expect("doc/ is writable");
    true
}

#[test]
fn the_page_of_all_commands_is_current() {
    let text = BANNER.to_owned() + &cli::docs::cli_md();
    assert!(
        is_current(&doc().join("cli.md"), &text),
        "doc/cli.md: run `cargo xtask docs`"
    );
}

#[test]
fn the_tables_of_the_page_on_compatibility_are_current() {
    let path = doc().join("compatibility.md");
    let page = fs::read_to_string(&path).expect("doc/compatibility.md is there");
    let mark = "compatibility.rs: change it there. -->\n";
    let (by_hand, _) = page
        .split_once(mark)
        .expect("the page says where the tables begin");
    let text = format!("{by_hand}{mark}{}", cli::docs::compatibility());
    assert!(
        is_current(&path, &text),
        "doc/compatibility.md: run `cargo xtask docs`"
    );
}

#[test]
fn the_steps_of_a_trace_are_in_their_page() {
    let path = doc().join("job-trace.md");
    let page = fs::read_to_string(&path).expect("doc/ is readable");
    let (by_hand, _) = page.split_once(STEPS).expect("the page has a mark");
    let head = "## Steps\n\n| step | service | what has happened |\n|---|---|---|\n";
    let mut text = format!("{by_hand}{STEPS}\n{head}");
    for step in JobStep::ALL {
        let (name, service, meaning) = (step.name(), step.service(), step.meaning());
        text += &format!("| `{name}` | {service} | {meaning} |\n");
    }
    assert!(
        is_current(&path, &text),
        "doc/job-trace.md: run `cargo xtask docs`"
    );
}

#[test]
fn the_manual_pages_are_current_and_no_page_is_left_over() {
    let folder = doc().join("man");
    let pages = cli::docs::man_pages();
    let mut stale: Vec<String> = Vec::new();
    for (name, text) in &pages {
        if !is_current(&folder.join(name), text) {
            stale.push(name.clone());
        }
    }
    for entry in fs::read_dir(&folder).into_iter().flatten() {
        let path = entry.expect("doc/man is readable").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if pages.iter().any(|(page, _)| *page == name) {
            continue;
        }
        if std::env::var_os("UPDATE").is_some() {
            fs::remove_file(&path).expect("doc/ is writable");
        } else {
            stale.push(name);
        }
    }
    assert!(
        stale.is_empty(),
        "doc/man: run `cargo xtask docs` for {}",
        stale.join(", ")
    );
}
