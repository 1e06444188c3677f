//! What games come to.

use super::*;

fn game(start: &str, win: bool) -> Game {
    let start: Timestamp = start.parse().unwrap();
    Game {
        started_ms: start.as_millisecond(),
        seconds: 1_800,
        win,
        ..Game::default()
    }
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn year(games: &[Game], zone_name: &str) -> Year {
    Year::of(2025, games, &zone(zone_name), Timestamp::UNIX_EPOCH)
}

#[test]
fn a_day_is_one_of_the_readers_zone_and_the_year_stays_that_of_utc() {
    let games = [
        game("2025-03-09T15:30:00Z", true),
        game("2025-12-31T23:00:00Z", false),
    ];
    let seoul = year(&games, "Asia/Seoul");
    let dates: Vec<&str> = seoul.days.iter().map(|day| &*day.date).collect();
    assert_eq!(dates, ["2025-03-10", "2026-01-01"]);
    assert_eq!(
        (&*seoul.span.first, &*seoul.span.last),
        ("2025-01-01", "2026-01-01")
    );
    assert_eq!(
        (seoul.hours[0].tally.games, seoul.weekdays[0].tally.games),
        (1, 1)
    );
    assert_eq!(seoul.all.games, 2);
    let honolulu = year(&games, "Pacific/Honolulu");
    assert_eq!(honolulu.span.first, "2024-12-31");
    assert_eq!(honolulu.days[0].date, "2025-03-09");
    let calendar = calendar(&seoul.span);
    assert_eq!((calendar.len(), calendar[0].1, calendar[0].2), (366, 0, 2));
}

#[test]
fn hours_of_a_day_with_a_change_of_clocks_are_those_that_the_clock_showed() {
    // At 01:00 UTC the clock went from 02:00 to 03:00.
    let games = [
        game("2025-03-30T00:59:00Z", true),
        game("2025-03-30T01:01:00Z", true),
    ];
    let berlin = year(&games, "Europe/Berlin");
    let played: Vec<&str> = (berlin.hours.iter().filter(|hour| hour.tally.games > 0))
        .map(|hour| &*hour.name)
        .collect();
    assert_eq!(played, ["01", "03"]);
}

#[test]
fn a_remake_and_a_game_that_never_was_count_in_nothing_else() {
    let remake = Game {
        is_remake: true,
        ..game("2025-01-02T00:00:00Z", true)
    };
    let never = Game {
        seconds: 0,
        ..game("2025-01-02T00:00:00Z", true)
    };
    let told = year(&[remake, never, game("2025-01-02T01:00:00Z", false)], "UTC");
    assert_eq!(
        (told.all.games, told.all.wins, told.remakes, told.aborted),
        (1, 0, 1, 1)
    );
    assert_eq!(told.days[0].games, 1);
}

#[test]
fn a_rolling_rate_is_of_the_last_games_and_ends_with_the_last_one() {
    let ends: Vec<(Date, bool)> = (0..3_000).map(|n| (Date::default(), n % 4 == 0)).collect();
    let points = rolling(&ends);
    assert!(
        points.len() <= POINTS_MAX && points.len() > POINTS_MAX / 2,
        "{}",
        points.len()
    );
    assert_eq!(points[points.len() - 1].game, 3_000);
    assert!(points.iter().all(|point| point.wins == 5));
    // The best and the worst of all are on the curve, wherever they are.
    let mut ends = ends;
    ends[500..520].fill((Date::default(), true));
    ends[1_100..1_120].fill((Date::default(), false));
    let points = rolling(&ends);
    let at = |game: u64| points.iter().find(|point| point.game == game);
    assert_eq!(
        (at(520).unwrap().wins, at(1_117).unwrap().wins),
        (20, 0),
        "{points:?}"
    );
    assert!(points.len() <= POINTS_MAX && points[0].game == 20);
    assert_eq!(rolling(&ends[..20]).len(), 1);
    assert_eq!(rolling(&ends[..19]), []);
}

#[test]
fn the_longest_streak_is_the_first_of_that_length() {
    let day = |n| Date::new(2025, 1, n).unwrap();
    let ends: Vec<(Date, bool)> = "WLWWLWWL"
        .chars()
        .zip(1..)
        .map(|(end, n)| (day(n), end == 'W'))
        .collect();
    let won = longest(&ends, true);
    assert_eq!(
        (won.games, &*won.from, &*won.to),
        (2, "2025-01-03", "2025-01-04")
    );
    assert_eq!(longest(&ends, false).games, 1);
    assert_eq!(longest(&[], true), Streak::default());
}

#[test]
fn lines_come_with_the_most_games_first_and_patches_in_their_order() {
    let on = |patch: &str, champion: &str| Game {
        patch: Some(patch.to_owned()),
        champion: champion.to_owned(),
        ..game("2025-01-02T00:00:00Z", true)
    };
    let told = year(
        &[on("15.10", "Ahri"), on("15.9", "Zed"), on("15.9", "Zed")],
        "UTC",
    );
    let names = |lines: &[GameGroup]| {
        lines
            .iter()
            .map(|line| line.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&told.patches), ["15.9", "15.10"]);
    assert_eq!(names(&told.champions), ["Zed", "Ahri"]);
}

#[test]
fn sides_and_objectives_are_those_of_summoners_rift() {
    let on = |map_id: i32, team_id: i32| Game {
        map_id,
        team_id,
        firsts: [Some(true); 7],
        ..game("2025-01-02T00:00:00Z", true)
    };
    let told = year(&[on(11, 100), on(12, 100), on(12, 200), on(30, 200)], "UTC");
    let sides: Vec<(&str, u64)> = (told.sides.iter())
        .map(|side| (&*side.name, side.tally.games))
        .collect();
    assert_eq!(sides, [("Blue", 1)]);
    assert!(told.objectives.iter().all(|one| one.first == 1));
    assert_eq!(told.all.games, 4);
}

#[test]
fn of_champions_with_as_many_games_the_one_with_the_smaller_number_is_first() {
    let with = |champion: &str, champion_id: i32| Game {
        champion: champion.to_owned(),
        champion_id,
        ..game("2025-01-02T00:00:00Z", true)
    };
    let games = [
        with("Ahri", 103),
        with("Olaf", 2),
        with("Zyra", 143),
        with("Zyra", 143),
    ];
    let told = year(&games, "UTC");
    let names: Vec<&str> = told.champions.iter().map(|one| &*one.name).collect();
    assert_eq!(names, ["Zyra", "Olaf", "Ahri"]);
}
