//! The rules that hold the tree together, each a test: a rule that nothing checks is a
//! wish. Failure messages of a test are written for the person who just broke the rule.

mod architecture;
mod book;
mod docs;
mod edges;
mod howto;
mod lexer;
mod links;
mod manifests;
mod members;
mod parts;
mod prose;
mod references;
mod scripts;
mod seeds;
mod sources;
mod topics;

use std::path::Path;

/// A path as a reader of a failure wants it: from the root of the workspace.
fn short(path: &Path) -> String {
    path.strip_prefix(crate::workspace::root())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// Fails with every breach at once.
fn assert_none(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n  {}\n", breaches.join("\n  "));
}
