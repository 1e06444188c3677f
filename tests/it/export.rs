//! Tables as files, read back by the readers of their formats.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use riftsync::export::{Export, ExportError, Format, Out, What, export};
use riftsync::model::Timestamp;
use riftsync::store::Store;
use riftsync::store::export::ExportFilter;
use serde_json::Value;
use tempfile::TempDir;

use crate::data::{game, puuid, stores, write};
use crate::place::on_each_store;
use crate::setup::{PLAYER, run, setup, text};

pub const ALL: ExportFilter = ExportFilter {
    years: (i16::MIN, i16::MAX),
    player: None,
};

on_each_store! { tokio::test;
    a_table_is_the_same_in_either_format_and_whole,
    years_and_a_player_choose_the_rows,
}

fn file(path: &Path) -> Out {
    Out::File {
        path: path.to_owned(),
        make_folder: false,
    }
}

/// A table as both formats must have it: the names, and the cells as text; nothing is empty.
pub type Table = (Vec<String>, Vec<Vec<String>>);

fn read_parquet(path: &Path) -> Table {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let schema = reader.metadata().file_metadata().schema().clone();
    let names = schema
        .get_fields()
        .iter()
        .map(|field| field.name().to_owned())
        .collect();
    let cell = |(_, field): (&String, &Field)| match field {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        Field::Double(number) => number.to_string(),
        Field::TimestampMillis(ms) => Timestamp::from_millis(*ms).to_string(),
        other => other.to_string(),
    };
    let rows = reader.get_row_iter(None).unwrap();
    let rows = rows.map(|row| row.unwrap().get_column_iter().map(cell).collect());
    (names, rows.collect())
}

fn read_csv(path: &Path) -> Table {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let names = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    let row = |row: csv::StringRecord| row.iter().map(str::to_owned).collect();
    (
        names,
        reader
            .into_records()
            .map(|record| row(record.unwrap()))
            .collect(),
    )
}

pub async fn table(store: &dyn Store, what: What, filter: ExportFilter) -> Table {
    let folder = TempDir::new().unwrap();
    let mut tables = Vec::new();
    for format in [Format::Parquet, Format::Csv] {
        let path = folder.path().join("t").with_extension(format.as_str());
        let order = Export {
            what,
            format,
            filter,
            out: file(&path),
            // To be compared with what has no such marks.
            raw: true,
        };
        let exported = export(store, &order).await.unwrap();
        let table = match format {
            Format::Parquet => read_parquet(&path),
            Format::Csv => read_csv(&path),
        };
        assert_eq!(exported.rows, table.1.len() as u64);
        assert_eq!(exported.bytes, std::fs::metadata(&path).unwrap().len());
        tables.push(table);
    }
    // Nothing but the two files is left.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    let csv = tables.pop().unwrap();
    assert_eq!(csv, tables.pop().unwrap());
    csv
}

fn cell<'t>((names, _): &Table, row: &'t [String], name: &str) -> &'t str {
    &row[names.iter().position(|known| known == name).unwrap()]
}

async fn a_table_is_the_same_in_either_format_and_whole(store: Arc<dyn Store>) {
    const GAMES: u64 = 2_300;
    for from in (0..GAMES).step_by(460) {
        let games = (from..from + 460).map(|n| vec![stores(&game(n, 60))]);
        write(&*store, games.collect()).await;
    }
    // More than one page of matches, and more than one group of rows.
    let participants = table(&*store, What::Participants, ALL).await;
    assert_eq!(participants.1.len() as u64, GAMES * 10);
    let key = |row: &Vec<String>| {
        (
            row[0].clone(),
            cell(&participants, row, "participant_id")
                .parse::<i32>()
                .unwrap(),
        )
    };
    let keys: Vec<_> = participants.1.iter().map(key).collect();
    assert!(
        keys.is_sorted() && keys.windows(2).all(|two| two[0] != two[1]),
        "each participant once, in order"
    );
    let one = game(7, 60);
    let rows: Vec<_> = participants
        .1
        .iter()
        .filter(|row| row[0] == one.id.to_string())
        .collect();
    for (participant, row) in one.participants.iter().zip(rows) {
        let is = |name, value: String| assert_eq!(cell(&participants, row, name), value, "{name}");
        is("game_start", one.game_start.to_string());
        is("year", one.year.to_string());
        is("kills", participant.kills.to_string());
        is("win", participant.win.to_string());
        is("champion_name", participant.champion_name.to_string());
        is(
            "placement",
            participant
                .placement
                .map(|placement| placement.to_string())
                .unwrap_or_default(),
        );
        is("item6", participant.items[6].to_string());
        is("perk_sub_style", participant.perk_sub_style.to_string());
        let puuid = participant
            .player
            .as_ref()
            .map(|player| player.puuid.to_string());
        is("puuid", puuid.unwrap_or_default());
    }
    let matches = table(&*store, What::Matches, ALL).await;
    assert_eq!(matches.1.len() as u64, GAMES);
    // What is counted is what the participants add up to.
    let years_of = table(&*store, What::Stats, ALL).await;
    let mut kills: BTreeMap<(String, String), i64> = BTreeMap::new();
    for row in &years_of.1 {
        let key = (
            cell(&years_of, row, "puuid").to_owned(),
            cell(&years_of, row, "year").to_owned(),
        );
        assert!(
            kills
                .insert(key, cell(&years_of, row, "total_kills").parse().unwrap())
                .is_none()
        );
    }
    let mut sums: BTreeMap<(String, String), i64> =
        kills.keys().map(|key| (key.clone(), 0)).collect();
    for row in &participants.1 {
        let is = |name| cell(&participants, row, name);
        if !is("puuid").is_empty() && is("is_remake") == "false" && is("game_duration_s") != "0" {
            *sums
                .get_mut(&(is("puuid").to_owned(), is("year").to_owned()))
                .unwrap() += is("kills").parse::<i64>().unwrap();
        }
    }
    assert_eq!(sums, kills);
}

async fn years_and_a_player_choose_the_rows(store: Arc<dyn Store>) {
    let games: Vec<_> = (0..300).map(|n| game(n, 60)).collect();
    write(
        &*store,
        games.iter().map(|game| vec![stores(game)]).collect(),
    )
    .await;
    let years = |first, last| ExportFilter {
        years: (first, last),
        ..ALL
    };
    let of = |year: i16| games.iter().filter(|game| game.year == year).count();
    assert!(of(2021) > 0 && of(2022) == 0 || of(2021) + of(2022) == 300);
    for (filter, expected) in [
        (years(2021, 2021), of(2021)),
        (years(2022, 2030), of(2022)),
        (years(2023, 2023), 0),
    ] {
        let matches = table(&*store, What::Matches, filter).await;
        assert_eq!(matches.1.len(), expected);
    }
    let who = puuid(5);
    let played = |game: &riftsync::model::records::MatchRecord| {
        let participants = game
            .participants
            .iter()
            .filter_map(|participant| participant.player.as_ref());
        participants
            .map(|player| &player.puuid)
            .any(|puuid| *puuid == who)
    };
    let wanted = Some(
        store
            .players_by_puuid(std::slice::from_ref(&who))
            .await
            .unwrap()[0]
            .id,
    );
    let filter = ExportFilter {
        player: wanted,
        ..ALL
    };
    let participants = table(&*store, What::Participants, filter).await;
    let expected = games.iter().filter(|game| played(game)).count();
    assert_eq!(
        participants.1.len(),
        expected * 10,
        "all participants of the player's matches"
    );
    let years_of = table(&*store, What::Stats, filter).await;
    assert!(!years_of.1.is_empty());
    assert!(
        years_of
            .1
            .iter()
            .all(|row| cell(&years_of, row, "puuid") == who.as_str())
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_named_and_nothing_is_left() {
    let store = crate::place::Place::sqlite();
    let store = store.open().await;
    let folder = TempDir::new().unwrap();
    let order = |path: std::path::PathBuf| Export {
        what: What::Matches,
        format: Format::Csv,
        filter: ALL,
        out: file(&path),
        raw: false,
    };
    let missing = order(folder.path().join("no/such/folder.csv"));
    let error = export(&*store, &missing).await.unwrap_err();
    assert!(matches!(error, ExportError::File { .. }));
    assert!(error.to_string().contains("no/such/folder.csv"), "{error}");
    // An export that is stopped leaves what was there before.
    let path = folder.path().join("m.csv");
    std::fs::write(&path, "of yesterday").unwrap();
    store.close().await.unwrap();
    drop(store);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "of yesterday");
}

/// A Python that can import `duckdb`.
pub fn duckdb_python() -> std::path::PathBuf {
    let named = std::env::var_os("TEST_DUCKDB_PYTHON").map(std::path::PathBuf::from);
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-python/bin/python");
    let python = named.unwrap_or(made);
    let imports = std::process::Command::new(&python)
        .args(["-c", "import duckdb"])
        .output();
    assert!(
        imports.is_ok_and(|output| output.status.success()),
        "{} cannot import duckdb, with which this test reads exported files: run `bash tests/run.sh`, which installs it, \
         or set TEST_DUCKDB_PYTHON to a Python for which `pip install duckdb` was run",
        python.display()
    );
    python
}

/// What `DuckDB` makes of files of both formats: the columns with their types, the rows, and how many rows only one
/// of the two has.
const READ_WITH_DUCKDB: &str = r#"
import duckdb, json, sys
# A question that takes long would write a bar where the answer is.
duckdb.sql('SET enable_progress_bar = false')
told = {}
for name in sys.argv[2:]:
    parquet, csv = (f"'{sys.argv[1]}/{name}.{format}'" for format in ("parquet", "csv"))
    types = duckdb.sql(f"DESCRIBE SELECT * FROM {parquet}").fetchall()
    cast = ", ".join(f'CAST("{column[0]}" AS {column[1]}) AS "{column[0]}"' for column in types)
    # Texts that are empty are not null in one format and may be in the other.
    same = ", ".join(f"coalesce(CAST(\"{column[0]}\" AS VARCHAR), '')" for column in types)
    csv = f"(SELECT {cast} FROM read_csv({csv}, all_varchar = true))"
    one, other = (f"SELECT {same} FROM {table}" for table in (parquet, csv))
    count = lambda query: duckdb.sql(f"SELECT count(*) FROM ({query})").fetchone()[0]
    told[name] = {
        "types": {column[0]: column[1] for column in types},
        "rows": count(f"SELECT 1 FROM {parquet}"),
        "csv_rows": count(f"SELECT 1 FROM {csv}"),
        "differ": count(f"({one}) EXCEPT ALL ({other})") + count(f"({other}) EXCEPT ALL ({one})"),
    }
told["kills"] = duckdb.sql(f"SELECT CAST(sum(kills) AS BIGINT) FROM '{sys.argv[1]}/participants.parquet'").fetchone()[0]
told["last"] = duckdb.sql(f"SELECT epoch_ms(max(game_start)) FROM '{sys.argv[1]}/matches.parquet'").fetchone()[0]
print(json.dumps(told))
"#;

const TABLES: [&str; 13] = [
    "matches",
    "participants",
    "teams",
    "bans",
    "damage",
    "combat",
    "vision",
    "loadout",
    "minutes",
    "purchases",
    "timeline_frames",
    "timeline_events",
    "stats",
];

#[tokio::test]
async fn duckdb_reads_every_table_in_either_format_with_its_types_and_all_its_rows() {
    let python = duckdb_python();
    let setup = setup(16).await;
    let synced = run(setup.sync()).await;
    assert!(synced.status.success(), "{}", text(&synced));
    let mut rows = BTreeMap::new();
    for what in TABLES {
        for format in ["csv", "parquet"] {
            let out = setup.folder.path().join(what).with_extension(format);
            let out = out.to_str().unwrap();
            let words = ["export", "--what", what, "--out", out, "--raw", "--json"];
            let told = run(setup.command(&words)).await;
            assert!(told.status.success(), "{}", text(&told));
            let told: Value = serde_json::from_slice(&told.stdout).unwrap();
            rows.insert(what, told["rows"].clone());
        }
    }
    let mut command = std::process::Command::new(python);
    command.arg("-c").arg(READ_WITH_DUCKDB);
    command.arg(setup.folder.path()).args(TABLES);
    let read = run(command).await;
    assert!(read.status.success(), "{}", text(&read));
    let read: Value = serde_json::from_slice(&read.stdout).unwrap();
    for what in TABLES {
        let of = &read[what];
        assert!(of["rows"].as_u64() > Some(0), "{what}");
        assert_eq!(
            (&of["rows"], &of["csv_rows"]),
            (&rows[what], &rows[what]),
            "{what}"
        );
        assert_eq!(of["differ"], 0, "{what}");
    }
    for (what, column, known) in [
        ("matches", "game_start", "TIMESTAMP WITH TIME ZONE"),
        ("matches", "is_remake", "BOOLEAN"),
        ("participants", "kills", "INTEGER"),
        ("participants", "champion_name", "VARCHAR"),
        ("timeline_frames", "total_gold", "INTEGER"),
        ("timeline_events", "type", "VARCHAR"),
        ("stats", "win_rate", "DOUBLE"),
        ("teams", "dragon_first", "BOOLEAN"),
        ("bans", "champion_id", "INTEGER"),
        ("combat", "first_blood_kill", "BOOLEAN"),
        ("loadout", "rune0", "INTEGER"),
        ("minutes", "is_last", "BOOLEAN"),
        ("purchases", "at_ms", "INTEGER"),
    ] {
        assert_eq!(read[what]["types"][column], known, "{what}.{column}");
    }
    let mut conn = diesel::sqlite::SqliteConnection::establish(&setup.database()).unwrap();
    for (name, sql) in [
        ("kills", "SELECT sum(kills) AS n FROM match_participants"),
        ("last", "SELECT max(game_start) AS n FROM matches"),
    ] {
        let count: Count = diesel::sql_query(sql).get_result(&mut conn).unwrap();
        assert_eq!(read[name], count.n, "{name}");
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[tokio::test]
async fn timelines_are_flattened_and_one_that_cannot_be_read_is_told_and_left_out() {
    let setup = setup(20).await;
    let synced = run(setup.sync()).await;
    assert!(synced.status.success(), "{}", text(&synced));
    let database = setup.database();
    let count = |sql: &str| {
        let mut conn = diesel::sqlite::SqliteConnection::establish(&database).unwrap();
        let count: Count = diesel::sql_query(sql).get_result(&mut conn).unwrap();
        count.n
    };
    let path = |name: &str| setup.folder.path().join(name);
    let exports = |what: &'static str, name: &'static str| {
        let out = path(name).to_str().unwrap().to_owned();
        run(setup.command(&[
            "export", "--what", what, "--player", PLAYER, "--out", &out, "--json",
        ]))
    };
    let told = exports("timeline_events", "events.csv").await;
    assert!(told.status.success(), "{}", text(&told));
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let events = read_csv(&path("events.csv"));
    assert_eq!(told["rows"], events.1.len());
    let expected = count("SELECT sum(event_count) AS n FROM match_timelines");
    assert_eq!(i64::try_from(events.1.len()).unwrap(), expected);
    let kills: Vec<_> = events
        .1
        .iter()
        .filter(|row| cell(&events, row, "type") == "CHAMPION_KILL")
        .collect();
    assert!(kills.len() > 100);
    assert!(
        kills
            .iter()
            .all(|row| !cell(&events, row, "killer_id").is_empty())
    );

    let told = exports("timeline_frames", "frames.parquet").await;
    assert!(told.status.success(), "{}", text(&told));
    let frames = read_parquet(&path("frames.parquet"));
    assert!(frames.1.len() > 20 * 10 * 10);
    let matches = count("SELECT count(*) AS n FROM match_timelines WHERE frame_interval_ms > 0");
    let with_frames: std::collections::BTreeSet<_> = frames.1.iter().map(|row| &row[0]).collect();
    assert_eq!(i64::try_from(with_frames.len()).unwrap(), matches);
    let first = &frames.1[0];
    assert_eq!(
        (
            cell(&frames, first, "total_gold"),
            cell(&frames, first, "level")
        ),
        ("500", "1")
    );

    let broken = (*with_frames.first().unwrap()).clone();
    let mut conn = diesel::sqlite::SqliteConnection::establish(&database).unwrap();
    diesel::sql_query(
        "UPDATE payloads SET body = x'1f8b00' WHERE kind = 'timeline' AND match_id = ?",
    )
    .bind::<diesel::sql_types::Text, _>(&broken)
    .execute(&mut conn)
    .unwrap();
    let told = exports("timeline_frames", "rest.csv").await;
    assert_eq!(told.status.code(), Some(1));
    assert!(
        text(&told).contains("1 stored timelines"),
        "{}",
        text(&told)
    );
    let document: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(document["unreadable"], serde_json::json!([broken]));
    let rest = read_csv(&path("rest.csv"));
    let lost = frames.1.iter().filter(|row| row[0] == broken).count();
    assert_eq!(rest.1.len(), frames.1.len() - lost);
    for (args, code) in [
        (&["--what", "matches", "--year", "2026..2024"][..], 2),
        (&["--what", "matches", "--out", "m.xlsx"], 2),
        (&["--what", "matches", "--player", "Nobody#404"], 1),
        (&["--what", "matches", "--out", "/no/such/folder/m.csv"], 1),
    ] {
        let output = run(setup.command(&[&["export"], args].concat())).await;
        assert_eq!(
            output.status.code(),
            Some(code),
            "{args:?}: {}",
            text(&output)
        );
    }
}
