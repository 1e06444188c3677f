//! Several engines, each a process of its own, over one PostgreSQL and with one key.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use riftsync::model::{Platform, Priority, RetryPolicy, Timestamp, Year};
use riftsync::simulator::{Latency, Method, SIMULATED_KEY, SimulatorConfig};
use riftsync::store::postgres::PostgresStore;
use riftsync::store::{Database, Store};
use riftsync::tasks::PlayerSyncArgs;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::cut::{CUT_AFTER, CUT_BEFORE, PASSES, Proxy};
use crate::data::check_statistics;
use crate::scratch::Scratch;
use crate::server::Server;
use crate::setup::{Setup, bare, exited, setup_with, signal};
use crate::wait;

/// A world, a database, and names of players.
struct Fleet {
    setup: Setup,
    scratch: Scratch,
    players: Vec<String>,
}

/// One engine.
struct Engine {
    child: Child,
    name: &'static str,
}

impl Fleet {
    async fn new(players: usize, matches_per_year: u32, config: SimulatorConfig) -> Self {
        Self::on(Scratch::new(), players, matches_per_year, config).await
    }

    async fn on(
        scratch: Scratch,
        players: usize,
        matches_per_year: u32,
        config: SimulatorConfig,
    ) -> Self {
        let players: Vec<String> = (0..players).map(|n| format!("Otter {n}#SIM")).collect();
        let names: Vec<&str> = players.iter().map(String::as_str).collect();
        Self {
            setup: setup_with(&names, matches_per_year, config).await,
            scratch,
            players,
        }
    }

    /// An engine; `url`: where it believes the database to be.
    fn engine(&self, name: &'static str, url: &str) -> Engine {
        let folder = self.setup.folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let log = std::fs::File::create(folder.join("serve.log")).unwrap();
        let mut command: Command = bare(&["serve", "--database", url]);
        command
            .arg("--socket")
            .arg(folder.join("s"))
            .env("HOME", &folder)
            .env("RIOT_API_KEY", SIMULATED_KEY)
            .env("RIFTSYNC_PROFILE", "production")
            .env("RIFTSYNC_RIOT__BASE_URL", self.setup.simulator.base_url())
            .env("RIFTSYNC_METRICS__LOG", folder.join("metrics.jsonl"))
            .stdout(Stdio::null())
            .stderr(log);
        let child = command.spawn().unwrap();
        Engine { child, name }
    }

    fn log(&self, name: &str) -> String {
        let path = self.setup.folder.path().join(name).join("serve.log");
        std::fs::read_to_string(path).unwrap()
    }

    async fn store(&self) -> Arc<PostgresStore> {
        Arc::new(PostgresStore::open(self.scratch.settings()).await.unwrap())
    }

    async fn submit(&self, store: &dyn Store) {
        let now = Timestamp::now();
        let jobs = self.players.iter().map(|player| {
            let args = PlayerSyncArgs {
                track: true,
                ..PlayerSyncArgs::new(
                    player.parse().unwrap(),
                    Platform::Euw1,
                    Year::parse("2025", now).unwrap(),
                )
            };
            args.job(Priority::DEFAULT, RetryPolicy::new(5, 0, 0))
        });
        store.enqueue(jobs.collect(), now).await.unwrap();
    }

    fn count(&self, query: &str) -> u64 {
        let rows = self.scratch.rows(query);
        rows[0][0].as_deref().unwrap().parse().unwrap()
    }

    fn timelines(&self) -> u64 {
        self.count("SELECT count(*) FROM match_timelines")
    }

    /// Waits, by looking, until so much is stored.
    async fn until_timelines(&self, count: u64) {
        wait::until("timelines", async || self.timelines() >= count).await;
    }

    async fn until_done(&self, store: &dyn Store) {
        let no_job_is_open = async || store.open_jobs().await.unwrap() == 0;
        wait::until("the end of all jobs", no_job_is_open).await;
    }

    /// Everything the world has of the players' year is stored once, and the statistics are exact.
    async fn check_complete(&self, store: &dyn Store) {
        for player in &self.players {
            let truth = self
                .setup
                .world
                .player_matches(&player.parse().unwrap(), 2025);
            let ids: Vec<_> = truth.iter().map(|truth| truth.id).collect();
            let stored = store.stored_matches(&ids).await.unwrap();
            let there = truth.iter().filter(|truth| truth.has_match);
            assert_eq!(stored.matches.len(), there.clone().count(), "{player}");
            let timelines = there.filter(|truth| truth.has_timeline).count();
            assert_eq!(stored.timelines.len(), timelines, "{player}");
        }
        let players = self.scratch.rows("SELECT id FROM players");
        let ids = players
            .iter()
            .map(|row| row[0].as_deref().unwrap().parse().unwrap());
        check_statistics(store, ids).await;
    }
}

impl Engine {
    async fn ends_well(self, fleet: &Fleet) {
        signal(&self.child, "-TERM");
        let ended = exited(self.child).await;
        assert_eq!(ended.status.code(), Some(0), "{}", fleet.log(self.name));
    }
}

impl Fleet {
    async fn until_so_many_hold_jobs(&self, engines: u64) {
        let holding = "SELECT count(DISTINCT engine_id) FROM jobs WHERE state = 'running'";
        wait::until_soon("engines with jobs", async || self.count(holding) >= engines).await;
    }

    /// Whose session is gone is not waited for.
    async fn until_one_is_rescued_and_not_waited_for(&self, by: &str) {
        let rescued = "SELECT count(*) FROM engines WHERE rescued_at IS NOT NULL";
        wait::until_soon("a rescue", async || self.count(rescued) > 0).await;
        let gone = "SELECT count(*) FROM engines WHERE rescued_at - heartbeat_at < 20000";
        assert_eq!(self.count(gone), 1, "{}", self.log(by));
    }
}

/// A wire to a server, which can be cut: then nothing passes, and nobody is told.
struct Wire {
    port: u16,
    cut: watch::Sender<bool>,
}

impl Wire {
    async fn to(scratch: &Scratch) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let wire = Self {
            port: listener.local_addr().unwrap().port(),
            cut: watch::Sender::new(false),
        };
        let server: tokio_postgres::Config = scratch.url().parse().unwrap();
        let port = server.get_ports().first().copied().unwrap_or(5432);
        let cut = wire.cut.subscribe();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let cut = cut.clone();
                tokio::spawn(async move {
                    let mut held = cut.clone();
                    let _ = held.wait_for(|cut| !cut).await;
                    let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    tokio::spawn(carry(from_client, to_server, cut.clone()));
                    carry(from_server, to_client, cut).await;
                });
            }
        });
        wire
    }

    fn url(&self, scratch: &Scratch) -> String {
        let direct: tokio_postgres::Config = scratch.url().parse().unwrap();
        let user = direct.get_user().unwrap_or("postgres");
        let password = direct.get_password().map(String::from_utf8_lossy);
        let password = password.map(|word| format!(":{word}")).unwrap_or_default();
        let (port, database) = (self.port, direct.get_dbname().unwrap());
        format!("postgres://{user}{password}@127.0.0.1:{port}/{database}?sslmode=disable")
    }
}

/// What was sent while the wire was cut arrives late, as it does.
async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut cut: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        if cut.wait_for(|cut| !cut).await.is_err() || to.write_all(&bytes[..length]).await.is_err()
        {
            return;
        }
    }
}

fn unhurried() -> SimulatorConfig {
    SimulatorConfig {
        latency: "150:0.3".parse::<Latency>().unwrap(),
        ..SimulatorConfig::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_that_are_killed_stopped_or_cut_off_lose_nothing_and_do_no_harm_when_they_return() {
    let fleet = Fleet::new(20, 40, unhurried()).await;
    let store = fleet.store().await;
    fleet.submit(&*store).await;
    let wire = Wire::to(&fleet.scratch).await;
    let direct = fleet.scratch.url();
    // The one that stays leads: nobody has to wait for the end of another's lead.
    let sound = fleet.engine("sound", direct);
    let leaders = "SELECT count(*) FROM leadership";
    wait::until("a leader", async || fleet.count(leaders) > 0).await;
    let mut killed = fleet.engine("killed", direct);
    let stopped = fleet.engine("stopped", direct);
    let cut_off = fleet.engine("cut_off", &wire.url(&fleet.scratch));
    fleet.until_timelines(60).await;
    fleet.until_so_many_hold_jobs(4).await;
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    // Before the others are stopped: they may hold what a rescue needs.
    fleet.until_one_is_rescued_and_not_waited_for("sound").await;
    fleet.until_so_many_hold_jobs(3).await;
    signal(&stopped.child, "-STOP");
    wire.cut.send_replace(true);
    let cut_at = tokio::time::Instant::now();

    // The sound one does it all, also what the others held.
    fleet.until_done(&*store).await;
    let silent = "SELECT count(*) FROM engines WHERE rescued_at - heartbeat_at >= 20000";
    assert_eq!(fleet.count(silent), 2, "{}", fleet.log("sound"));
    fleet.check_complete(&*store).await;
    let calls = fleet.setup.document_calls();

    // The others come back, with answers to calls of a minute ago.
    tokio::time::sleep_until(cut_at + Duration::from_mins(1)).await;
    signal(&stopped.child, "-CONT");
    wire.cut.send_replace(false);
    let alive = "SELECT count(*) FROM engines WHERE stopped_at IS NULL AND rescued_at IS NULL";
    wait::until("three engines", async || fleet.count(alive) >= 3).await;
    let before = fleet
        .scratch
        .rows("SELECT * FROM player_yearly_stats ORDER BY player_id, year, platform");
    // Each of them works again.
    fleet.submit(&*store).await;
    fleet.until_done(&*store).await;
    fleet.check_complete(&*store).await;
    let after = fleet
        .scratch
        .rows("SELECT * FROM player_yearly_stats ORDER BY player_id, year, platform");
    assert_eq!(before, after);
    assert_eq!(
        fleet.setup.document_calls(),
        calls,
        "nothing is fetched twice"
    );
    for (name, told) in [("stopped", "taken for dead"), ("cut_off", "taken for dead")] {
        assert!(fleet.log(name).contains(told), "{}", fleet.log(name));
    }
    for engine in [stopped, cut_off, sound] {
        engine.ends_well(&fleet).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_that_are_killed_again_and_again_lose_nothing_and_nothing_is_suspected() {
    let fleet = Fleet::new(16, 40, unhurried()).await;
    let store = fleet.store().await;
    fleet.submit(&*store).await;
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let mut names = names.into_iter();
    let mut engine = || fleet.engine(names.next().unwrap(), fleet.scratch.url());
    let (mut older, mut newer) = (engine(), engine());
    let holds = "SELECT count(DISTINCT engine_id) FROM jobs WHERE state = 'running'";
    for _ in 0..8 {
        wait::until_soon("two engines with jobs", async || fleet.count(holds) >= 2).await;
        older.child.kill().unwrap();
        older.child.wait().unwrap();
        (older, newer) = (newer, engine());
        fleet.until_timelines(fleet.timelines() + 20).await;
    }
    fleet.until_done(&*store).await;
    fleet.check_complete(&*store).await;
    let suspected =
        "SELECT count(*) FROM jobs WHERE crash_count > 0 OR errors LIKE '%poison_pill%'";
    assert_eq!(fleet.count(suspected), 0);
    let silent = "SELECT count(*) FROM engines WHERE rescued_at - heartbeat_at >= 20000";
    assert_eq!(fleet.count(silent), 0, "each death was seen at once");
    for engine in [older, newer] {
        engine.ends_well(&fleet).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_engines_use_the_whole_of_one_key_and_not_one_call_more() {
    let limits = vec![(20, 1), (100, 10)];
    let config = SimulatorConfig {
        app_limits: limits,
        strict_limits: true,
        latency: "80:0.3".parse::<Latency>().unwrap(),
        latency_before_count: 0.5,
        ..SimulatorConfig::default()
    };
    let fleet = Fleet::new(12, 60, config).await;
    let store = fleet.store().await;
    fleet.submit(&*store).await;
    let names = ["one", "two", "three"];
    let engines = names.map(|name| fleet.engine(name, fleet.scratch.url()));
    let alive = "SELECT count(*) FROM engines WHERE stopped_at IS NULL";
    wait::until("three engines", async || fleet.count(alive) >= 3).await;
    // Once they have found their shares, with the next window that they have all of.
    let sharing = "SELECT count(DISTINCT engine_id) FROM rate_budgets";
    wait::until("three shares", async || fleet.count(sharing) >= 3).await;
    let windows = || {
        let counters = fleet.setup.simulator.counters();
        let of_key = counters
            .windows
            .iter()
            .filter(|(name, _)| name.method.is_none() && name.seconds == 10);
        of_key.map(|(_, used)| used.opened).max().unwrap_or(0)
    };
    let then = windows();
    wait::until_soon("a new window", async || windows() > then + 1).await;
    let permitted = || {
        let counters = fleet.setup.simulator.counters();
        let methods = [Method::MatchIds, Method::Match, Method::Timeline];
        methods
            .map(|method| counters.permitted_of(method))
            .iter()
            .sum::<u64>()
    };
    let (before, begun) = (permitted(), tokio::time::Instant::now());
    // How much they do in a time is what is asked.
    tokio::time::sleep(Duration::from_secs(40)).await;
    let (calls, took) = (permitted() - before, begun.elapsed());
    let share = calls as f64 / (took.as_secs_f64() * 10.0);
    println!(
        "{calls} calls in {took:?}: {:.1} % of what is permitted",
        share * 100.0
    );
    let counters = fleet.setup.simulator.counters();
    assert_eq!(
        (counters.over_limit, counters.limited()),
        (0, 0),
        "not one call more"
    );
    assert!(share >= 0.95, "{share}");
    for engine in engines {
        engine.ends_well(&fleet).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_and_ends_sessions_at_random_costs_time_and_nothing_else() {
    let server = Server::own().await;
    let fleet = Fleet::on(server.database(), 6, 130, unhurried()).await;
    let store = fleet.store().await;
    fleet.submit(&*store).await;
    store.close().await.unwrap();
    let engine = fleet.engine("engine", fleet.scratch.url());
    let mut step = 0;
    for how in ["fast", "immediate", "fast", "immediate", "fast"] {
        for _ in 0..3 {
            step += 15;
            fleet.until_timelines(step).await;
            fleet.scratch.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.5",
            );
        }
        server.restart(how).await;
        // It is at work again by itself, and soon.
        let there = fleet.timelines();
        let back = fleet.until_timelines(there + 15);
        let back = tokio::time::timeout(Duration::from_secs(10), back).await;
        assert!(back.is_ok(), "{}", fleet.log("engine"));
    }
    let store = fleet.store().await;
    fleet.until_done(&*store).await;
    fleet.check_complete(&*store).await;
    assert_eq!(
        fleet.count("SELECT max(attempt) FROM jobs"),
        1,
        "no attempt is spent"
    );
    assert_eq!(fleet.count("SELECT max(crash_count) FROM jobs"), 0);
    engine.ends_well(&fleet).await;
    let metrics = fleet.setup.folder.path().join("engine/metrics.jsonl");
    let metrics = std::fs::read_to_string(metrics).unwrap();
    let restarted = metrics.lines().filter(|line| {
        let record: Value = serde_json::from_str(line).unwrap();
        record["restarts"].as_u64().unwrap_or(0) > 0 || record["event"] == "actor_restarted"
    });
    assert_eq!(restarted.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_whose_commits_are_cut_in_the_middle_again_and_again_counts_each_match_once() {
    let fleet = Fleet::new(4, 60, unhurried()).await;
    let store = fleet.store().await;
    fleet.submit(&*store).await;
    let proxy = Proxy::start(&fleet.scratch).await;
    let engine = fleet.engine("engine", &proxy.url(&fleet.scratch));
    let cuts = async {
        for cut in [CUT_BEFORE, CUT_AFTER].repeat(10) {
            let cuts = proxy.cuts.load(Ordering::Relaxed);
            proxy.next.store(cut, Ordering::Relaxed);
            let is_cut = async || proxy.cuts.load(Ordering::Relaxed) > cuts;
            wait::until("a cut", is_cut).await;
        }
        proxy.next.store(PASSES, Ordering::Relaxed);
    };
    tokio::select! {
        () = cuts => fleet.until_done(&*store).await,
        () = fleet.until_done(&*store) => panic!("done before it was cut twenty times"),
    }
    fleet.check_complete(&*store).await;
    assert_eq!(
        fleet.count("SELECT max(attempt) FROM jobs"),
        1,
        "no attempt is spent"
    );
    engine.ends_well(&fleet).await;
}
