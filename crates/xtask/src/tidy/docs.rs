//! Generated pages agree with their sources. Those of other crates are held by tests of
//! theirs that need no feature.

#[test]
fn the_pages_that_need_schemas_are_current() {
    let current = crate::docs::proto_is_current().expect("cargo runs");
    assert!(current, "doc/ is stale: run `cargo xtask docs`");
}
