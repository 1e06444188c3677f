//! What is listed and not served, odd documents, lists that end early, and a clock that is set.

use std::collections::HashSet;

use serde_json::Value;

use super::api::Api;
use super::{ALPHA, riot_id};
use crate::gzip::tests::gunzip;
use crate::{FaultKind, SIMULATED_KEY, SimulatorConfig};
use riftsync_model::Timestamp;

fn script(rules: &[&str]) -> SimulatorConfig {
    SimulatorConfig {
        script: rules.iter().map(|rule| rule.parse().unwrap()).collect(),
        ..SimulatorConfig::default()
    }
}

fn path(id: &str) -> String {
    format!("/europe/lol/match/v5/matches/{id}")
}

impl Api {
    /// The ids of those whose document is answered with this status.
    async fn answered(&self, ids: &[String], status: u16) -> HashSet<String> {
        let mut found = HashSet::new();
        for id in ids {
            if self.get(&path(id)).await.status == status {
                found.insert(id.clone());
            }
        }
        found
    }

    async fn set_now(&self, text: &str) {
        assert_eq!(self.admin("PUT", "now", text).await.status, 200);
    }
}

#[tokio::test]
async fn listed_ids_that_are_missing_stay_so_until_their_time_has_passed() {
    let api = Api::new(SimulatorConfig::default()).await;
    let ids = api.ids("count=100").await;
    let gone_for_ever = api.answered(&ids, 404).await;
    let rules = "403@listed/match:10%\n404@listed:30%:30m";
    assert_eq!(api.admin("PUT", "faults", rules).await.status, 200);
    assert_eq!(api.ids("count=100").await, ids, "all are listed on");
    let (missing, refused) = (api.answered(&ids, 404).await, api.answered(&ids, 403).await);
    assert!(
        missing.len() > 15 && missing.len() < 50,
        "{}",
        missing.len()
    );
    assert!(
        !refused.is_empty() && refused.len() < 25,
        "{}",
        refused.len()
    );
    assert_eq!(api.answered(&ids, 404).await, missing, "the same ones");
    let one = missing.difference(&gone_for_ever).next().unwrap();
    let answer = api.get(&format!("{}/timeline", path(one))).await;
    assert_eq!(answer.status, 404);
    let one = refused.difference(&missing).next().unwrap();
    let answer = api.get(&format!("{}/timeline", path(one))).await;
    assert_ne!(answer.status, 403, "only its match is refused");

    let later = api.world.now() + std::time::Duration::from_mins(30);
    api.set_now(&later.as_millis().to_string()).await;
    let still: HashSet<String> = api.answered(&ids, 404).await;
    assert_eq!(still, gone_for_ever);
    assert_eq!(api.answered(&ids, 403).await, refused, "these for good");
}

#[tokio::test]
async fn a_404_of_somebody_in_front_has_no_word_or_no_header_of_the_api() {
    let rules = ["404-html@match:1", "plain-404@match:2", "404@match:3"];
    let limited = SimulatorConfig {
        app_limits: vec![(100, 1)],
        ..script(&rules)
    };
    let api = Api::new(limited).await;
    let id = &api.ids("count=1").await[0];
    let mut seen = Vec::new();
    for _ in rules {
        let answer = api.get(&path(id)).await;
        assert_eq!(answer.status, 404);
        let is_json = serde_json::from_slice::<Value>(&answer.body).is_ok();
        seen.push((is_json, answer.header("x-app-rate-limit").is_some()));
    }
    assert_eq!(seen, [(false, false), (true, false), (true, true)]);
}

#[tokio::test]
async fn an_odd_document_is_odd_in_one_thing_and_the_same_each_time() {
    let api = Api::new(SimulatorConfig::default()).await;
    let ids = api.ids("count=100").await;
    let mut good = Vec::new();
    for id in &ids {
        let served = api.get(&path(id)).await;
        if served.status == 200 {
            good.push((
                id,
                served.json(),
                api.get(&format!("{}/timeline", path(id))).await,
            ));
        }
    }
    assert_eq!(
        api.admin("PUT", "faults", "odd-values@listed:50%")
            .await
            .status,
        200
    );
    let mut changes = HashSet::new();
    let mut odd_ones = 0;
    for (id, whole, timeline) in good {
        let odd = api.get(&path(id)).await;
        let header = format!("x-riot-token: {SIMULATED_KEY}\r\naccept-encoding: gzip\r\n");
        let packed = api.with(&path(id), &header).await;
        assert_eq!(gunzip(&packed.body), odd.body);
        let odd_timeline = api.get(&format!("{}/timeline", path(id))).await;
        if odd.json() == whole {
            assert_eq!(odd_timeline.body, timeline.body, "both or none");
            continue;
        }
        odd_ones += 1;
        assert_eq!(odd.json()["metadata"], whole["metadata"]);
        changes.insert(change(&whole, &odd.json()));
        if timeline.status == 200 {
            let change = change(&timeline.json(), &odd_timeline.json());
            assert!(!change.is_empty(), "{id}");
            changes.insert(change);
        }
    }
    assert!((20..80).contains(&odd_ones), "{odd_ones}");
    assert!(changes.len() > 12, "{changes:?}");
    let seen = api.simulator.counters().faults;
    assert!(seen[&FaultKind::OddValues] >= odd_ones * 2);
}

/// Where two documents differ first, without numbers of participants and frames.
fn change(before: &Value, after: &Value) -> String {
    match (before, after) {
        (Value::Object(one), Value::Object(two)) => {
            let keys: HashSet<_> = one.keys().chain(two.keys()).collect();
            let mut keys: Vec<_> = keys.into_iter().collect();
            keys.sort();
            let found = keys.into_iter().find(|key| one.get(*key) != two.get(*key));
            let Some(key) = found else {
                return String::new();
            };
            let inner = change(&before[key], &after[key]);
            if key.parse::<u32>().is_ok() {
                inner
            } else {
                format!("{key}.{inner}")
            }
        }
        (Value::Array(one), Value::Array(two)) if one.len() == two.len() => {
            let pairs = one.iter().zip(two).find(|(one, two)| one != two);
            pairs.map_or_else(String::new, |(one, two)| change(one, two))
        }
        (_, Value::String(text)) => format!("text of {}", text.len()),
        (_, other) => other.to_string(),
    }
}

#[tokio::test]
async fn a_list_that_is_capped_ends_there_whatever_is_asked_for() {
    let api = Api::new(script(&["list-cap=20@europe"])).await;
    let all = api.ids("count=100").await;
    assert_eq!(all.len(), 20);
    assert!(api.ids("start=20").await.is_empty());
    assert!(
        api.ids("startTime=1672531200&endTime=1704067200")
            .await
            .is_empty()
    );
    let rules = "same-page@match-ids\nlist-cap=150@always";
    assert_eq!(api.admin("PUT", "faults", rules).await.status, 200);
    let page = api.ids("count=100").await;
    assert_eq!(api.ids("count=100&start=100").await, page);
    assert_eq!(api.ids("count=100&start=4000").await, page);
}

#[tokio::test]
async fn old_documents_are_gone_and_listed_or_not_as_time_passes() {
    let api = Api::new(script(&["retention@always"])).await;
    let ids = api
        .ids("count=100&startTime=1704067200&endTime=1735689600")
        .await;
    let two_years = Timestamp::from_millis(1_793_491_200_000 - 2 * 365 * 86_400_000);
    let truth = api.world.player_matches(&riot_id(ALPHA), 2024);
    let kept: Vec<_> = truth
        .iter()
        .filter(|m| m.start_ms >= two_years.as_millis())
        .collect();
    assert_eq!(ids.len(), kept.len());
    let gone = truth.first().unwrap().id.to_string();
    assert_eq!(api.get(&path(&gone)).await.status, 404);
    let timeline = |id: &str| format!("{}/timeline", path(id));
    let old = truth.iter().rev().find(|m| m.has_match && m.has_timeline);
    let old = old.unwrap().id.to_string();
    assert_eq!(api.get(&path(&old)).await.status, 200);
    assert_eq!(api.get(&timeline(&old)).await.status, 404, "after one year");

    assert_eq!(
        api.admin("PUT", "faults", "retention-listed@always")
            .await
            .status,
        200
    );
    let ids = api
        .ids("count=100&startTime=1704067200&endTime=1735689600")
        .await;
    assert_eq!(ids.len(), truth.len());
    assert_eq!(api.get(&path(&gone)).await.status, 404);
    api.set_now("2024-11-01T00:00:00Z").await;
    assert_eq!(api.get(&path(&old)).await.status, 404, "not played yet");
    api.set_now("2025-01-01T12:00:00Z").await;
    assert_eq!(
        api.get(&timeline(&old)).await.status,
        200,
        "it is young again"
    );
}

#[tokio::test]
async fn a_match_is_listed_when_its_end_has_come_and_served_when_it_is_old_enough() {
    let api = Api::new(script(&["young-404=10m@listed"])).await;
    let truth = api.world.player_matches(&riot_id(ALPHA), 2026);
    let last = truth.iter().rev().find(|m| m.has_match).unwrap();
    let end = last.start_ms + i64::from(last.duration_ms);
    let newest = async |now_ms: i64| {
        api.set_now(&now_ms.to_string()).await;
        let id = api.ids("count=1").await.pop().unwrap();
        (
            id == last.id.to_string(),
            api.get(&path(&last.id.to_string())).await.status,
        )
    };
    assert_eq!(newest(end - 1).await, (false, 404));
    assert_eq!(newest(end).await, (true, 404));
    assert_eq!(newest(end + 599_999).await, (true, 404));
    assert_eq!(newest(end + 600_000).await, (true, 200));
    for wrong in ["soon", "", "2025-13-01T00:00:00Z"] {
        let answer = api.admin("PUT", "now", wrong).await;
        assert_eq!(answer.status, 400);
        let why = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(why.contains("2025-06-01T00:00:00Z"), "{why}");
    }
}

#[tokio::test]
async fn players_change_their_names_while_calls_are_made() {
    let api = Api::new(script(&["rename@account-by-riot-id:2.."])).await;
    let old = "/europe/riot/account/v1/accounts/by-riot-id/Alpha%20Player/SIM";
    assert_eq!(api.get(old).await.status, 200);
    let puuid = api.puuid();
    let mut calls = 0;
    while api.get(old).await.status == 200 {
        calls += 1;
        assert!(calls < 50, "nobody is called otherwise");
    }
    let by_puuid = format!("/europe/riot/account/v1/accounts/by-puuid/{puuid}");
    let told = api.get(&by_puuid).await.json();
    assert_ne!(told["gameName"], "Alpha Player");
    assert_eq!(told["puuid"], puuid);
    assert_eq!(
        api.simulator.counters().faults[&FaultKind::Rename],
        calls + 1
    );
}
