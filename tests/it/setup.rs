//! A simulated world, a folder, and the real binary between them.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;
use riftsync::model::{Platform, Priority, RetryPolicy, RiotId, Timestamp, Year};
use riftsync::simulator::{Method, SIMULATED_KEY, Simulator, SimulatorConfig, World, WorldConfig};
use riftsync::store::sqlite::SqliteStore;
use riftsync::store::{DataStore, Database, JobStore, Store};
use riftsync::tasks::PlayerSyncArgs;
use tempfile::TempDir;

use crate::wait;

pub const PLAYER: &str = "Quiet Otter#SIM";

pub struct Setup {
    pub folder: TempDir,
    pub world: Arc<World>,
    pub simulator: Simulator,
}

pub async fn setup(matches_per_year: u32) -> Setup {
    setup_for(&[PLAYER], matches_per_year).await
}

pub async fn setup_for(players: &[&str], matches_per_year: u32) -> Setup {
    setup_with(players, matches_per_year, SimulatorConfig::default()).await
}

pub async fn setup_with(players: &[&str], matches_per_year: u32, config: SimulatorConfig) -> Setup {
    let players = players
        .iter()
        .map(|player| (player.parse().unwrap(), "euw1".parse().unwrap()))
        .collect();
    let now = Timestamp::from_millis(1_780_000_000_000);
    let world = Arc::new(World::new(WorldConfig {
        players,
        matches_per_year,
        first_year: 2024,
        last_year: 2025,
        now,
        ..WorldConfig::default()
    }));
    let simulator = Simulator::start(world.clone(), config).await.unwrap();
    Setup {
        folder: TempDir::new().unwrap(),
        world,
        simulator,
    }
}

impl Setup {
    pub fn database(&self) -> String {
        self.folder.path().join("t.db").to_str().unwrap().to_owned()
    }

    /// `riftsync` with nothing of the caller's environment but this.
    pub fn command(&self, args: &[&str]) -> Command {
        self.command_on(&format!("sqlite://{}", self.database()), args)
    }

    /// The same with another database.
    pub fn command_on(&self, database: &str, args: &[&str]) -> Command {
        let mut command = bare(args);
        command
            .env("RIOT_API_KEY", SIMULATED_KEY)
            .env("RIFTSYNC_PROFILE", "production")
            .env("RIFTSYNC_RIOT__BASE_URL", self.simulator.base_url())
            .args(["--database", database]);
        command
    }

    pub fn sync(&self) -> Command {
        self.command(&[
            "sync",
            PLAYER,
            "--platform",
            "euw1",
            "--year",
            "2025",
            "--json",
        ])
    }

    /// Match and timeline calls the simulator has answered.
    pub fn document_calls(&self) -> u64 {
        let counters = self.simulator.counters();
        [Method::Match, Method::Timeline]
            .iter()
            .map(|method| counters.of_method(*method))
            .sum()
    }

    /// Everything the world has of the player's year is stored once, and the statistics are exact.
    pub async fn check_complete(&self) {
        self.check_complete_for(PLAYER).await;
    }

    /// A job as `sync` submits it, in the database of an engine that does not run yet.
    pub async fn submit(&self, players: &[&str]) {
        let store = SqliteStore::open(self.database().as_ref()).unwrap();
        self.submit_to(&store, players).await;
        store.close().await.unwrap();
    }

    /// The same in any database.
    pub async fn submit_to(&self, store: &dyn Store, players: &[&str]) {
        let now = Timestamp::now();
        let jobs = players.iter().map(|player| {
            let args = PlayerSyncArgs {
                track: true,
                ..PlayerSyncArgs::new(
                    player.parse().unwrap(),
                    Platform::Euw1,
                    Year::parse("2025", now).unwrap(),
                )
            };
            args.job(Priority::DEFAULT, RetryPolicy::new(50, 0, 0))
        });
        store.enqueue(jobs.collect(), now).await.unwrap();
    }

    pub fn serve(&self) -> Command {
        self.serve_on(&format!("sqlite://{}", self.database()))
    }

    /// The same on another database.
    pub fn serve_on(&self, database: &str) -> Command {
        let mut command = self.command_on(database, &["serve"]);
        let log = std::fs::File::create(self.folder.path().join("serve.log")).unwrap();
        command.stdout(Stdio::null()).stderr(log);
        for kind in ["PLAYER_DATA", "MATCH_DATA", "MATCH_TIMELINE"] {
            command.env(format!("RIFTSYNC_KINDS__SYNC_{kind}__RETRIES"), "50");
            command.env(format!("RIFTSYNC_KINDS__SYNC_{kind}__BACKOFF_BASE_S"), "0");
        }
        command
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("serve.log")).unwrap()
    }

    /// Waits, by looking, until no job is open.
    pub async fn until_done(&self, engine: &mut std::process::Child) {
        let store = SqliteStore::open_read_only(self.database().as_ref()).unwrap();
        wait::until("the end of all jobs", async || {
            store.open_jobs().await.unwrap() == 0 || wait::not_yet(engine, || self.log())
        })
        .await;
    }

    /// Lets an engine do all there is and stops it politely. The jobs it holds for poison pills.
    pub async fn run_to_the_end(&self) -> Vec<i64> {
        let mut child = self.serve().spawn().unwrap();
        self.until_done(&mut child).await;
        signal(&child, "-TERM");
        let output = exited(child).await;
        assert_eq!(output.status.code(), Some(0), "{}", self.log());
        let mut conn = SqliteConnection::establish(&self.database()).unwrap();
        let poisoned: Vec<Id> = diesel::sql_query(
            "SELECT id FROM jobs WHERE state = 'discarded' AND errors LIKE '%poison_pill%'",
        )
        .load(&mut conn)
        .unwrap();
        poisoned.into_iter().map(|id| id.id).collect()
    }

    pub async fn check_complete_for(&self, player: &str) {
        self.check_complete_with(player, 101).await;
    }

    pub async fn check_complete_small(&self, matches: usize) {
        self.check_complete_with(PLAYER, matches / 2).await;
    }

    pub async fn check_complete_with(&self, player: &str, at_least: usize) {
        let player: RiotId = player.parse().unwrap();
        let truth = self.world.player_matches(&player, 2025);
        assert!(truth.len() >= at_least, "{} matches", truth.len());
        let mut conn = SqliteConnection::establish(&self.database()).unwrap();
        let store = SqliteStore::open_read_only(self.database().as_ref()).unwrap();
        let ids: Vec<_> = truth.iter().map(|truth| truth.id).collect();
        let stored = store.stored_matches(&ids).await.unwrap();
        assert_eq!(
            stored.matches.len(),
            truth.iter().filter(|truth| truth.has_match).count()
        );
        assert_eq!(
            stored.timelines.len(),
            truth
                .iter()
                .filter(|truth| truth.has_match && truth.has_timeline)
                .count()
        );
        let ids: Vec<Id> = diesel::sql_query("SELECT id FROM players")
            .load(&mut conn)
            .unwrap();
        for Id { id } in ids {
            assert_eq!(
                store.yearly_stats(id, None).await.unwrap(),
                store.recomputed_stats(id).await.unwrap()
            );
        }
    }
}

#[derive(QueryableByName)]
pub struct Id {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
}

pub fn bare(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_riftsync"));
    command.env_clear().args(args).stdin(Stdio::null());
    // The simulated API keeps what Riot deletes, unless a test tells it otherwise.
    command.env("RIFTSYNC_RIOT__MATCHES_KEPT_DAYS", "0");
    command.env("RIFTSYNC_RIOT__TIMELINES_KEPT_DAYS", "0");
    // No test asks anybody outside.
    command.env("RIFTSYNC_NAMES__BASE_URL", "");
    command
}

/// The program as another user runs it, from a copy in a folder that he gets at. None: it needs root and `setpriv`.
pub fn as_user(folder: &Path, user: u32, args: &[&str]) -> Option<Command> {
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let setpriv = Command::new("setpriv").arg("--version").output();
    if !root || setpriv.is_err() {
        return None;
    }
    let program = folder.join("riftsync");
    if !program.exists() {
        std::fs::copy(env!("CARGO_BIN_EXE_riftsync"), &program).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new("setpriv");
    command
        .args([
            &format!("--reuid={user}"),
            &format!("--regid={user}"),
            "--clear-groups",
        ])
        .arg(&program)
        .args(args)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", "/nonexistent")
        .stdin(Stdio::null());
    Some(command)
}

/// A command whose files may grow no further: a limit that the kernel enforces as it does a full disk.
pub fn on_a_small_disk(command: &Command, file_kib: u32) -> Command {
    let mut limited = Command::new("sh");
    limited
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        // A write beyond the limit fails instead of killing: the signal is ignored, also after exec.
        .args([
            "-c",
            &format!("trap '' XFSZ; ulimit -S -f {}; exec \"$@\"", file_kib * 2),
            "sh",
        ])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        limited.env(name, value.unwrap());
    }
    limited
}

pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs off the test's thread, which the simulator does not need but other futures may.
pub async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

pub fn signal(child: &std::process::Child, name: &str) {
    let status = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}

pub async fn exited(child: std::process::Child) -> Output {
    let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap());
    tokio::time::timeout(Duration::from_mins(1), output)
        .await
        .unwrap()
        .unwrap()
}
