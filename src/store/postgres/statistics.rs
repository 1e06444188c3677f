//! Yearly statistics: the games of a batch are added to their rows in memory and written at once.

use std::collections::BTreeMap;

use diesel_async::RunQueryDsl;

use super::data_statements as sql;
use super::fault::Fault;
use super::locks::Class;
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

/// What games add up to, in the order of their rows.
pub(super) type Sums = BTreeMap<Place, YearlyTally>;

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
    /// Counts the games of players who have no row of that year. Those that are there come back: they are left for last,
    /// for all matches of their players need them.
    pub(super) async fn count_new(&mut self, games: &[Game]) -> Result<Sums, Fault> {
        let mut tallies = Sums::new();
        for game in games {
            let tally = tallies.entry((game.player, game.year, game.platform));
            tally.or_default().add(&game.facts);
        }
        if tallies.is_empty() {
            return Ok(tallies);
        }
        let rows: Vec<(Place, &YearlyTally)> =
            tallies.iter().map(|(at, tally)| (*at, tally)).collect();
        for (player, year, platform) in self.insert_new(&rows).await? {
            tallies.remove(&(player, year, platform_word(&platform)?));
        }
        Ok(tallies)
    }

    /// Adds to rows that are there.
    pub(super) async fn count_games(&mut self, mut tallies: Sums) -> Result<(), Fault> {
        if tallies.is_empty() {
            return Ok(());
        }
        let places: Vec<&Place> = tallies.keys().collect();
        self.locks.pass(Class::Statistics, &places);
        let known: Vec<(i64, i32, String, TallyTuple)> = sql::Tallies {
            players: tallies.keys().map(|place| place.0).collect(),
            years: tallies.keys().map(|place| place.1).collect(),
            platforms: tallies.keys().map(|place| place.2).collect(),
        }
        .load(&mut self.conn)
        .await?;
        for (player, year, platform, tally) in known {
            let place = (player, year, platform_word(&platform)?);
            if let Some(sum) = tallies.get_mut(&place) {
                sum.merge(&tally_from(tally)?);
            }
        }
        let rows: Vec<(Place, &YearlyTally)> =
            tallies.iter().map(|(at, tally)| (*at, tally)).collect();
        columns!(sql::UpdateStats, rows)
            .execute(&mut self.conn)
            .await?;
        Ok(())
    }

    /// Inserts those that are not there, and tells which.
    async fn insert_new(
        &mut self,
        rows: &[(Place, &YearlyTally)],
    ) -> Result<Vec<(i64, i32, String)>, Fault> {
        let places: Vec<Place> = rows.iter().map(|row| row.0).collect();
        self.locks.pass(Class::NewStatistics, &places);
        let insert = columns!(sql::InsertStats, rows);
        Ok(insert.load(&mut self.conn).await?)
    }

    /// All rows of players who have none.
    pub(super) async fn insert_tallies(&mut self, tallies: &Tallies) -> Result<(), Fault> {
        let mut rows = Vec::with_capacity(tallies.len());
        for ((player, year, platform), tally) in tallies {
            rows.push(((*player, *year, platform_word(platform)?), tally));
        }
        if !rows.is_empty() {
            self.insert_new(&rows).await?;
        }
        Ok(())
    }
}
