//! `doc/states/broker.md` is printed from the state machine: a changed move shows as a
//! changed page.

#[test]
#[allow(clippy::disallowed_methods, reason = "the test compares a file")]
fn the_page_of_states_is_what_the_code_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../doc/states/broker.md");
    let table = broker::lifecycle::table();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &table).expect("the page can be written");
    }
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        page, table,
        "run this test with UPDATE=1 to write the page anew"
    );
}
