//! What a database's error means is told by its code, whatever its words are.

use riftsync::store::{Fenced, Store, StoreError};

use crate::data::{game, stores, with_effects};
use crate::place::Place;
use crate::rig::{Rig, on_each_place};
use crate::store::{NOW, claim_one, new_job};
use crate::wait;

/// Refuses every match, with these words and this code.
fn refusal(words: &str, code: &str) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{words}' USING ERRCODE = '{code}'; END $$;
         DROP TRIGGER IF EXISTS refuse ON matches;
         CREATE TRIGGER refuse BEFORE INSERT ON matches FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
}

/// The same of SQLite, which says of its codes nothing but their words.
fn sqlite_refusal(words: &str) -> String {
    format!(
        "DROP TRIGGER IF EXISTS refuse;
         CREATE TRIGGER refuse BEFORE INSERT ON matches BEGIN SELECT RAISE(ABORT, '{words}'); END"
    )
}

const ALLOWED: &str = "DROP TRIGGER refuse ON matches";

/// Stores a match.
async fn attempt(store: &dyn Store) -> Result<Fenced, StoreError> {
    store.enqueue(vec![new_job("k", None)], NOW).await.unwrap();
    let lease = claim_one(store, "q").await;
    let completion = with_effects(vec![stores(&game(1, 10))]);
    store.settle(lease, completion, NOW).await
}

#[tokio::test]
async fn a_server_may_say_it_in_any_language() {
    let place = Place::postgres();
    let store = place.open().await;
    let Place::Postgres(scratch) = &place else {
        unreachable!()
    };
    let lies = "deadlock detected: No space left, disk full, terminating connection";
    scratch.run(&refusal(lies, "P0001"));
    let error = attempt(&*store).await.unwrap_err();
    assert!(matches!(error, StoreError::Unexpected(_)), "{error:?}");
    assert!(error.to_string().contains("SQLSTATE P0001"), "{error}");

    scratch.run(&refusal("Verklemmung entdeckt", "40P01"));
    let error = attempt(&*store).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");

    scratch.run(&refusal("konnte Datei nicht erweitern", "53100"));
    let later = async {
        // As soon as the writer has met it.
        wait::until_soon("a busy writer", async || store.writer_stats().busy).await;
        scratch.run(ALLOWED);
    };
    let (end, ()) = tokio::join!(attempt(&*store), later);
    assert_eq!(end.unwrap(), Fenced::Applied, "a full disk is waited for");
}

#[tokio::test]
async fn words_that_are_not_sqlites_own_are_not_transient() {
    let rig = Place::sqlite();
    let store = rig.open().await;
    let Place::Sqlite(folder) = &rig else {
        unreachable!()
    };
    let refuse = |words: &str| {
        use diesel::Connection;
        use diesel::connection::SimpleConnection;
        let path = folder.path().join("t.db");
        let mut conn = diesel::SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        conn.batch_execute(&sqlite_refusal(words)).unwrap();
    };
    refuse("the door is locked, the disk is full, busy, disk I/O, readonly");
    let error = attempt(&*store).await.unwrap_err();
    assert!(matches!(error, StoreError::Unexpected(_)), "{error:?}");
    refuse("database or disk is full");
    let error = attempt(&*store).await.unwrap_err();
    assert!(matches!(error, StoreError::Full(_)), "{error:?}");
    refuse("database is locked");
    let error = attempt(&*store).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

on_each_place! {
    an_end_that_cannot_be_stored_is_told_and_is_given_up_when_its_job_is_cancelled,
}

async fn an_end_that_cannot_be_stored_is_told_and_is_given_up_when_its_job_is_cancelled(
    place: Place,
) {
    let rig = Rig::new(place, 2).await;
    rig.done(&["db", "migrate"]).await;
    let engine = rig.serve().await;
    rig.execute(&match rig.place {
        Place::Postgres(_) => refusal("Verklemmung entdeckt", "40P01"),
        Place::Sqlite(_) => sqlite_refusal("database is locked"),
    });
    let sync = [
        "sync",
        crate::setup::PLAYER,
        "--platform",
        "euw1",
        "--year",
        "2025",
    ];
    rig.done(&[&sync[..], &["--no-timelines", "--detach"]].concat())
        .await;
    let late = "could not be stored for";
    wait::until(late, async || rig.setup.log().contains(late)).await;
    let open = "SELECT CAST(id AS TEXT) AS row FROM jobs WHERE kind = 'sync_match_data' AND finished_at IS NULL";
    let stuck = rig.lines(open);
    assert!(!stuck.is_empty());
    for id in &stuck {
        // While others' ends are in the way, it is refused.
        while !crate::setup::run(rig.command(&["job", "cancel", id]))
            .await
            .status
            .success()
        {}
    }
    wait::until("the end of all", async || rig.lines(open).is_empty()).await;
    let told =
        rig.lines("SELECT state || ' ' || errors AS row FROM jobs WHERE kind = 'sync_match_data'");
    for job in told {
        assert!(job.starts_with("cancelled "), "{job}");
        assert!(job.contains("could not be stored"), "{job}");
    }
    assert_eq!(rig.number("SELECT count(*) FROM matches"), 0);
    engine.stop().await;
}
