//! A lake is the database, whatever was stored, changed and deleted between two exports, and whenever one was killed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::export::duckdb_python;
use crate::place::Place;
use crate::rig::{Rig, on_each_place};
use crate::setup::{PLAYER, run, text};
use crate::wait;

on_each_place! {
    after_any_sequence_of_work_the_lake_is_the_database,
    one_new_match_writes_its_own_partitions_alone,
    an_export_that_is_killed_leaves_a_whole_lake_and_the_next_goes_on,
}

/// The tables of a lake.
pub const TABLES: [&str; 21] = [
    "matches",
    "match_participants",
    "match_teams",
    "match_bans",
    "participant_damage",
    "participant_combat",
    "participant_vision",
    "participant_loadout",
    "match_timelines",
    "participant_minutes",
    "participant_purchases",
    "match_events",
    "player_yearly_stats",
    "players",
    "rank_history",
    "mastery_history",
    "static_names",
    "former_names",
    "missing_payloads",
    "player_years",
    "listed_matches",
];

/// The views that `lake.sql` makes of them: each has all columns of that of the database.
pub const VIEWS: [&str; 11] = [
    "match_runes",
    "lane_leads",
    "v_matches",
    "v_player_matches",
    "v_champion_stats",
    "v_duos",
    "v_matchups",
    "v_daily",
    "v_names",
    "v_ranks",
    "v_mastery",
];

/// Reads the lake by `lake.sql`, and the columns and rows of each table; and by the manifest what files there are.
const READ: &str = r#"
import duckdb, json, os, sys
# A question that takes long would write a bar where the answer is.
duckdb.sql('SET enable_progress_bar = false')
os.chdir(sys.argv[1])
duckdb.sql(open("lake.sql").read())
def text(cell):
    return None if cell is None else str(int(cell)) if isinstance(cell, bool) else str(cell)
tables = {}
for table in json.loads(sys.argv[2]):
    rows = duckdb.sql(f"SELECT * FROM {table}")
    tables[table] = {"columns": rows.columns, "rows": [[text(cell) for cell in row] for row in rows.fetchall()]}
print(json.dumps(tables))
"#;

pub async fn python(program: &str, args: &[&str]) -> Value {
    let mut command = Command::new(duckdb_python());
    command.arg("-c").arg(program).args(args);
    let output = run(command).await;
    assert!(output.status.success(), "{}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

type Cells = Vec<Vec<Option<String>>>;

fn normal(mut rows: Cells) -> Cells {
    for cell in rows.iter_mut().flatten().flatten() {
        if cell.parse::<i64>().is_ok() {
            cell.push_str(".000000000");
        } else if let Ok(number) = cell.parse::<f64>() {
            *cell = format!("{number:.9}");
        }
    }
    rows.sort();
    rows
}

impl Rig {
    pub fn lake(&self) -> PathBuf {
        self.setup.folder.path().join("lake")
    }

    async fn export_all(&self, more: &[&str]) -> Value {
        let lake = self.lake();
        let args = ["export", "--all", "--dir", lake.to_str().unwrap()];
        self.done(&[&args[..], more].concat()).await.remove(0)
    }

    /// Every table of the lake has the rows of the database.
    pub async fn check_lake(&self) {
        let names = json!([&TABLES[..], &VIEWS].concat()).to_string();
        let lake = python(READ, &[self.lake().to_str().unwrap(), &names]).await;
        check_tables(&self.place, &lake);
        for view in VIEWS {
            let columns: BTreeSet<String> =
                serde_json::from_value(lake[view]["columns"].clone()).unwrap();
            let of_database = match &self.place {
                Place::Sqlite(_) => format!("SELECT name AS row FROM pragma_table_info('{view}')"),
                Place::Postgres(_) => format!(
                    "SELECT column_name::text AS row FROM information_schema.columns WHERE table_name = '{view}'"
                ),
            };
            let of_database: BTreeSet<String> = self.lines(&of_database).into_iter().collect();
            assert_eq!(columns, of_database, "{view}");
            check_table(&self.place, &lake, view);
        }
    }
}

/// Every table that was read of a lake has the rows of the database.
#[track_caller]
pub fn check_tables(place: &Place, lake: &Value) {
    for table in TABLES {
        check_table(place, lake, table);
    }
}

#[track_caller]
fn check_table(place: &Place, lake: &Value, table: &str) {
    let columns: Vec<String> = serde_json::from_value(lake[table]["columns"].clone()).unwrap();
    let found: Cells = serde_json::from_value(lake[table]["rows"].clone()).unwrap();
    let query = format!("SELECT {} FROM {table}", columns.join(", "));
    let (found, expected) = (normal(found), normal(place.rows(&query)));
    assert_eq!(found.len(), expected.len(), "rows of {table}");
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected, "{table}");
    }
}

pub fn manifest(lake: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(lake.join("manifest.json")).unwrap()).unwrap()
}

/// All files of tables that lie in a lake.
pub fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.to_string_lossy().contains("part-") {
            found.insert(path);
        }
    }
    found
}

pub fn named(lake: &Path, manifest: &Value) -> BTreeSet<PathBuf> {
    let files = manifest["files"].as_array().unwrap().iter();
    let files = files.map(|file| file["path"].as_str().unwrap());
    let former = manifest["former"].as_array().unwrap().iter();
    let all = files.chain(former.map(|path| path.as_str().unwrap()));
    all.map(|path| lake.join(path)).collect()
}

async fn after_any_sequence_of_work_the_lake_is_the_database(place: Place) {
    let rig = Rig::synced(place, 24).await;
    let lake = rig.lake();
    let first = rig.export_all(&[]).await;
    assert_eq!(first["generation"], 1);
    rig.check_lake().await;
    let again = rig.export_all(&["--since", "last"]).await;
    assert_eq!(again["written"], json!([]), "nothing has changed");
    assert_eq!(again["generation"], 1);
    let mut seed = fastrand::Rng::new();
    let seed_shown = seed.get_seed();
    for step in 0..4 {
        for _ in 0..=seed.usize(..2) {
            match seed.usize(..6) {
                0 => {
                    rig.sync(PLAYER, ["2024", "2026"][seed.usize(..2)]).await;
                }
                1 => {
                    let mut replay = rig.command(&["replay", "--json"]);
                    let rows = ["off", "minutes", "all"][seed.usize(..3)];
                    replay.env("RIFTSYNC_DATA__TIMELINE_ROWS", rows);
                    assert!(run(replay).await.status.success());
                }
                2 => {
                    let old = "UPDATE matches SET stored_at = 1 WHERE match_id IN (SELECT match_id FROM matches ORDER BY match_id LIMIT 9)";
                    rig.execute(old);
                    rig.done(&["cleanup", "--days", "30"]).await;
                }
                3 => rig.execute(
                    "UPDATE players SET game_name = 'Another', name_folded = 'another#' || tag_line, name_seen_at = name_seen_at + 1 WHERE id = 3;
                     UPDATE former_names SET valid_to = valid_to - 3456000000;
                     INSERT INTO missing_payloads (kind, id, reason, first_seen, last_seen)
                     SELECT 'match', 'ODD_' || (1 + coalesce(max(CAST(substr(id, 5) AS INTEGER)), 0)), '404', 1735689600000, 1 FROM missing_payloads WHERE id LIKE 'ODD_%';
                     DELETE FROM missing_payloads WHERE id LIKE 'EUW1_%'",
                ),
                4 => rig.execute(
                    "DELETE FROM match_timelines WHERE match_id IN (SELECT max(match_id) FROM match_timelines);
                     INSERT INTO static_names (kind, id, patch, language, name, stored_at)
                     SELECT 'item', CAST(count(*) AS TEXT), '1', 'en', 'x', 1 FROM static_names",
                ),
                _ => rig.execute(
                    "UPDATE match_participants SET player_id = 2 WHERE player_id = (SELECT max(player_id) FROM match_participants WHERE player_id > 2)",
                ),
            }
        }
        let full = ["--full"];
        rig.export_all(if step == 2 { &full } else { &[] }).await;
        rig.check_lake().await;
        let manifest = manifest(&lake);
        assert_eq!(files(&lake), named(&lake, &manifest), "seed {seed_shown}");
    }
}

async fn one_new_match_writes_its_own_partitions_alone(place: Place) {
    let rig = Rig::synced(place, 24).await;
    rig.export_all(&[]).await;
    let before = manifest(&rig.lake());
    let one = "SELECT max(match_id) AS row FROM matches";
    let id = rig.lines(one).remove(0);
    let month = rig.lines(&format!(
        "SELECT s.partition AS row FROM partition_stamps s, matches m WHERE m.match_id = '{id}' AND s.partition = {}",
        match &rig.place {
            Place::Sqlite(_) =>
                "'matches|' || m.platform || '|' || strftime('%Y|%m', m.game_start / 1000, 'unixepoch')",
            Place::Postgres(_) =>
                "'matches|' || m.platform || '|' || to_char(to_timestamp(m.game_start / 1000) AT TIME ZONE 'UTC', 'YYYY|MM')",
        }
    ));
    // As if it had never been fetched; then it comes in.
    rig.execute(&format!(
        "DELETE FROM match_participants WHERE match_id = '{id}'; DELETE FROM match_timelines WHERE match_id = '{id}'; DELETE FROM matches WHERE match_id = '{id}'"
    ));
    rig.done(&["recover", PLAYER, "--year", "2025", "--verify"])
        .await;
    let written = rig.export_all(&[]).await["written"].clone();
    let written: BTreeSet<String> = serde_json::from_value(written).unwrap();
    assert!(written.contains(&month[0]), "{written:?}");
    let of_matches = written.iter().filter(|name| name.starts_with("matches|"));
    assert_eq!(of_matches.count(), 1, "{written:?}");
    rig.check_lake().await;
    let after = manifest(&rig.lake());
    let kept = |file: &&Value| !written.contains(file["partition"].as_str().unwrap());
    let files = |manifest: &Value| -> Vec<Value> {
        let files = manifest["files"].as_array().unwrap().iter();
        files.filter(kept).cloned().collect()
    };
    assert_eq!(
        files(&before),
        files(&after),
        "the others are the same files"
    );
}

async fn an_export_that_is_killed_leaves_a_whole_lake_and_the_next_goes_on(place: Place) {
    let rig = Rig::synced(place, 24).await;
    let lake = rig.lake();
    let args = ["export", "--all", "--dir", lake.to_str().unwrap(), "--full"];
    let mut generation = 0;
    for wait_files in [0, 9, 60] {
        let before = generation;
        let mut child = rig
            .command(&args)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let own = |lake: &Path| {
            let new = format!("part-{:06}-", before + 1);
            let all = if lake.is_dir() {
                files(lake)
            } else {
                BTreeSet::new()
            };
            all.iter()
                .filter(|path| path.to_string_lossy().contains(&new))
                .count()
        };
        wait::until_soon("its files", async || {
            own(&lake) >= wait_files || child.try_wait().unwrap().is_some()
        })
        .await;
        let _ = child.kill();
        child.wait().unwrap();
        if lake.join("manifest.json").exists() {
            assert!(manifest(&lake)["generation"].as_u64().unwrap() >= before);
            let named = named(&lake, &manifest(&lake));
            assert!(named.is_subset(&files(&lake)), "all of it is there");
        }
        // Whatever was killed, the next goes on from what stands, and nothing is left over.
        generation = rig.export_all(&[]).await["generation"].as_u64().unwrap();
        rig.check_lake().await;
        assert_eq!(files(&lake), named(&lake, &manifest(&lake)));
    }
}

#[tokio::test]
async fn what_cannot_be_written_or_is_of_another_database_is_told_with_a_remedy() {
    let rig = Rig::synced(Place::sqlite(), 10).await;
    let other = Rig::synced(Place::sqlite(), 10).await;
    let told = async |rig: &Rig, dir: &Path, more: &[&str]| {
        let args = ["export", "--all", "--dir", dir.to_str().unwrap()];
        let output = run(rig.command(&[&args[..], more].concat())).await;
        (output.status.code(), text(&output))
    };
    let lake = rig.lake();
    rig.export_all(&[]).await;
    let (code, said) = told(&other, &lake, &[]).await;
    assert_eq!(code, Some(1));
    assert!(
        said.contains("another database") && said.contains("--full"),
        "{said}"
    );
    rig.check_lake().await;
    assert_eq!(told(&other, &lake, &["--full"]).await.0, Some(0));
    let file = lake.join("README.md");
    let (code, said) = told(&rig, &file, &[]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("Name a folder"), "{said}");
    std::fs::write(lake.join("manifest.json"), "{}").unwrap();
    let (code, said) = told(&other, &lake, &[]).await;
    assert_eq!(code, Some(1));
    assert!(
        said.contains("manifest.json") && said.contains("--full"),
        "{said}"
    );
    let lock = std::fs::File::open(lake.join(".riftsync-lock")).unwrap();
    lock.lock().unwrap();
    let (code, said) = told(&other, &lake, &["--full"]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("another export writes there"), "{said}");
}

#[tokio::test]
async fn a_lake_whose_manifest_is_lost_or_broken_is_whole_again_when_it_is_written_anew() {
    let rig = Rig::synced(Place::sqlite(), 10).await;
    for _ in 0..3 {
        rig.export_all(&["--full"]).await;
    }
    let path = rig.lake().join("manifest.json");
    std::fs::write(&path, "{}").unwrap();
    rig.export_all(&["--full"]).await;
    // What was written before is gone, and so are the statements that named it.
    rig.check_lake().await;
    std::fs::remove_file(&path).unwrap();
    rig.export_all(&[]).await;
    rig.check_lake().await;
    let lake = rig.lake();
    assert_eq!(files(&lake), named(&lake, &manifest(&lake)));
}

#[tokio::test]
async fn what_was_taken_away_from_a_lake_or_cut_off_is_written_again() {
    let rig = Rig::synced(Place::sqlite(), 10).await;
    rig.export_all(&[]).await;
    let lake = rig.lake();
    let month = std::fs::read_dir(lake.join("matches/platform=euw1/year=2025")).unwrap();
    let month = month.map(|entry| entry.unwrap().path()).min().unwrap();
    std::fs::remove_dir_all(&month).unwrap();
    // A part that is kept elsewhere is there.
    let stats = lake.join("player_yearly_stats");
    let elsewhere = rig.setup.folder.path().join("disk");
    std::fs::rename(&stats, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &stats).unwrap();
    // Another name of what is to stay, and one of nothing, change nothing.
    let links = ["platform=alias", "loop"].map(|name| lake.join("matches").join(name));
    for (link, to) in links.iter().zip(["platform=euw1", "loop"]) {
        std::os::unix::fs::symlink(to, link).unwrap();
    }
    let players = files(&lake.join("players")).pop_first().unwrap();
    std::fs::write(&players, "short").unwrap();
    let dir = lake.to_str().unwrap();
    let mended = run(rig.command(&["export", "--all", "--dir", dir])).await;
    assert!(mended.status.success(), "{}", text(&mended));
    assert!(
        text(&mended).contains("files of 2 partitions were missing or not as they were written"),
        "{}",
        text(&mended)
    );
    rig.check_lake().await;
    rig.export_all(&["--full"]).await;
    rig.check_lake().await;
    assert_eq!(rig.export_all(&[]).await["restored"], 0);
    for link in &links {
        std::fs::remove_file(link).unwrap();
    }
    assert_eq!(files(&lake), named(&lake, &manifest(&lake)));
}

#[tokio::test]
async fn what_a_lake_lost_or_never_had_is_told() {
    let rig = Rig::synced(Place::sqlite(), 10).await;
    let export = || {
        let dir = rig.lake();
        rig.command(&["export", "--all", "--dir", dir.to_str().unwrap()])
    };
    // As an older version stored them.
    rig.execute("DELETE FROM match_teams; DELETE FROM participant_damage");
    let said = text(&run(export()).await);
    assert!(
        said.contains("no row of match_teams, participant_damage and its like")
            && said.contains("`riftsync replay`"),
        "{said}"
    );
    rig.done(&["replay"]).await;
    let output = run(export()).await;
    assert!(!text(&output).contains("replay"), "{}", text(&output));
    rig.check_lake().await;
    let told = rig.export_all(&[]).await;
    assert_eq!(
        (&told["emptied"], &told["unmade"]),
        (&json!([]), &json!([]))
    );
    rig.execute("UPDATE matches SET stored_at = 1");
    rig.done(&["cleanup", "--days", "30"]).await;
    let told = rig.export_all(&[]).await;
    assert!(!told["emptied"].as_array().unwrap().is_empty(), "{told}");
    rig.check_lake().await;
    assert_eq!(rig.export_all(&[]).await["emptied"], json!([]));
}

#[tokio::test]
async fn a_file_of_somebody_else_s_is_not_written_over() {
    let rig = Rig::synced(Place::sqlite(), 3).await;
    let lake = rig.lake();
    std::fs::create_dir_all(&lake).unwrap();
    for name in ["README.md", "DICTIONARY.md", "lake.sql", "manifest.json"] {
        let path = lake.join(name);
        std::fs::write(&path, "my own notes").unwrap();
        for more in [&[][..], &["--full"]] {
            let args = ["export", "--all", "--dir", lake.to_str().unwrap()];
            let output = run(rig.command(&[&args[..], more].concat())).await;
            let told = text(&output);
            assert_eq!(output.status.code(), Some(1), "{told}");
            assert!(told.contains(&format!("move {name} away")), "{told}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "my own notes");
            let count = std::fs::read_dir(&lake).unwrap().count();
            assert_eq!(count, 1, "nothing is left beside it");
        }
        std::fs::remove_file(path).unwrap();
    }
    // What is said to help does.
    rig.export_all(&[]).await;
    rig.check_lake().await;
}

#[tokio::test]
async fn what_is_of_lakes_is_refused_of_a_single_table() {
    let rig = Rig::synced(Place::sqlite(), 3).await;
    for of_lakes in [&["--dir", "lake"][..], &["--full"], &["--since", "last"]] {
        let args = [&["export", "--what", "matches"][..], of_lakes].concat();
        let output = run(rig.command(&args)).await;
        let told = text(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(
            told.contains("cannot be used with") && told.contains(of_lakes[0]),
            "{told}"
        );
    }
}
