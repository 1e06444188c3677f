//! Where players stand: asked for with the syncs of tracked players, stored as it changes, shown, copied and exported.

use std::sync::Arc;
use std::time::Duration;

use riftsync::model::records::PlayerRecord;
use riftsync::model::standing::{Mastery, Rank};
use riftsync::model::{Platform, Puuid, Timestamp};
use riftsync::riot::{
    ApiKey, BaseUrl, Call, RiotClient, install_tls, parse_mastery, parse_ranks, unpack,
};
use riftsync::simulator::{Method, SIMULATED_KEY};
use riftsync::store::standing::{Told, ToldStanding};
use riftsync::store::{Effect, Store};
use serde_json::Value;

use crate::data::{puuid, write};
use crate::place::{Place, on_each_store};
use crate::rig::{Rig, on_each_place};
use crate::setup::{PLAYER, run, text};
use crate::wait;

on_each_place! {
    a_sync_stores_where_its_player_stands_and_only_what_changed,
    whoever_is_not_tracked_is_not_asked_for,
    a_rank_that_is_not_told_costs_a_sync_nothing,
    an_engine_killed_between_the_call_and_its_commit_stores_the_rank_once,
}

on_each_store! { tokio::test;
    ranks_are_stored_when_they_change_whoever_brings_them_and_in_whatever_order,
    rows_that_become_one_player_have_one_history,
}

pub const SYNC: [&str; 6] = ["sync", PLAYER, "--platform", "euw1", "--year", "2025"];
const DAY: Duration = Duration::from_hours(24);

impl Rig {
    /// Rank and mastery calls that arrived.
    fn standing_calls(&self) -> [u64; 2] {
        let counters = self.setup.simulator.counters();
        [Method::LeagueOfPlayer, Method::Mastery].map(|method| counters.of_method(method))
    }

    pub fn tomorrow(&self) {
        let world = &self.setup.world;
        world.set_now(world.now() + DAY);
    }

    /// What the API tells of the player now, as nobody but a test asks.
    pub async fn told(&self) -> (Vec<Rank>, Vec<Mastery>) {
        install_tls();
        let client =
            RiotClient::new(BaseUrl::new(&self.setup.simulator.base_url()).unwrap()).unwrap();
        let key = ApiKey::new(SIMULATED_KEY).unwrap();
        let account = Call::account(&PLAYER.parse().unwrap(), Platform::Euw1);
        let body = |answer: riftsync::riot::Response| {
            if answer.is_gzip {
                unpack(&answer.body).unwrap()
            } else {
                answer.body.to_vec()
            }
        };
        let account: Value =
            serde_json::from_slice(&body(client.send(&account, &key).await.1.unwrap())).unwrap();
        let puuid: Puuid = account["puuid"].as_str().unwrap().parse().unwrap();
        let ranks = client
            .send(&Call::ranks(&puuid, Platform::Euw1), &key)
            .await;
        let mastery = client
            .send(&Call::mastery(&puuid, Platform::Euw1), &key)
            .await;
        let (ranks, odd) = parse_ranks(&body(ranks.1.unwrap())).unwrap();
        let (mastery, odd_mastery) = parse_mastery(&body(mastery.1.unwrap())).unwrap();
        assert_eq!((odd, odd_mastery), (0, 0));
        (ranks, mastery)
    }

    /// The history as text, oldest first.
    fn ranks(&self) -> Vec<String> {
        let rows = self.place.rows(
            "SELECT queue, tier, division, league_points, points, wins, losses, hot_streak FROM v_ranks ORDER BY queue, seen_at",
        );
        rows.into_iter().map(joined).collect()
    }
}

fn joined(row: Vec<Option<String>>) -> String {
    let cells = row.into_iter().map(Option::unwrap_or_default);
    cells.collect::<Vec<_>>().join(" ")
}

fn shown(rank: &Rank) -> String {
    let number = |number: Option<i32>| number.map(|number| number.to_string());
    joined(vec![
        Some(rank.queue.clone()),
        rank.tier.clone(),
        rank.division.clone(),
        number(rank.league_points),
        number(rank.points()),
        number(rank.wins),
        number(rank.losses),
        rank.hot_streak.map(|hot| i32::from(hot).to_string()),
    ])
}

pub fn of_queue(ranks: &[Rank], queue: &str) -> Rank {
    let found = ranks.iter().find(|rank| rank.queue == queue);
    found.unwrap().clone()
}

async fn a_sync_stores_where_its_player_stands_and_only_what_changed(place: Place) {
    let rig = Rig::new(place, 8).await;
    let (first, _) = rig.told().await;
    let asked = rig.standing_calls();
    for _ in 0..2 {
        rig.done(&SYNC).await;
    }
    let calls = rig.standing_calls();
    assert_eq!(
        [calls[0] - asked[0], calls[1] - asked[1]],
        [2, 0],
        "one a sync"
    );
    let mut expected: Vec<String> = first.iter().map(shown).collect();
    expected.sort();
    assert_eq!(expected.len(), 2);
    assert_eq!(rig.ranks(), expected, "nothing changed");

    rig.tomorrow();
    let (second, masteries) = rig.told().await;
    assert_ne!(first, second);
    let mut sync = rig.command(&[&SYNC[..], &["--json"]].concat());
    sync.env("RIFTSYNC_DATA__MASTERY", "true");
    let output = run(sync).await;
    assert!(output.status.success(), "{}", text(&output));
    let mut history = Vec::new();
    for queue in ["RANKED_FLEX_SR", "RANKED_SOLO_5x5"] {
        history.extend([&first, &second].map(|told| shown(&of_queue(told, queue))));
    }
    assert_eq!(rig.ranks(), history);
    let champions = rig.number("SELECT count(*) FROM mastery_history");
    assert_eq!(champions, masteries.len() as u64);

    let shown = rig
        .done(&["rank", PLAYER, "--champions", "3"])
        .await
        .remove(0);
    let now = shown["ranks"].as_array().unwrap();
    assert_eq!(now.len(), 2, "{shown:#}");
    let solo = of_queue(&second, "RANKED_SOLO_5x5");
    assert_eq!(now[0]["queue"], "RANKED_SOLO_5x5");
    assert_eq!(now[0]["points"].as_i64(), solo.points().map(i64::from));
    assert_eq!(shown["changes"].as_array().unwrap().len(), 4);
    let best = shown["mastery"].as_array().unwrap();
    let points = |at: usize| best[at]["points"].as_i64();
    assert_eq!((best.len(), points(0)), (3, masteries[0].points));
    assert!(shown["ranks_at"].is_string() && shown["mastery_at"].is_string());
    // The same of an engine that runs.
    let serving = rig.serve().await;
    let asked = rig
        .done(&["rank", PLAYER, "--champions", "3"])
        .await
        .remove(0);
    assert_eq!(asked, shown);
    let told = run(rig.command(&["rank", PLAYER])).await;
    let told = String::from_utf8(told.stdout).unwrap();
    for word in ["solo/duo", "flex", "LP", "champion"] {
        assert!(told.contains(word), "{told}");
    }
    serving.stop().await;
}

async fn whoever_is_not_tracked_is_not_asked_for(place: Place) {
    let rig = Rig::new(place, 6).await;
    for more in [&["--no-track"][..], &["--dry-run"]] {
        rig.done(&[&SYNC[..], more].concat()).await;
    }
    let mut without = rig.command(&[&SYNC[..], &["--json"]].concat());
    without.env("RIFTSYNC_DATA__RANKS", "false");
    let output = run(without).await;
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(rig.standing_calls(), [0, 0]);
    let never = rig.done(&["rank", PLAYER]).await.remove(0);
    assert_eq!(
        (&never["ranks_at"], &never["tracked"]),
        (&Value::Null, &true.into())
    );
    let told = run(rig.command(&["rank", PLAYER])).await;
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("the next sync does"), "{told}");
}

async fn a_rank_that_is_not_told_costs_a_sync_nothing(place: Place) {
    let rig = Rig::new(place, 6).await;
    let year = rig
        .setup
        .world
        .player_matches(&PLAYER.parse().unwrap(), 2025);
    let there = year.iter().filter(|truth| truth.has_match).count() as u64;
    for fault in ["403", "404", "500", "not-json", "cut-gzip", "204"] {
        rig.faults(&[&format!("{fault}@league-of-player")]);
        let done = rig.done(&SYNC).await.remove(0);
        assert_eq!(done["success"], true, "{fault}: {done:#}");
        let notes = done["result"]["notes"].to_string();
        assert_eq!(
            notes.contains("ranks was not told"),
            fault != "204",
            "{fault}: {notes}"
        );
        assert_eq!(rig.number("SELECT count(*) FROM matches"), there, "{fault}");
        assert_eq!(rig.ranks(), Vec::<String>::new(), "{fault}");
    }
    // A league that the player is in no more is known only from a whole answer.
    rig.faults(&[]);
    rig.done(&SYNC).await;
    assert_eq!(rig.ranks().len(), 2);
    rig.faults(&["500@league-of-player"]);
    rig.done(&SYNC).await;
    assert_eq!(rig.ranks().len(), 2);
    rig.faults(&["204@league-of-player"]);
    rig.done(&SYNC).await;
    let lost: Vec<String> = rig
        .ranks()
        .into_iter()
        .filter(|row| row.ends_with("       "))
        .collect();
    assert_eq!((lost.len(), rig.ranks().len()), (2, 4), "{:?}", rig.ranks());
}

/// The ranks are told, and what was asked for behind them is not answered: nothing of it is stored when the engine
/// dies.
async fn an_engine_killed_between_the_call_and_its_commit_stores_the_rank_once(place: Place) {
    let rig = Rig::new(place, 6).await;
    rig.faults(&["stall=60s@mastery"]);
    let mut sync = rig.command(&SYNC);
    sync.env("RIFTSYNC_DATA__MASTERY", "true");
    let mut sync = sync
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait::until_soon("both calls", async || {
        rig.standing_calls() == [1, 1]
            || wait::not_yet(&mut sync, || "it does not end by itself".to_owned())
    })
    .await;
    sync.kill().unwrap();
    sync.wait().unwrap();
    assert_eq!(rig.ranks(), Vec::<String>::new());
    assert_eq!(rig.number("SELECT count(*) FROM matches"), 0);
    rig.faults(&[]);
    rig.done(&SYNC).await;
    let (told, _) = rig.told().await;
    let mut expected: Vec<String> = told.iter().map(shown).collect();
    expected.sort();
    assert_eq!(rig.ranks(), expected);
}

fn player(number: usize, was: Vec<i64>) -> Effect {
    Effect::Player {
        record: PlayerRecord {
            puuid: puuid(number),
            riot_id: Some(format!("Told {number}#NEW").parse().unwrap()),
            platform: Platform::Euw1,
            profile_icon_id: None,
            summoner_level: None,
            tracked: true,
        },
        key_fingerprint: "g".into(),
        was,
    }
}

fn rank(queue: &str, points: i32) -> Rank {
    Rank {
        queue: queue.to_owned(),
        tier: Some("GOLD".to_owned()),
        division: Some("II".to_owned()),
        league_points: Some(points),
        wins: Some(10),
        losses: None,
        hot_streak: Some(points % 2 == 1),
    }
}

fn ranks_of(number: usize, at: i64, ranks: Vec<Rank>) -> Effect {
    standing(number, at, Told::Ranks { ranks, whole: true })
}

fn standing(number: usize, at: i64, what: Told) -> Effect {
    Effect::Standing(ToldStanding {
        puuid: puuid(number),
        at: Timestamp::from_millis(at),
        what,
    })
}

/// Points by moment, oldest first.
async fn points(store: &dyn Store, number: usize, queue: &str) -> Vec<(i64, Option<i32>)> {
    let rows = store.players_by_puuid(&[puuid(number)]).await.unwrap();
    let stored = store.standing(rows[0].id, 1_000, 0).await.unwrap().unwrap();
    let mut found: Vec<(i64, Option<i32>)> = stored
        .ranks
        .iter()
        .filter(|(rank, _)| rank.queue == queue)
        .map(|(rank, at)| (at.as_millis(), rank.league_points))
        .collect();
    found.reverse();
    found
}

async fn ranks_are_stored_when_they_change_whoever_brings_them_and_in_whatever_order(
    store: Arc<dyn Store>,
) {
    let both = |a, b| vec![rank("solo", a), rank("flex", b)];
    let sync = |at, ranks| vec![player(1, Vec::new()), ranks_of(1, at, ranks)];
    for (at, ranks) in [
        (10, both(1, 1)),
        (20, both(1, 2)),
        (30, both(1, 2)),
        (40, both(3, 2)),
    ] {
        write(&*store, vec![sync(at, ranks)]).await;
    }
    let (solo, flex) = (
        vec![(10, Some(1)), (40, Some(3))],
        vec![(10, Some(1)), (20, Some(2))],
    );
    assert_eq!(points(&*store, 1, "solo").await, solo);
    assert_eq!(points(&*store, 1, "flex").await, flex);
    // What was asked before comes too late; what is told twice at once is told once; a rank that is lost is a change.
    write(&*store, vec![sync(35, both(9, 9))]).await;
    write(&*store, vec![sync(50, vec![rank("flex", 2)]); 6]).await;
    write(&*store, vec![sync(60, vec![rank("flex", 2)])]).await;
    assert_eq!(
        points(&*store, 1, "solo").await,
        [&solo[..], &[(50, None)]].concat()
    );
    assert_eq!(points(&*store, 1, "flex").await, flex);
    // Many at once, each with another moment: only the newest stand behind each other.
    let many = (0..40).map(|n| sync(100 + n, both(7, 2))).collect();
    write(&*store, many).await;
    let found = points(&*store, 1, "solo").await;
    assert_eq!(found.len(), solo.len() + 2, "{found:?}");
    // Nobody is there to stand anywhere.
    write(&*store, vec![vec![ranks_of(8, 10, both(1, 1))]]).await;
    let row = store.players_by_puuid(&[puuid(1)]).await.unwrap().remove(0);
    let stored = store.standing(row.id, 1, 10).await.unwrap().unwrap();
    assert_eq!((stored.tracked, stored.ranks.len()), (true, 2));
    assert!(stored.ranks_at.unwrap().as_millis() >= 100 && stored.mastery_at.is_none());
    assert_eq!(store.standing(row.id + 99, 1, 1).await.unwrap(), None);
}

async fn rows_that_become_one_player_have_one_history(store: Arc<dyn Store>) {
    let mastery = |points| Mastery {
        champion_id: 7,
        level: Some(1),
        points: Some(points),
        last_played: None,
    };
    let champion = |number, at, points| standing(number, at, Told::Mastery(vec![mastery(points)]));
    let solo = |points| vec![rank("solo", points)];
    write(
        &*store,
        vec![vec![
            player(1, vec![]),
            ranks_of(1, 10, solo(1)),
            champion(1, 10, 5),
        ]],
    )
    .await;
    write(
        &*store,
        vec![vec![
            player(2, vec![]),
            ranks_of(2, 20, solo(1)),
            champion(2, 20, 5),
        ]],
    )
    .await;
    write(
        &*store,
        vec![vec![
            player(2, vec![]),
            ranks_of(2, 30, solo(4)),
            champion(2, 30, 9),
        ]],
    )
    .await;
    write(
        &*store,
        vec![vec![player(1, vec![]), ranks_of(1, 40, solo(6))]],
    )
    .await;
    let rows = store.players_by_puuid(&[puuid(1), puuid(2)]).await.unwrap();
    let was = rows.iter().map(|row| row.id).collect();
    let united = vec![player(9, was), ranks_of(9, 50, solo(6)), champion(9, 50, 9)];
    write(&*store, vec![united]).await;
    assert_eq!(
        points(&*store, 9, "solo").await,
        [(10, Some(1)), (30, Some(4)), (40, Some(6))]
    );
    let row = store.players_by_puuid(&[puuid(9)]).await.unwrap().remove(0);
    let stored = store.standing(row.id, 1, 9).await.unwrap().unwrap();
    assert_eq!(stored.masteries, [(mastery(9), Timestamp::from_millis(30))]);
}
