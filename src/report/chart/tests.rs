//! Pictures are what they were, and no text gets out of its place in them.

use proptest::prelude::*;

use super::*;
use crate::leads::Quartiles;
use crate::ranks::RankPoint;
use crate::year::Tally;

fn line(name: &str, games: u64, wins: u64) -> GameGroup {
    let tally = Tally {
        games,
        wins,
        ..Tally::default()
    };
    GameGroup {
        name: name.to_owned(),
        tally,
    }
}

fn day(date: &str, games: u64, wins: u64) -> Day {
    let date = date.to_owned();
    Day { date, games, wins }
}

fn span() -> YearSpan {
    YearSpan {
        first: "2025-01-01".to_owned(),
        last: "2025-12-31".to_owned(),
    }
}

/// A picture is what it was. With `RIFTSYNC_SNAPSHOTS` set, what it is now is written down.
#[track_caller]
fn check(name: &str, picture: &str) {
    let path = format!("{}/snapshots/{name}.svg", env!("CARGO_MANIFEST_DIR"));
    let picture = picture.replace("><", ">\n<") + "\n";
    if std::env::var_os("RIFTSYNC_SNAPSHOTS").is_some() {
        std::fs::write(&path, &picture).unwrap();
    }
    assert_eq!(picture, std::fs::read_to_string(&path).unwrap());
}

#[test]
fn bars_are_what_they_were() {
    let lines = [line("Mon", 12, 7), line("Tue", 0, 0), line("<Wed>", 3, 0)];
    check("bars", &bars("bars", "Games by weekday", &lines));
}

#[test]
fn a_curve_is_what_it_was() {
    let point = |game, wins, date: &str| Point {
        date: date.to_owned(),
        game,
        wins,
    };
    let points = [
        point(20, 10, "2025-01-30"),
        point(40, 15, "2025-03-02"),
        point(45, 0, "2025-03-09"),
    ];
    check("curve", &curve("curve", "Win rate", 20, &points));
    assert_eq!(curve("curve", "Win rate", 20, &[]), "");
}

#[test]
fn a_calendar_is_what_it_was() {
    let played = [
        day("2025-01-01", 1, 1),
        day("2025-03-09", 4, 2),
        day("2025-12-31", 12, 1),
    ];
    check("days", &days("days", "Games by day", &span(), &played));
    check("key", &key("days"));
}

#[test]
fn every_day_with_a_game_has_a_square() {
    let played: Vec<Day> = calendar(&span())
        .iter()
        .map(|(date, ..)| day(&date.to_string(), 5, 3))
        .collect();
    let picture = days("days", "Games by day", &span(), &played);
    assert_eq!(picture.matches("h0").count(), 365);
    assert!(picture.len() < 6_000, "{} bytes", picture.len());
}

proptest! {
    #[test]
    fn no_text_gets_out_of_its_place(text in ".*") {
        let picture = bars("bars", &text, &[line(&text, 1, 1)]);
        let of_ours = bars("bars", "", &[line("", 1, 1)]);
        for mark in ['<', '>', '"'] {
            prop_assert_eq!(picture.matches(mark).count(), of_ours.matches(mark).count());
        }
    }
}

#[test]
fn curves_of_a_lead_are_what_they_were() {
    let quartiles = |low, middle, high| {
        Some(Quartiles {
            games: 9,
            low,
            middle,
            high,
        })
    };
    let minutes = [
        (0, [quartiles(0, 0, 0), quartiles(0, 0, 0)]),
        (1, [quartiles(-50, 20, 90), quartiles(-200, -60, 10)]),
        (2, [quartiles(-20, 80, 390), None]),
    ];
    check("lead", &lead("gold", "Lead in gold", "Gold", &minutes));
    assert_eq!(lead("gold", "", "", &[]), "");
    let rounded = [0, 100, 101, 390, 401, u32::MAX].map(super::lead::round_up);
    assert_eq!(rounded, [100, 100, 200, 400, 1_000, 1_000_000_000]);
}

#[test]
fn a_map_with_its_dots_is_what_it_was() {
    let dots = |class: &'static str, at| Dots { class, at };
    let dots = [
        dots("kill", &[[0, 0], [75, 150]]),
        dots("death", &[[150, 10]]),
    ];
    check("map", &kill_map("map", "Kills", "Where.", true, &dots));
}

#[test]
fn a_rank_over_a_year_is_what_it_was() {
    let seen = |date: &str, points: Option<i32>| RankPoint {
        date: date.to_owned(),
        points,
        ..RankPoint::default()
    };
    let line = [
        seen("2025-01-09", Some(1_150)),
        seen("2025-03-09", Some(1_260)),
        seen("2025-07-01", None),
        seen("2025-09-01", Some(1_390)),
        seen("nonsense", Some(7)),
    ];
    check("rank", &rank("rank-0", "Ranked solo/duo", &span(), &line));
    assert_eq!(rank("rank-0", "", &span(), &line[2..3]), "");
}

#[test]
fn a_match_in_pictures_is_what_it_was() {
    check("gold", &gold("lead", "Gold", &[0, 350, -1_200, -2_500]));
    assert_eq!(gold("lead", "", &[]), "");
    let taken = [(60_000, 100, 'T'), (61_000, 100, 'D'), (300_000, 200, 'B')];
    check("events", &events("events", "Objectives", 1_800, &taken));
}
