use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::api::Api;
use super::{ALPHA, config, riot_id};
use crate::gzip::tests::gunzip;
use crate::{
    FaultKind, Faults, KeyScope, Method, SIMULATED_KEY, Simulator, SimulatorConfig, World,
    WorldConfig,
};

#[tokio::test]
async fn from_a_name_to_a_document_over_the_socket() {
    let api = Api::new(SimulatorConfig::default()).await;
    let account = api
        .get("/europe/riot/account/v1/accounts/by-riot-id/alpha%20player/sim")
        .await;
    assert_eq!(
        account.json(),
        serde_json::json!({"puuid": api.puuid(), "gameName": "Alpha Player", "tagLine": "SIM"})
    );
    let same = api
        .get(&format!(
            "/asia/riot/account/v1/accounts/by-puuid/{}",
            api.puuid()
        ))
        .await;
    assert_eq!(same.json(), account.json());
    let region = api
        .get(&format!(
            "/americas/riot/account/v1/region/by-game/lol/by-puuid/{}",
            api.puuid()
        ))
        .await;
    assert_eq!(region.json()["region"], "euw1");
    let summoner = api
        .get(&format!(
            "/euw1/lol/summoner/v4/summoners/by-puuid/{}",
            api.puuid()
        ))
        .await;
    assert!(summoner.json()["summonerLevel"].as_i64().unwrap() > 0);
    let ids = api.ids("count=100").await;
    let truth = api.world.player_matches(&riot_id(ALPHA), 2026);
    assert_eq!(ids[0], truth.last().unwrap().id.to_string(), "newest first");
    let (path, key) = (
        format!("/europe/lol/match/v5/matches/{}", ids[0]),
        format!("x-riot-token: {SIMULATED_KEY}\r\n"),
    );
    let plain = api.with(&path, &key).await;
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(
        plain.header("content-type"),
        Some("application/json;charset=utf-8")
    );
    let zipped = api
        .with(&path, &format!("{key}accept-encoding: br, gzip\r\n"))
        .await;
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
    assert_eq!(gunzip(&zipped.body), plain.body);
    assert_eq!(
        api.with(&path, &format!("{key}accept-encoding: gzip;q=0\r\n"))
            .await
            .header("content-encoding"),
        None
    );
    let timeline = api.get(&format!("{path}/timeline")).await;
    assert_eq!(timeline.json()["metadata"], plain.json()["metadata"]);
    assert_eq!(api.simulator.counters().of_method(Method::Match), 3);
    api.simulator.stop().await;
}

#[tokio::test]
async fn a_client_that_pages_to_the_empty_page_has_every_match_once() {
    let api = Api::new(SimulatorConfig::default()).await;
    let year = riftsync_model::Year::new(2025, riftsync_model::Timestamp::now()).unwrap();
    let (from, to) = (year.start().as_secs(), year.end().as_secs() - 1);
    let mut seen = Vec::new();
    loop {
        let page = api
            .ids(&format!(
                "startTime={from}&endTime={to}&start={}&count=25",
                seen.len()
            ))
            .await;
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    let mut truth: Vec<String> = api
        .world
        .player_matches(&riot_id(ALPHA), 2025)
        .iter()
        .map(|m| m.id.to_string())
        .collect();
    truth.reverse();
    assert_eq!(seen, truth);
    // Seconds only; unknown names are ignored; the filter knows nothing before its own beginning.
    assert!(
        api.ids(&format!("startTime={}", from * 1000))
            .await
            .is_empty()
    );
    assert_eq!(api.ids("beginTime=1&count=3").await.len(), 3);
    let first = riftsync_model::Year::new(2021, riftsync_model::Timestamp::now())
        .unwrap()
        .start()
        .as_secs();
    assert!(
        api.ids(&format!("startTime={first}&endTime=1623801599"))
            .await
            .is_empty()
    );
    assert_eq!(api.ids("start=100000").await, Vec::<String>::new());
    let ranked = api.ids("type=ranked&count=100").await.len()
        + api.ids("type=ranked&count=100&start=100").await.len();
    let solo = api.ids("queue=420&count=100").await.len()
        + api.ids("queue=420&count=100&start=100").await.len();
    assert!(solo < ranked, "{solo} {ranked}");
    assert!(api.ids("queue=440&type=normal").await.is_empty());
    let elsewhere = api
        .get(&format!(
            "/asia/lol/match/v5/matches/by-puuid/{}/ids",
            api.puuid()
        ))
        .await;
    assert_eq!(
        (elsewhere.status, elsewhere.body.as_slice()),
        (200, &b"[]"[..])
    );
}

#[tokio::test]
async fn a_limited_list_shows_only_the_newest() {
    let api = Api::new(SimulatorConfig {
        list_depth: Some(30),
        ..SimulatorConfig::default()
    })
    .await;
    assert_eq!(api.ids("count=100").await.len(), 30);
    assert!(api.ids("start=30").await.is_empty());
}

#[tokio::test]
async fn errors_have_the_status_and_the_words_of_the_real_api() {
    let api = Api::new(SimulatorConfig::default()).await;
    let missing = api.get("/europe/lol/match/v5/matches/EUW1_1").await;
    assert_eq!(
        (missing.status, missing.message().as_str()),
        (404, "Data not found - match file not found")
    );
    assert_eq!(missing.json()["status"]["status_code"], 404);
    let wrong_route = api
        .get(&format!(
            "/asia/lol/match/v5/matches/{}",
            api.ids("count=1").await[0]
        ))
        .await;
    assert_eq!(wrong_route.status, 404);
    let count = api
        .get(&format!(
            "/europe/lol/match/v5/matches/by-puuid/{}/ids?count=101",
            api.puuid()
        ))
        .await;
    assert_eq!(count.status, 400);
    assert_eq!(count.body, br#"{"status":{"message":"Bad Request - invalid parameter value 101, must be between 0 and 100"}}"#);
    for id in [
        "a".repeat(78),
        api.world
            .puuid(&riot_id(ALPHA), KeyScope::of_key("RGAPI-other"))
            .unwrap()
            .to_string(),
    ] {
        let other = api
            .get(&format!("/europe/lol/match/v5/matches/by-puuid/{id}/ids"))
            .await;
        assert_eq!(
            (other.status, other.message()),
            (400, format!("Bad Request - Exception decrypting {id}"))
        );
    }
    for (path, status) in [
        (
            "/europe/riot/account/v1/accounts/by-riot-id/Nobody/SIM",
            404,
        ),
        (
            "/europe/riot/account/v1/accounts/by-riot-id/Alpha%20Player/404",
            404,
        ),
        (
            "/sea/riot/account/v1/accounts/by-riot-id/Alpha%20Player/SIM",
            403,
        ),
        ("/europe/lol/summoner/v4/summoners/by-name/alpha", 403),
        ("/mars/lol/status/v4/platform-data", 403),
        ("/euw1/lol/status/v4/platform-data", 200),
        (
            "/kr/lol/league/v4/challengerleagues/by-queue/RANKED_SOLO_5x5",
            200,
        ),
        (
            "/kr/lol/league/v4/entries/RANKED_FLEX_SR/GOLD/IV?page=1",
            200,
        ),
        ("/kr/lol/league/v4/entries/RANKED_FLEX_SR/MASTER/I", 400),
        ("/kr/lol/league-exp/v4/entries/RANKED_FLEX_SR/MASTER/I", 200),
    ] {
        assert_eq!(api.get(path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn only_accepted_keys_get_in() {
    let api = Api::new(SimulatorConfig {
        keys: Some(vec!["RGAPI-mine".to_owned()]),
        ..SimulatorConfig::default()
    })
    .await;
    let path = "/euw1/lol/status/v4/platform-data";
    let none = api.with(path, "").await;
    assert_eq!(
        (none.status, none.message().as_str()),
        (401, "Unauthorized")
    );
    let unknown = api.get(path).await;
    assert_eq!(
        (unknown.status, unknown.message().as_str()),
        (403, "Forbidden")
    );
    assert_eq!(
        api.with(path, "X-Riot-Token: RGAPI-mine\r\n").await.status,
        200
    );
    assert_eq!(
        api.with(&format!("{path}?api_key=RGAPI-mine"), "")
            .await
            .status,
        200
    );
    let control = api.simulator.control();
    control.reject_key(true);
    assert_eq!(
        api.with(path, "x-riot-token: RGAPI-mine\r\n").await.status,
        403
    );
    control.reject_key(false);
    control.fail_all(Some(503));
    assert_eq!(
        api.with(path, "x-riot-token: RGAPI-mine\r\n").await.status,
        503
    );
    let counters = api.simulator.counters();
    assert_eq!(
        (
            counters.calls,
            counters.key_refused,
            counters.of_status(200)
        ),
        (6, 3, 2)
    );
}

#[tokio::test]
async fn limits_are_told_in_headers_and_overruns_get_429() {
    let (app_limits, method_limits) = (vec![(3, 100), (100, 120)], vec![(50, 100)]);
    let api = Api::new(SimulatorConfig {
        app_limits,
        method_limits,
        ..SimulatorConfig::default()
    })
    .await;
    let path = "/euw1/lol/status/v4/platform-data";
    let first = api.get(path).await;
    assert_eq!(first.header("X-App-Rate-Limit"), Some("3:100,100:120"));
    assert_eq!(first.header("X-App-Rate-Limit-Count"), Some("1:100,1:120"));
    assert_eq!(first.header("X-Method-Rate-Limit-Count"), Some("1:100"));
    // A 404 and an answer on another route: the first counts, the second elsewhere.
    api.get("/euw1/lol/summoner/v4/summoners/by-puuid/x").await;
    assert_eq!(
        api.get("/kr/lol/status/v4/platform-data")
            .await
            .header("X-App-Rate-Limit-Count"),
        Some("1:100,1:120")
    );
    assert_eq!(api.get(path).await.status, 200);
    let over = api.get(path).await;
    assert_eq!(
        (over.status, over.message().as_str()),
        (429, "Rate limit exceeded")
    );
    assert_eq!(over.header("x-rate-limit-type"), Some("application"));
    assert!((99..=100).contains(&over.header("retry-after").unwrap().parse::<u32>().unwrap()));
    assert_eq!(over.header("x-app-rate-limit-count"), Some("4:100,4:120"));
    let counters = api.simulator.counters();
    assert_eq!(
        (
            counters.limited_application,
            counters.over_limit,
            counters.limited()
        ),
        (1, 1, 1)
    );
    api.simulator.control().set_app_limits(vec![]);
    assert_eq!(api.get(path).await.header("x-app-rate-limit"), None);
    // Windows of another length are new ones.
    api.simulator.control().set_method_limits(vec![(1, 90)]);
    api.simulator.control().set_strict_limits(false);
    api.get(path).await;
    assert_eq!(api.get(path).await.status, 200);
    assert_eq!(api.simulator.counters().over_limit, 2);
}

#[tokio::test]
async fn every_fault_arrives_as_what_it_is() {
    let api = Api::new(SimulatorConfig {
        app_limits: vec![(1000, 1000)],
        ..SimulatorConfig::default()
    })
    .await;
    let path = format!(
        "/europe/lol/match/v5/matches/by-puuid/{}/ids?count=100",
        api.puuid()
    );
    let headers = format!("x-riot-token: {SIMULATED_KEY}\r\naccept-encoding: gzip\r\n");
    let only = |kind| Faults {
        probability: 1.0,
        kinds: vec![kind],
        stall_ms: 1,
    };
    // Those that change an answer, and those of documents alone, are tried in `oddities`. A 204 has no body to read.
    let plain = [
        FaultKind::Found,
        FaultKind::RequestTimeout,
        FaultKind::Unavailable451,
        FaultKind::NotFound,
        FaultKind::NotFoundHtml,
        FaultKind::NotFoundPlain,
    ];
    let transient = FaultKind::transient().iter().copied();
    let kinds: Vec<_> = transient.chain(plain).collect();
    for kind in kinds
        .iter()
        .copied()
        .filter(|kind| *kind != FaultKind::Reset)
    {
        let mut words = kind.as_str().split('-');
        let status = words.find_map(|word| word.parse().ok()).unwrap_or(200);
        api.simulator.control().set_faults(only(kind));
        let answer = api.with(&path, &headers).await;
        assert_eq!(answer.status, status, "{kind:?}");
        let mut unpacked = Vec::new();
        let unpacks = std::io::Read::read_to_end(
            &mut flate2::read::GzDecoder::new(answer.body.as_slice()),
            &mut unpacked,
        )
        .is_ok();
        let is_counted = answer.header("x-app-rate-limit-count").is_some();
        // What the network in front answers, and what is said of a key, never reaches the counter.
        let is_outside = kind.as_str().ends_with("-html")
            || ["401", "403", "429-server", "429-untyped", "plain-404"].contains(&kind.as_str());
        assert_eq!(is_counted, !is_outside, "{kind:?}");
        let limit_type = answer.header("x-rate-limit-type");
        match kind {
            FaultKind::ApplicationLimit => assert_eq!(limit_type, Some("application")),
            FaultKind::MethodLimit => assert_eq!(limit_type, Some("method")),
            FaultKind::ServiceLimit => assert_eq!(limit_type, Some("service")),
            FaultKind::ServerLimit => {
                assert_eq!(limit_type, Some("server"));
                assert_eq!(answer.message(), "server rate limit exceeded");
            }
            FaultKind::UntypedLimit => {
                assert_eq!(limit_type.or(answer.header("retry-after")), None);
            }
            FaultKind::Found => assert_eq!(answer.header("location"), Some("/nowhere")),
            FaultKind::CutGzip => assert!(!unpacks),
            FaultKind::NotJson => assert!(serde_json::from_slice::<Value>(&answer.body).is_err()),
            FaultKind::Bomb => assert!(unpacks && unpacked.len() > 100_000_000),
            FaultKind::Stall | FaultKind::Drip => assert_eq!(
                serde_json::from_slice::<Vec<String>>(&unpacked)
                    .unwrap()
                    .len(),
                100
            ),
            _ if kind.as_str().ends_with("-html") => {
                let page = answer.header("content-type").unwrap();
                assert!(page.starts_with("text/html"), "{kind:?}");
            }
            _ => assert_eq!(answer.json()["status"]["status_code"], status),
        }
    }
    api.simulator.control().set_faults(only(FaultKind::Reset));
    let cut = api.raw(&path, &headers).await;
    assert!(cut.is_err(), "{cut:?}");
    let counters = api.simulator.counters();
    assert_eq!(counters.faults.len(), kinds.len());
    assert_eq!(
        [
            counters.limited_application,
            counters.limited_method,
            counters.limited_service,
            counters.limited_server,
            counters.limited_untyped
        ],
        [1; 5]
    );
    assert_eq!(counters.over_limit, 0, "faults are not the client's");
}

#[tokio::test]
async fn a_stopped_simulator_has_freed_its_port_and_cut_its_stalls() {
    let config = SimulatorConfig {
        faults: Faults {
            probability: 1.0,
            kinds: vec![FaultKind::Stall],
            stall_ms: 600_000,
        },
        ..SimulatorConfig::default()
    };
    let api = Api::new(config).await;
    let addr = api.simulator.addr();
    let mut stalled = TcpStream::connect(addr).await.unwrap();
    let request = format!(
        "GET /kr/lol/status/v4/platform-data HTTP/1.1\r\nhost: sim\r\nx-riot-token: {SIMULATED_KEY}\r\n\r\n"
    );
    stalled.write_all(request.as_bytes()).await.unwrap();
    while api.simulator.counters().faults.is_empty() {
        tokio::task::yield_now().await;
    }
    api.simulator.stop().await;
    let mut rest = Vec::new();
    let _ = stalled.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_renamed_player_is_found_by_the_new_name_and_by_the_puuid_of_every_key() {
    let api = Api::new(SimulatorConfig::default()).await;
    let account = "/europe/riot/account/v1/accounts";
    let old = format!("{account}/by-riot-id/Alpha%20Player/SIM");
    let puuid = api.puuid();
    let lines = "Alpha Player#SIM -> Omega#SIM @ 2025-07-01T00:00:00Z\n";
    assert_eq!(api.admin("PUT", "names", lines).await.status, 200);
    assert_eq!(api.get(&old).await.status, 404);
    let told = api.get(&format!("{account}/by-puuid/{puuid}")).await.json();
    assert_eq!(told["gameName"], "Omega");
    let other_key = "x-riot-token: RGAPI-00000000-0000-0000-0000-000000000001\r\n";
    let new = format!("{account}/by-riot-id/omega/sim");
    let told = api.with(&new, other_key).await.json();
    assert_eq!(told["tagLine"], "SIM");
    assert_ne!(told["puuid"], puuid);

    let lines = "Beta#SIM -> Alpha Player#SIM\n";
    assert_eq!(api.admin("PUT", "names", lines).await.status, 200);
    assert_ne!(api.get(&old).await.json()["puuid"], puuid, "taken over");
    let refused = api.admin("PUT", "names", "Beta#SIM -> X#SIM").await;
    assert_eq!(refused.status, 400);

    let matches = api.world.player_matches(&riot_id("Omega#SIM"), 2025);
    let names = [matches.first(), matches.last()].map(|found| found.unwrap().id);
    let mut seen = Vec::new();
    for id in names {
        let document = api.get(&format!("/europe/lol/match/v5/matches/{id}")).await;
        let document = document.json();
        let participants = document["info"]["participants"].as_array().unwrap();
        let own = participants.iter().find(|one| one["puuid"] == *puuid);
        seen.push(own.unwrap()["riotIdGameName"].clone());
    }
    assert_eq!(seen, ["Alpha Player", "Omega"]);
}

#[tokio::test]
async fn an_ordinary_client_on_kept_connections_is_served() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let world = Arc::new(World::new(WorldConfig {
        plain: true,
        ..config(30)
    }));
    let simulator = Simulator::start(Arc::clone(&world), SimulatorConfig::default())
        .await
        .unwrap();
    let client = reqwest::Client::new();
    for truth in world.player_matches(&riot_id(ALPHA), 2025) {
        let base = simulator.base_url().replace("{route}", "europe");
        let url = format!("{base}/lol/match/v5/matches/{}/timeline", truth.id);
        let request = client
            .get(url)
            .header("X-Riot-Token", SIMULATED_KEY)
            .header("accept-encoding", "gzip");
        let body = request.send().await.unwrap().bytes().await.unwrap();
        let timeline: Value = serde_json::from_slice(&gunzip(&body)).unwrap();
        assert_eq!(timeline["metadata"]["matchId"], truth.id.to_string());
    }
    simulator.stop().await;
}

#[tokio::test]
async fn the_switches_answer_to_no_strangers_name() {
    let api = Api::new(SimulatorConfig::default()).await;
    for host in ["evil.example", "127.0.0.1.evil.example:80"] {
        for (method, path) in [("GET", "counters"), ("PUT", "limits")] {
            let answer = api.admin_by(host, method, path, "1:1").await;
            assert_eq!(answer.status, 403, "{host} {path}");
        }
    }
    // Nothing was switched, and the API itself asks for no name.
    let answer = api.admin_by("127.0.0.1", "GET", "counters", "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(api.get("/kr/lol/status/v4/platform-data").await.status, 200);
    assert_eq!(api.get("/kr/lol/status/v4/platform-data").await.status, 200);
}

#[tokio::test]
async fn the_switches_answer_to_no_other_machine() {
    // The address by which others reach this machine. Nothing is sent: a datagram's socket is only told where to.
    let own = std::net::UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket
            .connect("192.0.2.1:9")
            .and_then(|()| socket.local_addr())
    });
    let Some(own) = own.ok().filter(|own| !own.ip().is_loopback()) else {
        eprintln!(
            "SKIPPED the_switches_answer_to_no_other_machine: this machine has no other address"
        );
        return;
    };
    let api = Api::new(SimulatorConfig {
        listen: (own.ip(), 0).into(),
        ..SimulatorConfig::default()
    })
    .await;
    let answer = api.admin_by("localhost", "PUT", "limits", "1:1").await;
    assert_eq!(answer.status, 403);
    assert_eq!(api.get("/kr/lol/status/v4/platform-data").await.status, 200);
}
