//! Recovery, cleanup and replay: what is damaged is found and mended, and nothing else is touched or fetched.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::sqlite::SqliteConnection;
use riftsync::model::MatchId;
use riftsync::simulator::Method;
use riftsync::store::{Cleanup, Effect, Repair, Store};
use serde_json::Value;

use crate::data::{TABLES, check_statistics, game, match_id, payload, stores, write};
use crate::place::on_each_store;
use crate::setup::{PLAYER, Setup, run, setup, text};
use crate::store::NOW;

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Nullable<Text>)]
    row: Option<String>,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

fn connect(setup: &Setup) -> SqliteConnection {
    SqliteConnection::establish(&setup.database()).unwrap()
}

fn lines(setup: &Setup, query: &str) -> Vec<String> {
    let rows: Vec<Line> = diesel::sql_query(query).load(&mut connect(setup)).unwrap();
    let mut rows: Vec<String> = rows.into_iter().filter_map(|line| line.row).collect();
    rows.sort();
    rows
}

fn number(setup: &Setup, query: &str) -> i64 {
    let query = format!("SELECT ({query}) AS n");
    let row: Number = diesel::sql_query(query)
        .get_result(&mut connect(setup))
        .unwrap();
    row.n
}

/// What a recovery must bring back: seats, statistics, documents as they unpack, and matches and timelines
/// whatever the time at which they were stored.
fn contents(setup: &Setup) -> Vec<Vec<String>> {
    let mut all: Vec<Vec<String>> = [TABLES[2], TABLES[4]]
        .iter()
        .map(|query| lines(setup, query))
        .collect();
    for query in [
        "SELECT match_id || '|' || year || '|' || game_duration_s || '|' || game_mode || '|' || is_remake AS row FROM matches",
        "SELECT match_id || '|' || frame_count || '|' || event_count AS row FROM match_timelines",
        "SELECT kind || '|' || match_id || '|' || hex(body) AS row FROM payloads",
    ] {
        all.push(lines(setup, query));
    }
    all
}

/// Match and timeline calls that were answered.
fn calls(setup: &Setup) -> [u64; 2] {
    let counters = setup.simulator.counters();
    [Method::Match, Method::Timeline].map(|method| counters.of_method(method))
}

async fn synced(matches: u32) -> Setup {
    let setup = setup(matches).await;
    let output = run(setup.sync()).await;
    assert!(output.status.success(), "{}", text(&output));
    setup
}

async fn recover(setup: &Setup, more: &[&str]) -> Value {
    let mut args = vec![
        "recover",
        PLAYER,
        "--platform",
        "euw1",
        "--year",
        "2025",
        "--json",
    ];
    args.extend(more);
    let output = run(setup.command(&args)).await;
    assert!(output.status.success(), "{}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Matches with their timeline, each its own.
fn stored(setup: &Setup) -> Vec<String> {
    lines(
        setup,
        "SELECT m.match_id AS row FROM matches m JOIN match_timelines t ON t.match_id = m.match_id
         WHERE m.game_duration_s > 0 AND m.is_remake = 0",
    )
}

fn damage(setup: &Setup, ids: &[String]) {
    let [
        row,
        seats,
        kills,
        timeline,
        both,
        packed,
        frames,
        whole,
        player,
    ] = ids.first_chunk().unwrap();
    let broken = "body = CAST(substr(body, 1, 40) || x'00' || substr(body, 42) AS BLOB)";
    connect(setup)
        .batch_execute(&format!(
            "DELETE FROM matches WHERE match_id = '{row}';
             DELETE FROM match_participants WHERE match_id = '{seats}' AND participant_id < 4;
             UPDATE match_participants SET kills = kills + 1 WHERE match_id = '{kills}';
             DELETE FROM match_timelines WHERE match_id = '{timeline}';
             DELETE FROM match_timelines WHERE match_id = '{both}';
             DELETE FROM payloads WHERE match_id = '{both}' AND kind = 'timeline';
             UPDATE payloads SET {broken} WHERE match_id = '{packed}' AND kind = 'match';
             UPDATE payloads SET {broken} WHERE match_id = '{frames}' AND kind = 'timeline';
             DELETE FROM matches WHERE match_id = '{whole}';
             DELETE FROM match_participants WHERE match_id = '{whole}';
             DELETE FROM payloads WHERE match_id = '{whole}' AND kind = 'match';
             DELETE FROM players WHERE id = (SELECT player_id FROM match_participants
                WHERE match_id = '{player}' AND player_id NOT IN (SELECT id FROM players WHERE tracked = 1) AND player_id IS NOT NULL LIMIT 1);
             UPDATE player_yearly_stats SET win_rate = 99.5
                WHERE player_id = (SELECT id FROM players WHERE tracked = 1);
             UPDATE player_yearly_stats SET wins = wins + 1, total_matches = total_matches + 1
                WHERE player_id = (SELECT max(player_id) FROM match_participants WHERE match_id = '{player}');"
        ))
        .unwrap();
}

#[tokio::test]
async fn whatever_is_damaged_is_found_and_mended_and_nothing_else_is_fetched() {
    let setup = synced(60).await;
    let (before, called) = (contents(&setup), calls(&setup));
    damage(&setup, &stored(&setup));
    let damaged = contents(&setup);
    assert_ne!(damaged, before);

    let plan = recover(&setup, &["--verify", "--dry-run"]).await;
    assert_eq!(contents(&setup), damaged, "a dry run writes nothing");
    assert_eq!(calls(&setup), called, "nor does it fetch");
    let counted = ["match_calls", "timeline_calls"].map(|name| plan["result"][name].as_u64());
    // The broken match and the one that is gone; the broken timeline and the one that is gone.
    assert_eq!(counted, [Some(2), Some(2)], "{plan:#}");
    assert!(
        plan["result"]["differences_found"].as_u64() >= Some(8),
        "{plan:#}"
    );

    let done = recover(&setup, &["--verify"]).await;
    let made = calls(&setup);
    assert_eq!(
        [made[0] - called[0], made[1] - called[1]],
        [2, 2],
        "{done:#}"
    );
    for (table, (now, then)) in contents(&setup).iter().zip(&before).enumerate() {
        assert_eq!(now, then, "table {table}");
    }
    setup.check_complete_small(60).await;

    let again = recover(&setup, &["--verify"]).await;
    assert_eq!(again["result"]["differences_found"], 0, "{again:#}");
    assert!(again["result"]["verified_matches"].as_u64() > Some(0));
    assert_eq!(calls(&setup), made);
}

#[tokio::test]
async fn without_verify_only_the_gap_is_filled() {
    let setup = synced(30).await;
    let called = calls(&setup);
    let ids = stored(&setup);
    connect(&setup)
        .batch_execute(&format!(
            "DELETE FROM match_timelines WHERE match_id = '{0}'; DELETE FROM payloads WHERE match_id = '{0}' AND kind = 'timeline'",
            ids[0]
        ))
        .unwrap();
    let done = recover(&setup, &[]).await;
    assert_eq!(done["result"]["calls"][0]["method"], "timeline", "{done:#}");
    let made = calls(&setup);
    assert_eq!([made[0] - called[0], made[1] - called[1]], [0, 1]);
    setup.check_complete_small(30).await;
}

#[tokio::test]
async fn a_replay_rebuilds_all_rows_without_a_call_or_a_key() {
    let setup = synced(30).await;
    let (before, called) = (contents(&setup), setup.simulator.counters().calls);
    connect(&setup)
        .batch_execute(
            "DELETE FROM match_participants; DELETE FROM match_timelines; DELETE FROM player_yearly_stats;
             UPDATE matches SET year = 1999",
        )
        .unwrap();
    let mut command = setup.command(&["replay", "--json"]);
    command.env_remove("RIOT_API_KEY");
    let output = run(command).await;
    assert!(output.status.success(), "{}", text(&output));
    for (table, (now, then)) in contents(&setup).iter().zip(&before).enumerate() {
        assert_eq!(now, then, "table {table}");
    }
    assert_eq!(setup.simulator.counters().calls, called);
}

#[tokio::test]
async fn a_cleanup_gives_space_back_keeps_statistics_and_nothing_is_fetched_again() {
    let setup = synced(40).await;
    let statistics = lines(&setup, TABLES[4]);
    let (matches, called) = (
        number(&setup, "SELECT count(*) FROM matches"),
        calls(&setup),
    );
    let pages = number(&setup, "SELECT page_count FROM pragma_page_count");
    let clean = |more: &'static str| {
        let mut args = vec!["cleanup", "--days", "0", "--json"];
        args.extend((!more.is_empty()).then_some(more));
        let mut command = setup.command(&args);
        command.env_remove("RIOT_API_KEY");
        run(command)
    };
    let output = clean("--dry-run").await;
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["matches"], matches, "{}", text(&output));
    assert!(found["payload_bytes"].as_u64() > Some(10_000));
    assert_eq!(number(&setup, "SELECT count(*) FROM matches"), matches);

    let output = clean("").await;
    assert!(output.status.success(), "{}", text(&output));
    for table in [
        "matches",
        "match_participants",
        "match_timelines",
        "payloads",
    ] {
        assert_eq!(
            number(&setup, &format!("SELECT count(*) FROM {table}")),
            0,
            "{table}"
        );
    }
    assert_eq!(lines(&setup, TABLES[4]), statistics);
    assert!(number(&setup, "SELECT page_count FROM pragma_page_count") < pages / 2);
    let again = recover(&setup, &["--verify"]).await;
    assert_eq!(again["result"]["cleaned_matches"], matches, "{again:#}");
    assert_eq!(again["result"]["differences_found"], 0, "{again:#}");
    let output = run(setup.sync()).await;
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(lines(&setup, TABLES[4]), statistics);
    assert_eq!(calls(&setup), called);
}

on_each_store! { tokio::test;
    a_cleanup_beside_syncs_of_the_same_players_counts_every_match_once,
    with_adjusted_statistics_a_cleaned_match_counts_nowhere_and_stays_away,
    a_repair_puts_the_match_in_the_place_of_what_was_there,
}

fn all(adjust_stats: bool) -> Cleanup {
    Cleanup {
        before: NOW + Duration::from_secs(1),
        limit: 3,
        adjust_stats,
    }
}

/// What the games of all matches count for, with none of them cleaned.
async fn games_of(store: &dyn Store, players: std::ops::RangeInclusive<i64>) -> [i64; 3] {
    let mut sums = [0; 3];
    for player in players {
        for row in store.yearly_stats(player, None).await.unwrap() {
            sums[0] += row.tally.total_matches();
            sums[1] += row.tally.remakes;
            sums[2] += row.tally.kills;
        }
    }
    sums
}

fn expected(matches: u64) -> [i64; 3] {
    use riftsync::model::records::MatchClass;
    let mut sums = [0; 3];
    for record in (0..matches).map(|n| game(n, 14)) {
        let people = record
            .participants
            .iter()
            .filter(|seat| seat.player.is_some());
        for seat in people {
            match record.class {
                MatchClass::Void => {}
                MatchClass::Remake => sums[1] += 1,
                MatchClass::Played => {
                    sums[0] += 1;
                    sums[2] += i64::from(seat.kills);
                }
            }
        }
    }
    sums
}

fn ids(matches: u64) -> Vec<MatchId> {
    (0..matches).map(match_id).collect()
}

async fn a_cleanup_beside_syncs_of_the_same_players_counts_every_match_once(store: Arc<dyn Store>) {
    let syncing = async {
        for round in 0..8 {
            // Each match comes twice, and the second time it may be gone already.
            let effects = (round * 10..round * 10 + 20).map(|n| vec![stores(&game(n, 14))]);
            write(&*store, effects.collect()).await;
        }
    };
    let cleaning = async {
        let mut gone = 0;
        while gone < 60 {
            gone += store.clean(all(false), NOW).await.unwrap();
            tokio::task::yield_now().await;
        }
        gone
    };
    let ((), gone) = tokio::join!(syncing, cleaning);
    let known = store.stored_matches(&ids(90)).await.unwrap();
    let both: BTreeSet<MatchId> = known
        .matches
        .iter()
        .chain(&known.cleaned)
        .copied()
        .collect();
    assert_eq!(both.len(), 90);
    assert_eq!(
        (known.cleaned.len() as u64, known.matches.len() as u64),
        (gone, 90 - gone)
    );
    assert_eq!(games_of(&*store, 1..=20).await, expected(90));
    check_statistics(&*store, 1..=20).await;
    let players: Vec<i64> = (1..=20).collect();
    assert!(store.false_statistics(&players).await.unwrap().is_empty());
}

async fn with_adjusted_statistics_a_cleaned_match_counts_nowhere_and_stays_away(
    store: Arc<dyn Store>,
) {
    let effects = |n| (0..n).map(|n| vec![stores(&game(n, 14))]).collect();
    write(&*store, effects(12)).await;
    while store.clean(all(true), NOW).await.unwrap() > 0 {}
    assert_eq!(games_of(&*store, 1..=20).await, [0; 3]);
    write(&*store, effects(12)).await;
    assert_eq!(games_of(&*store, 1..=20).await, [0; 3]);
    let known = store.stored_matches(&ids(12)).await.unwrap();
    assert_eq!((known.matches.len(), known.cleaned.len()), (0, 12));
    let left = store.leftovers(NOW + Duration::from_secs(9)).await.unwrap();
    assert_eq!(
        (left.participants, left.payloads, left.orphaned_payloads),
        (0, 0, 0)
    );
}

async fn a_repair_puts_the_match_in_the_place_of_what_was_there(store: Arc<dyn Store>) {
    for n in 0..6 {
        let mut record = (*game(n, 14)).clone();
        // Other kills, and another player in the first seat.
        for seat in &mut record.participants {
            seat.kills += 3;
        }
        let seats = &mut record.participants;
        seats[0].player = None;
        write(&*store, vec![vec![stores(&Arc::new(record))]]).await;
    }
    let repair = |n| Repair::Match {
        record: game(n, 14),
        payload: Some(payload()),
        key_fingerprint: "f".into(),
    };
    store
        .repair((0..3).map(repair).collect(), NOW)
        .await
        .unwrap();
    // The same with the end of a job.
    let effects = (3..6).map(|n| vec![Effect::Repair(repair(n))]).collect();
    write(&*store, effects).await;
    assert_eq!(games_of(&*store, 1..=20).await, expected(6));
    check_statistics(&*store, 1..=20).await;
    let documents = store.documents(&ids(6)).await.unwrap();
    assert_eq!(documents.len(), 6);
    for one in documents {
        let record = one.record.unwrap();
        assert_eq!(record.year, game(one.id.game_id() - 1_000, 14).year);
        assert_eq!(one.seats.len(), 10);
    }
}
