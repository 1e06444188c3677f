//! A hostile API for the real engine: keys that end, faults of every kind, a crawl in the way.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;
use futures_util::future::join_all;
use riftsync::engine::EngineConfig;
use riftsync::gate::{Gate, KeySource};
use riftsync::metrics::Metrics;
use riftsync::model::{JobState, Priority, RetryPolicy, Timestamp, Year};
use riftsync::riot::{ApiKey, BaseUrl, RiotClient, install_tls};
use riftsync::simulator::{FaultKind, Faults, KeyExpiry, SIMULATED_KEY, SimulatorConfig};
use riftsync::store::Store;
use riftsync::store::engine::Engine;
use riftsync::store::sqlite::SqliteStore;
use riftsync::tasks::{self, PlayerSyncArgs, Policies};

use crate::setup::{PLAYER, Setup, exited, run, setup_for, setup_with, signal, text};
use crate::wait;

#[derive(QueryableByName, Debug, PartialEq)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[derive(QueryableByName, Debug)]
struct TextRow {
    #[diesel(sql_type = Text)]
    line: String,
}

impl Setup {
    pub fn count(&self, sql: &str) -> i64 {
        let mut conn = SqliteConnection::establish(&self.database()).unwrap();
        let rows: Vec<Count> = diesel::sql_query(sql).load(&mut conn).unwrap();
        rows[0].count
    }

    async fn until_logged(&self, text: &str) {
        wait::until(text, async || self.log().contains(text)).await;
    }
}

/// Two keys, each good for 150 calls and each with puuids of its own: less than the sync needs of one.
#[tokio::test]
async fn a_key_that_expires_in_the_middle_is_replaced_in_its_file_and_nothing_is_lost() {
    let config = SimulatorConfig {
        key_expiry: Some(KeyExpiry::AfterCalls(150)),
        ..SimulatorConfig::default()
    };
    let setup = setup_with(&[PLAYER], 130, config).await;
    let file = setup.folder.path().join("key");
    std::fs::write(&file, "RGAPI-00000000-0000-0000-0000-000000000001\n").unwrap();
    setup.submit(&[PLAYER]).await;
    let mut serve = setup.serve();
    serve
        .env_remove("RIOT_API_KEY")
        .env("RIOT_API_KEY_FILE", &file)
        // Each timeline comes soon after its match, so that matches are left for the second key.
        .env("RIFTSYNC_QUEUES__MATCH_PROCESSING__SLOTS", "1");
    let mut engine = serve.spawn().unwrap();
    setup.until_logged("Riot rejects the API key").await;
    assert!(setup.log().contains(&*file.to_string_lossy()), "what to do");
    assert_eq!(
        setup.count(
            "SELECT count(*) AS count FROM jobs WHERE state IN ('retryable', 'discarded', 'cancelled')
             AND errors NOT LIKE '%not_found%'"
        ),
        0,
        "no attempt is spent"
    );
    assert!(setup.count("SELECT count(*) AS count FROM jobs WHERE finished_at IS NULL") > 0);

    std::fs::write(&file, "RGAPI-00000000-0000-0000-0000-000000000002\n").unwrap();
    setup.until_done(&mut engine).await;
    signal(&engine, "-TERM");
    assert_eq!(exited(engine).await.status.code(), Some(0));
    setup.check_complete().await;
    assert_eq!(setup.count("SELECT max(attempt) AS count FROM jobs"), 1);
    let log = setup.log();
    assert_eq!(log.matches("rejects the API key").count(), 1, "{log}");
    assert!(!log.contains("RGAPI"), "the keys appear nowhere");

    // Some of the matches know the player by a puuid of the first key, some by one of the second: the sync has
    // brought them together before it ended.
    let rows = "SELECT count(*) AS count FROM players WHERE name_folded = 'quietotter#sim'";
    let games =
        "SELECT count(*) AS count FROM match_participants JOIN players ON players.id = player_id
                 WHERE name_folded = 'quietotter#sim'";
    assert_eq!(setup.count(rows), 1);
    let played = setup.count(games);
    assert!(played > 100);
    let tracked = "SELECT count(*) AS count FROM players WHERE tracked = 1";
    assert_eq!(setup.count(tracked), 1, "as before");
    let resolved = "SELECT count(*) AS count FROM jobs WHERE kind = 'resolve_player'";
    assert!((1..=2).contains(&setup.count(resolved)));
    // With a third key there is nothing to fetch, and they stay together.
    let mut sync = setup.sync();
    sync.env("RIOT_API_KEY", SIMULATED_KEY);
    let again = run(sync).await;
    assert!(again.status.success(), "{}", text(&again));
    assert_eq!(setup.count(rows), 1);
    setup.check_complete().await;
    assert_eq!(setup.count(games), played);
}

/// Every kind of fault, each in a world of its own, on one call in twenty.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_costs_time_and_nothing_else_and_is_told_once() {
    // Several at a time: their faults are mostly waiting.
    for kinds in FaultKind::transient().chunks(11) {
        join_all(kinds.iter().map(|kind| one_fault(*kind))).await;
    }
}

async fn one_fault(kind: FaultKind) {
    let setup = setup_for(&[PLAYER], 60).await;
    setup.simulator.control().set_faults(Faults {
        probability: 0.05,
        kinds: vec![kind],
        ..Faults::none()
    });
    setup.submit(&[PLAYER]).await;
    let poisoned = setup.run_to_the_end().await;
    assert!(poisoned.is_empty());
    let failed: Vec<TextRow> = {
        let mut conn = SqliteConnection::establish(&setup.database()).unwrap();
        diesel::sql_query(
            "SELECT kind || ' ' || errors AS line FROM jobs WHERE state IN ('discarded', 'cancelled')
             AND errors NOT LIKE '%not_found%' AND errors NOT LIKE '%refused%'",
        )
        .load(&mut conn)
        .unwrap()
    };
    let failed: Vec<String> = failed.into_iter().map(|failed| failed.line).collect();
    assert!(failed.is_empty(), "{}: {failed:?}", kind.as_str());
    // What was refused twice in a row is remembered, and a recovery asks for it.
    setup.simulator.control().set_faults(Faults::none());
    let recovered =
        run(setup.command(&["recover", PLAYER, "--platform", "euw1", "--year", "2025"])).await;
    assert!(recovered.status.success(), "{}", text(&recovered));
    setup.check_complete_small(60).await;
    // Lines that differ in their numbers only are the same thing told again. What Riot does not have
    // is an answer of its own for each document.
    let log = setup.log();
    let mut told: HashMap<String, u32> = HashMap::new();
    for line in log.lines().filter(|line| !line.contains("(404)")) {
        let text: String = line.chars().filter(|c| !c.is_ascii_digit()).collect();
        *told.entry(text).or_default() += 1;
    }
    for (line, times) in told {
        assert!(
            times <= 2,
            "{} is told {times} times: {line}\n{log}",
            kind.as_str()
        );
    }
}

/// A crawl of 40 players holds every slot and fills the waiting lines; then a person asks for one more.
#[actix::test]
async fn what_a_person_waits_for_is_called_within_one_window_of_a_crawl() {
    const LIMITS: [(u32, u32); 2] = [(20, 1), (100, 10)];
    install_tls();
    let mut players: Vec<String> = (0..40).map(|n| format!("Crawled {n}#SIM")).collect();
    players.push(PLAYER.to_owned());
    let names: Vec<&str> = players.iter().map(String::as_str).collect();
    let config = SimulatorConfig {
        app_limits: LIMITS.to_vec(),
        ..SimulatorConfig::default()
    };
    let setup = setup_with(&names, 300, config).await;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(setup.database().as_ref()).unwrap());
    let metrics = Arc::new(Metrics::default());
    let base = BaseUrl::new(&setup.simulator.base_url()).unwrap();
    let (gate, services) = Gate::new(
        ApiKey::new(SIMULATED_KEY).unwrap(),
        KeySource::default(),
        Arc::new(RiotClient::new(base).unwrap()),
        tasks::API_QUEUES,
        Some(store.clone().into()),
        metrics.clone(),
        64,
    );
    let registry = Arc::new(tasks::registry(&gate.api, Policies::default()));
    let config = EngineConfig {
        queues: tasks::queues(),
        drain: Duration::from_millis(100),
        keep_finished: Duration::from_hours(1),
        ..EngineConfig::default()
    };
    let engine = Engine::start(config, store.clone(), registry, services, metrics)
        .await
        .unwrap();
    let now = Timestamp::now();
    let order = |name: &str, priority| {
        let args = PlayerSyncArgs {
            track: true,
            ..PlayerSyncArgs::new(
                name.parse().unwrap(),
                "euw1".parse().unwrap(),
                Year::parse("2025", now).unwrap(),
            )
        };
        args.job(priority, RetryPolicy::new(3, 60, 600))
    };
    let crawl = names[..40]
        .iter()
        .map(|name| order(name, Priority::LAST))
        .collect();
    store.enqueue(crawl, now).await.unwrap();
    // Two windows of it: matches and timelines wait beside the players' own calls.
    wait::until("200 calls", async || {
        setup.simulator.counters().calls >= 200
    })
    .await;
    let before = setup.simulator.counters().calls;
    let asked = vec![order(PLAYER, Priority::INTERACTIVE)];
    let id = store.enqueue(asked, now).await.unwrap()[0].id;
    // It shows this step when Riot has answered its first two calls.
    wait::until("its first step", async || {
        let job = store.job(id).await.unwrap().unwrap();
        assert!(!job.state.is_final() || job.state == JobState::Completed);
        job.percent >= 10
    })
    .await;
    let calls = setup.simulator.counters().calls - before;
    assert!(calls <= 100, "{calls} calls, one window has 100");
    assert_eq!(setup.simulator.counters().of_status(429), 0);
    gate.availability.close();
    engine.stop().await.unwrap();
    store.close().await.unwrap();
}

/// Killed each time when the key has nothing left in its window.
#[tokio::test]
async fn an_engine_that_starts_again_keeps_to_what_the_last_one_left_of_the_key() {
    let config = SimulatorConfig {
        app_limits: vec![(50, 1), (150, 5)],
        ..SimulatorConfig::default()
    };
    let setup = setup_with(&[PLAYER], 300, config).await;
    setup.submit(&[PLAYER]).await;
    for calls in [150, 300, 420] {
        let mut engine = setup.serve().spawn().unwrap();
        wait::until_soon("its calls", async || {
            setup.simulator.counters().calls >= calls || wait::not_yet(&mut engine, || setup.log())
        })
        .await;
        engine.kill().unwrap();
        engine.wait().unwrap();
    }
    setup.run_to_the_end().await;
    let counters = setup.simulator.counters();
    assert_eq!(counters.of_status(429), 0);
    assert!(counters.calls > 500, "{}", counters.calls);
    setup.check_complete().await;
}
