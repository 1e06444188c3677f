//! Names that a newcomer would search for: what was said in pictures does not come back.

use std::collections::{BTreeMap, BTreeSet};

use crate::allowed::{Allowed, Found};
use crate::{files, nothing_wrong, tokens};

/// Pictures, and what to say for them. They are looked for in all of a source: names, comments and texts.
const PICTURES: [(&str, &str); 7] = [
    ("bell", "notifier"),
    ("crowd", "batch"),
    ("desk", "the thing that is managed: subscriptions, requests"),
    ("pulse", "ping, heartbeat"),
    ("seat", "participant; member of a shared budget"),
    ("weather", "outage, transient failure"),
    ("whereabouts", "location"),
];

/// Plain words that say nothing as a name of a module or a type, and what to say for them.
const VAGUE: [(&str, &str); 9] = [
    ("doors", "middleware"),
    ("fragments", "what they are pieces of"),
    ("marks", "commit markers"),
    ("places", "paths"),
    ("positions", "cursor"),
    ("story", "what it tells: a timeline, a scenario"),
    ("trial", "probe, scratch database"),
    ("truth", "expected data"),
    ("order", "command, request, sort order"),
];

/// Words of several meanings: a type has one of them, and says which.
const SHARED: [(&str, &str); 4] = [
    ("Line", "RpcLine, WaitingLine"),
    ("Order", "the command that it is"),
    ("Running", "RunningJob, RunningEngine"),
    ("Window", "RateWindow, SlotWindow"),
];

/// The words of a text: `SeatRow`, `seat_row` and `seats` have all the word `seat`.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut small = false;
    for c in text.chars().chain([' ']) {
        let ends = !c.is_ascii_alphabetic() || (c.is_ascii_uppercase() && small);
        if ends && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        small = c.is_ascii_lowercase();
        if c.is_ascii_alphabetic() {
            word.push(c.to_ascii_lowercase());
        }
    }
    words
}

fn is_word(word: &str, picture: &str) -> bool {
    word.strip_prefix(picture)
        .is_some_and(|end| end.is_empty() || end == "s")
}

/// The room of a file: the folder or file directly below `src`, or the folder of other sources.
fn room(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    parts[..parts.len().min(2)].join("/")
}

#[test]
fn worn_pictures_do_not_come_back() {
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    let sources: BTreeSet<String> = files::all()
        .into_iter()
        .filter(|path| !is_tidy(path))
        .collect();
    for path in &sources {
        for (place, line) in files::text(path).lines().enumerate() {
            for word in words(line) {
                let Some((picture, instead)) =
                    PICTURES.iter().find(|(picture, _)| is_word(&word, picture))
                else {
                    continue;
                };
                let found = found
                    .entry(format!("{} {picture}", room(path)))
                    .or_default();
                found.measure += 1;
                found.shown.push(format!(
                    "{path}:{}: \"{picture}\"; say {instead}",
                    place + 1
                ));
            }
        }
    }
    nothing_wrong(
        &Allowed::read("pictures.txt").faults(&found),
        "a thing is called what others call it, so that it is found. Use the word behind \"say\". (The lines are all of \
         that room; one of them is new.)",
    );
}

/// Where a line has the company's name in small letters, as one says it: not the module's, a setting's or a path's.
fn says_riot(line: &str) -> bool {
    line.match_indices("riot").any(|(at, name)| {
        let before = line[..at].chars().next_back();
        let behind = &line[at + name.len()..];
        let begins = before.is_none_or(|c| c.is_whitespace() || "\"'`(".contains(c))
            || line[..at].ends_with("\\n");
        let behind = behind.strip_prefix("'s").unwrap_or(behind);
        let goes_on = behind.strip_prefix(' ').is_some_and(|rest| {
            let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
            !word.is_empty() && !["id", "repack"].contains(&&*word)
        });
        begins && goes_on
    })
}

#[test]
fn riot_is_written_as_a_name() {
    let mut faults = Vec::new();
    for path in files::all().into_iter().filter(|path| !is_tidy(path)) {
        for (place, line) in files::text(&path).lines().enumerate() {
            if says_riot(line) {
                faults.push(format!("{path}:{}: {}", place + 1, line.trim()));
            }
        }
    }
    nothing_wrong(&faults, "in texts and comments it is \"Riot\".");
}

/// Crates that other programs are built with, too.
const PRODUCTS: [&str; 3] = [
    "src/basics/mod.rs",
    "src/engine/mod.rs",
    "src/supervision/mod.rs",
];

/// Whether a text speaks of the program: not of one of its crates, whose names go on behind it.
fn names_the_program(text: &str) -> bool {
    text.match_indices("riftsync").any(|(at, name)| {
        let behind = text[at + name.len()..].chars().next();
        behind.is_none_or(|c| c != '-' && c != '_')
    })
}

#[test]
fn what_other_programs_are_built_with_does_not_name_this_one() {
    let mut faults = Vec::new();
    let mut texts_seen = 0;
    for product in PRODUCTS {
        for file in files::crates()[product]
            .iter()
            .filter(|file| !file.tests_only)
        {
            let mut texts = Vec::new();
            tokens::texts(file.tokens(), &mut texts);
            texts_seen += texts.len();
            let naming = texts.iter().filter(|(_, text)| names_the_program(text));
            faults.extend(naming.map(|(line, text)| format!("{}:{line}: {text}", file.path)));
        }
    }
    assert!(texts_seen > 500, "only {texts_seen} texts were found");
    nothing_wrong(
        &faults,
        "a crate that others build with does not know what their program is called, nor its commands. Say it with the \
         words of the program (src/basics/words.rs).",
    );
}

#[test]
fn a_crates_name_is_not_the_programs() {
    for text in ["`riftsync job retry`", "a newer riftsync", "riftsync: no"] {
        assert!(names_the_program(text), "{text}");
    }
    for text in ["riftsync-engine", "riftsync_engine", "the program"] {
        assert!(!names_the_program(text), "{text}");
    }
}

fn is_tidy(path: &str) -> bool {
    path.starts_with("tests/tidy/")
}

#[test]
fn a_module_and_a_type_say_what_they_are() {
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for path in files::all().into_iter().filter(|path| !is_tidy(path)) {
        let mut names: Vec<(usize, String)> = Vec::new();
        for (place, line) in files::text(&path).lines().enumerate() {
            let line_words: Vec<&str> = line
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .collect();
            let line_words: Vec<&str> = line_words
                .into_iter()
                .filter(|word| !word.is_empty())
                .collect();
            if line.trim_start().starts_with("//") {
                continue;
            }
            for pair in line_words.windows(2) {
                if ["mod", "struct", "enum", "trait", "type"].contains(&pair[0]) {
                    names.push((place + 1, pair[1].to_owned()));
                }
            }
        }
        for (line, name) in names {
            let vague = VAGUE
                .iter()
                .find(|(vague, _)| name.eq_ignore_ascii_case(vague));
            let shared = SHARED.iter().find(|(shared, _)| name == *shared);
            if let Some((_, instead)) = vague.or(shared) {
                let found = found.entry(format!("{} {name}", room(&path))).or_default();
                found.measure += 1;
                found
                    .shown
                    .push(format!("{path}:{line}: `{name}`; say {instead}"));
            }
        }
    }
    nothing_wrong(
        &Allowed::read("names.txt").faults(&found),
        "a name says which of several things it is. Use the word behind \"say\".",
    );
}

#[test]
fn words_are_found_in_names_of_every_kind() {
    assert_eq!(
        words("SeatRow, seat_row: 2 seats"),
        ["seat", "row", "seat", "row", "seats"]
    );
    assert!(is_word("seats", "seat") && !is_word("seated", "seat"));
}
