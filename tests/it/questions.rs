//! The questions of the data dictionary: one answer on both databases and on exported files, and its examples for other
//! tools.

use std::process::Command;

use serde_json::Value;

use crate::export::duckdb_python;
use crate::place::Place;
use crate::rig::Rig;
use crate::setup::{run, text};

const PAGE: &str = include_str!("../../src/manual/data.md");

/// The examples of a section in a language.
fn examples(section: &str, language: &str) -> Vec<String> {
    let (_, rest) = PAGE.split_once(&format!("\n## {section}\n")).unwrap();
    let section = rest.split("\n## ").next().unwrap();
    let begin = format!("```{language}\n");
    let blocks = section.split(&begin).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// A question with all its rows: how texts are sorted is the database's own.
fn whole(question: &str) -> String {
    let question = question.trim().trim_end_matches(';');
    let end = question.rfind(" LIMIT ").unwrap_or(question.len());
    question[..end].to_owned()
}

/// Those that say the same everywhere.
fn questions() -> Vec<String> {
    let all = examples("Questions in SQL", "sql");
    all[..10].iter().map(|one| whole(one)).collect()
}

/// Those of names and of points, which single files of tables do not have; and what stands behind them.
fn questions_of_names_and_points() -> Vec<String> {
    let all = examples("Questions in SQL", "sql");
    let of_views = |one: &&String| ["v_names", "v_ranks"].iter().any(|view| one.contains(view));
    let mut questions: Vec<String> = all.iter().filter(of_views).map(|one| whole(one)).collect();
    assert_eq!(questions.len(), 3);
    for one in &mut questions {
        *one = one
            .replace("'Faker'", "'Quiet Otter'")
            .replace("'KR1'", "'SIM'");
    }
    questions.extend(
        ["v_names", "v_ranks", "v_mastery"]
            .iter()
            .zip([
                "kind, id, number, name, image, patch, language",
                "game_name, queue, year, seen_at, tier, division, league_points, points, wins, losses",
                "game_name, champion_id, champion, year, seen_at, level, points, last_played",
            ])
            .map(|(view, columns)| format!("SELECT {columns} FROM {view}")),
    );
    questions
}

/// Ranks, mastery, and names of two patches.
const PEOPLE: &str = "
DELETE FROM rank_history; DELETE FROM mastery_history;
INSERT INTO rank_history (player_id, queue, seen_at, tier, division, league_points, wins, losses)
SELECT id, 'RANKED_SOLO_5x5', 1750000000000 + 86400000 * n, tier, division, n * 7, n, 3
FROM players, (SELECT 1 AS n, 'GOLD' AS tier, 'I' AS division UNION ALL SELECT 2, 'PLATINUM', 'IV'
    UNION ALL SELECT 3, 'MASTER', 'I' UNION ALL SELECT 4, NULL, NULL) told
WHERE game_name = 'Quiet Otter';
INSERT INTO mastery_history (player_id, champion_id, seen_at, level, points, last_played)
SELECT id, 1, 1735689599999, 7, 1000, 1735600000000 FROM players WHERE game_name = 'Quiet Otter';
INSERT INTO static_names (kind, id, patch, language, name, stored_at)
SELECT DISTINCT 'champion', CAST(champion_id AS TEXT), '15.1', 'en_US', 'Old ' || champion_name, 1 FROM match_participants;
INSERT INTO static_names (kind, id, patch, language, name, stored_at)
SELECT DISTINCT 'champion', CAST(champion_id AS TEXT), '15.2', 'en_US', 'New ' || champion_name, 2 FROM match_participants;
INSERT INTO static_names (kind, id, patch, language, name, image, stored_at) VALUES ('queue', '420', '15.2', 'de_DE', 'Einzel', 'x.png', 2);
";

/// Rows in one order, numbers in one form.
fn normal(mut rows: Vec<Vec<Option<String>>>) -> Vec<Vec<Option<String>>> {
    for cell in rows.iter_mut().flatten().flatten() {
        if let Ok(number) = cell.parse::<f64>() {
            *cell = format!("{number:.6}");
        }
    }
    rows.sort();
    rows
}

/// Has all rows of timelines.
async fn filled(place: Place) -> Rig {
    let rig = Rig::synced(place, 120).await;
    let mut replay = rig.command(&["replay", "--json"]);
    replay.env("RIFTSYNC_DATA__TIMELINE_ROWS", "all");
    let output = run(replay).await;
    assert!(output.status.success(), "{}", text(&output));
    rig
}

async fn exported(rig: &Rig) -> std::path::PathBuf {
    let folder = rig.setup.folder.path().join("lake");
    let tables = [
        "matches",
        "participants",
        "teams",
        "bans",
        "minutes",
        "purchases",
        "timeline_events",
    ];
    for what in tables {
        let out = folder.join(what).with_extension("parquet");
        let out = out.to_str().unwrap();
        rig.done(&["export", "--what", what, "--out", out, "--mkdir"])
            .await;
    }
    folder
}

/// Runs Python in a folder; it tells JSON.
async fn python(program: &str, folder: &std::path::Path, args: &[String]) -> Value {
    let mut command = Command::new(duckdb_python());
    command
        .arg("-c")
        .arg(program)
        .args(args)
        .current_dir(folder);
    let output = run(command).await;
    assert!(output.status.success(), "{}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

const ASK: &str = r"
import duckdb, json, sys
# A question that takes long would write a bar where the answer is.
duckdb.sql('SET enable_progress_bar = false')
duckdb.sql(sys.argv[1])
text = lambda cell: None if cell is None else str(cell)
print(json.dumps([[[text(cell) for cell in row] for row in duckdb.sql(question).fetchall()] for question in sys.argv[2:]]))
";

#[tokio::test]
async fn each_question_has_one_answer_on_both_databases_and_on_exported_files() {
    let (file, server) = (
        filled(Place::sqlite()).await,
        filled(Place::postgres()).await,
    );
    for rig in [&file, &server] {
        rig.execute(PEOPLE);
    }
    let questions = questions();
    let mut args = vec![examples("The same on files with DuckDB", "duckdb").remove(0)];
    args.extend(questions.iter().cloned());
    let files = python(ASK, &exported(&server).await, &args).await;
    // And on a lake, which has views of its own.
    let lake = server.setup.folder.path().join("all");
    let folder = lake.to_str().unwrap();
    server.done(&["export", "--all", "--dir", folder]).await;
    args[0] = std::fs::read_to_string(lake.join("lake.sql")).unwrap();
    let on_lake = python(ASK, &lake, &args).await;
    args.truncate(1);
    args.extend(questions_of_names_and_points());
    let told = python(ASK, &lake, &args).await;
    for (question, told) in args[1..].iter().zip(told.as_array().unwrap()) {
        let expected = normal(file.place.rows(question));
        assert!(!expected.is_empty(), "{question}");
        assert_eq!(normal(server.place.rows(question)), expected, "{question}");
        let told = normal(serde_json::from_value(told.clone()).unwrap());
        assert_eq!(told, expected, "{question}");
    }
    let both = files
        .as_array()
        .unwrap()
        .iter()
        .zip(on_lake.as_array().unwrap());
    for (question, (on_files, on_lake)) in questions.iter().zip(both) {
        assert_eq!(
            normal(serde_json::from_value(on_lake.clone()).unwrap()),
            normal(serde_json::from_value(on_files.clone()).unwrap()),
            "{question}"
        );
        let on_files: Vec<Vec<Option<String>>> = serde_json::from_value(on_files.clone()).unwrap();
        let expected = normal(file.place.rows(question));
        assert!(!expected.is_empty(), "{question}");
        assert_eq!(normal(server.place.rows(question)), expected, "{question}");
        assert_eq!(normal(on_files), expected, "{question}");
    }
}

const ATTACH: &str = r#"
import duckdb, duckdb_ext, glob, json, os, sys
# A question that takes long would write a bar where the answer is.
duckdb.sql('SET enable_progress_bar = false')
for name in ("sqlite_scanner", "postgres_scanner"):
    [found] = [file for place in duckdb_ext.__path__ for file in glob.glob(f"{place}/**/{name}.duckdb_extension", recursive=True)]
    duckdb.sql(f"LOAD '{found}'")
attach, question = sys.argv[1].split(";")[:2]
duckdb.sql(attach)
print(json.dumps([[str(cell) for cell in row] for row in duckdb.sql(question).fetchall()]))
for columns, view in (("queue, started_at, counts", "v_matches"), ("opponent_id, kda, gold_lead_15", "v_player_matches"), ("minute, gold, is_last", "participant_minutes"), ("item_id, at_ms", "participant_purchases")):
    assert duckdb.sql(f"SELECT {columns} FROM rift.{view} LIMIT 3").fetchall(), view
"#;

#[tokio::test]
async fn the_examples_for_other_tools_say_what_the_database_does() {
    let (file, server) = (
        filled(Place::sqlite()).await,
        filled(Place::postgres()).await,
    );
    let folder = exported(&file).await;
    let url = file.place.url();
    let path = url.trim_start_matches("sqlite://");
    let expected = normal(file.place.rows(
        "SELECT champion, sum(games) AS games FROM v_champion_stats GROUP BY champion ORDER BY games DESC, champion LIMIT 5",
    ));
    let [on_file, on_server] = <[String; 2]>::try_from(examples("Other tools", "duckdb")).unwrap();
    for example in [
        on_file.replace("riftsync.db", path),
        on_server.replace(
            "postgres://riftsync@127.0.0.1/riftsync",
            &server.place.url(),
        ),
    ] {
        let told = python(ATTACH, &folder, std::slice::from_ref(&example)).await;
        let told: Vec<Vec<Option<String>>> = serde_json::from_value(told).unwrap();
        assert_eq!(normal(told), expected, "{example}");
    }
    let [polars, pandas] = <[String; 2]>::try_from(examples("Other tools", "python")).unwrap();
    let rows = |line: &str, of: &str| {
        assert!(line.starts_with("print("), "{line}");
        let of = line
            .trim()
            .trim_start_matches("print(")
            .trim_end_matches(')')
            .to_owned()
            + of;
        format!("import json\nprint(json.dumps([[str(cell) for cell in row] for row in {of}]))\n")
    };
    for (example, of, counted) in [
        (polars, ")", false),
        (pandas.replace("riftsync.db", path), ")).values", true),
    ] {
        let (begin, last) = example.trim().rsplit_once('\n').unwrap();
        let program = format!("{begin}\n{}", rows(last, of));
        let told = python(&program, &folder, &[]).await;
        let told: Vec<Vec<Option<String>>> = serde_json::from_value(told).unwrap();
        let expected = if counted {
            expected.clone()
        } else {
            normal(file.place.rows(
                "SELECT champion_name, count(*) AS games FROM match_participants GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5",
            ))
        };
        assert_eq!(normal(told), expected, "{example}");
    }
}
