//! A simulated world, and a database of either kind between it and the real binary.

use std::process::Command;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use riftsync::simulator::{Method, SIMULATED_KEY};
use serde_json::Value;

use crate::data::{check_statistics, table};
use crate::place::Place;
use crate::setup::{Setup, bare, exited, run, setup, signal, text};
use crate::wait;

/// See the module.
pub struct Rig {
    pub setup: Setup,
    pub place: Place,
}

/// Runs each of the named cases with a database of either kind.
macro_rules! on_each_place {
    ($($case:ident),* $(,)?) => {
        mod program_on_sqlite {
            $(#[tokio::test]
            async fn $case() {
                super::$case(crate::place::Place::sqlite()).await;
            })*
        }
        mod program_on_postgres {
            $(#[tokio::test]
            async fn $case() {
                super::$case(crate::place::Place::postgres()).await;
            })*
        }
    };
}
pub(crate) use on_each_place;

impl Rig {
    pub async fn new(place: Place, matches: u32) -> Self {
        Self::of(place, setup(matches).await)
    }

    pub fn of(place: Place, setup: Setup) -> Self {
        Self { setup, place }
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = bare(args);
        command
            .env("HOME", self.setup.folder.path())
            .env("RIOT_API_KEY", SIMULATED_KEY)
            .env("RIFTSYNC_PROFILE", "production")
            .env("RIFTSYNC_RIOT__BASE_URL", self.setup.simulator.base_url())
            .env("RIFTSYNC_CONTROL__SOCKET", self.socket())
            .env("DATABASE_URL", self.place.url());
        command
    }

    pub fn socket(&self) -> std::path::PathBuf {
        self.setup.folder.path().join("e.sock")
    }

    /// Runs a verb that must succeed, and reads the documents it tells, a line each.
    pub async fn done(&self, args: &[&str]) -> Vec<Value> {
        let output = run(self.command(&[args, &["--json"]].concat())).await;
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        documents(&output.stdout)
    }

    /// The engine, once it listens.
    pub async fn serve(&self) -> Serving {
        self.serve_as(self.command(&["serve"])).await
    }

    /// The same as this command has it.
    pub async fn serve_as(&self, mut command: Command) -> Serving {
        let log = std::fs::File::create(self.setup.folder.path().join("serve.log")).unwrap();
        command.stdout(std::process::Stdio::null()).stderr(log);
        let mut engine = Serving(Some(command.spawn().unwrap()));
        let child = engine.0.as_mut().unwrap();
        wait::until("its socket", async || {
            self.socket().exists() || wait::not_yet(child, || self.setup.log())
        })
        .await;
        engine
    }

    pub fn execute(&self, statements: &str) {
        match &self.place {
            Place::Postgres(scratch) => scratch.run(statements),
            Place::Sqlite(folder) => {
                let path = folder.path().join("t.db");
                let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
                conn.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
                conn.batch_execute(statements).unwrap();
            }
        }
    }

    /// The rows of a query of one text called `row`; of a null row there is none.
    pub fn lines(&self, query: &str) -> Vec<String> {
        let query = format!("SELECT q.row AS row FROM ({query}) q WHERE q.row IS NOT NULL");
        table(&self.place, &query)
    }

    pub fn number(&self, query: &str) -> u64 {
        let rows = self.lines(&format!("SELECT CAST(({query}) AS TEXT) AS row"));
        rows[0].parse().unwrap()
    }

    /// Match and timeline calls that were answered.
    pub fn calls(&self) -> [u64; 2] {
        let counters = self.setup.simulator.counters();
        [Method::Match, Method::Timeline].map(|method| counters.of_method(method))
    }

    pub fn calls_since(&self, before: [u64; 2]) -> [u64; 2] {
        let now = self.calls();
        [now[0] - before[0], now[1] - before[1]]
    }

    /// The statistics of all players are what their matches add up to.
    pub async fn check_statistics(&self) {
        let ids = self.lines("SELECT CAST(id AS TEXT) AS row FROM players");
        let store = self.place.open().await;
        check_statistics(&*store, ids.iter().map(|id| id.parse().unwrap())).await;
        store.close().await.unwrap();
    }
}

/// A running `serve`; killed when dropped.
pub struct Serving(Option<std::process::Child>);

impl Serving {
    pub async fn stop(mut self) {
        let child = self.0.take().unwrap();
        signal(&child, "-TERM");
        exited(child).await;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The JSON documents of an output, a line each.
pub fn documents(stdout: &[u8]) -> Vec<Value> {
    let values = serde_json::Deserializer::from_slice(stdout).into_iter();
    values.map(Result::unwrap).collect()
}
