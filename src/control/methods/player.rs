//! `player.*`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Answer;
use crate::control::rpc::{Params, RpcError};
use crate::control::state::ControlState;
use crate::model::Timestamp;
use crate::model::names::{NamedKind, StaticName};
use crate::model::standing::{Mastery, Rank};
use crate::model::{Puuid, RiotId, Whereabouts, Whom};
use crate::store::people::{self, TrackedPlayer};
use crate::store::standing::PlayerStanding;
use crate::store::{StoredPlayer, YearCoverage, YearlyStats, question};
use crate::tasks::coverage;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stats {
    #[serde(default)]
    riot_id: Option<RiotId>,
    #[serde(default)]
    puuid: Option<Puuid>,
    #[serde(default)]
    year: Option<i16>,
}

pub(super) async fn stats(control: &ControlState, params: Params<'_>) -> Answer {
    let Stats {
        riot_id,
        puuid,
        year,
    } = params.read()?;
    let whom = Whom { riot_id, puuid };
    let (player, note) = stored(control, &whom).await?;
    let store = &control.engine.store;
    let coverage = store.coverage(player.id, None).await?;
    let of_year = |one: &YearCoverage| year.is_none_or(|year| year == one.year);
    let coverage: Vec<YearCoverage> = coverage.into_iter().filter(of_year).collect();
    let aborted = match year {
        Some(year) => Some(store.aborted_matches(player.id, year).await?),
        None => None,
    };
    Ok(stats_document(&PlayerStats {
        player: &player,
        note: note.as_deref(),
        rows: &store.yearly_stats(player.id, year).await?,
        coverage: &coverage,
        aborted,
        unread: store.count_unread().await?,
        champions: &store.names(NamedKind::Champion).await?,
    }))
}

/// A player of the database.
pub(super) async fn stored(
    control: &ControlState,
    whom: &Whom,
) -> Result<(StoredPlayer, Option<String>), RpcError> {
    let found = people::find(&*control.engine.store, whom, "").await?;
    found.map_err(|why| RpcError::new(RpcError::NOT_FOUND, why))
}

/// What is told of a player.
#[derive(Debug, Clone, Copy)]
pub struct PlayerStats<'a> {
    pub player: &'a StoredPlayer,
    /// What has to be said of the name that was asked for.
    pub note: Option<&'a str>,
    pub rows: &'a [YearlyStats],
    pub coverage: &'a [YearCoverage],
    /// Matches of the year that was asked for that were broken off; none: no year was.
    pub aborted: Option<u64>,
    /// Matches and timelines of anybody that are stored and could not be read.
    pub unread: [u64; 2],
    /// What champions are called, as far as is known.
    pub champions: &'a [StaticName],
}

/// A player's yearly rows, and how whole each year is, as every program sees them.
pub fn stats_document(told: &PlayerStats<'_>) -> Value {
    let years = told.rows.iter().map(|row| {
        let mut document = year(row);
        let champion = row.tally.most_played_champion_id();
        let name = champion.and_then(|id| champion_name(id, told.champions));
        document["most_played_name"] = json!(name);
        let mut coverage = told.coverage.iter();
        let of_year = coverage.find(|one| one.year == row.year && one.platform == row.platform);
        if let (Some(of_year), Value::Object(document)) = (of_year, &mut document)
            && let Value::Object(more) = coverage::document(of_year)
        {
            document.extend(more);
        }
        document
    });
    let coverage = told.coverage.iter().map(|one| {
        let mut document = json!({ "year": one.year, "platform": one.platform });
        if let (Value::Object(document), Value::Object(more)) =
            (&mut document, coverage::document(one))
        {
            document.extend(more);
        }
        document
    });
    let [matches, timelines] = told.unread;
    json!({
        "riot_id": told.player.riot_id, "puuid": told.player.puuid, "note": told.note,
        "years": years.collect::<Vec<Value>>(), "coverage": coverage.collect::<Vec<Value>>(),
        "aborted_matches": told.aborted, "unread_matches": matches, "unread_timelines": timelines,
    })
}

fn champion_name(id: i32, champions: &[StaticName]) -> Option<&str> {
    let id = id.to_string();
    let found = champions.iter().find(|one| one.id == id);
    found.map(|one| one.name.as_str())
}

fn year(row: &YearlyStats) -> Value {
    let tally = &row.tally;
    json!({
        "year": row.year, "platform": row.platform, "total_matches": tally.total_matches(), "wins": tally.wins,
        "losses": tally.losses, "remakes": tally.remakes, "win_rate": tally.win_rate(), "kda_ratio": tally.kda_ratio(),
        "total_kills": tally.kills, "total_deaths": tally.deaths, "total_assists": tally.assists,
        "average_gold_per_match": tally.per_match(tally.gold_earned), "average_cs_per_match": tally.average_cs(),
        "unique_champions_played": tally.counts.champions.len(),
        "most_played_champion": tally.most_played_champion().map(|(name, _)| name),
        "most_played_champion_games": tally.most_played_champion().map(|(_, games)| games),
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RankOf {
    #[serde(default)]
    riot_id: Option<RiotId>,
    #[serde(default)]
    puuid: Option<Puuid>,
    #[serde(default)]
    changes: Option<usize>,
    #[serde(default)]
    champions: Option<usize>,
}

/// Ranks of a queue, and champions, that one answer tells at most.
pub const CHANGES_MAX: usize = 1_000;
pub const CHAMPIONS_MAX: usize = 1_000;
pub const CHANGES_USUAL: usize = 10;
pub const CHAMPIONS_USUAL: usize = 5;

pub(super) async fn rank(control: &ControlState, params: Params<'_>) -> Answer {
    let asked: RankOf = params.read()?;
    let whom = Whom {
        riot_id: asked.riot_id,
        puuid: asked.puuid,
    };
    let (player, note) = stored(control, &whom).await?;
    let changes = asked.changes.unwrap_or(CHANGES_USUAL).clamp(1, CHANGES_MAX);
    let champions = asked.champions.unwrap_or(CHAMPIONS_USUAL);
    let store = &control.engine.store;
    let standing = store
        .standing(player.id, changes, champions.min(CHAMPIONS_MAX))
        .await?;
    let names = store.names(NamedKind::Champion).await?;
    let note = note.as_deref();
    Ok(rank_document(&player, note, standing.as_ref(), &names))
}

/// Where a player stands, as every program sees it: the ranks of now, how they came about, and the champions.
pub fn rank_document(
    player: &StoredPlayer,
    note: Option<&str>,
    standing: Option<&PlayerStanding>,
    champions: &[StaticName],
) -> Value {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let rank = |(rank, at): &(Rank, Timestamp)| {
        let games = rank.wins.zip(rank.losses);
        let games =
            games.map(|(wins, losses)| (f64::from(wins), f64::from(wins) + f64::from(losses)));
        let rate = games.filter(|(_, games)| *games > 0.0);
        json!({
            "queue": rank.queue, "tier": rank.tier, "division": rank.division, "league_points": rank.league_points,
            "points": rank.points(), "wins": rank.wins, "losses": rank.losses,
            "win_rate": rate.map(|(wins, games)| 100.0 * wins / games), "hot_streak": rank.hot_streak,
            "seen_at": at.to_string(),
        })
    };
    let mastery = |(mastery, at): &(Mastery, Timestamp)| {
        json!({
            "champion_id": mastery.champion_id, "champion": champion_name(mastery.champion_id, champions), "level": mastery.level, "points": mastery.points,
            "last_played": time(mastery.last_played.map(Timestamp::from_millis)), "seen_at": at.to_string(),
        })
    };
    let ranks = standing.map_or(&[][..], |standing| &standing.ranks);
    let mut queue = None;
    let now = ranks
        .iter()
        .filter(|(rank, _)| queue.replace(&rank.queue) != Some(&rank.queue));
    let now: Vec<Value> = now.map(rank).collect();
    let masteries = standing.map_or(&[][..], |standing| &standing.masteries);
    json!({
        "riot_id": player.riot_id, "puuid": player.puuid, "platform": player.platform, "note": note,
        "tracked": standing.map(|standing| standing.tracked),
        "ranks_at": time(standing.and_then(|standing| standing.ranks_at)),
        "mastery_at": time(standing.and_then(|standing| standing.mastery_at)),
        "ranks": now, "changes": ranks.iter().map(rank).collect::<Vec<Value>>(),
        "mastery": masteries.iter().map(mastery).collect::<Vec<Value>>(),
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tracked {
    #[serde(default)]
    limit: Option<usize>,
}

/// Where a player plays: asks the API, and the database for a name that nobody has any more.
pub(super) async fn locate(control: &ControlState, params: Params<'_>) -> Answer {
    let whom = params.read::<Whom>()?;
    let mut found = control.locate.locate(&whom).await;
    if let (Whereabouts::Nobody, Some(riot_id)) = (&found, &whom.riot_id) {
        // The API may have taken its time; the database gets its own.
        let before = question::asked(people::played_on(&*control.engine.store, riot_id)).await?;
        found = before.map_or(Whereabouts::Nobody, Whereabouts::On);
    }
    match found {
        Whereabouts::On(platform) => Ok(json!({
            "riot_id": whom.riot_id, "puuid": whom.puuid, "platform": platform,
        })),
        Whereabouts::Nobody => Err(RpcError::new(
            RpcError::NOT_FOUND,
            format!("no player is called '{whom}'"),
        )),
        Whereabouts::Untold(why) => Err(RpcError::new(
            RpcError::UNAVAILABLE,
            format!("where '{whom}' plays cannot be told: {why}"),
        )),
    }
}

/// Players that one list names at most.
const TRACKED_MAX: usize = 10_000;

pub(super) async fn track(control: &ControlState, params: Params<'_>) -> Answer {
    set_tracked(control, params, true).await
}

pub(super) async fn untrack(control: &ControlState, params: Params<'_>) -> Answer {
    set_tracked(control, params, false).await
}

async fn set_tracked(control: &ControlState, params: Params<'_>, tracked: bool) -> Answer {
    let whom = params.read::<Whom>()?;
    let (player, note) = stored(control, &whom).await?;
    control.engine.store.track(vec![player.id], tracked).await?;
    Ok(track_document(&player, note.as_deref(), tracked))
}

/// What became of a player's tracking, as every program sees it.
pub fn track_document(player: &StoredPlayer, note: Option<&str>, tracked: bool) -> Value {
    json!({
        "riot_id": player.riot_id, "puuid": player.puuid, "platform": player.platform, "tracked": tracked,
        "note": note,
    })
}

pub(super) async fn tracked(control: &ControlState, params: Params<'_>) -> Answer {
    let limit = params.read::<Tracked>()?.limit.unwrap_or(TRACKED_MAX);
    let players = control
        .engine
        .store
        .tracked_players(limit.min(TRACKED_MAX))
        .await?;
    Ok(tracked_document(&players))
}

/// Tracked players, most recently active first, as every program sees them.
pub fn tracked_document(players: &[TrackedPlayer]) -> Value {
    let players: Vec<Value> = players
        .iter()
        .map(|tracked| {
            let player = &tracked.player;
            let sync = tracked.last_sync;
            let lost = tracked.lost.as_ref();
            json!({
                "riot_id": player.riot_id, "puuid": player.puuid, "platform": player.platform,
                "last_played": tracked.last_played.map(|at| at.to_string()),
                "last_sync": sync.map(|sync| {
                    json!({ "at": sync.at.to_string(), "year": sync.year, "listed_matches": sync.listed })
                }),
                "lost": lost.map(|(since, why)| json!({ "since": since.to_string(), "why": why })),
            })
        })
        .collect();
    json!({ "players": players })
}
