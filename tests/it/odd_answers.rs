//! Lists and ladders as the API gives them now and then: empty in another way, the same page for ever, with statuses that
//! no document names.

use std::process::Output;

use riftsync::simulator::{FaultRule, Method, RetryAfter};
use serde_json::Value;

use crate::place::Place;
use crate::rig::Rig;
use crate::setup::{PLAYER, Setup, run, setup, text};
use crate::wait;

fn faults(setup: &Setup, rules: &[&str]) {
    let rules: Vec<FaultRule> = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    setup.simulator.control().set_script(rules);
    setup.simulator.control().reset_counters();
}

fn calls(setup: &Setup, method: Method) -> u64 {
    setup.simulator.counters().of_method(method)
}

async fn ladder(setup: &Setup, tier: &str) -> Output {
    let args = [
        "ladder",
        "--platform",
        "euw1",
        "--tier",
        tier,
        "--limit",
        "400",
        "--year",
        "2025",
        "--no-timelines",
        "--json",
    ];
    run(setup.command(&args)).await
}

fn document(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn a_league_without_content_is_empty() {
    let setup = setup(2).await;
    faults(&setup, &["204@challenger-league", "204@league-entries"]);
    for tier in ["challenger", "gold"] {
        let report = document(&ladder(&setup, tier).await);
        assert_eq!(report["players"], 0, "{tier}: {report}");
        assert_eq!(report["failed_count"], 0, "{tier}: {report}");
    }
    assert_eq!(calls(&setup, Method::ChallengerLeague), 1);
    assert_eq!(
        calls(&setup, Method::LeagueEntries),
        4,
        "one page a division"
    );
}

#[tokio::test]
async fn a_match_list_without_content_is_empty_and_other_calls_are_made_again() {
    let setup = setup(12).await;
    faults(&setup, &["204@match-ids"]);
    let empty = document(&run(setup.sync()).await);
    assert_eq!(empty["result"]["total_matches"], 0, "{empty}");
    let once = ["account-by-riot-id", "summoner", "match", "timeline"]
        .map(|method| format!("204@{method}:1"));
    faults(&setup, &once.each_ref().map(String::as_str));
    let whole = run(setup.sync()).await;
    assert!(whole.status.success(), "{}", text(&whole));
    assert_eq!(setup.simulator.counters().of_status(204), 4);
    setup.check_complete_small(12).await;
}

#[tokio::test]
async fn a_status_that_no_document_names_is_asked_for_once_more() {
    for status in ["302", "408", "451"] {
        let setup = setup(12).await;
        let everywhere = [
            "account-by-riot-id",
            "summoner",
            "match-ids",
            "match",
            "timeline",
        ];
        let once = everywhere.map(|method| format!("{status}@{method}:1"));
        faults(&setup, &once.each_ref().map(String::as_str));
        // No attempt is needed for it.
        let mut sync = setup.sync();
        for kind in ["PLAYER_DATA", "MATCH_DATA", "MATCH_TIMELINE"] {
            sync.env(format!("RIFTSYNC_KINDS__SYNC_{kind}__RETRIES"), "0");
        }
        let output = run(sync).await;
        assert!(output.status.success(), "{status}: {}", text(&output));
        setup.check_complete_small(12).await;
    }
}

#[tokio::test]
async fn a_status_that_comes_twice_is_final_and_said_with_what_may_be_the_cause() {
    let setup = setup(12).await;
    faults(&setup, &["302@account-by-riot-id"]);
    let output = run(setup.sync()).await;
    assert!(!output.status.success());
    assert_eq!(calls(&setup, Method::AccountByRiotId), 2);
    let told = text(&output) + &String::from_utf8_lossy(&output.stdout);
    assert!(
        told.contains("HTTP 302") && told.contains("proxy"),
        "{told}"
    );
}

#[tokio::test]
async fn a_match_list_that_gives_the_same_page_for_ever_ends_at_the_first_that_has_nothing_new() {
    // More than a page in the year, and less than one.
    for (matches, listed) in [(150, 100), (12, 12)] {
        let setup = setup(matches).await;
        faults(&setup, &["same-page@match-ids"]);
        let mut sync = setup.sync();
        sync.arg("--dry-run");
        let report = document(&run(sync).await);
        assert!(
            calls(&setup, Method::MatchIds) <= 4,
            "{}",
            calls(&setup, Method::MatchIds)
        );
        let total = report["result"]["total_matches"].as_u64().unwrap();
        assert!(total <= listed + 2 && total > 0, "{report}");
    }
}

#[tokio::test]
async fn a_wait_of_thirty_years_is_told_once_is_a_finding_and_ends_with_its_job() {
    let rig = Rig::new(Place::sqlite(), 8).await;
    let control = rig.setup.simulator.control();
    control.set_retry_after(RetryAfter::Absurd);
    faults(&rig.setup, &["429-application@match:1.."]);
    let engine = rig.serve().await;
    let sync = [
        "sync",
        PLAYER,
        "--platform",
        "euw1",
        "--year",
        "2025",
        "--detach",
    ];
    let job = rig.done(&sync).await[0]["job_id"].to_string();
    let warned = "Riot asks for a wait of 999999999 s on europe";
    wait::until(warned, async || rig.setup.log().contains(warned)).await;
    let health = run(rig.command(&["health"])).await;
    let told = String::from_utf8_lossy(&health.stdout).into_owned();
    assert_eq!(health.status.code(), Some(1), "{told} {}", text(&health));
    for words in [
        "degraded",
        "Riot API on europe",
        "a wait of",
        "then one goes",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    rig.done(&["job", "cancel", &job]).await;
    engine.stop().await;
    assert_eq!(
        rig.setup.log().matches(warned).count(),
        1,
        "{}",
        rig.setup.log()
    );
}
