//! Engines of one machine with one key, each with a database of its own.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use riftsync::model::{Region, Route};
use riftsync::simulator::{Latency, SIMULATED_KEY, SimulatorConfig, WindowName, WindowUse};

use serde_json::Value;

use crate::place::Place;
use crate::setup::{Setup, bare, exited, run, setup, setup_with, signal, text};
use crate::wait;

/// Of a window that does not end while a test runs.
const CALLS: u32 = 60;
const SECONDS: u32 = 3_600;

struct Company {
    setup: Setup,
    places: [Place; 2],
}

impl Company {
    async fn new(places: [Place; 2]) -> Self {
        let config = SimulatorConfig {
            app_limits: vec![(CALLS, SECONDS)],
            strict_limits: true,
            latency: Latency {
                median_ms: 20.0,
                sigma: 0.3,
            },
            ..SimulatorConfig::default()
        };
        let setup = setup_with(&["Otter 0#SIM", "Otter 1#SIM"], 100, config).await;
        for (number, place) in places.iter().enumerate() {
            let store = place.open().await;
            let player = format!("Otter {number}#SIM");
            setup.submit_to(&*store, &[&player]).await;
            store.close().await.unwrap();
            // As an engine makes it: what others can read is warned of.
            if let Place::Sqlite(folder) = place {
                let file = folder.path().join("t.db");
                std::fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
            }
        }
        Self { setup, places }
    }

    fn folder(&self, number: usize) -> PathBuf {
        self.setup.folder.path().join(number.to_string())
    }

    fn engine(&self, number: usize) -> Child {
        let folder = self.folder(number);
        std::fs::create_dir(&folder).unwrap();
        let log = std::fs::File::create(folder.join("serve.log")).unwrap();
        let mut command = bare(&["serve", "--database", &self.places[number].url()]);
        command
            .arg("--socket")
            .arg(folder.join("s"))
            .env("HOME", &folder)
            .env("TMPDIR", self.setup.folder.path())
            .env("RIOT_API_KEY", SIMULATED_KEY)
            .env("RIFTSYNC_PROFILE", "production")
            .env("RIFTSYNC_RIOT__BASE_URL", self.setup.simulator.base_url())
            .stdout(Stdio::null())
            .stderr(log);
        command.spawn().unwrap()
    }

    fn used(&self) -> WindowUse {
        let name = WindowName {
            route: Route::Region(Region::Europe),
            method: None,
            seconds: SECONDS,
        };
        let counters = self.setup.simulator.counters();
        counters.windows.get(&name).copied().unwrap_or_default()
    }

    /// Each engine says with whom it shares the key, to programs and to people.
    async fn check_told(&self, number: usize) {
        let other = self.places[1 - number].url();
        let other = other.trim_start_matches("sqlite://");
        let asked = |json: &[&str]| {
            let mut command = bare(&["status"]);
            command
                .arg("--socket")
                .arg(self.folder(number).join("s"))
                .args(json);
            command
        };
        let told = run(asked(&["--json"])).await;
        let status: Value = serde_json::from_slice(&told.stdout).unwrap();
        let shared = status["key_shared_with"].as_array().unwrap();
        assert_eq!(shared.len(), 1, "{status}");
        assert!(shared[0].as_str().unwrap().contains(other), "{status}");
        let told = String::from_utf8(run(asked(&[])).await.stdout).unwrap();
        let line = format!(
            "limits are shared with the riftsync of {}",
            shared[0].as_str().unwrap()
        );
        assert!(told.contains(&line), "{told}");
    }

    /// Waits, by looking, until so many calls were made.
    async fn until_used(&self, calls: u32) {
        wait::until("calls", async || self.used().calls >= calls.into()).await;
    }
}

async fn check_used_to_the_last_call(places: [Place; 2]) {
    let company = Company::new(places).await;
    let engines = [company.engine(0), company.engine(1)];
    company.until_used(CALLS).await;
    for number in 0..2 {
        company.check_told(number).await;
    }
    for engine in engines {
        signal(&engine, "-TERM");
        exited(engine).await;
    }
    let used = company.used();
    assert_eq!((used.calls, used.over), (CALLS.into(), 0));
    for number in 0..2 {
        let log = company.folder(number).join("serve.log");
        let log = std::fs::read_to_string(log).unwrap();
        assert!(!log.contains("WARN"), "{log}");
        // Each says once with whom it shares.
        let other = company.places[1 - number].url();
        let other = other.trim_start_matches("sqlite://");
        let told: Vec<&str> = log.lines().filter(|line| line.contains(other)).collect();
        assert_eq!(told.len(), 1, "{log}");
        assert!(told[0].contains("share its limits"), "{log}");
    }
}

#[tokio::test]
async fn two_files_with_one_key_use_it_to_the_last_call_and_exceed_nothing() {
    check_used_to_the_last_call([Place::sqlite(), Place::sqlite()]).await;
}

#[tokio::test]
async fn a_file_and_a_server_with_one_key_use_it_to_the_last_call_and_exceed_nothing() {
    check_used_to_the_last_call([Place::sqlite(), Place::postgres()]).await;
}

#[tokio::test]
async fn two_databases_of_servers_with_one_key_use_it_to_the_last_call_and_exceed_nothing() {
    check_used_to_the_last_call([Place::postgres(), Place::postgres()]).await;
}

#[tokio::test]
async fn what_a_killed_engine_left_of_a_key_one_with_another_database_uses() {
    let company = Company::new([Place::sqlite(), Place::sqlite()]).await;
    let mut killed = company.engine(0);
    company.until_used(CALLS / 2).await;
    killed.kill().unwrap();
    killed.wait().unwrap();
    let next = company.engine(1);
    // It is alone by then: the last calls of a long window are kept for later, to see whether others come.
    company.until_used(CALLS - 3).await;
    signal(&next, "-TERM");
    exited(next).await;
    assert_eq!(company.used().over, 0);
}

#[tokio::test]
async fn where_no_folder_can_be_used_it_is_said_once_and_everything_works() {
    let setup = setup(2).await;
    let mut command = setup.sync();
    command.env("TMPDIR", "/proc/none");
    let output = run(command).await;
    let told = text(&output);
    assert!(output.status.success(), "{told}");
    let warnings: Vec<&str> = told.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{told}");
    for part in ["/proc/none/riftsync-", "cannot be used", "Set TMPDIR"] {
        assert!(warnings[0].contains(part), "{told}");
    }
    setup.check_complete_small(2).await;
}
