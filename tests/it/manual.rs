//! The manual says what is: its pages are shown, its commands and its SQL run, its tables are those of the database.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;
use riftsync::manual::{PAGES, page};
use serde_json::Value;
use tempfile::TempDir;

use crate::place::Place;
use crate::setup::{Id, bare, run, text};

const README: &str = include_str!("../../README.md");

/// The blocks of a text that are marked with a language.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let begin = format!("```{language}\n");
    let behind = text.split(begin.as_str()).skip(1);
    behind
        .map(|block| block.split("```").next().unwrap())
        .collect()
}

fn page_text(topic: &str) -> &'static str {
    page(topic).unwrap().text
}

/// A command in a folder of its own, which is its home too.
fn at_home(folder: &TempDir, mut command: Command) -> Command {
    command.env("HOME", folder.path()).current_dir(folder);
    command
}

// ---------------------------------------------------------------- help

#[tokio::test]
async fn each_topic_prints_its_page() {
    for page in PAGES {
        let shown = run(bare(&["help", page.topic])).await;
        assert!(shown.status.success(), "{}", text(&shown));
        let stdout = String::from_utf8(shown.stdout).unwrap();
        assert_eq!(stdout.trim_end(), page.text.trim_end());
    }
}

#[tokio::test]
async fn help_lists_verbs_and_topics_and_explains_a_verb_as_before() {
    let listed = run(bare(&["help"])).await;
    assert!(listed.status.success(), "{}", text(&listed));
    let listed = String::from_utf8(listed.stdout).unwrap();
    for page in PAGES {
        assert!(listed.contains(&format!("\n  {} ", page.topic)), "{listed}");
    }
    assert!(listed.contains("\n  recover "), "{listed}");
    for words in [&["help", "sync"][..], &["help", "queue", "set"]] {
        let help = run(bare(words)).await;
        let flag = run(bare(&[&words[1..], &["--help"]].concat())).await;
        assert!(help.status.success(), "{}", text(&help));
        assert_eq!(help.stdout, flag.stdout, "{words:?}");
    }
}

#[tokio::test]
async fn help_for_an_unknown_word_names_what_there_is() {
    let shown = run(bare(&["help", "nonsense"])).await;
    assert_eq!(shown.status.code(), Some(2));
    let why = text(&shown);
    for word in ["'nonsense'", "recover", "limits"] {
        assert!(why.contains(word), "{why}");
    }
    assert!(shown.stdout.is_empty());
    for words in [
        ["help", "nonsense", "--json"],
        ["--json", "help", "nonsense"],
    ] {
        let shown = run(bare(&words)).await;
        assert_eq!(shown.status.code(), Some(2));
        let document: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert_eq!(document["success"], false);
        let told = document["error"]["message"].as_str().unwrap();
        assert!(why.contains(told), "{told}");
    }
}

#[tokio::test]
async fn a_page_is_a_document_for_programs() {
    let page = &PAGES[0];
    let shown = run(bare(&["help", page.topic, "--json"])).await;
    assert!(shown.status.success(), "{}", text(&shown));
    let document: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(document["topic"], page.topic);
    assert_eq!(document["text"], page.text.trim_end());
    let all = run(bare(&["--json", "help"])).await;
    let all: Value = serde_json::from_slice(&all.stdout).unwrap();
    assert_eq!(all["topics"][0]["about"], page.about);
    assert_eq!(all["verbs"][0]["verb"], "sync");
    for verb in [&["sync"][..], &["queue", "set"]] {
        let words = [&["help", "--json"][..], verb].concat();
        let shown: Value = serde_json::from_slice(&run(bare(&words)).await.stdout).unwrap();
        assert_eq!(shown["verb"], verb.join(" "));
        let usual = run(bare(&[&["help"][..], verb].concat())).await.stdout;
        let usual = String::from_utf8(usual).unwrap();
        assert_eq!(shown["text"], usual.trim_end());
    }
}

// ---------------------------------------------------------------- commands

/// The commands of a text that run without a key, as `sh` takes them.
fn simulated_commands(text: &str) -> Vec<String> {
    let lines = blocks(text, "sh").into_iter().flat_map(str::lines);
    let simulated = lines.filter(|line| line.contains("--simulate"));
    simulated
        .map(|line| line.replace("cargo run --release --", "riftsync"))
        .map(|line| {
            let syncs = line.contains("riftsync sync") && !line.contains("--matches");
            // As many as are usual take a while.
            line + if syncs { " --matches 30" } else { "" }
        })
        .collect()
}

#[tokio::test]
async fn the_commands_that_need_no_key_do_what_the_pages_say() {
    let program = Path::new(env!("CARGO_BIN_EXE_riftsync"));
    for (name, page, count) in [("README.md", README, 1), ("guide", page_text("guide"), 9)] {
        let commands = simulated_commands(page);
        assert_eq!(commands.len(), count, "{name}: {commands:?}");
        let folder = TempDir::new().unwrap();
        for line in commands {
            let mut command = Command::new("sh");
            let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
            command.env_clear().env("PATH", path).args(["-c", &line]);
            let output = run(at_home(&folder, command)).await;
            assert!(output.status.success(), "{name}: {line}\n{}", text(&output));
        }
        if name == "guide" {
            for file in [
                "participants.parquet",
                "stats.csv",
                "faker.html",
                "lake/lake.sql",
            ] {
                let written = std::fs::metadata(folder.path().join(file)).unwrap();
                assert!(written.len() > 100, "{file}");
            }
        }
    }
}

// ---------------------------------------------------------------- SQL

/// The questions of a page, without their last `;`.
fn questions(text: &str) -> Vec<&str> {
    let blocks = blocks(text, "sql").into_iter();
    blocks
        .map(|block| block.trim().trim_end_matches(';'))
        .collect()
}

#[tokio::test]
async fn the_questions_in_sql_have_answers() {
    let folder = TempDir::new().unwrap();
    let words = "sync Faker#KR1 --platform kr --year 2025 --simulate --matches 120 --limits none";
    let words: Vec<&str> = words.split(' ').collect();
    let mut sync = at_home(&folder, bare(&words));
    sync.env("RIFTSYNC_DATA__TIMELINE_ROWS", "all");
    let synced = run(sync).await;
    assert!(synced.status.success(), "{}", text(&synced));
    let file = folder.path().join(".local/share/riftsync/simulated.db");
    let mut conn = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    let questions = [questions(README), questions(page_text("data"))].concat();
    assert_eq!(questions.len(), 18);
    let postgres = Place::postgres();
    postgres.open().await.close().await.unwrap();
    for question in questions {
        let count = format!("SELECT count(*) AS id FROM ({question})");
        let counted: Id = diesel::sql_query(count).get_result(&mut conn).unwrap();
        let is_there = counted.id > 0 || question.contains("missing_payloads");
        assert!(is_there, "{question}");
        if let (Place::Postgres(scratch), false) = (&postgres, question.contains("strftime")) {
            scratch.rows(question);
        }
    }
}

// ---------------------------------------------------------------- the data dictionary

/// What the page, or a database, says of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    kind: String,
    nullable: bool,
}

type Tables = BTreeMap<String, BTreeMap<String, Column>>;

/// The tables of the page, and since when each column is there.
fn documented() -> (Tables, BTreeMap<(String, String), u32>) {
    let (mut tables, mut since) = (Tables::new(), BTreeMap::new());
    let mut table = None;
    for line in page_text("data").lines() {
        if line.starts_with("## ") {
            table = None;
        }
        if let Some(name) = line.strip_prefix("### ") {
            table = Some(name.to_owned());
            tables.insert(name.to_owned(), BTreeMap::new());
        }
        let cells: Vec<&str> = line.split(" | ").collect();
        if let (Some(table), [column, kind, version, meaning, ..]) = (&table, &cells[..])
            && let Some(column) = column.strip_prefix("| `")
        {
            assert!(meaning.len() > 4, "{line}");
            let column = column.trim_end_matches('`').to_owned();
            let nullable = kind.ends_with(" or null");
            let kind = kind.trim_end_matches(" or null").to_owned();
            since.insert((table.clone(), column.clone()), version.parse().unwrap());
            let known = tables.get_mut(table).unwrap();
            let twice = known.insert(column, Column { kind, nullable });
            assert!(twice.is_none(), "{line}");
        }
    }
    (tables, since)
}

#[derive(QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = Text)]
    owner: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = BigInt)]
    nullable: i64,
}

/// Of views no types are known.
fn sqlite_columns(conn: &mut SqliteConnection) -> Vec<ColumnRow> {
    let query = "SELECT m.name AS owner, c.name AS name, c.type AS kind, c.\"notnull\" = 0 AND c.pk = 0 AS nullable
        FROM sqlite_schema m JOIN pragma_table_info(m.name) c
        WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite_%' AND m.name <> '__diesel_schema_migrations'";
    diesel::sql_query(query).load(conn).unwrap()
}

/// What a view gives has no types on SQLite, and may be NULL on both.
const VIEWS: &[&str] = &[
    "player_names",
    "match_runes",
    "v_matches",
    "v_player_matches",
    "v_champion_stats",
    "v_duos",
    "v_matchups",
    "v_daily",
    "participant_minutes",
    "participant_purchases",
    "lane_leads",
    "v_ranks",
    "v_mastery",
    "v_names",
];

/// Holds the page to a database. `kinds`: what its types are called on the page.
fn compare(database: &str, mut tables: Tables, rows: Vec<ColumnRow>, kinds: &[(&str, &[&str])]) {
    for row in rows {
        let place = format!("{}.{} of {database}", row.owner, row.name);
        let known = tables.get_mut(&row.owner);
        let known = known.and_then(|columns| columns.remove(&row.name));
        let known = known.unwrap_or_else(|| panic!("{place} is not in src/manual/data.md"));
        if VIEWS.contains(&&*row.owner) {
            continue;
        }
        let (_, allowed) = kinds.iter().find(|(kind, _)| *kind == row.kind).unwrap();
        assert!(
            allowed.contains(&known.kind.as_str()),
            "{place} is {}: {known:?}",
            row.kind
        );
        assert_eq!(
            known.nullable,
            row.nullable != 0,
            "{place} may be NULL or not"
        );
    }
    for (table, columns) in tables {
        let only_there = table == "store_commits" && database == "SQLite";
        assert!(
            columns.is_empty() || only_there,
            "{table} of {database} has no {columns:?}"
        );
    }
}

#[tokio::test]
async fn every_table_and_every_column_is_in_the_data_dictionary_and_no_other() {
    let (tables, _) = documented();
    let sqlite = Place::sqlite();
    sqlite.open().await.close().await.unwrap();
    let file = sqlite.url();
    let mut conn = SqliteConnection::establish(file.trim_start_matches("sqlite://")).unwrap();
    let numbers: &[&str] = &["integer", "time", "boolean"];
    let kinds = [
        ("INTEGER", numbers),
        ("TEXT", &["text"]),
        ("REAL", &["real"]),
        ("BLOB", &["bytes"]),
    ];
    compare("SQLite", tables.clone(), sqlite_columns(&mut conn), &kinds);

    let postgres = Place::postgres();
    postgres.open().await.close().await.unwrap();
    let Place::Postgres(scratch) = &postgres else {
        unreachable!("it was made so")
    };
    let rows = scratch.rows(
        "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
         WHERE table_schema = current_schema() AND table_name <> '__diesel_schema_migrations'",
    );
    let rows = rows.into_iter().map(|row| {
        let mut cells = row.into_iter().map(Option::unwrap);
        let mut cell = || cells.next().unwrap();
        ColumnRow {
            owner: cell(),
            name: cell(),
            kind: cell(),
            nullable: i64::from(cell() == "YES"),
        }
    });
    let kinds: [(&str, &[&str]); 7] = [
        ("integer", &["integer"]),
        ("smallint", &["integer"]),
        ("bigint", &["integer", "time"]),
        ("text", &["text"]),
        ("boolean", &["boolean"]),
        ("double precision", &["real"]),
        ("bytea", &["bytes"]),
    ];
    compare("PostgreSQL", tables, rows.collect(), &kinds);
}

#[test]
fn the_data_dictionary_knows_since_when_each_column_is_there() {
    let (_, mut documented) = documented();
    documented.retain(|(table, _), _| table != "store_commits");
    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let entries = std::fs::read_dir(folder).unwrap();
    let migrations: BTreeSet<_> = entries.map(|entry| entry.unwrap().path()).collect();
    let mut since = BTreeMap::new();
    for migration in migrations {
        let name = migration.file_name().unwrap().to_str().unwrap();
        let number = name.split('_').next().unwrap().parse().unwrap();
        let statements = std::fs::read_to_string(migration.join("up.sql")).unwrap();
        conn.batch_execute(&statements).unwrap();
        let rows = sqlite_columns(&mut conn).into_iter();
        let there: BTreeSet<_> = rows.map(|row| (row.owner, row.name)).collect();
        since.retain(|column, _| there.contains(column));
        for column in there {
            since.entry(column).or_insert(number);
        }
    }
    for (column, number) in &since {
        assert_eq!(documented.get(column), Some(number), "{column:?}");
    }
    assert_eq!(documented.len(), since.len());
}

// ---------------------------------------------------------------- names

#[test]
fn every_setting_is_listed_on_the_page_of_operations() {
    let page = page_text("operations");
    let mut section = String::new();
    let mut seen = 0;
    for line in include_str!("../../config/default.toml").lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if let Some((key, _)) = line.split_once(" = ")
            && !line.starts_with('#')
        {
            let several = |kind| section.starts_with(kind);
            let listed = match key {
                _ if several("schedules.") => page.contains("`schedules.NAME`"),
                "retries" | "backoff_base_s" | "backoff_cap_s" if several("kinds.") => {
                    page.contains(&format!(".{key}`"))
                }
                _ if several("queues.") => page.contains(&format!("`queues.NAME.{key}`")),
                _ => page.contains(&format!("`{section}.{key}`")),
            };
            assert!(listed, "{section}.{key}");
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen} settings");
}

#[test]
fn every_file_that_a_page_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for page in PAGES {
        for named in page.text.split('`').skip(1).step_by(2) {
            let top = [
                "src/",
                "tests/",
                "examples/",
                "deploy/",
                "config/",
                "migrations/",
            ];
            if top.iter().any(|top| named.starts_with(top)) {
                assert!(root.join(named).exists(), "{}: {named}", page.topic);
                seen += 1;
            }
        }
    }
    assert!(seen > 60, "{seen} files");
}

#[test]
fn every_metric_of_the_page_for_prometheus_is_on_the_page_of_metrics() {
    let names = include_str!("../../src/metrics/prometheus.rs")
        .split('"')
        .skip(1)
        .step_by(2);
    let ends = [
        "_total", "_seconds", "_bytes", "_ratio", "_info", "_up", "_valid",
    ];
    let names: BTreeSet<&str> = names
        .filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .filter(|name| {
            name.starts_with("riftsync_")
                || (name.starts_with("process_") && ends.iter().any(|end| name.ends_with(end)))
        })
        .collect();
    assert!(names.len() > 25, "{names:?}");
    for name in names {
        let page = page_text("metrics");
        let listed = page.contains(&format!("`{name}{{")) || page.contains(&format!("`{name}`"));
        assert!(listed, "{name}");
    }
}

/// `help` shows pages as they are, and a terminal wraps what is not in a table.
#[test]
fn the_pages_have_lines_that_a_terminal_can_show_and_blocks_with_a_language() {
    for page in PAGES {
        let mut open = false;
        for line in page.text.lines() {
            if let Some(language) = line.strip_prefix("```") {
                assert_ne!(open, !language.is_empty(), "{}: {line}", page.topic);
                open = !open;
            }
            let is_prose = !open && !line.starts_with('|');
            let width = line.chars().count();
            assert!(!is_prose || width <= 120, "{}: {line}", page.topic);
        }
        assert!(!open, "{}", page.topic);
    }
}
