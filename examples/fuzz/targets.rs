//! What is fed, and what must be true of it.

mod documents;
mod lists;
mod outside;
mod people;
mod texts;

use fastrand::Rng;

use super::corpus::Corpus;

/// The key of all targets: whoever sends it back, it is in no text that is made.
pub const KEY: &str = "RGAPI-5ec2e700-0bad-4dea-beef-cafe0123abcd";

/// One reader, or several that read the same.
#[derive(Debug)]
pub struct Target {
    pub name: &'static str,
    /// Makes an input and has it read; panics if something is not as it must be.
    pub check: fn(&Corpus, &mut Rng),
}

/// See the modules. What remembers the secrets it reads comes last.
pub const TARGETS: &[Target] = &[
    Target {
        name: "match",
        check: documents::matches,
    },
    Target {
        name: "timeline",
        check: documents::timelines,
    },
    Target {
        name: "rows",
        check: documents::rows,
    },
    Target {
        name: "gzip",
        check: documents::gzip,
    },
    Target {
        name: "zstd",
        check: documents::zstd,
    },
    Target {
        name: "match-list",
        check: lists::match_list,
    },
    Target {
        name: "ladder",
        check: lists::ladder,
    },
    Target {
        name: "account",
        check: lists::account,
    },
    Target {
        name: "answer",
        check: outside::answer,
    },
    Target {
        name: "limits",
        check: outside::limits,
    },
    Target {
        name: "socket",
        check: outside::socket,
    },
    Target {
        name: "host",
        check: outside::host,
    },
    Target {
        name: "text",
        check: texts::text,
    },
    Target {
        name: "players",
        check: people::players,
    },
    Target {
        name: "names",
        check: people::names,
    },
    Target {
        name: "settings",
        check: people::settings,
    },
    Target {
        name: "schedule",
        check: people::schedule,
    },
    Target {
        name: "url",
        check: people::url,
    },
    Target {
        name: "key",
        check: people::key,
    },
];

/// What may be shown to people: of a bounded length, in one line, and nothing in it that a terminal obeys.
#[track_caller]
pub fn is_showable(text: &str, chars_max: usize) {
    let chars = text.chars().count();
    assert!(
        chars <= chars_max,
        "{chars} characters: {:?}",
        text.chars().take(200).collect::<String>()
    );
    assert!(!text.contains(char::is_control), "{text:?}");
}
