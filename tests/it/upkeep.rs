//! Recovery, cleanup and replay: what is damaged is found and mended, and nothing else is touched or fetched.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use riftsync::model::MatchId;
use riftsync::simulator::FaultRule;
use riftsync::store::{Cleanup, Effect, Repair, Store};
use serde_json::Value;

use crate::data::{TABLES, check_statistics, game, match_id, payload, stores, write};
use crate::place::{Place, on_each_store};
use crate::rig::{Rig, documents, on_each_place};
use crate::setup::{PLAYER, run, setup_for, text};
use crate::store::NOW;
use crate::wait;

on_each_place! {
    whatever_is_damaged_is_found_and_mended_and_nothing_else_is_fetched,
    a_corrupt_byte_anywhere_in_any_document_is_found_and_only_that_is_fetched_again,
    all_tracked_players_and_several_years_are_recovered_at_once,
    without_verify_only_the_gap_is_filled,
    a_replay_rebuilds_all_rows_without_a_call_or_a_key,
    a_replay_alone_stores_what_an_older_program_did_not,
    a_replay_that_is_killed_goes_on_where_it_was,
    a_cleanup_keeps_statistics_and_nothing_is_fetched_again,
    cleanups_during_a_sync_of_the_same_players_leave_it_complete_and_exact,
    who_was_left_with_failed_documents_is_recovered_by_schedule_the_longest_ago_first,
}

/// What a recovery must bring back: participants, statistics, documents byte for byte, and matches and timelines
/// whatever the time at which they were stored.
const CONTENTS: [&str; 12] = [
    TABLES[2],
    TABLES[4],
    "SELECT match_id || '|' || platform || '|' || year || '|' || game_start || '|' || game_duration_s || '|' || game_mode || '|' || game_version
        || '|' || CAST(is_remake AS INTEGER) || '|' || coalesce(patch, '') AS row FROM matches",
    "SELECT match_id || '|' || team_id || '|' || coalesce(tower_kills, -1) AS row FROM match_teams",
    "SELECT match_id || '|' || ban || '|' || coalesce(champion_id, -9) AS row FROM match_bans",
    "SELECT match_id || '|' || participant_id || '|' || coalesce(dealt, -1) AS row FROM participant_damage",
    "SELECT match_id || '|' || participant_id || '|' || coalesce(experience, -1) AS row FROM participant_combat",
    "SELECT match_id || '|' || participant_id || '|' || coalesce(wards_placed, -1) AS row FROM participant_vision",
    "SELECT match_id || '|' || participant_id || '|' || coalesce(rune0, -1) AS row FROM participant_loadout",
    "SELECT match_id || '|' || participant_id || '|' || minutes || '|' || purchases AS row FROM participant_timelines",
    "SELECT match_id || '|' || event || '|' || type AS row FROM match_events",
    "SELECT match_id || '|' || frame_interval_ms || '|' || frame_count || '|' || event_count AS row FROM match_timelines",
];

/// Everything that is data, and no note of the engine.
const DATA: [&str; 17] = [
    "players",
    "matches",
    "match_participants",
    "match_teams",
    "match_bans",
    "participant_damage",
    "participant_combat",
    "participant_vision",
    "participant_loadout",
    "match_timelines",
    "participant_timelines",
    "match_events",
    "payloads",
    "player_yearly_stats",
    "missing_payloads",
    "cleaned_matches",
    "cleaned_stats",
];

/// A document as it is stored: kind, match, and its bytes.
type Body = (String, String, Vec<u8>);

impl Rig {
    pub async fn synced(place: Place, matches: u32) -> Self {
        let rig = Self::new(place, matches).await;
        rig.sync(PLAYER, "2025").await;
        rig.give_missing_up();
        rig
    }

    /// So that a recovery fetches what is damaged alone, and not what was missing before.
    fn give_missing_up(&self) {
        self.execute("UPDATE missing_payloads SET reason = 'too_old', next_try = NULL");
    }

    pub async fn sync(&self, player: &str, year: &str) {
        self.done(&["sync", player, "--platform", "euw1", "--year", year])
            .await;
    }

    pub async fn recover(&self, more: &[&str]) -> Value {
        let player = ["recover", PLAYER, "--platform", "euw1", "--year", "2025"];
        self.done(&[&player, more].concat()).await.remove(0)
    }

    fn bodies(&self) -> Vec<Body> {
        let hex = match &self.place {
            Place::Sqlite(_) => "hex(body)",
            Place::Postgres(_) => "encode(body, 'hex')",
        };
        let query = format!("SELECT kind || '|' || match_id || '|' || {hex} AS row FROM payloads");
        let body = |line: String| {
            let mut parts = line.split('|').map(str::to_owned);
            let [kind, id, hex] = std::array::from_fn(|_| parts.next().unwrap());
            let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            let bytes = (0..hex.len()).step_by(2).map(byte).collect();
            (kind, id, bytes)
        };
        self.lines(&query).into_iter().map(body).collect()
    }

    /// A statement that puts these bytes in the place of a document.
    fn replace(&self, (kind, id, bytes): &Body) -> String {
        let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let value = match &self.place {
            Place::Sqlite(_) => format!("x'{hex}'"),
            Place::Postgres(_) => format!("'\\x{hex}'::bytea"),
        };
        format!("UPDATE payloads SET body = {value} WHERE kind = '{kind}' AND match_id = '{id}';")
    }

    fn contents(&self) -> (Vec<Vec<String>>, Vec<Body>) {
        (
            CONTENTS.iter().map(|query| self.lines(query)).collect(),
            self.bodies(),
        )
    }

    #[track_caller]
    fn check_contents(&self, before: &(Vec<Vec<String>>, Vec<Body>)) {
        let now = self.contents();
        for (table, (now, then)) in now.0.iter().zip(&before.0).enumerate() {
            assert_eq!(now, then, "table {table}");
        }
        assert!(now.1 == before.1, "the documents are what they were");
    }

    /// Each column of each row of all data.
    fn everything(&self) -> Vec<Vec<String>> {
        let dump = |name: &&str| match &self.place {
            Place::Postgres(_) => self.lines(&format!("SELECT t::text AS row FROM {name} t")),
            Place::Sqlite(_) => {
                let columns = self.lines(&format!(
                    "SELECT 'quote(' || name || ')' AS row FROM pragma_table_info('{name}')"
                ));
                let columns = columns.join(" || '|' || ");
                self.lines(&format!("SELECT {columns} AS row FROM {name}"))
            }
        };
        DATA.iter().map(dump).collect()
    }

    /// Matches with their timeline, each its own.
    pub fn stored(&self) -> Vec<String> {
        self.lines(
            "SELECT m.match_id AS row FROM matches m JOIN match_timelines t ON t.match_id = m.match_id
             WHERE m.game_duration_s > 0 AND CAST(m.is_remake AS INTEGER) = 0",
        )
    }

    /// Of the world's matches of the year: those that the API has.
    pub fn truth(&self, player: &str, year: i16) -> usize {
        let truth = self
            .setup
            .world
            .player_matches(&player.parse().unwrap(), year);
        truth.iter().filter(|truth| truth.has_match).count()
    }
}

impl Rig {
    /// The jobs that recover a player, oldest first.
    async fn recoveries(&self) -> Vec<Value> {
        let list = ["job", "list", "--kind", "recover_player_data"];
        let mut told = self.done(&list).await.remove(0);
        let mut jobs = std::mem::take(told["jobs"].as_array_mut().unwrap());
        jobs.reverse();
        jobs
    }

    /// The schedules, once the engine that leads has made them.
    async fn schedules(&self) -> Vec<Value> {
        wait::found("the schedules", async || {
            let mut told = self.done(&["schedule", "list"]).await.remove(0);
            let schedules = std::mem::take(told["schedules"].as_array_mut().unwrap());
            (!schedules.is_empty()).then_some(schedules)
        })
        .await
    }

    /// Matches of 2025 that the API has.
    fn available(&self, player: &str) -> BTreeSet<String> {
        let truth = self
            .setup
            .world
            .player_matches(&player.parse().unwrap(), 2025);
        let there = truth.iter().filter(|truth| truth.has_match);
        there.map(|truth| truth.id.to_string()).collect()
    }
}

fn planned(result: &Value) -> [u64; 2] {
    ["match_calls", "timeline_calls"].map(|name| result["result"][name].as_u64().unwrap())
}

/// Something of every table, each of another match. Returns the match and timeline calls that it takes to mend it.
fn damage(rig: &Rig) -> [u64; 2] {
    let ids = rig.stored();
    let [
        row,
        year,
        participants,
        kills,
        timeline,
        frames,
        both,
        packed,
        unpacked,
        document,
        timeline_document,
        whole,
        all,
        player,
    ] = ids.first_chunk().unwrap();
    let own = "(SELECT id FROM players WHERE CAST(tracked AS INTEGER) = 1)";
    let of_participant = |which: &str| {
        format!(
            "(SELECT {which}(player_id) FROM match_participants WHERE match_id = '{player}' AND player_id NOT IN {own})"
        )
    };
    let (other, third) = (of_participant("max"), of_participant("min"));
    let mut bodies = rig.bodies();
    let corrupt = |kind: &str, id: &str, bodies: &mut Vec<Body>| {
        let body = bodies
            .iter_mut()
            .find(|body| body.0 == kind && body.1 == id);
        let body = body.unwrap();
        let middle = body.2.len() / 2;
        body.2[middle] ^= 0x40;
        rig.replace(body)
    };
    let corrupted = [("match", packed), ("timeline", unpacked)]
        .map(|(kind, id)| corrupt(kind, id, &mut bodies))
        .concat();
    // Games of a year in which there were none.
    let sums = "total_matches, wins, losses, remakes, total_kills, total_deaths, total_assists, total_gold_earned, total_minions_killed,
        total_neutral_minions_killed, total_damage_to_champions, unique_champions_played, most_played_champion, most_played_champion_count,
        unique_roles_played, unique_lanes_played, win_rate, kda_ratio, average_kills, average_deaths, average_assists,
        average_gold_per_match, average_cs_per_match, counts";
    rig.execute(&format!(
        "INSERT INTO player_yearly_stats (player_id, year, platform, {sums}) SELECT player_id, 2019, platform, {sums} FROM player_yearly_stats WHERE player_id = {own};
         UPDATE player_yearly_stats SET win_rate = 99.5 WHERE player_id = {own};
         UPDATE player_yearly_stats SET wins = wins + 1, total_matches = total_matches + 1 WHERE player_id = {other};
         DELETE FROM player_yearly_stats WHERE player_id = {third};
         DELETE FROM players WHERE id = (SELECT max(player_id) FROM match_participants WHERE match_id = '{row}' AND player_id NOT IN {own});
         DELETE FROM matches WHERE match_id = '{row}';
         UPDATE matches SET year = 2024, game_mode = 'CHESS' WHERE match_id = '{year}';
         DELETE FROM match_participants WHERE match_id = '{participants}' AND participant_id < 4;
         UPDATE match_participants SET kills = kills + 1 WHERE match_id = '{kills}';
         DELETE FROM match_timelines WHERE match_id = '{timeline}';
         UPDATE match_timelines SET event_count = 1 WHERE match_id = '{frames}';
         DELETE FROM match_timelines WHERE match_id = '{both}';
         DELETE FROM payloads WHERE match_id = '{both}' AND kind = 'timeline';
         DELETE FROM payloads WHERE match_id = '{document}' AND kind = 'match';
         DELETE FROM payloads WHERE match_id = '{timeline_document}' AND kind = 'timeline';
         DELETE FROM matches WHERE match_id = '{whole}';
         DELETE FROM match_participants WHERE match_id = '{whole}';
         DELETE FROM payloads WHERE match_id = '{whole}' AND kind = 'match';
         DELETE FROM matches WHERE match_id = '{all}';
         DELETE FROM match_participants WHERE match_id = '{all}';
         DELETE FROM match_timelines WHERE match_id = '{all}';
         DELETE FROM payloads WHERE match_id = '{all}';
         {corrupted}"
    ));
    // packed, document, whole, all; both, unpacked, timeline_document, all.
    [4, 4]
}

async fn whatever_is_damaged_is_found_and_mended_and_nothing_else_is_fetched(place: Place) {
    let rig = Rig::synced(place, 60).await;
    let (before, called) = (rig.contents(), rig.calls());
    let needed = damage(&rig);
    let damaged = rig.everything();
    assert!(rig.contents() != before);

    let plan = rig.recover(&["--verify", "--dry-run"]).await;
    assert!(rig.everything() == damaged, "a dry run writes nothing");
    assert_eq!(rig.calls(), called, "nor does it fetch");
    assert_eq!(planned(&plan), needed, "{plan:#}");
    let told = plan["result"]["calls"].as_array().unwrap();
    let by_method = ["match", "timeline"].map(|method| {
        let line = told.iter().find(|line| line["method"] == method).unwrap();
        assert_eq!(line["route"], "europe");
        line["calls"].as_u64().unwrap()
    });
    assert_eq!(by_method, needed);
    assert!(plan["result"]["eta_s"].is_u64(), "{plan:#}");

    let done = rig.recover(&["--verify"]).await;
    assert_eq!(rig.calls_since(called), needed, "{done:#}");
    rig.check_contents(&before);

    let again = rig.recover(&["--verify"]).await;
    assert_eq!(again["result"]["differences_found"], 0, "{again:#}");
    assert!(again["result"]["verified_matches"].as_u64() > Some(20));
    assert_eq!(rig.calls_since(called), needed);
}

async fn a_corrupt_byte_anywhere_in_any_document_is_found_and_only_that_is_fetched_again(
    place: Place,
) {
    let rig = Rig::synced(place, 24).await;
    let before = rig.contents();
    let mut rng = fastrand::Rng::with_seed(7);
    // The documents in turn: of the first the first byte, of the last the last one, and all between.
    for round in 0..3 {
        let called = rig.calls();
        let mut bodies = rig.bodies();
        bodies.retain(|_| round == 0 || rng.bool());
        let last = bodies.len() - 1;
        let mut counts = [0, 0];
        let mut statements = String::new();
        for (number, body) in bodies.iter_mut().enumerate() {
            let length = body.2.len();
            // Those of the gzip header's time, level and system say nothing of the document.
            let at = match number {
                number if number == last => length - 1,
                0..4 => number,
                _ => 10 + (length - 10) * number / last * 9 / 10 + rng.usize(..length / 12),
            };
            body.2[at] ^= rng.u8(1..);
            counts[usize::from(body.0 == "timeline")] += 1;
            statements += &rig.replace(body);
        }
        rig.execute(&statements);
        let found = rig.recover(&["--verify"]).await;
        assert_eq!(planned(&found), counts, "{found:#}");
        assert_eq!(rig.calls_since(called), counts);
        rig.check_contents(&before);
    }
}

async fn all_tracked_players_and_several_years_are_recovered_at_once(place: Place) {
    const OTHER: &str = "Other Heron#SIM";
    let rig = Rig::of(place, setup_for(&[PLAYER, OTHER], 8).await);
    for player in [PLAYER, OTHER] {
        for year in ["2024", "2025"] {
            rig.sync(player, year).await;
        }
    }
    let before = rig.contents();
    // One document and one timeline of each year, and everybody's statistics.
    let of = |year: i16| {
        let query = format!(
            "SELECT t.match_id AS row FROM match_timelines t JOIN matches m ON m.match_id = t.match_id WHERE m.year = {year}"
        );
        rig.lines(&query)
    };
    let mut statements = "DELETE FROM player_yearly_stats;".to_owned();
    for ids in [of(2024), of(2025)] {
        let (one, other) = (&ids[0], &ids[1]);
        let _ = write!(
            statements,
            "DELETE FROM payloads WHERE match_id = '{one}' AND kind = 'match'; DELETE FROM match_timelines WHERE match_id = '{other}';
             DELETE FROM payloads WHERE match_id = '{other}' AND kind = 'timeline';"
        );
    }
    rig.execute(&statements);
    let called = rig.calls();
    let recover = ["recover", "--all", "--year", "2024..2025", "--verify"];
    let told = rig.done(&recover).await;
    assert_eq!(told.len(), 4, "a document for each player and year");
    assert_eq!(rig.calls_since(called), [2, 2]);
    rig.check_contents(&before);

    // One who is not there does not keep the others from being recovered, and is told at the end.
    rig.execute(&format!("DELETE FROM match_timelines WHERE match_id = '{0}'; DELETE FROM payloads WHERE match_id = '{0}' AND kind = 'timeline'", of(2025)[0]));
    let both = [
        "recover",
        "Nobody#404",
        PLAYER,
        OTHER,
        "--platform",
        "euw1",
        "--year",
        "2025",
    ];
    let output = run(rig.command(&both)).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let why = text(&output);
    assert!(
        why.contains("1 of 3") && why.contains("Nobody#404") && why.contains("no player is called"),
        "{why}"
    );
    assert_eq!(rig.calls_since(called), [2, 3]);
    rig.check_contents(&before);
}

async fn without_verify_only_the_gap_is_filled(place: Place) {
    let rig = Rig::synced(place, 30).await;
    let (before, called) = (rig.contents(), rig.calls());
    let ids = rig.stored();
    rig.execute(&format!(
        "DELETE FROM match_timelines WHERE match_id = '{0}'; DELETE FROM payloads WHERE match_id = '{0}' AND kind = 'timeline'",
        ids[0]
    ));
    let done = rig.recover(&[]).await;
    assert_eq!(done["result"]["calls"][0]["method"], "timeline", "{done:#}");
    assert_eq!(rig.calls_since(called), [0, 1]);
    rig.check_contents(&before);
}

async fn a_replay_rebuilds_all_rows_without_a_call_or_a_key(place: Place) {
    let rig = Rig::synced(place, 30).await;
    let (before, called) = (rig.contents(), rig.setup.simulator.counters().calls);
    rig.execute(
        "DELETE FROM match_participants; DELETE FROM match_timelines; DELETE FROM player_yearly_stats;
         UPDATE matches SET year = 1999",
    );
    let damaged = rig.everything();
    let replay = |more: &[&str]| {
        let mut command = rig.command(&[&["replay", "--json"], more].concat());
        command.env_remove("RIOT_API_KEY");
        run(command)
    };
    let output = replay(&["--dry-run"]).await;
    assert!(output.status.success(), "{}", text(&output));
    let told = documents(&output.stdout).remove(0);
    assert!(told["result"]["changed"].as_u64() > Some(20), "{told:#}");
    assert!(rig.everything() == damaged, "a dry run writes nothing");
    let output = replay(&[]).await;
    assert!(output.status.success(), "{}", text(&output));
    rig.check_contents(&before);
    assert_eq!(rig.setup.simulator.counters().calls, called);
}

async fn a_replay_alone_stores_what_an_older_program_did_not(place: Place) {
    let rig = Rig::synced(place, 30).await;
    let before = rig.contents();
    rig.execute(
        "UPDATE matches SET patch = NULL, stored_at = 7; DELETE FROM match_teams; DELETE FROM match_bans;
         DELETE FROM participant_damage; DELETE FROM participant_combat; DELETE FROM participant_vision;
         DELETE FROM participant_loadout; DELETE FROM participant_timelines",
    );
    let verified = rig.recover(&["--verify", "--dry-run"]).await;
    let matches = rig.number("SELECT count(*) FROM matches WHERE game_duration_s > 0");
    let found = verified["result"]["differences_found"].as_u64();
    assert!(found >= Some(matches), "{verified:#}");
    let called = rig.setup.simulator.counters().calls;
    let replayed = rig.done(&["replay"]).await.remove(0);
    assert!(replayed["result"]["changed"].as_u64() >= Some(matches));
    rig.check_contents(&before);
    assert_eq!(rig.setup.simulator.counters().calls, called);
    let again = rig.recover(&["--verify"]).await;
    assert_eq!(again["result"]["differences_found"], 0, "{again:#}");
    // A value that somebody changed is put right too.
    rig.execute(
        "UPDATE participant_damage SET dealt = 1; UPDATE match_teams SET dragon_kills = NULL; DELETE FROM match_bans; UPDATE participant_timelines SET purchases = '[]'",
    );
    let mended = rig.recover(&["--verify"]).await;
    assert!(mended["result"]["differences_found"].as_u64() > Some(20));
    rig.check_contents(&before);
}

async fn a_replay_that_is_killed_goes_on_where_it_was(place: Place) {
    let rig = Rig::synced(place, 300).await;
    let called = rig.setup.simulator.counters().calls;
    rig.execute("UPDATE match_participants SET kills = kills + 1");
    let mut killed = rig.command(&["replay"]);
    killed.stdout(std::process::Stdio::null());
    let mut killed = killed.spawn().unwrap();
    // The job keeps the last match that is done.
    let progress = "SELECT progress AS row FROM jobs WHERE kind = 'replay_payloads' AND state = 'running' AND progress LIKE '%after%'";
    let place = wait::found_soon("its progress", async || {
        let Some(progress) = rig.lines(progress).into_iter().next() else {
            wait::not_yet(&mut killed, || "it was killed in the middle".to_owned());
            return None;
        };
        let progress: Value = serde_json::from_str(&progress).unwrap();
        Some(progress["after"].as_str().unwrap().to_owned())
    })
    .await;
    killed.kill().unwrap();
    killed.wait().unwrap();
    let first = rig
        .lines("SELECT min(match_id) AS row FROM matches")
        .remove(0);
    assert!(first <= place);
    // What is done already is not looked at again.
    rig.execute(&format!(
        "UPDATE match_timelines SET event_count = 7 WHERE match_id = '{first}'"
    ));
    let done = rig.done(&["replay"]).await.remove(0);
    let total = rig.number("SELECT count(*) FROM matches");
    assert_eq!(done["result"]["matches"], total, "{done:#}");
    assert_eq!(
        rig.number("SELECT count(*) FROM match_timelines WHERE event_count = 7"),
        1
    );
    assert_eq!(rig.setup.simulator.counters().calls, called);
    let left = rig.recover(&["--verify"]).await;
    assert_eq!(left["result"]["differences_found"], 1, "{left:#}");
}

async fn a_cleanup_keeps_statistics_and_nothing_is_fetched_again(place: Place) {
    let rig = Rig::synced(place, 40).await;
    let statistics = rig.lines(TABLES[4]);
    let (matches, called) = (rig.number("SELECT count(*) FROM matches"), rig.calls());
    let clean = |more: &[&str]| {
        let mut command = rig.command(&[&["cleanup", "--days", "0", "--json"], more].concat());
        command.env_remove("RIOT_API_KEY");
        run(command)
    };
    let before = rig.everything();
    let output = clean(&["--dry-run"]).await;
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["matches"], matches, "{}", text(&output));
    assert!(found["payload_bytes"].as_u64() > Some(10_000));
    assert!(rig.everything() == before, "a dry run writes nothing");
    let pages = |rig: &Rig| match &rig.place {
        Place::Sqlite(_) => rig.number("SELECT page_count FROM pragma_page_count"),
        Place::Postgres(_) => 0,
    };
    let many = pages(&rig);

    let output = clean(&[]).await;
    assert!(output.status.success(), "{}", text(&output));
    for table in &DATA[1..11] {
        let left = rig.number(&format!("SELECT count(*) FROM {table}"));
        assert_eq!(left, 0, "{table}");
    }
    assert_eq!(rig.lines(TABLES[4]), statistics);
    assert!(pages(&rig) <= many / 2);
    let again = rig.recover(&["--verify"]).await;
    assert_eq!(again["result"]["cleaned_matches"], matches, "{again:#}");
    assert_eq!(again["result"]["differences_found"], 0, "{again:#}");
    rig.sync(PLAYER, "2025").await;
    assert_eq!(rig.lines(TABLES[4]), statistics);
    assert_eq!(rig.calls(), called);
}

async fn cleanups_during_a_sync_of_the_same_players_leave_it_complete_and_exact(place: Place) {
    let rig = Rig::new(place, 160).await;
    rig.sync(PLAYER, "2024").await;
    let engine = rig.serve().await;
    let sync = [
        "sync",
        PLAYER,
        "--platform",
        "euw1",
        "--year",
        "2025",
        "--json",
    ];
    let mut syncing = rig.command(&sync);
    syncing.stdout(std::process::Stdio::piped());
    let mut syncing = syncing.spawn().unwrap();
    // One after the other as long as the sync runs, each of all that is stored by then.
    let mut during = 0;
    while syncing.try_wait().unwrap().is_none() {
        let done = rig.done(&["cleanup", "--days", "0"]).await.remove(0);
        during += done["result"]["cleaned_matches"].as_u64().unwrap();
    }
    let output = tokio::task::spawn_blocking(|| syncing.wait_with_output().unwrap())
        .await
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let synced = documents(&output.stdout).remove(0);
    assert_eq!(synced["state"], "completed");
    let missing = &synced["result"]["missing_matches_by_reason"]["404"];
    let of_2025 = rig
        .setup
        .world
        .player_matches(&PLAYER.parse().unwrap(), 2025);
    let unavailable = of_2025.iter().filter(|truth| !truth.has_match).count();
    assert_eq!(
        missing.as_u64().unwrap_or(0),
        unavailable as u64,
        "{synced:#}"
    );
    assert!(
        during >= rig.truth(PLAYER, 2024) as u64,
        "{during} were cleaned"
    );
    engine.stop().await;

    // Each match of both years is stored or was cleaned, and never both; what they count for is all of them.
    let truth = (rig.truth(PLAYER, 2024) + rig.truth(PLAYER, 2025)) as u64;
    let of = |table: &str| rig.number(&format!("SELECT count(*) FROM {table}"));
    assert_eq!(of("matches") + of("cleaned_matches"), truth);
    assert_eq!(
        of("matches m JOIN cleaned_matches c ON c.match_id = m.match_id"),
        0
    );
    let counted = rig.number(
        "SELECT sum(total_matches + remakes) FROM player_yearly_stats WHERE player_id = (SELECT id FROM players WHERE CAST(tracked AS INTEGER) = 1)",
    );
    let lengths = rig
        .setup
        .world
        .player_matches(&PLAYER.parse().unwrap(), 2024)
        .len()
        + rig
            .setup
            .world
            .player_matches(&PLAYER.parse().unwrap(), 2025)
            .len();
    assert!(
        counted <= lengths as u64 && counted * 10 > truth * 9,
        "{counted} of {truth}"
    );
    rig.give_missing_up();
    for year in ["2024", "2025"] {
        let player = [
            "recover",
            PLAYER,
            "--platform",
            "euw1",
            "--verify",
            "--year",
            year,
        ];
        let verified = rig.done(&player).await.remove(0);
        assert_eq!(verified["result"]["differences_found"], 0, "{verified:#}");
        assert_eq!(planned(&verified), [0, 0]);
    }
    // A fresh database that nobody cleaned counts the same.
    let fresh = Rig {
        place: match &rig.place {
            Place::Sqlite(_) => Place::sqlite(),
            Place::Postgres(_) => Place::postgres(),
        },
        setup: rig.setup,
    };
    for year in ["2024", "2025"] {
        fresh.sync(PLAYER, year).await;
    }
    let statistics = fresh.lines(TABLES[4]);
    assert!(statistics.len() > 100);
    let cleaned = Rig {
        place: rig.place,
        setup: fresh.setup,
    };
    assert_eq!(cleaned.lines(TABLES[4]), statistics);
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

async fn who_was_left_with_failed_documents_is_recovered_by_schedule_the_longest_ago_first(
    place: Place,
) {
    const OTHER: &str = "Other Heron#SIM";
    const WHOLE: &str = "Whole Crane#SIM";
    let rig = Rig::of(place, setup_for(&[PLAYER, OTHER, WHOLE], 24).await);
    let control = rig.setup.simulator.control();
    // Of two players some matches cannot be had at first. They play with each other, too:
    // what the last one could not have stays away, so nothing brings it by chance.
    for (player, broken) in [(WHOLE, false), (PLAYER, true), (OTHER, true)] {
        let rule: FaultRule = "503@match:1..4".parse().unwrap();
        control.set_script(if broken { vec![rule] } else { Vec::new() });
        let sync = [
            "sync",
            player,
            "--platform",
            "euw1",
            "--year",
            "2025",
            "--json",
        ];
        let mut command = rig.command(&sync);
        command.env("RIFTSYNC_KINDS__SYNC_MATCH_DATA__RETRIES", "0");
        let output = run(command).await;
        let told = documents(&output.stdout).remove(0);
        let failed = told["result"]["failed_matches"].as_array().unwrap().len();
        assert_eq!(failed > 0, broken, "{told:#}");
    }
    let wanted: BTreeSet<String> = rig
        .available(PLAYER)
        .union(&rig.available(OTHER))
        .cloned()
        .collect();
    let stored = BTreeSet::from_iter(rig.lines("SELECT match_id AS row FROM matches"));
    let lacking = wanted.difference(&stored).count() as u64;
    assert!(lacking > 4, "{lacking}");
    let called = rig.calls();
    let engine = rig.serve().await;
    let listed = rig.schedules().await;
    let text = |line: &'static str, of: &Value| of[line].as_str().unwrap().to_owned();
    let when = (listed.iter()).map(|line| (text("name", line), text("when", line)));
    let when: Vec<_> = when.collect();
    let when: Vec<_> = when.iter().map(|(name, when)| (&**name, &**when)).collect();
    let usual = [
        ("auto_retry_failed", "every 6h"),
        ("cleanup_old_data", "off"),
        ("export_lake", "off"),
        ("health_check", "every 1h"),
        ("recompress", "off"),
        ("sync_missing", "every 15m"),
        ("sync_static_data", "every 24h"),
        ("sync_tracked", "every 24h"),
    ];
    assert_eq!(when, usual);
    let add = [
        "schedule",
        "add",
        "often",
        "--when",
        "every 1s",
        "--kind",
        "auto_retry_failed",
        "--args",
        r#"{"max_players":1}"#,
    ];
    rig.done(&add).await;
    // One a tick, until nobody is left.
    let jobs = wait::found("two recoveries", async || {
        let jobs = rig.recoveries().await;
        (jobs.len() >= 2).then_some(jobs)
    })
    .await;
    for (job, player) in jobs.iter().zip(["quietotter", "otherheron"]) {
        assert!(job["key"].as_str().unwrap().contains(player), "{job}");
        rig.done(&["job", "wait", &job["job_id"].to_string()]).await;
    }
    engine.stop().await;
    let now = BTreeSet::from_iter(rig.lines("SELECT match_id AS row FROM matches"));
    assert!(wanted.is_subset(&now));
    assert!(rig.calls_since(called)[0] >= lacking);
    rig.give_missing_up();
    for player in [PLAYER, OTHER, WHOLE] {
        let plan = [
            "recover",
            player,
            "--platform",
            "euw1",
            "--year",
            "2025",
            "--dry-run",
        ];
        assert_eq!(
            planned(&rig.done(&plan).await.remove(0)),
            [0, 0],
            "{player}"
        );
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
            .filter(|participant| participant.player.is_some());
        for participant in people {
            match record.class {
                MatchClass::Void => {}
                MatchClass::Remake => sums[1] += 1,
                MatchClass::Played => {
                    sums[0] += 1;
                    sums[2] += i64::from(participant.kills);
                }
            }
        }
    }
    sums
}

fn ids(matches: u64) -> Vec<MatchId> {
    (0..matches).map(match_id).collect()
}

/// Ids of players: a transaction that was run again leaves a gap, so that fourteen players may have larger ones.
const PLAYERS: std::ops::RangeInclusive<i64> = 1..=300;

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
        .map(|there| there.id)
        .chain(known.cleaned.iter().copied())
        .collect();
    assert_eq!(both.len(), 90);
    assert_eq!(
        (known.cleaned.len() as u64, known.matches.len() as u64),
        (gone, 90 - gone)
    );
    assert_eq!(games_of(&*store, PLAYERS).await, expected(90));
    check_statistics(&*store, PLAYERS).await;
    let players: Vec<i64> = PLAYERS.collect();
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
        // Other kills, and another player as the first participant.
        for participant in &mut record.participants {
            participant.kills += 3;
        }
        let participants = &mut record.participants;
        participants[0].player = None;
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
        assert_eq!(one.participants.len(), 10);
    }
}
