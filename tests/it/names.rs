//! Players are their puuid: names change, change hands, and change together with the key, and nobody is lost or mixed up.

use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use riftsync::model::records::{MatchClass, MatchRecord, PlayerRecord, SeenPlayer};
use riftsync::model::{RiotId, Timestamp};
use riftsync::simulator::{GameKind, KeyScope, Method, Rename, SIMULATED_KEY};
use riftsync::store::people::Named;
use riftsync::store::{Effect, Store};
use serde_json::Value;

use crate::data::{check_statistics, game, puuid, stores, write};
use crate::place::{Place, on_each_store};
use crate::rig::{Rig, on_each_place};
use crate::setup::{PLAYER, run, setup, setup_for, text};
use crate::wait;

const OTHER: &str = "Other Heron#SIM";
const NEW: &str = "New Name#SIM";
const OTHER_KEY: &str = "RGAPI-00000000-0000-0000-0000-000000000002";

on_each_place! {
    a_renamed_player_goes_on_whoever_asks_and_by_whatever_name,
    a_ladder_asks_for_puuids_whatever_the_names,
    who_takes_a_name_has_a_row_of_its_own_and_the_old_holder_is_asked_who_it_is_now,
    two_who_swap_their_names_are_both_right_after_one_sync,
    who_was_renamed_before_the_key_changed_is_found_by_a_stored_match,
    a_key_change_and_a_taken_name_together_mix_nobody_up,
    without_a_match_that_proves_it_two_rows_stay_two_and_health_tells_whom_it_cannot_find,
    a_row_without_a_match_goes_with_its_name_to_another_key,
    a_puuid_is_enough,
    a_name_that_several_had_is_answered_with_all_of_them,
}

impl Rig {
    fn rename(&self, lines: &[&str]) {
        let renames: Vec<Rename> = lines.iter().map(|line| line.parse().unwrap()).collect();
        self.setup.simulator.control().rename(&renames).unwrap();
    }

    fn with_key(&self, key: &str, args: &[&str]) -> Command {
        let mut command = self.command(args);
        command.env("RIOT_API_KEY", key);
        command
    }

    /// Runs a verb under another key, which must succeed.
    async fn done_with(&self, key: &str, args: &[&str]) -> Value {
        let output = run(self.with_key(key, &[args, &["--json"]].concat())).await;
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    async fn synced_as(&self, key: &str, player: &str) -> Value {
        let sync = ["sync", player, "--platform", "euw1", "--year", "2025"];
        self.done_with(key, &sync).await["result"].clone()
    }

    /// Who is tracked: names, in order.
    fn tracked(&self) -> Vec<String> {
        self.lines(
            "SELECT game_name || '#' || tag_line AS row FROM players WHERE CAST(tracked AS INTEGER) = 1",
        )
    }

    fn former(&self) -> Vec<String> {
        self.lines(
            "SELECT f.game_name || '#' || f.tag_line || ' > ' || p.game_name || '#' || p.tag_line AS row
             FROM former_names f JOIN players p ON p.id = f.player_id",
        )
    }

    /// The matches of the year that the database has of the player with that name.
    fn matches_of(&self, player: &str) -> u64 {
        let folded = player.parse::<RiotId>().unwrap().folded();
        self.number(&format!(
            "SELECT count(*) FROM match_participants s JOIN players p ON p.id = s.player_id
             JOIN matches m ON m.match_id = s.match_id WHERE m.year = 2025 AND p.name_folded = '{folded}'"
        ))
    }

    /// Matches of the year in whose documents the player is.
    fn played(&self, player: &str) -> u64 {
        let truth = self
            .setup
            .world
            .player_matches(&player.parse().unwrap(), 2025);
        let games = truth
            .iter()
            .filter(|truth| truth.has_match && truth.kind != GameKind::Empty);
        games.count() as u64
    }

    fn puuid_of(&self, player: &str, key: &str) -> String {
        let scope = KeyScope::of_key(key);
        let puuid = self.setup.world.puuid(&player.parse().unwrap(), scope);
        puuid.unwrap().to_string()
    }

    /// A round of all tracked players by an engine that runs schedules, until they are called so.
    async fn tracked_round(&self, key: &str, until: &[&str]) {
        let mut command = self.command(&["serve"]);
        command.env("RIOT_API_KEY", key);
        let engine = self.serve_as(command).await;
        let add = [
            "schedule",
            "add",
            "round",
            "--when",
            "every 1s",
            "--kind",
            "sync_tracked",
            "--args",
            r#"{"spread_h":0}"#,
        ];
        self.done(&add).await;
        wait::until("those who are tracked", async || self.tracked() == until).await;
        self.done(&["schedule", "remove", "round"]).await;
        engine.stop().await;
    }
}

fn told(output: &Output) -> String {
    text(output) + &String::from_utf8_lossy(&output.stdout)
}

async fn a_renamed_player_goes_on_whoever_asks_and_by_whatever_name(place: Place) {
    let rig = Rig::synced(place, 16).await;
    let matches = rig.matches_of(PLAYER);
    let calls = rig.calls();
    rig.rename(&[&format!("{PLAYER} -> {NEW}")]);

    // By the old name, which is nobody's.
    let result = rig.synced_as(SIMULATED_KEY, "quiet otter#sim").await;
    assert_eq!(result["riot_id"], NEW);
    assert_eq!(result["puuid"], rig.puuid_of(NEW, SIMULATED_KEY));
    let note = "quiet otter#sim is called New Name#SIM now";
    assert_eq!(result["notes"][0], note, "{result}");
    // Where the player plays is found too, and a person is told.
    let output = run(rig.command(&["sync", PLAYER, "--year", "2025"])).await;
    assert!(output.status.success(), "{}", told(&output));
    assert!(
        told(&output).contains("is called New Name#SIM now"),
        "{}",
        told(&output)
    );
    assert_eq!(rig.tracked(), [NEW]);
    assert_eq!(rig.matches_of(NEW), matches);
    assert_eq!(rig.former(), ["Quiet Otter#SIM > New Name#SIM"]);
    let stats = rig.done(&["stats", PLAYER]).await.remove(0);
    assert_eq!(stats["riot_id"], NEW, "{stats}");
    assert!(
        stats["note"]
            .as_str()
            .unwrap()
            .contains("is called New Name#SIM now")
    );
    assert_eq!(stats["years"][0]["year"], 2025);

    // By the schedule, by the recovery of all, and by another way to write the same name, which is no other name.
    for (name, by) in [
        ("Third#SIM", "all"),
        ("Fourth#SIM", "round"),
        ("fOURTH #sim", "name"),
    ] {
        let before = rig.tracked().remove(0);
        rig.rename(&[&format!("{before} -> {name}")]);
        match by {
            "all" => {
                rig.done(&["recover", "--all", "--year", "2025"]).await;
            }
            "round" => rig.tracked_round(SIMULATED_KEY, &[name]).await,
            _ => {
                rig.synced_as(SIMULATED_KEY, name).await;
            }
        }
        assert_eq!(
            rig.tracked(),
            [name.parse::<RiotId>().unwrap().to_string()],
            "{by}"
        );
    }
    assert_eq!(rig.former().len(), 3);
    assert_eq!(rig.matches_of("Fourth#SIM"), matches);
    assert_eq!(rig.calls(), calls, "all of it was there");
    // A name that the account tells no more stays.
    rig.rename(&["Fourth#SIM -> none"]);
    rig.done(&["recover", "--all", "--year", "2025"]).await;
    assert_eq!(rig.tracked(), ["fOURTH#sim"]);
}

async fn a_ladder_asks_for_puuids_whatever_the_names(place: Place) {
    let rig = Rig::new(place, 8).await;
    let ladder = [
        "ladder",
        "--platform",
        "euw1",
        "--tier",
        "challenger",
        "--limit",
        "2",
        "--year",
        "2025",
        "--no-timelines",
    ];
    let report = rig.done(&ladder).await.remove(0);
    assert_eq!(
        (&report["players"], &report["failed_count"]),
        (&2.into(), &0.into())
    );
    let told =
        "SELECT game_name || '#' || tag_line AS row FROM players WHERE summoner_level IS NOT NULL";
    let names = rig.lines(told);
    assert_eq!(names.len(), 2);
    rig.rename(&[
        &format!("{} -> Ladder One#SIM", names[0]),
        &format!("{} -> {}", names[1], names[0]),
    ]);
    let report = rig.done(&ladder).await.remove(0);
    assert_eq!(
        (&report["players"], &report["failed_count"]),
        (&2.into(), &0.into()),
        "{report}"
    );
    let mut expected = [names[0].clone(), "Ladder One#SIM".to_owned()];
    expected.sort();
    assert_eq!(rig.lines(told), expected);
    let by_name = rig.setup.simulator.counters();
    assert_eq!(by_name.of_method(Method::AccountByRiotId), 0);
}

async fn who_takes_a_name_has_a_row_of_its_own_and_the_old_holder_is_asked_who_it_is_now(
    place: Place,
) {
    let rig = Rig::of(place, setup_for(&[PLAYER, OTHER], 10).await);
    rig.sync(PLAYER, "2025").await;
    let first = rig.matches_of(PLAYER);
    rig.rename(&[
        &format!("{PLAYER} -> {NEW}"),
        &format!("{OTHER} -> {PLAYER}"),
    ]);
    let result = rig.synced_as(SIMULATED_KEY, PLAYER).await;
    assert_eq!(result["puuid"], rig.puuid_of(PLAYER, SIMULATED_KEY));
    let note = result["notes"][0].as_str().unwrap();
    assert!(
        note.contains("another player now") && note.contains(NEW),
        "{note}"
    );
    assert_eq!(rig.tracked(), [NEW, PLAYER]);
    assert_eq!(rig.matches_of(NEW), first);
    assert_eq!(rig.matches_of(PLAYER), rig.played(PLAYER));
    let stats = rig.done(&["stats", PLAYER]).await.remove(0);
    assert_eq!(stats["riot_id"], PLAYER, "who has the name wins");
    assert!(stats["note"].as_str().unwrap().contains(NEW), "{stats}");
    // Both go on, each by itself.
    rig.tracked_round(SIMULATED_KEY, &[NEW, PLAYER]).await;
    assert_eq!(
        rig.done(&["recover", "--all", "--year", "2025"])
            .await
            .len(),
        2
    );
}

async fn two_who_swap_their_names_are_both_right_after_one_sync(place: Place) {
    let rig = Rig::of(place, setup_for(&[PLAYER, OTHER], 10).await);
    for player in [PLAYER, OTHER] {
        rig.sync(player, "2025").await;
    }
    let (one, other) = (rig.matches_of(PLAYER), rig.matches_of(OTHER));
    rig.rename(&[
        &format!("{PLAYER} -> {OTHER}"),
        &format!("{OTHER} -> {PLAYER}"),
    ]);
    let was = rig.puuid_of(OTHER, SIMULATED_KEY);
    rig.done(&[
        "sync",
        "--puuid",
        &was,
        "--platform",
        "euw1",
        "--year",
        "2025",
    ])
    .await;
    assert_eq!(rig.tracked(), [OTHER, PLAYER]);
    assert_eq!(
        (rig.matches_of(OTHER), rig.matches_of(PLAYER)),
        (one, other)
    );
    assert_eq!(rig.former().len(), 2);
}

async fn who_was_renamed_before_the_key_changed_is_found_by_a_stored_match(place: Place) {
    let rig = Rig::synced(place, 12).await;
    let (matches, calls) = (rig.matches_of(PLAYER), rig.calls());
    let id = "SELECT id FROM players WHERE CAST(tracked AS INTEGER) = 1";
    let row = rig.number(id);
    rig.rename(&[&format!("{PLAYER} -> {NEW}")]);
    let result = rig.synced_as(OTHER_KEY, PLAYER).await;
    assert_eq!(result["riot_id"], NEW, "{result}");
    assert_eq!(rig.calls_since(calls), [1, 0], "the proof");
    assert_eq!((rig.tracked(), rig.number(id)), (vec![NEW.to_owned()], row));
    assert_eq!(rig.matches_of(NEW), matches);
    let puuid = rig.puuid_of(NEW, OTHER_KEY);
    assert_eq!(
        rig.lines("SELECT puuid AS row FROM players WHERE CAST(tracked AS INTEGER) = 1"),
        [puuid]
    );
    // Back under the first key, by the schedule.
    rig.rename(&[&format!("{NEW} -> Third#SIM")]);
    rig.tracked_round(SIMULATED_KEY, &["Third#SIM"]).await;
    assert_eq!(
        (rig.number(id), rig.matches_of("Third#SIM")),
        (row, matches)
    );
    rig.check_statistics().await;
}

async fn a_key_change_and_a_taken_name_together_mix_nobody_up(place: Place) {
    let rig = Rig::of(place, setup_for(&[PLAYER, OTHER], 10).await);
    rig.sync(PLAYER, "2025").await;
    let first = rig.matches_of(PLAYER);
    rig.rename(&[
        &format!("{PLAYER} -> {NEW}"),
        &format!("{OTHER} -> {PLAYER}"),
    ]);
    rig.synced_as(OTHER_KEY, PLAYER).await;
    assert_eq!(rig.tracked(), [NEW, PLAYER]);
    assert_eq!(rig.matches_of(NEW), first);
    let puuids = "SELECT puuid AS row FROM players WHERE CAST(tracked AS INTEGER) = 1";
    let mut expected = [NEW, PLAYER].map(|player| rig.puuid_of(player, OTHER_KEY));
    expected.sort();
    assert_eq!(rig.lines(puuids), expected);
    rig.done_with(OTHER_KEY, &["stats", NEW]).await;
    rig.check_statistics().await;
}

async fn without_a_match_that_proves_it_two_rows_stay_two_and_health_tells_whom_it_cannot_find(
    place: Place,
) {
    let rig = Rig::of(place, setup_for(&[PLAYER, OTHER], 10).await);
    rig.sync(PLAYER, "2025").await;
    let games = rig.matches_of(PLAYER);
    // As if Riot had deleted those that are asked for, before any of the others is.
    let control = rig.setup.simulator.control();
    control.set_script(vec!["404@match:1..2".parse().unwrap()]);
    rig.rename(&[
        &format!("{PLAYER} -> {NEW}"),
        &format!("{OTHER} -> {PLAYER}"),
    ]);
    rig.synced_as(OTHER_KEY, PLAYER).await;
    assert_eq!(
        rig.tracked(),
        [PLAYER, PLAYER],
        "nothing proves who the first one is"
    );
    let participants = "SELECT count(*) FROM match_participants s JOIN players p ON p.id = s.player_id
        WHERE CAST(p.tracked AS INTEGER) = 1 AND p.id = (SELECT min(id) FROM players WHERE CAST(tracked AS INTEGER) = 1)";
    assert_eq!(rig.number(participants), games);

    control.set_script(vec!["404@match:always".parse().unwrap()]);
    let mut command = rig.command(&["serve"]);
    command.env("RIOT_API_KEY", OTHER_KEY);
    let engine = rig.serve_as(command).await;
    let add = [
        "schedule",
        "add",
        "round",
        "--when",
        "every 1s",
        "--kind",
        "sync_tracked",
        "--args",
        r#"{"spread_h":0}"#,
    ];
    rig.done(&add).await;
    let lost = "SELECT count(*) FROM players WHERE lost_since IS NOT NULL";
    wait::until("one who is lost", async || rig.number(lost) > 0).await;
    rig.done(&["schedule", "remove", "round"]).await;
    let output = run(rig.command(&["health", "--json"])).await;
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let health: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = health["findings"].as_array().unwrap();
    let of_player = |finding: &&Value| finding["part"] == "tracked player";
    let finding = findings.iter().find(of_player).unwrap();
    assert!(
        finding["message"].as_str().unwrap().contains(PLAYER),
        "{finding}"
    );
    let log = rig.setup.log();
    let warned = log
        .lines()
        .any(|line| line.contains("WARN") && line.contains("untrack --puuid"));
    assert!(warned, "{log}");
    // The remedy that is named works.
    let remedy = finding["remedy"].as_str().unwrap();
    let (_, puuid) = remedy.split_once("untrack --puuid ").unwrap();
    rig.done(&["untrack", "--puuid", puuid]).await;
    let output = run(rig.command(&["health", "--json"])).await;
    assert!(
        !told(&output).contains("tracked player"),
        "{}",
        told(&output)
    );
    engine.stop().await;
    assert_eq!(rig.tracked(), [PLAYER]);
}

async fn a_row_without_a_match_goes_with_its_name_to_another_key(place: Place) {
    let rig = Rig::new(place, 4).await;
    rig.sync(PLAYER, "2021").await;
    assert_eq!(rig.number("SELECT count(*) FROM match_participants"), 0);
    rig.synced_as(OTHER_KEY, PLAYER).await;
    assert_eq!(rig.tracked(), [PLAYER]);
    assert_eq!(rig.matches_of(PLAYER), rig.played(PLAYER));
}

async fn a_puuid_is_enough(place: Place) {
    let rig = Rig::new(place, 6).await;
    let puuid = rig.puuid_of(PLAYER, SIMULATED_KEY);
    // Where the player plays is asked of the API.
    let told_of = rig
        .done(&["sync", "--puuid", &puuid, "--year", "2025"])
        .await
        .remove(0);
    assert_eq!(told_of["result"]["riot_id"], PLAYER);
    assert_eq!(told_of["result"]["puuid"], puuid);
    assert_eq!(rig.tracked(), [PLAYER]);
    let stats = rig.done(&["stats", "--puuid", &puuid]).await.remove(0);
    assert_eq!(
        (&stats["riot_id"], &stats["puuid"]),
        (&PLAYER.into(), &puuid.as_str().into())
    );
    rig.done(&["recover", "--puuid", &puuid, "--year", "2025"])
        .await;
    let untracked = rig.done(&["untrack", "--puuid", &puuid]).await.remove(0);
    assert_eq!(untracked["riot_id"], PLAYER);
    assert!(rig.tracked().is_empty());

    let other_key = rig.puuid_of(PLAYER, OTHER_KEY);
    for (args, code, named) in [
        (["sync", "--puuid", &puuid[1..], "--year", "2025"], 2, "78"),
        (["sync", "--puuid", "..", "--year", "2025"], 2, "78"),
        (["recover", "--puuid", "a b", "--year", "2025"], 2, "78"),
        (
            ["sync", "--platform", "euw1", "--puuid", &other_key],
            1,
            "another API key",
        ),
    ] {
        let output = run(rig.command(&args)).await;
        assert_eq!(output.status.code(), Some(code), "{}", told(&output));
        assert!(told(&output).contains(named), "{}", told(&output));
    }
    // One who moved to another server is told where.
    rig.execute("UPDATE players SET platform = 'kr' WHERE game_name = 'Quiet Otter'");
    rig.done(&["track", PLAYER]).await;
    let output = run(rig.command(&["recover", "--all"])).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("but on euw1"), "{}", told(&output));
}

async fn a_name_that_several_had_is_answered_with_all_of_them(place: Place) {
    let rig = Rig::of(place, setup_for(&[PLAYER, OTHER], 4).await);
    rig.sync(PLAYER, "2025").await;
    rig.rename(&[
        &format!("{PLAYER} -> {NEW}"),
        &format!("{OTHER} -> {PLAYER}"),
    ]);
    rig.sync(PLAYER, "2025").await;
    rig.rename(&[&format!("{PLAYER} -> Third#SIM")]);
    rig.done(&["recover", "--all", "--year", "2025"]).await;
    for args in [
        vec!["stats", PLAYER],
        vec!["sync", PLAYER, "--platform", "euw1"],
        vec!["sync", PLAYER],
        vec!["track", PLAYER],
    ] {
        let output = run(rig.command(&args)).await;
        assert_eq!(output.status.code(), Some(1), "{args:?} {}", told(&output));
        let told = told(&output);
        assert!(
            told.contains(NEW) && told.contains("Third#SIM"),
            "{args:?} {told}"
        );
    }
    let output = run(rig.command(&["stats", "Nobody#SIM"])).await;
    assert!(
        told(&output).contains("no player 'Nobody#SIM'"),
        "{}",
        told(&output)
    );
}

#[tokio::test]
async fn a_name_is_taken_as_it_is_pasted_and_an_odd_one_is_refused_before_a_call() {
    let setup = setup(4).await;
    for pasted in [
        "\u{2066}Quiet Otter\u{2069}#SIM",
        "\u{feff}Quiet\u{a0}Otter\u{ff03}SIM\u{200b}",
        "Quiet Ot\u{ad}ter #\u{202a}SIM\u{202c}",
    ] {
        let sync = [
            "sync",
            pasted,
            "--platform",
            "euw1",
            "--year",
            "2025",
            "--json",
        ];
        let output = run(setup.command(&sync)).await;
        assert!(output.status.success(), "{pasted:?}: {}", told(&output));
    }
    let calls = setup.simulator.counters().calls;
    for odd in [
        "..#SIM",
        "Quiet Otter#.",
        "Quiet\tOtter#SIM",
        "\u{200b}#SIM",
    ] {
        let output = run(setup.command(&["sync", odd, "--platform", "euw1"])).await;
        assert_eq!(output.status.code(), Some(2), "{odd:?}: {}", told(&output));
        assert!(told(&output).contains("Name#TAG"), "{}", told(&output));
    }
    let file = setup.folder.path().join("players.txt");
    let sync = [
        "sync",
        "--file",
        file.to_str().unwrap(),
        "--year",
        "2025",
        "--json",
    ];
    for (content, line) in [
        (&b"\"Quiet Otter#SIM\",euw1\n\"Odd#SIM,euw1\n"[..], "line 2"),
        (b"Quiet Otter#SIM;euw1\nA,B,C\n", "line 2"),
        (b"Quiet Otter#SIM,euw1\n\n\xff#SIM\n", "line 3"),
    ] {
        std::fs::write(&file, content).unwrap();
        let output = run(setup.command(&sync)).await;
        assert_eq!(output.status.code(), Some(2), "{}", told(&output));
        assert!(told(&output).contains(line), "{}", told(&output));
    }
    assert_eq!(
        setup.simulator.counters().calls,
        calls,
        "nothing was submitted"
    );
    let wide: Vec<u8> = "\u{feff}game_name;tag_line;platform\r\nQuiet Otter;SIM;euw\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    std::fs::write(&file, wide).unwrap();
    let output = run(setup.command(&sync)).await;
    assert!(output.status.success(), "{}", told(&output));
}

on_each_store! { tokio::test;
    a_name_that_another_takes_the_place_of_is_kept_with_its_time,
    what_was_listed_and_what_it_was_called_goes_with_a_row_that_becomes_another,
}

/// A match at the hour `at` in which one player is called so.
fn seen(n: u64, player: usize, name: &str, at: u32) -> Effect {
    let mut record: MatchRecord = (*game(n, 12)).clone();
    record.game_end = Timestamp::EPOCH + Duration::from_hours(u64::from(at));
    record.class = MatchClass::Played;
    record.participants.truncate(1);
    record.participants[0].player = Some(SeenPlayer {
        puuid: puuid(player),
        riot_id: Some(name.parse().unwrap()),
    });
    stores(&Arc::new(record))
}

async fn a_name_that_another_takes_the_place_of_is_kept_with_its_time(store: Arc<dyn Store>) {
    for (n, (name, at)) in [
        ("First#SIM", 10),
        ("Second#SIM", 20),
        ("FIR ST#sim", 15),
        ("sec ond#sim", 25),
        ("First#SIM", 30),
        ("Third#SIM", 40),
    ]
    .into_iter()
    .enumerate()
    {
        write(&*store, vec![vec![seen(n as u64, 1, name, at)]]).await;
    }
    let id = |text: &str| text.parse::<RiotId>().unwrap();
    for (name, was) in [
        ("first#sim", true),
        ("Second#SIM", true),
        ("Third#SIM", false),
    ] {
        let former = store.former_holders(&id(name)).await.unwrap();
        assert_eq!(former.len(), usize::from(was), "{name}");
        let named = Named::look_up(&*store, &id(name)).await.unwrap();
        let (player, _) = named.one(&id(name), "").unwrap();
        assert_eq!(player.riot_id, Some(id("Third#SIM")));
    }
}

async fn what_was_listed_and_what_it_was_called_goes_with_a_row_that_becomes_another(
    store: Arc<dyn Store>,
) {
    write(&*store, vec![vec![seen(1, 1, "Old#SIM", 10)]]).await;
    write(&*store, vec![vec![seen(2, 1, "Later#SIM", 20)]]).await;
    write(&*store, vec![vec![seen(3, 2, "Between#SIM", 30)]]).await;
    let rows = store.players_by_puuid(&[puuid(1), puuid(2)]).await.unwrap();
    let was: Vec<i64> = rows.iter().map(|row| row.id).collect();
    assert!(
        store.appearances(was[0], 5).await.unwrap().len()
            + store.appearances(was[1], 5).await.unwrap().len()
            == 3
    );
    let lost = store
        .lose(was[0], "why".to_owned(), Timestamp::EPOCH)
        .await
        .unwrap();
    assert!(!lost, "it is not tracked");
    let told = Effect::Player {
        record: PlayerRecord {
            puuid: puuid(9),
            riot_id: Some("Now#SIM".parse().unwrap()),
            platform: "euw1".parse().unwrap(),
            profile_icon_id: None,
            summoner_level: None,
            tracked: true,
        },
        key_fingerprint: "g".into(),
        // One of them is gone by now, as if another sync had been quicker.
        was: [was.clone(), vec![99_999]].concat(),
    };
    write(&*store, vec![vec![told]]).await;
    let row = store.players_by_puuid(&[puuid(9)]).await.unwrap().remove(0);
    assert_eq!(
        (row.id, row.key_fingerprint.as_str()),
        (was.into_iter().min().unwrap(), "g")
    );
    for name in ["Old#SIM", "Later#SIM", "Between#SIM"] {
        let former = store.former_holders(&name.parse().unwrap()).await.unwrap();
        assert_eq!(former.len(), 1, "{name}");
        assert_eq!(former[0].id, row.id);
    }
    assert!(
        store
            .former_holders(&"Now#SIM".parse().unwrap())
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.appearances(row.id, 5).await.unwrap().len(), 3);
    assert!(
        store.lost_players(5).await.unwrap().is_empty(),
        "it was found"
    );
    assert!(
        store
            .lose(row.id, "why".to_owned(), Timestamp::EPOCH)
            .await
            .unwrap()
    );
    let lost = store.lost_players(5).await.unwrap();
    assert_eq!(
        (lost.len(), lost[0].why.as_str(), lost[0].player.id),
        (1, "why", row.id)
    );
    check_statistics(&*store, [row.id]).await;
}
