//! What games add up to, and whether the stored rows say the same.

use std::collections::BTreeSet;

use diesel::sql_types::{BigInt, Double, Integer, Nullable, Text};

use crate::store::StoreResult;
use crate::store::rows::{Tallies, TallyRow, TallyTuple, game_of, tally_from};

/// A game of a player, with the player.
pub(in crate::store) type PlayersGameRow = (
    BigInt,
    (
        Integer,
        Text,
        diesel::sql_types::Bool,
        BigInt,
        diesel::sql_types::Bool,
        Integer,
        Integer,
        Integer,
    ),
    (
        Integer,
        Integer,
        Integer,
        Integer,
        Integer,
        Text,
        Text,
        Text,
    ),
);
pub(in crate::store) type PlayersGame = (
    i64,
    (i32, String, bool, i64, bool, i32, i32, i32),
    (i32, i32, i32, i32, i32, String, String, String),
);

/// A year of a player: (player, year, platform, sums).
pub(in crate::store) type YearRow = (BigInt, Integer, Text, TallyRow);
pub(in crate::store) type YearTuple = (i64, i32, String, TallyTuple);

/// What players' games add up to, with what cleaned matches count for.
pub(in crate::store) fn add_up(
    games: Vec<PlayersGame>,
    cleaned: Vec<YearTuple>,
) -> StoreResult<Tallies> {
    let mut tallies = Tallies::new();
    for (player, year, platform, tally) in cleaned {
        tallies.insert((player, year, platform), tally_from(tally)?);
    }
    for (player, one, other) in games {
        let Some((year, platform, facts)) = game_of((one, other)) else {
            continue;
        };
        tallies
            .entry((player, year, platform))
            .or_default()
            .add(&facts);
    }
    Ok(tallies)
}

/// A whole row of `player_yearly_stats`.
pub(in crate::store) type StatsRow = (
    BigInt,
    Integer,
    Text,
    TallyRow,
    (BigInt, BigInt, Nullable<Text>, BigInt, BigInt, BigInt),
    (Double, Double, Double, Double, Double, Double, Double),
);
pub(in crate::store) type StatsTuple = (
    i64,
    i32,
    String,
    TallyTuple,
    (i64, i64, Option<String>, i64, i64, i64),
    (f64, f64, f64, f64, f64, f64, f64),
);

/// Players whose rows are not those that follow from their tallies, in any column.
pub(in crate::store) fn differing(stored: Vec<StatsTuple>, tallies: &Tallies) -> Vec<i64> {
    let mut differ = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for (player, year, platform, sums, numbers, shares) in stored {
        let place = (player, year, platform);
        let matches = tallies.get(&place).is_some_and(|tally| {
            let (name, games) = tally
                .most_played_champion()
                .map_or((None, 0), |(name, games)| {
                    (Some(name.to_owned()), i64::from(games))
                });
            let counts = &tally.counts;
            let exact = (
                tally.total_matches(),
                counts.champions.len() as i64,
                name,
                games,
                counts.roles.len() as i64,
                counts.lanes.len() as i64,
            );
            let ratios = [
                tally.win_rate(),
                tally.kda_ratio(),
                tally.per_match(tally.kills),
                tally.per_match(tally.deaths),
                tally.per_match(tally.assists),
                tally.per_match(tally.gold_earned),
                tally.average_cs(),
            ];
            let shares = [
                shares.0, shares.1, shares.2, shares.3, shares.4, shares.5, shares.6,
            ];
            // The same sums give the same ratios, to the bit.
            tally_from(sums).is_ok_and(|sums| sums == *tally)
                && numbers == exact
                && shares.map(f64::to_bits) == ratios.map(f64::to_bits)
        });
        if !matches {
            differ.insert(player);
        }
        seen.insert(place);
    }
    differ.extend(
        tallies
            .keys()
            .filter(|place| !seen.contains(*place))
            .map(|place| place.0),
    );
    differ.into_iter().collect()
}
