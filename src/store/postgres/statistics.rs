//! Yearly statistics: the games of a batch are added to their rows in memory and written at once.

use std::collections::BTreeMap;

use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::Fault;
use super::data_statements as sql;
use super::locks::Class;
use super::transaction::Transaction;
use crate::model::statistics::{GameFacts, YearlyTally};
use crate::model::{IdError, Platform};
use crate::store::rows::Tallies;
use crate::store::rows::{TallyTuple, tally_from, to_json};
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

/// A row that is there.
pub(super) type There = (i64, i32, String, TallyTuple);

/// What games add up to, in the order of their rows.
#[derive(Debug, Default)]
pub(super) struct Sums(BTreeMap<Place, YearlyTally>);

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

impl Sums {
    pub(super) fn of(games: &[Game]) -> Self {
        let mut sums = Self::default();
        for game in games {
            let sum = sums.0.entry((game.player, game.year, game.platform));
            sum.or_default().add(&game.facts);
        }
        sums
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn places(&self) -> Vec<Place> {
        self.0.keys().copied().collect()
    }

    fn rows(&self) -> Vec<(Place, &YearlyTally)> {
        self.0.iter().map(|(at, sum)| (*at, sum)).collect()
    }

    /// Without rows that are written.
    pub(super) fn leave_out(&mut self, rows: &[(i64, i32, String)]) -> StoreResult<()> {
        for (player, year, platform) in rows {
            self.0.remove(&(*player, *year, platform_word(platform)?));
        }
        Ok(())
    }

    /// With what is in the rows that are there.
    pub(super) fn add_to(&mut self, rows: Vec<There>) -> StoreResult<()> {
        for (player, year, platform, tally) in rows {
            let place = (player, year, platform_word(&platform)?);
            if let Some(sum) = self.0.get_mut(&place) {
                sum.merge(&tally_from(tally)?);
            }
        }
        Ok(())
    }
}

/// Writes sums into rows that are locked.
pub(super) async fn update_years(mut conn: &AsyncPgConnection, sums: &Sums) -> Result<(), Fault> {
    if sums.is_empty() {
        return Ok(());
    }
    let rows = sums.rows();
    columns!(sql::UpdateStats, rows).execute(&mut conn).await?;
    Ok(())
}

impl Transaction<'_> {
    /// New rows of statistics are the next that are written.
    pub(super) fn pass_new_years(&mut self, sums: &Sums) {
        if !sums.is_empty() {
            self.locks.pass(Class::NewStatistics, &sums.places());
        }
    }

    /// Counts the games of players who have no row of that year, and tells which. Those that are there are left for last,
    /// for all matches of their players need them.
    pub(super) async fn count_new(&self, sums: &Sums) -> Result<Vec<(i64, i32, String)>, Fault> {
        self.insert_new(&sums.rows()).await
    }

    /// Rows of statistics that are there are the next that are locked.
    pub(super) fn pass_years(&mut self, sums: &Sums) {
        if !sums.is_empty() {
            self.locks.pass(Class::Statistics, &sums.places());
        }
    }

    /// The rows that are there, locked.
    pub(super) async fn tallies_of(&self, sums: &Sums) -> Result<Vec<There>, Fault> {
        if sums.is_empty() {
            return Ok(Vec::new());
        }
        let places = sums.places();
        let tallies = sql::Tallies {
            players: places.iter().map(|place| place.0).collect(),
            years: places.iter().map(|place| place.1).collect(),
            platforms: places.iter().map(|place| place.2).collect(),
        };
        Ok(tallies.load(&mut { self.conn }).await?)
    }

    /// Inserts those that are not there, and tells which.
    async fn insert_new(
        &self,
        rows: &[(Place, &YearlyTally)],
    ) -> Result<Vec<(i64, i32, String)>, Fault> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let insert = columns!(sql::InsertStats, rows);
        Ok(insert.load(&mut { self.conn }).await?)
    }

    /// All rows of players who have none.
    pub(super) async fn insert_tallies(&mut self, tallies: &Tallies) -> Result<(), Fault> {
        let mut rows = Vec::with_capacity(tallies.len());
        for ((player, year, platform), tally) in tallies {
            rows.push(((*player, *year, platform_word(platform)?), tally));
        }
        if !rows.is_empty() {
            let places: Vec<Place> = rows.iter().map(|row| row.0).collect();
            self.locks.pass(Class::NewStatistics, &places);
            self.insert_new(&rows).await?;
        }
        Ok(())
    }
}
