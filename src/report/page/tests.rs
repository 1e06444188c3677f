//! How large a page is, of who plays more than anybody.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::*;
use crate::games::{Game, Kill, Lead, SeenRank};
use crate::kills::KillMap;
use crate::ranks::rank_lines;
use crate::year::{Player, Wholeness};

/// 2025-01-01T00:00:00Z.
const BEGAN_MS: i64 = 1_735_689_600_000;
const GAMES: i64 = 3_000;
const RANKS: i64 = 2_000;
/// Minutes of a year between two games.
const PACE_MIN: i64 = 170;

fn small(number: i64) -> i32 {
    i32::try_from(number).unwrap()
}

/// As many games as a year has room for, no two alike.
fn games() -> Vec<Game> {
    let game = |n: i64| Game {
        match_id: format!("EUW1_{}", 7_000_000_000 + n),
        platform: "euw1".to_owned(),
        started_ms: BEGAN_MS + n * PACE_MIN * 60_000,
        seconds: 900 + n * 37 % 1_800,
        queue_id: [420, 440, 450, 400, 490, 700, 1_700, 900, 1_400]
            [usize::try_from(n % 9).unwrap()],
        patch: Some(format!("15.{}", n * 24 / GAMES + 1)),
        map_id: 11,
        team_id: if n % 2 == 0 { 100 } else { 200 },
        win: n * 7919 % 100 < 51,
        champion: format!("Champion of {}", n * 7 % 165),
        position: ["TOP", "JUNGLE", "MIDDLE", "BOTTOM", "UTILITY"][usize::try_from(n % 5).unwrap()]
            .to_owned(),
        opponent: Some(format!("Opponent of {}", n * 11 % 165)),
        kills: small(n % 23),
        deaths: small(n % 17),
        assists: small(n % 31),
        cs: small(100 + n % 250),
        gold: small(8_000 + n % 9_000),
        damage: small(9_000 + n * 13 % 60_000),
        vision: small(n % 70),
        team_damage: 100_000,
        firsts: [Some(n % 3 == 0); 7],
        multikills: [Some(1), Some(small(n % 2)), Some(0), Some(0)],
        kills_behind: Some(small(n % 20)),
        has_timeline: true,
        lead: Some(Lead {
            gold: (0..50)
                .map(|minute| Some(small(minute * (n % 300 - 150))))
                .collect(),
            xp: (0..50)
                .map(|minute| Some(small(minute * (n % 200 - 100))))
                .collect(),
        }),
        ..Game::default()
    };
    (0..GAMES).map(game).collect()
}

/// Of two queues, up and down several times a day.
fn ranks() -> Vec<SeenRank> {
    let rank = |n: i64| {
        let points = small(1_200 + n * 29 % 900);
        SeenRank {
            queue: ["RANKED_SOLO_5x5", "RANKED_FLEX_SR"][usize::try_from(n % 2).unwrap()]
                .to_owned(),
            seen_ms: BEGAN_MS + n * 262 * 60_000,
            tier: Some("PLATINUM".to_owned()),
            division: Some("III".to_owned()),
            league_points: Some(points % 100),
            points: Some(points),
            wins: Some(small(n)),
            losses: Some(small(n + 17)),
        }
    };
    (0..RANKS).map(rank).collect()
}

fn year() -> Year {
    let companion = |n: u64| Companion {
        riot_id: Some(format!("A long name of them {n}#EUW{n}")),
        games: 100 - n,
        wins: 40,
    };
    let kill = |n: i64| Kill {
        at_ms: n * 37 % 40 * 60_000,
        x: small(n * 7_919 % 15_000),
        y: small(n * 104_729 % 15_000),
        team_id: 100,
        is_death: n % 2 == 0,
    };
    // Thirty games: seven kills and seven deaths in each.
    let kills: Vec<Kill> = (0..30 * 14).map(kill).collect();
    let now = Timestamp::from_millisecond(BEGAN_MS).unwrap();
    Year {
        player: Player {
            riot_id: Some("The longest of nm#12345".to_owned()),
            former_names: (0..10)
                .map(|n| format!("The former name {n}#1234{n}"))
                .collect(),
            ..Player::default()
        },
        ranks: rank_lines(&ranks(), &TimeZone::UTC),
        kill_map: KillMap::of(30, &kills),
        duos: (0..8).map(companion).collect(),
        rivals: (0..8).map(companion).collect(),
        wholeness: vec![Wholeness {
            platform: "euw1".to_owned(),
            text:
                "Riot lists 3,000 matches of the year, and some of them are missing for reasons. "
                    .repeat(3),
            ..Wholeness::default()
        }],
        ..Year::of(2025, &games(), &TimeZone::UTC, now)
    }
}

#[test]
fn the_page_of_who_plays_most_of_all_stays_small() {
    let year = year();
    assert_eq!((year.all.games, year.days.len()), (3_000, 355));
    assert!(year.ranks.len() == 2 && year.leads.minutes.len() > 40);
    let path = "/player/EUW1/The%20longest%20of%20nm-12345/2025";
    let to_match = |id: &str| format!("/match/{id}?timezone=Asia%2FSeoul");
    let to_player = |_: &str| Some(format!("{path}?timezone=Asia%2FSeoul"));
    let view = View {
        to_match: Some(&to_match),
        to_player: Some(&to_player),
        is_whole: false,
        to_whole: Some(path),
    };
    let page = body(&year, view);
    let whole = body(
        &year,
        View {
            is_whole: true,
            ..view
        },
    );
    let file = file(&year);
    let parts: Vec<(&str, usize)> = (page.split("<section").skip(1))
        .map(|part| {
            (
                part.split(['<', '>']).nth(3).unwrap_or_default(),
                part.len(),
            )
        })
        .collect();
    let mut text = String::new();
    for part in page.split("<svg") {
        text += part.split_once("</svg>").map_or(part, |(_, text)| text);
    }
    // What is round it, with the notice at its foot, has less than five thousand.
    assert!(
        text.len() < 40_000,
        "{} bytes without pictures: {parts:#?}",
        text.len()
    );
    assert!(page.len() < 62_000, "{} bytes: {parts:#?}", page.len());
    assert!(
        file.len() < 500_000 && file.len() > page.len() / 2,
        "{}",
        file.len()
    );
    assert!(whole.contains("Champion of 164") && !page.contains("Champion of 164"));
}
