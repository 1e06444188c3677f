//! Tests wait for a state, and do not hope that something has happened by then.

use std::collections::BTreeMap;

use crate::allowed::{Allowed, Found};
use crate::files;
use crate::nothing_wrong;

#[test]
fn tests_of_the_program_wait_for_states_and_do_not_sleep() {
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    let sources = files::all().into_iter();
    for path in sources.filter(|path| path.starts_with("tests/it/")) {
        for (place, line) in files::text(&path).lines().enumerate() {
            if line.contains("sleep(") || line.contains("sleep_until(") {
                let found = found.entry(path.clone()).or_default();
                found.measure += 1;
                found
                    .shown
                    .push(format!("{path}:{}: {}", place + 1, line.trim()));
            }
        }
    }
    nothing_wrong(
        &Allowed::read("sleeps.txt").faults(&found),
        "a test waits until it is so (tests/support/wait.rs): a pause is too short on a slow machine and too long on a \
         fast one.",
    );
}
