//! Connections that are cut in the middle of commits, and servers that go away: nothing is done twice, nothing
//! is lost, and nobody is told what is not so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use futures_util::future::join_all;
use riftsync::model::{NewJob, Outcome};
use riftsync::store::postgres::{PostgresStore, Settings};
use riftsync::store::{Database, Fenced, JobStore, Wanted};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::data::{check_statistics, game, stores, with_effects};
use crate::scratch::Scratch;
use crate::store::{NOW, end, new_job};

/// What becomes of the next commits that write.
pub const PASSES: u8 = 0;
/// The server never hears of it.
pub const CUT_BEFORE: u8 = 1;
/// The server makes it; its answer is lost.
pub const CUT_AFTER: u8 = 2;

/// Stands between a store and its server.
pub struct Proxy {
    port: u16,
    pub next: Arc<AtomicU8>,
    pub cuts: Arc<AtomicUsize>,
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

async fn connect(server: &tokio_postgres::Config) -> Box<dyn Socket> {
    use tokio_postgres::config::Host;
    let port = server.get_ports().first().copied().unwrap_or(5432);
    match &server.get_hosts()[0] {
        Host::Tcp(host) => Box::new(TcpStream::connect((host.as_str(), port)).await.unwrap()),
        Host::Unix(folder) => {
            let path = folder.join(format!(".s.PGSQL.{port}"));
            Box::new(UnixStream::connect(path).await.unwrap())
        }
    }
}

impl Proxy {
    pub async fn start(scratch: &Scratch) -> Self {
        let server: tokio_postgres::Config = scratch.url().parse().unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            next: Arc::default(),
            cuts: Arc::default(),
        };
        let (next, cuts) = (proxy.next.clone(), proxy.cuts.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = connect(&server).await;
                tokio::spawn(relay(client, server, next.clone(), cuts.clone()));
            }
        });
        proxy
    }

    fn settings(&self, scratch: &Scratch) -> Settings {
        Settings::new(self.url(scratch).parse().unwrap())
    }

    pub fn url(&self, scratch: &Scratch) -> String {
        let direct: tokio_postgres::Config = scratch.url().parse().unwrap();
        let user = direct.get_user().unwrap_or("postgres");
        let password = direct
            .get_password()
            .map(|word| String::from_utf8_lossy(word).into_owned());
        let password = password.map(|word| format!(":{word}")).unwrap_or_default();
        let database = direct.get_dbname().unwrap();
        let port = self.port;
        format!("postgres://{user}{password}@127.0.0.1:{port}/{database}?sslmode=disable")
    }
}

/// Carries bytes both ways until one side ends or a commit is cut.
async fn relay(
    mut client: TcpStream,
    mut server: Box<dyn Socket>,
    next: Arc<AtomicU8>,
    cuts: Arc<AtomicUsize>,
) {
    let (mut asked, mut told) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut lose_the_answer = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let bytes = &asked[..length];
                let has = |word: &[u8]| bytes.windows(word.len()).any(|window| window == word);
                if has(b"store_commits") && has(b"; COMMIT") {
                    match next.swap(PASSES, Ordering::Relaxed) {
                        CUT_BEFORE => {
                            cuts.fetch_add(1, Ordering::Relaxed);
                            return;
                        }
                        CUT_AFTER => lose_the_answer = true,
                        _ => {}
                    }
                }
                if server.write_all(bytes).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut told) => {
                let Ok(length @ 1..) = read else { return };
                if lose_the_answer {
                    cuts.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                if client.write_all(&told[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_of_a_commit_neither_loses_nor_doubles_anything() {
    let scratch = Scratch::new();
    let proxy = Proxy::start(&scratch).await;
    let store = PostgresStore::open(proxy.settings(&scratch)).await.unwrap();
    for (round, cut) in [CUT_BEFORE, CUT_AFTER, CUT_AFTER, CUT_BEFORE]
        .repeat(3)
        .into_iter()
        .enumerate()
    {
        // Jobs without keys, spawned and submitted, a match and its statistics: each once.
        let cut_next = || proxy.next.store(cut, Ordering::Relaxed);
        cut_next();
        let job = store.enqueue(vec![new_job("k", None)], NOW).await.unwrap()[0].id;
        cut_next();
        let claimed = store.claim(Wanted::of("q", 10), "e", NOW).await.unwrap();
        assert_eq!(
            claimed.len(),
            1,
            "what a lost answer held comes with the next"
        );
        assert_eq!(claimed[0].lease.job, job);
        let mut completion = (*with_effects(vec![stores(&game(round as u64, 12))])).clone();
        completion.children = vec![
            NewJob {
                queue: "c",
                ..new_job("child", None)
            };
            2
        ];
        cut_next();
        let settled = store
            .settle(claimed[0].lease, Arc::new(completion), NOW)
            .await;
        assert_eq!(settled.unwrap(), Fenced::Applied);
    }
    assert_eq!(proxy.cuts.load(Ordering::Relaxed), 36);
    assert_eq!(
        scratch.rows("SELECT 1 FROM jobs WHERE kind = 'k'").len(),
        12
    );
    assert_eq!(
        scratch
            .rows("SELECT 1 FROM jobs WHERE kind = 'child'")
            .len(),
        24
    );
    assert_eq!(scratch.rows("SELECT 1 FROM matches").len(), 12);
    check_statistics(&store, 1..=12).await;
}

#[tokio::test]
async fn backends_that_are_terminated_at_random_cost_no_job_and_no_attempt() {
    let scratch = Scratch::new();
    let store = Arc::new(PostgresStore::open(scratch.settings()).await.unwrap());
    let jobs = 400;
    store
        .enqueue(vec![new_job("k", None); jobs], NOW)
        .await
        .unwrap();
    let mut done = 0;
    while done < jobs {
        let claimed = store.claim(Wanted::of("q", 16), "e", NOW).await.unwrap();
        let ends = claimed.iter().map(|job| {
            assert_eq!(job.attempt, 1);
            store.settle(
                job.lease,
                Arc::new(end(Outcome::Complete(json!(null)))),
                NOW,
            )
        });
        if done % 64 == 0 {
            scratch.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            );
        }
        for fenced in join_all(ends).await {
            assert_eq!(fenced.unwrap(), Fenced::Applied);
        }
        done += claimed.len();
        assert!(!claimed.is_empty() || done == jobs);
    }
    assert_eq!(store.open_jobs().await.unwrap(), 0);
    assert_eq!(
        scratch
            .rows("SELECT 1 FROM jobs WHERE state = 'completed' AND attempt = 1")
            .len(),
        jobs
    );
}

#[tokio::test]
async fn a_store_takes_its_marks_away_when_it_closes() {
    let scratch = Scratch::new();
    let store = PostgresStore::open(scratch.settings()).await.unwrap();
    for _ in 0..600 {
        store.enqueue(vec![new_job("k", None)], NOW).await.unwrap();
    }
    let standing = scratch.rows("SELECT 1 FROM store_commits").len();
    assert!((1..=3 * 257).contains(&standing), "{standing}");
    store.close().await.unwrap();
    assert!(scratch.rows("SELECT 1 FROM store_commits").is_empty());
}
