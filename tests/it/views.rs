//! The views for people who write SQL: both databases say what the games themselves add up to.

use std::collections::BTreeMap;
use std::sync::Arc;

use riftsync::model::records::{MatchClass, MatchRecord, ParticipantRecord};

use crate::data::{game, stores, write};
use crate::place::Place;

const POSITIONS: [&str; 5] = ["TOP", "JUNGLE", "MIDDLE", "BOTTOM", "UTILITY"];

/// Games of two teams; in some nobody has a position, and some have no winner in their table of teams.
pub fn games() -> Vec<Arc<MatchRecord>> {
    let games = (0..60).map(|n| {
        let mut one = MatchRecord::clone(&game(n, 14));
        let version = if n.is_multiple_of(2) {
            "15.1.2"
        } else {
            "15.2.7"
        };
        version.clone_into(&mut one.game_version);
        one.queue_id = if n.is_multiple_of(3) { 440 } else { 420 };
        for (at, participant) in one.participants.iter_mut().enumerate() {
            participant.team_id = if at < 5 { 100 } else { 200 };
            participant.win = (at < 5) == (n % 5 > 1);
            let position = if n.is_multiple_of(7) {
                ""
            } else {
                POSITIONS[at % 5]
            };
            position.clone_into(&mut participant.team_position);
        }
        Arc::new(one)
    });
    games.collect()
}

fn counted(games: &[Arc<MatchRecord>]) -> impl Iterator<Item = &MatchRecord> {
    let played = games.iter().filter(|one| one.class == MatchClass::Played);
    played.map(|one| &**one)
}

/// Numbers of other databases have other last digits.
fn same(stored: Option<&str>, expected: Option<&str>) -> bool {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<f64>().ok());
    match (number(stored), number(expected)) {
        (Some(stored), Some(expected)) => (stored - expected).abs() <= 1e-9 * expected.abs(),
        _ => stored == expected,
    }
}

type Cells = Vec<Option<String>>;

/// Rows in the order of their first columns, which no two share.
fn check(place: &Place, keys: usize, query: &str, mut expected: Vec<Cells>) {
    let mut stored = place.rows(query);
    stored.sort_by(|one, other| one[..keys].cmp(&other[..keys]));
    expected.sort_by(|one, other| one[..keys].cmp(&other[..keys]));
    assert!(expected.len() > 20, "{query}");
    assert_eq!(stored.len(), expected.len(), "{query}");
    for (stored, expected) in stored.iter().zip(&expected) {
        assert_eq!(stored.len(), expected.len(), "{query}");
        let mut cells = stored.iter().zip(expected);
        let alike = cells.all(|(one, other)| same(one.as_deref(), other.as_deref()));
        assert!(alike, "{query}: {stored:?}, and not {expected:?}");
    }
}

/// A row of cells of any kind.
macro_rules! row {
    ($($cell:expr),* $(,)?) => {
        vec![$(Some($cell.to_string())),*]
    };
}

fn opponent<'g>(game: &'g MatchRecord, one: &ParticipantRecord) -> Option<&'g ParticipantRecord> {
    game.participants.iter().find(|other| {
        other.team_id != one.team_id
            && other.team_position == one.team_position
            && !one.team_position.is_empty()
    })
}

fn matches(games: &[Arc<MatchRecord>]) -> Vec<Cells> {
    let rows = games.iter().map(|game| {
        let queue = ["ranked solo/duo", "ranked flex"][usize::from(game.queue_id == 440)];
        let start = game.game_start.to_string();
        let mut row = row![
            game.id,
            game.patch().unwrap(),
            queue,
            start[..19].replace('T', " "),
            f64::from(u32::try_from(game.game_duration_s).unwrap()) / 60.0,
            i32::from(game.class == MatchClass::Remake),
            i32::from(game.class == MatchClass::Played),
        ];
        let won = game.teams.iter().filter(|team| team.cells[0] == Some(1));
        row.push(won.map(|team| team.team_id.to_string()).min());
        row
    });
    rows.collect()
}

fn player_matches(games: &[Arc<MatchRecord>]) -> Vec<Cells> {
    let rows = games.iter().flat_map(|game| {
        let seconds = f64::from(u32::try_from(game.game_duration_s).unwrap());
        let per_minute = move |sum: i32| (seconds > 0.0).then(|| f64::from(sum) * 60.0 / seconds);
        game.participants.iter().map(move |one| {
            let own = || {
                let all = game.participants.iter();
                all.filter(|other| other.team_id == one.team_id)
            };
            let share =
                |part: i32, of: i32| (of > 0).then(|| f64::from(part) * 100.0 / f64::from(of));
            let opponent = opponent(game, one);
            let text = |value: Option<f64>| value.map(|value| value.to_string());
            let mut row = row![game.id, one.participant_id];
            row.push(one.player.as_ref().map(|player| player.puuid.to_string()));
            row.extend(row![
                one.team_position,
                one.champion_name,
                i32::from(one.win),
                f64::from(one.kills + one.assists) / f64::from(one.deaths.max(1)),
            ]);
            let cs = one.total_minions_killed + one.neutral_minions_killed;
            row.extend([
                opponent.map(|other| other.participant_id.to_string()),
                opponent.map(|other| other.champion_id.to_string()),
                text(share(
                    one.kills + one.assists,
                    own().map(|other| other.kills).sum(),
                )),
                text(per_minute(cs)),
                text(per_minute(one.gold_earned)),
                text(per_minute(one.damage_to_champions)),
                text(share(
                    one.damage_to_champions,
                    own().map(|other| other.damage_to_champions).sum(),
                )),
            ]);
            row
        })
    });
    rows.collect()
}

/// Games, wins, and what else is added up.
type Sums = BTreeMap<Vec<String>, (i32, i32, i32)>;

fn add(sums: &mut Sums, key: Vec<String>, win: bool, more: i32) {
    let sum = sums.entry(key).or_default();
    *sum = (sum.0 + 1, sum.1 + i32::from(win), sum.2 + more);
}

fn summed(sums: Sums) -> Vec<Cells> {
    let rows = sums.into_iter().map(|(key, (games, wins, more))| {
        let mut row: Cells = key.into_iter().map(Some).collect();
        let rate = f64::from(wins) * 100.0 / f64::from(games);
        row.extend(row![games, wins, rate, f64::from(more) / f64::from(games)]);
        row
    });
    rows.collect()
}

fn keys(game: &MatchRecord, one: &ParticipantRecord) -> Vec<String> {
    let patch = game.patch().unwrap();
    let queue = game.queue_id.to_string();
    vec![
        patch,
        queue,
        one.team_position.clone(),
        one.champion_id.to_string(),
    ]
}

fn champion_stats(games: &[Arc<MatchRecord>]) -> Vec<Cells> {
    let mut sums = Sums::new();
    for game in counted(games) {
        for one in &game.participants {
            add(&mut sums, keys(game, one), one.win, one.kills);
        }
    }
    summed(sums)
}

fn matchups(games: &[Arc<MatchRecord>]) -> Vec<Cells> {
    let mut sums = Sums::new();
    for game in counted(games) {
        for one in &game.participants {
            let Some(other) = opponent(game, one) else {
                continue;
            };
            let mut key = keys(game, one);
            key.push(other.champion_id.to_string());
            add(&mut sums, key, one.win, one.gold_earned - other.gold_earned);
        }
    }
    summed(sums)
}

fn duos(games: &[Arc<MatchRecord>]) -> Vec<Cells> {
    let mut sums = Sums::new();
    for game in counted(games) {
        for one in &game.participants {
            for other in &game.participants {
                let (Some(a), Some(b)) = (&one.player, &other.player) else {
                    continue;
                };
                if one.team_id == other.team_id && a.puuid != b.puuid {
                    let (a, b) = (a.puuid.to_string(), b.puuid.to_string());
                    add(&mut sums, vec![a, b, game.queue_id.to_string()], one.win, 0);
                }
            }
        }
    }
    summed(sums)
}

#[tokio::test]
async fn every_view_says_what_the_games_add_up_to_on_both_databases() {
    let games = games();
    for place in [Place::sqlite(), Place::postgres()] {
        let store = place.open().await;
        write(
            &*store,
            games.iter().map(|game| vec![stores(game)]).collect(),
        )
        .await;
        store.close().await.unwrap();
        check(
            &place,
            1,
            "SELECT match_id, patch, queue, started_at, minutes, is_remake, counts, winning_team FROM v_matches",
            matches(&games),
        );
        check(
            &place,
            2,
            "SELECT match_id, participant_id, puuid, position, champion, win, kda, opponent_id, opponent_champion_id, kill_share,
                    cs_per_minute, gold_per_minute, damage_per_minute, damage_share FROM v_player_matches",
            player_matches(&games),
        );
        check(
            &place,
            4,
            "SELECT patch, queue_id, position, champion_id, games, wins, win_rate, kills FROM v_champion_stats",
            champion_stats(&games),
        );
        check(
            &place,
            5,
            "SELECT patch, queue_id, position, champion_id, opponent_champion_id, games, wins, win_rate, gold_lead FROM v_matchups",
            matchups(&games),
        );
        check(
            &place,
            3,
            "SELECT a.puuid, b.puuid, d.queue_id, d.games, d.wins, d.win_rate, 0 FROM v_duos d
             JOIN players a ON a.id = d.player_id JOIN players b ON b.id = d.partner_id",
            duos(&games),
        );
    }
}

/// `count` minutes as they are stored, with gold and CS; minute 15 is `of_15`.
fn minutes(count: i32, gold: i32, of_15: &str) -> String {
    let minute = |at: i32| match at {
        15 => of_15.to_owned(),
        at => format!("[{},null,{at}]", gold * at),
    };
    let minutes: Vec<String> = (0..count).map(minute).collect();
    format!("[{}]", minutes.join(","))
}

/// Minutes of both, and the leads: gold, XP and CS at 10, and at 15.
fn leads() -> Vec<(String, String, [Option<i32>; 6])> {
    let long = |gold, of_15| minutes(17, gold, of_15);
    vec![
        (
            long(500, "[9,-7,3]"),
            long(400, "[5,1,4]"),
            [Some(1_000), None, Some(0), Some(4), Some(-8), Some(-1)],
        ),
        (
            long(500, "[null,7,3]"),
            long(400, "[5,null,4]"),
            [Some(1_000), None, Some(0), None, None, Some(-1)],
        ),
        (
            long(500, "[1,2,3,4]"),
            long(500, "[1]"),
            [Some(0), None, Some(0), Some(0), None, None],
        ),
        // The last one is when the game ended.
        (
            minutes(16, 500, "[9,9,9]"),
            minutes(16, 400, "[5,5,5]"),
            [Some(1_000), None, Some(0), None, None, None],
        ),
        (
            minutes(12, 3, ""),
            minutes(12, -3, ""),
            [Some(60), None, Some(0), None, None, None],
        ),
        (minutes(11, 3, ""), minutes(11, 2, ""), [None; 6]),
        // One that was told for a shorter time.
        (
            long(500, "[9,9,9]"),
            minutes(16, 400, "[5,5,5]"),
            [Some(1_000), None, Some(0), Some(4), Some(4), Some(4)],
        ),
        (
            long(500, "[9,9,9]"),
            minutes(11, 400, ""),
            [Some(1_000), None, Some(0), None, None, None],
        ),
        (
            long(500, "[9,9,9]"),
            minutes(16, 400, "[5,5,null]"),
            [Some(1_000), None, Some(0), Some(4), Some(4), None],
        ),
        (long(500, "[9,9,9]"), "[]".to_owned(), [None; 6]),
    ]
}

#[tokio::test]
async fn a_lead_is_told_of_a_full_minute_and_of_numbers_that_are_known_on_both_databases() {
    for place in [Place::sqlite(), Place::postgres()] {
        let store = place.open().await;
        let games = games();
        write(&*store, vec![games.iter().map(stores).collect()]).await;
        // Those of which somebody has a position.
        let played = games.iter().enumerate().filter(|(n, _)| n % 7 != 0);
        for ((_, game), (own, others, leads)) in played.zip(leads()) {
            let (first, last) = (&game.participants[0], &game.participants[5]);
            for (one, minutes) in [(first, &own), (last, &others)] {
                let (id, number) = (&game.id, one.participant_id);
                place.rows(&format!(
                    "INSERT INTO participant_timelines (match_id, participant_id, minutes, purchases)
                     VALUES ('{id}', {number}, '{minutes}', '[]') RETURNING match_id"
                ));
            }
            let told = place.rows(&format!(
                "SELECT gold_lead_10, xp_lead_10, cs_lead_10, gold_lead_15, xp_lead_15, cs_lead_15
                 FROM v_player_matches WHERE match_id = '{}' AND participant_id = {}",
                game.id, first.participant_id
            ));
            let leads = leads.map(|lead| lead.map(|lead| lead.to_string()));
            assert_eq!(told, [leads.to_vec()], "{own} {others}");
        }
    }
}
