//! What participants are called, in an export on PostgreSQL that reads it behind the rows.

use std::sync::Arc;

use riftsync::model::table::{Cell, RowBatch};
use riftsync::store::Store;
use riftsync::store::export::MatchTable;

use crate::data::{game, match_id, stores, write};
use crate::postgres::open;
use crate::scratch::Scratch;

const FIRST: &str = "(SELECT id FROM players WHERE game_name = '1')";
const LAST: &str = "(SELECT id FROM players WHERE game_name = '10')";

/// One game of ten players, who are called by the numbers of the participants.
async fn ten(scratch: &Scratch) -> Arc<dyn Store> {
    let store = open(scratch).await;
    write(&*store, vec![vec![stores(&game(1, 60))]]).await;
    scratch.run(
        "UPDATE players SET game_name = d.participant_id FROM match_participants d WHERE d.player_id = players.id",
    );
    store
}

/// What participants are called; nothing is an empty text.
async fn called(store: &dyn Store) -> Vec<String> {
    let table = MatchTable::named("match_participants").unwrap();
    let ids = [match_id(1).to_string()];
    let rows: RowBatch = store.export_rows(table, &ids).await.unwrap();
    let named = table
        .columns
        .iter()
        .position(|column| column.name == "game_name");
    let mut cells = rows.columns[named.unwrap()].cursor();
    let cells = (0..rows.rows).map(|_| match cells.next_cell() {
        Cell::Text(name) => name.to_owned(),
        Cell::None => String::new(),
        other => panic!("{other:?}"),
    });
    cells.collect()
}

/// Nine who are called as they were, and the last.
fn ten_names(last: &str) -> Vec<String> {
    let nine = (1..10).map(|number: u32| number.to_string());
    nine.chain([last.to_owned()]).collect()
}

#[tokio::test]
async fn games_of_two_rows_that_become_one_person_have_a_name() {
    let scratch = Arc::new(Scratch::new());
    let store = ten(&scratch).await;
    let waits = |event: &str| {
        let of =
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event =";
        let waits = format!("{of} '{event}'");
        let scratch = scratch.clone();
        async move {
            while scratch.rows(&waits).is_empty() {
                tokio::task::yield_now().await;
            }
        }
    };
    // Between the rows and the names, the last player becomes one with the first.
    let gate = scratch.hold("SELECT pg_advisory_xact_lock(1)");
    let merge = format!(
        "BEGIN; LOCK TABLE players; SELECT pg_advisory_xact_lock(1);
         UPDATE match_participants SET player_id = {FIRST} WHERE player_id = {LAST};
         DELETE FROM players WHERE id = {LAST}; COMMIT"
    );
    let merged = {
        let scratch = scratch.clone();
        std::thread::spawn(move || scratch.run(&merge))
    };
    waits("advisory").await;
    let reading = tokio::spawn(async move { called(&*store).await });
    waits("relation").await;
    drop(gate);
    merged.join().unwrap();
    assert_eq!(reading.await.unwrap(), ten_names("1"));
}

#[tokio::test]
async fn a_player_who_is_nowhere_costs_no_row() {
    let scratch = Scratch::new();
    let store = ten(&scratch).await;
    assert_eq!(called(&*store).await, ten_names("10"));
    scratch.run(&format!("DELETE FROM players WHERE id = {LAST}"));
    assert_eq!(called(&*store).await, ten_names(""));
    scratch.run("DELETE FROM players");
    assert_eq!(called(&*store).await, vec![""; 10]);
    // All of them bots.
    scratch.run("UPDATE match_participants SET player_id = NULL");
    assert_eq!(called(&*store).await, vec![""; 10]);
}
