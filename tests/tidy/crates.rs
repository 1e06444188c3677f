//! The crates of the workspace: where they lie, and that none is forgotten.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::files::{self, metadata};
use crate::nothing_wrong;

fn packages() -> impl Iterator<Item = &'static Value> {
    metadata()["packages"].as_array().unwrap().iter()
}

fn strings(list: &Value) -> BTreeSet<&str> {
    let strings = list.as_array().unwrap().iter();
    strings.map(|one| one.as_str().unwrap()).collect()
}

#[test]
fn every_member_is_built_and_tested_without_a_word_about_packages() {
    let (members, usual) = ("workspace_members", "workspace_default_members");
    let (members, usual) = (strings(&metadata()[members]), strings(&metadata()[usual]));
    let forgotten = members.difference(&usual);
    let faults: Vec<String> = forgotten
        .map(|member| format!("Cargo.toml:1: {member} is in no default-members"))
        .collect();
    nothing_wrong(
        &faults,
        "`cargo test` runs all tests there are. Write the member into default-members too.",
    );
}

#[test]
fn a_library_lies_in_the_room_of_its_name() {
    let mut faults = Vec::new();
    for (library, root) in files::libraries() {
        let expected = match library.strip_prefix("riftsync_") {
            Some(room) => format!("src/{room}/mod.rs"),
            None => "src/lib.rs".to_owned(),
        };
        if root != expected {
            faults.push(format!("{root}:1: {library} begins here"));
        }
    }
    nothing_wrong(
        &faults,
        "the room src/limiter is the crate riftsync-limiter, which begins in src/limiter/mod.rs. Give it that name, or move it.",
    );
}

#[test]
fn what_may_be_published_says_what_it_is() {
    let mut faults = Vec::new();
    for package in packages().filter(|package| package["publish"] != Value::Array(Vec::new())) {
        let name = package["name"].as_str().unwrap();
        for field in ["description", "license", "readme", "rust_version"] {
            if package[field].is_null() {
                faults.push(format!("{name} has no {field}"));
            }
        }
        let of_ours = |needed: &&Value| !needed["path"].is_null() && needed["kind"].is_null();
        for needed in package["dependencies"].as_array().unwrap() {
            if of_ours(&needed) && needed["req"] == "*" {
                faults.push(format!("{name} needs {} of any version", needed["name"]));
            }
        }
    }
    nothing_wrong(
        &faults,
        "a package for others has its description, licence, README and versions in its Cargo.toml. Write them in, or `publish = false`.",
    );
}
