//! What the API lists and does not give, through the real binary: remembered, told, and asked for again.

use riftsync::simulator::{FaultRule, Method};
use serde_json::Value;

use crate::place::Place;
use crate::rig::{Rig, documents, on_each_place};
use crate::setup::{PLAYER, run, text};

on_each_place! {
    a_match_that_was_not_there_is_asked_for_when_it_is_due_and_by_a_recovery_at_once,
    matches_that_riot_refuses_are_remembered_as_those_that_are_not_there,
    an_outage_that_answers_404_says_nothing_of_what_it_was_asked_for,
    timelines_that_riot_has_deleted_cost_no_call,
    a_list_that_ends_before_the_year_begins_is_told,
    a_year_that_was_cut_off_is_not_called_complete_and_a_dry_run_does_not_go_on_with_it,
    answers_that_are_no_documents_are_remembered_and_asked_for_again_later,
}

const SYNC: [&str; 6] = ["sync", PLAYER, "--platform", "euw1", "--year", "2025"];

impl Rig {
    pub fn faults(&self, faults: &[&str]) {
        let script: Vec<FaultRule> = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        self.setup.simulator.control().set_script(script);
    }

    async fn synced_result(&self) -> Value {
        let mut done = self.done(&SYNC).await;
        done.remove(0)["result"].take()
    }

    fn missing(&self, reason: &str) -> u64 {
        self.number(&format!(
            "SELECT count(*) FROM missing_payloads WHERE kind = 'match' AND reason = '{reason}'"
        ))
    }

    /// The next tries are due.
    fn skip_pauses(&self) {
        self.execute("UPDATE missing_payloads SET next_try = 0 WHERE next_try IS NOT NULL");
    }
}

fn by_reason(result: &Value, reason: &str) -> u64 {
    result["missing_matches_by_reason"][reason]
        .as_u64()
        .unwrap_or(0)
}

async fn a_match_that_was_not_there_is_asked_for_when_it_is_due_and_by_a_recovery_at_once(
    place: Place,
) {
    let rig = Rig::new(place, 40).await;
    let of_2025 = rig
        .setup
        .world
        .player_matches(&PLAYER.parse().unwrap(), 2025);
    let never = of_2025.iter().filter(|truth| !truth.has_match).count() as u64;
    rig.faults(&["404@listed/match:20%"]);
    let first = rig.synced_result().await;
    let absent = by_reason(&first, "404");
    assert!(absent > never + 2, "{first:#}");
    assert_eq!(first["missing_matches"], absent);
    assert_eq!(first["failed_matches"].as_array().map(Vec::len), Some(0));
    assert_eq!(rig.missing("404"), absent);

    let called = rig.calls();
    let soon = rig.synced_result().await;
    assert_eq!(rig.calls_since(called), [0, 0], "not before it is due");
    assert_eq!(
        (by_reason(&soon, "404"), &soon["match_calls"]),
        (absent, &0.into())
    );

    // They are there now, and are fetched when their time has come.
    rig.faults(&[]);
    let plan = rig.recover(&["--dry-run"]).await;
    assert_eq!(plan["result"]["match_calls"], absent, "{plan:#}");
    assert_eq!(plan["result"]["asked_again_matches"], absent);
    assert_eq!(rig.calls_since(called), [0, 0]);
    rig.execute(
        "UPDATE missing_payloads SET next_try = 0 WHERE id = (SELECT min(id) FROM missing_payloads WHERE kind = 'match')",
    );
    let due = rig.synced_result().await;
    assert_eq!(due["match_calls"], 1, "{due:#}");
    rig.recover(&[]).await;
    assert_eq!(rig.missing("404"), never, "all that Riot has is stored");
    // However often it is asked for, the pauses grow.
    for tries in 2..6 {
        rig.skip_pauses();
        rig.synced_result().await;
        let known =
            rig.number("SELECT coalesce(max(tries), 0) FROM missing_payloads WHERE kind = 'match'");
        assert_eq!(known, if never > 0 { tries + 1 } else { 0 });
    }
}

async fn matches_that_riot_refuses_are_remembered_as_those_that_are_not_there(place: Place) {
    let rig = Rig::new(place, 40).await;
    rig.faults(&["403@listed/match:50%"]);
    let first = rig.synced_result().await;
    let refused = by_reason(&first, "403");
    assert!(refused > 10, "{first:#}");
    let counters = rig.setup.simulator.counters();
    assert!(
        counters.of_method(Method::Status) <= 2,
        "one trial for the burst"
    );
    let called = rig.calls();
    let second = rig.synced_result().await;
    assert_eq!(rig.calls_since(called), [0, 0], "{second:#}");
    assert_eq!(by_reason(&second, "403"), refused);
    // The mode is opened.
    rig.faults(&[]);
    rig.skip_pauses();
    let third = rig.synced_result().await;
    assert_eq!((by_reason(&third, "403"), rig.missing("403")), (0, 0));
}

async fn a_year_that_was_cut_off_is_not_called_complete_and_a_dry_run_does_not_go_on_with_it(
    place: Place,
) {
    let rig = Rig::new(place, 120).await;
    let mut sync = rig.command(&SYNC).spawn().unwrap();
    // Some are stored, and so is what was listed.
    while rig.calls()[0] < 20 || rig.number("SELECT count(*) FROM matches") == 0 {
        assert!(sync.try_wait().unwrap().is_none(), "it ended too soon");
        tokio::task::yield_now().await;
    }
    sync.kill().unwrap();
    sync.wait().unwrap();
    let of_2025 = async || {
        let mut told = rig.done(&["stats", PLAYER]).await.remove(0);
        let years = told["years"].as_array_mut().unwrap();
        let of_year = years.iter().position(|one| one["year"] == 2025).unwrap();
        years.remove(of_year)
    };
    let cut = of_2025().await;
    let number = |year: &Value, name: &str| year[name].as_u64().unwrap();
    let pending = number(&cut, "pending_matches");
    assert!(pending > 20, "{cut:#}");
    let told = run(rig.command(&["stats", PLAYER])).await;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let of_all = format!(
        "{pending} of the {} matches",
        number(&cut, "listed_matches")
    );
    assert!(
        told.contains(&of_all) && !told.contains("complete"),
        "{told}"
    );

    let stored = || {
        rig.lines("SELECT 'm' || match_id AS row FROM matches UNION ALL SELECT 't' || match_id FROM match_timelines ORDER BY 1")
    };
    let before = stored();
    rig.done(&[&SYNC[..], &["--dry-run"]].concat()).await;
    rig.recover(&["--dry-run"]).await;
    assert_eq!(stored(), before, "what was left is not done on the way");
    rig.synced_result().await;
    assert_eq!(number(&of_2025().await, "pending_matches"), 0);
}

async fn answers_that_are_no_documents_are_remembered_and_asked_for_again_later(place: Place) {
    let rig = Rig::new(place, 30).await;
    rig.faults(&["not-json@match:40%", "451@match:20%"]);
    let mut command = rig.command(&[&SYNC[..], &["--json"]].concat());
    command.env("RIFTSYNC_KINDS__SYNC_MATCH_DATA__RETRIES", "0");
    let output = run(command).await;
    assert!(output.status.success(), "{}", text(&output));
    let first = documents(&output.stdout).remove(0);
    let unusable = by_reason(&first["result"], "unusable");
    assert!(unusable > 5, "{first:#}");
    assert!(
        text(&output).contains("unusable answers"),
        "{}",
        text(&output)
    );
    assert_eq!(rig.missing("unusable"), unusable);
    let called = rig.calls();
    rig.synced_result().await;
    assert_eq!(rig.calls_since(called)[0], 0, "not before it is due");
    rig.faults(&[]);
    rig.skip_pauses();
    let third = rig.synced_result().await;
    assert_eq!(
        (by_reason(&third, "unusable"), rig.missing("unusable")),
        (0, 0)
    );
}

async fn an_outage_that_answers_404_says_nothing_of_what_it_was_asked_for(place: Place) {
    let rig = Rig::new(place, 80).await;
    rig.synced_result().await;
    let stored = rig.number("SELECT count(*) FROM matches");
    let never = rig.missing("404");
    // Another year, while the route finds nothing, what it served before included.
    rig.faults(&["404@listed"]);
    let year = ["sync", PLAYER, "--platform", "euw1", "--year", "2024"];
    let called = rig.calls();
    let mut command = rig.command(&[&year[..], &["--json"]].concat());
    command.env("RIFTSYNC_QUEUES__MATCH_PROCESSING__SLOTS", "8");
    let output = run(command).await;
    assert!(output.status.success(), "{}", text(&output));
    let during = documents(&output.stdout).remove(0)["result"].take();
    assert!(by_reason(&during, "outage") > 10, "{during:#}");
    assert!(
        rig.calls_since(called)[0] < 40,
        "hopeless calls are not made"
    );
    assert_eq!(rig.number("SELECT count(*) FROM matches"), stored);
    rig.faults(&[]);
    rig.skip_pauses();
    let mut after = rig.done(&year).await.remove(0);
    let after = after["result"].take();
    assert_eq!(by_reason(&after, "outage"), 0, "{after:#}");
    let truth = rig.truth(PLAYER, 2024);
    assert_eq!(
        rig.number("SELECT count(*) FROM matches") - stored,
        truth as u64
    );
    assert!(rig.missing("404") >= never);
}

async fn timelines_that_riot_has_deleted_cost_no_call(place: Place) {
    let rig = Rig::new(place, 40).await;
    let year = ["sync", PLAYER, "--platform", "euw1", "--year", "2024"];
    let mut command = rig.command(&[&year[..], &["--json"]].concat());
    command.env("RIFTSYNC_RIOT__TIMELINES_KEPT_DAYS", "365");
    let output = run(command).await;
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(rig.calls()[1], 0);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let old = &document["result"]["missing_timelines_by_reason"]["too_old"];
    assert!(old.as_u64() > Some(20), "{document:#}");
    let mut forced = rig.command(&[&year[..], &["--old-timelines"]].concat());
    forced.env("RIFTSYNC_RIOT__TIMELINES_KEPT_DAYS", "365");
    let output = run(forced).await;
    assert!(output.status.success(), "{}", text(&output));
    assert!(rig.calls()[1] > 20, "asked all the same");
}

async fn a_list_that_ends_before_the_year_begins_is_told(place: Place) {
    let rig = Rig::new(place, 60).await;
    let ends = || {
        rig.lines(
            "SELECT y.list_ends_at || ' ' || CAST((m.game_start - 1735689600000) / 86400000 AS TEXT) AS row
             FROM player_years y JOIN matches m ON m.match_id = y.list_ends_at WHERE y.year = 2025",
        )
    };
    rig.faults(&["list-cap=20@always"]);
    rig.synced_result().await;
    let first = ends();
    let [end] = &first[..] else {
        panic!("{first:?}")
    };
    let days: u32 = end.rsplit_once(' ').unwrap().1.parse().unwrap();
    assert!(days > 100, "the newest 20 of 60 in a year: {end}");
    // What was listed once is stored; that the list goes on further back now and then changes nothing.
    rig.synced_result().await;
    assert_eq!(ends(), first);
    rig.faults(&[]);
    rig.done(&["sync", PLAYER, "--platform", "euw1", "--year", "2024"])
        .await;
    let whole = "SELECT count(*) FROM player_years WHERE year = 2024 AND list_ends_at IS NULL";
    assert_eq!(rig.number(whole), 0, "the world has no match before 2024");
}
