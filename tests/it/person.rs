//! Somebody waits for one player while a crawl is under way on a key whose window is used up: the sync is done with the
//! next window, wherever the crawl came from and whether the player is part of it.

use std::process::{Child, Command, Stdio};

use riftsync::simulator::SimulatorConfig;

use crate::place::Place;
use crate::setup::{PLAYER, Setup, exited, run, setup_with, signal, text};
use crate::wait;

/// What one window of the key allows.
const WINDOW: u64 = 60;
const CRAWLED: usize = 16;
/// Of each player in a year. A sync of them is more than half a window.
const MATCHES: u32 = 12;

enum Crawl {
    /// A file that the player is not in, left to the engine.
    Without,
    /// One that the player is in, in the middle.
    With,
    /// A sync for each player, left to the engine.
    Detached,
    /// A file that somebody waits for.
    Followed,
}

macro_rules! on_both {
    ($($case:ident: $crawl:expr;)*) => {
        mod sqlite {
            use super::Crawl;
            $(#[tokio::test]
            async fn $case() {
                super::behind(crate::place::Place::sqlite(), $crawl).await;
            })*
        }
        mod postgres {
            use super::Crawl;
            $(#[tokio::test]
            async fn $case() {
                super::behind(crate::place::Place::postgres(), $crawl).await;
            })*
        }
    };
}

on_both! {
    a_sync_that_is_typed_behind_a_crawl_is_done_with_the_next_window: Crawl::Without;
    one_whose_job_waits_in_the_crawl_already_is_done_with_the_next_window: Crawl::With;
    one_behind_many_that_were_left_to_the_engine_is_done_with_the_next_window: Crawl::Detached;
    one_behind_a_file_that_somebody_waits_for_is_done_with_the_next_window: Crawl::Followed;
}

struct Scene {
    setup: Setup,
    place: Place,
}

impl Scene {
    fn command(&self, args: &[&str]) -> Command {
        let url = match &self.place {
            Place::Sqlite(_) => format!("sqlite://{}", self.setup.database()),
            Place::Postgres(scratch) => scratch.url().to_owned(),
        };
        let mut command = self.setup.command_on(&url, args);
        command.arg("--socket").arg(self.socket());
        command
    }

    fn socket(&self) -> std::path::PathBuf {
        self.setup.folder.path().join("s.sock")
    }

    fn of_player(&self, name: &str, more: &[&str]) -> Command {
        let sync = ["sync", name, "--platform", "euw1", "--year", "2025"];
        self.command(&[&sync, more].concat())
    }

    fn of_file(&self, names: &[String], more: &[&str]) -> Command {
        let path = self.setup.folder.path().join("players.txt");
        std::fs::write(&path, names.join("\n")).unwrap();
        let path = path.to_str().unwrap();
        let sync = [
            "sync",
            "--file",
            path,
            "--platform",
            "euw1",
            "--year",
            "2025",
        ];
        self.command(&[&sync, more].concat())
    }

    /// Begins the crawl; the process that waits for it, if one does.
    async fn crawl(&self, crawl: &Crawl, crawled: &[String]) -> Option<Child> {
        let (mut names, detach) = (crawled.to_vec(), &["--detach"][..]);
        match crawl {
            Crawl::Without => {
                let output = run(self.of_file(&names, detach)).await;
                assert!(output.status.success(), "{}", text(&output));
            }
            Crawl::With => {
                names.insert(CRAWLED / 2, PLAYER.to_owned());
                let output = run(self.of_file(&names, detach)).await;
                assert!(output.status.success(), "{}", text(&output));
            }
            Crawl::Detached => {
                for name in crawled {
                    let output = run(self.of_player(name, detach)).await;
                    assert!(output.status.success(), "{}", text(&output));
                }
            }
            Crawl::Followed => {
                let mut command = self.of_file(&names, &[]);
                command.stdout(Stdio::null()).stderr(Stdio::null());
                return Some(command.spawn().unwrap());
            }
        }
        None
    }
}

async fn behind(place: Place, crawl: Crawl) {
    let crawled: Vec<String> = (0..CRAWLED).map(|n| format!("Crawled {n}#SIM")).collect();
    let mut names: Vec<&str> = crawled.iter().map(String::as_str).collect();
    names.push(PLAYER);
    let config = SimulatorConfig {
        app_limits: vec![(20, 1), (WINDOW.try_into().unwrap(), 20)],
        ..SimulatorConfig::default()
    };
    let scene = Scene {
        setup: setup_with(&names, MATCHES, config).await,
        place,
    };
    let mut serve = scene.command(&["serve"]);
    let log = std::fs::File::create(scene.setup.folder.path().join("serve.log")).unwrap();
    let mut engine = serve.stdout(Stdio::null()).stderr(log).spawn().unwrap();
    wait::until("its socket", async || {
        scene.socket().exists() || wait::not_yet(&mut engine, || scene.setup.log())
    })
    .await;
    let waiting = scene.crawl(&crawl, &crawled).await;
    let calls = || scene.setup.simulator.counters().calls;
    wait::until("a whole window", async || {
        calls() >= WINDOW || wait::not_yet(&mut engine, || scene.setup.log())
    })
    .await;
    let before = calls();
    let output = run(scene.of_player(PLAYER, &[])).await;
    let after = calls();
    assert!(output.status.success(), "{}", text(&output));
    // What was left of that window, and the next one; and one more, which may have opened before the verb had begun.
    let most = (before.div_ceil(WINDOW) + 2) * WINDOW;
    assert!(after <= most, "{before} calls before, {after} after");
    assert_eq!(scene.setup.simulator.counters().of_status(429), 0);
    signal(&engine, "-TERM");
    assert_eq!(exited(engine).await.status.code(), Some(0));
    if let Some(mut waiting) = waiting {
        let _ = waiting.kill();
        let _ = waiting.wait();
    }
}
