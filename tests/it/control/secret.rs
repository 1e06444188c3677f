//! The key is in no place, whoever sends it back: in no row, document, file, line of the log, answer or page, at no level
//! of the log. Nor is anything there that controls a terminal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use riftsync::riot::unpack;
use riftsync::simulator::{FaultRule, SimulatorConfig};

use super::verbs::SYNC;
use super::watched::scrape;
use super::*;
use crate::data::table;
use crate::files::verbs_besides;
use crate::place::Place;
use crate::scratch::Scratch;
use crate::setup::setup_with;

const KEY: &str = "RGAPI-5ec2e7ab-0bad-4dea-beef-cafe0123abcd";
/// What is found of the key, or of a part of it, in whatever form.
const PARTS: [&str; 2] = ["5ec2e7ab", "cafe0123"];

/// How places end whose text is JSON.
const JSON: &str = "--json";

const LADDER: &[&str] = &[
    "ladder",
    "--platform",
    "euw1",
    "--tier",
    "challenger",
    "--limit",
    "5",
    "--year",
    "2025",
];

/// What is typed at every level of the log. OUT: a place for files, which is looked through.
const VERBS: &[&[&str]] = &[
    SYNC,
    SYNC,
    &["sync", "Nobody#404", "--platform", "euw1"],
    LADDER,
    &["recover", PLAYER, "--platform", "euw1", "--year", "2025"],
    &["stats", PLAYER],
    &["rank", PLAYER],
    &["names"],
    &["job", "list", "--limit", "1000"],
    &["job", "show", "1"],
    &["job", "show", "2"],
    &["job", "wait", "2"],
    &["health"],
    &["status"],
    &["queue", "list"],
    &["schedule", "list"],
    &["track", PLAYER],
    &["tracked"],
    &["untrack", PLAYER],
    &["replay"],
    &["export", "--what", "matches", "--out", "OUT.csv"],
    &["report", PLAYER, "--year", "2025", "--out", "OUT.html"],
    &["db", "info"],
    &["config", "show"],
    &["cleanup", "--days", "300", "--dry-run"],
    &["nonsense"],
];

/// All other verbs, at the level that tells most.
const OTHERS: &[&[&str]] = &[
    &["serve"],
    &["top"],
    &["recompress", "--dry-run"],
    &["job", "cancel", "1"],
    &["job", "retry", "1"],
    &["queue", "pause", "all"],
    &["queue", "set", "match_processing", "--slots", "3"],
    &["queue", "resume", "all"],
    &[
        "schedule",
        "add",
        "x",
        "--when",
        "off",
        "--kind",
        "cleanup_old_data",
    ],
    &["schedule", "remove", "x"],
    &["key", "set"],
    &["key", "share", "100%"],
    &["db", "migrate"],
    &["db", "copy", "--to", "sqlite://OUT.copy.db"],
    &["db", "backup", "OUT.backup.db"],
    &["db", "restore", "OUT.backup.db"],
    &["completions", "bash"],
    &["man"],
];

/// What ends the engine.
const ENDS: &[&[&str]] = &[&["engine", "drain"], &["engine", "stop"]];

/// They have worlds and keys of their own.
const APART: [&str; 2] = ["bench", "simulate"];

/// Answers of every kind; those of some matches are the same each time, which makes them final.
const SCRIPT: [&str; 15] = [
    "451@listed/match:30%",
    "302@match:1..2",
    "500@match:3..4",
    "503@match:5",
    "not-json@match:6",
    "403-html@match:7",
    "429-untyped@match:8",
    "500-html@match:9",
    "404-html@match:10",
    "408@timeline:1..2",
    "404@timeline:3",
    "502-html@timeline:4",
    "204@timeline:5",
    "429-service@timeline:6",
    "302@challenger-league",
];

/// Where each form of the key would stand.
fn needles() -> Vec<String> {
    let mut needles = Vec::new();
    for part in PARTS {
        needles.push(part.to_owned());
        let hexadecimal = part.bytes().map(|byte| format!("{byte:02x}"));
        needles.push(hexadecimal.collect());
        for before in 0..3 {
            let text = [&vec![b'-'; before][..], part.as_bytes()].concat();
            let coded = STANDARD_NO_PAD.encode(&text);
            needles.push(coded[(before * 8_usize).div_ceil(6)..text.len() * 8 / 6].to_owned());
        }
    }
    needles
}

/// All that was seen, by where.
#[derive(Default)]
struct Seen(Vec<(String, String)>);

impl Seen {
    fn note(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.0.push((place.into(), text.into()));
    }

    #[track_caller]
    fn check(&self) {
        let needles = needles();
        for (place, text) in &self.0 {
            let lower = text.to_ascii_lowercase();
            for needle in &needles {
                let found = text.find(needle).or_else(|| lower.find(needle));
                if let Some(at) = found {
                    let begin = text.floor_char_boundary(at.saturating_sub(200));
                    let end = text.floor_char_boundary(at + 80);
                    panic!("{place} holds {needle}: {}", &text[begin..end]);
                }
            }
            // A backslash of the text itself is doubled in JSON: then it is one, and no escape.
            let escapes = text.replace(r"\\", "").contains(r"\u001b") && place.ends_with(JSON);
            assert!(!escapes, "{place} controls terminals: {text}");
            for control in ["\u{1b}", "\u{9b}"] {
                assert!(
                    !text.contains(control),
                    "{place} controls terminals: {text}"
                );
            }
        }
    }

    /// Every value of every table; what is packed as what it holds.
    fn note_tables(&mut self, place: &Place) -> usize {
        let (tables, columns, bytes) = match place {
            Place::Sqlite(_) => (
                "SELECT name AS row FROM sqlite_master WHERE type = 'table'",
                "SELECT name AS row FROM pragma_table_info('TABLE')",
                "X'",
            ),
            Place::Postgres(_) => (
                "SELECT table_name AS row FROM information_schema.tables WHERE table_schema = current_schema()",
                "SELECT column_name AS row FROM information_schema.columns
                 WHERE table_schema = current_schema() AND table_name = 'TABLE'",
                r"\x",
            ),
        };
        let mut values = 0;
        for name in table(place, tables) {
            for column in table(place, &columns.replace("TABLE", &name)) {
                let value = match place {
                    Place::Sqlite(_) => format!("quote(\"{column}\")"),
                    Place::Postgres(_) => format!("coalesce(CAST(\"{column}\" AS TEXT), '')"),
                };
                let query = format!("SELECT {value} AS row FROM \"{name}\"");
                for value in table(place, &query) {
                    let text = match value.strip_prefix(bytes) {
                        Some(digits) => {
                            let bytes = of_digits(digits.trim_end_matches('\''));
                            let bytes = unpack(&bytes).unwrap_or(bytes);
                            String::from_utf8_lossy(&bytes).into_owned()
                        }
                        None => value,
                    };
                    self.note(format!("{name}.{column}"), text);
                    values += 1;
                }
            }
        }
        values
    }

    fn note_files(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_file() {
                let name = path.display().to_string();
                let bytes = std::fs::read(&path).unwrap();
                let text = String::from_utf8_lossy(&bytes);
                // What a database file holds besides text controls no terminal.
                let text = if name.contains(".db") || name.ends_with(".parquet") {
                    text.replace(char::is_control, " ")
                } else {
                    text.into_owned()
                };
                self.note(name, text);
            }
        }
    }
}

fn of_digits(digits: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.as_bytes().chunks(2).map(byte).collect()
}

fn script() -> Vec<FaultRule> {
    SCRIPT.iter().map(|rule| rule.parse().unwrap()).collect()
}

/// A copy of what the engine left in its file: a reader of the file itself would keep its log.
fn copied(setup: &Setup) -> Place {
    let folder = tempfile::TempDir::new().unwrap();
    for end in ["", "-wal"] {
        let _ = std::fs::copy(
            format!("{}{end}", setup.database()),
            folder.path().join(format!("t.db{end}")),
        );
    }
    Place::Sqlite(folder)
}

#[tokio::test]
async fn the_key_is_in_no_place_whoever_sends_it_back_at_every_level_of_the_log() {
    for level in ["error", "warn", "info", "debug", "trace"] {
        is_in_no_place(level, None).await;
    }
}

#[tokio::test]
async fn the_key_is_in_no_table_of_a_server_either() {
    for level in ["error", "warn", "info", "debug", "trace"] {
        is_in_no_place(level, Some(Scratch::new())).await;
    }
}

#[test]
fn every_verb_is_typed_while_the_key_is_looked_for() {
    let mut left = verbs_besides(&[VERBS, OTHERS, ENDS].concat());
    left.retain(|verb| !APART.contains(&&*verb[0]));
    assert_eq!(left, Vec::<Vec<String>>::new());
}

async fn is_in_no_place(level: &str, server: Option<Scratch>) {
    let config = SimulatorConfig {
        keys: Some(vec![KEY.to_owned()]),
        echo: true,
        ..SimulatorConfig::default()
    };
    let setup = setup_with(&[PLAYER], 14, config).await;
    setup.simulator.control().set_script(script());
    let with_key = |args: &[&str]| {
        let file = format!("sqlite://{}", setup.database());
        let database = server.as_ref().map_or(&*file, Scratch::url);
        let mut command = setup.command_on(database, args);
        command.env("RIOT_API_KEY", KEY).env("RUST_LOG", level);
        command.env("HOME", setup.path(""));
        command.env("RIFTSYNC_CONTROL__SOCKET", setup.path("riftsync.sock"));
        for kind in ["PLAYER_DATA", "MATCH_DATA", "MATCH_TIMELINE"] {
            command.env(format!("RIFTSYNC_KINDS__SYNC_{kind}__RETRIES"), "2");
            command.env(format!("RIFTSYNC_KINDS__SYNC_{kind}__BACKOFF_BASE_S"), "0");
        }
        command
    };
    let mut serve = with_key(&["serve", "--json"]);
    serve.env("RIFTSYNC_METRICS__LISTEN", "127.0.0.1:0");
    let engine = setup.served_by(serve).await;
    let mut seen = Seen::default();
    let typed = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(typed.path(), KEY).unwrap();
    let type_all = async |verbs: &[&[&str]], seen: &mut Seen| {
        for args in verbs {
            for more in [None, Some(JSON)] {
                let out = setup.path("out").display().to_string();
                let words = args.iter().copied().chain(more);
                let words: Vec<String> = words.map(|word| word.replace("OUT", &out)).collect();
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let mut command = with_key(&words);
                command.stdin(std::fs::File::open(typed.path()).unwrap());
                let output = run(command).await;
                let place = format!("{args:?} {}", more.unwrap_or_default());
                seen.note(&place, text(&output));
                seen.note(place, String::from_utf8_lossy(&output.stdout));
            }
        }
    };
    type_all(VERBS, &mut seen).await;
    if level == "trace" {
        type_all(OTHERS, &mut seen).await;
    }
    for method in [
        "engine.status",
        "engine.health",
        "engine.metrics",
        "queue.list",
        "job.list",
        "nonsense",
    ] {
        let answer = setup.ask(method, &json!({})).to_string();
        seen.note(format!("{method} {JSON}"), answer);
    }
    for id in 1..30 {
        let job = setup.ask("job.get", &json!({ "job_id": id }));
        seen.note(format!("job.get {JSON}"), job.to_string());
    }
    let url = engine.ready["metrics"].as_str().unwrap();
    let addr = url.trim_start_matches("http://");
    seen.note("the page", scrape(addr.trim_end_matches("/metrics")));
    type_all(ENDS, &mut seen).await;
    assert_eq!(engine.exited().await, Some(0), "{}", setup.log());
    let place = server.map_or_else(|| copied(&setup), Place::Postgres);
    assert!(seen.note_tables(&place) > 1_000);
    seen.note_files(&setup.path(""));
    // It was sent, and what was sent back was kept.
    let kept = |words: &str| seen.0.iter().any(|(_, text)| text.contains(words));
    assert!(kept("<api key>") && kept("you sent"), "{level}");
    seen.check();
}
