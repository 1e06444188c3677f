//! The order of the tree, as tests: files, arrows between modules, sizes, names, documents.
//!
//! What does not keep a rule yet is listed in `allowed/`, with its measure. A list may only shrink: what got better
//! must leave it. `TIDY_SHRINK=1 cargo test --test tidy` takes out what is no longer needed, and never adds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod allowed;
mod arrows;
mod crates;
mod documents;
mod files;
mod names;
mod sizes;
mod sleeps;
mod tokens;

use std::path::Path;

/// The top of the tree.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Fails with all that is wrong, and what to do.
#[track_caller]
fn nothing_wrong(faults: &[String], rule: &str) {
    assert!(
        faults.is_empty(),
        "\n{}\n\nThe rule: {rule}",
        faults.join("\n")
    );
}
