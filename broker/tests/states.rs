//! `doc/states/broker.md` is printed from the state machine: a changed move shows as a
//! changed page.

#[test]
fn the_page_of_states_is_what_the_code_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../doc/states/broker.md");
    node::written::check(path, &broker::lifecycle::table());
}
