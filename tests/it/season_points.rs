//! The points of a season: one statement, with one answer on both databases and over exported files.

use riftsync::model::standing::Rank;

use crate::export::duckdb_python;
use crate::place::Place;
use crate::ranks::{SYNC, of_queue};
use crate::rig::{Rig, documents, on_each_place};
use crate::setup::{PLAYER, run, text};

on_each_place! { the_points_of_a_season_are_one_statement, }

/// Points over the season: for SQLite, PostgreSQL, and DuckDB over the exported file alike.
const SEASON: &str = "SELECT queue, tier, division, league_points, points,
           points - lag(points) OVER (PARTITION BY queue ORDER BY seen_at) AS gained
    FROM v_ranks
    WHERE game_name = 'Quiet Otter' AND tag_line = 'SIM' AND year >= 2024
    ORDER BY queue, seen_at";

/// Rows of a statement over exported files, which are views there.
const ASK_DUCKDB: &str = r#"
import duckdb, json, sys
# A question that takes long would write a bar where the answer is.
duckdb.sql('SET enable_progress_bar = false')
for name in sys.argv[2].split(","):
    duckdb.sql(f"CREATE VIEW v_{name} AS SELECT * FROM '{sys.argv[1]}/{name}.parquet'")
text = lambda cell: None if cell is None else str(int(cell)) if isinstance(cell, bool) else str(cell)
print(json.dumps([[text(cell) for cell in row] for row in duckdb.sql(sys.argv[3]).fetchall()]))
"#;

async fn the_points_of_a_season_are_one_statement(place: Place) {
    let rig = Rig::new(place, 4).await;
    let mut told = Vec::new();
    for _ in 0..5 {
        told.push(rig.told().await.0);
        let mut sync = rig.command(&[&SYNC[..], &["--json"]].concat());
        sync.env("RIFTSYNC_DATA__MASTERY", "true");
        let output = run(sync).await;
        assert!(output.status.success(), "{}", text(&output));
        rig.tomorrow();
    }
    let mut expected = Vec::new();
    for queue in ["RANKED_FLEX_SR", "RANKED_SOLO_5x5"] {
        let mut of_queue: Vec<Rank> = told.iter().map(|day| of_queue(day, queue)).collect();
        of_queue.dedup();
        let mut before = None;
        for rank in of_queue {
            let points = rank.points().unwrap();
            let gained = before
                .replace(points)
                .map(|before| (points - before).to_string());
            expected.push(vec![
                Some(queue.to_owned()),
                rank.tier,
                rank.division,
                rank.league_points.map(|points| points.to_string()),
                Some(points.to_string()),
                gained,
            ]);
        }
    }
    assert!(expected.len() > 7, "it changed: {expected:?}");
    assert_eq!(rig.place.rows(SEASON), expected);

    let folder = rig.setup.folder.path().to_owned();
    for table in ["ranks", "mastery"] {
        let file = folder.join(format!("{table}.parquet"));
        rig.done(&["export", "--what", table, "--out", file.to_str().unwrap()])
            .await;
    }
    let mut ask = std::process::Command::new(duckdb_python());
    ask.args([
        "-c",
        ASK_DUCKDB,
        folder.to_str().unwrap(),
        "ranks,mastery",
        SEASON,
    ]);
    let told = run(ask).await;
    assert!(told.status.success(), "{}", text(&told));
    let rows: Vec<Vec<Option<String>>> = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(rows, expected);
    let exported = |what: &str, more: &[&str]| {
        let args = ["export", "--what", what, "--out", "-", "--format", "csv"];
        rig.command(&[&args[..], more].concat())
    };
    for (what, table) in [("ranks", "rank_history"), ("mastery", "mastery_history")] {
        let rows = rig.number(&format!("SELECT count(*) FROM {table}"));
        for (more, expected) in [
            (&[][..], rows),
            (&["--player", PLAYER], rows),
            (&["--year", "2001"], 0),
        ] {
            let output = run(exported(what, more)).await;
            let lines = output.stdout.split(|byte| *byte == b'\n').count() as u64;
            assert_eq!(lines, expected + 2, "{what} {more:?}: {}", text(&output));
        }
    }
    copied_and_kept(&rig, &expected).await;
}

/// A copy has all of it, and what is cleaned away are matches.
async fn copied_and_kept(rig: &Rig, expected: &[Vec<Option<String>>]) {
    let copy = Place::sqlite();
    let copied = rig
        .done(&[
            "db",
            "copy",
            "--from",
            &rig.place.url(),
            "--to",
            &copy.url(),
        ])
        .await;
    assert_eq!(documents(copied[0].to_string().as_bytes()).len(), 1);
    assert_eq!(copy.rows(SEASON), expected);
    let masteries =
        "SELECT champion_id, seen_at, level, points, last_played FROM v_mastery ORDER BY 1, 2";
    assert_eq!(copy.rows(masteries), rig.place.rows(masteries));
    rig.done(&["cleanup", "--days", "0"]).await;
    assert_eq!(rig.place.rows(SEASON), expected);
}
