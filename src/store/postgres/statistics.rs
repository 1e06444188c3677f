//! Yearly statistics: the games of a batch are added to their rows in memory and written at once.

use std::collections::BTreeMap;

use diesel_async::RunQueryDsl;

use super::data_statements as sql;
use super::fault::Fault;
use super::transaction::Transaction;
use crate::model::statistics::{GameFacts, YearlyTally};
use crate::model::{IdError, Platform};
use crate::store::rows::{TallyTuple, tally_from, to_json};
use crate::store::upkeep::Tallies;
use crate::store::{StoreError, StoreResult};

/// A game of a player that counts.
#[derive(Debug)]
pub(super) struct Game {
    pub(super) player: i64,
    pub(super) year: i32,
    pub(super) platform: &'static str,
    pub(super) facts: GameFacts,
}

type Place = (i64, i32, &'static str);

fn platform_word(text: &str) -> StoreResult<&'static str> {
    let platform: Result<Platform, IdError> = text.parse();
    let word = platform.map(Platform::as_str);
    word.map_err(|error| StoreError::Unexpected(error.to_string()))
}

/// The rows as the columns that a statement takes.
macro_rules! columns {
    ($statement:path, $rows:expr) => {{
        let rows: &[(Place, &YearlyTally)] = &$rows;
        let sum =
            |number: fn(&YearlyTally) -> i64| rows.iter().map(|(_, tally)| number(tally)).collect();
        let share =
            |number: fn(&YearlyTally) -> f64| rows.iter().map(|(_, tally)| number(tally)).collect();
        let mut counts = Vec::with_capacity(rows.len());
        for (_, tally) in rows {
            counts.push(to_json(&tally.counts)?);
        }
        $statement {
            players: rows.iter().map(|(place, _)| place.0).collect(),
            years: rows.iter().map(|(place, _)| place.1).collect(),
            platforms: rows.iter().map(|(place, _)| place.2).collect(),
            matches: sum(YearlyTally::total_matches),
            wins: sum(|tally| tally.wins),
            losses: sum(|tally| tally.losses),
            remakes: sum(|tally| tally.remakes),
            kills: sum(|tally| tally.kills),
            deaths: sum(|tally| tally.deaths),
            assists: sum(|tally| tally.assists),
            gold: sum(|tally| tally.gold_earned),
            minions: sum(|tally| tally.total_minions_killed),
            neutral: sum(|tally| tally.neutral_minions_killed),
            damage: sum(|tally| tally.damage_to_champions),
            champions: sum(|tally| tally.counts.champions.len() as i64),
            most_played: rows
                .iter()
                .map(|(_, tally)| tally.most_played_champion().map(|(name, _)| name))
                .collect(),
            most_played_count: sum(|tally| {
                tally
                    .most_played_champion()
                    .map_or(0, |(_, games)| i64::from(games))
            }),
            roles: sum(|tally| tally.counts.roles.len() as i64),
            lanes: sum(|tally| tally.counts.lanes.len() as i64),
            win_rates: share(YearlyTally::win_rate),
            kda: share(YearlyTally::kda_ratio),
            avg_kills: share(|tally| tally.per_match(tally.kills)),
            avg_deaths: share(|tally| tally.per_match(tally.deaths)),
            avg_assists: share(|tally| tally.per_match(tally.assists)),
            avg_gold: share(|tally| tally.per_match(tally.gold_earned)),
            avg_cs: share(YearlyTally::average_cs),
            counts,
        }
    }};
}

impl Transaction<'_> {
    pub(super) async fn count_games(&mut self, games: Vec<Game>) -> Result<(), Fault> {
        if games.is_empty() {
            return Ok(());
        }
        // In the order of their keys: that is the order of the locks.
        let mut tallies: BTreeMap<Place, YearlyTally> = BTreeMap::new();
        for game in &games {
            tallies
                .entry((game.player, game.year, game.platform))
                .or_default();
        }
        let known: Vec<(i64, i32, String, TallyTuple)> = sql::Tallies {
            players: tallies.keys().map(|place| place.0).collect(),
            years: tallies.keys().map(|place| place.1).collect(),
            platforms: tallies.keys().map(|place| place.2).collect(),
        }
        .load(&mut self.conn)
        .await?;
        let mut there: Vec<Place> = Vec::with_capacity(known.len());
        for (player, year, platform, tally) in known {
            let place = (player, year, platform_word(&platform)?);
            tallies.insert(place, tally_from(tally)?);
            there.push(place);
        }
        for game in &games {
            if let Some(tally) = tallies.get_mut(&(game.player, game.year, game.platform)) {
                tally.add(&game.facts);
            }
        }
        there.sort_unstable();
        let (old, new): (Vec<_>, Vec<_>) = tallies
            .iter()
            .map(|(place, tally)| (*place, tally))
            .partition(|(place, _)| there.binary_search(place).is_ok());
        // A row that another transaction makes at the same time: one of them fails, and is run again.
        if !new.is_empty() {
            columns!(sql::InsertStats, new)
                .execute(&mut self.conn)
                .await?;
        }
        if !old.is_empty() {
            columns!(sql::UpdateStats, old)
                .execute(&mut self.conn)
                .await?;
        }
        Ok(())
    }

    /// All rows of players who have none.
    pub(super) async fn insert_tallies(&mut self, tallies: &Tallies) -> Result<(), Fault> {
        let mut rows = Vec::with_capacity(tallies.len());
        for ((player, year, platform), tally) in tallies {
            rows.push(((*player, *year, platform_word(platform)?), tally));
        }
        if !rows.is_empty() {
            columns!(sql::InsertStats, rows)
                .execute(&mut self.conn)
                .await?;
        }
        Ok(())
    }
}
