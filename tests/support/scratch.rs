//! A fresh PostgreSQL database for one test, dropped with it.
//!
//! The server is the one that `TEST_DATABASE_URL` names; `tests/run.sh` starts one and sets it. Databases are
//! copies of one that was made and migrated once, which is much faster than to migrate each.

use std::future::Future;
use std::sync::OnceLock;

use riftsync::store::Database;
use riftsync::store::postgres::{PostgresStore, Settings};
use tokio_postgres::NoTls;

/// Taken while the template is made, and while it is copied.
const LOCK: &str = "SELECT pg_advisory_lock(4711)";

/// See the module.
#[derive(Debug)]
pub struct Scratch {
    name: String,
    url: String,
    server: String,
}

impl Scratch {
    pub fn new() -> Self {
        static TEMPLATE: OnceLock<String> = OnceLock::new();
        let template = TEMPLATE.get_or_init(|| on_own_runtime(make_template));
        let copy = |name: &str| format!("CREATE DATABASE {name} TEMPLATE {template}");
        Self::make(server_url(), copy)
    }

    /// An empty one on another server.
    #[allow(dead_code, reason = "not all tests that share this file use it")]
    pub fn on_server(server: &str) -> Self {
        Self::make(server.to_owned(), |name| format!("CREATE DATABASE {name}"))
    }

    /// An empty one of another encoding.
    #[allow(dead_code, reason = "not all tests that share this file use it")]
    pub fn encoded(encoding: &str) -> Self {
        Self::make(server_url(), |name| {
            format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
        })
    }

    /// One that somebody has made beside this, by its name with more behind it.
    #[allow(dead_code, reason = "not all tests that share this file use it")]
    pub fn beside(&self, more: &str) -> Self {
        let name = format!("{}{more}", self.name);
        Self {
            url: url_of(&self.server, &name),
            server: self.server.clone(),
            name,
        }
    }

    fn make(server: String, create: impl Fn(&str) -> String) -> Self {
        let name = format!("riftsync_test_{:016x}", fastrand::u64(..));
        let (create, url) = (create(&name), url_of(&server, &name));
        on_own_runtime(|| async { on(&server, &[LOCK, &create]).await });
        Self { name, url, server }
    }

    #[allow(dead_code, reason = "not all tests that share this file use it")]
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn settings(&self) -> Settings {
        Settings::new(self.url.parse().unwrap())
    }

    /// Runs statements, past the store.
    #[allow(dead_code, reason = "not all tests that share this file use it")]
    pub fn run(&self, statements: &str) {
        let (url, statements) = (self.url.clone(), statements.to_owned());
        on_own_runtime(|| async move { on(&url, &[&statements]).await });
    }

    /// A transaction that has run a statement, and stays open until this is dropped.
    #[allow(dead_code, reason = "not all tests that share this file use it")]
    pub fn hold(&self, statement: &str) -> Held {
        let (url, statement) = (self.url.clone(), format!("BEGIN; {statement}"));
        let (ready, begun) = std::sync::mpsc::channel();
        let (release, released) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            on_own_runtime(|| async move {
                let client = connect(&url).await;
                client.batch_execute(&statement).await.unwrap();
                ready.send(()).unwrap();
                let _ = released.await;
                client.batch_execute("ROLLBACK").await.unwrap();
            });
        });
        begun.recv().unwrap();
        Held {
            release: Some(release),
            thread: Some(thread),
        }
    }

    /// The rows of a query as text.
    #[allow(dead_code, reason = "not all tests that share this file use it")]
    pub fn rows(&self, query: &str) -> Vec<Vec<Option<String>>> {
        let (url, query) = (self.url.clone(), query.to_owned());
        on_own_runtime(|| async move {
            let client = connect(&url).await;
            let messages = client.simple_query(&query).await.unwrap();
            let row = |message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => Some(
                    (0..row.len())
                        .map(|n| row.get(n).map(str::to_owned))
                        .collect(),
                ),
                _ => None,
            };
            messages.into_iter().filter_map(row).collect()
        })
    }
}

/// See [`Scratch::hold`].
#[derive(Debug)]
pub struct Held {
    release: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.release.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        on_own_runtime(|| async { on(&self.server, &[&drop]).await });
    }
}

fn server_url() -> String {
    std::env::var("TEST_DATABASE_URL").unwrap_or_else(|_| {
        panic!(
            "TEST_DATABASE_URL is not set, and this test needs a PostgreSQL server: run `bash tests/run.sh`, \
             which brings one, or set it to postgres://user@host/postgres"
        )
    })
}

/// The server's URL with another database.
fn url_of(server: &str, database: &str) -> String {
    let (place, query) = server.split_once('?').unwrap_or((server, ""));
    let host = place.rsplit_once('/').map_or(place, |(host, _)| host);
    format!("{host}/{database}?{query}")
}

/// One template for each program that runs tests: another may have other migrations.
async fn make_template() -> String {
    let name = format!("riftsync_template_{}", std::process::id());
    let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    let create = format!("CREATE DATABASE {name}");
    let server = server_url();
    on(&server, &[LOCK, &drop, &create]).await;
    let settings = Settings::new(url_of(&server, &name).parse().unwrap());
    PostgresStore::open(settings)
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
    // Nobody may be connected to a template when it is copied.
    let alone =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    on(&server, &[&alone]).await;
    name
}

async fn on(url: &str, statements: &[&str]) {
    let client = connect(url).await;
    for statement in statements {
        client.batch_execute(statement).await.unwrap();
    }
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Works inside of any runtime, and in a drop.
fn on_own_runtime<T, F>(work: impl FnOnce() -> F + Send) -> T
where
    T: Send,
    F: Future<Output = T>,
{
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(work())
        });
        thread.join().unwrap()
    })
}
