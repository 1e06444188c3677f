//! Another program on the key, and a part of the key, for the real program.

use riftsync::simulator::{SimulatorConfig, Stranger};
use serde_json::{Value, json};

use crate::place::Place;
use crate::rig::{Rig, on_each_place};
use crate::setup::{PLAYER, run, setup_with, text};
use crate::wait;

on_each_place! {
    another_program_on_the_key_is_told_once_and_a_share_can_be_left_to_it,
}

async fn another_program_on_the_key_is_told_once_and_a_share_can_be_left_to_it(place: Place) {
    let config = SimulatorConfig {
        app_limits: vec![(50, 1), (300, 10)],
        stranger: Some(Stranger {
            calls: 1,
            every_ms: 170,
        }),
        ..SimulatorConfig::default()
    };
    let rig = Rig::of(place, setup_with(&[PLAYER], 300, config).await);
    let mut serve = rig.command(&["serve"]);
    // Nothing of it is told before it is known.
    serve.env("RIFTSYNC_RIOT__SHARES__EUW1", "90%");
    let engine = rig.serve_as(serve).await;
    let sync = [
        "sync",
        PLAYER,
        "--platform",
        "euw1",
        "--year",
        "2025",
        "--detach",
    ];
    rig.done(&sync).await;
    let told = || {
        rig.setup
            .log()
            .matches("another program uses this key on europe")
            .count()
    };
    wait::until("another program on the key", async || told() > 0).await;
    let output = run(rig.command(&["health", "--json"])).await;
    // Degraded, or worse on a machine that is slow just now.
    let code = output.status.code();
    assert!(matches!(code, Some(1 | 3)), "{}", text(&output));
    let health: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = health["findings"].as_array().unwrap();
    let of_stranger = |finding: &Value| {
        let message = finding["message"].as_str().unwrap();
        message.contains("another program uses this key")
    };
    let finding = findings
        .iter()
        .find(|finding| of_stranger(finding))
        .unwrap();
    assert!(
        finding["remedy"].as_str().unwrap().contains("key share"),
        "{finding}"
    );

    check_told(&rig).await;

    let shares = &rig.done(&["key", "share"]).await[0];
    assert_eq!(
        *shares,
        json!({ "share": "100%", "routes": { "euw1": "90%" } })
    );
    let shares = &rig.done(&["key", "share", "50%"]).await[0];
    assert_eq!(shares["share"], "50%");
    let output = run(rig.command(&["health", "--json"])).await;
    let health: Value = serde_json::from_slice(&output.stdout).unwrap();
    let routes = health["routes"].as_array().unwrap();
    let europe = routes
        .iter()
        .find(|route| route["route"] == "europe")
        .unwrap();
    assert_eq!(europe["share"], "50%");
    let limits: Vec<&Value> = europe["budget"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| &of["limit"])
        .collect();
    assert_eq!(limits, [25, 150]);
    let findings = health["findings"].as_array().unwrap();
    assert!(
        !findings.iter().any(|finding| {
            // On euw1 it may be left less than it uses.
            of_stranger(finding) && finding["part"].as_str().unwrap().ends_with("europe")
        }),
        "it is left enough: {findings:?}"
    );
    for wrong in [
        &["key", "share", "0%"][..],
        &["key", "share", "50%", "--route", "mars"],
    ] {
        let output = run(rig.command(wrong)).await;
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    }
    // Again only when it is twice as much as was told.
    assert!((1..=2).contains(&told()), "{}", rig.setup.log());
    assert!(
        !rig.setup.log().contains("longer than they say"),
        "{}",
        rig.setup.log()
    );
    engine.stop().await;

    let mut show = rig.command(&["config", "show"]);
    show.env("RIFTSYNC_RIOT__SHARE", "80%");
    let shown = String::from_utf8(run(show).await.stdout).unwrap();
    assert!(shown.contains("share = \"80%\""), "{shown}");
}

/// Programs and people hear of it from `status` and `health`.
async fn check_told(rig: &Rig) {
    let status = &rig.done(&["status"]).await[0];
    // How much it is takes longer to learn than that it is there.
    let percent = status["strangers_percent"]["europe"].as_u64();
    assert!(percent.is_some_and(|percent| percent > 0), "{status}");
    assert_eq!(status["key_shared_with"], json!([]));
    let shown = run(rig.command(&["status"])).await;
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("another program uses the key: about"),
        "{shown}"
    );
    let shown = run(rig.command(&["health"])).await;
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains(", another program uses about"), "{shown}");
}
