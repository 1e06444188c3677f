//! Engines whose clocks are wrong or set while they work: the real binary with a wall clock of its own (libfaketime),
//! over sockets. What one has used of a key another one knows, whatever either's clock says.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

use futures_util::future::join_all;
use riftsync::model::{Region, Route, Timestamp};
use riftsync::simulator::{Latency, SIMULATED_KEY, SimulatorConfig, WindowName, WindowUse};

use crate::place::Place;
use crate::setup::{Setup, bare, exited, setup_with, signal};
use crate::wait;

/// Of a window that does not end while a test runs, and is over for a clock that is set by an hour.
const CALLS: u32 = 60;
const SECONDS: u32 = 1_800;

const HOUR_S: i64 = 3_600;
const SETS_S: [i64; 3] = [-HOUR_S, HOUR_S, -60];

/// The library that stands between a program and its clock.
pub fn library() -> &'static str {
    static LIBRARY: OnceLock<String> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let asked = Command::new("faketime")
            .args(["-m", "-f", "+0", "sh", "-c", "printf %s \"$LD_PRELOAD\""])
            .output()
            .expect("faketime gives the engines of this test their clocks: install it");
        String::from_utf8(asked.stdout).unwrap()
    })
}

struct World {
    setup: Setup,
    /// One database, or one for each of two engines.
    places: Vec<Place>,
}

impl World {
    async fn new(places: Vec<Place>) -> Self {
        let config = SimulatorConfig {
            app_limits: vec![(20, 1), (CALLS, SECONDS)],
            strict_limits: true,
            latency: Latency {
                median_ms: 20.0,
                sigma: 0.3,
            },
            ..SimulatorConfig::default()
        };
        let setup = setup_with(&["Otter 0#SIM", "Otter 1#SIM"], 100, config).await;
        for place in &places {
            let store = place.open().await;
            setup
                .submit_to(&*store, &["Otter 0#SIM", "Otter 1#SIM"])
                .await;
            store.close().await.unwrap();
        }
        Self { setup, places }
    }

    /// An engine whose clock is ahead by so many seconds. Its folder for temporary files, through which engines of a
    /// machine find each other, is `shared` or its own.
    fn engine(&self, name: &str, place: &Place, set_s: i64, shared: bool) -> Engine {
        let folder = self.setup.folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let clock = folder.join("clock");
        set_clock(&clock, set_s);
        let temporary = if shared {
            self.setup.folder.path()
        } else {
            &folder
        };
        let log = std::fs::File::create(folder.join("serve.log")).unwrap();
        let mut command = bare(&["serve", "--database", &place.url()]);
        command
            .arg("--socket")
            .arg(folder.join("s"))
            .env("HOME", &folder)
            .env("TMPDIR", temporary)
            .env("LD_PRELOAD", library())
            .env("FAKETIME_TIMESTAMP_FILE", &clock)
            .env("FAKETIME_NO_CACHE", "1")
            // A machine whose wall clock is set still knows how much time passes.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("RIOT_API_KEY", SIMULATED_KEY)
            .env("RIFTSYNC_PROFILE", "production")
            .env("RIFTSYNC_RIOT__BASE_URL", self.setup.simulator.base_url())
            .stdout(Stdio::null())
            .stderr(log);
        Engine {
            child: command.spawn().unwrap(),
            folder,
        }
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

    /// Calls beyond a limit.
    fn over(&self) -> u64 {
        let counters = self.setup.simulator.counters();
        counters.windows.values().map(|window| window.over).sum()
    }

    /// Waits, by looking, until so many calls were made.
    async fn until_used(&self, calls: u32) {
        wait::until("calls", async || self.used().calls >= calls.into()).await;
    }
}

struct Engine {
    child: Child,
    folder: PathBuf,
}

impl Engine {
    fn set_clock(&self, set_s: i64) {
        set_clock(&self.folder.join("clock"), set_s);
    }

    /// Stops it, and sees that its clock was what it should be.
    async fn stop(self, set_s: i64) {
        signal(&self.child, "-TERM");
        exited(self.child).await;
        let log = std::fs::read_to_string(self.folder.join("serve.log")).unwrap();
        let last = log.lines().rfind(|line| line.contains("INFO"));
        let told = last.and_then(|line| line.split_whitespace().next());
        let told: jiff::Timestamp = told.expect("a line of the log").parse().unwrap();
        let ahead_s = (told.as_millisecond() - Timestamp::now().as_millis()) / 1_000;
        assert!(
            (ahead_s - set_s).abs() < HOUR_S / 2,
            "its clock is ahead by {ahead_s} s: {log}"
        );
    }
}

/// Whole or not at all: an engine reads it all the time.
fn set_clock(clock: &Path, set_s: i64) {
    let new = clock.with_extension("new");
    std::fs::write(&new, format!("{set_s:+}\n")).unwrap();
    std::fs::rename(new, clock).unwrap();
}

/// How an engine ends.
#[derive(Clone, Copy)]
enum End {
    Killed,
    Stopped,
}

async fn check_begun_again(place: Place, end: End, set_s: i64) {
    let world = World::new(vec![place]).await;
    let place = &world.places[0];
    let mut first = world.engine("first", place, 0, false);
    world.until_used(CALLS / 3).await;
    match end {
        End::Killed => {
            first.child.kill().unwrap();
            first.child.wait().unwrap();
        }
        End::Stopped => first.stop(0).await,
    }
    let begun = Instant::now();
    let before = world.used().calls;
    let next = world.engine("next", place, set_s, false);
    world.until_used(u32::try_from(before).unwrap() + 1).await;
    println!("{set_s} s: first call after {:?}", begun.elapsed());
    // It is alone: the last calls of a long window are kept for later, to see whether others come.
    world.until_used(CALLS - 3).await;
    next.stop(set_s).await;
    assert_eq!(world.over(), 0, "{set_s}");
}

#[tokio::test]
async fn an_engine_that_begins_with_a_wrong_clock_uses_what_is_left_of_a_file_and_no_more() {
    let again = |set_s| check_begun_again(Place::sqlite(), End::Killed, set_s);
    join_all(SETS_S.map(again)).await;
}

#[tokio::test]
async fn an_engine_that_begins_with_a_wrong_clock_uses_what_is_left_of_a_server_and_no_more() {
    let again = |set_s| check_begun_again(Place::postgres(), End::Stopped, set_s);
    join_all(SETS_S.map(again)).await;
}

/// Two engines, whose clocks are first right and then are not.
async fn check_set_while_both_run(places: Vec<Place>, sets_s: [i64; 2]) {
    let shared = places.len() > 1;
    let world = World::new(places).await;
    let places = [&world.places[0], world.places.last().unwrap()];
    let engines = ["one", "other"].map(|name| (name, places[usize::from(name == "other")]));
    let engines = engines.map(|(name, place)| world.engine(name, place, 0, shared));
    world.until_used(CALLS / 3).await;
    for (engine, set_s) in engines.iter().zip(sets_s) {
        engine.set_clock(set_s);
    }
    let (before, begun) = (world.used().calls, Instant::now());
    world.until_used(u32::try_from(before).unwrap() + 1).await;
    println!("{sets_s:?} s: first call after {:?}", begun.elapsed());
    world.until_used(CALLS - 3).await;
    for (engine, set_s) in engines.into_iter().zip(sets_s) {
        engine.stop(set_s).await;
    }
    assert_eq!(world.over(), 0, "{sets_s:?}");
}

/// One of them is right in each of the last three.
const SETS_WHILE_RUNNING_S: [[i64; 2]; 4] =
    [[-HOUR_S, HOUR_S], [-HOUR_S, 0], [HOUR_S, 0], [-60, 0]];

#[tokio::test]
async fn clocks_that_are_set_while_engines_share_a_server_change_nothing() {
    let set = |sets_s| check_set_while_both_run(vec![Place::postgres()], sets_s);
    join_all(SETS_WHILE_RUNNING_S.map(set)).await;
}

#[tokio::test]
async fn clocks_that_are_set_while_engines_of_two_files_share_a_key_change_nothing() {
    let set = |sets_s| check_set_while_both_run(vec![Place::sqlite(), Place::sqlite()], sets_s);
    join_all(SETS_WHILE_RUNNING_S.map(set)).await;
}
