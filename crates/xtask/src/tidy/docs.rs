//! Generated pages are what their sources say. Those of other crates are held by tests
//! of theirs.

#[test]
fn generated_pages_are_current() {
    let differing = crate::docs::differing_pages().expect("doc/ can be read");
    let breaches: Vec<String> = differing
        .iter()
        .map(|path| format!("{path} is stale: run `cargo xtask docs`"))
        .collect();
    super::assert_none(&breaches);
}
