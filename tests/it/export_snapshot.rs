//! A page of an export is of one moment.

use riftsync::model::table::{RowBatch, Values};
use riftsync::store::export::{ExportStore, MatchTable};

use crate::data::{game, match_id, stores, write};
use crate::postgres::open;
use crate::scratch::Scratch;

/// On PostgreSQL several statements read a page.
#[tokio::test]
async fn a_page_is_of_one_moment_and_one_that_is_given_up_leaves_none_behind() {
    let scratch = Scratch::new();
    let store = open(&scratch).await;
    write(&*store, vec![vec![stores(&game(1, 60))]]).await;
    let ids = [match_id(1).to_string()];
    let participants = MatchTable::named("match_participants").unwrap();
    let names = |rows: &RowBatch| {
        let at = participants
            .columns
            .iter()
            .position(|column| column.name == "game_name");
        match &rows.columns[at.unwrap()].values {
            Values::Text(texts, _) => texts.clone(),
            other => panic!("{other:?}"),
        }
    };
    let read = || {
        let (store, ids) = (store.clone(), ids.clone());
        tokio::spawn(async move { store.export_rows(participants, &ids).await })
    };
    let name = |name: &str| scratch.run(&format!("UPDATE players SET game_name = '{name}'"));
    let lock = || scratch.hold("LOCK TABLE match_participants");
    let waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waiting = async || {
        while scratch.rows(waits).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    name("a");
    // The matches are read, the rows are not.
    let locked = lock();
    let reading = read();
    waiting().await;
    name("b");
    drop(locked);
    let rows = reading.await.unwrap().unwrap();
    assert_eq!(names(&rows), "a".repeat(10));
    // Both of the connections, given up in the middle.
    let locked = lock();
    for _ in 0..2 {
        let reading = read();
        waiting().await;
        reading.abort();
        assert!(reading.await.unwrap_err().is_cancelled());
    }
    drop(locked);
    name("c");
    for _ in 0..2 {
        let rows = read().await.unwrap().unwrap();
        assert_eq!(names(&rows), "c".repeat(10));
    }
}
