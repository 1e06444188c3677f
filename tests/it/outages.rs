//! Trouble that lasts is told when it begins and when it is over, by the real program.

use std::collections::HashMap;
use std::sync::Arc;

use riftsync::store::Store;
use riftsync::store::postgres::PostgresStore;
use serde_json::Value;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::scratch::Scratch;
use crate::setup::{PLAYER, Setup, exited, setup, signal};
use crate::wait;

/// A way to a server. While it is shut, connections are refused, and those that were open have ended: so it is when the
/// server is stopped.
struct Door {
    port: u16,
    server: u16,
    open: Option<AbortHandle>,
}

impl Door {
    async fn to(scratch: &Scratch) -> Self {
        let config: tokio_postgres::Config = scratch.url().parse().unwrap();
        let mut door = Self {
            port: 0,
            server: config.get_ports().first().copied().unwrap_or(5432),
            open: None,
        };
        door.open().await;
        door
    }

    async fn open(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.port = listener.local_addr().unwrap().port();
        let server = self.server;
        let open = tokio::spawn(async move {
            // They end with this.
            let mut connections = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                connections.spawn(async move {
                    let mut server = TcpStream::connect(("127.0.0.1", server)).await?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        self.open = Some(open.abort_handle());
    }

    fn shut(&mut self) {
        if let Some(open) = self.open.take() {
            open.abort();
        }
    }

    fn url(&self, scratch: &Scratch) -> String {
        let config: tokio_postgres::Config = scratch.url().parse().unwrap();
        let user = config.get_user().unwrap_or("postgres");
        let (port, database) = (self.port, config.get_dbname().unwrap());
        format!("postgres://{user}@127.0.0.1:{port}/{database}?sslmode=disable")
    }
}

impl Setup {
    /// Whether the engine's metrics log has an event.
    fn has_event(&self, event: &str) -> bool {
        let log = std::fs::read_to_string(self.folder.path().join("metrics.jsonl"));
        log.unwrap_or_default().lines().any(|line| {
            let record: Value = serde_json::from_str(line).unwrap_or_default();
            record["event"] == event
        })
    }

    /// Lines for everybody from the first that has these words, but those about what became of a job.
    fn lines_from(&self, words: &str) -> Vec<String> {
        let log = self.log();
        let lines = log.lines().skip_while(|line| !line.contains(words));
        let of_a_job = |line: &&str| line.contains(" job ") || line.contains("job{");
        let lines = lines.filter(|line| !line.contains("DEBUG"));
        let lines = lines.filter(|line| !of_a_job(line) || line.contains("the end of job"));
        lines.map(str::to_owned).collect()
    }

    /// How often the end of a job was tried in vain, of the one that was tried most.
    fn tries_of_an_end(&self) -> usize {
        let log = self.log();
        let mut tries: HashMap<&str, usize> = HashMap::new();
        for line in log.lines() {
            if let Some((_, end)) = line.split_once("the end of job ")
                && let Some((id, _)) = end.split_once(" waits: ")
            {
                *tries.entry(id).or_default() += 1;
            }
        }
        tries.into_values().max().unwrap_or_default()
    }
}

/// Long enough for the engine to lose its lead, and for ends of jobs to be tried again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_told_twice_however_much_waits_for_it() {
    let (setup, scratch) = (setup(200).await, Scratch::new());
    let mut door = Door::to(&scratch).await;
    let store: Arc<dyn Store> = Arc::new(PostgresStore::open(scratch.settings()).await.unwrap());
    let mut serve = setup.serve_on(&door.url(&scratch));
    serve.env("RUST_LOG", "info,riftsync_engine::executor=debug");
    serve.env("HOME", setup.folder.path()).env(
        "RIFTSYNC_METRICS__LOG",
        setup.folder.path().join("metrics.jsonl"),
    );
    let child = serve.spawn().unwrap();
    setup.submit_to(&*store, &[PLAYER]).await;
    wait::until("twenty calls", async || setup.document_calls() >= 20).await;
    door.shut();
    wait::until("the end of its lead, and tries of an end", async || {
        setup.has_event("leads_no_more") && setup.tries_of_an_end() >= 2
    })
    .await;
    door.open().await;
    let no_job_is_open = async || store.open_jobs().await.unwrap() == 0;
    wait::until("the end of all jobs", no_job_is_open).await;
    signal(&child, "-TERM");
    assert_eq!(
        exited(child).await.status.code(),
        Some(0),
        "{}",
        setup.log()
    );
    let lines = setup.lines_from("cannot be written now");
    let told: Vec<&String> = lines
        .iter()
        .take_while(|line| !line.contains("stopping: "))
        .collect();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].contains("WARN"), "{told:#?}");
    assert!(told[1].contains("can be written again"), "{told:#?}");
    assert!(told[1].contains("writes failed meanwhile"), "{told:#?}");
}
