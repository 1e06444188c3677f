//! Processes that die, one after the other: from outside, which costs time and nothing else, and by themselves, which
//! finds the job that did it.

use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use riftsync::model::MatchId;
use riftsync::simulator::{FaultKind, Faults};
use riftsync::store::JobStore;
use riftsync::store::sqlite::SqliteStore;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::setup::{Id, PLAYER, Setup, exited, run, setup, setup_for, signal, text};
use crate::wait;

/// Stands between the program and the API, and sees a request come.
struct Watchman {
    base_url: String,
    seen: Arc<AtomicBool>,
}

impl Watchman {
    async fn watch(setup: &Setup, word: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (mine, api) = (listener.local_addr().unwrap(), setup.simulator.addr());
        let seen = Arc::new(AtomicBool::new(false));
        let see = seen.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(api).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(carry(
                    from_client,
                    to_server,
                    Some((word.clone(), see.clone())),
                ));
                tokio::spawn(carry(from_server, to_client, None));
            }
        });
        let base_url = setup.simulator.base_url();
        Self {
            base_url: base_url.replace(&api.to_string(), &mine.to_string()),
            seen,
        }
    }
}

/// What holds the word does not go on, and its connection stays open: if it closed, the client would ask a second time,
/// and a process that comes after it would be ended for that.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    stops_at: Option<(String, Arc<AtomicBool>)>,
) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        if let Some((word, seen)) = &stops_at
            && String::from_utf8_lossy(&bytes[..length]).contains(word)
        {
            seen.store(true, Ordering::Release);
            return std::future::pending().await;
        }
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}

/// When the match ends whoever asks for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    AtOnce,
    /// When everything else is done.
    Last,
}

/// Syncs until a process lives to its end: a process that aborts ends by the signal that this sends, and one match does
/// that to whoever asks for it. How many died, and what the last one said.
async fn sync_past_deaths(setup: &Setup, watchman: &Watchman, moment: Moment) -> (u32, Output) {
    let mut deaths = 0;
    loop {
        let mut sync = setup.sync();
        sync.env("RIFTSYNC_RIOT__BASE_URL", &watchman.base_url);
        let child = sync.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        while child.try_wait().unwrap().is_none() && !watchman.seen.load(Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
        if !watchman.seen.swap(false, Ordering::AcqRel) {
            return (deaths, exited(child).await);
        }
        if moment == Moment::Last {
            let store = SqliteStore::open_read_only(setup.database().as_ref()).unwrap();
            // It, and the sync that waits for it.
            let two_are_open = async || store.open_jobs().await.unwrap() <= 2;
            wait::until_soon("the end of the others", two_are_open).await;
        }
        signal(&child, "-ABRT");
        exited(child).await;
        deaths += 1;
        assert!(deaths < 10, "it is never found");
    }
}

/// The sync says which match is missing and why; returns the job that would fetch it.
fn misses(output: &Output, poison: MatchId) -> String {
    let told = text(output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("1 match was not fetched"), "{told}");
    assert!(told.contains("died by itself 3 times"), "{told}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let result = &document["result"];
    assert_eq!(result["complete"], false, "{result}");
    let failed = result["failed_matches"].as_array().unwrap();
    assert_eq!(failed.len(), 1, "{result}");
    assert_eq!(failed[0]["key"], poison.to_string().as_str());
    assert_eq!(failed[0]["error"], "poison_pill");
    let reason = failed[0]["reason"].as_str().unwrap();
    let job = reason.split_once("riftsync job retry ");
    job.map(|(_, job)| job.to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_match_that_ends_its_process_is_found_and_its_sync_says_what_is_missing() {
    let setup = setup(60).await;
    let player = PLAYER.parse().unwrap();
    let poison = setup.world.player_matches(&player, 2025)[7].id;
    let watchman = Watchman::watch(&setup, format!("/matches/{poison} ")).await;
    let (deaths, output) = sync_past_deaths(&setup, &watchman, Moment::AtOnce).await;
    // Three less if the others are done before it ends its first process.
    assert!((3..=6).contains(&deaths), "{deaths}");
    misses(&output, poison);
}

/// The sync that waited for the match ended as the last process began, so the one typed then is another. It must not
/// end one process after the other for ever: what a job did to three of them is not asked for again, unless somebody
/// says so.
#[tokio::test]
async fn a_match_that_ends_its_process_is_left_alone_until_somebody_wants_it_again() {
    let setup = setup(60).await;
    let player = PLAYER.parse().unwrap();
    let poison = setup.world.player_matches(&player, 2025)[7].id;
    let watchman = Watchman::watch(&setup, format!("/matches/{poison} ")).await;
    let (deaths, output) = sync_past_deaths(&setup, &watchman, Moment::Last).await;
    assert_eq!(deaths, 3);
    let job = misses(&output, poison);
    let (deaths, again) = sync_past_deaths(&setup, &watchman, Moment::AtOnce).await;
    assert_eq!((deaths, misses(&again, poison)), (0, job.clone()));
    // It does no harm any more. Everything else is there.
    let retried = run(setup.command(&["job", "retry", &job])).await;
    assert!(retried.status.success(), "{}", text(&retried));
    let whole = run(setup.sync()).await;
    assert!(whole.status.success(), "{}", text(&whole));
    setup.check_complete_small(60).await;
}

/// Sixty deaths at random moments, five players, one call in twenty broken: at the end everything is
/// there once, the statistics are exact and no job was taken for what ended its engine. The moments are drawn anew
/// each time; a failure names the seed.
#[tokio::test]
async fn an_engine_killed_sixty_times_ends_with_everything_stored_once() {
    let players = [
        "Red Fox#SIM",
        "Grey Owl#SIM",
        "Tall Elk#SIM",
        "Shy Cat#SIM",
        "Old Bear#SIM",
    ];
    let setup = setup_for(&players, 120).await;
    setup.simulator.control().set_faults(Faults {
        probability: 0.05,
        // A stall is over soon: what it costs is time, not more cases.
        stall_ms: 20,
        // Two refusals of the key in a row are a dead key, rightly.
        kinds: FaultKind::transient()
            .iter()
            .copied()
            .filter(|kind| {
                !matches!(
                    kind,
                    FaultKind::Unauthorized | FaultKind::Forbidden | FaultKind::ForbiddenHtml
                )
            })
            .collect(),
    });
    setup.submit(&players).await;
    let seed = fastrand::u64(..);
    let mut rng = fastrand::Rng::with_seed(seed);
    println!("seed {seed}");
    let watched = SqliteStore::open_read_only(setup.database().as_ref()).unwrap();
    for _ in 0..60 {
        let until = setup.simulator.counters().calls + rng.u64(1..30);
        let mut child = setup.serve().spawn().unwrap();
        while setup.simulator.counters().calls < until
            && child.try_wait().unwrap().is_none()
            && watched.open_jobs().await.unwrap() > 0
        {
            tokio::task::yield_now().await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    drop(watched);
    assert_eq!(setup.run_to_the_end().await, Vec::<i64>::new());
    for player in players {
        setup.check_complete_for(player).await;
    }
}

/// Jobs that ran when a copy of the database was made say nothing of what ended their engine.
#[tokio::test]
async fn a_database_that_was_copied_with_jobs_under_way_starts_at_full_speed() {
    let setup = setup(130).await;
    setup.submit(&[PLAYER]).await;
    let mut conn = None;
    for life in 1..=2 {
        let mut child = setup.serve().spawn().unwrap();
        // The list comes; then every document takes its time.
        while setup.document_calls() == 0 {
            assert!(child.try_wait().unwrap().is_none(), "{}", setup.log());
            tokio::task::yield_now().await;
        }
        setup.simulator.control().set_faults(Faults {
            probability: 1.0,
            stall_ms: 60_000,
            kinds: vec![FaultKind::Stall],
        });
        let conn =
            conn.get_or_insert_with(|| SqliteConnection::establish(&setup.database()).unwrap());
        // All at once, also those that ran before.
        let held = format!(
            "SELECT id FROM jobs WHERE state = 'running' AND (SELECT count(*) FROM engines) = {life}
             AND engine_id = (SELECT id FROM engines ORDER BY started_at DESC LIMIT 1)"
        );
        let running = |conn: &mut SqliteConnection| -> usize {
            let found: Vec<Id> = diesel::sql_query(&held).load(conn).unwrap();
            found.len()
        };
        wait::until_soon("twenty that run", async || {
            running(conn) >= 20 || wait::not_yet(&mut child, || setup.log())
        })
        .await;
        child.kill().unwrap();
        child.wait().unwrap();
        // It is another machine's now.
        std::fs::remove_dir_all(setup.folder.path().join("engines")).unwrap();
    }
    let suspected = "SELECT id FROM jobs WHERE crash_count > 0";
    let suspected: Vec<Id> = diesel::sql_query(suspected)
        .load(conn.as_mut().unwrap())
        .unwrap();
    assert!(suspected.is_empty(), "{} jobs", suspected.len());
    setup.simulator.control().set_faults(Faults::none());
    assert_eq!(setup.run_to_the_end().await, Vec::<i64>::new());
    setup.check_complete().await;
}
