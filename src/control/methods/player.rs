//! `player.*`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Answer;
use crate::control::desk::Desk;
use crate::control::rpc::{Params, RpcError};
use crate::model::{RiotId, Whereabouts};
use crate::store::YearlyStats;
use crate::store::people::TrackedPlayer;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stats {
    riot_id: RiotId,
    #[serde(default)]
    year: Option<i16>,
}

pub(super) async fn stats(desk: &Desk, params: Params<'_>) -> Answer {
    let asked = params.read::<Stats>()?;
    let store = &desk.engine.store;
    let Some(player) = store.player(&asked.riot_id).await? else {
        return Err(RpcError::new(
            RpcError::NOT_FOUND,
            format!("the database has no player '{}'", asked.riot_id),
        ));
    };
    let rows = store.yearly_stats(player.id, asked.year).await?;
    Ok(stats_document(&asked.riot_id, &rows))
}

/// A player's yearly rows, as every program sees them.
pub fn stats_document(riot_id: &RiotId, rows: &[YearlyStats]) -> Value {
    let years: Vec<Value> = rows.iter().map(year).collect();
    json!({ "riot_id": riot_id, "years": years })
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
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    riot_id: RiotId,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tracked {
    #[serde(default)]
    limit: Option<usize>,
}

/// Where a player plays: asks the API.
pub(super) async fn locate(desk: &Desk, params: Params<'_>) -> Answer {
    let riot_id = params.read::<Which>()?.riot_id;
    match desk.locate.locate(&riot_id).await {
        Whereabouts::On(platform) => Ok(json!({ "riot_id": riot_id, "platform": platform })),
        Whereabouts::Nobody => Err(RpcError::new(
            RpcError::NOT_FOUND,
            format!("no player is called '{riot_id}'"),
        )),
        Whereabouts::Untold(why) => Err(RpcError::new(
            RpcError::UNAVAILABLE,
            format!("where '{riot_id}' plays cannot be told: {why}"),
        )),
    }
}

/// Players that one list names at most.
const TRACKED_MAX: usize = 10_000;

pub(super) async fn track(desk: &Desk, params: Params<'_>) -> Answer {
    set_tracked(desk, params, true).await
}

pub(super) async fn untrack(desk: &Desk, params: Params<'_>) -> Answer {
    set_tracked(desk, params, false).await
}

async fn set_tracked(desk: &Desk, params: Params<'_>, tracked: bool) -> Answer {
    let riot_id = params.read::<Which>()?.riot_id;
    let store = &desk.engine.store;
    let rows = store.namesakes(&riot_id).await?;
    // Somebody who had the name before is not meant.
    let Some(player) = rows.first() else {
        let text = format!(
            "the database has no player '{riot_id}'. Bring the player in with: riftsync sync \"{riot_id}\" --platform ..."
        );
        return Err(RpcError::new(RpcError::NOT_FOUND, text));
    };
    store.track(vec![player.id], tracked).await?;
    Ok(json!({ "riot_id": riot_id, "platform": player.platform, "tracked": tracked }))
}

pub(super) async fn tracked(desk: &Desk, params: Params<'_>) -> Answer {
    let limit = params.read::<Tracked>()?.limit.unwrap_or(TRACKED_MAX);
    let players = desk
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
            json!({
                "riot_id": player.riot_id, "platform": player.platform,
                "last_played": tracked.last_played.map(|at| at.to_string()),
            })
        })
        .collect();
    json!({ "players": players })
}
