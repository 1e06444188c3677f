//! When the matches of a platform begin: so many a year for each listed player, at any hour.

use crate::game::Game;
use crate::hash::hash;
use crate::people::{People, Player};
use crate::world_config::WorldConfig;
use riftsync_model::{Platform, Timestamp, Year};

/// 2021-01-01T00:00:00Z, where match numbers begin.
const FIRST_MOMENT_MS: i64 = 1_609_459_200_000;
const FIRST_ID: u64 = 4_000_000_000;
/// Longer than any game with its lobby: matches of one player keep this distance if the year has room.
const GAME_MS_MAX: i64 = 50 * 60_000;

/// All matches of a platform in the order of their ids, those to come included: the world's clock tells which were
/// played.
pub fn games_of(config: &WorldConfig, people: &People, platform: Platform) -> Vec<Game> {
    let owners = people.focus_count(platform);
    let mut games = Vec::new();
    for owner in 0..owners {
        let seed = people.hash_of(
            Player {
                platform,
                number: owner,
            },
            10,
        );
        for year in config.first_year.max(Year::FIRST)..=config.last_year {
            games_of_year(config.matches_per_year, seed, owner, year, &mut games);
        }
    }
    // The owner in the number keeps ids apart that begin in one second, and time stays first.
    for game in &mut games {
        let second = (game.start.as_millis() - FIRST_MOMENT_MS) / 1000;
        let second = u64::try_from(second).expect("no match is older than 2021");
        game.id = FIRST_ID + second * u64::from(owners) + u64::from(game.owner);
    }
    games.sort_by_key(|game| game.id);
    games
}

/// One match in each of `matches_per_year` equal parts of the year.
fn games_of_year(matches_per_year: u32, seed: u64, owner: u32, year: i16, games: &mut Vec<Game>) {
    let count = i64::from(matches_per_year);
    let far_future = Timestamp::from_millis(253_370_764_800_000);
    let Ok(year) = Year::new(year, far_future) else {
        return;
    };
    let (from_ms, to_ms) = (year.start().as_millis(), year.end().as_millis());
    let number = year.get().unsigned_abs();
    let empty_at =
        i64::try_from(hash(&[seed, u64::from(number), 1]) >> 1).unwrap_or(0) % count.max(1);
    // At each New Year either a match begins minutes before it, or its lobby is of the old year.
    let before_new_year = |year: u16| hash(&[seed, u64::from(year), 2]).is_multiple_of(2);
    let part_ms = (to_ms - from_ms) / count.max(1);
    let wide = part_ms > 3 * GAME_MS_MAX;
    for k in 0..count {
        let mut game = Game {
            start: Timestamp::EPOCH,
            id: 0,
            owner,
            seed: hash(&[seed, u64::from(number), 3, k.unsigned_abs()]),
            surely_empty: count >= 100 && k == empty_at,
        };
        let start_ms = if wide && k == 0 && !before_new_year(number - 1) {
            from_ms + 5_000 + i64::from(game.draw(5).below(30_000))
        } else if wide && k == count - 1 && before_new_year(number) {
            to_ms - 60_000 - i64::from(game.draw(5).below(12 * 60_000))
        } else {
            let latest_ms = if wide {
                part_ms - GAME_MS_MAX
            } else {
                part_ms / 2
            };
            // The first hour of a year may belong to the last match of the year before.
            let earliest_ms = if wide && k == 0 { GAME_MS_MAX } else { 0 };
            from_ms
                + k * part_ms
                + game
                    .draw(5)
                    .between(earliest_ms, latest_ms.max(earliest_ms))
        };
        game.start = Timestamp::from_millis(start_ms);
        games.push(game);
    }
}
