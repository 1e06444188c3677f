//! `db copy`: a database grows out of its file, as a user types it.

use std::process::{Command, Output};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;
use riftsync::model::records::PayloadKind;
use riftsync::model::{MatchId, RiotId, Timestamp};
use riftsync::simulator::SIMULATED_KEY;
use riftsync::store::copy::{COPIED, LEFT_OUT};
use riftsync::store::postgres::PostgresStore;
use riftsync::store::sqlite::SqliteStore;
use riftsync::store::{DataStore, Database, EngineInfo, FleetStore, JobStore, Store};
use serde_json::Value;

use crate::data::check_statistics;
use crate::scratch::Scratch;
use crate::setup::{PLAYER, Setup, bare, exited, run, setup, signal, text};
use crate::wait;

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

/// `riftsync` in the world's folder, with the database named by each call.
fn command(setup: &Setup, args: &[&str]) -> Command {
    let mut command = bare(args);
    command
        .env("HOME", setup.folder.path())
        .env("RIOT_API_KEY", SIMULATED_KEY)
        .env("RIFTSYNC_PROFILE", "production")
        .env("RIFTSYNC_RIOT__BASE_URL", setup.simulator.base_url());
    command
}

fn file(setup: &Setup) -> String {
    format!("sqlite://{}", setup.database())
}

fn copy(setup: &Setup, from: &str, to: &str) -> Command {
    command(setup, &["db", "copy", "--from", from, "--to", to, "--json"])
}

fn sync_on(setup: &Setup, database: &str) -> Command {
    let args = ["sync", PLAYER, "--platform", "euw1", "--year", "2025"];
    let mut command = command(setup, &args);
    command.args(["--json", "--database", database]);
    command
}

/// A copy that must come to its end.
async fn copied(setup: &Setup, from: &str, to: &str) -> Value {
    let output = run(copy(setup, from, to)).await;
    assert!(output.status.success(), "{}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A year in a file.
async fn synced(matches: u32) -> Setup {
    let setup = setup(matches).await;
    let output = run(setup.sync()).await;
    assert!(output.status.success(), "{}", text(&output));
    setup
}

#[track_caller]
fn refused(output: &Output, code: i32, words: &[&str]) {
    assert_eq!(output.status.code(), Some(code), "{}", text(output));
    for word in words {
        assert!(text(output).contains(word), "{word}: {}", text(output));
    }
}

fn in_file(path: &str, statements: &str) {
    let mut conn = SqliteConnection::establish(path).unwrap();
    conn.batch_execute(statements).unwrap();
}

/// What both stores hold of the player's year is the same, body by body and number by number.
async fn check_equal(setup: &Setup, one: &dyn Store, other: &dyn Store) {
    let player: RiotId = PLAYER.parse().unwrap();
    assert_eq!(one.census().await.unwrap(), other.census().await.unwrap());
    let id = one.player(&player).await.unwrap().unwrap().id;
    let statistics = one.yearly_stats(id, None).await.unwrap();
    assert!(!statistics.is_empty());
    assert_eq!(other.yearly_stats(id, None).await.unwrap(), statistics);
    assert_eq!(other.recomputed_stats(id).await.unwrap(), statistics);
    let truth = setup.world.player_matches(&player, 2025);
    let ids: Vec<MatchId> = truth.iter().map(|truth| truth.id).collect();
    let mut bodies = 0;
    for id in ids {
        for kind in [PayloadKind::Match, PayloadKind::Timeline] {
            let body = one.payload(kind, id).await.unwrap();
            bodies += usize::from(body.is_some());
            let theirs = other.payload(kind, id).await.unwrap();
            assert!(body == theirs, "{kind:?} of {id}");
        }
    }
    assert!(bodies > 20, "{bodies}");
}

/// The target of a copy that was stopped by a signal while it wrote payloads, in the middle of a batch.
async fn stopped_in_payloads(setup: &Setup, scratch: &Scratch, by: &str) -> Output {
    let held = scratch.hold("LOCK TABLE payloads IN SHARE MODE");
    let mut command = copy(setup, &file(setup), scratch.url());
    command.stdout(std::process::Stdio::piped());
    command.stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'payloads'::regclass
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    wait::until("a copy that waits for the lock", async || {
        !scratch.rows(waits).is_empty()
            || wait::not_yet(&mut child, || "it did not wait".to_owned())
    })
    .await;
    signal(&child, by);
    let output = exited(child).await;
    drop(held);
    output
}

#[tokio::test]
async fn a_year_moves_to_postgres_whole_and_a_sync_there_fetches_nothing() {
    let (setup, scratch) = (synced(130).await, Scratch::new());
    let document = copied(&setup, &file(&setup), scratch.url()).await;
    assert_eq!(document["resumed"], false);
    let payloads = &document["tables"]["payloads"];
    assert!(payloads["rows"].as_u64().unwrap() > 200, "{document}");
    assert!(payloads["bytes"].as_u64().unwrap() > 100_000, "{document}");

    let file = SqliteStore::open_read_only(setup.database().as_ref()).unwrap();
    let server = PostgresStore::open_read_only(scratch.settings())
        .await
        .unwrap();
    check_equal(&setup, &file, &server).await;
    let players = scratch.rows("SELECT id FROM players");
    let players = players
        .iter()
        .map(|row| row[0].as_deref().unwrap().parse().unwrap());
    check_statistics(&server, players).await;

    let calls = setup.document_calls();
    let again = run(sync_on(&setup, scratch.url())).await;
    assert!(again.status.success(), "{}", text(&again));
    assert_eq!(setup.document_calls(), calls, "nothing was fetched again");
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    let last = scratch.rows("SELECT max(id) FROM players");
    let known = SqliteStore::open_read_only(setup.database().as_ref()).unwrap();
    let known = known.census().await.unwrap().players.to_string();
    assert_eq!(last[0][0].as_deref(), Some(known.as_str()));
    assert!(again["job_id"].as_u64().unwrap() > 1, "ids go on: {again}");
}

#[tokio::test]
async fn it_goes_back_into_a_file_too() {
    let (setup, scratch) = (synced(20).await, Scratch::new());
    copied(&setup, &file(&setup), scratch.url()).await;
    let back = setup.folder.path().join("new").join("back.db");
    copied(
        &setup,
        scratch.url(),
        &format!("sqlite://{}", back.display()),
    )
    .await;
    let one = SqliteStore::open_read_only(setup.database().as_ref()).unwrap();
    let other = SqliteStore::open_read_only(&back).unwrap();
    check_equal(&setup, &one, &other).await;
    // Every row of every table, as SQLite itself compares them.
    let mut conn = SqliteConnection::establish(&setup.database()).unwrap();
    let attach = format!("ATTACH '{}' AS back", back.display());
    conn.batch_execute(&attach).unwrap();
    for table in COPIED {
        let name = table.name;
        let lost: Vec<Name> = diesel::sql_query(format!(
            "SELECT '{name}' AS name FROM (SELECT * FROM main.{name} EXCEPT SELECT * FROM back.{name}
             UNION ALL SELECT * FROM (SELECT * FROM back.{name} EXCEPT SELECT * FROM main.{name}))"
        ))
        .load(&mut conn)
        .unwrap();
        assert_eq!(lost.len(), 0, "{name}");
    }
    let calls = setup.document_calls();
    let again = run(sync_on(&setup, &format!("sqlite://{}", back.display()))).await;
    assert!(again.status.success(), "{}", text(&again));
    assert_eq!(setup.document_calls(), calls, "nothing was fetched again");
}

#[tokio::test]
async fn a_copy_killed_in_the_middle_goes_on_and_finds_what_was_changed_meanwhile() {
    let (setup, scratch) = (synced(40).await, Scratch::new());
    stopped_in_payloads(&setup, &scratch, "-KILL").await;
    assert_eq!(scratch.rows("SELECT 1 FROM payloads").len(), 0);
    let participants = scratch.rows("SELECT 1 FROM match_participants").len();
    assert!(participants >= 400, "{participants}");

    // Nobody works on half a database.
    let calls = setup.document_calls();
    let output = run(sync_on(&setup, scratch.url())).await;
    refused(&output, 3, &["unfinished copy", &setup.database()]);
    assert_eq!(setup.document_calls(), calls);
    let half = [
        &["serve"][..],
        &["db", "migrate"],
        &["stats", PLAYER],
        &["export", "--what", "matches", "--out", "-"],
    ];
    for args in half {
        let mut engine = command(&setup, args);
        engine.args(["--database", scratch.url()]);
        refused(&run(engine).await, 3, &["unfinished copy", "db copy"]);
    }

    // Changed in the target, gone from it, too much in it; and changed in the source.
    scratch.run(
        "UPDATE match_participants SET kills = kills + 1 WHERE match_id = (SELECT min(match_id) FROM matches) AND participant_id = 3;
         DELETE FROM match_timelines WHERE match_id = (SELECT max(match_id) FROM match_timelines);
         INSERT INTO missing_payloads VALUES ('zzz', 'zzz', 'none', 1, 1);
         UPDATE players SET platform = 'xx' WHERE id = 2",
    );
    in_file(
        &setup.database(),
        "UPDATE players SET summoner_level = 4711 WHERE id = 1",
    );
    let document = copied(&setup, &file(&setup), scratch.url()).await;
    assert_eq!(document["resumed"], true);
    let tables = &document["tables"];
    assert_eq!(tables["match_participants"]["replaced"], 1, "{document}");
    assert_eq!(tables["players"]["replaced"], 2, "{document}");
    assert_eq!(tables["matches"]["written"], 0, "{document}");
    let level = scratch.rows("SELECT summoner_level FROM players WHERE id = 1");
    assert_eq!(level[0][0].as_deref(), Some("4711"));
    assert!(
        scratch
            .rows("SELECT 1 FROM missing_payloads WHERE kind = 'zzz'")
            .is_empty()
    );
    let file = SqliteStore::open_read_only(setup.database().as_ref()).unwrap();
    let server = PostgresStore::open_read_only(scratch.settings())
        .await
        .unwrap();
    check_equal(&setup, &file, &server).await;
    let again = run(sync_on(&setup, scratch.url())).await;
    assert!(again.status.success(), "{}", text(&again));
    assert_eq!(setup.document_calls(), calls, "nothing was fetched again");
}

#[tokio::test]
async fn ctrl_c_ends_it_well_and_says_how_to_go_on() {
    let (setup, scratch) = (synced(10).await, Scratch::new());
    let stopped = stopped_in_payloads(&setup, &scratch, "-INT").await;
    refused(&stopped, 130, &["the same command goes on from there"]);
    let other = setup.folder.path().join("other.db");
    SqliteStore::open(&other).unwrap().close().await.unwrap();
    let other = format!("sqlite://{}", other.display());
    let output = run(copy(&setup, &other, scratch.url())).await;
    refused(&output, 3, &["unfinished copy", &setup.database()]);
    let document = copied(&setup, &file(&setup), scratch.url()).await;
    assert_eq!(document["resumed"], true);
}

#[tokio::test]
async fn open_jobs_come_along_and_are_rescued() {
    let (setup, scratch) = (setup(60).await, Scratch::new());
    let mut child = setup.sync().spawn().unwrap();
    while setup.document_calls() < 30 {
        assert!(child.try_wait().unwrap().is_none());
        tokio::task::yield_now().await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let document = copied(&setup, &file(&setup), scratch.url()).await;
    assert!(document["tables"]["jobs"]["rows"].as_u64().unwrap() > 0);
    let open = "SELECT 1 FROM jobs WHERE finished_at IS NULL";
    let running = "SELECT 1 FROM jobs WHERE state = 'running'";
    assert!(!scratch.rows(open).is_empty() && !scratch.rows(running).is_empty());
    let again = run(sync_on(&setup, scratch.url())).await;
    assert!(again.status.success(), "{}", text(&again));
    let server = PostgresStore::open_read_only(scratch.settings())
        .await
        .unwrap();
    assert_eq!(server.open_jobs().await.unwrap(), 0);
    let truth = setup.world.player_matches(&PLAYER.parse().unwrap(), 2025);
    let ids: Vec<MatchId> = truth.iter().map(|truth| truth.id).collect();
    let there = truth.iter().filter(|truth| truth.has_match).count();
    let stored = server.stored_matches(&ids).await.unwrap();
    assert_eq!(stored.matches.len(), there);
}

#[tokio::test]
async fn of_a_server_that_is_not_there_it_is_said_as_riftsync_says_it() {
    let setup = setup(1).await;
    let nowhere = "postgres://nobody@127.0.0.1:1/none";
    let output = run(copy(&setup, nowhere, &file(&setup))).await;
    refused(
        &output,
        3,
        &["127.0.0.1:1", "what --database or DATABASE_URL says"],
    );
}

#[tokio::test]
async fn what_cannot_be_copied_is_refused_with_its_remedy() {
    let (setup, scratch) = (synced(4).await, Scratch::new());
    let from = file(&setup);
    // To itself, by another name.
    let other_name = format!("sqlite://{}/./t.db", setup.folder.path().display());
    let output = run(copy(&setup, &from, &other_name)).await;
    refused(&output, 2, &["itself", "--to"]);
    // From nothing: and nothing is made of it.
    let nothing = setup.folder.path().join("nothing.db");
    let url = format!("sqlite://{}", nothing.display());
    let output = run(copy(&setup, &url, scratch.url())).await;
    refused(&output, 3, &["no database", "nothing.db", "--from"]);
    assert!(!nothing.exists());
    // An engine works on the file.
    let engine = SqliteStore::open(setup.database().as_ref()).unwrap();
    let pid = std::process::id().to_string();
    let output = run(copy(&setup, &from, scratch.url())).await;
    refused(&output, 3, &["in use", &pid]);
    engine.close().await.unwrap();
    drop(engine);
    // An engine works on the server.
    let engine = PostgresStore::open(scratch.settings()).await.unwrap();
    let info = EngineInfo {
        id: "theirs".to_owned(),
        pid: 4711,
        host: "elsewhere".to_owned(),
        version: "1",
    };
    engine.engine_started(info, Timestamp::now()).await.unwrap();
    for (from, to) in [(&*from, scratch.url()), (scratch.url(), &*url)] {
        let output = run(copy(&setup, from, to)).await;
        refused(&output, 3, &["4711", "elsewhere", "engine stop"]);
    }
    engine
        .engine_stopped("theirs", Timestamp::now())
        .await
        .unwrap();
    engine.close().await.unwrap();
    // There is data in the target.
    scratch.run("INSERT INTO missing_payloads VALUES ('match', 'x', 'none', 1, 1)");
    let output = run(copy(&setup, &from, scratch.url())).await;
    refused(&output, 3, &["empty database", "missing_payloads", "--to"]);
    let theirs = scratch.rows("SELECT 1 FROM missing_payloads");
    assert_eq!(theirs.len(), 1, "it was not touched");
    scratch.run("DELETE FROM missing_payloads");
    // A column that somebody added.
    scratch.run("ALTER TABLE matches ADD COLUMN mine TEXT");
    let output = run(copy(&setup, &from, scratch.url())).await;
    refused(&output, 3, &["matches", "mine"]);
    scratch.run("ALTER TABLE matches DROP COLUMN mine");
    copied(&setup, &from, scratch.url()).await;
    // Done is done: typed again it compares all, and says so.
    let again = copied(&setup, &from, scratch.url()).await;
    assert_eq!(again["complete_before"], true, "{again}");
    assert_eq!(again["tables"]["matches"]["written"], 0, "{again}");
    let for_people = command(
        &setup,
        &["db", "copy", "--from", &from, "--to", scratch.url()],
    );
    let output = run(for_people).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", text(&output));
    assert!(said.contains("nothing had to be written"), "{said}");
    // But not over one value that differs.
    scratch.run("UPDATE match_participants SET kills = kills + 1 WHERE participant_id = 7");
    let changed = scratch.rows("SELECT sum(kills) FROM match_participants");
    let output = run(copy(&setup, &from, scratch.url())).await;
    refused(&output, 3, &["empty database", "not the same"]);
    assert_eq!(
        scratch.rows("SELECT sum(kills) FROM match_participants"),
        changed
    );
}

#[tokio::test]
async fn what_arrives_otherwise_than_it_was_sent_is_not_committed() {
    let (setup, scratch) = (synced(4).await, Scratch::new());
    let trigger = |when: &str, body: &str| {
        format!(
            "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NEW; END $$;
             CREATE TRIGGER meddle {when} FOR EACH ROW EXECUTE FUNCTION meddle()"
        )
    };
    // One value of one batch.
    scratch.run(&trigger(
        "BEFORE INSERT ON match_participants",
        "IF NEW.participant_id = 7 THEN NEW.gold_earned = NEW.gold_earned + 1; END IF",
    ));
    let output = run(copy(&setup, &file(&setup), scratch.url())).await;
    refused(&output, 3, &["match_participants", ",7]", "taken back"]);
    assert!(scratch.rows("SELECT 1 FROM match_participants").is_empty());
    scratch.run("DROP FUNCTION meddle CASCADE");
    // A table that was done before.
    scratch.run(&trigger(
        "AFTER INSERT ON payloads",
        "DELETE FROM match_timelines",
    ));
    let output = run(copy(&setup, &file(&setup), scratch.url())).await;
    refused(
        &output,
        3,
        &["match_timelines has 0 rows", "another program"],
    );
    scratch.run("DROP FUNCTION meddle CASCADE");
    let output = run(sync_on(&setup, scratch.url())).await;
    refused(&output, 3, &["unfinished copy"]);
    copied(&setup, &file(&setup), scratch.url()).await;
    let file = SqliteStore::open_read_only(setup.database().as_ref()).unwrap();
    let server = PostgresStore::open_read_only(scratch.settings())
        .await
        .unwrap();
    let census = server.census().await.unwrap();
    assert_eq!(census, file.census().await.unwrap());
}

#[tokio::test]
async fn a_file_with_an_unfinished_copy_is_no_database_for_an_engine() {
    let (setup, scratch) = (setup(4).await, Scratch::new());
    SqliteStore::open(setup.database().as_ref())
        .unwrap()
        .close()
        .await
        .unwrap();
    in_file(
        &setup.database(),
        "CREATE TABLE copy_in_progress (source TEXT NOT NULL) STRICT;
         INSERT INTO copy_in_progress VALUES ('elsewhere')",
    );
    let words = ["unfinished copy of elsewhere", "db copy"];
    refused(&run(setup.sync()).await, 3, &words);
    refused(&run(setup.command(&["serve"])).await, 3, &words);
    // Half of the data would pass for all of it.
    let half = [
        &["stats", PLAYER][..],
        &["export", "--what", "matches", "--out", "-"],
    ];
    for args in half {
        refused(&run(setup.command(args)).await, 3, &words);
    }
    // Nor is it one to copy from.
    refused(
        &run(copy(&setup, &file(&setup), scratch.url())).await,
        3,
        &words,
    );
    assert_eq!(setup.document_calls(), 0);
}

/// What is not named is the database of the settings, so that no password need stand in a command line.
#[tokio::test]
async fn without_names_the_usual_file_goes_into_the_database_of_the_settings() {
    let (setup, scratch) = (setup(4).await, Scratch::new());
    let sync = ["sync", PLAYER, "--platform", "euw1", "--year", "2025"];
    let output = run(command(&setup, &sync)).await;
    assert!(output.status.success(), "{}", text(&output));
    let mut copy = command(&setup, &["db", "copy"]);
    copy.env("DATABASE_URL", scratch.url());
    let output = run(copy).await;
    assert!(output.status.success(), "{}", text(&output));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("verified") && said.contains("payloads"),
        "{said}"
    );
    let output = run(command(&setup, &["db", "copy"])).await;
    refused(&output, 2, &["itself", "--from and --to"]);
}

/// Whoever adds a table says whether it is copied: in `store::copy::tables`.
#[tokio::test]
async fn every_table_is_copied_or_left_out_by_decision() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("t.db");
    SqliteStore::open(&path).unwrap().close().await.unwrap();
    let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let names: Vec<Name> = diesel::sql_query(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )
    .load(&mut conn)
    .unwrap();
    let mut names: Vec<String> = names.into_iter().map(|name| name.name).collect();
    let scratch = Scratch::new();
    let theirs = scratch.rows(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace",
    );
    names.extend(theirs.into_iter().filter_map(|mut row| row[0].take()));
    for name in &names {
        let copied = COPIED.iter().filter(|table| table.name == name).count();
        let left = LEFT_OUT.iter().filter(|left| *left == name).count();
        assert_eq!(copied + left, 1, "is {name} copied, or left out?");
    }
    for table in COPIED {
        let of_name = names.iter().filter(|name| *name == table.name);
        assert_eq!(of_name.count(), 2, "{} is in both databases", table.name);
    }
}

/// SQLite's own digits of a number in JSON would not do.
#[tokio::test]
async fn every_number_and_letter_arrives_as_it_was() {
    let setup = setup(1).await;
    let store = SqliteStore::open(setup.database().as_ref()).unwrap();
    store.close().await.unwrap();
    drop(store);
    let row = |n: usize, float: f64| {
        let floats = vec![format!("{float:e}"); 7].join(", ");
        format!(
            "({n}, 2025, 'kr', {}, {}, 0,0,0,0,0,0,0,0,0,0, NULL, 0,0,0, {floats}, '{{\"a\":\"é 🦦 \\\\ '' \u{1}\"}}')",
            i64::MAX,
            i64::MIN + 1
        )
    };
    fastrand::seed(7);
    let mut floats = vec![0.1, 1.0 / 3.0, 53.333_333_333_333_336, 1e300, 5e-324, 0.0];
    floats.extend(
        (0..3_000).map(|_| f64::from(fastrand::u32(..)) / f64::from(1 + fastrand::u32(..1 << 30))),
    );
    let rows: Vec<String> = floats
        .iter()
        .enumerate()
        .map(|(n, float)| row(n, *float))
        .collect();
    let insert = format!("INSERT INTO player_yearly_stats VALUES {}", rows.join(", "));
    in_file(&setup.database(), &insert);
    let scratch = Scratch::new();
    copied(&setup, &file(&setup), scratch.url()).await;
    let back = setup.folder.path().join("back.db");
    copied(
        &setup,
        scratch.url(),
        &format!("sqlite://{}", back.display()),
    )
    .await;
    let mut conn = SqliteConnection::establish(&setup.database()).unwrap();
    conn.batch_execute(&format!("ATTACH '{}' AS back", back.display()))
        .unwrap();
    let same: Vec<Name> = diesel::sql_query(
        "SELECT '' AS name FROM (SELECT * FROM main.player_yearly_stats INTERSECT SELECT * FROM back.player_yearly_stats)",
    )
    .load(&mut conn)
    .unwrap();
    assert_eq!(same.len(), floats.len());
}
