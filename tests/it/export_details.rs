//! The tables beside the first rows of a match as files.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;
use std::sync::Arc;

use riftsync::export::What;
use riftsync::model::details::{Cell, Column, Kind, SHEETS, TEAMS};
use riftsync::model::records::MatchRecord;
use riftsync::store::Store;
use riftsync::store::export::BAN_COLUMNS;

use crate::data::{game, stores, write};
use crate::export::{ALL, table};
use crate::place::on_each_store;
use crate::setup::{run, setup, text};

on_each_store! { tokio::test;
    every_cell_beside_the_first_rows_of_a_match_is_in_its_file,
}

/// A cell as a file has it.
fn as_text(cell: Cell, column: &Column) -> String {
    match (cell, column.kind) {
        (None, _) => String::new(),
        (Some(value), Kind::Flag) => (value != 0).to_string(),
        (Some(value), _) => value.to_string(),
    }
}

async fn every_cell_beside_the_first_rows_of_a_match_is_in_its_file(store: Arc<dyn Store>) {
    // More than a page of them.
    let mut games: Vec<_> = (0..300).map(|n| game(n, 60)).collect();
    let stored = games.iter().map(|game| vec![stores(game)]);
    write(&*store, stored.collect()).await;
    games.sort_by_key(|game| game.id.to_string());
    let begins = |game: &MatchRecord, number: i32| {
        vec![
            game.id.to_string(),
            game.id.platform().as_str().to_owned(),
            game.year.to_string(),
            game.patch().unwrap_or_default(),
            number.to_string(),
        ]
    };
    let of = |game: &MatchRecord, number, columns: &[Column], cells: &[Cell]| {
        assert_eq!(columns.len(), cells.len());
        let cells = cells.iter().zip(columns);
        let mut row = begins(game, number);
        row.extend(cells.map(|(cell, column)| as_text(*cell, column)));
        row
    };
    for (what, sheet) in [What::Damage, What::Combat, What::Vision, What::Loadout]
        .into_iter()
        .zip(&SHEETS)
    {
        let expected = games.iter().flat_map(|game| {
            let rows = game.participants.iter().map(|one| {
                let cells = one.details.of(sheet).unwrap();
                of(game, one.participant_id, sheet.columns, cells)
            });
            rows.collect::<Vec<_>>()
        });
        let (names, rows) = table(&*store, what, ALL).await;
        let first = ["match_id", "platform", "year", "patch", "participant_id"];
        let known = sheet.columns.iter().map(|column| column.name);
        assert!(names.iter().eq(first.into_iter().chain(known)), "{names:?}");
        assert_eq!(rows, expected.collect::<Vec<_>>(), "{what}");
    }
    let teams = games.iter().flat_map(|game| {
        let teams = game.teams.iter();
        teams.map(|team| of(game, team.team_id, TEAMS.columns, &team.cells))
    });
    let (names, rows) = table(&*store, What::Teams, ALL).await;
    assert_eq!(names[4..6], ["team_id", "win"]);
    assert_eq!(rows, teams.collect::<Vec<_>>());
    let bans = games.iter().flat_map(|game| {
        game.bans.iter().map(|ban| {
            let cells = [ban.team_id, ban.turn, ban.champion_id];
            of(game, ban.ban, BAN_COLUMNS, &cells)
        })
    });
    let (names, rows) = table(&*store, What::Bans, ALL).await;
    assert_eq!(names[4..], ["ban", "team_id", "turn", "champion_id"]);
    assert_eq!(rows, bans.collect::<Vec<_>>());
    let (names, rows) = table(&*store, What::Matches, ALL).await;
    let patch = names.iter().position(|name| name == "patch").unwrap();
    let patches = rows.into_iter().map(|row| row[patch].clone());
    assert!(patches.eq(games.iter().map(|game| game.patch().unwrap_or_default())));
}

#[tokio::test]
async fn a_reader_that_has_enough_is_no_failure_and_a_full_place_is_called_that() {
    let setup = setup(12).await;
    assert!(run(setup.sync()).await.status.success());
    for format in ["csv", "parquet"] {
        let frames = [
            "export",
            "--what",
            "timeline_frames",
            "--format",
            format,
            "--out",
            "-",
        ];
        let mut head = setup.command(&frames);
        head.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut head = head.spawn().unwrap();
        let ended = tokio::task::spawn_blocking(move || {
            let mut begin = [0; 4];
            head.stdout.take().unwrap().read_exact(&mut begin).unwrap();
            head.wait_with_output().unwrap()
        });
        let ended = ended.await.unwrap();
        let told = text(&ended);
        assert!(
            ended.status.success() && !told.contains("cannot be written"),
            "{format}: {told}"
        );
        let mut full = setup.command(&frames);
        let device = File::options().write(true).open("/dev/full").unwrap();
        full.stdout(device).stderr(Stdio::piped());
        let full = full.spawn().unwrap();
        let ended = tokio::task::spawn_blocking(move || full.wait_with_output().unwrap());
        let ended = ended.await.unwrap();
        let told = text(&ended);
        assert_eq!(ended.status.code(), Some(1), "{format}: {told}");
        assert!(
            told.contains("stdout cannot be written: No space left"),
            "{format}: {told}"
        );
    }
}
