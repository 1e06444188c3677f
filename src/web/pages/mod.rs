//! The pages: one file a noun. Each asks the engine, and shows what it says.

mod data;
mod job;
mod match_page;
mod overview;
mod player;
mod schedule;
mod sign_in;
mod submit;
mod year;

pub(crate) use data::{data, settings};
pub(crate) use job::{ask_about_all, change_all, change_job, change_queue, job, jobs};
pub(crate) use match_page::one_match;
pub(crate) use overview::{actors, find, live, log, nowhere, overview};
pub(crate) use player::{change_player, player, players};
pub(crate) use schedule::{change_schedule, schedules};
pub(crate) use sign_in::{ask_to_sign_in, sign_in, sign_in_by_url};
pub(crate) use submit::{submit, submit_form};
pub(crate) use year::{compare, year};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// As a value in a link's query.
pub(crate) fn encode(text: &str) -> String {
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
    utf8_percent_encode(text, PLAIN).to_string()
}

/// A query of these pairs without those that are empty, with its `?`.
pub(crate) fn query(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    if pairs.is_empty() {
        String::new()
    } else {
        format!("?{}", pairs.join("&"))
    }
}
