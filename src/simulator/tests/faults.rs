//! Limits, keys and faults as a client meets them over the socket, by configuration and by switch.

use std::time::Duration;

use serde_json::Value;

use super::api::{Answer, Api};
use crate::{
    Blacklist, Faults, KeyExpiry, Latency, Method, RetryAfter, SIMULATED_KEY, SimulatorConfig,
    WindowModel,
};
use riftsync_model::{Platform, Route, Timestamp};

const STATUS: &str = "/euw1/lol/status/v4/platform-data";
const EUW1: Route = Route::Platform(Platform::Euw1);

impl Api {
    async fn statuses(&self, paths: &[&str]) -> Vec<u16> {
        let mut statuses = Vec::new();
        for path in paths {
            statuses.push(self.get(path).await.status);
        }
        statuses
    }

    async fn with_key(&self, key: &str) -> Answer {
        self.with(STATUS, &format!("x-riot-token: {key}\r\n")).await
    }
}

fn script(rules: &[&str]) -> SimulatorConfig {
    SimulatorConfig {
        script: rules.iter().map(|rule| rule.parse().unwrap()).collect(),
        ..SimulatorConfig::default()
    }
}

#[tokio::test]
async fn a_script_strikes_where_and_when_it_says_before_any_chance() {
    let api = Api::new(SimulatorConfig {
        faults: Faults {
            probability: 1.0,
            kinds: vec!["500".parse().unwrap()],
            stall_ms: 0,
        },
        ..script(&["503@euw1/status:2", "401@status:3"])
    })
    .await;
    assert_eq!(api.statuses(&[STATUS; 4]).await, [500, 503, 401, 500]);
    let control = api.simulator.control();
    control.set_faults(Faults::none());
    control.set_script(vec!["504@1".parse().unwrap()]);
    let asia = "/asia/lol/match/v5/matches/KR_1";
    assert_eq!(api.statuses(&[asia, asia]).await, [504, 404]);
    let faults: Vec<_> = api.simulator.counters().faults.into_iter().collect();
    let named = |name: &str, n| (name.parse().unwrap(), n);
    assert_eq!(
        faults,
        [
            named("500", 2),
            named("503", 1),
            named("504", 1),
            named("401", 1)
        ]
    );
}

#[tokio::test]
async fn an_outage_of_one_route_leaves_the_others_alone() {
    let api = Api::new(SimulatorConfig::default()).await;
    let control = api.simulator.control();
    let kr = "/kr/lol/status/v4/platform-data";
    control.fail_route(EUW1, Some(503));
    assert_eq!(api.statuses(&[STATUS, kr]).await, [503, 200]);
    control.fail_route(EUW1, None);
    assert_eq!(api.statuses(&[STATUS, kr]).await, [200, 200]);
    let counters = api.simulator.counters();
    assert_eq!(
        (counters.outage, counters.of_method(Method::Status)),
        (1, 3)
    );
}

#[tokio::test]
async fn a_key_that_goes_on_into_429s_is_shut_out_and_nothing_it_does_counts() {
    let api = Api::new(SimulatorConfig {
        app_limits: vec![(1, 1000)],
        blacklist: Some(Blacklist {
            refusals: 2,
            within_ms: 1_000_000,
            lasts_ms: 1_000_000,
        }),
        ..SimulatorConfig::default()
    })
    .await;
    let answers = api.statuses(&[STATUS; 6]).await;
    assert_eq!(answers, [200, 429, 429, 429, 403, 403]);
    assert_eq!(api.with_key("RGAPI-other").await.status, 200);
    let counters = api.simulator.counters();
    assert_eq!((counters.blacklisted, counters.blacklistings), (2, 1));
    assert_eq!((counters.over_limit, counters.key_refused), (3, 0));
    assert_eq!(counters.permitted[&(EUW1, Method::Status)], 2);
    api.simulator.control().set_blacklist(None);
    assert_eq!(
        api.get(STATUS).await.header("x-app-rate-limit-count"),
        Some("5:1000")
    );
}

#[tokio::test]
async fn limits_of_the_service_shut_nobody_out() {
    let config = SimulatorConfig {
        blacklist: Some(Blacklist {
            refusals: 0,
            within_ms: 1_000_000,
            lasts_ms: 1_000_000,
        }),
        ..script(&[
            "429-service@1",
            "429-server@2",
            "429-untyped@3",
            "429-method@4",
        ])
    };
    let api = Api::new(config).await;
    let answers = api.statuses(&[STATUS; 5]).await;
    assert_eq!(answers, [429, 429, 429, 429, 403]);
}

#[tokio::test]
async fn a_key_expires_and_another_one_is_as_good_as_new() {
    let api = Api::new(SimulatorConfig {
        key_expiry: Some(KeyExpiry::AfterCalls(2)),
        ..SimulatorConfig::default()
    })
    .await;
    assert_eq!(api.statuses(&[STATUS; 3]).await, [200, 200, 403]);
    // The new one is not known everywhere yet.
    let control = api.simulator.control();
    control.set_keys(Some(vec![SIMULATED_KEY.to_owned()]));
    assert_eq!(api.with_key("RGAPI-new").await.status, 403);
    control.set_keys(None);
    assert_eq!(api.with_key("RGAPI-new").await.status, 200);
    assert_eq!(api.get(STATUS).await.status, 403, "expired is expired");
    assert_eq!(api.simulator.counters().key_refused, 3);
    control.set_key_expiry(None);
    assert_eq!(api.get(STATUS).await.status, 200);
}

#[tokio::test]
async fn retry_after_may_be_missing_or_wrong() {
    let api = Api::new(SimulatorConfig {
        method_limits: vec![(1, 1000)],
        retry_after: RetryAfter::Missing,
        ..SimulatorConfig::default()
    })
    .await;
    api.get(STATUS).await;
    let over = api.get(STATUS).await;
    assert_eq!(over.header("x-rate-limit-type"), Some("method"));
    assert_eq!(over.header("retry-after"), None);
    api.simulator.control().set_retry_after(RetryAfter::Zero);
    assert_eq!(api.get(STATUS).await.header("retry-after"), Some("0"));
    api.simulator
        .control()
        .set_script(vec!["429-service@always".parse().unwrap()]);
    // The limit comes first: the service is never asked.
    assert_eq!(
        api.get(STATUS).await.header("x-rate-limit-type"),
        Some("method")
    );
    let other = api.get("/kr/lol/status/v4/platform-data").await;
    assert_eq!(other.header("x-rate-limit-type"), Some("service"));
    assert_eq!(other.header("retry-after"), Some("0"));
}

#[tokio::test]
async fn windows_aligned_to_the_clock_end_where_the_clock_says() {
    const LENGTH_S: i64 = 1_000_000;
    let api = Api::new(SimulatorConfig {
        app_limits: vec![(0, u32::try_from(LENGTH_S).unwrap())],
        window_model: WindowModel::AlignedToClock,
        ..SimulatorConfig::default()
    })
    .await;
    let left_s = || LENGTH_S - Timestamp::now().as_secs() % LENGTH_S;
    let before_s = left_s();
    let told = api
        .get(STATUS)
        .await
        .header("retry-after")
        .unwrap()
        .parse()
        .unwrap();
    // Rounded up, and the clock may have moved on meanwhile.
    assert!((left_s()..=before_s + 1).contains(&told), "{told}");
}

#[tokio::test]
async fn edges_drift_as_configured() {
    let api = Api::new(SimulatorConfig {
        app_limits: vec![(0, 10)],
        edge_jitter_ms: 100_000_000,
        ..SimulatorConfig::default()
    })
    .await;
    let answer = api.get(STATUS).await;
    let told: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    // One seed in ten thousand would drift by less.
    assert!((20..=100_010).contains(&told), "{told}");
}

#[tokio::test]
async fn latency_lies_before_and_after_the_count_as_configured() {
    for (share, windows) in [(0.0, 1), (1.0, 0)] {
        let api = Api::new(SimulatorConfig {
            latency: Latency {
                median_ms: 100_000.0,
                sigma: 0.0,
            },
            latency_before_count: share,
            app_limits: vec![(10, 10)],
            ..SimulatorConfig::default()
        })
        .await;
        // The answer is a hundred seconds away: nobody waits for it.
        let counted = async {
            loop {
                let counters = api.simulator.counters();
                if counters.calls == 1 && counters.windows.len() == windows {
                    break counters;
                }
                tokio::task::yield_now().await;
            }
        };
        let counters = tokio::select! {
            _ = api.get(STATUS) => panic!("there was no latency"),
            () = tokio::time::sleep(Duration::from_secs(20)) => panic!("the call was not counted"),
            counters = counted => counters,
        };
        assert!(counters.by_status.is_empty());
        assert_eq!(counters.permitted_of(Method::Status), windows as u64);
        api.simulator.stop().await;
    }
}

#[tokio::test]
async fn a_dripping_body_comes_in_pieces() {
    let api = Api::new(script(&["drip=15ms@match-ids:2"])).await;
    let path = format!(
        "/europe/lol/match/v5/matches/by-puuid/{}/ids?count=100",
        api.puuid()
    );
    let whole = api.get(&path).await;
    let dripped = api.get(&path).await;
    assert_eq!((whole.chunks, dripped.chunks), (1, 16));
    assert_eq!(whole.body, dripped.body);
}

#[tokio::test]
async fn another_process_reads_the_counts_and_turns_the_switches() {
    let api = Api::new(SimulatorConfig::default()).await;
    let put = async |path: &str, body: &str| api.admin("PUT", path, body).await.status;
    assert_eq!(put("faults", "503@euw1:1\n\n 500@2 \n").await, 200);
    assert_eq!(put("limits", "20:1000,100:120\n").await, 200);
    assert_eq!(put("method-limits", "5:1000").await, 200);
    assert_eq!(api.statuses(&[STATUS; 3]).await, [503, 500, 200]);
    assert_eq!(put("keys", "RGAPI-b\nRGAPI-c").await, 200);
    assert_eq!(api.get(STATUS).await.status, 403);
    assert_eq!(api.with_key("RGAPI-c").await.status, 200);
    let counts = api.admin("GET", "counters", "").await.json();
    assert_eq!(counts["calls"], 5, "its own paths are not counted");
    assert_eq!(
        counts["by_status"],
        serde_json::json!({"200": 2, "403": 1, "500": 1, "503": 1})
    );
    assert_eq!(counts["permitted"]["euw1"]["status"], 4);
    assert_eq!(counts["faults"], serde_json::json!({"500": 1, "503": 1}));
    assert_eq!(counts["windows"].as_array().unwrap().len(), 3);
    assert_eq!(put("keys", "any").await, 200);
    assert_eq!(api.get(STATUS).await.status, 200);
    assert_eq!(api.admin("DELETE", "counters", "").await.status, 200);
    assert_eq!(api.simulator.counters().calls, 0);
    assert_eq!(put("limits", "none").await, 200);
    assert_eq!(api.get(STATUS).await.header("x-app-rate-limit"), None);
}

#[tokio::test]
async fn a_switch_that_cannot_be_read_changes_nothing_and_says_why() {
    let api = Api::new(script(&["503@status"])).await;
    for (path, body, remedy) in [
        ("faults", "500@status\n503@mars", "a route (kr, asia)"),
        ("limits", "20", "20:1,100:120"),
        ("method-limits", "", "or none"),
    ] {
        let answer = api.admin("PUT", path, body).await;
        assert_eq!(answer.status, 400, "{path}");
        let why = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(why.contains(remedy), "{why}");
    }
    assert_eq!(api.get(STATUS).await.status, 503);
    for (method, path) in [("POST", "faults"), ("GET", "limits"), ("GET", "")] {
        assert_eq!(
            api.admin(method, path, "").await.status,
            404,
            "{method} {path}"
        );
    }
    let large = api.admin("PUT", "faults", &" ".repeat(70_000)).await;
    assert_eq!(large.status, 413);
    let unread: Value = api.admin("GET", "counters", "").await.json();
    assert_eq!(unread["calls"], 1);
}
